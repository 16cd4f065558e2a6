#pragma once
// Finds a byte pattern: in one stretch of memory at the speed of memory, and in a sequence of stretches across their
// edges.

#include <ranged/scan/byte_pattern.hpp>
#include <ranged/scan/match.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace ranged {

/// Finds a pattern in memory. Looks for the two bytes of it that are rarest as a rule, 32 or 16 positions at a time,
/// and compares the rest only where both are. Immutable, thread-safe.
class LiteralFinder {
 public:
  static constexpr std::size_t none = static_cast<std::size_t>(-1);

  explicit LiteralFinder(BytePattern pattern);

  [[nodiscard]] const BytePattern& pattern() const noexcept { return pattern_; }

  /// The first position from `from` on at which the pattern lies wholly in `bytes`, or none. Cost: some 0.04 ns for a
  /// byte where the two rare bytes do not meet, the length of the pattern where they do.
  [[nodiscard]] std::size_t find(std::span<const std::byte> bytes, std::size_t from) const noexcept;

  /// How many positions from `from` on there are at which the pattern lies wholly in `bytes`, overlapping ones too.
  /// Cost: as find() to the end, and 0.3 ns for a position however many match, where two bytes of the pattern matter or
  /// fewer.
  [[nodiscard]] std::size_t count(std::span<const std::byte> bytes, std::size_t from) const noexcept;

 private:
  [[nodiscard]] bool matches(const std::byte* at) const noexcept;
  [[nodiscard]] std::size_t find_scalar(const std::byte* bytes, std::size_t from, std::size_t end) const noexcept;
  [[nodiscard]] std::size_t find_sse2(const std::byte* bytes, std::size_t from, std::size_t end) const noexcept;
  [[nodiscard]] std::size_t find_avx2(const std::byte* bytes, std::size_t from, std::size_t end) const noexcept;
  [[nodiscard]] std::size_t count_avx2(const std::byte* bytes, std::size_t from, std::size_t end) const noexcept;

  BytePattern pattern_;
  std::size_t first_ = 0;  ///< positions of the two bytes looked for; the same for a pattern of one
  std::size_t second_ = 0;
  bool exact_ = true;
  bool two_suffice_ = true;  ///< no bit of any other byte matters: where the two match, the pattern does
  bool has_avx2_ = false;
};

/// Finds a pattern in bytes that come in order. Every position at which the pattern matches is a match, overlapping
/// ones too. Not thread-safe.
class LiteralSearch {
 public:
  /// `offset`: of the first byte that will come. The finder outlives the search.
  LiteralSearch(const LiteralFinder& finder, std::uint64_t offset) noexcept : finder_(&finder), next_(offset) {}

  /// Takes the bytes that follow and puts matches into `matches`. Returns how many were taken: all, or fewer because
  /// `matches` is full; then the rest is to come again once there is room.
  std::size_t take(std::span<const std::byte> bytes, MatchQueue& matches) noexcept;
  /// Takes that many zeros that follow: as take(), without there being any, and at once, however many.
  std::uint64_t take_zeros(std::uint64_t count, MatchQueue& matches) noexcept;

 private:
  [[nodiscard]] std::size_t overlap() const noexcept { return finder_->pattern().size() - 1; }
  void keep_tail(std::span<const std::byte> taken) noexcept;

  const LiteralFinder* finder_;
  std::uint64_t next_;  ///< offset of the next byte
  /// The last bytes taken, fewer than the pattern has: what a match across an edge begins with.
  std::array<std::byte, BytePattern::max_size> tail_;
  std::size_t tail_size_ = 0;
};

}  // namespace ranged
