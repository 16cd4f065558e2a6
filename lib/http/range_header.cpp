#include <ranged/http/range_header.hpp>
#include <ranged/http/request_conditions.hpp>

#include <algorithm>
#include <limits>

namespace ranged::http {
namespace {

constexpr std::uint64_t max_position = std::numeric_limits<std::uint64_t>::max();

/// So many digits fit, whatever they are.
constexpr std::size_t always_fit = std::numeric_limits<std::uint64_t>::digits10;

constexpr bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}
constexpr bool is_blank(char c) noexcept {
  return c == ' ' || c == '\t';
}

/// A number of any length: its digits without leading zeros, and its value, or 2^64 - 1 when it is that or more
/// (README, rule 3).
struct Number {
  std::string_view digits;
  std::uint64_t value = 0;

  /// Exact, whatever the length.
  [[nodiscard]] bool operator>(const Number& other) const noexcept {
    if (value != other.value) return value > other.value;
    return digits.size() != other.digits.size() ? digits.size() > other.digits.size() : digits > other.digits;
  }
};

std::uint64_t saturated_value(std::string_view digits) noexcept {
  std::uint64_t value = 0;
  for (const char c : digits) {
    const auto digit = static_cast<std::uint64_t>(c - '0');
    if (value > (max_position - digit) / 10) return max_position;
    value = value * 10 + digit;
  }
  return value;
}

/// A range-spec as asked: int-range or suffix-range (14.1.1).
struct RangeSpec {
  enum class Kind : std::uint8_t { closed, open, suffix } kind = Kind::closed;
  Number first;  ///< of closed and open
  Number last;   ///< of closed; of suffix its length
};

/// Takes the grammar's pieces off the front of a range-set.
class Scanner {
 public:
  explicit Scanner(std::string_view text) noexcept : rest_(text) {}

  [[nodiscard]] bool done() const noexcept { return rest_.empty(); }
  [[nodiscard]] bool next_is(char c) const noexcept { return rest_.starts_with(c); }
  [[nodiscard]] bool next_is_digit() const noexcept { return !rest_.empty() && is_digit(rest_.front()); }

