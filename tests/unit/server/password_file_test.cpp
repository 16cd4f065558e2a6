#include "server/password_file.hpp"

#include <doctest/doctest.h>

#include <map>
#include <string>

namespace ranged::server {
namespace {

// Made by htpasswd -nbB -C 4 and openssl passwd -5 and -6.
constexpr const char* bcrypt_line = "alice:$2y$04$1K.IFXlgYa5cPvbh1PBiuOcZFY0uEbMn1NkXeW1J4yoSLQCTPjIyW\n";
constexpr const char* sha256_line = "bob:$5$sF/qGFdLEZ7uF.SW$U8TpP9brwrIEBv.CnovsrL3nUoOIVvFpqM29c6Mcqp6\n";
constexpr const char* sha512_line =
    "carol:$6$oae7dXHxVdP1Wv4s$cj493SxsD.zvNz7nP62R1yKDWmgzVW/"
    "FEO9qVazoCzgFEzo6neHwkgAhU.tRSlC8cFnT1HQVmeZOhXJQaVrRB1\n";

std::string_view refusal_of(const std::string& text, std::size_t line) {
  const auto parsed = PasswordFile::parse(text);
  REQUIRE_FALSE(parsed.has_value());
  CHECK(parsed.error().line == line);
  return parsed.error().reason;
}

TEST_CASE("passwords are checked against bcrypt and SHA-crypt") {
  const auto file = PasswordFile::parse(std::string("# people\n\n") + bcrypt_line + sha256_line + sha512_line);
  REQUIRE(file.has_value());
  CHECK(file->size() == 3);
  CHECK(file->verify("alice", "correct horse"));
  CHECK(file->verify("bob", "battery staple"));
  CHECK(file->verify("carol", "a:b c"));
  CHECK_FALSE(file->verify("alice", "correct hors"));
  CHECK_FALSE(file->verify("alice", "battery staple"));
  CHECK_FALSE(file->verify("bob", "correct horse"));
  CHECK_FALSE(file->verify("carol", ""));
  CHECK_FALSE(file->verify("Alice", "correct horse"));
  // Not by the password of the one whose setting is taken for names that are not there, either.
  for (const char* password : {"correct horse", "battery staple", "a:b c"}) {
    CHECK_FALSE(file->verify("nobody", password));
    CHECK_FALSE(file->verify("", password));
  }
  CHECK(file->contains("bob"));
  CHECK_FALSE(file->contains("nobody"));
}

TEST_CASE("names that are not there are hashed as those that are: by all kinds, and each always by the same") {
  const auto file = PasswordFile::parse(std::string(bcrypt_line) + sha256_line + sha512_line);
  const auto again = PasswordFile::parse(std::string(sha512_line) + sha256_line + bcrypt_line);
  const std::string another = "dave:$2y$12$1K.IFXlgYa5cPvbh1PBiuOcZFY0uEbMn1NkXeW1J4yoSLQCTPjIyW\n";
  const auto more = PasswordFile::parse(std::string(bcrypt_line) + sha256_line + another + sha512_line);
  CHECK(file->setting_of("alice").starts_with("$2y$04$"));
  CHECK(file->setting_of("bob").starts_with("$5$"));
  CHECK(file->setting_of("carol").starts_with("$6$"));
  std::map<std::string_view, int> counts;
  for (int i = 0; i < 600; ++i) {
    const std::string name = "nobody" + std::to_string(i);
    const std::string_view setting = file->setting_of(name);
    ++counts[setting];
    CHECK(file->setting_of(name) == setting);
    CHECK(again->setting_of(name) == setting);
    const std::string_view then = more->setting_of(name);
    CHECK((then == setting || then.starts_with("$2y$12$")));
  }
  CHECK(counts.size() == 3);
  for (const auto& [setting, count] : counts) {
    CAPTURE(setting);
    CHECK(count > 100);  // of 200 that are to be expected, give or take 12
  }
}

TEST_CASE("passwords that crypt would cut are refused") {
  const auto file = PasswordFile::parse(bcrypt_line);
  REQUIRE(file.has_value());
  CHECK_FALSE(file->verify("alice", std::string_view("correct horse\0x", 15)));
  CHECK_FALSE(file->verify("alice", "correct horse" + std::string(PasswordFile::max_password_bytes, ' ')));
}

TEST_CASE("lines may end as on Windows, and the last need not end") {
  std::string text = bcrypt_line;
  text.pop_back();
  CHECK(PasswordFile::parse(text)->verify("alice", "correct horse"));
  CHECK(PasswordFile::parse(text + "\r\n")->verify("alice", "correct horse"));
}

TEST_CASE("files that cannot be used are refused by line, without their text") {
  CHECK(refusal_of("", 0).find("no name") != std::string_view::npos);
  CHECK(refusal_of("# nobody\n", 0).find("no name") != std::string_view::npos);
  CHECK(refusal_of("\nalice\n", 2).find("NAME:HASH") != std::string_view::npos);
  CHECK(refusal_of(":x\n", 1).find("NAME:HASH") != std::string_view::npos);
  for (const char* weak :
       {"plain", "", "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", "$apr1$x$y", "$1$x$y", "$y$j9T$x$y", "*", "!"}) {
    CAPTURE(weak);
    CHECK(refusal_of(std::string("a:") + weak, 1).find("neither bcrypt nor SHA-crypt") != std::string_view::npos);
  }
  for (const char* damaged : {"$2y$", "$2y$04$short", "$2y$xx$WJXB1Aatyt1.6IUl4FHpP.2fCdTwUcRJ0TPXYcgJMHRxBdVqSlx4q",
                              "$2y$03$WJXB1Aatyt1.6IUl4FHpP.2fCdTwUcRJ0TPXYcgJMHRxBdVqSlx4q",
                              "$2y$04$WJXB1Aatyt1.6IUl4FHpP.2fCdTwUcRJ0TPXYcgJMHRxBdVqSlx4*", "$5$", "$6$salt$x",
                              "$6$rounds=x$salt$x", "$5$rounds=1000"}) {
    CAPTURE(damaged);
    CHECK(refusal_of(std::string("a:") + damaged, 1).find("damaged") != std::string_view::npos);
  }
  CHECK(refusal_of("a:$2y$15$WJXB1Aatyt1.6IUl4FHpP.2fCdTwUcRJ0TPXYcgJMHRxBdVqSlx4q", 1).find("14") !=
        std::string_view::npos);
  CHECK(refusal_of("a:$6$rounds=1000001$salt$x", 1).find("1000000") != std::string_view::npos);
  CHECK(refusal_of("a:$6$rounds=99999999999999999999$salt$x", 1).find("1000000") != std::string_view::npos);
  CHECK(refusal_of(std::string(bcrypt_line) + bcrypt_line, 2).find("come before") != std::string_view::npos);
}

}  // namespace
}  // namespace ranged::server
