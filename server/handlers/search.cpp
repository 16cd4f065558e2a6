#include "server/disk_call.hpp"
#include "server/handlers/scan_stream.hpp"
#include "server/reply.hpp"

#include <ranged/scan/literal_search.hpp>
#include <ranged/scan/regex_search.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>
#include <vector>

namespace ranged::server {

namespace {

constexpr std::uint64_t default_limit = 1000;
constexpr std::uint64_t max_limit = 1'000'000;
constexpr std::uint64_t max_context = 256;
/// Bytes of a match and its surroundings that a record shows: a regular match may be longer.
constexpr std::uint64_t max_shown = 1024;
/// Matches found and not yet written: more than the records of two steps.
constexpr std::size_t kept_matches = 1024;

enum class Direction : std::uint8_t { forward, backward, nearest };

struct SearchOptions {
  Direction direction = Direction::forward;
  std::uint64_t limit = default_limit;
  std::uint64_t context = 0;
};

/// Writes match records, reading what is around a match where that is wanted.
class MatchWriter {
 public:
  MatchWriter(const ScanTarget& target, std::uint64_t context)
      : source_(target.source),
        size_(target.size),
        room_(target.frame.last(SequentialScan::context_bytes)),
        context_(context) {}

  boost::system::result<void> write(std::string& records, const Match& match) {
    fmt::format_to(std::back_inserter(records), "{{\"type\":\"match\",\"offset\":{},\"length\":{}", match.offset,
                   match.length);
    if (context_ > 0) {
      const std::uint64_t begin = match.offset - std::min(match.offset, context_);
      const std::uint64_t end = std::min(size_, match.offset + match.length + context_);
      const std::span<std::byte> bytes =
          room_.first(static_cast<std::size_t>(std::min(end - begin, max_shown + 2 * context_)));
      const boost::system::result<void> read = read_exactly(*source_, begin, bytes);
      if (!read) return read;
      fmt::format_to(std::back_inserter(records), ",\"context_offset\":{},\"context\":\"", begin);
      append_hex(records, bytes);
      records += '"';
    }
    records += "}\n";
    return {};
  }

 private:
  std::shared_ptr<LocalFile> source_;
  std::uint64_t size_;
  std::span<std::byte> room_;
  std::uint64_t context_;
};

void describe_count(std::string& record, std::uint64_t matches) {
  fmt::format_to(std::back_inserter(record), ",\"matches\":{}", matches);
}

void describe_matches(std::string& record, std::uint64_t matches, std::uint64_t limit) {
  describe_count(record, matches);
  fmt::format_to(std::back_inserter(record), ",\"limited\":{}", matches > limit);
}

/// The search from the window's start to its end; `Engine` is LiteralSearch, or RegexSearch by pointer.
class ForwardSearch : public SequentialScan {
 public:
  ForwardSearch(const ScanTarget& target, const SearchOptions& options)
      : SequentialScan(target),
        matches_(kept_matches, options.limit),
        writer_(target, options.context),
        limit_(options.limit) {}
  void describe_progress(std::string& record) const override { describe_count(record, matches_.count()); }
  void describe_end(std::string& record) const override { describe_matches(record, matches_.count(), limit_); }

 protected:
  boost::system::result<ScanState> write_records(const ScanStep& step) override {
    while (!matches_.empty()) {
      if (step.records_full()) return ScanState::paused;
      const boost::system::result<void> written = writer_.write(*step.records, matches_.front());
      if (!written) return written.error();
      matches_.pop();
    }
    return ScanState::complete;
  }

  MatchQueue matches_;

 private:
  MatchWriter writer_;
  std::uint64_t limit_;
};

class ForwardLiteralSearch final : public ForwardSearch {
 public:
  ForwardLiteralSearch(const ScanTarget& target, const SearchOptions& options, const LiteralFinder& finder)
      : ForwardSearch(target, options), search_(finder, target.window.offset) {}

 protected:
  std::size_t take(std::span<const std::byte> bytes) override { return search_.take(bytes, matches_); }
  std::uint64_t take_zeros(std::uint64_t count) override { return search_.take_zeros(count, matches_); }
  bool finish() override { return true; }

 private:
  LiteralSearch search_;
};

class ForwardRegexSearch final : public ForwardSearch {
 public:
  ForwardRegexSearch(const ScanTarget& target, const SearchOptions& options, std::unique_ptr<RegexSearch> search)
      : ForwardSearch(target, options), search_(std::move(search)) {
    search_->begin(target.window.offset);
  }

