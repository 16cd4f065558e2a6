#include "server/problem.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <set>
#include <string>
#include <string_view>

namespace ranged::server {
namespace {

using namespace std::string_literals;

TEST_CASE("a problem has the members of RFC 9457") {
  const auto problem = nlohmann::json::parse(problem_json(416, "/problems/x", "Title", "Detail.", "offset"));
  CHECK(problem == nlohmann::json{{"type", "/problems/x"},
                                  {"title", "Title"},
                                  {"status", 416},
                                  {"detail", "Detail."},
                                  {"parameter", "offset"}});
  CHECK(problem["status"].is_number_integer());
}

TEST_CASE("what is empty is left out") {
  const auto problem = nlohmann::json::parse(problem_json(404, "/problems/not-found", "Not found", ""));
  CHECK(problem.size() == 3);
  CHECK_FALSE(problem.contains("detail"));
  CHECK_FALSE(problem.contains("parameter"));
}

TEST_CASE("any bytes give valid JSON on one line") {
  std::string bytes;
  for (int byte = 0; byte < 256; ++byte) bytes.push_back(static_cast<char>(byte));
  for (const std::string& detail :
       {bytes, "\"\\</script>"s, "\xff\xfe"s, "\xc3"s, "\xed\xa0\x80"s, "\xf4\x90\x80\x80"s, "\0"s, "a\r\nb"s}) {
    const std::string text = problem_json(400, "/problems/bad-parameter", "Bad parameter", detail, detail);
    const auto problem = nlohmann::json::parse(text, nullptr, false);
    REQUIRE_FALSE(problem.is_discarded());
    CHECK_FALSE(problem["detail"].get<std::string>().empty());
    CHECK(text.find('\n') == std::string::npos);
  }
  CHECK(nlohmann::json::parse(problem_json(400, "t", "t", "caf\xc3\xa9 \xff"))["detail"] == "caf\xc3\xa9 \xef\xbf\xbd");
}

TEST_CASE("each type is there once, is a path of its own and has a status with a phrase") {
  std::set<std::string_view> types;
  std::set<std::string_view> titles;
  for (const ProblemType& problem : problems::all) {
    CAPTURE(problem.type);
    CHECK(types.insert(problem.type).second);
    CHECK(titles.insert(problem.title).second);
    CHECK(problem.type.starts_with("/problems/"));
    CHECK(problem.type.find_first_not_of("abcdefghijklmnopqrstuvwxyz-/") == std::string_view::npos);
    CHECK(problem.status >= 400);
    CHECK(problem.status < 600);
    CHECK_FALSE(reason_phrase(problem.status).empty());
  }
  CHECK(types.size() == 22);
}

TEST_CASE("reason phrases are those of the registry") {
  CHECK(reason_phrase(200) == "OK");
  CHECK(reason_phrase(206) == "Partial Content");
  CHECK(reason_phrase(304) == "Not Modified");
  CHECK(reason_phrase(413) == "Content Too Large");
  CHECK(reason_phrase(416) == "Range Not Satisfiable");
  CHECK(reason_phrase(421) == "Misdirected Request");
  CHECK(reason_phrase(503) == "Service Unavailable");
  CHECK(reason_phrase(299).empty());
  CHECK(reason_phrase(0).empty());
}

}  // namespace
}  // namespace ranged::server
