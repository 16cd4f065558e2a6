#pragma once
// What a stretch of bytes looks like from afar: how often each value comes, and what follows from that.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace ranged {

/// Counts byte values. Not thread-safe. Cost: 2 KiB; some 0.4 ns for a byte.
class ByteStatistics {
 public:
  void take(std::span<const std::byte> bytes) noexcept;
  void take_zeros(std::uint64_t count) noexcept { counts_[0] += count; }
  void clear() noexcept { counts_.fill(0); }

  /// Bytes of each class: 0x00; 0xff; printable ASCII with tab, line feed and carriage return; the other control bytes,
  /// 0x7f among them; 0x80 to 0xfe.
  struct Classes {
    std::uint64_t zero = 0, ones = 0, printable = 0, control = 0, high = 0;
    bool operator==(const Classes&) const = default;
  };

  [[nodiscard]] std::uint64_t total() const noexcept;
  /// Shannon entropy in bits for a byte, 0 to 8; 0 when there is none.
  [[nodiscard]] double entropy() const noexcept;
  [[nodiscard]] Classes classes() const noexcept;
  /// The smallest and the largest value that came; 0 when none did.
  [[nodiscard]] unsigned min() const noexcept;
  [[nodiscard]] unsigned max() const noexcept;

 private:
  std::array<std::uint64_t, 256> counts_{};
};

}  // namespace ranged
