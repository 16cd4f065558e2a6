#include <ranged/paging/buffer_pool.hpp>
#include <ranged/paging/memory_file.hpp>
#include <ranged/storage/local_file.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <limits>
#include <mutex>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace ranged {
namespace {

[[noreturn]] void throw_error(const boost::system::error_code& error, const std::filesystem::path& path) {
  throw std::system_error(std::error_code(error), path.string());
}

// The disk work of a file with a pool of its own is done by whoever asks for the page.
class CallingThread final : public DiskExecutor {
 public:
  bool submit(DiskTask& task) noexcept override {
    task.run();
    return true;
  }
};

// Waits in the calling thread for a page that somebody else may be loading.
class BlockingWaiter final : public PageWaiter {
 public:
  void on_page(boost::system::result<PageGuard> page) noexcept override {
    const std::lock_guard lock(mutex_);
    page_ = std::move(page);
    came_ = true;
    // Within the lock: the waiter may be gone as soon as the lock is.
    arrived_.notify_one();
  }

  boost::system::result<PageGuard> wait(BufferPool& pool, std::chrono::steady_clock::time_point deadline) {
    std::unique_lock lock(mutex_);
    if (!arrived_.wait_until(lock, deadline, [this] { return came_; })) {
      lock.unlock();
      if (pool.cancel(*this)) return PagingError::deadline;
      lock.lock();
      arrived_.wait(lock, [this] { return came_; });  // it is on its way
    }
    return std::move(page_);
  }

 private:
  std::mutex mutex_;  // guards page_ and came_
  std::condition_variable arrived_;
  boost::system::result<PageGuard> page_{make_error_code(PagingError::deadline)};
  bool came_ = false;
};

}  // namespace

namespace detail {

class MemoryFileState : public std::enable_shared_from_this<MemoryFileState> {
 public:
  MemoryFileState(std::filesystem::path path, BufferPool* shared_pool, const MemoryFileOptions& options)
      : path_(std::move(path)), pool_(shared_pool), stream_(next_file_instance()), longest_wait_(options.longest_wait) {
    adopt(open());
    if (pool_ != nullptr) return;
    if (options.pages > std::numeric_limits<std::size_t>::max() / std::max<std::size_t>(options.page_bytes, 1)) {
      throw_error(PagingError::invalid_options, path_);
    }
    BufferPoolOptions pool_options;
    pool_options.page_bytes = options.page_bytes;
    pool_options.pool_bytes = options.page_bytes * options.pages;
    pool_options.transit_frames = 0;  // every read is of a page
    pool_options.max_loads = std::clamp<std::size_t>(options.pages / 2, 1, pool_options.max_loads);
    pool_options.huge_pages = false;  // the pool may be smaller than one
    auto pool = BufferPool::create(pool_options, executor_);
    if (!pool) throw_error(pool.error(), path_);
    own_pool_ = std::move(*pool);
    pool_ = own_pool_.get();
  }

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
  [[nodiscard]] std::uint64_t size() const noexcept { return file_.version().size; }

  // The page that holds `offset`; `begin` is where it begins.
  PageGuard pin(std::uint64_t offset, std::uint64_t& begin) const {
    if (offset >= size()) throw_out_of_range();
    const std::size_t page_bytes = pool_->page_bytes();
    const PageId page{file_, offset / page_bytes};
    begin = page.number * page_bytes;
    if (PageGuard resident = pool_->try_pin(page, stream_, AccessHint::point)) return resident;
    if (!nowait_refused_.load(std::memory_order_relaxed)) {
      auto loaded = pool_->try_load(source_, page, stream_, AccessHint::point);
      if (loaded) return std::move(*loaded);
      if (loaded.error() == StorageError::nowait_unsupported) {
        nowait_refused_.store(true, std::memory_order_relaxed);
      } else if (loaded.error() != PagingError::would_block) {
        throw_error(loaded.error(), path_);
      }
    }
    const auto deadline = std::chrono::steady_clock::now() + longest_wait_;
    BlockingWaiter waiter;
    pool_->pin_or_wait(source_, page, stream_, AccessHint::point, waiter, deadline);
    auto waited = waiter.wait(*pool_, deadline);
    if (!waited) throw_error(waited.error(), path_);
    return std::move(*waited);
  }

