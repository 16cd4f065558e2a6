// Input: the file's size, its modification time, now, the limit of ranges, GET or HEAD, the media type, the entity tag;
// then field lines as in a request.
#include "tests/fuzz/invariant.hpp"

#include <ranged/http/http_date.hpp>
#include <ranged/http/response_plan.hpp>

#include <algorithm>
#include <string>
#include <string_view>

using ranged::fuzz::require;
using namespace ranged::http;

namespace {

BoundaryBits bits() {
  return {0x0123456789abcdef, 0xfedcba9876543210};
}

/// The pieces of the body lie in the file and add up to what Content-Length says.
void check_body(const ResponsePlan& plan, const Representation& file) {
  BodyCursor cursor(plan, file);
  std::uint64_t total = 0;
  std::uint64_t file_bytes = 0;
  std::size_t pieces = 0;
  for (BodyPiece piece = cursor.next(); piece.kind != BodyPiece::Kind::end; piece = cursor.next()) {
    ++pieces;
    std::uint64_t length = piece.text.size();
    if (piece.kind == BodyPiece::Kind::file) {
      length = piece.length;
      require(piece.offset < file.size && piece.length <= file.size - piece.offset);
      require(!__builtin_add_overflow(file_bytes, length, &file_bytes));
    }
    require(length != 0);
    require(!__builtin_add_overflow(total, length, &total));
  }
  require(cursor.next().kind == BodyPiece::Kind::end);
  require(file_bytes <= file.size);
  require(total == (plan.body == BodyKind::none ? 0 : plan.content_length));
  require(pieces == (plan.body == BodyKind::multipart ? 2 * plan.ranges.size() + 1 : total == 0 ? 0U : 1U));
}

void check_header(const ResponsePlan& plan, const Representation& file) {
  std::string buffer(512 + file.entity_tag.size() + file.media_type.size() + file.cache_control.size() +
                         file.last_modified_text.size(),
                     '\0');
  HeaderWriter writer{std::span<char>(buffer)};
  write_header(plan, file, writer);
  require(!writer.failed());
  std::string_view rest = writer.text();
  while (!rest.empty()) {
    const std::size_t end = rest.find("\r\n");
    require(end != std::string_view::npos);
    const std::string_view line = rest.substr(0, end);
    require(line.find(": ") != std::string_view::npos && line.find_first_of("\r\n") == std::string_view::npos);
    rest.remove_prefix(end + 2);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input = ranged::fuzz::text_of(data, size);
  Representation file;
  file.size = ranged::fuzz::take_number<std::uint64_t>(input);
  file.last_modified = ranged::fuzz::take_number<std::int64_t>(input);
  const HttpDateText date = format_http_date(file.last_modified);
  file.last_modified_text = date;
  const auto now = ranged::fuzz::take_number<std::int64_t>(input);
  const PlanLimits limits{.max_ranges = std::max<std::size_t>(1, ranged::fuzz::take_number<std::uint16_t>(input))};
  RequestConditions conditions;
  conditions.head = ranged::fuzz::take_line(input) == "HEAD";
  file.media_type = ranged::fuzz::take_line(input);
  const std::string_view tag = ranged::fuzz::take_line(input);
  // A file's own tag is made by the daemon: any octets but those that no field value can hold.
  if (tag.find_first_of(std::string_view("\r\0", 2)) == std::string_view::npos) file.entity_tag = tag;
  while (!input.empty()) {
    const std::string_view line = ranged::fuzz::take_line(input);
    const std::size_t colon = std::min(line.find(':'), line.size());
    conditions.add(line.substr(0, colon), line.substr(std::min(colon + 1, line.size())));
  }

  const ResponsePlan plan = plan_file_response(conditions, file, limits, now, &bits);
  require(plan.last_modified <= std::max(now, min_http_date));
  switch (plan.status) {
    case 200:
      require(plan.content_length == file.size && plan.ranges.empty());
      require(plan.body == (conditions.head ? BodyKind::none : BodyKind::whole));
      require(plan.range_verdict <= RangeVerdict::ignored_length && plan.range_verdict != RangeVerdict::served);
      break;
    case 206:
      require(!conditions.head && conditions.range.lines == 1 && plan.range_verdict == RangeVerdict::served);
      require(plan.ranges.size() <= limits.max_ranges);
      require(plan.body == (plan.ranges.size() == 1 ? BodyKind::range : BodyKind::multipart) && !plan.ranges.empty());
      break;
    case 304:
      require(!conditions.if_none_match.empty() || conditions.if_modified_since.present());
      require(plan.body == BodyKind::none && plan.ranges.empty() && plan.range_verdict == RangeVerdict::absent);
      break;
    case 412:
      require(!conditions.if_match.empty() || conditions.if_unmodified_since.present());
      require(plan.body == BodyKind::none && plan.ranges.empty() && plan.range_verdict == RangeVerdict::absent);
      break;
    case 416:
      require(!conditions.head && conditions.range.present() && file.size != 0);
      require(plan.body == BodyKind::none && plan.ranges.empty() && plan.range_verdict >= RangeVerdict::refused_lines);
      break;
    default:
      require(false);
  }
  check_body(plan, file);
  check_header(plan, file);
  return 0;
}
