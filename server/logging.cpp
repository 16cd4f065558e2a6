#include "server/logging.hpp"

#include "server/log_sink.hpp"
#include "server/logging_escape.hpp"

#include <fmt/format.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/sink.h>

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <iterator>
#include <mutex>
#include <system_error>
#include <type_traits>
#include <utility>

namespace ranged::server {
namespace {

constexpr std::size_t queue_bytes = std::size_t{1} << 20;
constexpr std::size_t longest_line = std::size_t{8} << 10;
constexpr std::size_t longest_text = std::size_t{1} << 10;
/// How long a line written at once waits for a standard error that takes nothing.
constexpr int patience_ms = 1'000;

spdlog::level::level_enum to_spdlog(LogLevel level) noexcept {
  switch (level) {
    case LogLevel::trace:
      return spdlog::level::trace;
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warning:
      return spdlog::level::warn;
    case LogLevel::error:
      return spdlog::level::err;
    case LogLevel::off:
      return spdlog::level::off;
  }
  return spdlog::level::off;
}

/// Where the logger's lines go: to standard error at once, or into a queue while there is one. spdlog's own
/// asynchronous logger waits when its queue is full, or drops without counting.
class Output final : public spdlog::sinks::sink {
 public:
  void log(const spdlog::details::log_msg& message) override {
    const std::string_view line(message.payload.data(), message.payload.size());
    const std::lock_guard lock(mutex_);
    if (background_) {
      background_->append({&line, 1});
    } else {
      write_now(line);
    }
  }
  void flush() override {}
  // Lines come rendered.
  void set_pattern(const std::string&) override {}
  void set_formatter(std::unique_ptr<spdlog::formatter>) override {}

  void start() {
    boost::system::result<std::unique_ptr<LogSink>> queue = LogSink::attach(STDERR_FILENO, queue_bytes, nullptr);
    if (!queue) throw std::system_error(static_cast<std::error_code>(queue.error()), "log writer");
    const std::lock_guard lock(mutex_);
    background_ = std::move(*queue);
  }

  void stop() {
    std::unique_ptr<LogSink> queue;
    {
      const std::lock_guard lock(mutex_);
      queue = std::move(background_);
      if (!queue) return;
    }
    // Up to a second of waiting, without the lock; then its losses are final.
    queue->stop();
    const std::lock_guard lock(mutex_);
    dropped_ += queue->dropped();
  }

  std::uint64_t dropped() {
    const std::lock_guard lock(mutex_);
    return dropped_ + (background_ ? background_->dropped() : 0);
  }

 private:
  void write_now(std::string_view line) {
    while (!line.empty()) {
      const ssize_t count = ::write(STDERR_FILENO, line.data(), line.size());
      if (count >= 0) {
        line.remove_prefix(static_cast<std::size_t>(count));
      } else if (errno == EAGAIN) {
        pollfd polled{STDERR_FILENO, POLLOUT, 0};
        if (::poll(&polled, 1, patience_ms) <= 0) break;
      } else if (errno != EINTR) {
        break;
      }
    }
    if (!line.empty()) ++dropped_;
  }

