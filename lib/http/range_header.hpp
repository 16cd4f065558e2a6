#pragma once
// The Range field (RFC 9110, 14.1 and 14.2): its grammar, and which bytes of a file it asks for.

#include <boost/container/small_vector.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace ranged::http {

/// A stretch of bytes, both ends included, as on the wire: first <= last.
struct ByteRange {
  std::uint64_t first = 0;
  std::uint64_t last = 0;

  /// Bytes in the range. Never 0; a range of 2^64 bytes does not occur, because last < size <= 2^64 - 1.
  [[nodiscard]] constexpr std::uint64_t length() const noexcept { return last - first + 1; }

  bool operator==(const ByteRange&) const = default;
};

/// Ranges in the order in which they are to be sent. Up to four need no allocation; real clients send one, two or
/// hundreds.
using RangeSet = boost::container::small_vector<ByteRange, 4>;

enum class RangeOutcome : std::uint8_t {
  satisfiable,    ///< at least one byte is asked for; `ranges` says which
  ignored,        ///< no range of the unit bytes: the field is as good as absent (14.2)
  malformed,      ///< the unit is bytes, and what follows is no range-set of it (14.1.1)
  too_many,       ///< more ranges than the limit
  unsatisfiable,  ///< a valid set, no byte of which the file has (14.1.2)
};

struct ParsedRange {
  RangeOutcome outcome = RangeOutcome::ignored;
  RangeSet ranges;  ///< empty unless satisfiable
};

/// The ranges asked for at most, unless the caller sets another limit: what zsync2, librepo and zchunk send at most is
/// 255.
inline constexpr std::size_t default_max_ranges = 256;

/// Parses the value of a Range field against a file of `size` bytes (README, rules 1 to 6).
///
/// Ranges are clipped to the file, those beyond it dropped, and those that share a byte merged into the place of the
/// first of them; ranges that merely touch stay apart. So the ranges returned are disjoint, in the order asked, and
/// their lengths add up to at most `size`. Digits of any length are read exactly enough: none wraps.
///
/// `value` may have white space around it; `max_ranges` is at least 1 and counts what was asked, satisfiable or not.
/// With a `size` of 0 no valid set is satisfiable. Thread-safe: no state. Throws std::bad_alloc alone, and not for four
/// ranges or fewer. Cost: O(length of value), and O(n log n) when n ranges are not already ascending and disjoint.
[[nodiscard]] ParsedRange parse_range(std::string_view value, std::uint64_t size,
                                      std::size_t max_ranges = default_max_ranges);

}  // namespace ranged::http
