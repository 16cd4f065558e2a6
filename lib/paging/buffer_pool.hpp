#pragma once
// The one place where file contents live: a fixed number of frames, a page table, single-flight loads, waiters in
// order.

#include <ranged/paging/page_guard.hpp>
#include <ranged/paging/page_id.hpp>
#include <ranged/paging/paging_error.hpp>
#include <ranged/storage/byte_source.hpp>
#include <ranged/storage/disk_threads.hpp>

#include <boost/system/error_code.hpp>
#include <boost/system/result.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace ranged {

struct WaiterQueue;
class WaiterIndex;

struct BufferPoolOptions {
  /// All frames together, those for transit reads included; rounded down to whole frames, four at least.
  std::size_t pool_bytes = std::size_t{64} << 20;
  std::size_t page_bytes = std::size_t{64} << 10;  ///< a power of two, 4 KiB to 4 MiB
  std::size_t max_loads = 32;                      ///< loads in flight at most; readahead takes at most half of them
  std::size_t max_waiters = 16384;                 ///< waiters at most; one more is refused as overloaded
  std::size_t transit_frames =
      16;                  ///< frames set aside for transit reads (README.md, rule 12); at most an eighth of all
  bool huge_pages = true;  ///< ask for them where they can be had
};

/// Who touches a page; two touches by the same stream in short order are one reference (correlated references).
using StreamId = std::uint64_t;

enum class AccessHint : std::uint8_t {
  point,  ///< an ordinary read: takes part in eviction
  scan,   ///< part of a read longer than a quarter of the pool: confined to the scan queue, promotes nothing
};

/// Somebody who waits for a page. The owner keeps it alive until on_page() was called or BufferPool::cancel() returned
/// true.
class PageWaiter {
 public:
  /// Called exactly once unless cancelled: with the page, pinned, or with an error (PagingError, or the read's own
  /// error). On whichever thread completed the load, or inline in pin_or_wait(); no lock of the pool is held. Must be
  /// quick and must not wait (post to an executor).
  virtual void on_page(boost::system::result<PageGuard> page) noexcept = 0;

 protected:
  PageWaiter() = default;
  ~PageWaiter() = default;
  PageWaiter(const PageWaiter&) = delete;
  PageWaiter& operator=(const PageWaiter&) = delete;

 private:
  friend class BufferPool;
  friend struct WaiterQueue;
  friend class WaiterIndex;
  // All guarded by the pool lock while it waits; afterwards the thread's that calls on_page().
  PageWaiter* next_ = nullptr;  ///< in queue_
  PageWaiter* previous_ = nullptr;
  WaiterQueue* queue_ = nullptr;      ///< the queue that it waits in, or null
  PageWaiter* index_next_ = nullptr;  ///< in WaiterIndex, when it waits for a frame
  PageWaiter* index_previous_ = nullptr;
  std::shared_ptr<ByteSource> source_;  ///< what to read from, when it waits for a frame
  PageId page_;
  std::uint64_t hash_ = 0;
  StreamId stream_ = 0;
  AccessHint hint_ = AccessHint::point;
  std::chrono::steady_clock::time_point deadline_{};
  Frame* frame_ = nullptr;  ///< pinned for it, when on_page() is about to be called
  boost::system::error_code error_;
};

/// A snapshot; counts are since the start, the rest is now. Single numbers are exact, their relation to each other is
/// not.
struct BufferPoolStatistics {
  std::size_t frames = 0, page_bytes = 0;
  std::size_t free_frames = 0, resident_frames = 0, loading_frames = 0, pinned_frames = 0;
  std::size_t waiters = 0, loads_in_flight = 0;
  std::uint64_t hits = 0, misses = 0, joined = 0;  ///< joined: a miss that found its page loading already
  std::uint64_t loads = 0, load_bytes = 0, load_errors = 0, stale_loads = 0;
  std::uint64_t nowait_loads = 0, nowait_would_block = 0, nowait_unsupported = 0;
  std::uint64_t transit_reads = 0, transit_bytes = 0;
  std::uint64_t populates = 0, populate_bytes = 0;  ///< reads into the page cache alone
  std::uint64_t populates_forgone = 0;    ///< not begun, for want of a load: whoever asked waits for the whole page
  std::uint64_t populates_refused = 0;    ///< begun in vain: the executor refused it, and all who waited for it
  std::uint64_t populates_frameless = 0;  ///< begun in vain: there was no transit frame to read through
  std::uint64_t prefetches = 0, prefetches_dropped = 0, prefetches_used = 0;
  std::uint64_t evictions = 0, ghost_hits = 0;
  std::uint64_t waits_expired = 0, waits_refused = 0;
  std::uint64_t waits_held = 0;  ///< put off because their disk had its share of the loads
};

class BufferPool {
 public:
  /// Allocates every frame (one mapping, touched now, so that a lack of memory shows at the start). Errors:
  /// invalid_options when the sizes do not fit each other, or the system's. `executor` must outlive the pool.
  static boost::system::result<std::unique_ptr<BufferPool>> create(const BufferPoolOptions& options,
                                                                   DiskExecutor& executor);
  /// Fails all waiters with shutting_down and waits for loads in flight. No pin may be left.
  ~BufferPool();
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;

  [[nodiscard]] std::size_t page_bytes() const noexcept;
  /// Frames for pages; those for transit reads are not counted.
  [[nodiscard]] std::size_t frame_count() const noexcept;

