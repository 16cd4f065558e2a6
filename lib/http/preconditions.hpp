#pragma once
// Conditional requests (RFC 9110, 13) on GET and HEAD of a representation that exists.

#include <ranged/http/request_conditions.hpp>

#include <cstdint>
#include <optional>
#include <string_view>

namespace ranged::http {

/// What the selected representation is told from its other states by.
struct Validators {
  std::string_view entity_tag;                ///< as in the ETag field, quotes and all; empty: there is none
  std::optional<std::int64_t> last_modified;  ///< seconds since the Unix epoch, not later than now; nullopt: unknown
};

enum class Precondition : std::uint8_t {
  holds,         ///< go on: Range comes next
  not_modified,  ///< 304
  failed,        ///< 412
};

/// Evaluates If-Match, If-Unmodified-Since, If-None-Match and If-Modified-Since in the order of 13.2.2 (README, rules 9
/// to 12). `now`: seconds since the Unix epoch, for two-digit years. Thread-safe, no allocation; cost: linear in the
/// fields.
[[nodiscard]] Precondition evaluate_preconditions(const RequestConditions& conditions, const Validators& validators,
                                                  std::int64_t now) noexcept;

/// Whether If-Range lets the Range hold (13.1.5; README, rule 13): true when there is no If-Range. An entity tag is
/// compared strongly, a date exactly, and a date counts only when the second it names is over, for until then the file
/// may change again within it (8.8.2.2).
[[nodiscard]] bool if_range_holds(const RequestConditions& conditions, const Validators& validators,
                                  std::int64_t now) noexcept;

}  // namespace ranged::http
