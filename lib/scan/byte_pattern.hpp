#pragma once
// What a literal search looks for: bytes, some of whose bits do not matter.

#include <boost/system/result.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace ranged {

enum class TextEncoding : std::uint8_t { utf_8, utf_16le, utf_16be, latin_1 };
enum class NumberType : std::uint8_t { u8, i8, u16, i16, u32, i32, u64, i64, f32, f64 };

/// A byte b matches position i when (b & masks[i]) == values[i].
class BytePattern {
 public:
  /// Bytes of a pattern at most: what a scan keeps of one read for the next is less than this.
  static constexpr std::size_t max_size = 1024;

  /// Hexadecimal digits, two for each byte; '?' is a digit that may be any; spaces between bytes are left out. nullopt:
  /// something else, half a byte, none, or too many bytes.
  [[nodiscard]] static std::optional<BytePattern> from_hex(std::string_view text);

  /// UTF-8 text in another encoding. `fold_case`: letters of ASCII match both their cases. nullopt: not UTF-8, empty,
  /// too long, or (latin_1) a character that the encoding does not have.
  [[nodiscard]] static std::optional<BytePattern> from_text(std::string_view text, TextEncoding encoding,
                                                            bool fold_case);

  /// A number as memory holds it: decimal, or for integers 0x hexadecimal. nullopt: no number, or beyond the type.
  [[nodiscard]] static std::optional<BytePattern> from_number(std::string_view text, NumberType type, bool big_endian);

  [[nodiscard]] std::size_t size() const noexcept { return values_.size(); }
  [[nodiscard]] std::span<const std::uint8_t> values() const noexcept { return values_; }
  [[nodiscard]] std::span<const std::uint8_t> masks() const noexcept { return masks_; }
  /// Whether every bit matters.
  [[nodiscard]] bool is_exact() const noexcept;
  /// Whether zeros match, so that all of a hole does.
  [[nodiscard]] bool matches_zeros() const noexcept;

 private:
  void push(std::uint8_t value, std::uint8_t mask = 0xff);

  std::vector<std::uint8_t> values_;
  std::vector<std::uint8_t> masks_;
};

}  // namespace ranged
