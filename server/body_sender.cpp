#include "server/body_sender.hpp"

#include "server/wire_encoding.hpp"

#include <boost/asio/post.hpp>

#include <cstring>

namespace ranged::server {

namespace {

/// Below, copying the bytes through the pool or a transit frame costs less than the two system calls more that sendfile
/// needs (README.md, costs).
constexpr std::size_t hand_over_min = std::size_t{32} << 10;
/// At a time: a client that takes a megabyte while the next is handed over keeps up best (README.md, costs).
constexpr std::size_t hand_over_max = std::size_t{1} << 20;

/// A part of a stretch, before a page that is not in the page cache.
constexpr std::size_t hand_over_part_min = std::size_t{256} << 10;
/// As much at once, and no less, when the first page is in the pool: from here on it is cheaper even then. More than is
/// read ahead into the pool (1 MiB): a stream that waits for its disk stays with the pool, which keeps the disk busy;
/// one that missed a page does not.
constexpr std::size_t hand_over_resident = std::size_t{2} << 20;
/// A stretch of less does not enter the pool when it is in memory, and not when it is on the disk either. A longer one
/// does, for the sake of readahead.
constexpr std::size_t long_stretch = std::size_t{1} << 20;

/// Of what is being read, as much is looked through at a time: the look copies it, for nothing.
constexpr std::size_t looked_through_max = std::size_t{512} << 10;

/// For how long after a load the kernel may be at what it reads ahead behind it: more than a disk that answers takes.
/// (Of one that does not, a load is under way as a rule.) After that a short stretch is spared the look at its last
/// byte, which costs 64 KiB a fourteenth. A long one is not: sendfile itself has the kernel read ahead as it goes on.
constexpr std::chrono::seconds reading_ahead{60};

/// Whether the byte can be read without waiting.
bool is_readable(const SendContext& context, std::uint64_t offset) noexcept {
  const iovec byte{context.scratch->encoding.data(), 1};
  const boost::system::result<std::size_t> read = context.reader->source().read_nowait(offset, {&byte, 1});
  return read && *read == 1;
}

/// Whether the bytes can be read without waiting: by reading them, which is sure where a look into the page cache is
/// not. At most looked_through_max. It costs a copy that handing over is to save, so it is counted.
bool is_in_memory(const SendContext& context, std::uint64_t offset, std::size_t length) noexcept {
  SendScratch& scratch = *context.scratch;
  static_assert(looked_through_max / SendScratch::encoding_room <= SendScratch::max_buffers);
  std::size_t count = 0;
  for (std::size_t left = length; left > 0; ++count) {
    const std::size_t part = std::min(left, scratch.encoding.size());
    scratch.buffers[count] = {scratch.encoding.data(), part};  // over and over: nobody reads it
    left -= part;
  }
  const boost::system::result<std::size_t> read =
      context.reader->source().read_nowait(offset, {scratch.buffers.data(), count});
  const bool in_memory = read && *read == length;
  WorkerMetrics& metrics = *context.metrics;
  if (read) metrics.hand_over_check_bytes.add(*read);
  const HandOverCheck outcome = in_memory ? HandOverCheck::in_memory : HandOverCheck::not_in_memory;
  metrics.hand_over_checks[static_cast<std::size_t>(outcome)].add();
  return in_memory;
}

bool may_be_handed_over(const SendContext& context, WireEncoding encoding, std::uint64_t length) noexcept {
  return context.may_hand_over && encoding == WireEncoding::identity && length >= hand_over_min;
}

}  // namespace

boost::system::result<HandOver> plan_hand_over(const SendContext& context, std::uint64_t offset,
                                               std::uint64_t rest) noexcept {
  const bool resident = context.reader->is_resident(offset);
  if (rest < (resident ? hand_over_resident : hand_over_min)) return HandOver{};
  auto length = static_cast<std::size_t>(std::min<std::uint64_t>(rest, resident ? hand_over_resident : hand_over_max));
  // Law 6: what is not in memory is not for this thread. A page that the kernel has dropped does not keep what is
  // before it from going.
  for (;;) {
    const boost::system::result<bool> cached = context.reader->source().is_cached(offset, length);
    if (!cached) {
      context.metrics->hand_overs_unsupported.add();
      return HandOver{};
    }
    if (*cached) break;
    if (resident) return HandOver{};
    if (rest < long_stretch || length <= hand_over_part_min) return HandOver{0, context.reader->pass_by(offset, rest)};
    length = hand_over_part_min;
  }
  // The kernel counts pages as cached from the moment that their read begins, and a disk that hangs would have this
  // thread with it. What the kernel reads ahead by itself it reads in order, so that the last byte tells. A disk thread
  // waits for what is under way.
  const bool looks = rest >= long_stretch || context.reader->has_loaded_since(Clock::now() - reading_ahead);
  if (looks && !is_readable(context, offset + length - 1)) {
    context.metrics->hand_over_checks[static_cast<std::size_t>(HandOverCheck::not_in_memory)].add();
    return HandOver{0, !resident && context.reader->pass_by(offset, length)};
  }
  // What a disk thread is at may come in any order. (Asked after the look into the cache, so that a read that began
  // before it is either seen here or over.)
  if (context.reader->is_reading(offset, length)) {
    length = std::min(length, looked_through_max);
    if (!is_in_memory(context, offset, length)) {
      return HandOver{0, !resident && !context.reader->passed_by(offset) && context.reader->pass_by(offset, rest)};
    }
  }
  if (!is_current_version(context)) return make_error_code(PagingError::stale_version);
  return HandOver{length, false};
}

boost::system::result<std::size_t> send_ahead(const SendContext& context, std::string_view text,
                                              std::size_t follows) noexcept {
  // The most that a packet carries is 64 KiB with the network's own headers (Linux: GSO_LEGACY_MAX_SIZE).
  constexpr std::size_t one_packet = std::size_t{63} << 10;
  std::array<iovec, 1> buffer{iovec{const_cast<char*>(text.data()), text.size()}};  // sendmsg reads only
  const bool more = text.size() + follows <= one_packet;
  const boost::system::result<std::size_t> sent = context.connection->send(buffer, more);
  if (!sent && sent.error() == boost::system::errc::resource_unavailable_try_again) return std::size_t{0};
  return sent;
}

boost::system::result<std::size_t> send_handed_over(const SendContext& context, std::uint64_t offset,
                                                    std::size_t length) noexcept {
  const int file = context.reader->source().descriptor();
  std::size_t total = 0;
  while (total < length) {
    const boost::system::result<std::size_t> sent = context.connection->send_file(file, offset + total, length - total);
    if (sent && *sent > 0) {
      total += *sent;
      continue;
    }
    // What was sent is told first; the error comes again.
    if (total > 0) break;
    if (sent) return make_error_code(PagingError::stale_version);
    if (sent.error() != boost::system::errc::resource_unavailable_try_again) return sent.error();
    break;
  }
  return total;
}

bool is_of_connection(const boost::system::error_code& error) noexcept {
  using namespace boost::system::errc;
  return error == broken_pipe || error == connection_reset || error == not_connected || error == connection_aborted ||
         error == timed_out || error == host_unreachable || error == network_unreachable;
}

bool is_current_version(const SendContext& context) noexcept {
  ByteSource& source = context.reader->source();
  const boost::system::result<FileVersion> now = source.current_version();
  return now && *now == source.version();
}

SendTurn::SendTurn(const SendContext& context, std::string_view header_rest, bool reserve_header) noexcept
    : context_(&context), scratch_(context.scratch) {
  scratch_->window.clear();
  if (reserve_header) {
    scratch_->buffers[buffer_count_++] = {};  // set_header() fills it in
  } else if (!header_rest.empty()) {
    push(header_rest.data(), header_rest.size());
  }
}

void SendTurn::push(const void* data, std::size_t size) noexcept {
  scratch_->buffers[buffer_count_++] = {const_cast<void*>(data), size};  // sendmsg reads only
  size_ += size;
}

void SendTurn::set_header(std::string_view header) noexcept {
  scratch_->buffers[0] = {const_cast<char*>(header.data()), header.size()};
  size_ += header.size();
}

bool SendTurn::add(const ContentPiece& piece, std::uint64_t done, bool copy_text, ArrivedPage& arrived) noexcept {
  if (buffer_count_ + PinnedWindow::max_pages >= SendScratch::max_buffers) return false;
  if (piece.kind == ContentPiece::Kind::text)
    return add_text(piece.text.substr(static_cast<std::size_t>(done)), copy_text);
  if (piece.length == 0) return true;
  // The next piece's turn decides; until then its bytes are only looked for.
  if (copy_text && may_be_handed_over(*context_, piece.encoding, piece.length)) return false;
  return piece.encoding == WireEncoding::identity ? add_stretch(piece, done, arrived)
                                                  : add_encoded(piece, done, arrived);
}

bool SendTurn::add_text(std::string_view text, bool copy) noexcept {
  if (text.empty()) return true;
  if (!copy) {
    push(text.data(), text.size());
    return true;
  }
  if (text.size() > SendScratch::text_room - text_used_) return false;
  char* const place = scratch_->text.data() + text_used_;
  std::memcpy(place, text.data(), text.size());
  text_used_ += text.size();
  push(place, text.size());
  return true;
}

std::size_t SendTurn::gather(std::uint64_t offset, std::uint64_t length, std::size_t limit,
                             ArrivedPage& arrived) noexcept {
  // A group of base64 that straddles two pages waits for the second and starts with the first.
  if (arrived.offset != offset) arrived.guard.release();
  const auto gathered = context_->reader->gather(offset, length, limit, scratch_->window, std::move(arrived.guard));
  if (!gathered) {
    error_ = gathered.error();
    return 0;
  }
  if (*gathered == 0) {
    must_wait_ = true;
    wait_offset_ = offset;
  }
  return *gathered;
}

boost::system::error_code SendTurn::confirm() noexcept {
  return context_->reader != nullptr ? context_->reader->confirm(scratch_->window) : boost::system::error_code{};
}

bool SendTurn::add_stretch(const ContentPiece& piece, std::uint64_t done, ArrivedPage& arrived) noexcept {
  const std::size_t before = scratch_->window.stretches().size();
  if (before == PinnedWindow::max_pages || scratch_->window.size() >= context_->batch_bytes) return false;
  const std::uint64_t rest = piece.length - done;
  if (done == 0) context_->reader->begin(piece.offset, piece.length);
  const std::size_t gathered =
      gather(piece.offset + done, rest, context_->batch_bytes - scratch_->window.size(), arrived);
  const auto stretches = scratch_->window.stretches();
  for (std::size_t i = before; i < stretches.size(); ++i) push(stretches[i].data(), stretches[i].size());
  return gathered == rest;
}

bool SendTurn::add_encoded(const ContentPiece& piece, std::uint64_t done, ArrivedPage& arrived) noexcept {
  // The bytes are copied into the encoding room, so that a turn has one encoded stretch at most.
  const bool base64 = piece.encoding == WireEncoding::base64;
  const std::uint64_t unit_bytes = base64 ? 3 : 1;
  const std::uint64_t unit_chars = base64 ? 4 : 2;
  const std::uint64_t start = done / unit_chars * unit_bytes;
  const std::uint64_t rest = piece.length - start;
  const std::size_t limit =
      SendScratch::encoding_room / static_cast<std::size_t>(unit_chars) * static_cast<std::size_t>(unit_bytes);
  if (!scratch_->window.stretches().empty()) return false;

  if (done == 0) context_->reader->begin(piece.offset, piece.length);
  // Bytes of a group of three may lie on two pages of which one is not resident; then the group's own page is loaded
  // for as long as it takes.
  std::size_t length = gather(piece.offset + start, rest, limit, arrived);
  if (length == 0) return false;
  if (length < rest) {
    const std::size_t whole = length / static_cast<std::size_t>(unit_bytes) * static_cast<std::size_t>(unit_bytes);
    if (whole == 0) {
      scratch_->window.clear();
      must_wait_ = true;
      wait_offset_ = piece.offset + start + length;
      return false;
    }
    length = whole;
  }
  const ByteStretches stretches = scratch_->window.stretches();
  const std::size_t written =
      base64 ? encode_base64(stretches, length, scratch_->encoding) : encode_hex(stretches, length, scratch_->encoding);
  const auto skip = static_cast<std::size_t>(done % unit_chars);
  push(scratch_->encoding.data() + skip, written - skip);
  return length == rest;
}

boost::system::result<std::size_t> SendTurn::send() noexcept {
  return context_->connection->send({scratch_->buffers.data(), buffer_count_}, false);
}

Task<boost::system::error_code> await_page(SendContext context, std::uint64_t offset, ArrivedPage* arrived) {
  context.connection->set_deadline(Clock::time_point::max());  // the pool keeps this wait's deadline
  boost::system::result<PageGuard> page =
      co_await wait_for_page(context.reader, context.mailbox, offset, Clock::now() + context.page_timeout);
  if (!page) co_return page.error();
  *arrived = {std::move(*page), offset};
  co_return boost::system::error_code{};
}

Task<bool> await_room(SendContext context) {
  context.connection->expect_progress(Clock::now(), context.stall_timeout);
  const bool room = co_await context.connection->wait_writable();
  context.connection->set_deadline(Clock::time_point::max());
  co_return room;
}

Task<void> yield_turn() {
  return asio::post(use_task);
}

}  // namespace ranged::server
