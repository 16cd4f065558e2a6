#include "server/log_sink.hpp"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

namespace ranged::server {
namespace {

/// Text rendered for one round of writing: large enough that a busy log makes few system calls, small beside the pool.
constexpr std::size_t round_bytes = std::size_t{64} << 10;
/// pipe(7): a pipe that poll() calls writable takes at least this much without waiting.
constexpr std::size_t pipe_bytes = 4096;
/// How long the destructor lets the target take what is left.
constexpr std::chrono::seconds farewell{1};
constexpr mode_t log_mode = 0640;

using RecordLength = std::uint32_t;

boost::system::error_code last_error() noexcept {
  return {errno, boost::system::system_category()};
}

int open_target(const std::string& path) noexcept {
  // Non-blocking, for a FIFO without a reader must not hang the start, nor one with a slow reader the writer's end.
  return ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, log_mode);
}

}  // namespace

boost::system::result<std::unique_ptr<LogSink>> LogSink::open(const std::string& target, std::size_t queue_bytes,
                                                              Renderer renderer) noexcept {
  if (target == "-") return attach(STDOUT_FILENO, queue_bytes, renderer);
  const int descriptor = open_target(target);
  if (descriptor < 0) return last_error();
  return make(descriptor, target, queue_bytes, renderer);
}

boost::system::result<std::unique_ptr<LogSink>> LogSink::attach(int descriptor, std::size_t queue_bytes,
                                                                Renderer renderer) noexcept {
  const int own = ::fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
  if (own < 0) return last_error();
  return make(own, {}, queue_bytes, renderer);
}

boost::system::result<std::unique_ptr<LogSink>> LogSink::make(int descriptor, std::string path, std::size_t queue_bytes,
                                                              Renderer renderer) noexcept {
  const int wake = ::eventfd(0, EFD_CLOEXEC);
  boost::system::error_code error;
  if (wake < 0) {
    error = last_error();
  } else {
    try {
      return std::unique_ptr<LogSink>(new LogSink(descriptor, wake, std::move(path), queue_bytes / 2, renderer));
    } catch (const std::system_error& failure) {
      error = failure.code();
    } catch (const std::bad_alloc&) {
      error = make_error_code(boost::system::errc::not_enough_memory);
    }
    ::close(wake);
  }
  ::close(descriptor);
  return error;
}

LogSink::LogSink(int descriptor, int wake, std::string path, std::size_t buffer_bytes, Renderer renderer)
    : path_(std::move(path)), buffer_bytes_(buffer_bytes), renderer_(renderer), descriptor_(descriptor), wake_(wake) {
  // Uninitialised on purpose: memory is used from the first record on, not before.
  filling_.bytes.reset(new char[buffer_bytes_]);
  writing_.bytes.reset(new char[buffer_bytes_]);
  inspect();
  // The thread takes no signal: they are the runtime's, and SIGPIPE is to be an error of write().
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    thread_ = std::thread([this] { run(); });
  } catch (...) {
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    throw;
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

LogSink::~LogSink() {
  stop();
  ::close(wake_);
  ::close(descriptor_);
}

void LogSink::stop() noexcept {
  if (!thread_.joinable()) return;
  give_up_at_.store((std::chrono::steady_clock::now() + farewell).time_since_epoch().count(),
                    std::memory_order_relaxed);
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  work_.notify_one();
  const std::uint64_t one = 1;
  // An eventfd takes its first count always.
  static_cast<void>(!::write(wake_, &one, sizeof(one)));
  thread_.join();
}

bool LogSink::append(std::span<const std::string_view> parts) noexcept {
  std::size_t length = 0;
  for (const std::string_view part : parts) length += part.size();
  const auto prefix = static_cast<RecordLength>(length);
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    if (buffer_bytes_ - filling_.used < sizeof(prefix) || buffer_bytes_ - filling_.used - sizeof(prefix) < length) {
      dropped_.fetch_add(1, std::memory_order_relaxed);
      return false;
    }
    char* to = filling_.bytes.get() + filling_.used;
    std::memcpy(to, &prefix, sizeof(prefix));
    to += sizeof(prefix);
    for (const std::string_view part : parts) {
      if (!part.empty()) std::memcpy(to, part.data(), part.size());
      to += part.size();
    }
    filling_.used += sizeof(prefix) + length;
    ++filling_.records;
    ++appended_;
    wake = std::exchange(writer_waits_, false);
  }
  if (wake) work_.notify_one();
  return true;
}

void LogSink::reopen() noexcept {
  {
    const std::lock_guard lock(mutex_);
    if (reopen_wanted_) return;
    reopen_wanted_ = true;
    ++appended_;
    writer_waits_ = false;
  }
  work_.notify_one();
}

