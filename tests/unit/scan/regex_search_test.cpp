#include "pieces.hpp"

#include <ranged/scan/regex_search.hpp>

#include <doctest/doctest.h>

#include <memory>
#include <regex>
#include <string>

using namespace ranged;

namespace {

std::unique_ptr<RegexSearch> compile(std::string_view expression, bool fold_case = false) {
  auto search = RegexSearch::create(expression, fold_case);
  REQUIRE(search.has_value());
  return std::move(*search);
}

std::vector<Match> search_in(std::string_view expression, std::span<const std::byte> bytes, std::size_t max_piece,
                             std::size_t capacity, std::mt19937& random, std::size_t hole = ~std::size_t{0},
                             bool fold_case = false) {
  const std::unique_ptr<RegexSearch> search = compile(expression, fold_case);
  std::vector<Match> found = testing::feed(*search, bytes, max_piece, capacity, random, hole);
  MatchQueue queue(capacity, ~std::uint64_t{0});
  while (!search->finish(queue)) testing::drain(queue, found);
  testing::drain(queue, found);
  return found;
}

/// The same by the standard library. Expressions for which the first alternative is the longest.
std::vector<Match> reference(const std::string& expression, const std::string& text) {
  std::vector<Match> found;
  const std::regex compiled(expression);
  for (std::sregex_iterator at(text.begin(), text.end(), compiled), end; at != end; ++at) {
    found.push_back({static_cast<std::uint64_t>(at->position()), static_cast<std::uint64_t>(at->length())});
  }
  return found;
}

}  // namespace

TEST_CASE("what the standard library finds, in whatever pieces the bytes come") {
  std::mt19937 random(4);
  for (const char* const expression : {"ab", "a+b", "a[bc]+", "abc|cab", "b{2,3}c", "ca?b"}) {
    for (int round = 0; round < 40; ++round) {
      std::string text;
      for (std::size_t i = 0; i < 50 + random() % 500; ++i) text += static_cast<char>('a' + random() % 4);
      CAPTURE(expression);
      CAPTURE(text);
      REQUIRE(search_in(expression, testing::bytes_of(text), 1 + random() % 70, 1 + random() % 5, random) ==
              reference(expression, text));
    }
  }
}

TEST_CASE("a match is as long as it can be, and may be a byte or lines long") {
  std::mt19937 random(5);
  const std::string text = "x=12345;\ny=7;\n";
  CHECK(search_in("[0-9]+", testing::bytes_of(text), 3, 4, random) == std::vector<Match>{{2, 5}, {11, 1}});
  CHECK(search_in("^y.*$", testing::bytes_of(text), 3, 4, random).front().offset == 9);
  CHECK(search_in("X=", testing::bytes_of(text), 3, 4, random).empty());
  CHECK(search_in("X=", testing::bytes_of(text), 3, 4, random, ~std::size_t{0}, true) == std::vector<Match>{{0, 2}});
}

TEST_CASE("holes are gone over, and what lies at their ends is found") {
  std::mt19937 random(6);
  constexpr std::size_t hole = 300'000;
  std::string text = "key\x01" + std::string(hole, '\0') + "key\x02" + std::string(hole, '\0') + "end";
  for (const char* const expression :
       {"key.", "\\x01\\x00", "\\x00{3}key", "d$", "\\x00end", "^key", "[\\x00]+e", "y.\\x00{5}"}) {
    CAPTURE(expression);
    const auto whole = search_in(expression, testing::bytes_of(text), 5000, 100, random);
    const auto skipped = search_in(expression, testing::bytes_of(text), 5000, 100, random, 1000);
    CHECK(skipped == whole);
    if (std::string_view(expression) != "[\\x00]+e") CHECK_FALSE(whole.empty());
  }
  const std::unique_ptr<RegexSearch> search = compile("abc");
  MatchQueue queue(10, 10);
  const std::uint64_t terabyte = std::uint64_t{1} << 40;
  CHECK(search->take_zeros(terabyte, queue) == terabyte);
}

TEST_CASE("what cannot be searched for is refused with a reason") {
  const std::string long_one(RegexSearch::max_expression + 1, 'a');
  for (const std::string_view bad : {std::string_view("("), std::string_view("a*"), std::string_view(""),
                                     std::string_view("(a)\\1"), std::string_view(long_one)}) {
    const auto search = RegexSearch::create(bad, false);
    REQUIRE(search.has_error());
    CHECK_FALSE(search.error().message.empty());
  }
}

TEST_CASE("beyond the limit matches are counted") {
  const std::unique_ptr<RegexSearch> search = compile("a[bx]");
  std::string text;
  for (int i = 0; i < 10'000; ++i) text += "ab";
  MatchQueue queue(8, 5);
  CHECK(search->take(testing::bytes_of(text), queue) == text.size());
  while (!search->finish(queue)) {
    while (!queue.empty()) queue.pop();
  }
  CHECK(queue.count() == 10'000);
}

TEST_CASE("what comes after a long stretch without a candidate is found: the library is sound") {
  CHECK(RegexSearch::is_sound());
  std::mt19937 random(12);
  for (std::size_t before = 0; before < 300; ++before) {
    const std::string text = std::string(before, 'z') + "aab" + std::string(70, 'z') + "<word> and =more";
    CAPTURE(before);
    CHECK(search_in("a+b", testing::bytes_of(text), 1000, 10, random) == std::vector<Match>{{before, 3}});
    CHECK(search_in("<[^>]+>", testing::bytes_of(text), 1000, 10, random) == std::vector<Match>{{before + 73, 6}});
    CHECK(search_in("=\\w+", testing::bytes_of(text), 1000, 10, random) == std::vector<Match>{{before + 84, 5}});
  }
}

TEST_CASE("a dot ends at a line's end, unless it is told not to") {
  std::mt19937 random(13);
  const std::string text = "ERROR one\nplain\nERROR two timeout\nERROR timeout\n";
  CHECK(search_in("ERROR.*timeout", testing::bytes_of(text), 7, 10, random) == std::vector<Match>{{16, 17}, {34, 13}});
  CHECK(search_in("(?s)ERROR.*timeout", testing::bytes_of(text), 7, 10, random) == std::vector<Match>{{0, 47}});
}

TEST_CASE("what may be longer than can be remembered is left out, and counted") {
  const std::string text = "a" + std::string(RegexSearch::max_match + 1000, '.') + "b";
  const std::unique_ptr<RegexSearch> search = compile("(?s)a.*b");
  MatchQueue queue(10, 10);
  std::size_t taken = 0;
  const auto bytes = testing::bytes_of(text);
  while (taken < bytes.size()) taken += search->take(std::span(bytes).subspan(taken), queue);
  REQUIRE(search->finish(queue));
  CHECK(queue.count() == 0);
  CHECK(search->left_out() == 1);
}

TEST_CASE("an expression that is too large when written out is refused before it is compiled") {
  const auto refused = RegexSearch::create("((((a{1,9}){1,9}){1,9}){1,9}){1,9}", false);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().message.find("repeat less") != std::string::npos);
  CHECK(RegexSearch::create("[ab].{1000}c", false).has_value());
  std::string optional;
  for (int i = 0; i < 400; ++i) optional += "a?";
  CHECK_FALSE(RegexSearch::create(optional + "b", false).has_value());
}
