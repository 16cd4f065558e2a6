#include "server/size.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <utility>

namespace ranged::server {
namespace {

using namespace std::chrono_literals;

TEST_CASE("a size is digits and a binary unit") {
  const std::pair<std::string_view, std::uint64_t> cases[] = {
      {"0", 0},
      {"1", 1},
      {"65536", 65536},
      {"64B", 64},
      {"64KiB", std::uint64_t{64} << 10},
      {"2MiB", std::uint64_t{2} << 20},
      {"4GiB", std::uint64_t{1} << 32},
      {"1TiB", std::uint64_t{1} << 40},
      {"9223372036854775808", std::uint64_t{1} << 63},
      {"18446744073709551615", std::numeric_limits<std::uint64_t>::max()},
      {"16777215TiB", std::uint64_t{16777215} << 40},
      {"007KiB", 7168},
  };
  for (const auto& [text, bytes] : cases) {
    CAPTURE(text);
    const auto parsed = parse_size(text);
    REQUIRE(parsed);
    CHECK(*parsed == bytes);
  }
}

TEST_CASE("what is no size, or none that fits, is refused") {
  for (const std::string_view text : {"", " ", "KiB", "64 KiB", "64kib", "64KB", "64K", "64M", "-1", "+1", "1.5MiB",
                                      "0x10", "64KiBx", "64PiB", " 64", "64 ", "1e3"}) {
    CAPTURE(text);
    CHECK(parse_size(text).error() == boost::system::errc::invalid_argument);
  }
  for (const std::string_view text :
       {"18446744073709551616", "16777216TiB", "99999999999999999999999999999999999999999B", "18014398509481984KiB"}) {
    CAPTURE(text);
    CHECK(parse_size(text).error() == boost::system::errc::value_too_large);
  }
}

TEST_CASE("a size is written in the largest unit that is exact, and read back") {
  CHECK(format_size(0) == "0B");
  CHECK(format_size(1) == "1B");
  CHECK(format_size(1023) == "1023B");
  CHECK(format_size(1024) == "1KiB");
  CHECK(format_size(65536) == "64KiB");
  CHECK(format_size(65537) == "65537B");
  CHECK(format_size(std::uint64_t{1536} << 10) == "1536KiB");
  CHECK(format_size(std::uint64_t{1} << 63) == "8388608TiB");
  for (unsigned shift = 0; shift < 64; ++shift) {
    for (const std::uint64_t bytes :
         {(std::uint64_t{1} << shift) - 1, std::uint64_t{1} << shift, (std::uint64_t{1} << shift) + 1}) {
      CHECK(*parse_size(format_size(bytes)) == bytes);
    }
  }
}

TEST_CASE("a duration is digits and a unit; only nothing needs none") {
  CHECK(*parse_duration("0") == 0ms);
  CHECK(*parse_duration("0s") == 0ms);
  CHECK(*parse_duration("500ms") == 500ms);
  CHECK(*parse_duration("30s") == 30s);
  CHECK(*parse_duration("5m") == 5min);
  CHECK(*parse_duration("24h") == 24h);
  CHECK(*parse_duration("8760h") == 8760h);
  for (const std::string_view text :
       {"", "30", "1", "s", "30 s", "1.5s", "-1s", "1d", "1min", "1S", "30sec", "us", "1us"}) {
    CAPTURE(text);
    CHECK(parse_duration(text).error() == boost::system::errc::invalid_argument);
  }
  for (const std::string_view text :
       {"8761h", "18446744073709551615ms", "18446744073709551616s", "9223372036854775807h"}) {
    CAPTURE(text);
    CHECK(parse_duration(text).error() == boost::system::errc::value_too_large);
  }
}

TEST_CASE("a duration is written as one would, and read back") {
  CHECK(format_duration(0ms) == "0s");
  CHECK(format_duration(-1ms) == "0s");
  CHECK(format_duration(500ms) == "500ms");
  CHECK(format_duration(1s) == "1s");
  CHECK(format_duration(1500ms) == "1500ms");
  CHECK(format_duration(60s) == "60s");
  CHECK(format_duration(90s) == "90s");
  CHECK(format_duration(2min) == "2m");
  CHECK(format_duration(150s) == "150s");
  CHECK(format_duration(1h) == "1h");
  for (const auto duration : {1ms, 999ms, 1000ms, 59'999ms, 119'999ms, 120'000ms, 3'600'000ms, 31'536'000'000ms}) {
    CHECK(*parse_duration(format_duration(duration)) == duration);
  }
}

}  // namespace
}  // namespace ranged::server