  std::mutex mutex_;  ///< guards the members below; held during I/O only while there is no queue
  std::unique_ptr<LogSink> background_;
  std::uint64_t dropped_ = 0;  ///< lines, but for those of background_
};

struct State {
  std::shared_ptr<Output> output = std::make_shared<Output>();
  spdlog::logger logger{"ranged", output};
  std::atomic<LogFormat> format{LogFormat::text};  ///< relaxed: the next line, or the one after it
};

/// Never destroyed: lines may be logged until the process ends.
State& state() {
  static State* const instance = new State;
  return *instance;
}

bool is_plain(std::string_view text) noexcept {
  return !text.empty() && std::all_of(text.begin(), text.end(),
                                      [](char c) { return c > 0x20 && c < 0x7f && c != '"' && c != '=' && c != '\\'; });
}

bool is_printable(std::string_view text) noexcept {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
}

void append_value(std::string& line, LogFormat format, const LogField::Value& value) {
  std::visit(
      [&line, format]<class Value>(const Value& held) {
        if constexpr (std::is_same_v<Value, std::string_view>) {
          const std::string_view text = cut_text(held, longest_text);
          if (format == LogFormat::text && is_plain(text)) {
            line += text;
          } else {
            append_json_string(line, text);
          }
        } else if constexpr (std::is_same_v<Value, bool>) {
          line += held ? "true" : "false";
        } else if constexpr (std::is_same_v<Value, double>) {
          // RFC 8259, 6: JSON has no infinities.
          if (std::isfinite(held)) {
            fmt::format_to(std::back_inserter(line), "{}", held);
          } else {
            line += "null";
          }
        } else {
          fmt::format_to(std::back_inserter(line), "{}", held);
        }
      },
      value);
}

}  // namespace

void configure_logging(LogLevel level, LogFormat format) {
  state().format.store(format, std::memory_order_relaxed);
  state().logger.set_level(to_spdlog(level));
}

bool log_enabled(LogLevel level) noexcept {
  return level != LogLevel::off && state().logger.should_log(to_spdlog(level));
}

void log(LogLevel level, std::string_view message, LogFields fields) noexcept {
  if (!log_enabled(level)) return;
  try {
    const std::string line = render_log_line(state().format.load(std::memory_order_relaxed),
                                             std::chrono::system_clock::now(), level, message, fields);
    state().logger.log(to_spdlog(level), spdlog::string_view_t(line.data(), line.size()));
  } catch (const std::exception&) {
    // Out of memory: the line is lost, the daemon goes on.
    return;
  }
}

BackgroundLogging::BackgroundLogging() {
  state().output->start();
}
BackgroundLogging::~BackgroundLogging() {
  state().output->stop();
}

std::uint64_t log_lines_dropped() noexcept {
  return state().output->dropped();
}

std::string render_log_line(LogFormat format, std::chrono::system_clock::time_point time, LogLevel level,
                            std::string_view message, LogFields fields) {
  constexpr std::string_view json_cut = R"(,"truncated":true)";
  constexpr std::string_view text_cut = " truncated=true";
  const bool json = format == LogFormat::json;
  std::string line;
  line.reserve(256);
  message = cut_text(message, longest_text);
  if (json) line += R"({"time":")";
  append_timestamp(line, time);
  if (json) {
    line += R"(","level":")";
    line += to_string(level);
    line += R"(","message":)";
    append_json_string(line, message);
  } else {
    line += ' ';
    line += to_string(level);
    line += ' ';
    if (is_printable(message)) {
      line += message;
    } else {
      append_json_string(line, message);
    }
  }
  for (const LogField& field : fields) {
    const std::size_t before = line.size();
    if (json) {
      line += ',';
      append_json_string(line, field.name);
      line += ':';
    } else {
      line += ' ';
      line += field.name;
      line += '=';
    }
    append_value(line, format, field.value);
    // Room is kept for the mark, the closing brace and the line's end.
    if (line.size() + json_cut.size() + 2 > longest_line) {
      line.resize(before);
      line += json ? json_cut : text_cut;
      break;
    }
  }
  if (json) line += '}';
  line += '\n';
  return line;
}

bool LogLimiter::admit(std::chrono::steady_clock::time_point now, std::uint64_t& suppressed) noexcept {
  const std::chrono::steady_clock::rep count = now.time_since_epoch().count();
  std::chrono::steady_clock::rep began = interval_began_.load(std::memory_order_relaxed);
  if (began == never || count - began >= interval_.count()) {
    // One of those who come now begins the interval; the others count in it.
    if (interval_began_.compare_exchange_strong(began, count, std::memory_order_relaxed)) {
      admitted_.store(0, std::memory_order_relaxed);
    }
  }
  if (admitted_.fetch_add(1, std::memory_order_relaxed) < burst_) {
    suppressed = suppressed_.exchange(0, std::memory_order_relaxed);
    return true;
  }
  suppressed_.fetch_add(1, std::memory_order_relaxed);
  return false;
}

}  // namespace ranged::server
