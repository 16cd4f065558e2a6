#include <ranged/http/http_date.hpp>

#include <algorithm>
#include <chrono>

namespace ranged::http {
namespace {

using std::chrono::sys_days;
using std::chrono::year_month_day;

constexpr std::int64_t seconds_per_day = 86'400;

constexpr std::array<std::string_view, 7> day_names = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                       "Thursday", "Friday", "Saturday"};
constexpr std::array<std::string_view, 12> month_names = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
/// What short day names are cut to.
constexpr std::size_t short_name = 3;

struct CivilTime {
  int year = 0;
  unsigned month = 0;  ///< 1 to 12
  unsigned day = 0;    ///< 1 to 31
  unsigned hour = 0;
  unsigned minute = 0;
  unsigned second = 0;  ///< 60 in 23:59:60
};

year_month_day date_of(const CivilTime& time) noexcept {
  return std::chrono::year(time.year) / std::chrono::month(time.month) / std::chrono::day(time.day);
}

std::int64_t second_of_day(const CivilTime& time) noexcept {
  return (std::int64_t{time.hour} * 60 + time.minute) * 60 + time.second;
}

/// Seconds since the epoch of a date that exists.
std::int64_t seconds_of(const CivilTime& time) noexcept {
  return std::int64_t{sys_days(date_of(time)).time_since_epoch().count()} * seconds_per_day + second_of_day(time);
}

struct DaySplit {
  std::int64_t days = 0;  ///< since the epoch
  unsigned second = 0;    ///< of the day
};

DaySplit split(std::int64_t seconds) noexcept {
  const std::int64_t remainder = seconds % seconds_per_day;
  const bool before = remainder < 0;
  return {seconds / seconds_per_day - (before ? 1 : 0),
          static_cast<unsigned>(remainder + (before ? seconds_per_day : 0))};
}

/// Takes the grammar's pieces off the front of a text. After a piece that is not there, ok() is false and stays so.
class Scanner {
 public:
  explicit Scanner(std::string_view text) noexcept : rest_(text) {}

  [[nodiscard]] bool ok() const noexcept { return ok_; }
  [[nodiscard]] bool done() const noexcept { return ok_ && rest_.empty(); }
  [[nodiscard]] bool next_is(char c) const noexcept { return rest_.starts_with(c); }

  void literal(std::string_view text) noexcept {
    if (rest_.starts_with(text)) {
      rest_.remove_prefix(text.size());
    } else {
      ok_ = false;
    }
  }

  /// Exactly `count` digits.
  unsigned digits(std::size_t count) noexcept {
    if (rest_.size() < count) {
      ok_ = false;
      return 0;
    }
    unsigned value = 0;
    for (const char c : rest_.substr(0, count)) {
      if (c < '0' || c > '9') ok_ = false;
      value = value * 10 + static_cast<unsigned>(c - '0');
    }
    rest_.remove_prefix(count);
    return value;
  }

  /// 1 to 12.
  unsigned month() noexcept {
    const auto* const found = std::find(month_names.begin(), month_names.end(), rest_.substr(0, short_name));
    if (found == month_names.end()) {
      ok_ = false;
      return 0;
    }
    rest_.remove_prefix(short_name);
    return static_cast<unsigned>(found - month_names.begin()) + 1;
  }

