#include <ranged/http/header_writer.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>

using ranged::http::HeaderWriter;

TEST_CASE("text, numbers and fields in the order written") {
  std::array<char, 256> buffer{};
  HeaderWriter writer(buffer);
  CHECK(writer.text().empty());
  writer.append("HTTP/1.1 ");
  writer.append(std::uint64_t{206});
  writer.append("\r\n");
  writer.field("ETag", "\"x\"");
  writer.field("Content-Length", std::numeric_limits<std::uint64_t>::max());
  writer.field("X-Zero", std::uint64_t{0});
  writer.field("X-Empty", "");
  CHECK_FALSE(writer.failed());
  CHECK(writer.text() ==
        "HTTP/1.1 206\r\nETag: \"x\"\r\nContent-Length: 18446744073709551615\r\nX-Zero: 0\r\nX-Empty: \r\n");
  CHECK(writer.size() == writer.text().size());
}

TEST_CASE("never a byte beyond the buffer, whatever its length") {
  constexpr std::string_view whole = "abcName: value\r\nNumber: 12345\r\n";
  for (std::size_t capacity = 0; capacity <= whole.size() + 1; ++capacity) {
    INFO(capacity);
    std::string buffer(whole.size() + 2, '#');
    HeaderWriter writer{std::span<char>(buffer).first(capacity)};
    writer.append("abc");
    writer.field("Name", "value");
    writer.field("Number", std::uint64_t{12345});
    CHECK(writer.failed() == (capacity < whole.size()));
    CHECK(writer.size() <= capacity);
    CHECK(whole.starts_with(writer.text()));
    CHECK(buffer.substr(capacity) == std::string(buffer.size() - capacity, '#'));
    if (!writer.failed()) CHECK(writer.text() == whole);
  }
}

TEST_CASE("after a failure nothing more is written, though it would fit") {
  std::array<char, 8> buffer{};
  HeaderWriter writer(buffer);
  writer.append("abcd");
  writer.append("too long");
  writer.append("e");
  CHECK(writer.failed());
  CHECK(writer.text() == "abcd");
}

TEST_CASE("a value that would end its line fails") {
  for (const std::string_view value :
       {std::string_view("a\r\nSet-Cookie: b"), std::string_view("a\rb"), std::string_view("a\nb"),
        std::string_view("a\0b", 3), std::string_view("\n"), std::string_view("\0", 1)}) {
    std::array<char, 128> buffer{};
    HeaderWriter writer(buffer);
    writer.field("Before", "x");
    writer.field("ETag", value);
    writer.field("After", "x");
    CHECK(writer.failed());
    CHECK(writer.text() == "Before: x\r\n");
  }
}
