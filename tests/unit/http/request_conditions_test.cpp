#include <ranged/http/request_conditions.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cctype>
#include <string>
#include <string_view>
#include <vector>

using ranged::http::RequestConditions;
using ranged::http::trim_ows;

TEST_CASE("each field goes to its place, by its name in any case") {
  for (const auto change :
       {+[](int c) { return c; }, +[](int c) { return std::tolower(c); }, +[](int c) { return std::toupper(c); }}) {
    const auto name = [&](std::string text) {
      std::ranges::transform(text, text.begin(), [&](char c) { return static_cast<char>(change(c)); });
      return text;
    };
    RequestConditions conditions;
    CHECK(conditions.add(name("Range"), "a"));
    CHECK(conditions.add(name("If-Range"), "b"));
    CHECK(conditions.add(name("If-Modified-Since"), "c"));
    CHECK(conditions.add(name("If-Unmodified-Since"), "d"));
    CHECK(conditions.add(name("If-Match"), "e"));
    CHECK(conditions.add(name("If-None-Match"), "f"));
    CHECK(conditions.range.value == "a");
    CHECK(conditions.range.lines == 1);
    CHECK(conditions.if_range.value == "b");
    CHECK(conditions.if_modified_since.value == "c");
    CHECK(conditions.if_unmodified_since.value == "d");
    REQUIRE(conditions.if_match.size() == 1);
    CHECK(conditions.if_match[0] == "e");
    REQUIRE(conditions.if_none_match.size() == 1);
    CHECK(conditions.if_none_match[0] == "f");
  }
}

TEST_CASE("other fields are left alone, those of the same length and the obsolete Request-Range included") {
  RequestConditions conditions;
  for (const char* name :
       {"", "Host", "Cookie", "Rango", "Ranges", "If-Watch", "If-Ranga", "If-None-Catch", "Request-Range",
        "If-Modified-Sinca", "If-Unmodified-Sinca", "If Match", "R\xc4nge", "Accept-Ranges"}) {
    INFO(name);
    CHECK_FALSE(conditions.add(name, "x"));
  }
  CHECK_FALSE(conditions.range.present());
  CHECK_FALSE(conditions.if_range.present());
  CHECK_FALSE(conditions.if_modified_since.present());
  CHECK_FALSE(conditions.if_unmodified_since.present());
  CHECK(conditions.if_match.empty());
  CHECK(conditions.if_none_match.empty());
}

TEST_CASE("lines are counted, the first value kept; lists keep all in order; an empty value is present") {
  RequestConditions conditions;
  conditions.add("Range", " first\t");
  conditions.add("Range", "second");
  CHECK(conditions.range.value == "first");
  CHECK(conditions.range.lines == 2);
  for (const char* value : {" a ", "b", "c", ""}) conditions.add("If-None-Match", value);
  CHECK(std::vector<std::string_view>(conditions.if_none_match.begin(), conditions.if_none_match.end()) ==
        std::vector<std::string_view>{"a", "b", "c", ""});
  conditions.add("If-Range", "");
  CHECK(conditions.if_range.present());
}

TEST_CASE("optional white space is spaces and tabs") {
  CHECK(trim_ows("").empty());
  CHECK(trim_ows(" \t ").empty());
  CHECK(trim_ows("a") == "a");
  CHECK(trim_ows(" \ta b\t ") == "a b");
  CHECK(trim_ows("\na\v") == "\na\v");
}
