#pragma once
// The query of /bytes and /info: which file, which window, in which encoding. Pure but for the reply that a bad one
// makes.

#include "server/content.hpp"
#include "server/reply.hpp"
#include "server/target.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace ranged::server {

struct FileRequest {
  std::optional<Reply> refused;  ///< engaged when the query cannot be answered
  QueryParameters query;
  std::string_view name;  ///< of the file, as after /files/; views the query or the roots
};

/// Reads the query against the names in `known` (which include "file"): unknown and repeated parameters are refused by
/// name. `file` may be left out when one file is all that is served.
[[nodiscard]] FileRequest read_file_request(const Exchange& exchange, std::span<const std::string_view> known);

/// A window of a file.
struct Window {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
};

/// Where a window lies within a file of `size` bytes. `offset`: decimal or 0x hexadecimal; negative counts from the
/// end, and as far as the start at most, like a suffix range. `length`: decimal or 0x, not negative. What lies beyond
/// the end is left out; an offset beyond the end makes an empty window there. Numbers of any length are read and never
/// wrap. nullopt: one of them is no such number.
[[nodiscard]] std::optional<Window> read_window(std::string_view offset, std::string_view length,
                                                std::uint64_t size) noexcept;

/// A non-negative number, decimal or with 0x hexadecimal; what is beyond 2^64 - 1 is that. nullopt: no number.
[[nodiscard]] std::optional<std::uint64_t> read_number(std::string_view text) noexcept;

}  // namespace ranged::server