  /// time-of-day = hour ":" minute ":" second
  void time_of_day(CivilTime& time) noexcept {
    time.hour = digits(2);
    literal(":");
    time.minute = digits(2);
    literal(":");
    time.second = digits(2);
  }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

/// The latest year with these two last digits in which the date is at most 50 years ahead of `now` (RFC 9110, 5.6.7).
int year_of_two_digits(CivilTime time, unsigned digits, std::int64_t now) noexcept {
  const DaySplit today = split(std::clamp(now, min_http_date, max_http_date));
  const year_month_day date{sys_days(std::chrono::days(today.days))};
  // Days of civil dates are counted through, so that 29 February of a year without one is 1 March.
  const auto day_number = [](int year, std::chrono::month month, std::chrono::day day) {
    return sys_days(std::chrono::year(year) / month / 1).time_since_epoch().count() + static_cast<int>(unsigned{day});
  };
  const int this_year = int{date.year()};
  const std::int64_t limit =
      std::int64_t{day_number(this_year + 50, date.month(), date.day())} * seconds_per_day + today.second;
  const auto is_within = [&](int year) {
    return std::int64_t{day_number(year, std::chrono::month(time.month), std::chrono::day(time.day))} *
                   seconds_per_day +
               second_of_day(time) <=
           limit;
  };
  int year = (this_year / 100 + 1) * 100 + static_cast<int>(digits);
  while (year >= 100 && (year > 9999 || !is_within(year))) year -= 100;
  return year;
}

bool is_real(const CivilTime& time) noexcept {
  if (!date_of(time).ok() || time.hour > 23 || time.minute > 59) return false;
  // 5.6.7 allows 23:59:60 and no other leap second: they are inserted at the end of a UTC day.
  return time.second <= 59 || (time.second == 60 && time.hour == 23 && time.minute == 59);
}

/// What follows a short day name's place: which of the formats it is shows in the character after the name.
std::optional<CivilTime> scan(std::string_view text, std::int64_t now) noexcept {
  const auto* const day_name = std::find_if(day_names.begin(), day_names.end(), [&](std::string_view name) {
    return text.starts_with(name.substr(0, short_name));
  });
  if (day_name == day_names.end()) return std::nullopt;
  CivilTime time;
  unsigned two_digits = 0;
  bool is_rfc850 = false;
  Scanner scanner(text);
  scanner.literal(day_name->substr(0, short_name));
  if (scanner.next_is(',')) {  // IMF-fixdate: Sun, 06 Nov 1994 08:49:37 GMT
    scanner.literal(", ");
    time.day = scanner.digits(2);
    scanner.literal(" ");
    time.month = scanner.month();
    scanner.literal(" ");
    time.year = static_cast<int>(scanner.digits(4));
    scanner.literal(" ");
    scanner.time_of_day(time);
    scanner.literal(" GMT");
  } else if (scanner.next_is(' ')) {  // asctime-date: Sun Nov  6 08:49:37 1994
    scanner.literal(" ");
    time.month = scanner.month();
    scanner.literal(" ");
    if (scanner.next_is(' ')) {
      scanner.literal(" ");
      time.day = scanner.digits(1);
    } else {
      time.day = scanner.digits(2);
    }
    scanner.literal(" ");
    scanner.time_of_day(time);
    scanner.literal(" ");
    time.year = static_cast<int>(scanner.digits(4));
  } else {  // rfc850-date: Sunday, 06-Nov-94 08:49:37 GMT
    is_rfc850 = true;
    scanner.literal(day_name->substr(short_name));
    scanner.literal(", ");
    time.day = scanner.digits(2);
    scanner.literal("-");
    time.month = scanner.month();
    scanner.literal("-");
    two_digits = scanner.digits(2);
    scanner.literal(" ");
    scanner.time_of_day(time);
    scanner.literal(" GMT");
  }
  if (!scanner.done()) return std::nullopt;
  if (is_rfc850) time.year = year_of_two_digits(time, two_digits, now);
  if (!is_real(time)) return std::nullopt;
  return time;
}

void put_digits(char* out, unsigned value, int count) noexcept {
  for (int i = count - 1; i >= 0; --i) {
    out[i] = static_cast<char>('0' + value % 10);
    value /= 10;
  }
}

}  // namespace

HttpDateText format_http_date(std::int64_t seconds) noexcept {
  const DaySplit day = split(std::clamp(seconds, min_http_date, max_http_date));
  const sys_days days{std::chrono::days(day.days)};
  const year_month_day date{days};
  HttpDateText result;
  char* const out = result.text.data();
  constexpr std::string_view pattern = "Sun, 06 Nov 1994 08:49:37 GMT";
  static_assert(pattern.size() == http_date_length);
  std::copy(pattern.begin(), pattern.end(), out);
  std::copy_n(day_names[std::chrono::weekday(days).c_encoding()].begin(), short_name, out);
  put_digits(out + 5, unsigned{date.day()}, 2);
  std::copy_n(month_names[unsigned{date.month()} - 1].begin(), short_name, out + 8);
  put_digits(out + 12, static_cast<unsigned>(int{date.year()}), 4);
  put_digits(out + 17, day.second / 3600, 2);
  put_digits(out + 20, day.second / 60 % 60, 2);
  put_digits(out + 23, day.second % 60, 2);
  return result;
}

std::size_t format_http_date(std::int64_t seconds, std::span<char> out) noexcept {
  if (out.size() < http_date_length) return 0;
  const HttpDateText text = format_http_date(seconds);
  std::copy(text.text.begin(), text.text.end(), out.begin());
  return http_date_length;
}

std::optional<std::int64_t> parse_http_date(std::string_view text, std::int64_t now) noexcept {
  const std::optional<CivilTime> time = scan(text, now);
  if (!time) return std::nullopt;
  return seconds_of(*time);
}

}  // namespace ranged::http
