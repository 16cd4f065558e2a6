#include "server/request_id.hpp"

#include <algorithm>

namespace ranged::server {

namespace {

/// A permutation of 64 bits in which each bit depends on all (the finalizer of SplitMix64, by Steele, Lea and Flood).
constexpr std::uint64_t permute(std::uint64_t x) noexcept {
  x ^= x >> 30U;
  x *= 0xbf58476d1ce4e5b9;
  x ^= x >> 27U;
  x *= 0x94d049bb133111eb;
  x ^= x >> 31U;
  return x;
}

constexpr bool is_id_byte(char c) noexcept {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         std::string_view("-_.~:/+=").find(c) != std::string_view::npos;
}

}  // namespace

bool is_request_id(std::string_view text) noexcept {
  return !text.empty() && text.size() <= max_request_id && std::ranges::all_of(text, is_id_byte);
}

RequestIdText make_request_id(std::uint64_t number, const RequestIdKeys& keys) noexcept {
  constexpr std::string_view digits = "0123456789abcdef";
  std::uint64_t id = permute(number ^ keys.before) ^ keys.after;
  RequestIdText text;
  for (std::size_t i = text.size(); i > 0; id >>= 4U) text[--i] = digits[id & 15U];
  return text;
}

}  // namespace ranged::server
