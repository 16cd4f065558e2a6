#pragma once
// Checksums of bytes that come in order.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace ranged {

/// A checksum being computed. Not thread-safe. Cost: a few hundred bytes.
class Digest {
 public:
  virtual ~Digest() = default;

  virtual void update(std::span<const std::byte> bytes) = 0;
  /// The checksum of all bytes, as lower-case hexadecimal, the highest byte of a number first. Once, at the end.
  [[nodiscard]] virtual std::string finish() = 0;

  /// By name: sha-256, sha-512, sha-1, md5, blake2b-512 (of OpenSSL), crc32c, xxh3 (64 bits, seed 0). Null: no such
  /// algorithm, or one that this machine's OpenSSL does not allow.
  [[nodiscard]] static std::unique_ptr<Digest> create(std::string_view name);
};

/// The CRC-32C (Castagnoli, RFC 3720, B.4) of bytes after others whose CRC is `crc`; 0 before the first. By the
/// processor's own instruction where it has one (x86-64 with SSE 4.2). Pure, thread-safe.
[[nodiscard]] std::uint32_t crc32c(std::uint32_t crc, std::span<const std::byte> bytes) noexcept;
/// The same without that instruction; for comparison.
[[nodiscard]] std::uint32_t crc32c_by_table(std::uint32_t crc, std::span<const std::byte> bytes) noexcept;

}  // namespace ranged
