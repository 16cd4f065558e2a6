#include <ranged/http/entity_tag.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace {

using ranged::http::EntityTag;
using ranged::http::EntityTagList;
using ranged::http::make_entity_tag;
using ranged::http::parse_entity_tag;
using ranged::http::strongly_equal;
using ranged::http::weakly_equal;

struct Walk {
  std::vector<std::string> tags;  // weak ones with W/ before
  bool valid = false;
};

Walk walk(std::string_view text) {
  Walk result;
  EntityTagList list(text);
  while (const auto tag = list.next()) result.tags.push_back((tag->weak ? "W/" : "") + std::string(tag->opaque));
  result.valid = list.valid();
  CHECK_FALSE(list.next());  // and ever after
  return result;
}

}  // namespace

TEST_CASE("entity tags of RFC 9110, 8.8.3") {
  CHECK(parse_entity_tag(R"("xyzzy")") == EntityTag{"xyzzy", false});
  CHECK(parse_entity_tag(R"(W/"xyzzy")") == EntityTag{"xyzzy", true});
  CHECK(parse_entity_tag(R"("")") == EntityTag{"", false});
  CHECK(parse_entity_tag(R"(W/"")") == EntityTag{"", true});
  CHECK(parse_entity_tag("\"!#~\x80\xff,\\\"") == EntityTag{"!#~\x80\xff,\\", false});
}

TEST_CASE("what is no entity tag") {
  for (const char* text :
       {"",          "\"",        "xyzzy",  "\"xyzzy", "xyzzy\"",   "w/\"xyzzy\"", "W/xyzzy",  "W/",
        "W\"x\"",    "W/ \"x\"",  " \"x\"", "\"x\" ",  "\"x y\"",   "\"x\ty\"",    "\"x\"y\"", "\"x\"\"y\"",
        "\"x\x7f\"", "\"x\x1f\"", "*",      "'x'",     "W/W/\"x\"", "\"x\",\"y\""}) {
    INFO(text);
    CHECK_FALSE(parse_entity_tag(text));
  }
  CHECK_FALSE(parse_entity_tag(std::string_view("\"x\0y\"", 5)));
}

TEST_CASE("every octet inside a tag") {
  for (int octet = 0; octet < 256; ++octet) {
    INFO(octet);
    const std::string text = {'"', static_cast<char>(octet), '"'};
    const bool allowed = octet == 0x21 || (octet >= 0x23 && octet <= 0x7e) || octet >= 0x80;
    CHECK(parse_entity_tag(text).has_value() == allowed);
  }
}

TEST_CASE("the table of comparisons in RFC 9110, 8.8.3.2") {
  struct Row {
    EntityTag left;
    EntityTag right;
    bool strong;
    bool weak;
  };
  for (const Row& row : {Row{{"1", true}, {"1", true}, false, true}, Row{{"1", true}, {"2", true}, false, false},
                         Row{{"1", true}, {"1", false}, false, true}, Row{{"1", false}, {"1", false}, true, true}}) {
    CHECK(strongly_equal(row.left, row.right) == row.strong);
    CHECK(strongly_equal(row.right, row.left) == row.strong);
    CHECK(weakly_equal(row.left, row.right) == row.weak);
    CHECK(weakly_equal(row.right, row.left) == row.weak);
  }
  CHECK_FALSE(strongly_equal({"a", false}, {"A", false}));
  CHECK_FALSE(weakly_equal({"a", false}, {"A", false}));
}

