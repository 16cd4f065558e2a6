#include <ranged/http/http_date.hpp>

#include <doctest/doctest.h>

#include <time.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <string_view>

namespace {

using ranged::http::floor_to_seconds;
using ranged::http::format_http_date;
using ranged::http::http_date_length;
using ranged::http::max_http_date;
using ranged::http::min_http_date;
using ranged::http::parse_http_date;

constexpr std::int64_t rfc_example = 784'111'777;  // Sun, 06 Nov 1994 08:49:37 GMT
constexpr std::int64_t year_2024 = 1'704'067'200;

constexpr std::array<const char*, 7> days = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                             "Thursday", "Friday", "Saturday"};
constexpr std::array<const char*, 12> months = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

tm split(std::int64_t seconds) {
  const time_t time = seconds;
  tm result{};
  REQUIRE(gmtime_r(&time, &result) != nullptr);
  return result;
}

const char* day_name(const tm& t) {
  return days[static_cast<std::size_t>(t.tm_wday)];
}
const char* month_name(const tm& t) {
  return months[static_cast<std::size_t>(t.tm_mon)];
}

std::string pad(int number, std::size_t width, char fill = '0') {
  const std::string digits = std::to_string(number);
  return std::string(width - std::min(width, digits.size()), fill) + digits;
}

std::string clock_of(const tm& t) {
  return pad(t.tm_hour, 2) + ":" + pad(t.tm_min, 2) + ":" + pad(t.tm_sec, 2);
}

// The three formats, from what the C library says of a time.
std::string imf(const tm& t) {
  return std::string(day_name(t)).substr(0, 3) + ", " + pad(t.tm_mday, 2) + " " + month_name(t) + " " +
         pad(t.tm_year + 1900, 4) + " " + clock_of(t) + " GMT";
}
std::string rfc850(const tm& t) {
  return std::string(day_name(t)) + ", " + pad(t.tm_mday, 2) + "-" + month_name(t) + "-" +
         pad((t.tm_year + 1900) % 100, 2) + " " + clock_of(t) + " GMT";
}
std::string asctime_date(const tm& t) {
  return std::string(day_name(t)).substr(0, 3) + " " + month_name(t) + " " + pad(t.tm_mday, 2, ' ') + " " +
         clock_of(t) + " " + pad(t.tm_year + 1900, 4);
}

/// RFC 9110, 5.6.7, of a two-digit year by timegm: of all years that end so, the latest that is at most 50 years ahead.
std::optional<std::int64_t> century_model(const tm& date, int two_digits, std::int64_t now) {
  tm limit = split(now);
  limit.tm_year += 50;
  const time_t end = timegm(&limit);
  for (int year = 9900 + two_digits; year >= 0; year -= 100) {
    tm candidate = date;
    candidate.tm_year = year - 1900;
    const time_t seconds = timegm(&candidate);
    if (seconds > end) continue;
    if (candidate.tm_mon != date.tm_mon) return std::nullopt;  // 29 February of a year without one
    return seconds;
  }
  return std::nullopt;
}

}  // namespace

