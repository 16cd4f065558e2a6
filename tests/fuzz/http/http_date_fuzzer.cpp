// Input: now, a time to be formatted, then the text of a date.
#include "tests/fuzz/invariant.hpp"

#include <ranged/http/http_date.hpp>

#include <algorithm>
#include <string_view>

using ranged::fuzz::require;
using namespace ranged::http;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input = ranged::fuzz::text_of(data, size);
  const auto now = ranged::fuzz::take_number<std::int64_t>(input);
  const auto seconds = ranged::fuzz::take_number<std::int64_t>(input);

  const HttpDateText text = format_http_date(seconds);
  require(parse_http_date(text, now) == std::clamp(seconds, min_http_date, max_http_date));

  if (const auto date = parse_http_date(input, now)) {
    require(*date >= min_http_date && *date <= max_http_date + 1);  // 9999-12-31 23:59:60 is one beyond
    const HttpDateText again = format_http_date(*date);
    require(parse_http_date(again, now) == std::min(*date, max_http_date));
    // An IMF-fixdate comes out as it went in, but for its day name and a leap second.
    if (input.size() == http_date_length && input[3] == ',' && !input.ends_with(":60 GMT")) {
      require(std::string_view(again).substr(3) == input.substr(3));
    }
  }
  return 0;
}
