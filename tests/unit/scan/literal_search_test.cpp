#include "pieces.hpp"

#include <ranged/scan/literal_search.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <string>

using namespace ranged;
using ranged::testing::feed;

namespace {

/// By the definition.
std::vector<Match> all_matches(const BytePattern& pattern, std::span<const std::byte> bytes, std::uint64_t offset) {
  std::vector<Match> found;
  for (std::size_t at = 0; at + pattern.size() <= bytes.size(); ++at) {
    bool same = true;
    for (std::size_t i = 0; i < pattern.size() && same; ++i) {
      same = (static_cast<unsigned>(bytes[at + i]) & pattern.masks()[i]) == pattern.values()[i];
    }
    if (same) found.push_back({offset + at, pattern.size()});
  }
  return found;
}

/// Bytes of few values, so that matches are met often, with runs of zeros.
std::vector<std::byte> random_bytes(std::size_t size, unsigned values, std::mt19937& random) {
  std::vector<std::byte> bytes(size);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random() % values);
  for (int run = 0; run < 4; ++run) {
    const std::size_t begin = random() % size;
    const std::size_t length = std::min<std::size_t>(random() % 200, size - begin);
    std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(begin), length, std::byte{0});
  }
  return bytes;
}

BytePattern random_pattern(std::size_t size, unsigned values, std::mt19937& random) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string hex;
  for (std::size_t i = 0; i < size; ++i) {
    const auto value = static_cast<unsigned>(random() % values);
    const bool wild = random() % 5 == 0;
    hex += wild ? '?' : digits[value >> 4];
    hex += wild && random() % 2 == 0 ? '?' : digits[value & 15];
  }
  return *BytePattern::from_hex(hex);
}

}  // namespace

TEST_CASE("a finder finds what the definition does, at every position and alignment") {
  std::mt19937 random(1);
  for (int round = 0; round < 3000; ++round) {
    const std::size_t size = 1 + random() % 300;
    const unsigned values = 1 + random() % 4;
    const std::vector<std::byte> bytes = random_bytes(size, values, random);
    const LiteralFinder finder(random_pattern(1 + random() % 9, values, random));
    std::vector<Match> found;
    for (std::size_t at = finder.find(bytes, 0); at != LiteralFinder::none; at = finder.find(bytes, at + 1)) {
      found.push_back({at, finder.pattern().size()});
    }
    CAPTURE(round);
    REQUIRE(found == all_matches(finder.pattern(), bytes, 0));
    const std::size_t from = random() % (size + 2);
    REQUIRE(finder.count(bytes, from) == static_cast<std::size_t>(std::ranges::count_if(
                                             found, [&](const Match& match) { return match.offset >= from; })));
  }
}

TEST_CASE("pieces, full queues and holes change nothing of what is found") {
  std::mt19937 random(2);
  constexpr std::uint64_t offset = std::uint64_t{5} << 32;
  for (int round = 0; round < 3000; ++round) {
    const unsigned values = 1 + random() % 4;
    const std::vector<std::byte> bytes = random_bytes(1 + random() % 700, values, random);
    const LiteralFinder finder(random_pattern(1 + random() % 12, values, random));
    LiteralSearch search(finder, offset);
    const std::vector<Match> found =
        feed(search, bytes, 1 + random() % 64, 1 + random() % 8, random, 1 + random() % 40);
    CAPTURE(round);
    REQUIRE(found == all_matches(finder.pattern(), bytes, offset));
  }
}

TEST_CASE("a match on every edge of pages is found, by the longest pattern too") {
  std::mt19937 random(3);
  constexpr std::size_t page = 4096;
  for (const std::size_t length : {std::size_t{2}, std::size_t{7}, std::size_t{64}, BytePattern::max_size}) {
    std::string needle;
    for (std::size_t i = 0; i < length; ++i) needle += static_cast<char>('a' + random() % 26);
    std::vector<std::byte> bytes(32 * page, std::byte{'.'});
    std::vector<Match> planted;
    for (std::size_t edge = page; edge < bytes.size(); edge += page) {
      const std::size_t before = 1 + random() % (length - 1);
      std::copy_n(testing::bytes_of(needle).begin(), length,
                  bytes.begin() + static_cast<std::ptrdiff_t>(edge - before));
      planted.push_back({edge - before, length});
    }
    const LiteralFinder finder(*BytePattern::from_text(needle, TextEncoding::utf_8, false));
    LiteralSearch search(finder, 0);
    MatchQueue queue(1000, 1000);
    for (std::size_t at = 0; at < bytes.size(); at += page) {
      REQUIRE(search.take(std::span(bytes).subspan(at, page), queue) == page);
    }
    std::vector<Match> found;
    testing::drain(queue, found);
    CHECK(found == planted);
  }
}

TEST_CASE("zeros that nobody looks at are counted at once, and at either end of a hole matches are found") {
  const std::uint64_t hole = std::uint64_t{1} << 40;
  SUBCASE("a pattern of zeros matches everywhere in a hole") {
    const LiteralFinder finder(*BytePattern::from_hex("0000 00"));
    LiteralSearch search(finder, 0);
    MatchQueue queue(100, 10);
    CHECK(search.take_zeros(hole, queue) == hole);
    CHECK(queue.count() == hole - 2);
    std::vector<Match> found;
    testing::drain(queue, found);
    REQUIRE(found.size() == 10);
    CHECK(found.back() == Match{9, 3});
  }
  SUBCASE("one across the edges") {
    const LiteralFinder finder(*BytePattern::from_hex("41 00 00"));
    LiteralSearch search(finder, 0);
    MatchQueue queue(100, 100);
    const std::string text = "A";
    CHECK(search.take(testing::bytes_of(text), queue) == 1);
    CHECK(search.take_zeros(hole, queue) == hole);
    std::vector<Match> found;
    testing::drain(queue, found);
    CHECK(found == std::vector<Match>{{0, 3}});
    const LiteralFinder behind(*BytePattern::from_hex("00 00 41"));
    LiteralSearch second(behind, 0);
    CHECK(second.take_zeros(hole, queue) == hole);
    CHECK(second.take(testing::bytes_of(text), queue) == 1);
    found.clear();
    testing::drain(queue, found);
    CHECK(found == std::vector<Match>{{hole - 2, 3}});
  }
}

TEST_CASE("beyond the limit matches are counted and not kept") {
  const LiteralFinder finder(*BytePattern::from_hex("61"));
  LiteralSearch search(finder, 0);
  const std::string text(1000, 'a');
  MatchQueue queue(4, 4);
  CHECK(search.take(testing::bytes_of(text), queue) == 1000);
  CHECK(queue.count() == 1000);
  std::vector<Match> found;
  testing::drain(queue, found);
  CHECK(found == std::vector<Match>{{0, 1}, {1, 1}, {2, 1}, {3, 1}});
}
