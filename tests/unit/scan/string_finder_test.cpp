#include <ranged/scan/string_finder.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <string>
#include <tuple>

using namespace ranged;
using namespace std::string_literals;

namespace {

using Found = std::tuple<std::uint64_t, std::uint64_t, StringEncoding, std::string>;

std::vector<Found> find(std::string_view text, std::size_t min, std::size_t piece, std::size_t capacity = 3,
                        std::size_t hole = ~std::size_t{0}, std::uint64_t offset = 0) {
  StringFinder finder(min, offset, capacity, ~std::uint64_t{0});
  std::vector<Found> all;
  const auto fetch = [&] {
    for (const FoundString& string : finder.found()) {
      all.emplace_back(string.offset, string.length, string.encoding, string.text);
    }
    finder.found().clear();
  };
  for (std::size_t at = 0; at < text.size(); fetch()) {
    const std::size_t zeros = std::min(text.find_first_not_of('\0', at), text.size()) - at;
    if (zeros >= hole) {
      at += static_cast<std::size_t>(finder.take_zeros(zeros));
    } else {
      const std::string_view now = text.substr(at, piece);
      at += finder.take({reinterpret_cast<const std::byte*>(now.data()), now.size()});
    }
  }
  finder.finish();
  fetch();
  CHECK(finder.count() == all.size());
  std::sort(all.begin(), all.end());
  return all;
}

bool printable(char c) {
  return (c >= 0x20 && c < 0x7f) || c == '\t';
}

/// By the definition, for ASCII.
std::vector<Found> ascii_runs(const std::string& text, std::size_t min) {
  std::vector<Found> runs;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = at;
    while (end < text.size() && printable(text[end])) ++end;
    if (end - at >= min) runs.emplace_back(at, end - at, StringEncoding::ascii, text.substr(at, end - at));
    at = std::max(end, at + 1);
  }
  return runs;
}

}  // namespace

TEST_CASE("runs of ASCII, those of the definition") {
  std::mt19937 random(9);
  for (int round = 0; round < 500; ++round) {
    std::string text;
    // No zeros: nothing that could be UTF-16.
    for (std::size_t i = 0; i < 200; ++i) text += random() % 4 == 0 ? '\x01' : static_cast<char>('a' + random() % 26);
    REQUIRE(find(text, 4, 1 + random() % 50) == ascii_runs(text, 4));
  }
}

TEST_CASE("UTF-16 in both byte orders") {
  const auto wide = [](std::string_view text, bool big) {
    std::string out;
    for (const char c : text) out += big ? "\0"s + c : c + "\0"s;
    return out;
  };
  using enum StringEncoding;
  for (const std::size_t piece : {1UL, 2UL, 3UL, 100UL}) {
    CAPTURE(piece);
    CHECK(find("\x01\x02" + wide("hello", false) + "\x01", 4, piece) == std::vector<Found>{{2, 10, utf_16le, "hello"}});
    CHECK(find("\x01\x02" + wide("hello", true) + "\x01", 4, piece) == std::vector<Found>{{2, 10, utf_16be, "hello"}});
    // Zeros at both ends: even offsets decide.
    CHECK(find("\0\0"s + wide("hello", false) + "\0\0"s, 4, piece) == std::vector<Found>{{2, 10, utf_16le, "hello"}});
    CHECK(find("\x01\x02"s + wide("hello", true) + "\0\x01"s, 4, piece) ==
          std::vector<Found>{{2, 10, utf_16be, "hello"}});
    CHECK(find(wide("abc", false), 4, piece).empty());
    CHECK(find(wide("abcd", false), 4, piece) == std::vector<Found>{{0, 8, utf_16le, "abcd"}});
  }
}

TEST_CASE("a long run is told once, its text cut") {
  const std::string text(1000, 'x');
  const auto found = find("\x01" + text, 4, 77);
  REQUIRE(found.size() == 1);
  CHECK(found[0] == Found{1, 1000, StringEncoding::ascii, text.substr(0, StringFinder::max_text)});
}

TEST_CASE("holes change nothing") {
  std::mt19937 random(10);
  for (int round = 0; round < 500; ++round) {
    std::string text;
    while (text.size() < 300) {
      if (random() % 6 == 0) {
        text += std::string(1 + random() % 12, '\0');
      } else {
        text += random() % 2 == 0 ? std::string(1, static_cast<char>('a' + random() % 26))
                                  : static_cast<char>('a' + random() % 26) + "\0"s;
      }
    }
    REQUIRE(find(text, 3, 1 + random() % 20, 3, 1 + random() % 6) == find(text, 3, text.size(), 1000));
  }
  StringFinder finder(4, 0, 10, 10);
  CHECK(finder.take_zeros(std::uint64_t{1} << 40) == std::uint64_t{1} << 40);
}