 protected:
  std::size_t take(std::span<const std::byte> bytes) override { return search_->take(bytes, matches_); }
  std::uint64_t take_zeros(std::uint64_t count) override { return search_->take_zeros(count, matches_); }
  bool finish() override { return search_->finish(matches_); }
  void describe_end(std::string& record) const override {
    ForwardSearch::describe_end(record);
    fmt::format_to(std::back_inserter(record), ",\"left_out\":{}", search_->left_out());
  }

 private:
  std::unique_ptr<RegexSearch> search_;
};

/// Stretches of possible match offsets, read with as much behind them as a match needs.
class StretchReader {
 public:
  StretchReader(const ScanTarget& target, const LiteralFinder& finder)
      : source_(target.source),
        finder_(&finder),
        end_(target.window.offset + target.window.length),
        frame_(target.frame.first(target.frame.size() - SequentialScan::context_bytes)) {}

  /// Match offsets that one read covers at most.
  [[nodiscard]] std::uint64_t max_offsets() const noexcept { return frame_.size() - finder_->pattern().size() + 1; }

  /// Whether no match begins in [begin, end), because all is a hole.
  [[nodiscard]] boost::system::result<bool> is_barren(std::uint64_t begin, std::uint64_t end) const noexcept {
    if (finder_->pattern().matches_zeros()) return false;
    const std::uint64_t last = std::min(end + finder_->pattern().size() - 1, end_);
    const boost::system::result<Extent> extent = find_extent(source_->descriptor(), begin, last);
    if (!extent) return {boost::system::in_place_error, extent.error()};
    if (extent->data || extent->length < last - begin) return false;
    const boost::system::result<FileVersion> version = source_->current_version();
    if (!version) return {boost::system::in_place_error, version.error()};
    if (*version != source_->version()) return StorageError::stale_version;
    return true;
  }

  /// The bytes that matches which begin in [begin, end) lie in; `end` - `begin` is max_offsets() at most.
  boost::system::result<std::span<const std::byte>> read(std::uint64_t begin, std::uint64_t end) noexcept {
    const std::uint64_t last = std::min(end + finder_->pattern().size() - 1, end_);
    const std::span<std::byte> room = frame_.first(static_cast<std::size_t>(last - begin));
    const boost::system::result<void> done = read_exactly(*source_, begin, room);
    if (!done) return done.error();
    bytes_read_ += room.size();
    return std::span<const std::byte>(room);
  }

  [[nodiscard]] std::uint64_t bytes_read() const noexcept { return bytes_read_; }

 private:
  std::shared_ptr<LocalFile> source_;
  const LiteralFinder* finder_;
  std::uint64_t end_;
  std::span<std::byte> frame_;
  std::uint64_t bytes_read_ = 0;
};

/// The search from the window's end to its start.
class BackwardSearch final : public Scan {
 public:
  BackwardSearch(const ScanTarget& target, const SearchOptions& options, const LiteralFinder& finder)
      : finder_(&finder),
        stretches_(target, finder),
        writer_(target, options.context),
        limit_(options.limit),
        window_(target.window),
        unread_end_(window_.offset + window_.length) {
    found_.reserve(run);
  }

  boost::system::result<ScanState> work(const ScanStep& step) override {
    for (;;) {
      while (!found_.empty()) {
        if (step.records_full()) return ScanState::paused;
        const boost::system::result<void> written =
            writer_.write(*step.records, {found_.back(), finder_->pattern().size()});
        if (!written) return written.error();
        found_.pop_back();
      }
      if (run_end_ > stretch_begin_) {
        search_run();
        continue;
      }
      if (unread_end_ == window_.offset) return ScanState::complete;
      if (step.must_pause()) return ScanState::paused;
      const boost::system::result<void> read = read_before();
      if (!read) return read.error();
    }
  }
  [[nodiscard]] std::uint64_t scanned() const noexcept override {
    return window_.offset + window_.length - unread_end_;
  }
  [[nodiscard]] std::uint64_t total() const noexcept override { return window_.length; }
  [[nodiscard]] std::uint64_t bytes_read() const noexcept override { return stretches_.bytes_read(); }
  void describe_progress(std::string& record) const override { describe_count(record, count_); }
  void describe_end(std::string& record) const override { describe_matches(record, count_, limit_); }

 private:
  /// Match offsets that are looked at together: found forward, told backward.
  static constexpr std::uint64_t run = 1024;

