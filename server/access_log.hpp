#pragma once
// The access log: one line for each request. Never makes a request wait: records go into a bounded queue that one
// thread renders and writes; when it is full, the line is dropped and counted.

#include "server/config.hpp"

#include <boost/system/result.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace ranged::server {

class LogSink;

/// How a response ended.
enum class AccessEnd : std::uint8_t {
  complete,
  cut,      ///< by the daemon: the file changed or could not be read
  left,     ///< by the client: it closed or reset
  stalled,  ///< by the daemon: the client took nothing for too long
  drained,  ///< by the daemon: it stops
};
[[nodiscard]] std::string_view to_string(AccessEnd end) noexcept;

/// What there is to say about one request. Plain data; the views need live only until AccessLog::append() has returned.
struct AccessRecord {
  std::chrono::system_clock::time_point time;  ///< when the request's head was complete
  std::string_view remote;                     ///< "address:port" of the peer, or "unix"
  std::string_view method;                     ///< raw; empty when there was no readable request
  std::string_view target;                     ///< raw
  std::string_view host;                       ///< raw
  std::string_view user_agent;                 ///< raw
  std::string_view referer;                    ///< raw
  std::string_view request_id;                 ///< as in the answer
  std::uint8_t version = 11;                   ///< 10 or 11
  std::uint16_t status = 0;
  AccessEnd end = AccessEnd::complete;
  bool has_range = false;                           ///< a single range was answered: range_first to range_last
  std::uint64_t range_first = 0;                    ///< first byte
  std::uint64_t range_last = 0;                     ///< last byte, inclusive
  std::uint64_t body_bytes = 0;                     ///< taken by the kernel
  std::chrono::microseconds duration{0};            ///< from the complete head to the last byte
  std::chrono::microseconds time_to_first_byte{0};  ///< from the complete head to the first byte
  std::uint32_t page_hits = 0;                      ///< pages that were resident
  std::uint32_t page_misses = 0;                    ///< pages that were waited for
};

class AccessLog {
 public:
  /// Longer values are cut to these many bytes, and the line says so ("target_truncated").
  static constexpr std::size_t max_target = 1024;
  static constexpr std::size_t max_text = 256;  ///< user agent, referer, host
  /// Bytes of records that wait to be written: some 4,000 requests.
  static constexpr std::size_t queue_bytes = std::size_t{1} << 20;

  /// Opens `target` ("-" is standard output, else a file that is appended to, created with mode 0640) and starts the
  /// writer. Errors: the system's of opening. For "off" there is no AccessLog: whoever would append holds a null
  /// pointer.
  static boost::system::result<std::unique_ptr<AccessLog>> open(const std::string& target, AccessLogFormat format);
  /// Writes what is queued, for at most a second.
  ~AccessLog();
  AccessLog(const AccessLog&) = delete;
  AccessLog& operator=(const AccessLog&) = delete;

  /// Queues a record. Never waits for I/O, allocates nothing. Thread-safe. Cost: one short lock and a copy of the
  /// record's bytes; a wake-up of the writer when it sleeps.
  void append(const AccessRecord& record) noexcept;

  /// Opens the file again before the next line is written (log rotation). If that fails, the old one is kept and the
  /// failure counted. Thread-safe, never waits.
  void reopen() noexcept;

  /// Waits until everything appended before is written or given up; false after `timeout`. For tests and the end.
  bool flush(std::chrono::milliseconds timeout) noexcept;

  [[nodiscard]] std::uint64_t dropped() const noexcept;  ///< lines lost to a full queue
  [[nodiscard]] std::uint64_t errors() const noexcept;   ///< writes and reopenings that failed

 private:
  explicit AccessLog(std::unique_ptr<LogSink> sink) noexcept;
  std::unique_ptr<LogSink> sink_;
};

/// Renders one record as a line with its line end. Pure. JSON: one valid JSON object whatever the request held.
/// Combined: the format of Apache and nginx (host, identity, user, time, request line, status, bytes, referer, user
/// agent), quotes and control characters as \xHH.
void render_access_line(AccessLogFormat format, const AccessRecord& record, std::string& line);

}  // namespace ranged::server
