#pragma once
// What tests of paging read from and run on: a file made of arithmetic, an executor that runs tasks when told to, and a
// waiter that remembers what it got.

#include <ranged/paging/buffer_pool.hpp>
#include <ranged/paging/page_id.hpp>
#include <ranged/storage/byte_source.hpp>
#include <ranged/storage/disk_threads.hpp>
#include <ranged/storage/storage_error.hpp>

#include <boost/system/error_code.hpp>
#include <boost/system/result.hpp>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace ranged::test {

/// The byte of file `seed` at `offset`: no two pages and no two files look alike.
inline std::byte content(std::uint64_t seed, std::uint64_t offset) {
  std::uint64_t value = (offset / 8 + 1) * 0x9e3779b97f4a7c15U + seed * 0xd1b54a32d192ed03U;
  value ^= value >> 29;
  value *= 0xbf58476d1ce4e5b9U;
  value ^= value >> 32;
  return static_cast<std::byte>(value >> (offset % 8 * 8));
}

inline bool is_content(std::uint64_t seed, std::uint64_t offset, std::span<const std::byte> bytes) {
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (bytes[i] != content(seed, offset + i)) return false;
  }
  return true;
}

inline FileVersion version_of(std::uint64_t seed, std::uint64_t size, std::uint64_t device = 1) {
  FileVersion version;
  version.device = device;
  version.inode = seed;
  version.size = size;
  return version;
}

/// Thread-safe, as every ByteSource.
class FakeSource final : public ByteSource {
 public:
  enum class Nowait { served, blocks, unsupported };

  FakeSource(std::uint64_t seed, std::uint64_t size, std::uint64_t device = 1)
      : seed_(seed), version_(version_of(seed, size, device)), current_(version_) {}

  [[nodiscard]] const FileVersion& version() const noexcept override { return version_; }

  boost::system::result<std::size_t> read(std::uint64_t offset, std::span<const iovec> buffers) noexcept override {
    std::unique_lock lock(mutex_);
    ++reads_;
    ++held_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return !hold_; });
    --held_;
    return fill(offset, buffers);
  }

  boost::system::result<std::size_t> read_nowait(std::uint64_t offset,
                                                 std::span<const iovec> buffers) noexcept override {
    const std::function<void()> hook = [this] {
      const std::scoped_lock lock(mutex_);
      return std::exchange(nowait_hook_, {});
    }();
    if (hook) hook();
    const std::scoped_lock lock(mutex_);
    ++nowait_reads_;
    if (nowait_ == Nowait::blocks) return StorageError::would_block;
    if (nowait_ == Nowait::unsupported) return StorageError::nowait_unsupported;
    if (offset >= cached_until_) return StorageError::would_block;
    auto count = fill(offset, buffers);
    if (count) *count = static_cast<std::size_t>(std::min<std::uint64_t>(*count, cached_until_ - offset));
    return count;
  }

  boost::system::result<FileVersion> current_version() noexcept override {
    const std::scoped_lock lock(mutex_);
    return current_;
  }

  boost::system::result<bool> is_cached(std::uint64_t offset, std::uint64_t length) noexcept override {
    const std::scoped_lock lock(mutex_);
    if (!known_until_) return StorageError::nowait_unsupported;
    return offset + length <= *known_until_;
  }

  void set_nowait(Nowait nowait) {
    set([&] { nowait_ = nowait; });
  }
  /// From here on read_nowait() would block.
  void cache_until(std::uint64_t offset) {
    set([&] { cached_until_ = offset; });
  }
  /// From here on is_cached() says no, which could not tell until now. As with a kernel, what it says yes to may still
  /// be under way: cache_until() is of what has come.
  void know_until(std::uint64_t offset) {
    set([&] { known_until_ = offset; });
  }
  /// Called once, within the next read_nowait(), with no lock held.
  void on_next_nowait(std::function<void()> hook) {
    set([&] { nowait_hook_ = std::move(hook); });
  }
  /// No read returns more bytes than this.
  void set_most(std::size_t bytes) {
    set([&] { most_ = bytes; });
  }
  /// Reads that begin in [from, to) fail with `error`, and others stop before them.
  void fail(std::uint64_t from, std::uint64_t to, boost::system::error_code error) {
    set([&] { failure_ = {from, to}, error_ = error; });
  }
  /// The file now ends here, while its version says otherwise.
  void truncate(std::uint64_t size) {
    set([&] { end_ = size; });
  }
  /// The file is written to.
  void change() {
    set([&] { ++current_.changed_ns; });
  }
  /// Reads wait until told otherwise.
  void hold(bool hold) {
    set([&] { hold_ = hold; });
  }
  /// Waits until that many reads are held.
  void await_held(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return held_ >= count; });
  }

  [[nodiscard]] std::size_t reads() const {
    const std::scoped_lock lock(mutex_);
    return reads_;
  }
  [[nodiscard]] std::size_t nowait_reads() const {
    const std::scoped_lock lock(mutex_);
    return nowait_reads_;
  }
  [[nodiscard]] std::uint64_t seed() const { return seed_; }

 private:
  template <typename Change>
  void set(Change&& change) {
    const std::scoped_lock lock(mutex_);
    change();
    changed_.notify_all();
  }

  boost::system::result<std::size_t> fill(std::uint64_t offset, std::span<const iovec> buffers) const {
    if (failure_ && offset >= failure_->first && offset < failure_->second) return error_;
    std::uint64_t end = std::min({version_.size, end_, offset + most_});
    if (failure_ && offset < failure_->first) end = std::min(end, failure_->first);
    std::size_t done = 0;
    for (const iovec& buffer : buffers) {
      auto* const to = static_cast<std::byte*>(buffer.iov_base);
      for (std::size_t i = 0; i < buffer.iov_len && offset + done < end; ++i, ++done) {
        to[i] = content(seed_, offset + done);
      }
    }
    return done;
  }

  const std::uint64_t seed_;
  const FileVersion version_;
  mutable std::mutex mutex_;  // guards everything below
  std::condition_variable changed_;
  FileVersion current_;
  Nowait nowait_ = Nowait::served;
  std::uint64_t cached_until_ = ~std::uint64_t{0};
  std::optional<std::uint64_t> known_until_;
  std::function<void()> nowait_hook_;
  std::size_t most_ = std::size_t{1} << 40;
  std::optional<std::pair<std::uint64_t, std::uint64_t>> failure_;
  boost::system::error_code error_;
  std::uint64_t end_ = ~std::uint64_t{0};
  bool hold_ = false;
  std::size_t held_ = 0;
  std::size_t reads_ = 0, nowait_reads_ = 0;
};

