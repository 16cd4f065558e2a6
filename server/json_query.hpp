#pragma once
// Parameters that come as JSON in a request's content, as the query that says the same. Pure.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace ranged::server {

/// The query ("text=a%26b&limit=5") that QueryParameters::parse() reads as the members of `json`, an object of texts
/// and numbers: of a number, its digits as they stand or the whole number that they mean. nullopt: no JSON (RFC 8259),
/// no object, or one with another kind of value in it. Names that come twice stay two: the query is refused for it.
/// Cost: linear; memory beside the result for one member at a time, however deep `json` is nested.
[[nodiscard]] std::optional<std::string> query_of_json(std::string_view json);

}  // namespace ranged::server
