#include "server/config_settings.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

namespace ranged::server {
namespace {

using namespace std::string_view_literals;

FileOutcome read(std::string_view text) {
  Config config;
  return read_config_text(text, config);
}

TEST_CASE("nothing behind a NUL passes for a part of the file") {
  // The JSON parser ends at a NUL and says that all is well.
  for (const std::string_view text : {"{}\0"sv, "{}\0{\"hidden\": true}"sv, "{}\0\"a: /*\n\""sv,
                                      "{\"hidden\": true // \0\n}"sv, "\0{}"sv, "{\"\0\": 1}"sv}) {
    CAPTURE(text);
    CHECK(read(text).problem.find("NUL") != std::string::npos);
  }
  CHECK(read("{\n\n\0}"sv).line == 3);
}

TEST_CASE("a comment ends where the parser ends it") {
  for (const std::string_view end : {"\n"sv, "\r\n"sv, "\r"sv}) {
    const FileOutcome outcome = read("{// \"threads\": 1, \"" + std::string(end) + "\"threads\": 2}");
    CHECK(outcome.problem.empty());
    REQUIRE(outcome.entries.size() == 1);
    CHECK(outcome.entries.front().setting == find_setting("threads"));
    CHECK(outcome.entries.front().line == (end == "\r" ? 1 : 2));
  }
  // Unless it is a part of the comment, the second is there twice.
  CHECK(read("{\"threads\": 1, // \r \"threads\": 2}").problem.find("twice") != std::string::npos);
  CHECK(read("{\"threads\": 1 // , \"threads\": 2}\r}").problem.empty());
}

}  // namespace
}  // namespace ranged::server
