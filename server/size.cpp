#include "server/size.hpp"

#include <array>
#include <charconv>
#include <limits>
#include <span>
#include <system_error>

namespace ranged::server {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

/// Smallest first; the first is what a bare number means, if the caller lets it.
constexpr std::array<Unit, 5> size_units{{{"B", 1},
                                          {"KiB", std::uint64_t{1} << 10},
                                          {"MiB", std::uint64_t{1} << 20},
                                          {"GiB", std::uint64_t{1} << 30},
                                          {"TiB", std::uint64_t{1} << 40}}};
constexpr std::array<Unit, 4> duration_units{{{"ms", 1}, {"s", 1'000}, {"m", 60'000}, {"h", 3'600'000}}};

/// Past a year a timeout is a slip of the pen; it also keeps sums of deadlines far from the clock's end.
constexpr std::uint64_t longest_duration_ms = std::uint64_t{365} * 24 * 3'600'000;

struct Quantity {
  std::uint64_t number = 0;
  std::string_view unit;
};

boost::system::result<Quantity> split(std::string_view text) noexcept {
  Quantity quantity;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), quantity.number);
  if (error == std::errc::result_out_of_range) return make_error_code(boost::system::errc::value_too_large);
  if (error != std::errc{}) return make_error_code(boost::system::errc::invalid_argument);
  quantity.unit = text.substr(static_cast<std::size_t>(end - text.data()));
  return quantity;
}

boost::system::result<std::uint64_t> in_units(const Quantity& quantity, std::span<const Unit> units,
                                              std::uint64_t limit) noexcept {
  for (const Unit& unit : units) {
    if (unit.name != quantity.unit) continue;
    if (quantity.number > limit / unit.factor) return make_error_code(boost::system::errc::value_too_large);
    return quantity.number * unit.factor;
  }
  return make_error_code(boost::system::errc::invalid_argument);
}

std::string format(std::uint64_t number, std::span<const Unit> units) {
  const Unit* best = &units.front();
  for (const Unit& unit : units) {
    if (number != 0 && number % unit.factor == 0) best = &unit;
  }
  return std::to_string(number / best->factor).append(best->name);
}

}  // namespace

boost::system::result<std::uint64_t> parse_size(std::string_view text) noexcept {
  const boost::system::result<Quantity> quantity = split(text);
  if (!quantity) return quantity.error();
  if (quantity->unit.empty()) return quantity->number;
  return in_units(*quantity, size_units, std::numeric_limits<std::uint64_t>::max());
}

std::string format_size(std::uint64_t bytes) {
  return format(bytes, size_units);
}

boost::system::result<std::chrono::milliseconds> parse_duration(std::string_view text) noexcept {
  const boost::system::result<Quantity> quantity = split(text);
  if (!quantity) return quantity.error();
  if (quantity->unit.empty() && quantity->number == 0) return std::chrono::milliseconds{0};
  const boost::system::result<std::uint64_t> milliseconds = in_units(*quantity, duration_units, longest_duration_ms);
  if (!milliseconds) return milliseconds.error();
  return std::chrono::milliseconds{static_cast<std::int64_t>(*milliseconds)};
}

std::string format_duration(std::chrono::milliseconds duration) {
  if (duration.count() <= 0) return "0s";
  // Hours and minutes only where they are what one would write: 90s rather than a sum, 60s rather than 1m.
  const auto number = static_cast<std::uint64_t>(duration.count());
  if (number < 120'000) return format(number, std::span(duration_units).first(2));
  return format(number, duration_units);
}

}  // namespace ranged::server
