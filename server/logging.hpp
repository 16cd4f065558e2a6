#pragma once
// The daemon's own log: one line for each event on standard error, as text or as JSON. Events are a fixed message and
// named fields, so that nothing that a client sends becomes part of a line's structure.

#include "server/config.hpp"

#include <atomic>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

namespace ranged::server {

/// A named value of a log line. Views: lives as long as the call that it is passed to.
struct LogField {
  using Value = std::variant<std::string_view, std::int64_t, std::uint64_t, double, bool>;

  LogField(std::string_view field_name, std::string_view text) noexcept : name(field_name), value(text) {}
  LogField(std::string_view field_name, const char* text) noexcept : name(field_name), value(std::string_view(text)) {}
  LogField(std::string_view field_name, const std::string& text) noexcept
      : name(field_name), value(std::string_view(text)) {}
  LogField(std::string_view field_name, bool flag) noexcept : name(field_name), value(flag) {}
  LogField(std::string_view field_name, std::floating_point auto number) noexcept
      : name(field_name), value(static_cast<double>(number)) {}
  LogField(std::string_view field_name, std::signed_integral auto number) noexcept
      : name(field_name), value(static_cast<std::int64_t>(number)) {}
  LogField(std::string_view field_name, std::unsigned_integral auto number) noexcept
    requires(!std::same_as<decltype(number), bool>)
      : name(field_name), value(static_cast<std::uint64_t>(number)) {}

  std::string_view name;
  Value value;
};

using LogFields = std::initializer_list<LogField>;

/// Sets level and format of the process's log; at the start and on reload. Thread-safe. Before the first call the log
/// is text at info.
void configure_logging(LogLevel level, LogFormat format);

/// True when log() at this level writes anything. Cost: one relaxed load.
[[nodiscard]] bool log_enabled(LogLevel level) noexcept;

/// Writes one line. Never throws. Thread-safe. Until a BackgroundLogging exists, it is written at once in the calling
/// thread (start-up and the end); while one exists, it is queued and never waits: a full queue drops the line and
/// counts it. Lines are at most 8 KiB, longer fields are cut.
void log(LogLevel level, std::string_view message, LogFields fields = {}) noexcept;

/// While it lives, log() never waits for standard error: lines go through a bounded queue (1 MiB) and a thread. Create
/// one, after sandboxing (it starts a thread) and before serving. The destructor writes what is queued, for at most a
/// second, and returns to writing at once.
class BackgroundLogging {
 public:
  /// Throws std::system_error when the thread cannot be started.
  BackgroundLogging();
  ~BackgroundLogging();
  BackgroundLogging(const BackgroundLogging&) = delete;
  BackgroundLogging& operator=(const BackgroundLogging&) = delete;
};

/// Lines of log() dropped since the start, because the queue was full or standard error took nothing.
[[nodiscard]] std::uint64_t log_lines_dropped() noexcept;

/// Renders one line with its line end, as log() writes it. Pure; for log() and for tests. The JSON form is one valid
/// JSON object whatever the fields hold: control characters are escaped, invalid UTF-8 is replaced by U+FFFD, a number
/// that is not finite is null.
[[nodiscard]] std::string render_log_line(LogFormat format, std::chrono::system_clock::time_point time, LogLevel level,
                                          std::string_view message, LogFields fields);

/// Lets through the first `burst` events of each interval, for log lines that a client or a failing disk could cause
/// without end.
class LogLimiter {
 public:
  explicit constexpr LogLimiter(std::uint32_t burst = 10,
                                std::chrono::steady_clock::duration interval = std::chrono::seconds{10}) noexcept
      : burst_(burst), interval_(interval) {}

  /// True: write it; `suppressed` is how many were kept back since the last one that was let through. Thread-safe, no
  /// lock.
  [[nodiscard]] bool admit(std::chrono::steady_clock::time_point now, std::uint64_t& suppressed) noexcept;

 private:
  static constexpr std::chrono::steady_clock::rep never = std::chrono::steady_clock::duration::min().count();

  const std::uint32_t burst_;
  const std::chrono::steady_clock::duration interval_;
  // All three relaxed: an event too many or too few at the turn of an interval does no harm.
  std::atomic<std::chrono::steady_clock::rep> interval_began_{never};
  std::atomic<std::uint32_t> admitted_{0};
  std::atomic<std::uint64_t> suppressed_{0};
};

}  // namespace ranged::server