TEST_CASE("the examples of RFC 9110, 5.6.7") {
  CHECK(std::string_view(format_http_date(rfc_example)) == "Sun, 06 Nov 1994 08:49:37 GMT");
  CHECK(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT", year_2024) == rfc_example);
  CHECK(parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT", year_2024) == rfc_example);
  CHECK(parse_http_date("Sun Nov  6 08:49:37 1994", year_2024) == rfc_example);
  CHECK(parse_http_date("Wed Nov 16 08:49:37 1994", year_2024) == rfc_example + 864'000);
}

TEST_CASE("the ends of what can be said, and beyond") {
  CHECK(std::string_view(format_http_date(min_http_date)) == "Sat, 01 Jan 0000 00:00:00 GMT");
  CHECK(std::string_view(format_http_date(max_http_date)) == "Fri, 31 Dec 9999 23:59:59 GMT");
  CHECK(std::string_view(format_http_date(0)) == "Thu, 01 Jan 1970 00:00:00 GMT");
  CHECK(std::string_view(format_http_date(-1)) == "Wed, 31 Dec 1969 23:59:59 GMT");
  CHECK(std::string_view(format_http_date(std::int64_t{1} << 31)) == "Tue, 19 Jan 2038 03:14:08 GMT");
  CHECK(std::string_view(format_http_date(min_http_date - 1)) == "Sat, 01 Jan 0000 00:00:00 GMT");
  CHECK(std::string_view(format_http_date(max_http_date + 1)) == "Fri, 31 Dec 9999 23:59:59 GMT");
  CHECK(std::string_view(format_http_date(std::numeric_limits<std::int64_t>::min())) ==
        "Sat, 01 Jan 0000 00:00:00 GMT");
  CHECK(std::string_view(format_http_date(std::numeric_limits<std::int64_t>::max())) ==
        "Fri, 31 Dec 9999 23:59:59 GMT");
  CHECK(parse_http_date("Sat, 01 Jan 0000 00:00:00 GMT", 0) == min_http_date);
  CHECK(parse_http_date("Fri, 31 Dec 9999 23:59:59 GMT", 0) == max_http_date);
}

TEST_CASE("into a buffer of the caller: all or nothing") {
  std::string buffer(http_date_length + 1, '#');
  CHECK(format_http_date(0, std::span<char>(buffer).first(http_date_length - 1)) == 0);
  CHECK(buffer == std::string(http_date_length + 1, '#'));
  CHECK(format_http_date(0, buffer) == http_date_length);
  CHECK(buffer == "Thu, 01 Jan 1970 00:00:00 GMT#");
}

TEST_CASE("round trips over the years 0000 to 9999 against the C library") {
  // About twenty days and a few seconds: every weekday, month and hour comes up, in all years.
  for (std::int64_t seconds = min_http_date; seconds <= max_http_date; seconds += 1'728'013) {
    const tm time = split(seconds);
    const std::string text = imf(time);
    if (std::string_view(format_http_date(seconds)) != text) FAIL(text);
    if (parse_http_date(text, 0) != seconds) FAIL(text);
    if (parse_http_date(asctime_date(time), 0) != seconds) FAIL(text);
  }
}

TEST_CASE("every day of 400 years, each fifth in all formats") {
  for (std::int64_t day = 0; day < 146'097; ++day) {
    const std::int64_t seconds = day * 86'400 + day * 7919 % 86'400;
    const tm time = split(seconds);
    if (std::string_view(format_http_date(seconds)) != imf(time)) FAIL(imf(time));
    if (parse_http_date(imf(time), 0) != seconds) FAIL(imf(time));
    if (day % 5 != 0) continue;
    if (parse_http_date(asctime_date(time), 0) != seconds) FAIL(asctime_date(time));
    // At most 50 years ahead and less than 50 behind, the century cannot be in doubt.
    if (parse_http_date(rfc850(time), seconds) != seconds) FAIL(rfc850(time));
    if (parse_http_date(rfc850(time), seconds - 49LL * 365 * 86'400) != seconds) FAIL(rfc850(time));
    if (parse_http_date(rfc850(time), seconds + 49LL * 365 * 86'400) != seconds) FAIL(rfc850(time));
  }
}

TEST_CASE("the century of two-digit years against a search through all of them") {
  std::mt19937_64 random(3);
  const auto between = [&](std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(high - low + 1));
  };
  for (int round = 0; round < 20'000; ++round) {
    const std::int64_t now = between(-5'000'000'000, 20'000'000'000);
    // Half of the dates are within two days of the limit, where an error would show.
    tm near = split(now);
    near.tm_year += 50;
    const std::int64_t base = timegm(&near);
    const tm date = split(round % 2 == 0 ? base + between(-172'800, 172'800) : between(0, 4'000'000'000));
    const std::string text = rfc850(date);
    INFO(text << " at " << now);
    REQUIRE(parse_http_date(text, now) == century_model(date, (date.tm_year + 1900) % 100, now));
  }
  CHECK(parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT", rfc_example) == rfc_example);
  // Exactly 50 years ahead is this side, a second more is the other.
  const std::int64_t now = 1'710'000'000;  // Sat, 09 Mar 2024 16:00:00 GMT
  CHECK(parse_http_date("Friday, 09-Mar-74 16:00:00 GMT", now) == 3'287'836'800);
  CHECK(parse_http_date("Saturday, 09-Mar-74 16:00:01 GMT", now) == 132'076'801);
}

TEST_CASE("the extremes of now neither overflow nor change a four-digit year") {
  for (const std::int64_t now : {std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max(),
                                 min_http_date, max_http_date}) {
    CHECK(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT", now) == rfc_example);
    for (const char* year : {"00", "20", "49", "50", "94", "99"}) {
      const std::string text = std::string("Sunday, 06-Nov-") + year + " 08:49:37 GMT";
      const auto date = parse_http_date(text, now);
      REQUIRE(date);
      const std::string again(format_http_date(date.value_or(0)));
      CHECK(again.substr(4, 8) == " 06 Nov ");
      CHECK(again.substr(14, 2) == year);
    }
  }
}

TEST_CASE("what is no date") {
  for (const char* text : {"",
                           " ",
                           "0",
                           "784111777",
                           "Sun",
                           "Sun,",
                           "Sun, 06 Nov 1994 08:49:37",
                           "Sun, 06 Nov 1994 08:49:37 UTC",
                           "Sun, 06 Nov 1994 08:49:37 gmt",
                           "Sun, 06 Nov 1994 08:49:37 GMT ",
                           " Sun, 06 Nov 1994 08:49:37 GMT",
                           "Sun, 06 Nov 1994 08:49:37  GMT",
                           "Sun,  06 Nov 1994 08:49:37 GMT",
                           "Sun,06 Nov 1994 08:49:37 GMT",
                           "Sun, 6 Nov 1994 08:49:37 GMT",
                           "Sun,  6 Nov 1994 08:49:37 GMT",
                           "Sun, 06 nov 1994 08:49:37 GMT",
                           "sun, 06 Nov 1994 08:49:37 GMT",
                           "SUN, 06 NOV 1994 08:49:37 GMT",
                           "Xyz, 06 Nov 1994 08:49:37 GMT",
                           "Sun, 06 Xyz 1994 08:49:37 GMT",
                           "Sun, 06 November 1994 08:49:37 GMT",
                           "Sun, 00 Nov 1994 08:49:37 GMT",
                           "Sun, 31 Nov 1994 08:49:37 GMT",
                           "Sun, 32 Dec 1994 08:49:37 GMT",
                           "Sun, 29 Feb 1994 08:49:37 GMT",
                           "Sun, 29 Feb 1900 08:49:37 GMT",
                           "Sun, 06 Nov 1994 24:00:00 GMT",
                           "Sun, 06 Nov 1994 08:60:37 GMT",
                           "Sun, 06 Nov 1994 08:49:60 GMT",
                           "Sun, 06 Nov 1994 23:58:60 GMT",
                           "Sun, 06 Nov 1994 23:59:61 GMT",
                           "Sun, 06 Nov 1994 8:49:37 GMT",
                           "Sun, 06 Nov 1994 08:49 GMT",
                           "Sun, 06 Nov 94 08:49:37 GMT",
                           "Sun, 06 Nov 19940 08:49:37 GMT",
                           "Sun, 06 Nov +994 08:49:37 GMT",
                           "Sun, -6 Nov 1994 08:49:37 GMT",
                           "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
                           "Sunday, 06 Nov 1994 08:49:37 GMT",
                           "Sun, 06-Nov-94 08:49:37 GMT",
                           "Sunday, 06-Nov-1994 08:49:37 GMT",
                           "Sunday, 06-Nov-94 08:49:37",
                           "Sunda, 06-Nov-94 08:49:37 GMT",
                           "Sunday, 6-Nov-94 08:49:37 GMT",
                           "Sunday, 31-Nov-94 08:49:37 GMT",
                           "Sunday 06-Nov-94 08:49:37 GMT",
                           "Sun Nov 6 08:49:37 1994",
                           "Sun Nov 06 08:49:37 94",
                           "Sun Nov  6 08:49:37 1994 GMT",
                           "Sun Nov   6 08:49:37 1994",
                           "Sun Nov  6 08:49:37 1994\n",
                           "Sunday Nov  6 08:49:37 1994",
                           "Sun Nov  0 08:49:37 1994",
                           "Sun Feb 30 08:49:37 1994",
                           "*",
                           "\"etag\""}) {
    INFO(text);
    CHECK_FALSE(parse_http_date(text, year_2024));
  }
  CHECK_FALSE(parse_http_date(std::string_view("Sun, 06 Nov 1994 08:49:37 GMT\0", 30), year_2024));
}

TEST_CASE("no prefix of a date is one, nor a date with any one character changed to another kind") {
  const std::string text = "Sun, 06 Nov 1994 08:49:37 GMT";
  for (std::size_t i = 0; i < text.size(); ++i) {
    INFO(i);
    CHECK_FALSE(parse_http_date(text.substr(0, i), year_2024));
    CHECK_FALSE(parse_http_date(text.substr(i + 1), year_2024));
    std::string changed = text;
    changed[i] = '!';
    CHECK_FALSE(parse_http_date(changed, year_2024));
  }
}

TEST_CASE("a leap second at the end of a day, a wrong day name and a leading zero in asctime are taken") {
  CHECK(parse_http_date("Sat, 31 Dec 2016 23:59:60 GMT", year_2024) == 1'483'228'800);
  CHECK(parse_http_date("Mon, 06 Nov 1994 08:49:37 GMT", year_2024) == rfc_example);
  CHECK(parse_http_date("Friday, 06-Nov-94 08:49:37 GMT", year_2024) == rfc_example);
  CHECK(parse_http_date("Sun Nov 06 08:49:37 1994", year_2024) == rfc_example);
  CHECK(parse_http_date("Tue, 29 Feb 2000 00:00:00 GMT", year_2024) == 951'782'400);
}

TEST_CASE("file times are floored, before the epoch too") {
  CHECK(floor_to_seconds(0) == 0);
  CHECK(floor_to_seconds(999'999'999) == 0);
  CHECK(floor_to_seconds(1'000'000'000) == 1);
  CHECK(floor_to_seconds(-1) == -1);
  CHECK(floor_to_seconds(-1'000'000'000) == -1);
  CHECK(floor_to_seconds(-1'000'000'001) == -2);
  CHECK(floor_to_seconds(std::numeric_limits<std::int64_t>::min()) == -9'223'372'037);
  CHECK(floor_to_seconds(std::numeric_limits<std::int64_t>::max()) == 9'223'372'036);
}
