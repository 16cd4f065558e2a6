#include "server/logging_escape.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <random>
#include <string>
#include <utility>

namespace ranged::server {
namespace {

std::string json_string(std::string_view text) {
  std::string line;
  append_json_string(line, text);
  return line;
}

TEST_CASE("a JSON string escapes what could end it, a line or a terminal's patience") {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"", R"("")"},
      {"plain /a?b=c", R"("plain /a?b=c")"},
      {"quote\" back\\slash", R"("quote\" back\\slash")"},
      {"\r\n\t", R"("\r\n\t")"},
      {std::string_view("\0\x01\x1f\x7f", 4), "\"\\u0000\\u0001\\u001f\\u007f\""},
      {"\x1b[31m", "\"\\u001b[31m\""},
      {"\xc2\x85\xc2\x9b", "\"\\u0085\\u009b\""},          // C1: next line, control sequence introducer
      {"\xe2\x80\xa8\xe2\x80\xa9", "\"\\u2028\\u2029\""},  // line and paragraph separator
      {"gr\xc3\xbc\xc3\x9f\xe2\x82\xac\xf0\x9f\x98\x80", "\"gr\xc3\xbc\xc3\x9f\xe2\x82\xac\xf0\x9f\x98\x80\""},
      {"\xc2\xa0", "\"\xc2\xa0\""},
  };
  for (const auto& [text, expected] : cases) CHECK(json_string(text) == expected);
}

TEST_CASE("bytes that are no UTF-8 become replacement characters") {
  const std::string r = "\xef\xbf\xbd";
  const std::pair<std::string_view, std::string> cases[] = {
      {"\x80", r},
      {"a\xff"
       "b",
       "a" + r + "b"},
      {"\xc3", r},
      {"\xc0\xaf", r + r},  // an overlong slash
      {"\xe0\x80\xaf", r + r + r},
      {"\xf0\x80\x80\xaf", r + r + r + r},
      {"\xed\xa0\x80", r + r + r},          // a surrogate
      {"\xf4\x90\x80\x80", r + r + r + r},  // past U+10FFFF
      {"\xe2\x82", r + r},                  // cut off
      {"\xe2\x82"
       "a",
       r + r + "a"},
      {"\xf5\x80\x80\x80", r + r + r + r},
  };
  for (const auto& [text, expected] : cases) CHECK(json_string(text) == '"' + expected + '"');
  CHECK(json_string("\xf4\x8f\xbf\xbf") == "\"\xf4\x8f\xbf\xbf\"");
  CHECK(json_string("\xed\x9f\xbf") == "\"\xed\x9f\xbf\"");
}

TEST_CASE("any bytes at all give one line of valid JSON") {
  std::mt19937 random(20240607);
  for (int round = 0; round < 2000; ++round) {
    std::string text(random() % 64, '\0');
    for (char& c : text) c = static_cast<char>(random() % 3 == 0 ? random() : 0x70 + random() % 0x90);
    const std::string line = json_string(text);
    CAPTURE(line);
    REQUIRE(nlohmann::json::accept(line));
    CHECK(line.find('\n') == std::string::npos);
    CHECK(line.size() <= 6 * text.size() + 2);
  }
  for (unsigned code_point = 0; code_point < 0x800; ++code_point) {
    std::string text;
    if (code_point < 0x80) {
      text += static_cast<char>(code_point);
    } else {
      text += static_cast<char>(0xc0 | (code_point >> 6));
      text += static_cast<char>(0x80 | (code_point & 0x3f));
    }
    CHECK(nlohmann::json::parse(json_string(text)).get<std::string>() == text);
  }
}

TEST_CASE("hex escapes leave printable ASCII only") {
  std::string line;
  append_hex_escaped(line, std::string_view("a b\"\\\n\0\x7f\x80\xff~", 11));
  CHECK(line == R"(a b\x22\x5C\x0A\x00\x7F\x80\xFF~)");
}

TEST_CASE("timestamps") {
  const auto stamp = [](std::int64_t milliseconds) {
    std::string line;
    append_timestamp(line, std::chrono::system_clock::time_point(std::chrono::milliseconds{milliseconds}));
    return line;
  };
  CHECK(stamp(0) == "1970-01-01T00:00:00.000Z");
  CHECK(stamp(1) == "1970-01-01T00:00:00.001Z");
  CHECK(stamp(951'827'696'789) == "2000-02-29T12:34:56.789Z");
  CHECK(stamp(4'294'967'296'000) == "2106-02-07T06:28:16.000Z");
  CHECK(stamp(-1) == "1969-12-31T23:59:59.999Z");
}

TEST_CASE("text is cut between characters") {
  CHECK(cut_text("abc", 3) == "abc");
  CHECK(cut_text("abcd", 3) == "abc");
  CHECK(cut_text("ab\xc3\xbc", 3) == "ab");
  CHECK(cut_text("ab\xf0\x9f\x98\x80", 5) == "ab");
  CHECK(cut_text("ab\xf0\x9f\x98\x80", 6) == "ab\xf0\x9f\x98\x80");
  CHECK(cut_text("", 0).empty());
  CHECK(cut_text("abc", 0).empty());
  CHECK(cut_text("\x80\x80\x80\x80\x80\x80\x80", 6).size() == 3);
}

}  // namespace
}  // namespace ranged::server
