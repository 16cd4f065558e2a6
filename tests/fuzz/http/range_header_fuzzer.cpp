// Input: the file's size, the limit, then the value of a Range field.
#include "tests/fuzz/invariant.hpp"

#include <ranged/http/range_header.hpp>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

using ranged::fuzz::require;
using namespace ranged::http;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input = ranged::fuzz::text_of(data, size);
  const auto file_size = ranged::fuzz::take_number<std::uint64_t>(input);
  const std::size_t limit = std::max<std::size_t>(1, ranged::fuzz::take_number<std::uint8_t>(input));
  const ParsedRange parsed = parse_range(input, file_size, limit);

  require((parsed.outcome == RangeOutcome::satisfiable) == !parsed.ranges.empty());
  require(parsed.ranges.size() <= limit);
  std::vector<ByteRange> ascending(parsed.ranges.begin(), parsed.ranges.end());
  std::ranges::sort(ascending, {}, &ByteRange::first);
  std::uint64_t free = 0;  // the first byte that no range has so far
  for (const ByteRange& range : ascending) {
    require(range.first >= free && range.first <= range.last && range.last < file_size);
    free = range.last + 1;
  }

  // What was understood, said again, is understood the same.
  if (parsed.outcome == RangeOutcome::satisfiable) {
    std::string again = "bytes=";
    for (const ByteRange& range : parsed.ranges) {
      again += std::to_string(range.first) + "-" + std::to_string(range.last) + ",";
    }
    const ParsedRange second = parse_range(again, file_size, limit);
    require(second.outcome == RangeOutcome::satisfiable);
    require(std::ranges::equal(second.ranges, parsed.ranges));
  }

  // The limit refuses, and changes nothing else.
  const ParsedRange unlimited = parse_range(input, file_size, input.size() + 1);
  require(unlimited.outcome != RangeOutcome::too_many);
  if (parsed.outcome != RangeOutcome::too_many) {
    require(parsed.outcome == unlimited.outcome && std::ranges::equal(parsed.ranges, unlimited.ranges));
  }
  // Whether a set is well-formed does not depend on the file.
  const RangeOutcome empty = parse_range(input, 0, input.size() + 1).outcome;
  require(empty == (unlimited.outcome == RangeOutcome::satisfiable ? RangeOutcome::unsatisfiable : unlimited.outcome));
  return 0;
}
