#include "server/handlers/scan_stream.hpp"
#include "server/reply.hpp"

#include <ranged/scan/string_finder.hpp>

#include <fmt/format.h>

#include <array>
#include <iterator>
#include <limits>
#include <utility>

namespace ranged::server {

namespace {

/// Strings kept until they are written: two steps' worth of records, some 10 KiB.
constexpr std::size_t kept_strings = 64;

constexpr std::string_view name_of(StringEncoding encoding) noexcept {
  switch (encoding) {
    case StringEncoding::utf_16le:
      return "utf-16le";
    case StringEncoding::utf_16be:
      return "utf-16be";
    default:
      return "ascii";
  }
}

class StringsScan final : public SequentialScan {
 public:
  StringsScan(const ScanTarget& target, std::size_t min, std::uint64_t limit)
      : SequentialScan(target), finder_(min, target.window.offset, kept_strings, limit) {}
  void describe_end(std::string& record) const override {
    fmt::format_to(std::back_inserter(record), ",\"strings\":{}", finder_.count());
  }

 protected:
  std::size_t take(std::span<const std::byte> bytes) override { return finder_.take(bytes); }
  std::uint64_t take_zeros(std::uint64_t count) override { return finder_.take_zeros(count); }
  bool finish() override {
    finder_.finish();
    return true;
  }
  boost::system::result<ScanState> write_records(const ScanStep& step) override {
    std::vector<FoundString>& found = finder_.found();
    for (; written_ < found.size(); ++written_) {
      if (step.records_full()) return ScanState::paused;
      const FoundString& string = found[written_];
      const std::uint64_t characters = string.encoding == StringEncoding::ascii ? string.length : string.length / 2;
      fmt::format_to(std::back_inserter(*step.records),
                     R"({{"type":"string","offset":{},"length":{},"encoding":"{}","truncated":{},"text":)",
                     string.offset, string.length, name_of(string.encoding), characters > string.text.size());
      append_quoted(*step.records, string.text);
      *step.records += "}\n";
    }
    found.clear();
    written_ = 0;
    return ScanState::complete;
  }

 private:
  StringFinder finder_;
  std::size_t written_ = 0;
};

class StringsFactory final : public ScanFactory {
 public:
  StringsFactory(std::size_t min, std::uint64_t limit) noexcept : min_(min), limit_(limit) {}
  std::unique_ptr<Scan> make(const ScanTarget& target) override {
    return std::make_unique<StringsScan>(target, min_, limit_);
  }
  [[nodiscard]] std::string_view name() const noexcept override { return "strings"; }

 private:
  std::size_t min_;
  std::uint64_t limit_;
};

}  // namespace

Task<void> answer_strings(Exchange* exchange) {
  static constexpr std::array<std::string_view, 5> known{"file", "offset", "len", "min", "limit"};
  /// As the program strings(1) has it.
  constexpr std::uint64_t default_min = 4;

  FileRequest request = read_file_request(*exchange, known);
  if (!request.refused) request.refused = check_window(request.query);
  const auto min = read_bounded(request.query, "min", 1, StringFinder::max_text, default_min);
  const auto limit = read_bounded(request.query, "limit", 0, std::numeric_limits<std::uint64_t>::max(),
                                  std::numeric_limits<std::uint64_t>::max());
  if (!request.refused && !min) request.refused = bad_parameter("The shortest string has 1 to 256 characters.", "min");
  if (!request.refused && !limit) request.refused = bad_parameter("The limit is a number of records.", "limit");
  if (request.refused) {
    co_await send_reply(exchange, &*request.refused);
    co_return;
  }
  ScanFrame frame = co_await take_scan_frame(exchange);
  if (!frame) co_return;
  StringsFactory factory(static_cast<std::size_t>(*min), *limit);
  co_await answer_scan(exchange, &request, std::move(frame), &factory);
}

}  // namespace ranged::server
