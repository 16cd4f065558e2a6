#pragma once
// Want-Content-Digest: which digest of a response's content a client would like (RFC 9530, 4).

#include <cstdint>
#include <string_view>

namespace ranged::http {

/// The algorithms of RFC 9530, 5 that are no longer broken.
enum class DigestAlgorithm : std::uint8_t { none, sha_256, sha_512 };

/// The name that the fields give it: "sha-256"; empty for none.
[[nodiscard]] std::string_view digest_name(DigestAlgorithm algorithm) noexcept;

/// The lines of one Want-Content-Digest field. Pure data without views: it outlives the request.
class WantedDigest {
 public:
  /// Takes a field line in the order received. Lines of one field are one dictionary (RFC 8941, 4.2): of a key that
  /// comes twice the last value counts, and a fault in one makes all of them mean nothing. Cost: linear, no allocation.
  void add(std::string_view line) noexcept;

  /// What is wanted most, sha-256 of two that are wanted as much; none when nothing that we have is wanted, or when the
  /// field is at fault.
  [[nodiscard]] DigestAlgorithm choice() const noexcept;

 private:
  [[nodiscard]] bool take_members(std::string_view line) noexcept;

  std::uint8_t sha_256_ = 0;  ///< preferences: 0 (not wanted) to 10
  std::uint8_t sha_512_ = 0;
  bool fault_ = false;
};

}  // namespace ranged::http