/// Runs what was submitted when told to, on the thread that tells it. submit() is thread-safe.
class ManualExecutor final : public DiskExecutor {
 public:
  bool submit(DiskTask& task) noexcept override {
    const std::scoped_lock lock(mutex_);
    if (refuse_) return false;
    tasks_.push_back(&task);
    return true;
  }
  void refuse(bool refuse) {
    const std::scoped_lock lock(mutex_);
    refuse_ = refuse;
  }
  [[nodiscard]] std::size_t size() const {
    const std::scoped_lock lock(mutex_);
    return tasks_.size();
  }
  /// Runs the task at `index`; false when there is none.
  bool run_one(std::size_t index = 0) {
    DiskTask* task = nullptr;
    {
      const std::scoped_lock lock(mutex_);
      if (index >= tasks_.size()) return false;
      task = tasks_[index];
      tasks_.erase(tasks_.begin() + static_cast<std::ptrdiff_t>(index));
    }
    task->run();
    return true;
  }
  void run_all() {
    while (run_one()) {
    }
  }

 private:
  mutable std::mutex mutex_;
  bool refuse_ = false;
  std::deque<DiskTask*> tasks_;
};

/// Keeps what it was given. on_page() may come on any thread; the rest after it came.
class RecordingWaiter final : public PageWaiter {
 public:
  RecordingWaiter() = default;
  explicit RecordingWaiter(std::vector<int>& order, int name) : order_(&order), name_(name) {}

  void on_page(boost::system::result<PageGuard> page) noexcept override {
    if (order_ != nullptr) order_->push_back(name_);
    const std::scoped_lock lock(mutex_);
    ++calls_;
    if (page) {
      guard_ = std::move(*page);
    } else {
      error_ = page.error();
    }
    called_.notify_all();
  }

  void await() {
    std::unique_lock lock(mutex_);
    called_.wait(lock, [this] { return calls_ > 0; });
  }
  [[nodiscard]] int calls() const {
    const std::scoped_lock lock(mutex_);
    return calls_;
  }
  [[nodiscard]] boost::system::error_code error() const { return error_; }
  [[nodiscard]] PageGuard& guard() { return guard_; }

 private:
  std::vector<int>* order_ = nullptr;
  int name_ = 0;
  mutable std::mutex mutex_;
  std::condition_variable called_;
  int calls_ = 0;
  boost::system::error_code error_;
  PageGuard guard_;
};

inline constexpr auto never = std::chrono::steady_clock::time_point::max();

}  // namespace ranged::test
