#include <ranged/scan/byte_pattern.hpp>

#include <algorithm>
#include <bit>
#include <charconv>
#include <limits>

namespace ranged {
namespace {

/// A hexadecimal digit: its value, 16 for '?', -1 for anything else.
int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return c == '?' ? 16 : -1;
}

/// Takes one character off valid UTF-8; nullopt when it is not (RFC 3629: no overlong forms, no surrogates).
std::optional<char32_t> take_character(std::string_view& text) noexcept {
  const auto byte = [&text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = byte(0);
  const std::size_t length = first < 0x80   ? 1
                             : first < 0xc2 ? 0
                             : first < 0xe0 ? 2
                             : first < 0xf0 ? 3
                             : first < 0xf5 ? 4
                                            : 0;
  if (length == 0 || text.size() < length) return std::nullopt;
  char32_t character = length == 1 ? first : first & (0x7fU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0U) != 0x80U) return std::nullopt;
    character = character << 6 | (byte(i) & 0x3fU);
  }
  if (length == 3 && (character < 0x800 || (character >= 0xd800 && character < 0xe000))) return std::nullopt;
  if (length == 4 && (character < 0x10000 || character > 0x10ffff)) return std::nullopt;
  text.remove_prefix(length);
  return character;
}

constexpr bool is_letter(char32_t c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

unsigned width_of(NumberType type) noexcept {
  switch (type) {
    case NumberType::u8:
    case NumberType::i8:
      return 1;
    case NumberType::u16:
    case NumberType::i16:
      return 2;
    case NumberType::u32:
    case NumberType::i32:
    case NumberType::f32:
      return 4;
    default:
      return 8;
  }
}

template <class Number>
std::optional<Number> read_all(std::string_view text, int base = 10) noexcept {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

template <class Number>
std::optional<Number> read_floating(std::string_view text) noexcept {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

/// The number's bits, in the low bytes.
std::optional<std::uint64_t> number_bits(std::string_view text, NumberType type) noexcept {
  if (type == NumberType::f32) {
    const auto number = read_floating<float>(text);
    return number ? std::optional<std::uint64_t>(std::bit_cast<std::uint32_t>(*number)) : std::nullopt;
  }
  if (type == NumberType::f64) {
    const auto number = read_floating<double>(text);
    return number ? std::optional<std::uint64_t>(std::bit_cast<std::uint64_t>(*number)) : std::nullopt;
  }
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  const bool hexadecimal = text.starts_with("0x") || text.starts_with("0X");
  if (hexadecimal) text.remove_prefix(2);
  const auto magnitude = read_all<std::uint64_t>(text, hexadecimal ? 16 : 10);
  if (!magnitude) return std::nullopt;
  const unsigned bits = width_of(type) * 8;
  const bool is_signed =
      type == NumberType::i8 || type == NumberType::i16 || type == NumberType::i32 || type == NumberType::i64;
  const std::uint64_t all = std::numeric_limits<std::uint64_t>::max() >> (64 - bits);
  const std::uint64_t most = negative ? (is_signed ? (all >> 1) + 1 : 0) : (is_signed ? all >> 1 : all);
  if (*magnitude > most) return std::nullopt;
  return negative ? (~*magnitude + 1) & all : *magnitude;
}

}  // namespace

void BytePattern::push(std::uint8_t value, std::uint8_t mask) {
  values_.push_back(value & mask);
  masks_.push_back(mask);
}

std::optional<BytePattern> BytePattern::from_hex(std::string_view text) {
  BytePattern pattern;
  for (std::size_t i = 0; i < text.size();) {
    if (text[i] == ' ') {
      ++i;
      continue;
    }
    if (i + 1 == text.size() || pattern.size() == max_size) return std::nullopt;
    const int high = hex_digit(text[i]);
    const int low = hex_digit(text[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    const unsigned value =
        (high == 16 ? 0U : static_cast<unsigned>(high) << 4) | (low == 16 ? 0U : static_cast<unsigned>(low));
    const unsigned mask = (high == 16 ? 0U : 0xf0U) | (low == 16 ? 0U : 0x0fU);
    pattern.push(static_cast<std::uint8_t>(value), static_cast<std::uint8_t>(mask));
    i += 2;
  }
  if (pattern.size() == 0) return std::nullopt;
  return pattern;
}

std::optional<BytePattern> BytePattern::from_text(std::string_view text, TextEncoding encoding, bool fold_case) {
  BytePattern pattern;
  while (!text.empty()) {
    const std::string_view before = text;
    const std::optional<char32_t> taken = take_character(text);
    if (!taken) return std::nullopt;
    const char32_t character = *taken;
    const std::uint8_t mask = fold_case && is_letter(character) ? 0xdf : 0xff;  // the bit that tells the cases of ASCII
    const auto push_unit = [&](char32_t unit, std::uint8_t low_mask) {
      const auto low = static_cast<std::uint8_t>(unit);
      const auto high = static_cast<std::uint8_t>(unit >> 8);
      if (encoding == TextEncoding::utf_16le) pattern.push(low, low_mask);
      pattern.push(high);
      if (encoding == TextEncoding::utf_16be) pattern.push(low, low_mask);
    };
    switch (encoding) {
      case TextEncoding::utf_8:
        for (const char c : before.substr(0, before.size() - text.size()))
          pattern.push(static_cast<std::uint8_t>(c), mask);
        break;
      case TextEncoding::latin_1:
        if (character > 0xff) return std::nullopt;
        pattern.push(static_cast<std::uint8_t>(character), mask);
        break;
      case TextEncoding::utf_16le:
      case TextEncoding::utf_16be:
        if (character < 0x10000) {
          push_unit(character, mask);
        } else {
          push_unit(0xd800 + ((character - 0x10000) >> 10), 0xff);
          push_unit(0xdc00 + ((character - 0x10000) & 0x3ff), 0xff);
        }
        break;
    }
    if (pattern.size() > max_size) return std::nullopt;
  }
  if (pattern.size() == 0) return std::nullopt;
  return pattern;
}

std::optional<BytePattern> BytePattern::from_number(std::string_view text, NumberType type, bool big_endian) {
  const std::optional<std::uint64_t> bits = number_bits(text, type);
  if (!bits) return std::nullopt;
  BytePattern pattern;
  const unsigned width = width_of(type);
  for (unsigned i = 0; i < width; ++i) {
    const unsigned place = big_endian ? width - 1 - i : i;
    pattern.push(static_cast<std::uint8_t>(*bits >> (place * 8)));
  }
  return pattern;
}

bool BytePattern::is_exact() const noexcept {
  return std::ranges::all_of(masks_, [](std::uint8_t mask) { return mask == 0xff; });
}

bool BytePattern::matches_zeros() const noexcept {
  return std::ranges::all_of(values_, [](std::uint8_t value) { return value == 0; });
}

}  // namespace ranged
