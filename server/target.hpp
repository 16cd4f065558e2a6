#pragma once
// Request targets (RFC 9112, 3.2) and query parameters.

#include "server/admission.hpp"

#include <boost/container/static_vector.hpp>
#include <boost/system/result.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace ranged::server {

/// The parts of a request-target, not decoded; views into it.
struct TargetParts {
  enum class Form : std::uint8_t { malformed, origin, absolute, asterisk };
  Form form = Form::malformed;
  std::string_view authority;  ///< of the absolute form, else empty; not checked
  std::string_view path;       ///< begins with a slash ("/" where the absolute form has none), or is "*"
  std::string_view query;      ///< without the question mark
  bool has_query = false;
  bool secured = false;  ///< of the absolute form: the scheme is https
};

/// Splits a request-target. Malformed: neither of these forms, a scheme other than http and https (in any case), a
/// fragment, a byte that is not visible US-ASCII. Pure, no allocation.
[[nodiscard]] TargetParts split_target(std::string_view raw) noexcept;

/// A request-target with its path decoded. Views.
struct Target {
  std::string_view path;      ///< percent-decoded once; begins with a slash, or is "*". Any bytes but NUL
  std::string_view raw_path;  ///< as received
  std::string_view raw_query;
  bool has_query = false;
};

/// Reads a request-target. False (400, bad-request) when it is malformed or its path has an escape that is none, or a
/// NUL. "+" is a plus. Components ".", ".." and empty ones stay as they are: nothing is resolved here. `out` views
/// `raw`, and a path with escapes `decoded`, which is written then only. Pure, thread-safe.
[[nodiscard]] bool parse_target(std::string_view raw, Target& out, std::string& decoded);

/// Why a query was refused.
struct QueryError {
  enum class Kind : std::uint8_t {
    bad_escape,  ///< a "%" that is no escape, or a NUL
    repeated,    ///< a parameter that came twice
    too_many,    ///< more than QueryParameters::max_count
  };
  Kind kind = Kind::bad_escape;
  std::string name;  ///< the parameter at fault; as received where it cannot be decoded; empty for too_many

  /// The answer: 400 that keeps the connection. `name` is for problem_json()'s `parameter`.
  [[nodiscard]] Refusal refusal() const noexcept;
};

/// The parameters of a query: "a=1&b=2", names and values percent-decoded, "+" a space (the URL standard's
/// application/x-www-form-urlencoded). A parameter without "=" has the empty value; empty ones ("a=1&&b=2") are
/// skipped.
class QueryParameters {
 public:
  static constexpr std::size_t max_count = 16;  ///< no address takes half as many

  struct Parameter {
    std::string name;
    std::string value;
  };

  /// Reads a query without its question mark. Pure, thread-safe.
  [[nodiscard]] static boost::system::result<QueryParameters, QueryError> parse(std::string_view raw_query);

  /// The value of a parameter by its exact name; null when it is absent.
  [[nodiscard]] const std::string* find(std::string_view name) const noexcept;

  /// All of them in the order received.
  [[nodiscard]] std::span<const Parameter> all() const noexcept { return {parameters_.data(), parameters_.size()}; }

  /// The first that is not among `known`; null when all are. For 400, unknown-parameter.
  [[nodiscard]] const Parameter* first_unknown(std::span<const std::string_view> known) const noexcept;

 private:
  boost::container::static_vector<Parameter, max_count> parameters_;
};

}  // namespace ranged::server
