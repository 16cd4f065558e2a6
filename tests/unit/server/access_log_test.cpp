#include "server/access_log.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>
#include <string>
#include <vector>

namespace ranged::server {
namespace {

using namespace std::chrono_literals;

constexpr auto patience = 60s;

AccessRecord sample() {
  AccessRecord record;
  record.time = std::chrono::system_clock::time_point(std::chrono::milliseconds{951'827'696'789});
  record.remote = "192.0.2.7:54321";
  record.method = "GET";
  record.target = "/files/disk.img?x=\"1\"";
  record.host = "files.example";
  record.user_agent = "curl/8";
  record.referer = "https://a.example/";
  record.status = 206;
  record.has_range = true;
  record.range_first = std::uint64_t{1} << 40;
  record.range_last = (std::uint64_t{1} << 63) - 1;
  record.body_bytes = std::uint64_t{1} << 32;
  record.duration = 1234us;
  record.time_to_first_byte = 56us;
  record.request_id = "fedcba9876543210";
  record.page_hits = 7;
  record.page_misses = 2;
  return record;
}

std::string render(AccessLogFormat format, const AccessRecord& record) {
  std::string line;
  render_access_line(format, record, line);
  return line;
}

class LogFile {
 public:
  LogFile() {
    std::string name = (std::filesystem::temp_directory_path() / "ranged-access-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    folder_ = name;
  }
  ~LogFile() { std::filesystem::remove_all(folder_); }
  LogFile(const LogFile&) = delete;
  LogFile& operator=(const LogFile&) = delete;
  [[nodiscard]] std::string path() const { return folder_ / "access.log"; }
  [[nodiscard]] std::string contents() const {
    std::ifstream file(path());
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
  }

 private:
  std::filesystem::path folder_;
};

TEST_CASE("a JSON line holds all there is to say") {
  CHECK(
      render(AccessLogFormat::json, sample()) ==
      R"({"time":"2000-02-29T12:34:56.789Z","remote":"192.0.2.7:54321","method":"GET","target":"/files/disk.img?x=\"1\"",)"
      R"("host":"files.example","status":206,"bytes":4294967296,"range_first":1099511627776,"range_last":9223372036854775807,)"
      R"("duration_us":1234,"first_byte_us":56,"end":"complete","page_hits":7,"page_misses":2,)"
      R"("request_id":"fedcba9876543210","user_agent":"curl/8","referer":"https://a.example/"})"
      "\n");
}

TEST_CASE("what there is not is left out") {
  AccessRecord record;
  record.status = 400;
  record.end = AccessEnd::left;
  record.duration = -5us;
  const nlohmann::json line = nlohmann::json::parse(render(AccessLogFormat::json, record));
  for (const char* absent : {"host", "range_first", "range_last", "user_agent", "referer", "target_truncated"}) {
    CHECK_FALSE(line.contains(absent));
  }
  CHECK(line["method"] == "");
  CHECK(line["end"] == "left");
  CHECK(line["duration_us"] == 0);
}

TEST_CASE("the ends have names") {
  CHECK(to_string(AccessEnd::complete) == "complete");
  CHECK(to_string(AccessEnd::cut) == "cut");
  CHECK(to_string(AccessEnd::left) == "left");
  CHECK(to_string(AccessEnd::stalled) == "stalled");
  CHECK(to_string(AccessEnd::drained) == "drained");
}

TEST_CASE("a combined line is what log readers know") {
  AccessRecord record = sample();
  CHECK(render(AccessLogFormat::combined, record) ==
        "192.0.2.7 - - [29/Feb/2000:12:34:56 +0000] \"GET /files/disk.img?x=\\x221\\x22 HTTP/1.1\" 206 4294967296 "
        "\"https://a.example/\" \"curl/8\"\n");
  record.remote = "[2001:db8::1]:80";
  record.version = 10;
  record.referer = "";
  record.user_agent = "a\n\xff";
  CHECK(render(AccessLogFormat::combined, record) ==
        "2001:db8::1 - - [29/Feb/2000:12:34:56 +0000] \"GET /files/disk.img?x=\\x221\\x22 HTTP/1.0\" 206 4294967296 "
        "\"-\" \"a\\x0A\\xFF\"\n");
  AccessRecord nothing;
  nothing.status = 400;
  CHECK(render(AccessLogFormat::combined, nothing) == "- - - [01/Jan/1970:00:00:00 +0000] \"-\" 400 0 \"-\" \"-\"\n");
  nothing.remote = "unix";
  CHECK(render(AccessLogFormat::combined, nothing).starts_with("unix - - ["));
}

TEST_CASE("whatever a request holds, a line is one line of valid JSON") {
  std::mt19937 random(11);
  for (int round = 0; round < 500; ++round) {
    std::vector<std::string> texts(5);
    for (std::string& text : texts) {
      text.resize(random() % 2000);
      for (char& c : text) c = static_cast<char>(random() % 2 == 0 ? random() % 0x20 : random());
    }
    AccessRecord record = sample();
    record.method = texts[0];
    record.target = texts[1];
    record.host = texts[2];
    record.user_agent = texts[3];
    record.referer = texts[4];
    const std::string line = render(AccessLogFormat::json, record);
    CAPTURE(line);
    REQUIRE(nlohmann::json::accept(line));
    CHECK(line.find('\n') == line.size() - 1);
    const std::string combined = render(AccessLogFormat::combined, record);
    CHECK(combined.find('\n') == combined.size() - 1);
    CHECK(std::all_of(combined.begin(), combined.end() - 1, [](char c) { return c >= 0x20 && c < 0x7f; }));
  }
}

TEST_CASE("a record goes through the queue as it is") {
  for (const AccessLogFormat format : {AccessLogFormat::json, AccessLogFormat::combined}) {
    const LogFile file;
    auto log = AccessLog::open(file.path(), format);
    REQUIRE(log);
    {
      // The texts are gone when the writer comes to them.
      const std::string target = "/files/temporary";
      AccessRecord record = sample();
      record.target = target;
      (*log)->append(record);
    }
    (*log)->append(sample());
    REQUIRE((*log)->flush(patience));
    AccessRecord first = sample();
    first.target = "/files/temporary";
    CHECK(file.contents() == render(format, first) + render(format, sample()));
    CHECK((*log)->dropped() == 0);
    CHECK((*log)->errors() == 0);
  }
}

TEST_CASE("long texts are cut, and a cut target is said to be") {
  const LogFile file;
  auto log = AccessLog::open(file.path(), AccessLogFormat::json);
  REQUIRE(log);
  const std::string longest(AccessLog::max_target, 't');
  const std::string longer = longest + "t";
  const std::string much(100'000, 'x');
  AccessRecord record = sample();
  record.target = longest;
  (*log)->append(record);
  record.target = longer;
  record.user_agent = record.referer = record.host = record.method = record.remote = much;
  (*log)->append(record);
  record.target = much;
  (*log)->append(record);
  REQUIRE((*log)->flush(patience));
  std::istringstream lines(file.contents());
  std::vector<nlohmann::json> parsed;
  for (std::string line; std::getline(lines, line);) parsed.push_back(nlohmann::json::parse(line));
  REQUIRE(parsed.size() == 3);
  CHECK(parsed[0]["target"] == longest);
  CHECK_FALSE(parsed[0].contains("target_truncated"));
  for (const std::size_t i : {std::size_t{1}, std::size_t{2}}) {
    CHECK(parsed[i]["target"].get<std::string>().size() == AccessLog::max_target);
    CHECK(parsed[i]["target_truncated"] == true);
    CHECK(parsed[i]["user_agent"].get<std::string>().size() == AccessLog::max_text);
    CHECK(parsed[i]["method"].get<std::string>().size() == 32);
    CHECK(parsed[i]["remote"].get<std::string>().size() == 64);
  }
}

TEST_CASE("rotation") {
  const LogFile file;
  auto log = AccessLog::open(file.path(), AccessLogFormat::combined);
  REQUIRE(log);
  (*log)->append(sample());
  REQUIRE((*log)->flush(patience));
  std::filesystem::rename(file.path(), file.path() + ".1");
  (*log)->reopen();
  (*log)->append(sample());
  REQUIRE((*log)->flush(patience));
  CHECK(file.contents() == render(AccessLogFormat::combined, sample()));
}

TEST_CASE("failures are errors at the start and counters later") {
  CHECK(AccessLog::open("/no/such/folder/access.log", AccessLogFormat::json).error() ==
        boost::system::errc::no_such_file_or_directory);
  auto log = AccessLog::open("/dev/full", AccessLogFormat::json);
  REQUIRE(log);
  (*log)->append(sample());
  REQUIRE((*log)->flush(patience));
  CHECK((*log)->errors() == 1);
  CHECK((*log)->dropped() == 1);
}

}  // namespace
}  // namespace ranged::server
