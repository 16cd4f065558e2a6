#pragma once
// Base64 and hexadecimal text of bytes that lie in several stretches. Pure.

#include <cstddef>
#include <span>

namespace ranged::server {

using ByteStretches = std::span<const std::span<const std::byte>>;

/// RFC 4648 base64 (section 4) of the first `length` bytes of `stretches` into `out`, with padding when `length` is not
/// a multiple of three (so only the last call for a body may have such a length). Returns the characters written: 4 for
/// each 3 bytes begun.
std::size_t encode_base64(ByteStretches stretches, std::size_t length, std::span<char> out) noexcept;

/// Lower-case hexadecimal, two characters a byte.
std::size_t encode_hex(ByteStretches stretches, std::size_t length, std::span<char> out) noexcept;

}  // namespace ranged::server