TEST_CASE("lists of tags") {
  const auto check = [](std::string_view text, const std::vector<std::string>& tags) {
    INFO(text);
    const Walk result = walk(text);
    CHECK(result.valid);
    CHECK(result.tags == tags);
  };
  check("", {});
  check(" , ,", {});
  check(R"("a")", {"a"});
  check(R"("xyzzy", "r2d2xxxx", "c3piozzzz")", {"xyzzy", "r2d2xxxx", "c3piozzzz"});
  check(R"(W/"xyzzy", W/"r2d2xxxx","c3piozzzz")", {"W/xyzzy", "W/r2d2xxxx", "c3piozzzz"});
  check(R"(, "a" ,,)"
        "\t"
        R"("b",)",
        {"a", "b"});
  check(R"("a,b","c")", {"a,b", "c"});
  check(R"("","")", {"", ""});
}

TEST_CASE("lists that are none keep the tags before the fault") {
  const auto check = [](std::string_view text, const std::vector<std::string>& tags) {
    INFO(text);
    const Walk result = walk(text);
    CHECK_FALSE(result.valid);
    CHECK(result.tags == tags);
  };
  check("*", {});
  check(R"("a", *)", {"a"});
  check(R"("a", b)", {"a"});
  check(R"("a" "b")", {});
  check(R"("a"b)", {});
  check(R"("a", w/"b", "c")", {"a"});
  check(R"("a", "b)", {"a"});
  check(R"("a";"b")", {});
}

TEST_CASE("made tags are strong, parse, and differ whenever a number does") {
  const std::array<std::uint64_t, 5> base = {2049, 131, 1ULL << 40, 1'700'000'000'000'000'000,
                                             1'700'000'000'000'000'001};
  const auto make = [](const std::array<std::uint64_t, 5>& numbers) {
    return std::string(
        std::string_view(make_entity_tag(numbers[0], numbers[1], numbers[2], static_cast<std::int64_t>(numbers[3]),
                                         static_cast<std::int64_t>(numbers[4]))));
  };
  CHECK(make(base) == make(base));
  const std::string text = make(base);
  const auto parsed = parse_entity_tag(text);
  CHECK(parsed == EntityTag{std::string_view(text).substr(1, 32), false});

  std::set<std::string> tags = {make(base)};
  std::size_t states = 1;
  for (std::size_t field = 0; field < base.size(); ++field) {
    for (int bit = 0; bit < 64; ++bit) {
      std::array<std::uint64_t, 5> numbers = base;
      numbers[field] ^= 1ULL << bit;
      tags.insert(make(numbers));
      ++states;
    }
  }
  CHECK(tags.size() == states);
  // Numbers changing places, and times before the epoch, are other states.
  tags = {make({1, 2, 3, 4, 5}), make({2, 1, 3, 4, 5}), make({1, 3, 2, 4, 5}),     make({1, 2, 4, 3, 5}),
          make({1, 2, 3, 5, 4}), make({0, 0, 0, 0, 0}), make({0, 0, 0, ~0ULL, 0}), make({0, 0, 0, 0, ~0ULL})};
  CHECK(tags.size() == 8);
}

TEST_CASE("each half of a tag tells states apart that differ in one number") {
  std::mt19937_64 random(2);
  for (std::size_t field = 0; field < 5; ++field) {
    std::set<std::string> left;
    std::set<std::string> right;
    std::array<std::uint64_t, 5> numbers = {random(), random(), random(), random(), random()};
    for (int i = 0; i < 2000; ++i) {
      ++numbers[field];
      const auto tag = make_entity_tag(numbers[0], numbers[1], numbers[2], static_cast<std::int64_t>(numbers[3]),
                                       static_cast<std::int64_t>(numbers[4]));
      left.emplace(std::string_view(tag).substr(1, 16));
      right.emplace(std::string_view(tag).substr(17, 16));
    }
    CHECK(left.size() == 2000);
    CHECK(right.size() == 2000);
  }
}

TEST_CASE("a tag depends on the numbers alone, from one run and build to the next") {
  // Tags outlive a restart, so a change of the mixing invalidates what clients hold: it must be meant.
  CHECK(std::string_view(make_entity_tag(1, 2, 3, 4, 5)) == R"("de076a97d3aa2f73fe158cd35b7f9247")");
}