  boost::system::result<void> read_before() {
    std::uint64_t length = std::min(stretches_.max_offsets(), unread_end_ - window_.offset);
    boost::system::result<bool> barren = stretches_.is_barren(unread_end_ - length, unread_end_);
    if (!barren) return barren.error();
    if (*barren) {
      // Ever longer stretches of the hole, as long as they are.
      while (length < unread_end_ - window_.offset) {
        const std::uint64_t longer = std::min(length * 2, unread_end_ - window_.offset);
        barren = stretches_.is_barren(unread_end_ - longer, unread_end_);
        if (!barren) return barren.error();
        if (!*barren) break;
        length = longer;
      }
      unread_end_ -= length;
      return {};
    }
    stretch_begin_ = unread_end_ - length;
    const auto bytes = stretches_.read(stretch_begin_, unread_end_);
    if (!bytes) return bytes.error();
    bytes_ = *bytes;
    run_end_ = unread_end_;
    unread_end_ = stretch_begin_;
    return {};
  }

  void search_run() {
    const std::uint64_t begin = run_end_ - std::min(run, run_end_ - stretch_begin_);
    const auto first = static_cast<std::size_t>(begin - stretch_begin_);
    const auto last = static_cast<std::size_t>(run_end_ - stretch_begin_);
    const std::span<const std::byte> bytes =
        bytes_.first(std::min(last + finder_->pattern().size() - 1, bytes_.size()));
    if (count_ >= limit_) {
      count_ += finder_->count(bytes, first);
      run_end_ = begin;
      return;
    }
    std::uint64_t here = 0;
    for (std::size_t at = finder_->find(bytes, first); at < last; at = finder_->find(bytes, at + 1)) {
      ++here;
      found_.push_back(stretch_begin_ + at);
    }
    // Only the last of them are wanted when the limit comes within this run.
    if (here > limit_ - count_) {
      found_.erase(found_.begin(), found_.end() - static_cast<std::ptrdiff_t>(limit_ - count_));
    }
    count_ += here;
    run_end_ = begin;
  }

  const LiteralFinder* finder_;
  StretchReader stretches_;
  MatchWriter writer_;
  std::uint64_t limit_;
  Window window_;
  std::uint64_t unread_end_;         ///< match offsets from here on have been read
  std::uint64_t stretch_begin_ = 0;  ///< of bytes_
  std::uint64_t run_end_ = 0;        ///< match offsets of the stretch from here on have been looked at
  std::span<const std::byte> bytes_;
  std::vector<std::uint64_t> found_;  ///< of one run, ascending
  std::uint64_t count_ = 0;
};

/// The match that is nearest to a place, on either side; the one behind it when both are as near.
class NearestSearch final : public Scan {
 public:
  NearestSearch(const ScanTarget& target, const SearchOptions& options, const LiteralFinder& finder,
                std::uint64_t place)
      : finder_(&finder),
        stretches_(target, finder),
        writer_(target, options.context),
        size_(target.size),
        place_(std::min(place, target.size)),
        after_(place_),
        before_(place_) {}

  boost::system::result<ScanState> work(const ScanStep& step) override {
    while (after_ < size_ || before_ > 0) {
      if (step.must_pause()) return ScanState::paused;
      const std::uint64_t length = stretches_.max_offsets();
      const std::uint64_t after_end = after_ + std::min(length, size_ - after_);
      const std::uint64_t before_begin = before_ - std::min(length, before_);
      std::uint64_t best = none;
      if (after_ < after_end) {
        const boost::system::result<std::uint64_t> found = find(after_, after_end, false);
        if (!found) return found.error();
        best = *found;
      }
      if (before_begin < before_) {
        const boost::system::result<std::uint64_t> found = find(before_begin, before_, true);
        if (!found) return found.error();
        if (*found != none && (best == none || place_ - *found < best - place_)) best = *found;
      }
      after_ = after_end;
      before_ = before_begin;
      if (best == none) continue;
      const boost::system::result<void> written = writer_.write(*step.records, {best, finder_->pattern().size()});
      if (!written) return written.error();
      matches_ = 1;
      return ScanState::complete;
    }
    return ScanState::complete;
  }
  [[nodiscard]] std::uint64_t scanned() const noexcept override { return after_ - before_; }
  [[nodiscard]] std::uint64_t total() const noexcept override { return size_; }
  [[nodiscard]] std::uint64_t bytes_read() const noexcept override { return stretches_.bytes_read(); }
  void describe_end(std::string& record) const override { describe_matches(record, matches_, 1); }

 private:
  static constexpr std::uint64_t none = ~std::uint64_t{0};

  /// The first or the last match that begins in [begin, end), or none.
  boost::system::result<std::uint64_t> find(std::uint64_t begin, std::uint64_t end, bool last) {
    const boost::system::result<bool> barren = stretches_.is_barren(begin, end);
    if (!barren) return barren.error();
    if (*barren) return none;
    const auto bytes = stretches_.read(begin, end);
    if (!bytes) return bytes.error();
    std::uint64_t found = none;
    for (std::size_t at = finder_->find(*bytes, 0); at < end - begin; at = finder_->find(*bytes, at + 1)) {
      found = begin + at;
      if (!last) break;
    }
    return found;
  }

