#include "server/target.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

namespace ranged::server {
namespace {

using Form = TargetParts::Form;
using namespace std::string_literals;

std::string path_of(std::string_view raw) {
  Target target;
  std::string decoded;
  return parse_target(raw, target, decoded) ? std::string(target.path) : "refused";
}

TEST_CASE("targets are split by their form") {
  TargetParts parts = split_target("/a/b?c?d");
  CHECK(parts.form == Form::origin);
  CHECK(parts.authority.empty());
  CHECK(parts.path == "/a/b");
  CHECK(parts.has_query);
  CHECK(parts.query == "c?d");

  parts = split_target("/a?");
  CHECK(parts.has_query);
  CHECK(parts.query.empty());
  CHECK_FALSE(split_target("/a").has_query);

  parts = split_target("hTTp://host:80/a?b");
  CHECK(parts.form == Form::absolute);
  CHECK(parts.authority == "host:80");
  CHECK(parts.path == "/a");
  CHECK(parts.query == "b");

  CHECK_FALSE(parts.secured);

  parts = split_target("https://host");
  CHECK(parts.secured);
  CHECK(split_target("HTTPS://host/a").secured);
  CHECK_FALSE(split_target("/https://host").secured);
  CHECK(parts.form == Form::absolute);
  CHECK(parts.path == "/");
  CHECK_FALSE(parts.has_query);

  parts = split_target("http://host?b");
  CHECK(parts.authority == "host");
  CHECK(parts.path == "/");
  CHECK(parts.query == "b");

  CHECK(split_target("*").form == Form::asterisk);
  CHECK(split_target("*").path == "*");
  // Two slashes are a path, not an authority.
  CHECK(split_target("//evil.example/a").form == Form::origin);
  CHECK(split_target("//evil.example/a").path == "//evil.example/a");

  for (const std::string_view raw : {"", "a", "a/b", "?a", "/a#b", "/a?b#c", "#", "http:/a", "http:a", "ftp://a/b",
                                     "file:///a", "/a b", "/a\tb", "/a\x7f", "/\xc3\xa9", "**"}) {
    CAPTURE(raw);
    CHECK(split_target(raw).form == Form::malformed);
  }
  CHECK(split_target("/a\0b"s).form == Form::malformed);
}

TEST_CASE("paths are decoded once") {
  CHECK(path_of("/") == "/");
  CHECK(path_of("/files/a%20b") == "/files/a b");
  CHECK(path_of("/a%2Fb") == "/a/b");
  CHECK(path_of("/a%2fb%2F") == "/a/b/");
  CHECK(path_of("/%41%7a%C3%A9%ff") == "/Az\xc3\xa9\xff");
  CHECK(path_of("/%2541") == "/%41");
  CHECK(path_of("/%25%34%31") == "/%41");
  CHECK(path_of("/a+b") == "/a+b");
  CHECK(path_of("/a%2Bb") == "/a+b");
  CHECK(path_of("/a%3Fb?c") == "/a?b");
  CHECK(path_of("/%23") == "/#");
  CHECK(path_of("/%0a%7F") == "/\n\x7f");
  CHECK(path_of("http://h/a%20b?c") == "/a b");
  CHECK(path_of("*") == "*");
}

TEST_CASE("nothing is resolved") {
  CHECK(path_of("/a/../b") == "/a/../b");
  CHECK(path_of("/a/%2e%2E/b") == "/a/../b");
  CHECK(path_of("/./a//b/") == "/./a//b/");
}

TEST_CASE("escapes that are none, and NUL, are refused") {
  for (const std::string_view raw : {"/%", "/%4", "/%4g", "/%g4", "/%%41", "/a%", "/%+1", "/% 1", "/%-1", "/%0x41",
                                     "/%u0041", "/%00", "/a%00.bin", "/a#b", "a"}) {
    CAPTURE(raw);
    Target target;
    std::string decoded;
    CHECK_FALSE(parse_target(raw, target, decoded));
  }
  // A query is for QueryParameters to judge; /files ignores it.
  CHECK(path_of("/a?%") == "/a");
}

TEST_CASE("a target that is used again has nothing of the one before") {
  Target target;
  std::string decoded;
  REQUIRE(parse_target("/long%20path?query", target, decoded));
  REQUIRE(parse_target("/b", target, decoded));
  CHECK(target.path == "/b");
  CHECK(target.raw_path == "/b");
  CHECK(target.raw_query.empty());
  CHECK_FALSE(target.has_query);
  CHECK_FALSE(parse_target("#", target, decoded));
  CHECK(target.path.empty());
  CHECK(target.raw_path.empty());
}

TEST_CASE("query parameters are decoded") {
  const auto query = QueryParameters::parse("x+y=1&file=a%2Fb+c%2B&offset=-1&empty=&bare&a=b=c&%66=%C3%A9");
  REQUIRE(query.has_value());
  REQUIRE(query->all().size() == 7);
  CHECK(query->all()[0].name == "x y");
  CHECK(query->all()[1].name == "file");
  CHECK(*query->find("file") == "a/b c+");
  CHECK(*query->find("offset") == "-1");
  CHECK(query->find("empty")->empty());
  CHECK(query->find("bare")->empty());
  CHECK(*query->find("a") == "b=c");
  CHECK(*query->find("f") == "\xc3\xa9");
  CHECK(query->find("File") == nullptr);
  CHECK(query->find("") == nullptr);
}

TEST_CASE("empty queries have no parameters") {
  for (const std::string_view raw : {"", "&", "&&&"}) {
    const auto query = QueryParameters::parse(raw);
    REQUIRE(query.has_value());
    CHECK(query->all().empty());
  }
  const auto query = QueryParameters::parse("&a=1&&b=2&");
  REQUIRE(query.has_value());
  CHECK(query->all().size() == 2);
}

TEST_CASE("a repeated parameter is refused by name, however it is written") {
  for (const std::string_view raw : {"len=1&len=2", "len=1&x=2&len=1", "len&len", "len=1&%6Cen=2", "%6cen=1&len=1"}) {
    CAPTURE(raw);
    const auto query = QueryParameters::parse(raw);
    REQUIRE(query.has_error());
    CHECK(query.error().kind == QueryError::Kind::repeated);
    CHECK(query.error().name == "len");
    CHECK(query.error().refusal().status == 400);
    CHECK(query.error().refusal().type == problems::repeated_parameter.type);
    CHECK_FALSE(query.error().refusal().close);
  }
  CHECK(QueryParameters::parse("len=1&Len=2").has_value());
}

TEST_CASE("bad escapes are refused by the parameter's name") {
  const std::pair<std::string_view, std::string_view> queries[] = {
      {"a=1&file=%", "file"}, {"file=%zz", "file"}, {"file=a%00", "file"}, {"fi%le=1", "fi%le"}, {"%00=1", "%00"}};
  for (const auto& [raw, name] : queries) {
    CAPTURE(raw);
    const auto query = QueryParameters::parse(raw);
    REQUIRE(query.has_error());
    CHECK(query.error().kind == QueryError::Kind::bad_escape);
    CHECK(query.error().name == name);
    CHECK(query.error().refusal().type == problems::bad_parameter.type);
    CHECK_FALSE(query.error().refusal().close);
  }
}

TEST_CASE("sixteen parameters, not seventeen") {
  std::string raw = "p0=1";
  for (int i = 1; i < 16; ++i) raw += "&p" + std::to_string(i) + "=1";
  REQUIRE(QueryParameters::parse(raw).has_value());
  CHECK(QueryParameters::parse(raw)->all().size() == 16);
  const auto query = QueryParameters::parse(raw + "&q=1");
  REQUIRE(query.has_error());
  CHECK(query.error().kind == QueryError::Kind::too_many);
  CHECK(query.error().refusal().status == 400);
}

TEST_CASE("unknown parameters are named") {
  const auto query = QueryParameters::parse("file=a&len=1&Offset=2");
  REQUIRE(query.has_value());
  constexpr std::string_view known[] = {"file", "offset", "len"};
  REQUIRE(query->first_unknown(known) != nullptr);
  CHECK(query->first_unknown(known)->name == "Offset");
  constexpr std::string_view all[] = {"file", "Offset", "len"};
  CHECK(query->first_unknown(all) == nullptr);
  CHECK(query->first_unknown({})->name == "file");
}

}  // namespace
}  // namespace ranged::server
