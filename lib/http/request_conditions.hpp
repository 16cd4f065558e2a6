#pragma once
// The fields of a request that decide which response a file gets: Range and the five conditional fields.

#include <boost/container/small_vector.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace ranged::http {

/// The lines of one field in the order received; values without the white space around them. Two lines need no
/// allocation.
using FieldLines = boost::container::small_vector<std::string_view, 2>;

/// A field that is no list: its value, and how many lines it came in. More than one line means that the value is not
/// valid.
struct SingleField {
  std::string_view value;  ///< of the first line, without the white space around it
  std::uint32_t lines = 0;

  [[nodiscard]] bool present() const noexcept { return lines != 0; }
};

/// What of a request bears on the response. Views the request: the header fields must outlive it.
struct RequestConditions {
  bool head = false;  ///< HEAD; else GET
  SingleField range;
  SingleField if_range;
  SingleField if_modified_since;
  SingleField if_unmodified_since;
  FieldLines if_match;
  FieldLines if_none_match;

  /// Takes a field line if it is one of the six, by its name in any case, and says whether it was. To be called for
  /// each field line of a request in order. Cost: for any other field, a look at its length and at most one comparison.
  /// Throws std::bad_alloc alone, from the third line of If-Match or If-None-Match on.
  bool add(std::string_view name, std::string_view value);
};

/// `text` without spaces and tabs at both ends (OWS, RFC 9110, 5.6.3).
[[nodiscard]] std::string_view trim_ows(std::string_view text) noexcept;

}  // namespace ranged::http
