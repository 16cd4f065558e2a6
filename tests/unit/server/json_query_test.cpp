#include "server/json_query.hpp"

#include "server/target.hpp"

#include <doctest/doctest.h>

#include <map>
#include <string>

using namespace ranged::server;

namespace {

/// What the query of a JSON text is read as.
std::map<std::string, std::string> parameters(std::string_view json) {
  const std::optional<std::string> query = query_of_json(json);
  REQUIRE(query.has_value());
  const auto read = QueryParameters::parse(*query);
  REQUIRE(read.has_value());
  std::map<std::string, std::string> all;
  for (const auto& parameter : read->all()) all.emplace(parameter.name, parameter.value);
  return all;
}

using Map = std::map<std::string, std::string>;

}  // namespace

TEST_CASE("members are parameters") {
  CHECK(parameters("{}").empty());
  CHECK(parameters(R"( {"file":"a/b.bin", "text":"x"} )") == Map{{"file", "a/b.bin"}, {"text", "x"}});
  CHECK(parameters(R"({"limit":5,"offset":-3})") == Map{{"limit", "5"}, {"offset", "-3"}});
  CHECK(parameters(R"({"a":""})") == Map{{"a", ""}});
  CHECK(parameters(R"({"":"a"})") == Map{{"", "a"}});
}

TEST_CASE("texts arrive as they are") {
  CHECK(parameters(R"({"text":"a&b=c+d%41 ?#/"})") == Map{{"text", "a&b=c+d%41 ?#/"}});
  CHECK(parameters(R"({"a&b=c":"d"})") == Map{{"a&b=c", "d"}});
  CHECK(parameters("{\"text\":\"\xc3\xa4\\u00e4\\ud83d\\ude00\\n\\\"\"}") ==
        Map{{"text", "\xc3\xa4\xc3\xa4\xf0\x9f\x98\x80\n\""}});
}

TEST_CASE("numbers keep their digits") {
  CHECK(parameters(R"({"n":18446744073709551615})") == Map{{"n", "18446744073709551615"}});
  CHECK(parameters(R"({"n":-9223372036854775808})") == Map{{"n", "-9223372036854775808"}});
  CHECK(parameters(R"({"n":18446744073709551616})") == Map{{"n", "18446744073709551616"}});
  CHECK(parameters(R"({"n":1.50})") == Map{{"n", "1.50"}});
  CHECK(parameters(R"({"n":1e3})") == Map{{"n", "1e3"}});
}

TEST_CASE("what a query refuses is refused") {
  for (const char* const json : {R"({"a":"1","a":"2"})", R"({"a":"b\u0000c"})", R"({"a\u0000":"b"})"}) {
    CAPTURE(json);
    const std::optional<std::string> query = query_of_json(json);
    REQUIRE(query.has_value());
    CHECK_FALSE(QueryParameters::parse(*query).has_value());
  }
}

TEST_CASE("nothing but an object of texts and numbers is taken") {
  for (const char* const json : {"",
                                 " ",
                                 "null",
                                 "1",
                                 "\"a\"",
                                 "[]",
                                 "true",
                                 "{",
                                 "}",
                                 "{]",
                                 "{\"a\"}",
                                 "{\"a\":}",
                                 "{\"a\":1,}",
                                 "{\"a\":1}}",
                                 "{\"a\":1}{}",
                                 "{\"a\":1} x",
                                 "{'a':1}",
                                 "{a:1}",
                                 "{\"a\":null}",
                                 "{\"a\":true}",
                                 "{\"a\":[]}",
                                 "{\"a\":[1]}",
                                 "{\"a\":{}}",
                                 "{\"a\":{\"b\":1}}",
                                 "[{\"a\":1}]",
                                 "{\"a\":NaN}",
                                 "{\"a\":01}",
                                 "{\"a\":+1}",
                                 "{\"a\":.5}",
                                 "{\"a\":0x10}",
                                 "{\"a\":\"\\ud800\"}",
                                 "{\"a\":\"\xff\"}",
                                 "{\"a\":\"\n\"}",
                                 "// a\n{}",
                                 "{\"a\":\"b\" \"c\"}"}) {
    CAPTURE(json);
    CHECK_FALSE(query_of_json(json).has_value());
  }
}

TEST_CASE("depth costs nothing") {
  CHECK_FALSE(query_of_json(std::string(100'000, '[')).has_value());
  std::string nested;
  for (int i = 0; i < 10'000; ++i) nested += "{\"a\":";
  CHECK_FALSE(query_of_json(nested).has_value());
}
