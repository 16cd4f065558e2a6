#include "server/wire_encoding.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <string_view>

namespace ranged::server {

namespace {

constexpr std::string_view base64_alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view hex_alphabet = "0123456789abcdef";

/// Calls `visit` for each of the first `length` bytes.
template <class Visit>
void for_each_byte(ByteStretches stretches, std::size_t length, Visit visit) {
  for (const auto stretch : stretches) {
    const std::size_t count = std::min(length, stretch.size());
    for (std::size_t i = 0; i < count; ++i) visit(std::to_integer<unsigned>(stretch[i]));
    length -= count;
    if (length == 0) return;
  }
}

}  // namespace

std::size_t encode_base64(ByteStretches stretches, std::size_t length, std::span<char> out) noexcept {
  assert(out.size() >= (length + 2) / 3 * 4);
  std::size_t written = 0;
  unsigned group = 0;
  unsigned held = 0;
  for_each_byte(stretches, length, [&](unsigned byte) {
    group = (group << 8U) | byte;
    if (++held < 3) return;
    out[written++] = base64_alphabet[(group >> 18U) & 63U];
    out[written++] = base64_alphabet[(group >> 12U) & 63U];
    out[written++] = base64_alphabet[(group >> 6U) & 63U];
    out[written++] = base64_alphabet[group & 63U];
    group = 0;
    held = 0;
  });
  if (held != 0) {
    group <<= 8U * (3 - held);
    out[written++] = base64_alphabet[(group >> 18U) & 63U];
    out[written++] = base64_alphabet[(group >> 12U) & 63U];
    out[written++] = held == 2 ? base64_alphabet[(group >> 6U) & 63U] : '=';
    out[written++] = '=';
  }
  return written;
}

std::size_t encode_hex(ByteStretches stretches, std::size_t length, std::span<char> out) noexcept {
  assert(out.size() >= length * 2);
  std::size_t written = 0;
  for_each_byte(stretches, length, [&](unsigned byte) {
    out[written++] = hex_alphabet[byte >> 4U];
    out[written++] = hex_alphabet[byte & 15U];
  });
  return written;
}

}  // namespace ranged::server
