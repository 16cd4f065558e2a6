#include <ranged/http/multipart.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace {

using ranged::http::Boundary;
using ranged::http::ByteRange;
using ranged::http::make_boundary;
using ranged::http::max_media_type_length;
using ranged::http::max_part_head_length;
using ranged::http::multipart_end_length;
using ranged::http::multipart_length;
using ranged::http::part_head_length;

constexpr std::uint64_t max64 = std::numeric_limits<std::uint64_t>::max();

const Boundary boundary = make_boundary({0x0123456789abcdef, 0xfedcba9876543210});

std::string part_head(bool first, const ByteRange& range, std::uint64_t size, std::string_view media_type) {
  std::array<char, max_part_head_length> buffer{};
  const std::size_t length = write_part_head(buffer, boundary, first, range, size, media_type);
  return {buffer.data(), length};
}

}  // namespace

TEST_CASE("a boundary is its bits in hexadecimal, always of one length") {
  CHECK(boundary.view() == "0123456789abcdeffedcba9876543210");
  CHECK(make_boundary({0, 0}).view() == std::string(32, '0'));
  CHECK(make_boundary({max64, max64}).view() == std::string(32, 'f'));
  CHECK(make_boundary({0, 1}).view() == std::string(31, '0') + "1");
}

TEST_CASE("the framing, byte for byte (RFC 2046, 5.1.1)") {
  CHECK(part_head(true, {0, 4}, 11, "text/plain") ==
        "--0123456789abcdeffedcba9876543210\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-4/11\r\n\r\n");
  CHECK(part_head(false, {6, 10}, 11, "text/plain") ==
        "\r\n--0123456789abcdeffedcba9876543210\r\nContent-Type: text/plain\r\nContent-Range: bytes 6-10/11\r\n\r\n");
  std::array<char, multipart_end_length> end{};
  CHECK(write_multipart_end(end, boundary) == multipart_end_length);
  CHECK(std::string_view(end.data(), end.size()) == "\r\n--0123456789abcdeffedcba9876543210--\r\n");
}

TEST_CASE("lengths told are lengths written, for numbers of every count of digits") {
  std::vector<std::uint64_t> numbers = {0, max64};
  for (std::uint64_t power = 1;; power *= 10) {
    numbers.push_back(power - 1);
    numbers.push_back(power);
    if (power > max64 / 10) break;
  }
  for (const bool first : {true, false}) {
    for (const std::uint64_t number : numbers) {
      for (const std::size_t type_length : {std::size_t{0}, std::size_t{10}, max_media_type_length}) {
        const std::string type(type_length, 't');
        const ByteRange range{number, number};
        const std::string head = part_head(first, range, number, type);
        CHECK(head.size() == part_head_length(first, range, number, type));
        CHECK(head.ends_with("\r\n\r\n"));
      }
    }
  }
}

TEST_CASE("the longest head fills its buffer exactly") {
  const std::string type(max_media_type_length, 't');
  CHECK(part_head_length(false, {max64 - 1, max64 - 1}, max64, type) == max_part_head_length);
}

TEST_CASE("the length of a body is the sum of what it is made of") {
  std::mt19937_64 random(4);
  for (int round = 0; round < 500; ++round) {
    const std::uint64_t size = random() >> (1 + random() % 60);
    if (size == 0) continue;
    const std::string type(random() % 40, 't');
    std::vector<ByteRange> ranges(2 + random() % 20);
    std::uint64_t expected = multipart_end_length;
    for (std::size_t i = 0; i < ranges.size(); ++i) {
      const std::uint64_t first = random() % size;
      ranges[i] = {first, first + std::min<std::uint64_t>(random() % 1000, size - 1 - first)};
      expected += part_head(i == 0, ranges[i], size, type).size() + ranges[i].length();
    }
    CHECK(multipart_length(ranges, size, type) == expected);
  }
}

TEST_CASE("a body of 2^64 bytes or more has no length") {
  // Two parts, the second as long as it can be and yet have a length: one byte more is too much.
  const std::uint64_t framing = part_head_length(true, {0, 0}, max64, "a/b") + 1 +
                                part_head_length(false, {2, max64 - 1}, max64, "a/b") + multipart_end_length;
  const std::uint64_t longest = max64 - framing;
  // It begins a few hundred bytes in: at a number of three digits, where {2, ...} has one.
  const std::uint64_t fits = longest - 2;
  const std::uint64_t last = max64 - 1;
  CHECK(multipart_length(std::vector<ByteRange>{{0, 0}, {last - fits + 1, last}}, max64, "a/b") == max64);
  CHECK_FALSE(multipart_length(std::vector<ByteRange>{{0, 0}, {last - fits, last}}, max64, "a/b"));
  CHECK_FALSE(multipart_length(std::vector<ByteRange>{{0, max64 - 2}, {5, max64 - 2}}, max64, "a/b"));
}
