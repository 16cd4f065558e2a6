#pragma once
// What names a request in its answer and in the access log (X-Request-Id), so that whoever complains can be helped.
// Pure.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace ranged::server {

/// Longer ones of clients are not taken: room for a UUID, a trace id of the W3C's (55 bytes), and not much more.
inline constexpr std::size_t max_request_id = 64;

/// Whether an id that a client gave is taken over: 1 to max_request_id letters, digits and "-_.~:/+=", which neither a
/// header, nor a log, nor a shell takes for anything else.
[[nodiscard]] bool is_request_id(std::string_view text) noexcept;

/// Secrets of the process, random.
struct RequestIdKeys {
  std::uint64_t before = 0;
  std::uint64_t after = 0;
};

/// The text of an id of our own: 16 hexadecimal digits.
using RequestIdText = std::array<char, 16>;

/// An id from the number of a request. Different numbers have different ids, as long as the keys are the same, and
/// without the keys an id does not tell how many requests there were between two of them. Cost: a few nanoseconds.
[[nodiscard]] RequestIdText make_request_id(std::uint64_t number, const RequestIdKeys& keys) noexcept;

}  // namespace ranged::server