  const LiteralFinder* finder_;
  StretchReader stretches_;
  MatchWriter writer_;
  std::uint64_t size_;
  std::uint64_t place_;
  std::uint64_t after_;   ///< match offsets from place_ to here have been looked at
  std::uint64_t before_;  ///< and those from here to place_
  std::uint64_t matches_ = 0;
};

class SearchFactory final : public ScanFactory {
 public:
  SearchFactory(const SearchOptions& options, std::optional<BytePattern> pattern, std::unique_ptr<RegexSearch> regex,
                std::string_view place)
      : options_(options), regex_(std::move(regex)), place_(place) {
    if (pattern) finder_ = std::make_unique<LiteralFinder>(std::move(*pattern));
  }
  std::unique_ptr<Scan> make(const ScanTarget& target) override {
    if (regex_ != nullptr) return std::make_unique<ForwardRegexSearch>(target, options_, std::move(regex_));
    switch (options_.direction) {
      case Direction::backward:
        return std::make_unique<BackwardSearch>(target, options_, *finder_);
      case Direction::nearest:
        return std::make_unique<NearestSearch>(target, options_, *finder_,
                                               read_window(place_, "0", target.size).value_or(Window{}).offset);
      default:
        return std::make_unique<ForwardLiteralSearch>(target, options_, *finder_);
    }
  }
  [[nodiscard]] std::string_view name() const noexcept override { return "search"; }
  [[nodiscard]] bool of_whole_file() const noexcept override { return options_.direction == Direction::nearest; }