  unsigned char byte_at(std::uint64_t offset) const {
    // A thread that meets another one here does without the cursor instead of waiting for it.
    PageGuard left;
    if (!cursor_busy_.test_and_set(std::memory_order_acquire)) {
      if (offset - cursor_.begin < cursor_.bytes.size()) {
        const std::byte byte = cursor_.bytes[offset - cursor_.begin];
        cursor_busy_.clear(std::memory_order_release);
        return std::to_integer<unsigned char>(byte);
      }
      left = std::move(cursor_.guard);
      cursor_.bytes = {};
      cursor_busy_.clear(std::memory_order_release);
    }
    left.release();  // before waiting (law 2)
    std::uint64_t begin = 0;
    PageGuard guard = pin(offset, begin);
    const std::byte byte = guard.bytes()[offset - begin];
    if (!cursor_busy_.test_and_set(std::memory_order_acquire)) {
      cursor_.begin = begin;
      cursor_.bytes = guard.bytes();
      std::swap(cursor_.guard, guard);
      cursor_busy_.clear(std::memory_order_release);
    }
    return std::to_integer<unsigned char>(byte);
  }

  std::size_t read(std::uint64_t offset, std::span<std::byte> bytes) const {
    std::size_t copied = 0;
    while (copied < bytes.size()) {
      std::uint64_t begin = 0;
      const PageGuard guard = pin(offset + copied, begin);
      const std::span<const std::byte> there = guard.bytes().subspan(offset + copied - begin);
      const std::size_t count = std::min(there.size(), bytes.size() - copied);
      std::memcpy(bytes.data() + copied, there.data(), count);
      copied += count;
    }
    return copied;
  }

  bool refresh() {
    std::shared_ptr<LocalFile> fresh = open();
    // A version that was racily clean says nothing about its contents (law 5).
    if (fresh->version() == file_.version() && file_.instance() == 0) return false;
    cursor_.guard.release();
    cursor_.bytes = {};
    pool_->forget(file_);
    adopt(std::move(fresh));
    return true;
  }

 private:
  std::shared_ptr<LocalFile> open() const {
    auto file = LocalFile::open(path_);
    if (!file) throw_error(file.error(), path_);
    return std::move(*file);
  }

  void adopt(std::shared_ptr<LocalFile> file) {
    const FileVersion& version = file->version();
    const bool racy = is_racily_clean(version, std::chrono::system_clock::now());
    file_ = FileKey(version, racy ? next_file_instance() : 0);
    nowait_refused_.store(false, std::memory_order_relaxed);
    source_ = std::move(file);
  }

  std::filesystem::path path_;
  CallingThread executor_;
  std::unique_ptr<BufferPool> own_pool_;
  BufferPool* pool_;
  StreamId stream_;
  std::chrono::milliseconds longest_wait_;
  std::shared_ptr<ByteSource> source_;
  FileKey file_;
  mutable std::atomic<bool> nowait_refused_ = false;  // pairs with nothing: whoever sees it late asks once more

  // Where byte_at() was last: guarded by cursor_busy_, whose clearing pairs with the next setting.
  struct Cursor {
    std::uint64_t begin = 0;
    std::span<const std::byte> bytes;
    PageGuard guard;
  };
  mutable std::atomic_flag cursor_busy_;
  mutable Cursor cursor_;
};

namespace {

// What iterators share: the pin, and the pool that it is a pin of.
struct SharedPin {
  std::shared_ptr<const MemoryFileState> state;
  PageGuard guard;  // goes before the state
};

}  // namespace

IteratorPage pin_page(const MemoryFileState& state, std::uint64_t offset) {
  IteratorPage page;
  auto pin = std::make_shared<SharedPin>();
  pin->guard = state.pin(offset, page.begin);
  pin->state = state.shared_from_this();
  const std::span<const std::byte> bytes = pin->guard.bytes();
  page.length = bytes.size();
  page.data = reinterpret_cast<const unsigned char*>(bytes.data());
  page.pin = std::move(pin);
  return page;
}

unsigned char byte_at(const MemoryFileState& state, std::uint64_t offset) {
  return state.byte_at(offset);
}

std::size_t read_bytes(const MemoryFileState& state, std::uint64_t offset, std::span<std::byte> bytes) {
  return state.read(offset, bytes);
}

void throw_out_of_range() {
  throw std::out_of_range("beyond the end of the file");
}

}  // namespace detail

MemoryFile::MemoryFile(std::filesystem::path path, const MemoryFileOptions& options)
    : state_(std::make_shared<detail::MemoryFileState>(std::move(path), nullptr, options)), size_(state_->size()) {}

MemoryFile::MemoryFile(std::filesystem::path path, BufferPool& pool)
    : state_(std::make_shared<detail::MemoryFileState>(std::move(path), &pool, MemoryFileOptions{})),
      size_(state_->size()) {}

MemoryFile::MemoryFile(MemoryFile&&) noexcept = default;
MemoryFile& MemoryFile::operator=(MemoryFile&&) noexcept = default;
MemoryFile::~MemoryFile() = default;

bool MemoryFile::refresh() {
  const bool changed = state_->refresh();
  size_ = state_->size();
  return changed;
}

const std::filesystem::path& MemoryFile::path() const noexcept {
  return state_->path();
}

}  // namespace ranged
