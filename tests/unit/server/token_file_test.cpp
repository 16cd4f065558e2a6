#include "server/token_file.hpp"

#include <doctest/doctest.h>

#include <string>

namespace ranged::server {
namespace {

const std::string first = "b64token-._~+/0123456789==";
const std::string second(64, 'f');

TEST_CASE("tokens are good as they stand in the file and not otherwise") {
  const auto file = TokenFile::parse("# machines\n\n" + first + "\nbackup:" + second + "\r\n");
  REQUIRE(file.has_value());
  CHECK(file->size() == 2);
  CHECK(file->verify(first));
  CHECK(file->verify(second));
  CHECK_FALSE(file->verify(""));
  CHECK_FALSE(file->verify(second.substr(1)));
  CHECK_FALSE(file->verify(second + 'f'));
  CHECK_FALSE(file->verify("backup:" + second));
  CHECK_FALSE(file->verify(second + std::string(1, '\0')));
}

TEST_CASE("files that cannot be used are refused by line, without their text") {
  const auto refused = [](const std::string& text, std::size_t line, std::string_view part) {
    CAPTURE(text);
    const auto parsed = TokenFile::parse(text);
    REQUIRE_FALSE(parsed.has_value());
    CHECK(parsed.error().line == line);
    CHECK(parsed.error().reason.find(part) != std::string_view::npos);
  };
  refused("", 0, "no token");
  refused("#\n", 0, "no token");
  refused(first + "\nname:\n", 2, "no token");
  refused("white space is none in tokens", 1, "no token");
  refused("=======================", 1, "no token");
  refused("a=bbbbbbbbbbbbbbbbbbbbbbbbbbbb", 1, "no token");
  refused(std::string(TokenFile::min_token_bytes - 1, 'a'), 1, "22 to 512");
  refused(std::string(TokenFile::max_token_bytes + 1, 'a'), 1, "22 to 512");
  refused(first + "\nx:" + first, 2, "come before");
  CHECK(TokenFile::parse(std::string(TokenFile::min_token_bytes, 'a')).has_value());
  CHECK(TokenFile::parse(std::string(TokenFile::max_token_bytes, 'a')).has_value());
}

}  // namespace
}  // namespace ranged::server
