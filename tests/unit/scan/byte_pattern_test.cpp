#include <ranged/scan/byte_pattern.hpp>

#include <doctest/doctest.h>

#include <string>
#include <vector>

using ranged::BytePattern;
using ranged::NumberType;
using ranged::TextEncoding;

namespace {

std::vector<unsigned> values(const std::optional<BytePattern>& pattern) {
  REQUIRE(pattern);
  return {pattern->values().begin(), pattern->values().end()};
}
std::vector<unsigned> masks(const std::optional<BytePattern>& pattern) {
  REQUIRE(pattern);
  return {pattern->masks().begin(), pattern->masks().end()};
}
using Bytes = std::vector<unsigned>;

}  // namespace

TEST_CASE("hexadecimal digits, with wildcards for bytes and halves of them") {
  CHECK(values(BytePattern::from_hex("00fF 7f")) == Bytes{0x00, 0xff, 0x7f});
  CHECK(values(BytePattern::from_hex("4? ?? ?4")) == Bytes{0x40, 0x00, 0x04});
  CHECK(masks(BytePattern::from_hex("4? ?? ?4 44")) == Bytes{0xf0, 0x00, 0x0f, 0xff});
  for (const char* const bad : {"", " ", "4", "444", "4 4", "4g", "0x44", "44,44"}) {
    CAPTURE(bad);
    CHECK_FALSE(BytePattern::from_hex(bad));
  }
  CHECK(BytePattern::from_hex(std::string(2 * BytePattern::max_size, 'a')));
  CHECK_FALSE(BytePattern::from_hex(std::string(2 * BytePattern::max_size + 2, 'a')));
}

TEST_CASE("text in each encoding") {
  const char* const text = "a\u00e9\u20ac\U0001f600";  // 1 to 4 bytes of UTF-8
  CHECK(values(BytePattern::from_text(text, TextEncoding::utf_8, false)) ==
        Bytes{0x61, 0xc3, 0xa9, 0xe2, 0x82, 0xac, 0xf0, 0x9f, 0x98, 0x80});
  CHECK(values(BytePattern::from_text(text, TextEncoding::utf_16le, false)) ==
        Bytes{0x61, 0x00, 0xe9, 0x00, 0xac, 0x20, 0x3d, 0xd8, 0x00, 0xde});
  CHECK(values(BytePattern::from_text(text, TextEncoding::utf_16be, false)) ==
        Bytes{0x00, 0x61, 0x00, 0xe9, 0x20, 0xac, 0xd8, 0x3d, 0xde, 0x00});
  CHECK(values(BytePattern::from_text("a\u00e9", TextEncoding::latin_1, false)) == Bytes{0x61, 0xe9});
  CHECK_FALSE(BytePattern::from_text("\u20ac", TextEncoding::latin_1, false));
  CHECK_FALSE(BytePattern::from_text("", TextEncoding::utf_8, false));
  for (const char* const bad : {"\xff", "\xc0\x80", "\xed\xa0\x80", "\xe2\x82", "\xf4\x90\x80\x80", "a\x80"}) {
    CHECK_FALSE(BytePattern::from_text(bad, TextEncoding::utf_8, false));
  }
}

TEST_CASE("letters of ASCII fold, nothing else does") {
  CHECK(masks(BytePattern::from_text("aZ1{", TextEncoding::utf_8, true)) == Bytes{0xdf, 0xdf, 0xff, 0xff});
  CHECK(values(BytePattern::from_text("aZ", TextEncoding::utf_8, true)) == Bytes{'A', 'Z'});
  CHECK(masks(BytePattern::from_text("a", TextEncoding::utf_16be, true)) == Bytes{0xff, 0xdf});
  CHECK(masks(BytePattern::from_text("a", TextEncoding::utf_16le, true)) == Bytes{0xdf, 0xff});
}

TEST_CASE("numbers as memory holds them, and none beyond their type") {
  CHECK(values(BytePattern::from_number("305419896", NumberType::u32, false)) == Bytes{0x78, 0x56, 0x34, 0x12});
  CHECK(values(BytePattern::from_number("0x12345678", NumberType::u32, true)) == Bytes{0x12, 0x34, 0x56, 0x78});
  CHECK(values(BytePattern::from_number("-2", NumberType::i16, true)) == Bytes{0xff, 0xfe});
  CHECK(values(BytePattern::from_number("-128", NumberType::i8, false)) == Bytes{0x80});
  CHECK(values(BytePattern::from_number("1.5", NumberType::f32, true)) == Bytes{0x3f, 0xc0, 0, 0});
  CHECK(values(BytePattern::from_number("-2", NumberType::f64, true)) == Bytes{0xc0, 0, 0, 0, 0, 0, 0, 0});
  CHECK(values(BytePattern::from_number("18446744073709551615", NumberType::u64, true)) == Bytes(8, 0xff));
  CHECK(values(BytePattern::from_number("-9223372036854775808", NumberType::i64, true)) ==
        Bytes{0x80, 0, 0, 0, 0, 0, 0, 0});
  CHECK_FALSE(BytePattern::from_number("256", NumberType::u8, false));
  CHECK_FALSE(BytePattern::from_number("-1", NumberType::u8, false));
  CHECK_FALSE(BytePattern::from_number("128", NumberType::i8, false));
  CHECK_FALSE(BytePattern::from_number("-129", NumberType::i8, false));
  CHECK_FALSE(BytePattern::from_number("18446744073709551616", NumberType::u64, false));
  for (const char* const bad : {"", "-", "0x", "1x", " 1", "--1", "1.5"}) {
    CHECK_FALSE(BytePattern::from_number(bad, NumberType::i32, false));
  }
}

TEST_CASE("what matches zeros") {
  CHECK(BytePattern::from_hex("00??0?")->matches_zeros());
  CHECK_FALSE(BytePattern::from_hex("00??01")->matches_zeros());
  CHECK(BytePattern::from_hex("0041")->is_exact());
  CHECK_FALSE(BytePattern::from_hex("00??")->is_exact());
}