bool LogSink::flush(std::chrono::milliseconds timeout) noexcept {
  std::unique_lock lock(mutex_);
  const std::uint64_t target = appended_;
  return done_.wait_for(lock, timeout, [this, target] { return finished_ >= target; });
}

void LogSink::run() noexcept {
  std::unique_lock lock(mutex_);
  for (;;) {
    while (filling_.used == 0 && !reopen_wanted_ && !stopping_) {
      writer_waits_ = true;
      work_.wait(lock);
    }
    writer_waits_ = false;
    if (filling_.used == 0 && !reopen_wanted_) return;
    const bool open_first = std::exchange(reopen_wanted_, false);
    std::swap(filling_, writing_);
    lock.unlock();
    if (open_first) open_again();
    const std::uint64_t finished = writing_.records + (open_first ? 1 : 0);
    write_batch();
    lock.lock();
    finished_ += finished;
    done_.notify_all();
  }
}

void LogSink::write_batch() noexcept {
  std::size_t at = 0;
  std::uint64_t rendered = 0;
  while (at < writing_.used) {
    RecordLength length = 0;
    std::memcpy(&length, writing_.bytes.get() + at, sizeof(length));
    const char* record = writing_.bytes.get() + at + sizeof(length);
    at += sizeof(length) + length;
    const std::size_t before = text_.size();
    try {
      if (renderer_ != nullptr) {
        renderer_({record, length}, text_);
      } else {
        text_.append(record, length);
      }
      ++rendered;
    } catch (const std::bad_alloc&) {
      text_.resize(before);
      dropped_.fetch_add(1, std::memory_order_relaxed);
    }
    if (text_.size() >= round_bytes || at >= writing_.used) {
      write_text(text_, rendered);
      text_.clear();
      rendered = 0;
    }
  }
  writing_.used = 0;
  writing_.records = 0;
}

void LogSink::write_text(std::string& text, std::uint64_t records) noexcept {
  std::string_view left = text;
  std::string_view line_end = torn_ ? std::string_view("\n") : std::string_view{};
  while (!left.empty()) {
    if (!wait_writable()) break;
    // What a failure cut off is ended first, so that it spoils no line but its own.
    const std::string_view next = line_end.empty() ? left : line_end;
    const ssize_t count = ::write(descriptor_, next.data(), regular_ ? next.size() : std::min(next.size(), pipe_bytes));
    if (count < 0) {
      if (errno == EINTR || errno == EAGAIN) continue;
      errors_.fetch_add(1, std::memory_order_relaxed);
      break;
    }
    if (!line_end.empty()) {
      line_end = {};
      torn_ = false;
      continue;
    }
    left.remove_prefix(static_cast<std::size_t>(count));
    if (count > 0) torn_ = left.data()[-1] != '\n';
  }
  if (!left.empty()) {
    const auto lost = static_cast<std::uint64_t>(std::count(left.begin(), left.end(), '\n'));
    dropped_.fetch_add(std::min(lost, records), std::memory_order_relaxed);
  }
}

/// False when the daemon has waited long enough for its end.
bool LogSink::wait_writable() noexcept {
  if (regular_) return true;
  for (;;) {
    const std::int64_t give_up_at = give_up_at_.load(std::memory_order_relaxed);
    int timeout = -1;
    std::array<pollfd, 2> polled{{{descriptor_, POLLOUT, 0}, {wake_, POLLIN, 0}}};
    nfds_t count = 2;
    if (give_up_at != 0) {
      const std::chrono::steady_clock::duration left =
          std::chrono::steady_clock::duration(give_up_at) - std::chrono::steady_clock::now().time_since_epoch();
      timeout = static_cast<int>(std::max<std::int64_t>(std::chrono::ceil<std::chrono::milliseconds>(left).count(), 0));
      count = 1;
    }
    const int ready = ::poll(polled.data(), count, timeout);
    if (ready < 0 && errno != EINTR) return true;  // write() will say what is wrong
    // An error of the target is write()'s to report.
    if (ready > 0 && (polled[0].revents & (POLLOUT | POLLERR | POLLHUP | POLLNVAL)) != 0) return true;
    if (ready == 0 && give_up_at != 0) return false;
  }
}

void LogSink::open_again() noexcept {
  if (path_.empty()) return;
  const int descriptor = open_target(path_);
  if (descriptor < 0) {
    errors_.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  ::close(std::exchange(descriptor_, descriptor));
  torn_ = false;
  inspect();
}

void LogSink::inspect() noexcept {
  struct stat status{};
  regular_ = ::fstat(descriptor_, &status) == 0 && S_ISREG(status.st_mode);
}

}  // namespace ranged::server
