#pragma once
// HTTP-date (RFC 9110, 5.6.7): all three formats in, IMF-fixdate out. Pure arithmetic: no locale, no time zone
// database, no clock.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace ranged::http {

/// Length of an IMF-fixdate: "Sun, 06 Nov 1994 08:49:37 GMT".
inline constexpr std::size_t http_date_length = 29;

/// What IMF-fixdate can say: years 0000 to 9999, as seconds since the Unix epoch.
inline constexpr std::int64_t min_http_date = -62'167'219'200;
inline constexpr std::int64_t max_http_date = 253'402'300'799;

/// The text of a date, without an allocation.
struct HttpDateText {
  std::array<char, http_date_length> text{};

  [[nodiscard]] operator std::string_view() const noexcept {
    return {text.data(), text.size()};
  }  // NOLINT(*-explicit-*)
};

/// Formats seconds since the Unix epoch as IMF-fixdate. What lies outside min_http_date..max_http_date is clamped to
/// it.
[[nodiscard]] HttpDateText format_http_date(std::int64_t seconds) noexcept;

/// The same into a buffer of the caller. Returns http_date_length, or 0, and writes nothing, when `out` is shorter.
[[nodiscard]] std::size_t format_http_date(std::int64_t seconds, std::span<char> out) noexcept;

/// Parses an IMF-fixdate, an RFC 850 date or an asctime date to seconds since the Unix epoch, strictly: letters in the
/// case of the grammar, all digits, single blanks, no white space around, a day that the month has; the name of the day
/// must be one, but need not be the right one. 23:59:60 is the second after 23:59:59; no other :60 is taken. `now`
/// (seconds since the Unix epoch) decides the century of RFC 850's two-digit year: the latest that is at most 50 years
/// ahead. nullopt when the text is no HTTP-date.
[[nodiscard]] std::optional<std::int64_t> parse_http_date(std::string_view text, std::int64_t now) noexcept;

/// Whole seconds at or before a time in nanoseconds, before the epoch too: what Last-Modified says of a file time.
[[nodiscard]] constexpr std::int64_t floor_to_seconds(std::int64_t nanoseconds) noexcept {
  constexpr std::int64_t per_second = 1'000'000'000;
  return nanoseconds / per_second - (nanoseconds % per_second < 0 ? 1 : 0);
}

}  // namespace ranged::http