  /// Pins the page if it is resident, else an empty guard. Never waits, never reads. Cost: one shard lock.
  [[nodiscard]] PageGuard try_pin(const PageId& page, StreamId stream, AccessHint hint) noexcept;

  /// Pins the page, reading it in the calling thread if that takes no wait (ByteSource::read_nowait, then a version
  /// check). Errors: would_block when it needs a disk thread, is being loaded by somebody else, or no frame can be had;
  /// stale_version; the read's own.
  [[nodiscard]] boost::system::result<PageGuard> try_load(const std::shared_ptr<ByteSource>& source, const PageId& page,
                                                          StreamId stream, AccessHint hint) noexcept;

  /// A transit read: `length` (1 to page_bytes) bytes at `offset` straight into a frame that is in no page table,
  /// without waiting. For pages that were not asked for lately (they are remembered in the ghost queue, and the next
  /// request for the page loads it). The guard's bytes() are exactly those bytes; of which version they are is not
  /// known before confirm_version(), which one call does for any number of transit reads before it. Errors:
  /// PagingError::would_block when no transit frame is free or the page should be loaded rather than passed through;
  /// StorageError::would_block when a disk would have to be waited for; stale_version when the file ends before them;
  /// the read's own.
  [[nodiscard]] boost::system::result<PageGuard> transit_read(ByteSource& source, const FileKey& file,
                                                              std::uint64_t offset, std::size_t length) noexcept;
  /// Whether what was read from `source` without a version check is of its version: stale_version when it is not, or an
  /// error of the source. Thread-safe; cost: one look at the file.
  [[nodiscard]] static boost::system::error_code confirm_version(ByteSource& source) noexcept;

  /// Whether the page is resident now. Counts and promotes nothing. Cost: one shard lock.
  [[nodiscard]] bool is_resident(const PageId& page) const noexcept;

  /// Whether a load was begun at or after `time`, or is under way: else the kernel reads nothing ahead for this pool.
  /// Cost: two loads of atomics.
  [[nodiscard]] bool has_loaded_since(std::chrono::steady_clock::time_point time) const noexcept;
  /// Whether some of [offset, offset + length) of the file may just be being read: a disk thread is at it or about to
  /// be, or its disk has as many loads as it may have, or somebody waits for a load (a read that was tried without
  /// waiting has begun all the same). The kernel has such pages in its cache already, but whoever takes them waits for
  /// the disk. Thread-safe. Cost: nothing while nothing is read; else the pool lock and a look at each load.
  [[nodiscard]] bool is_reading(const FileVersion& file, std::uint64_t offset, std::uint64_t length) const noexcept;

  /// Gives `waiter` the page: at once (inline) when it is resident, else after a load that all who ask for the page
  /// share (single-flight), run on the disk executor. Waiters for frames are served in the order of asking. Past
  /// `deadline` (see expire_waiters): PagingError::deadline. Errors: overloaded (waiters or queue full), stale_version,
  /// shutting_down, the read's own. The caller may hold no pin (law 2).
  void pin_or_wait(const std::shared_ptr<ByteSource>& source, const PageId& page, StreamId stream, AccessHint hint,
                   PageWaiter& waiter, std::chrono::steady_clock::time_point deadline) noexcept;

  /// The most that try_populate() reads: what the disk is asked for in one request or a few.
  static constexpr std::size_t max_populate_bytes = std::size_t{1} << 20;
  /// Has `length` (1 to max_populate_bytes) bytes at `offset` read into the kernel's page cache by a disk thread, and
  /// kept nowhere else, for who will pass them through without waiting: less is read than with the whole page, and no
  /// page is evicted. All who ask for bytes that are being populated share that read. True: `waiter` is told as by
  /// pin_or_wait(), with an empty guard when the bytes are there (or were, or half of the transit frames was in use,
  /// and there was none to read them through). False, and nothing is begun: the page at `offset` is in the pool or
  /// being loaded, other bytes of it are being populated, somebody waits for a frame or a load, or none is to be had;
  /// call pin_or_wait() then. The caller may hold no pin (law 2).
  [[nodiscard]] bool try_populate(const std::shared_ptr<ByteSource>& source, const FileKey& file, std::uint64_t offset,
                                  std::size_t length, PageWaiter& waiter,
                                  std::chrono::steady_clock::time_point deadline) noexcept;

  /// Takes `waiter` back. True: on_page() was not and will not be called. False: it was, or is being called now. The
  /// load goes on.
  bool cancel(PageWaiter& waiter) noexcept;

  /// Starts loading up to `count` pages from `first` on that are neither resident nor loading; adjacent ones share a
  /// read. Best effort: dropped, not queued, when frames or loads are short. Loaded pages carry no credit until they
  /// are first asked for.
  void prefetch(const std::shared_ptr<ByteSource>& source, const PageId& first, std::size_t count, StreamId stream,
                AccessHint hint) noexcept;

  /// Fails every waiter whose deadline has passed. To be called from time to time (each sweep of an event loop). Cost:
  /// O(waiters).
  void expire_waiters(std::chrono::steady_clock::time_point now) noexcept;

  /// Drops what is resident and unpinned of `file`. Cost: O(frames).
  void forget(const FileKey& file) noexcept;

  [[nodiscard]] BufferPoolStatistics statistics() const noexcept;

 private:
  friend class PageGuard;
  struct State;
  explicit BufferPool(std::unique_ptr<State> state) noexcept;
  void unpin(Frame& frame) noexcept;
  std::unique_ptr<State> state_;
};

}  // namespace ranged