 private:
  SearchOptions options_;
  std::unique_ptr<LiteralFinder> finder_;
  std::unique_ptr<RegexSearch> regex_;
  std::string_view place_;
};

template <class Value, std::size_t Count>
std::optional<Value> read_choice(const QueryParameters& query, std::string_view name,
                                 const std::array<std::pair<std::string_view, Value>, Count>& choices) {
  const std::string* const text = query.find(name);
  if (text == nullptr) return choices.front().second;
  for (const auto& [word, value] : choices) {
    if (*text == word) return value;
  }
  return std::nullopt;
}

constexpr std::array<std::pair<std::string_view, Direction>, 3> directions{
    {{"forward", Direction::forward}, {"backward", Direction::backward}, {"nearest", Direction::nearest}}};
constexpr std::array<std::pair<std::string_view, TextEncoding>, 4> encodings{{{"utf-8", TextEncoding::utf_8},
                                                                              {"utf-16le", TextEncoding::utf_16le},
                                                                              {"utf-16be", TextEncoding::utf_16be},
                                                                              {"latin-1", TextEncoding::latin_1}}};
constexpr std::array<std::pair<std::string_view, NumberType>, 10> number_types{{{"u32", NumberType::u32},
                                                                                {"u8", NumberType::u8},
                                                                                {"i8", NumberType::i8},
                                                                                {"u16", NumberType::u16},
                                                                                {"i16", NumberType::i16},
                                                                                {"i32", NumberType::i32},
                                                                                {"u64", NumberType::u64},
                                                                                {"i64", NumberType::i64},
                                                                                {"f32", NumberType::f32},
                                                                                {"f64", NumberType::f64}}};
constexpr std::array<std::pair<std::string_view, bool>, 2> endiannesses{{{"little", false}, {"big", true}}};
constexpr std::array<std::pair<std::string_view, bool>, 2> cases{{{"sensitive", false}, {"insensitive", true}}};

/// What a query looks for.
struct Sought {
  std::optional<Reply> refused;
  SearchOptions options;
  std::optional<BytePattern> pattern;
  const std::string* regex = nullptr;
  bool fold_case = false;
};

Sought read_sought(const QueryParameters& query) {
  Sought sought;
  const auto refuse_with = [&sought](std::string_view detail, std::string_view parameter) {
    sought.refused = bad_parameter(detail, parameter);
    return std::move(sought);
  };
  sought.refused = check_window(query);
  if (sought.refused) return sought;
  const std::string* const text = query.find("text");
  const std::string* const hex = query.find("hex");
  const std::string* const number = query.find("number");
  sought.regex = query.find("regex");
  const auto given = [](const std::string* parameter) { return parameter != nullptr ? 1 : 0; };
  if (given(text) + given(hex) + given(number) + given(sought.regex) != 1) {
    return refuse_with("Say what to look for by one of text, hex, number and regex.", "text");
  }
  const auto direction = read_choice(query, "direction", directions);
  if (!direction) return refuse_with("The direction is forward, backward or nearest.", "direction");
  if (sought.regex != nullptr && *direction != Direction::forward) {
    return refuse_with("A regular expression is looked for forward only.", "direction");
  }
  if (*direction == Direction::nearest && query.find("len") != nullptr) {
    return refuse_with("The nearest match is looked for in all of the file, from the offset on.", "len");
  }
  const auto encoding = read_choice(query, "encoding", encodings);
  if (!encoding) return refuse_with("The encoding is utf-8, utf-16le, utf-16be or latin-1.", "encoding");
  const auto type = read_choice(query, "type", number_types);
  if (!type) return refuse_with("The type is u8, i8, u16, i16, u32, i32, u64, i64, f32 or f64.", "type");
  const auto endian = read_choice(query, "endian", endiannesses);
  if (!endian) return refuse_with("Endian is little or big.", "endian");
  const auto fold_case = read_choice(query, "case", cases);
  if (!fold_case) return refuse_with("Case is sensitive or insensitive.", "case");
  sought.fold_case = *fold_case;
  const auto limit = read_bounded(query, "limit", 0, max_limit, default_limit);
  if (!limit) return refuse_with("The limit is 0 to 1000000 records; matches are counted beyond it.", "limit");
  const auto context = read_bounded(query, "context", 0, max_context, 0);
  if (!context) return refuse_with("The context is 0 to 256 bytes on either side.", "context");
  sought.options = {*direction, *limit, *context};
  if (text != nullptr) {
    sought.pattern = BytePattern::from_text(*text, *encoding, *fold_case);
    if (!sought.pattern) {
      return refuse_with("The text is UTF-8 that the encoding can hold, 1 to 1024 bytes long in it.", "text");
    }
  } else if (hex != nullptr) {
    sought.pattern = BytePattern::from_hex(*hex);
    if (!sought.pattern) {
      return refuse_with("The bytes are pairs of hexadecimal digits, ? for any digit, 1 to 1024 of them.", "hex");
    }
  } else if (number != nullptr) {
    sought.pattern = BytePattern::from_number(*number, *type, *endian);
    if (!sought.pattern) return refuse_with("The number is none, or beyond its type.", "number");
  }
  return sought;
}

/// Compiles a regular expression, on a scan thread: it takes milliseconds.
struct CompileCall {
  const std::string* expression;
  bool fold_case;
  boost::system::result<std::unique_ptr<RegexSearch>, RegexError>* out;
  boost::system::result<void> operator()() const {
    *out = RegexSearch::create(*expression, fold_case);
    return {};
  }
};

}  // namespace

Task<void> answer_search(Exchange* exchange) {
  static constexpr std::array<std::string_view, 14> known{"file",     "offset",    "len",   "text",   "hex",
                                                          "regex",    "number",    "type",  "endian", "case",
                                                          "encoding", "direction", "limit", "context"};
  FileRequest request = read_file_request(*exchange, known);
  if (request.refused) {
    co_await send_reply(exchange, &*request.refused);
    co_return;
  }
  Sought sought = read_sought(request.query);
  if (sought.refused) {
    co_await send_reply(exchange, &*sought.refused);
    co_return;
  }
  ScanFrame frame = co_await take_scan_frame(exchange);
  if (!frame) co_return;
  std::unique_ptr<RegexSearch> regex;
  if (sought.regex != nullptr) {
    boost::system::result<std::unique_ptr<RegexSearch>, RegexError> compiled = RegexError{};
    DiskExecutor* const threads = exchange->worker->services().scan_threads;
    const CompileCall call{sought.regex, sought.fold_case, &compiled};
    const boost::system::result<void> ran = co_await call_on_disk(threads, &exchange->worker->mailbox(), call);
    if (!ran) {
      Reply reply = file_problem(*exchange, ran.error());
      co_await send_reply(exchange, &reply);
      co_return;
    }
    if (!compiled) {
      const std::string detail =
          fmt::format("The regular expression cannot be searched for: {}", compiled.error().message);
      Reply reply = bad_parameter(detail, "regex");
      co_await send_reply(exchange, &reply);
      co_return;
    }
    regex = std::move(*compiled);
  }
  const std::string* const place = request.query.find("offset");
  const std::string_view from = place != nullptr ? std::string_view(*place) : "0";
  SearchFactory factory(sought.options, std::move(sought.pattern), std::move(regex), from);
  co_await answer_scan(exchange, &request, std::move(frame), &factory);
}

}  // namespace ranged::server