  bool take(char c) noexcept {
    if (!next_is(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }

  /// Takes OWS; says whether there was any.
  bool take_blanks() noexcept {
    const std::size_t before = rest_.size();
    while (!rest_.empty() && is_blank(rest_.front())) rest_.remove_prefix(1);
    return rest_.size() != before;
  }

  /// One digit or more; the caller saw the first.
  Number take_number() noexcept {
    while (next_is('0')) rest_.remove_prefix(1);
    const char* const begin = rest_.data();
    const char* const end = begin + rest_.size();
    const char* at = begin;
    std::uint64_t value = 0;  // wraps only when there are too many digits
    for (; at != end && is_digit(*at); ++at) value = value * 10 + static_cast<std::uint64_t>(*at - '0');
    const std::string_view digits(begin, static_cast<std::size_t>(at - begin));
    rest_.remove_prefix(digits.size());
    return {digits, digits.size() <= always_fit ? value : saturated_value(digits)};
  }

  /// False when there is no range-spec, or one whose last position is before its first.
  bool take_spec(RangeSpec& spec) noexcept {
    if (next_is_digit()) {
      spec.first = take_number();
      if (!take('-')) return false;
      spec.kind = RangeSpec::Kind::open;
      if (!next_is_digit()) return true;
      spec.kind = RangeSpec::Kind::closed;
      spec.last = take_number();
      return !(spec.first > spec.last);
    }
    if (!take('-') || !next_is_digit()) return false;
    spec.kind = RangeSpec::Kind::suffix;
    spec.last = take_number();
    return true;
  }

 private:
  std::string_view rest_;
};

/// Adds the bytes that a file of `size` bytes has of a range, if any (14.1.2).
void add_clipped(const RangeSpec& spec, std::uint64_t size, RangeSet& ranges) {
  if (size == 0) return;
  if (spec.kind == RangeSpec::Kind::suffix) {
    if (spec.last.value == 0) return;
    ranges.push_back({size - std::min(spec.last.value, size), size - 1});
    return;
  }
  // A saturated first is 2^64 - 1, which no file reaches.
  if (spec.first.value >= size) return;
  const bool open = spec.kind == RangeSpec::Kind::open;
  ranges.push_back({spec.first.value, open ? size - 1 : std::min(spec.last.value, size - 1)});
}

/// Merges ranges that share a byte, directly or through others, into the place of the first of them (README, rule 5).
void merge_overlaps(RangeSet& ranges) {
  const auto touches_in_order = [](const ByteRange& left, const ByteRange& right) { return left.last >= right.first; };
  if (std::adjacent_find(ranges.begin(), ranges.end(), touches_in_order) == ranges.end()) return;

  boost::container::small_vector<std::uint32_t, 64> by_first(ranges.size());
  for (std::uint32_t i = 0; i < by_first.size(); ++i) by_first[i] = i;
  std::sort(by_first.begin(), by_first.end(),
            [&](std::uint32_t left, std::uint32_t right) { return ranges[left].first < ranges[right].first; });

  // In ascending order a range shares a byte with those before it exactly when it begins at or before the furthest end
  // so far.
  constexpr ByteRange merged_away{1, 0};
  std::uint32_t place = by_first.front();
  ByteRange merged = ranges[place];
  for (auto next = by_first.begin() + 1; next != by_first.end(); ++next) {
    const ByteRange range = ranges[*next];
    if (range.first <= merged.last) {
      merged.last = std::max(merged.last, range.last);
      ranges[std::max(place, *next)] = merged_away;
      place = std::min(place, *next);
    } else {
      ranges[place] = merged;
      place = *next;
      merged = range;
    }
  }
  ranges[place] = merged;
  ranges.erase(std::remove(ranges.begin(), ranges.end(), merged_away), ranges.end());
}

/// What follows "bytes=" in a ranges-specifier, in any case (14.1); nullptr data when the unit is another or there is
/// none.
bool strip_unit(std::string_view& value) noexcept {
  constexpr std::string_view unit = "bytes=";
  if (value.size() < unit.size()) return false;
  const bool matches = std::equal(unit.begin(), unit.end(), value.begin(), [](char lower, char c) {
    return lower == (c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
  });
  if (matches) value.remove_prefix(unit.size());
  return matches;
}

/// Reads the range-set that follows the unit into `ranges`, clipped to `size`, and says what it comes to.
RangeOutcome read_set(std::string_view set, std::uint64_t size, std::size_t max_ranges, RangeSet& ranges) {
  // 1#range-spec, which a recipient reads as [ element ] *( OWS "," OWS [ element ] ) with an element somewhere
  // (5.6.1.2).
  Scanner scanner(set);
  std::size_t count = 0;
  if (scanner.take_blanks() && !scanner.next_is(',')) return RangeOutcome::malformed;
  while (!scanner.done()) {
    if (!scanner.next_is(',')) {
      RangeSpec spec;
      if (!scanner.take_spec(spec)) return RangeOutcome::malformed;
      if (++count > max_ranges) return RangeOutcome::too_many;
      add_clipped(spec, size, ranges);
      scanner.take_blanks();
      if (scanner.done()) break;
    }
    if (!scanner.take(',')) return RangeOutcome::malformed;
    scanner.take_blanks();
  }
  if (count == 0) return RangeOutcome::malformed;
  if (ranges.empty()) return RangeOutcome::unsatisfiable;
  merge_overlaps(ranges);
  return RangeOutcome::satisfiable;
}

}  // namespace

ParsedRange parse_range(std::string_view value, std::uint64_t size, std::size_t max_ranges) {
  ParsedRange result;
  std::string_view set = trim_ows(value);
  if (!strip_unit(set)) return result;
  result.outcome = read_set(set, size, max_ranges, result.ranges);
  if (result.outcome != RangeOutcome::satisfiable) result.ranges.clear();
  return result;
}

}  // namespace ranged::http
