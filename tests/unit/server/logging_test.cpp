#include "server/logging.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cmath>
#include <cstdio>
#include <limits>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace ranged::server {
namespace {

using namespace std::chrono_literals;

const std::chrono::system_clock::time_point moment{std::chrono::milliseconds{951'827'696'789}};

/// Standard error is a temporary file while this lives.
class CapturedStderr {
 public:
  CapturedStderr() : file_(std::tmpfile()), before_(::dup(STDERR_FILENO)) {
    REQUIRE(file_ != nullptr);
    REQUIRE(::dup2(::fileno(file_), STDERR_FILENO) == STDERR_FILENO);
  }
  ~CapturedStderr() {
    ::dup2(before_, STDERR_FILENO);
    ::close(before_);
    static_cast<void>(std::fclose(file_));
    configure_logging(LogLevel::info, LogFormat::text);
  }
  CapturedStderr(const CapturedStderr&) = delete;
  CapturedStderr& operator=(const CapturedStderr&) = delete;

  [[nodiscard]] std::vector<std::string> lines() const {
    std::string text;
    std::array<char, 4096> buffer{};
    for (ssize_t count = 0;
         (count = ::pread(::fileno(file_), buffer.data(), buffer.size(), static_cast<off_t>(text.size()))) > 0;) {
      text.append(buffer.data(), static_cast<std::size_t>(count));
    }
    std::vector<std::string> found;
    for (std::size_t begin = 0; begin < text.size();) {
      const std::size_t end = text.find('\n', begin);
      REQUIRE(end != std::string::npos);
      found.push_back(text.substr(begin, end - begin));
      begin = end + 1;
    }
    return found;
  }

 private:
  std::FILE* file_;
  int before_;
};

TEST_CASE("a text line") {
  CHECK(render_log_line(LogFormat::text, moment, LogLevel::info, "listening",
                        {{"address", "127.0.0.1:8080"},
                         {"threads", 4U},
                         {"delta", -3},
                         {"ratio", 0.5},
                         {"ok", true},
                         {"path", "/a b"},
                         {"empty", ""},
                         {"trick", "x y=z"},
                         {"line", std::string("a\nb")}}) ==
        "2000-02-29T12:34:56.789Z info listening address=127.0.0.1:8080 threads=4 delta=-3 ratio=0.5 ok=true path=\"/a "
        "b\" "
        "empty=\"\" trick=\"x y=z\" line=\"a\\nb\"\n");
  CHECK(render_log_line(LogFormat::text, moment, LogLevel::error, "bad\x1b[0m", {}) ==
        "2000-02-29T12:34:56.789Z error \"bad\\u001b[0m\"\n");
}

TEST_CASE("a JSON line") {
  CHECK(render_log_line(LogFormat::json, moment, LogLevel::warning, "a \"message\"",
                        {{"text", "\xff\n"},
                         {"big", std::numeric_limits<std::uint64_t>::max()},
                         {"small", std::numeric_limits<std::int64_t>::min()},
                         {"half", 0.5F},
                         {"none", std::nan("")},
                         {"infinite", std::numeric_limits<double>::infinity()},
                         {"no", false}}) ==
        "{\"time\":\"2000-02-29T12:34:56.789Z\",\"level\":\"warning\",\"message\":\"a "
        "\\\"message\\\"\",\"text\":\"\xef\xbf\xbd\\n\","
        "\"big\":18446744073709551615,\"small\":-9223372036854775808,\"half\":0.5,\"none\":null,\"infinite\":null,"
        "\"no\":false}\n");
}

TEST_CASE("whatever the fields hold, a line is one line of valid JSON of at most 8 KiB") {
  std::mt19937 random(7);
  for (int round = 0; round < 500; ++round) {
    std::string message(random() % 40, '\0');
    std::string long_text(random() % 3000, '\0');
    std::string other(random() % 3000, '\0');
    for (std::string* text : {&message, &long_text, &other}) {
      for (char& c : *text) c = static_cast<char>(random() % 2 == 0 ? random() % 0x20 : random());
    }
    const std::string line =
        render_log_line(LogFormat::json, moment, LogLevel::info, message,
                        {{"a", long_text}, {"b", other}, {"c", std::string_view(long_text)}, {"d", round}});
    CAPTURE(line);
    REQUIRE(nlohmann::json::accept(line));
    CHECK(line.size() <= 8192);
    CHECK(line.find('\n') == line.size() - 1);
    const std::string text =
        render_log_line(LogFormat::text, moment, LogLevel::info, message, {{"a", long_text}, {"b", other}});
    CHECK(text.size() <= 8192);
    CHECK(text.find('\n') == text.size() - 1);
  }
  const std::string full(2000, '\x01');
  const nlohmann::json cut =
      nlohmann::json::parse(render_log_line(LogFormat::json, moment, LogLevel::info, "m", {{"a", full}, {"b", full}}));
  CHECK(cut["a"].get<std::string>() == full.substr(0, 1024));
  CHECK_FALSE(cut.contains("b"));
  CHECK(cut["truncated"] == true);
}

TEST_CASE("levels are kept, and lines written at once before the background takes over") {
  const CapturedStderr captured;
  configure_logging(LogLevel::warning, LogFormat::json);
  CHECK_FALSE(log_enabled(LogLevel::info));
  CHECK(log_enabled(LogLevel::error));
  CHECK_FALSE(log_enabled(LogLevel::off));
  log(LogLevel::info, "not this");
  log(LogLevel::warning, "this", {{"n", 1}});
  log(LogLevel::off, "nor this");
  configure_logging(LogLevel::off, LogFormat::json);
  log(LogLevel::error, "nothing");
  configure_logging(LogLevel::trace, LogFormat::text);
  log(LogLevel::trace, "that");
  const std::vector<std::string> lines = captured.lines();
  REQUIRE(lines.size() == 2);
  const nlohmann::json line = nlohmann::json::parse(lines[0]);
  CHECK(line["message"] == "this");
  CHECK(line["level"] == "warning");
  CHECK(line["n"] == 1);
  CHECK(lines[1].ends_with(" trace that"));
}

TEST_CASE("in the background, all lines of all threads arrive, and those after it too") {
  const CapturedStderr captured;
  configure_logging(LogLevel::info, LogFormat::json);
  {
    const BackgroundLogging background;
    std::vector<std::thread> threads;
    for (int thread = 0; thread < 4; ++thread) {
      threads.emplace_back([thread] {
        for (int i = 0; i < 500; ++i) log(LogLevel::info, "line", {{"thread", thread}, {"number", i}});
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  log(LogLevel::info, "after");
  const std::vector<std::string> lines = captured.lines();
  REQUIRE(lines.size() == 2001);
  std::array<int, 4> next{};
  for (std::size_t i = 0; i < 2000; ++i) {
    const nlohmann::json line = nlohmann::json::parse(lines[i]);
    int& expected = next.at(line["thread"].get<std::size_t>());
    CHECK(line["number"] == expected);
    ++expected;
  }
  CHECK(nlohmann::json::parse(lines.back())["message"] == "after");
}

TEST_CASE("in the background, a standard error that takes nothing makes nobody wait") {
  std::array<int, 2> pipe{};
  REQUIRE(::pipe2(pipe.data(), O_CLOEXEC) == 0);
  const std::uint64_t dropped = log_lines_dropped();
  {
    const CapturedStderr captured;
    configure_logging(LogLevel::info, LogFormat::text);
    REQUIRE(::dup2(pipe[1], STDERR_FILENO) == STDERR_FILENO);
    const BackgroundLogging background;
    const std::string text(1000, 'x');
    for (int i = 0; i < 2'000; ++i) log(LogLevel::info, "line", {{"text", text}});
    CHECK(log_lines_dropped() > dropped);
  }
  CHECK(log_lines_dropped() > dropped + 500);
  ::close(pipe[0]);
  ::close(pipe[1]);
}

TEST_CASE("a limiter lets the first few of each interval through, and says how many it kept back") {
  LogLimiter limiter(2, 10s);
  const std::chrono::steady_clock::time_point start{};
  std::uint64_t suppressed = 99;
  CHECK(limiter.admit(start, suppressed));
  CHECK(suppressed == 0);
  CHECK(limiter.admit(start + 1s, suppressed));
  CHECK_FALSE(limiter.admit(start + 2s, suppressed));
  CHECK_FALSE(limiter.admit(start + 9s, suppressed));
  CHECK(limiter.admit(start + 10s, suppressed));
  CHECK(suppressed == 2);
  CHECK(limiter.admit(start + 10s, suppressed));
  CHECK(suppressed == 0);
  CHECK_FALSE(limiter.admit(start + 19s, suppressed));
  CHECK(limiter.admit(start + 3600s, suppressed));
  CHECK(suppressed == 1);
}

TEST_CASE("a limiter shared by threads loses none and lets few through") {
  LogLimiter limiter(10, 1h);
  std::atomic<std::uint64_t> admitted{0};
  std::vector<std::thread> threads;
  const auto now = std::chrono::steady_clock::now();
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&] {
      for (int i = 0; i < 1'000; ++i) {
        std::uint64_t suppressed = 0;
        if (limiter.admit(now, suppressed)) ++admitted;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::uint64_t suppressed = 0;
  REQUIRE(limiter.admit(now + 1h, suppressed));
  // An interval may begin while others count in it: at most one burst more.
  CHECK(admitted >= 10);
  CHECK(admitted <= 20);
}

}  // namespace
}  // namespace ranged::server
