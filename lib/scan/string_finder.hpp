#pragma once
// Finds printable text in bytes that come in order.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace ranged {

enum class StringEncoding : std::uint8_t { ascii, utf_16le, utf_16be };

/// A run of printable characters.
struct FoundString {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;  ///< bytes
  StringEncoding encoding = StringEncoding::ascii;
  std::string text;  ///< ASCII; the first of them where there are more than StringFinder::max_text
};

/// Finds every longest run of at least `min` printable characters (0x20 to 0x7e, and tab): bytes in a row (ASCII), or
/// pairs with a zero byte after (UTF-16LE) or before each (UTF-16BE). A run that could be either of the two, because
/// zeros stand at both its ends, is the one whose characters begin at even offsets. Not thread-safe. Cost: some 2 ns
/// for a byte.
class StringFinder {
 public:
  static constexpr std::size_t max_text = 256;  ///< characters of a run that are kept

  /// `min`: 1 to max_text. `offset`: of the first byte that will come. `capacity`: strings kept until they are fetched;
  /// `keep`: strings kept at all, further ones are counted.
  StringFinder(std::size_t min, std::uint64_t offset, std::size_t capacity, std::uint64_t keep);

  /// Takes the bytes that follow; returns how many were taken: fewer than all when found() must be emptied first.
  std::size_t take(std::span<const std::byte> bytes);
  /// Takes that many zeros: as take(), but at once.
  std::uint64_t take_zeros(std::uint64_t count);
  /// Says that no more bytes come. What was running ends; found() may exceed its capacity by two.
  void finish();

  [[nodiscard]] std::vector<FoundString>& found() noexcept { return found_; }
  [[nodiscard]] std::uint64_t count() const noexcept { return count_; }

 private:
  void end_ascii();
  void end_wide();
  void add(FoundString string);

  std::size_t min_;
  std::size_t capacity_;
  std::uint64_t keep_;
  std::uint64_t next_;
  std::uint64_t count_ = 0;
  std::vector<FoundString> found_;
  // The run of printable bytes that ends at next_.
  std::uint64_t ascii_length_ = 0;
  std::array<char, max_text> ascii_text_;  ///< its first characters
  // The run that ends at next_ in which printable bytes and zeros take turns.
  std::uint64_t wide_length_ = 0;
  bool wide_begins_with_zero_ = false;
  bool last_was_zero_ = false;
  /// Its first printable bytes, one more than is shown: the first may turn out to be left out.
  std::array<char, max_text + 1> wide_text_;
  std::size_t wide_text_size_ = 0;
};

}  // namespace ranged
