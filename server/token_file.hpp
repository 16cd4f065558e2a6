#pragma once
// Bearer tokens (RFC 6750) as a file of lines. Only their hashes are kept.

#include "server/password_file.hpp"

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace ranged::server {

/// Immutable once parsed; thread-safe.
class TokenFile {
 public:
  /// Shorter ones are refused: 22 characters of base64 hold 128 bits.
  static constexpr std::size_t min_token_bytes = 22;
  static constexpr std::size_t max_token_bytes = 512;

  /// Reads lines TOKEN or NAME:TOKEN; empty ones and those that begin with # are skipped. A token is a b64token of RFC
  /// 6750, 2.1.
  [[nodiscard]] static boost::system::result<TokenFile, SecretFileError> parse(std::string_view text);

  /// Whether `token` is among them. Cost: one SHA-256 and a comparison with each, whose time does not depend on the
  /// values.
  [[nodiscard]] bool verify(std::string_view token) const noexcept;

  [[nodiscard]] std::size_t size() const noexcept { return digests_.size(); }

 private:
  using Digest = std::array<unsigned char, 32>;
  std::vector<Digest> digests_;
};

}  // namespace ranged::server
