#pragma once
// Executes a response: header, texts and stretches of a file, gathered from pinned pages into one non-blocking send at
// a time. Law 2 in one place: pin, send, unpin, and only then wait.

#include "server/connection.hpp"
#include "server/content.hpp"
#include "server/metrics.hpp"
#include "server/page_wait.hpp"
#include "server/scarcity.hpp"

#include <ranged/paging/paged_reader.hpp>
#include <ranged/paging/paging_error.hpp>

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace ranged::server {

/// Room for one send; one for each worker, used between two waits only, so that it costs nothing for each connection.
struct SendScratch {
  /// Buffers of one gather send: Linux takes 1024 (UIO_MAXIOV); a window has 16 stretches, a multipart turn as many
  /// texts.
  static constexpr std::size_t max_buffers = 48;
  /// A response header at its longest: fields of ours, and names and tags that are bounded.
  /// and a redirect's Location, which percent-encodes a target of 8 KiB.
  static constexpr std::size_t header_room = 32768;
  /// Part headers of one turn.
  static constexpr std::size_t text_room = 4096;
  /// Encoded bytes of one turn (base64, hex).
  static constexpr std::size_t encoding_room = std::size_t{64} << 10;

  /// Sockets of the worker that may have the wide bound of unsent bytes, beside those that have it (README.md, rule 9):
  /// 8 of 4 MiB.
  unsigned wide_sockets = 8;

  /// Listings that may be made and sent beside those that are: with names of usual length some 100 KiB each, 2.5 MiB at
  /// worst.
  unsigned listings = 4;
  Scarcity listings_scarce;

  std::array<iovec, max_buffers> buffers;
  PinnedWindow window;
  std::array<char, header_room> header;
  std::array<char, text_room> text;
  std::array<char, encoding_room> encoding;
};

enum class SendEnd : std::uint8_t {
  complete,     ///< every byte was taken by the kernel
  refused,      ///< no byte was sent, nor the header: another response can still be made (SendReport::error says why)
  cut,          ///< the file could not give what was promised: the connection must be reset
  client_left,  ///< the client closed or reset
  client_stalled,  ///< the client took nothing until the deadline
};

struct SendReport {
  SendEnd end = SendEnd::complete;
  boost::system::error_code error;  ///< of refused and cut
  std::uint64_t body_bytes = 0;     ///< of the body, taken by the kernel
  Clock::time_point first_byte;     ///< when the first send returned; the epoch if there was none
  std::uint32_t page_hits = 0;      ///< stretches of pages sent without a wait for them
  std::uint32_t page_misses = 0;    ///< pages waited for
};

/// The wide bound of unsent bytes for one response, as long as it lives and if there is one to be had.
class WideSocket {
 public:
  WideSocket(Connection& connection, SendScratch& scratch) noexcept : connection_(&connection), scratch_(&scratch) {}
  WideSocket(const WideSocket&) = delete;
  WideSocket& operator=(const WideSocket&) = delete;
  ~WideSocket() { give_back(); }

  /// For a transfer that does not keep up: its place is another's.
  void give_back() noexcept {
    if (!wide_) return;
    ++scratch_->wide_sockets;
    connection_->set_wide(false);
    wide_ = false;
  }

  /// Says how much of the response went out by hand-over: from 8 MiB on it is a transfer that keeps up.
  void note(std::uint64_t handed_over_bytes) noexcept {
    if (wide_ || handed_over_bytes < (std::uint64_t{8} << 20) || scratch_->wide_sockets == 0) return;
    --scratch_->wide_sockets;
    connection_->set_wide(true);
    wide_ = true;
  }

 private:
  Connection* connection_;
  SendScratch* scratch_;
  bool wide_ = false;
};

/// What a send needs of its surroundings; all outlive it.
struct SendContext {
  Connection* connection = nullptr;
  Mailbox* mailbox = nullptr;
  SendScratch* scratch = nullptr;
  WorkerMetrics* metrics = nullptr;
  PagedReader* reader = nullptr;                     ///< null when the content has no file stretches
  std::chrono::milliseconds stall_timeout{60'000};   ///< no byte taken for so long: client_stalled
  std::chrono::milliseconds page_timeout{10'000};    ///< a page or frame waited for so long: refused or cut
  std::size_t batch_bytes = std::size_t{256} << 10;  ///< bytes of file gathered for one send at most
  /// The file may go out by sendfile where that is cheaper (README.md, rule 3): the connection is plain, and the file
  /// has not changed lately.
  bool may_hand_over = false;
};

/// Writes the response header into the room given and returns it. Called once, when the first bytes of the body are at
/// hand, so that a response that cannot be given has not begun.
class HeaderSource {
 public:
  virtual std::string_view render(std::span<char> room) = 0;

 protected:
  ~HeaderSource() = default;
};

/// A body's pieces in order: small, copied by value, deterministic. The text of a piece is valid until the cursor that
/// gave it is asked again.
template <class Content>
concept ContentCursor = std::copyable<Content> && requires(Content content) {
  { content.next() } -> std::same_as<ContentPiece>;
};

/// No body: the answer to HEAD, 304.
struct NoContent {
  static ContentPiece next() noexcept { return {}; }
};

/// How far a body has come: the piece being sent, and how many of its bytes on the wire were taken.
struct PieceProgress {
  ContentPiece piece;
  std::uint64_t done = 0;
};

/// A page that was waited for, pinned until the gather that follows.
struct ArrivedPage {
  PageGuard guard;
  std::uint64_t offset = 0;  ///< the offset that was waited for
};

/// One turn's gather, without waiting: buffers for one send, filled piece by piece. Lives between two waits (its pins
/// too: law 2).
class SendTurn {
 public:
  SendTurn(const SendContext& context, std::string_view header_rest, bool reserve_header) noexcept;
  SendTurn(const SendTurn&) = delete;
  SendTurn& operator=(const SendTurn&) = delete;
  ~SendTurn() { scratch_->window.clear(); }

  /// Adds what can be had of a piece from `done` on. `copy_text`: the piece's text will not outlive this turn's look
  /// ahead. False: the turn ends here, because it is full, or because of must_wait() or error().
  bool add(const ContentPiece& piece, std::uint64_t done, bool copy_text, ArrivedPage& arrived) noexcept;

  /// Whether the bytes gathered are those of the file's version (law 5); to be asked before they are sent.
  [[nodiscard]] boost::system::error_code confirm() noexcept;
  /// A page has to be waited for before the file can go on, at wait_offset().
  [[nodiscard]] bool must_wait() const noexcept { return must_wait_; }
  [[nodiscard]] std::uint64_t wait_offset() const noexcept { return wait_offset_; }
  [[nodiscard]] const boost::system::error_code& error() const noexcept { return error_; }
  /// Bytes of header and body gathered (without a header that is still to be rendered).
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

  void set_header(std::string_view header) noexcept;
  /// Sends what was gathered.
  [[nodiscard]] boost::system::result<std::size_t> send() noexcept;

 private:
  void push(const void* data, std::size_t size) noexcept;
  bool add_text(std::string_view text, bool copy) noexcept;
  bool add_stretch(const ContentPiece& piece, std::uint64_t done, ArrivedPage& arrived) noexcept;
  bool add_encoded(const ContentPiece& piece, std::uint64_t done, ArrivedPage& arrived) noexcept;
  std::size_t gather(std::uint64_t offset, std::uint64_t length, std::size_t limit, ArrivedPage& arrived) noexcept;

  const SendContext* context_;
  SendScratch* scratch_;
  std::size_t buffer_count_ = 0;
  std::size_t text_used_ = 0;
  std::size_t size_ = 0;
  bool must_wait_ = false;
  std::uint64_t wait_offset_ = 0;
  boost::system::error_code error_;
};

/// How many bytes of a stretch go to the socket by sendfile now, rather than through the pool.
struct HandOver {
  std::size_t length = 0;
  bool wait = false;  ///< none yet: they are to be read into the page cache first (await_page)
};

/// Of the `rest` of a stretch, from `offset` on, what is handed over now: what is in the page cache for certain and of
/// the file's version (README.md, rule 3).
[[nodiscard]] boost::system::result<HandOver> plan_hand_over(const SendContext& context, std::uint64_t offset,
                                                             std::uint64_t rest) noexcept;

/// Sends a header, before `follows` bytes that are handed over next. 0 when the socket is full. It is held back for
/// them (MSG_MORE) where both fit into one packet; else it goes ahead, so that its client wakes while they are handed
/// over (README.md, costs).
[[nodiscard]] boost::system::result<std::size_t> send_ahead(const SendContext& context, std::string_view text,
                                                            std::size_t follows) noexcept;

/// Hands bytes of the file to the socket until it is full. Errors: stale_version when the file ends before them; the
/// socket's; the file's.
[[nodiscard]] boost::system::result<std::size_t> send_handed_over(const SendContext& context, std::uint64_t offset,
                                                                  std::size_t length) noexcept;

/// Whether an error of sendfile is the connection's rather than the file's.
[[nodiscard]] bool is_of_connection(const boost::system::error_code& error) noexcept;

/// Whether the file is still the version that is being sent.
[[nodiscard]] bool is_current_version(const SendContext& context) noexcept;

/// Waits for the page at `offset` and leaves it in `arrived`, or for what is to pass it by (PagedReader::pass_by), and
/// leaves nothing there; the connection's deadline stands still meanwhile.
Task<boost::system::error_code> await_page(SendContext context, std::uint64_t offset, ArrivedPage* arrived);

/// Waits until the socket takes more, at most the stall timeout. False: the client stalled, or the daemon stops.
Task<bool> await_room(SendContext context);

/// Lets other connections of the thread have a turn.
Task<void> yield_turn();

/// Sends header and content. The context and the content are taken by value, `header` and whatever texts the content
/// views must outlive the call. Law 2: within a turn nothing is waited for, between turns nothing is pinned, but for
/// the one page that was waited for, which is pinned from its arrival to the gather that follows at once.
template <ContentCursor Content>
Task<SendReport> send_response(SendContext context, HeaderSource* header, Content content) {
  /// A client that leaves its socket full for so long is slow: what follows is copied, until its socket was full for
  /// less.
  constexpr std::chrono::milliseconds slow_client{250};
  /// What is sent without a wait before other connections get their turn, in bytes and in turns. While they are served
  /// the client takes what it has got, so that neither is at the other's socket (README.md, costs).
  constexpr std::size_t bytes_in_a_row = std::size_t{1} << 20;
  constexpr unsigned turns_in_a_row = 16;

  const bool may_hand_over = context.may_hand_over;
  SendReport report;
  std::string header_rest;  // what the kernel left of the header: almost always nothing
  bool header_rendered = false;
  PieceProgress progress{content.next(), 0};
  ArrivedPage arrived;
  std::uint64_t file_bytes = 0;
  std::uint64_t text_bytes = 0;
  std::uint64_t handed_over_bytes = 0;
  std::size_t sent_in_a_row = 0;
  WideSocket wide_socket(*context.connection, *context.scratch);
  // A deadline is of a wait: what goes on without one, however long, is not late.
  context.connection->set_deadline(Clock::time_point::max());
  bool waited = false;  // since the file's version was looked at first

  for (unsigned turn_number = 1;; ++turn_number) {
    std::size_t sent = 0;
    std::size_t offered = 0;
    bool wait_for_a_page = false;
    std::uint64_t page_offset = 0;
    // What is empty or was sent whole makes room for the next piece.
    while (progress.piece.kind != ContentPiece::Kind::end && progress.done == progress.piece.wire_length()) {
      progress = {content.next(), 0};
    }
    if (header_rendered && header_rest.empty() && progress.piece.kind == ContentPiece::Kind::end) break;
    HandOver hand_over;
    if (context.may_hand_over && progress.piece.kind == ContentPiece::Kind::file && header_rest.empty() &&
        !arrived.guard) {
      const boost::system::result<HandOver> plan =
          plan_hand_over(context, progress.piece.offset + progress.done, progress.piece.length - progress.done);
      if (!plan) {
        report.error = plan.error();
        report.end = header_rendered ? SendEnd::cut : SendEnd::refused;
        break;
      }
      hand_over = *plan;
    }
    if (hand_over.wait) {
      wait_for_a_page = true;
      page_offset = progress.piece.offset + progress.done;
    } else if (hand_over.length > 0) {
      offered = hand_over.length;
      if (progress.done == 0) context.reader->begin(progress.piece.offset, progress.piece.length);
      bool header_sent = true;
      if (!header_rendered) {
        const std::string_view rendered = header->render(context.scratch->header);
        header_rendered = true;
        const boost::system::result<std::size_t> result = send_ahead(context, rendered, hand_over.length);
        if (!result) {
          report.error = result.error();
          report.end = SendEnd::client_left;
          break;
        }
        header_sent = *result == rendered.size();
        if (!header_sent) header_rest.assign(rendered.substr(*result));
      }
      if (header_sent) {
        const boost::system::result<std::size_t> result =
            send_handed_over(context, progress.piece.offset + progress.done, hand_over.length);
        if (!result) {
          report.error = result.error();
          report.end = is_of_connection(result.error()) ? SendEnd::client_left : SendEnd::cut;
          break;
        }
        sent = *result;
        progress.done += sent;
        handed_over_bytes += sent;
        wide_socket.note(handed_over_bytes);
        report.body_bytes += sent;
      }
    } else {
      SendTurn turn(context, header_rest, !header_rendered);
      Content ahead = content;
      ContentPiece piece = progress.piece;
      std::uint64_t done = progress.done;
      bool is_current = true;
      std::uint64_t added_file_bytes = 0;
      std::uint64_t added_text_bytes = 0;
      while (piece.kind != ContentPiece::Kind::end && turn.add(piece, done, !is_current, arrived)) {
        (piece.kind == ContentPiece::Kind::file ? added_file_bytes : added_text_bytes) += piece.wire_length() - done;
        piece = ahead.next();
        done = 0;
        is_current = false;
      }
      arrived.guard.release();
      if (const boost::system::error_code stale = turn.confirm()) {
        report.error = stale;
        report.end = header_rendered ? SendEnd::cut : SendEnd::refused;
        break;
      }
      if (turn.error() && (!header_rendered || turn.size() == 0)) {
        report.error = turn.error();
        report.end = header_rendered ? SendEnd::cut : SendEnd::refused;
        break;
      }
      // The header goes out with the first bytes of the body, or not at all.
      // Those at hand do go, whatever is behind them is waited for: given back, they could be evicted before the others
      // are there, and the others before them, for ever.
      if (turn.must_wait() && (header_rendered ? turn.size() == 0 : context.scratch->window.size() == 0)) {
        wait_for_a_page = true;
        page_offset = turn.wait_offset();
      } else {
        std::string_view rendered;
        if (!header_rendered) {
          rendered = header->render(context.scratch->header);
          turn.set_header(rendered);
          header_rendered = true;
        }
        offered = turn.size();
        report.page_hits += static_cast<std::uint32_t>(context.scratch->window.stretches().size());
        const boost::system::result<std::size_t> result = turn.send();
        if (!result && result.error() != boost::system::errc::resource_unavailable_try_again) {
          report.error = result.error();
          report.end = SendEnd::client_left;
          break;
        }
        sent = result ? *result : 0;
        std::size_t of_body = sent;
        if (!rendered.empty()) {
          const std::size_t of_header = std::min(sent, rendered.size());
          if (of_header < rendered.size()) header_rest.assign(rendered.substr(of_header));
          of_body -= of_header;
        } else if (!header_rest.empty()) {
          const std::size_t of_header = std::min(sent, header_rest.size());
          header_rest.erase(0, of_header);
          of_body -= of_header;
        }
        report.body_bytes += of_body;
        if (sent == offered && piece.kind == ContentPiece::Kind::end) {  // all of the rest, as nearly always
          file_bytes += added_file_bytes;
          text_bytes += added_text_bytes;
          progress = {};
          of_body = 0;
        }
        while (of_body > 0 ||
               (progress.piece.kind != ContentPiece::Kind::end && progress.done == progress.piece.wire_length())) {
          const std::uint64_t left = progress.piece.wire_length() - progress.done;
          const std::uint64_t taken = std::min<std::uint64_t>(left, of_body);
          (progress.piece.kind == ContentPiece::Kind::file ? file_bytes : text_bytes) += taken;
          progress.done += taken;
          of_body -= static_cast<std::size_t>(taken);
          if (taken == left) progress = {content.next(), 0};
        }
      }
    }
    // No pin is left here.
    if (wait_for_a_page) {
      ++report.page_misses;
      const boost::system::error_code error = co_await await_page(context, page_offset, &arrived);
      if (error) {
        report.error = error;
        report.end = header_rendered ? SendEnd::cut : SendEnd::refused;
        break;
      }
      continue;
    }
    if (report.first_byte == Clock::time_point{} && sent > 0) report.first_byte = Clock::now();
    sent_in_a_row += sent;
    if (sent < offered) {
      sent_in_a_row = 0;
      waited = true;
      const Clock::time_point full_at = Clock::now();
      const bool room = co_await await_room(context);
      // What waits long in a socket must not be there by reference (README.md, rule 3).
      const bool slow = Clock::now() - full_at > slow_client;
      context.may_hand_over = may_hand_over && !slow;
      if (slow) wide_socket.give_back();
      if (!room) {
        report.end = SendEnd::client_stalled;
        break;
      }
    } else if (sent_in_a_row >= bytes_in_a_row || turn_number % turns_in_a_row == 0) {
      sent_in_a_row = 0;
      co_await yield_turn();
    }
  }
  // What was handed over went by reference: if the file changed while the socket was waited for, its end may be of the
  // new version.
  if (handed_over_bytes > 0 && waited && report.end == SendEnd::complete && !is_current_version(context)) {
    report.error = PagingError::stale_version;
    report.end = SendEnd::cut;
  }
  context.metrics->response_bytes[static_cast<std::size_t>(BytePath::sendfile)].add(handed_over_bytes);
  context.metrics->response_bytes[static_cast<std::size_t>(BytePath::pool)].add(file_bytes);
  context.metrics->response_bytes[static_cast<std::size_t>(BytePath::memory)].add(text_bytes);
  co_return report;
}

}  // namespace ranged::server
