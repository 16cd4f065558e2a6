#include "server/log_sink.hpp"

#include <doctest/doctest.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace ranged::server {
namespace {

using namespace std::chrono_literals;

/// Long enough that only a defect reaches it.
constexpr auto patience = 60s;

class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "ranged-sink-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  [[nodiscard]] std::string file(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

struct Pipe {
  Pipe() {
    std::array<int, 2> ends{};
    REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
    reader = ends[0];
    writer = ends[1];
  }
  ~Pipe() {
    close_reader();
    close_writer();
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  void close_reader() {
    if (reader >= 0) ::close(reader);
    reader = -1;
  }
  void close_writer() {
    if (writer >= 0) ::close(writer);
    writer = -1;
  }
  /// All there is until the last writer closes.
  [[nodiscard]] std::string drain() const {
    std::string text;
    std::array<char, 4096> buffer{};
    for (ssize_t count = 0; (count = ::read(reader, buffer.data(), buffer.size())) > 0;) {
      text.append(buffer.data(), static_cast<std::size_t>(count));
    }
    return text;
  }
  int reader = -1;
  int writer = -1;
};

std::string contents(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<std::string> lines(const std::string& text) {
  std::vector<std::string> found;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) found.push_back(line);
  return found;
}

bool append(LogSink& sink, std::string_view text) {
  return sink.append({&text, 1});
}

TEST_CASE("lines come out whole and in order") {
  const Folder folder;
  const std::string path = folder.file("log");
  {
    auto sink = LogSink::open(path, 1 << 16, nullptr);
    REQUIRE(sink);
    CHECK(append(**sink, "one\n"));
    const std::array<std::string_view, 3> parts{"tw", "", "o\n"};
    CHECK((*sink)->append(parts));
    REQUIRE((*sink)->flush(patience));
    CHECK(contents(path) == "one\ntwo\n");
    CHECK(append(**sink, "three\n"));
  }
  CHECK(contents(path) == "one\ntwo\nthree\n");
  struct stat status{};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  CHECK((status.st_mode & 0137) == 0);
}

TEST_CASE("an existing file is added to") {
  const Folder folder;
  const std::string path = folder.file("log");
  std::ofstream(path) << "old\n";
  append(**LogSink::open(path, 1 << 16, nullptr), "new\n");
  CHECK(contents(path) == "old\nnew\n");
}

TEST_CASE("records are rendered by the writer") {
  const Folder folder;
  const std::string path = folder.file("log");
  {
    auto sink = LogSink::open(path, 1 << 16, [](std::span<const char> record, std::string& text) {
      text += '<';
      text.append(record.data(), record.size());
      text += ">\n";
    });
    REQUIRE(sink);
    append(**sink, "a");
    append(**sink, "");
    append(**sink, "bc");
  }
  CHECK(contents(path) == "<a>\n<>\n<bc>\n");
}

TEST_CASE("what cannot be opened is an error") {
  const Folder folder;
  CHECK(LogSink::open(folder.file("no/such"), 1 << 16, nullptr).error() ==
        boost::system::errc::no_such_file_or_directory);
  CHECK(LogSink::open("/", 1 << 16, nullptr).error() == boost::system::errc::is_a_directory);
  CHECK(LogSink::attach(-1, 1 << 16, nullptr).error() == boost::system::errc::bad_file_descriptor);
  // A FIFO that nobody reads must not hang the start.
  REQUIRE(::mkfifo(folder.file("fifo").c_str(), 0600) == 0);
  CHECK(LogSink::open(folder.file("fifo"), 1 << 16, nullptr).error() == boost::system::errc::no_such_device_or_address);
}

TEST_CASE("a target that takes nothing never makes anybody wait; what does not fit is dropped and counted") {
  Pipe pipe;
  auto sink = LogSink::attach(pipe.writer, 1 << 16, nullptr);
  REQUIRE(sink);
  pipe.close_writer();
  // Far more than the pipe (64 KiB) and both halves of the queue hold.
  constexpr int count = 10'000;
  std::vector<std::string> accepted;
  for (int i = 0; i < count; ++i) {
    std::string line = "line " + std::to_string(i) + ' ' + std::string(90, 'x');
    if (append(**sink, line + '\n')) accepted.push_back(std::move(line));
  }
  CHECK(accepted.size() < count);
  // One half at least; whether the writer ran meanwhile, and so filled the pipe too, is the scheduler's to say.
  CHECK(accepted.size() > (1 << 16) / 2 / 110);
  CHECK((*sink)->dropped() == count - accepted.size());
  // Now somebody reads: all that was accepted arrives.
  std::string text;
  std::thread reader([&pipe, &text] { text = pipe.drain(); });
  CHECK((*sink)->flush(patience));
  sink->reset();
  reader.join();
  CHECK(lines(text) == accepted);
}

TEST_CASE("a record larger than the queue is dropped, the next is not") {
  const Folder folder;
  auto sink = LogSink::open(folder.file("log"), 2048, nullptr);
  REQUIRE(sink);
  CHECK_FALSE(append(**sink, std::string(1021, 'x')));
  CHECK(append(**sink, std::string(1019, 'x') + '\n'));
  REQUIRE((*sink)->flush(patience));
  CHECK((*sink)->dropped() == 1);
  CHECK(contents(folder.file("log")).size() == 1020);
}

TEST_CASE("the end does not wait for ever for a target that takes nothing") {
  Pipe pipe;
  std::uint64_t accepted = 0;
  std::uint64_t dropped = 0;
  {
    auto sink = LogSink::attach(pipe.writer, 1 << 20, nullptr);
    REQUIRE(sink);
    for (int i = 0; i < 4'000; ++i) accepted += append(**sink, std::string(99, 'x') + '\n') ? 1U : 0U;
    CHECK((*sink)->dropped() == 4'000 - accepted);
    (*sink)->stop();
    dropped = (*sink)->dropped() - (4'000 - accepted);
  }
  // As much was written as the pipe takes, however many lines that is: a write that ends within a page may leave the
  // rest of it unused.
  pollfd room{pipe.writer, POLLOUT, 0};
  CHECK(::poll(&room, 1, 0) == 0);
  pipe.close_writer();
  // Every line is either there or counted.
  CHECK(lines(pipe.drain()).size() >= accepted - dropped);
  CHECK(dropped > 0);
  CHECK(accepted > dropped);
}

TEST_CASE("a reader that has gone is counted, not fatal") {
  Pipe pipe;
  auto sink = LogSink::attach(pipe.writer, 1 << 16, nullptr);
  REQUIRE(sink);
  pipe.close_reader();
  append(**sink, "lost\n");
  REQUIRE((*sink)->flush(patience));
  CHECK((*sink)->errors() == 1);
  CHECK((*sink)->dropped() == 1);
  append(**sink, "lost too\n");
  REQUIRE((*sink)->flush(patience));
  CHECK((*sink)->errors() == 2);
  CHECK((*sink)->dropped() == 2);
}

TEST_CASE("a full disk is counted, not fatal") {
  auto sink = LogSink::open("/dev/full", 1 << 16, nullptr);
  REQUIRE(sink);
  append(**sink, "a\n");
  REQUIRE((*sink)->flush(patience));
  CHECK((*sink)->errors() == 1);
  CHECK((*sink)->dropped() == 1);
}

TEST_CASE("a line that a full disk cut off spoils no other") {
  const Folder folder;
  const std::string path = folder.file("log");
  auto sink = LogSink::open(path, 1 << 16, nullptr);
  REQUIRE(sink);
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  // The signal that comes with it is the writing thread's, which takes none.
  const rlimit small{100, before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
  append(**sink, std::string(149, 'x') + '\n');
  const bool flushed = (*sink)->flush(patience);
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
  REQUIRE(flushed);
  CHECK((*sink)->errors() == 1);
  CHECK((*sink)->dropped() == 1);
  append(**sink, "whole\n");
  REQUIRE((*sink)->flush(patience));
  CHECK(contents(path) == std::string(100, 'x') + "\nwhole\n");
  append(**sink, "and on\n");
  REQUIRE((*sink)->flush(patience));
  CHECK(contents(path) == std::string(100, 'x') + "\nwhole\nand on\n");
}

TEST_CASE("after a rotation, lines go to the new file") {
  const Folder folder;
  const std::string path = folder.file("log");
  auto sink = LogSink::open(path, 1 << 16, nullptr);
  REQUIRE(sink);
  append(**sink, "before\n");
  REQUIRE((*sink)->flush(patience));
  std::filesystem::rename(path, folder.file("log.1"));
  append(**sink, "still\n");
  REQUIRE((*sink)->flush(patience));
  (*sink)->reopen();
  (*sink)->reopen();
  REQUIRE((*sink)->flush(patience));
  append(**sink, "after\n");
  REQUIRE((*sink)->flush(patience));
  CHECK(contents(folder.file("log.1")) == "before\nstill\n");
  CHECK(contents(path) == "after\n");
  CHECK((*sink)->errors() == 0);
}

TEST_CASE("a rotation that fails keeps the old file") {
  const Folder folder;
  std::filesystem::create_directory(folder.file("d"));
  const std::string path = folder.file("d") + "/log";
  auto sink = LogSink::open(path, 1 << 16, nullptr);
  REQUIRE(sink);
  std::filesystem::rename(folder.file("d"), folder.file("e"));
  (*sink)->reopen();
  append(**sink, "kept\n");
  REQUIRE((*sink)->flush(patience));
  CHECK((*sink)->errors() == 1);
  CHECK(contents(folder.file("e") + "/log") == "kept\n");
}

TEST_CASE("many at once: each one's lines whole and in its order") {
  const Folder folder;
  const std::string path = folder.file("log");
  constexpr int writers = 4;
  constexpr int each = 5'000;
  std::atomic<int> accepted{0};
  {
    auto sink = LogSink::open(path, 1 << 18, nullptr);
    REQUIRE(sink);
    std::vector<std::thread> threads;
    for (int writer = 0; writer < writers; ++writer) {
      threads.emplace_back([&sink, &accepted, writer] {
        for (int i = 0; i < each; ++i) {
          const std::string line = std::to_string(writer) + ' ' + std::to_string(i) + " end\n";
          accepted += append(**sink, line) ? 1 : 0;
          if (i % 1'000 == 0) (*sink)->reopen();
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK((*sink)->dropped() == static_cast<std::uint64_t>(writers * each - accepted));
    CHECK((*sink)->errors() == 0);
  }
  std::array<int, writers> last{-1, -1, -1, -1};
  int seen = 0;
  for (const std::string& line : lines(contents(path))) {
    std::istringstream stream(line);
    std::size_t writer = writers;
    int number = -1;
    std::string end;
    stream >> writer >> number >> end;
    REQUIRE(writer < writers);
    CHECK(end == "end");
    CHECK(number > last[writer]);
    last[writer] = number;
    ++seen;
  }
  CHECK(seen == accepted);
}

}  // namespace
}  // namespace ranged::server
