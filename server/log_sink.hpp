#pragma once
// A bounded queue of records and the one thread that writes them: whoever appends never waits for a disk, a pipe or a
// terminal.

#include <boost/system/result.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <thread>

namespace ranged::server {

class LogSink {
 public:
  /// Appends a record's line, line end included, to `text`. Runs on the writer's thread. Null: the record is its line.
  using Renderer = void (*)(std::span<const char> record, std::string& text);

  /// Opens `target` ("-" is standard output, else a file that is appended to, created with mode 0640) and starts the
  /// writer, with room for `queue_bytes` of records altogether. Errors: the system's of opening; out of memory or
  /// threads.
  static boost::system::result<std::unique_ptr<LogSink>> open(const std::string& target, std::size_t queue_bytes,
                                                              Renderer renderer) noexcept;
  /// The same for a descriptor, which is duplicated.
  static boost::system::result<std::unique_ptr<LogSink>> attach(int descriptor, std::size_t queue_bytes,
                                                                Renderer renderer) noexcept;
  /// stop().
  ~LogSink();
  LogSink(const LogSink&) = delete;
  LogSink& operator=(const LogSink&) = delete;

  /// Queues the concatenation of `parts` as one record; false, and counted, when there is no room. Never waits for I/O,
  /// allocates nothing, thread-safe. Cost: one short lock, a copy, and a wake-up when the writer sleeps.
  bool append(std::span<const std::string_view> parts) noexcept;

  /// Opens the target again before the next write, at once if there is nothing to write. A failure is counted and the
  /// old one kept. Nothing happens for a descriptor or standard output. Thread-safe, does not wait.
  void reopen() noexcept;

  /// Waits until every record appended before, and a reopening asked for before, is done with. False after `timeout`.
  bool flush(std::chrono::milliseconds timeout) noexcept;

  /// Records lost: to a full queue, or to a target that did not take them.
  [[nodiscard]] std::uint64_t dropped() const noexcept { return dropped_.load(std::memory_order_relaxed); }
  /// Writes and reopenings that failed.
  [[nodiscard]] std::uint64_t errors() const noexcept { return errors_.load(std::memory_order_relaxed); }

  /// Writes what is queued, for at most a second, gives the rest up (counted) and ends the thread. Nothing may be
  /// appended any more. For the owner; a second call does nothing.
  void stop() noexcept;

 private:
  /// What fills up while the writer is busy with the other one.
  struct Buffer {
    std::unique_ptr<char[]> bytes;
    std::size_t used = 0;
    std::uint64_t records = 0;
  };

  LogSink(int descriptor, int wake, std::string path, std::size_t buffer_bytes, Renderer renderer);
  static boost::system::result<std::unique_ptr<LogSink>> make(int descriptor, std::string path, std::size_t queue_bytes,
                                                              Renderer renderer) noexcept;
  void run() noexcept;
  void write_batch() noexcept;
  void write_text(std::string& text, std::uint64_t records) noexcept;
  bool wait_writable() noexcept;
  void open_again() noexcept;
  void inspect() noexcept;

  const std::string path_;  ///< empty: not to be reopened
  const std::size_t buffer_bytes_;
  const Renderer renderer_;

  std::mutex mutex_;  ///< guards filling_ and the five below it; never held during I/O
  std::condition_variable work_;
  std::condition_variable done_;
  Buffer filling_;
  bool writer_waits_ = false;
  bool stopping_ = false;
  bool reopen_wanted_ = false;
  std::uint64_t appended_ = 0;  ///< records and reopenings asked for
  std::uint64_t finished_ = 0;  ///< of those, done with

  // Of the writer's thread alone.
  Buffer writing_;
  std::string text_;
  int descriptor_;
  bool regular_ = false;  ///< a regular file: always "writable", so not waited for
  bool torn_ = false;     ///< the last write stopped within a line

  const int wake_;  ///< eventfd: readable from the moment of stopping, so that a wait for the target ends
  std::atomic<std::int64_t> give_up_at_{
      0};  ///< steady clock's count, set before wake_ is written (which orders it); 0: never
  // Counters of their own, read for /metrics: relaxed.
  std::atomic<std::uint64_t> dropped_{0};
  std::atomic<std::uint64_t> errors_{0};
  std::thread thread_;
};

}  // namespace ranged::server
