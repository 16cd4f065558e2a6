#include <ranged/paging/buffer_pool.hpp>
#include <ranged/paging/eviction.hpp>
#include <ranged/paging/frame.hpp>
#include <ranged/paging/page_table.hpp>
#include <ranged/paging/waiter_queue.hpp>
#include <ranged/storage/storage_error.hpp>

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cerrno>
#include <condition_variable>
#include <limits>
#include <memory>
#include <mutex>
#include <new>
#include <vector>

namespace ranged {
namespace {

using boost::system::error_code;

// Bounds of the page size: the smallest page of the MMU's, and the largest read that is still one quick request to a
// disk.
constexpr std::size_t min_page_bytes = std::size_t{4} << 10;
constexpr std::size_t max_page_bytes = std::size_t{4} << 20;
constexpr std::size_t min_frames = 4;
// Pages that one load reads at most: 1 MiB of 64 KiB pages in one preadv.
constexpr std::size_t max_run = 16;
// The size of a huge page on x86-64 and on arm64 with 4 KiB pages.
constexpr std::size_t huge_page_bytes = std::size_t{2} << 20;

#ifdef MADV_POPULATE_WRITE
constexpr int populate_advice = MADV_POPULATE_WRITE;
#else
constexpr int populate_advice = 23;  // Linux 5.14; older headers do not name it
#endif

error_code system_error(int number) noexcept {
  return {number, boost::system::system_category()};
}

/// The memory of all frames.
class FrameMemory {
 public:
  FrameMemory() = default;
  FrameMemory(const FrameMemory&) = delete;
  FrameMemory& operator=(const FrameMemory&) = delete;
  ~FrameMemory() {
    if (base_ != MAP_FAILED) ::munmap(base_, mapped_);
  }

  error_code map(std::size_t bytes, std::size_t page_bytes, bool huge_pages) noexcept {
    const std::size_t alignment = huge_pages && bytes >= huge_page_bytes ? huge_page_bytes : page_bytes;
    if (bytes > SIZE_MAX - alignment) return PagingError::invalid_options;
    mapped_ = bytes + alignment;
    base_ = ::mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base_ == MAP_FAILED) return system_error(errno);
    void* start = base_;
    std::size_t room = mapped_;
    start_ = static_cast<std::byte*>(std::align(alignment, bytes, start, room));
    // Best effort: without huge pages everything works, with more misses of the TLB.
    if (huge_pages) (void)::madvise(start_, bytes, MADV_HUGEPAGE);
    if (::madvise(start_, bytes, populate_advice) != 0) {
      if (errno != EINVAL) return system_error(errno);
      for (std::size_t i = 0; i < bytes; i += min_page_bytes)
        *static_cast<volatile std::byte*>(start_ + i) = std::byte{0};
    }
    return {};
  }

  [[nodiscard]] std::byte* start() const noexcept { return start_; }

 private:
  void* base_ = MAP_FAILED;
  std::size_t mapped_ = 0;
  std::byte* start_ = nullptr;
};

}  // namespace

struct BufferPool::State {
  /// What one disk has of the loads, and who waits because that is its share (rule 14). In use while it has either.
  struct DiskShare {
    std::uint64_t device = 0;
    std::size_t loads = 0;
    WaiterQueue held;

    [[nodiscard]] bool in_use() const noexcept { return loads != 0 || !held.empty(); }
  };
  /// Disks told apart at a time; loads of one more are bound by no share.
  static constexpr std::size_t max_disks = 16;

  /// A read of adjacent pages on the disk executor, or of bytes that only the page cache is to have (`populate_bytes`).
  /// As many as max_loads, allocated once.
  struct Load final : DiskTask {
    State* state = nullptr;
    std::shared_ptr<ByteSource> source;
    std::uint64_t offset = 0;
    std::array<Frame*, max_run> frames{};
    std::size_t count = 0;
    bool prefetch = false;
    DiskShare* disk = nullptr;  ///< whose loads it counts among
    Load* free_next = nullptr;
    bool reading = false;  ///< from its beginning until whoever waits is about to be told
    std::uint64_t device = 0, inode = 0;

    // Of a populating read, which has no frames.
    std::size_t populate_bytes = 0;  ///< 0: it loads pages
    FileKey file;
    std::uint64_t hash = 0;  ///< of the page that it begins in
    WaiterQueue waiters;     ///< who waits for it, or for a part of it
    Load* populating_next = nullptr;

    void run() noexcept override { populate_bytes != 0 ? state->run_populate(*this) : state->run(*this); }
  };
  using Outcomes = std::array<error_code, max_run>;

  State(const BufferPoolOptions& wanted, DiskExecutor& disk, std::size_t frames_wanted, std::size_t transit_wanted)
      : options(wanted),
        executor(disk),
        frame_count(frames_wanted),
        transit_count(transit_wanted),
        loads_of_a_disk(wanted.max_loads < 2 ? wanted.max_loads
                                             : wanted.max_loads - std::max<std::size_t>(1, wanted.max_loads / 4)),
        prefetch_limit(std::max<std::size_t>(1, frames_wanted / 4)),
        correlation(std::max<std::size_t>(1, frames_wanted / S3Fifo::small_divisor / 2)),
        frames(std::make_unique<Frame[]>(frames_wanted + transit_wanted)),
        loads(std::make_unique<Load[]>(wanted.max_loads)),
        table(frames_wanted),
        policy(frames_wanted),
        index(wanted.max_waiters),
        transit_ghost(frames_wanted) {}

  const BufferPoolOptions options;
  DiskExecutor& executor;
  const std::size_t frame_count;
  const std::size_t transit_count;
  /// Loads that one disk may have in flight: three quarters, so that one that hangs leaves some to the others.
  const std::size_t loads_of_a_disk;
  /// Frames that readahead may be loading into: a quarter, so that a small pool keeps room for what is asked for.
  const std::size_t prefetch_limit;
  /// Touches by one stream with fewer insertions between are one reference (rule 9): half of a pass through the small
  /// queue.
  const std::size_t correlation;
  FrameMemory memory;
  std::unique_ptr<Frame[]> frames;  ///< first those for pages, then those for transit reads
  std::unique_ptr<Load[]> loads;
  PageTable table;

  /// The pool lock (rule 1). Guards everything down to `idle`, and Frame's and PageWaiter's fields that say so.
  mutable std::mutex mutex;
  S3Fifo policy;
  Frame* free_frames = nullptr;
  Load* free_loads = nullptr;
  Load* populating = nullptr;  ///< loads in flight that populate
  WaiterQueue queued;          ///< who waits for a frame or a load, in the order of asking
  WaiterIndex index;           ///< the same, and those held, by page
  std::array<DiskShare, max_disks> disks;
  std::size_t free_count = 0, resident_count = 0;
  /// The loading frames: no policy knows them, so their links are free for this.
  EvictionQueue loading{EvictionEntry::Queue::none};
  std::size_t scan_loading = 0;      ///< frames that scans are loading into
  std::size_t prefetch_loading = 0;  ///< frames that readahead is loading into
  std::size_t waiter_count = 0;
  std::size_t loads_in_flight = 0, prefetches_in_flight = 0;
  std::size_t running = 0;  ///< Load::run()s that still touch the pool
  bool shutting_down = false;
  BufferPoolStatistics counts;   ///< the counts that change under this lock
  std::condition_variable idle;  ///< running and loads_in_flight may have become 0

  /// How many wait in `queued` or are held. Written under the pool lock. Sequentially consistent, with
  /// EvictionEntry::pins (rule 5): who queues adds here and then looks at pins; who unpins lowers pins and then looks
  /// here. One of them sees the other.
  std::atomic<std::size_t> queued_count{0};
  /// Insertions so far: the clock of correlated references. Relaxed, an estimate.
  std::atomic<std::uint64_t> insertions{0};
  /// Loads that are `reading`. Written under the pool lock; sequentially consistent, so that who finds in the page
  /// cache what a load has begun to read sees that load here.
  std::atomic<std::size_t> reading_count{0};
  /// When a load was begun last, of the steady clock; relaxed: a time that orders nothing.
  std::atomic<std::chrono::steady_clock::rep> last_load_at{std::numeric_limits<std::chrono::steady_clock::rep>::min()};
  // Relaxed, statistics only: counted where no pool lock is held.
  std::atomic<std::uint64_t> nowait_would_block{0}, nowait_unsupported{0};

  /// The transit lock (rule 1): guards what follows. Taken alone.
  mutable std::mutex transit_mutex;
  Frame* free_transit = nullptr;
  std::size_t free_transit_count = 0;
  GhostQueue transit_ghost;  ///< pages that were passed through lately
  std::uint64_t transit_reads = 0, transit_bytes = 0;

  [[nodiscard]] std::uint32_t page_length(const PageId& page) const noexcept {
    const std::uint64_t size = page.file.version().size;
    const std::uint64_t page_bytes = options.page_bytes;
    if (page.number > size / page_bytes) return 0;
    return static_cast<std::uint32_t>(std::min(page_bytes, size - page.number * page_bytes));
  }

  [[nodiscard]] static std::span<const std::byte> bytes(const Frame& frame) noexcept {
    return {frame.data, frame.length};
  }

  // --- Under a shard lock
  // ---------------------------------------------------------------------------------------------------

  /// Counts a reference (rule 9).
  void touch(PageTable::Shard& shard, Frame& frame, StreamId stream, AccessHint hint) noexcept {
    const std::uint64_t now = insertions.load(std::memory_order_relaxed);
    if (frame.unread.load(std::memory_order_relaxed)) {
      // The reference that readahead foresaw: the first, not the second.
      frame.unread.store(false, std::memory_order_relaxed);
      ++shard.prefetches_used;
    } else if (hint == AccessHint::point && (stream != frame.last_stream || now - frame.touched_at >= correlation)) {
      const std::uint8_t credit = frame.credit.load(std::memory_order_relaxed);
      if (credit < EvictionEntry::max_credit) frame.credit.store(credit + 1, std::memory_order_relaxed);
    } else if (hint == AccessHint::scan) {
      return;
    }
    frame.last_stream = stream;
    frame.touched_at = now;
  }

  /// Pins `page` if it is resident. `in_flight`, if given, is set to its frame when it is being loaded. Takes the shard
  /// lock.
  Frame* pin_resident(const PageId& page, std::uint64_t hash, StreamId stream, AccessHint hint,
                      Frame** in_flight = nullptr) noexcept {
    PageTable::Shard& shard = table.shard(hash);
    const std::scoped_lock lock(shard.mutex);
    Frame* const frame = table.find(page, hash);
    if (frame == nullptr) return nullptr;
    if (frame->state != FrameState::resident) {
      if (in_flight != nullptr) *in_flight = frame;
      return nullptr;
    }
    frame->pins.fetch_add(1, std::memory_order_relaxed);
    ++shard.hits;
    touch(shard, *frame, stream, hint);
    return frame;
  }

  // --- Under the pool lock
  // --------------------------------------------------------------------------------------------------

  void push_free(Frame& frame) noexcept {
    frame.free_next = free_frames;
    free_frames = &frame;
    ++free_count;
  }

  /// Takes the page out of the frame if nobody has it pinned.
  bool try_evict(Frame& frame) noexcept {
    const std::scoped_lock lock(table.shard(frame.hash).mutex);
    if (frame.pins.load(std::memory_order_seq_cst) != 0) return false;
    table.erase(frame);
    frame.state = FrameState::free;
    return true;
  }

  /// A frame that is in no list, or null. `strict`: a scan gets none beyond its queue's bound.
  Frame* acquire_frame(bool scan, bool strict) noexcept {
    const auto take = [this](EvictionEntry& entry) noexcept { return try_evict(static_cast<Frame&>(entry)); };
    EvictionEntry* victim = nullptr;
    if (scan && policy.scan_size() + scan_loading >= policy.scan_limit()) {
      victim = policy.scan_victim(take);
      if (victim == nullptr && strict) return nullptr;
    }
    if (victim == nullptr && free_frames != nullptr) {
      Frame* const frame = free_frames;
      free_frames = frame->free_next;
      frame->free_next = nullptr;
      --free_count;
      return frame;
    }
    if (victim == nullptr) victim = policy.victim(scan, scan_loading, take);
    if (victim == nullptr) return nullptr;
    --resident_count;
    ++counts.evictions;
    return static_cast<Frame*>(victim);
  }

  /// Enters `page`, which must not be in the table, as loading.
  void begin_loading(Frame& frame, const PageId& page, std::uint64_t hash, std::uint32_t length, StreamId stream,
                     bool scan, bool prefetch) noexcept {
    const std::scoped_lock lock(table.shard(hash).mutex);
    frame.page = page;
    frame.hash = hash;
    frame.length = length;
    frame.scan = scan;
    frame.state = FrameState::loading;
    frame.credit.store(0, std::memory_order_relaxed);
    frame.unread.store(prefetch, std::memory_order_relaxed);
    frame.last_stream = stream;
    frame.touched_at = insertions.load(std::memory_order_relaxed);
    table.insert(frame);
    loading.push_back(frame);
    if (scan) ++scan_loading;
  }

  void end_loading(Frame& frame) noexcept {
    loading.erase(frame);
    if (frame.scan) --scan_loading;
  }

  /// The load succeeded: pins for `own` guards and for each waiter, who go to `done`.
  void make_resident(Frame& frame, std::uint32_t own, WaiterQueue& done) noexcept {
    end_loading(frame);
    ++resident_count;
    insertions.fetch_add(1, std::memory_order_relaxed);
    {
      PageTable::Shard& shard = table.shard(frame.hash);
      const std::scoped_lock lock(shard.mutex);
      frame.state = FrameState::resident;
      // However long the load took, who asked for it is one reference.
      frame.touched_at = insertions.load(std::memory_order_relaxed);
      frame.pins.fetch_add(own, std::memory_order_relaxed);
      while (!frame.waiters.empty()) {
        PageWaiter& waiter = *frame.waiters.front;
        frame.waiters.erase(waiter);
        frame.pins.fetch_add(1, std::memory_order_relaxed);
        touch(shard, frame, waiter.stream_, waiter.hint_);
        finish(waiter, &frame, {}, done);
      }
    }
    if (policy.insert(frame, frame.scan)) ++counts.ghost_hits;
  }

  /// The load failed, or was never begun.
  void drop_loading(Frame& frame) noexcept {
    end_loading(frame);
    {
      const std::scoped_lock lock(table.shard(frame.hash).mutex);
      table.erase(frame);
      frame.state = FrameState::free;
    }
    push_free(frame);
  }

  void fail_all(WaiterQueue& waiters, const error_code& error, WaiterQueue& done) noexcept {
    while (!waiters.empty()) {
      PageWaiter& waiter = *waiters.front;
      waiters.erase(waiter);
      finish(waiter, nullptr, error, done);
    }
  }

  /// Moves a waiter that is in no queue any more to `done`. It cannot be cancelled from here on: its queue_ is null.
  void finish(PageWaiter& waiter, Frame* frame, const error_code& error, WaiterQueue& done) noexcept {
    waiter.frame_ = frame;
    waiter.error_ = error;
    --waiter_count;
    done.push_back(waiter);
    waiter.queue_ = nullptr;
  }

  void enqueue(PageWaiter& waiter, bool at_front) noexcept {
    if (at_front) {
      queued.push_front(waiter);
    } else {
      queued.push_back(waiter);
    }
    index.insert(waiter, at_front);
    queued_count.fetch_add(1, std::memory_order_seq_cst);
  }

  [[nodiscard]] DiskShare* disk_in_use(std::uint64_t device) noexcept {
    const auto found =
        std::ranges::find_if(disks, [device](const DiskShare& disk) { return disk.in_use() && disk.device == device; });
    return found == disks.end() ? nullptr : &*found;
  }

  /// Whether a load from the disk may begin. Device 0 is none: what has it is bound by no share.
  [[nodiscard]] bool may_load_from(std::uint64_t device) noexcept {
    const DiskShare* const disk = device == 0 ? nullptr : disk_in_use(device);
    return disk == nullptr || disk->loads < loads_of_a_disk;
  }

  /// Readahead does not go before those who are held.
  [[nodiscard]] bool may_prefetch_from(std::uint64_t device) noexcept {
    const DiskShare* const disk = device == 0 ? nullptr : disk_in_use(device);
    return disk == nullptr || (disk->loads < loads_of_a_disk && disk->held.empty());
  }

  [[nodiscard]] bool is_queued(const PageWaiter& waiter) const noexcept {
    return waiter.queue_ == &queued ||
           std::ranges::any_of(disks, [&waiter](const DiskShare& disk) { return waiter.queue_ == &disk.held; });
  }

  /// Who is to be served next: of those held the first whose disk has a load left, else who has waited longest.
  [[nodiscard]] PageWaiter* next_to_serve() noexcept {
    for (DiskShare& disk : disks) {
      if (!disk.held.empty() && disk.loads < loads_of_a_disk) return disk.held.front;
    }
    return queued.front;
  }

  /// Puts a waiter aside until its disk has a load left.
  void hold(PageWaiter& waiter) noexcept {
    DiskShare& disk = *disk_in_use(waiter.page_.file.version().device);
    waiter.queue_->erase(waiter);
    disk.held.push_back(waiter);
    ++counts.waits_held;
  }

  void wait_for_populate(PageWaiter& waiter, Load& load, std::chrono::steady_clock::time_point deadline) noexcept {
    ++waiter_count;
    waiter.deadline_ = deadline;
    load.waiters.push_back(waiter);
  }

  void dequeue(PageWaiter& waiter) noexcept {
    waiter.queue_->erase(waiter);
    index.erase(waiter);
    queued_count.fetch_sub(1, std::memory_order_seq_cst);
  }

  /// Moves all who wait for a frame for `page` to `waiters`, in order.
  void dequeue_all(const PageId& page, std::uint64_t hash, WaiterQueue& waiters) noexcept {
    PageWaiter* waiter = index.find(page, hash);
    while (waiter != nullptr) {
      PageWaiter* const next = WaiterIndex::find_next(*waiter);
      dequeue(*waiter);
      waiters.push_back(*waiter);
      waiter = next;
    }
  }

  Load* acquire_load(std::shared_ptr<ByteSource> source, std::uint64_t offset, bool prefetch) noexcept {
    Load* const load = free_loads;
    free_loads = load->free_next;
    load->free_next = nullptr;
    const std::uint64_t device = source->version().device;
    load->set_disk(device);
    load->device = device;
    load->inode = source->version().inode;
    load->reading = true;
    reading_count.fetch_add(1, std::memory_order_seq_cst);
    last_load_at.store(std::chrono::steady_clock::now().time_since_epoch().count(), std::memory_order_relaxed);
    load->disk = device == 0 ? nullptr : disk_in_use(device);
    if (load->disk == nullptr && device != 0) {
      const auto unused = std::ranges::find_if(disks, [](const DiskShare& disk) { return !disk.in_use(); });
      if (unused != disks.end()) {
        load->disk = &*unused;
        load->disk->device = device;
      }
    }
    if (load->disk != nullptr) ++load->disk->loads;
    load->source = std::move(source);
    load->offset = offset;
    load->count = 0;
    load->populate_bytes = 0;
    load->prefetch = prefetch;
    ++loads_in_flight;
    if (prefetch) ++prefetches_in_flight;
    return load;
  }

  void end_reading(Load& load) noexcept {
    if (std::exchange(load.reading, false)) reading_count.fetch_sub(1, std::memory_order_seq_cst);
  }

  void release_load(Load& load) noexcept {
    end_reading(load);
    --loads_in_flight;
    if (load.disk != nullptr) --load.disk->loads;
    if (load.prefetch) --prefetches_in_flight;
    load.free_next = free_loads;
    free_loads = &load;
    if (loads_in_flight == 0) idle.notify_all();
  }

  void count_error(const error_code& error) noexcept {
    ++(error == PagingError::stale_version ? counts.stale_loads : counts.load_errors);
  }

  // --- Under no lock
  // --------------------------------------------------------------------------------------------------------

  void deliver(WaiterQueue& done) noexcept {
    PageWaiter* waiter = done.front;
    while (waiter != nullptr) {
      // The waiter may be gone, or wait anew, as soon as it is told.
      PageWaiter* const next = WaiterQueue::next(*waiter);
      waiter->next_ = waiter->previous_ = nullptr;
      waiter->source_.reset();
      if (Frame* const frame = std::exchange(waiter->frame_, nullptr)) {
        waiter->on_page(PageGuard(*pool, *frame, bytes(*frame)));
      } else if (!waiter->error_) {
        waiter->on_page(PageGuard{});  // of a populating read
      } else {
        waiter->on_page(waiter->error_);
      }
      waiter = next;
    }
    done.front = done.back = nullptr;
  }

  /// Serves who waits for frames, for as long as there are frames and loads (rule 6).
  void serve() noexcept {
    while (queued_count.load(std::memory_order_seq_cst) != 0) {
      WaiterQueue done;
      Load* load = nullptr;
      {
        const std::scoped_lock lock(mutex);
        while (load == nullptr) {
          PageWaiter* const next = next_to_serve();
          if (next == nullptr) break;
          PageWaiter& head = *next;
          const PageId page = head.page_;
          const std::uint64_t hash = head.hash_;
          Frame* in_flight = nullptr;
          if (Frame* const frame = pin_resident(page, hash, head.stream_, head.hint_, &in_flight)) {
            WaiterQueue same;
            dequeue_all(page, hash, same);
            // Of the pins, pin_resident() took the first.
            for (bool first = true; !same.empty(); first = false) {
              PageWaiter& waiter = *same.front;
              same.erase(waiter);
              if (!first) frame->pins.fetch_add(1, std::memory_order_relaxed);
              finish(waiter, frame, {}, done);
            }
          } else if (in_flight != nullptr) {
            dequeue_all(page, hash, in_flight->waiters);
          } else if (!may_load_from(page.file.version().device)) {
            hold(head);
          } else {
            if (free_loads == nullptr) break;
            Frame* const free = acquire_frame(head.hint_ == AccessHint::scan, false);
            if (free == nullptr) break;
            begin_loading(*free, page, hash, page_length(page), head.stream_, head.hint_ == AccessHint::scan, false);
            load = acquire_load(head.source_, page.number * options.page_bytes, false);
            load->frames[load->count++] = free;
            dequeue_all(page, hash, free->waiters);
          }
        }
      }
      deliver(done);
      if (load == nullptr) return;
      submit(*load);
    }
  }

  void submit(Load& load) noexcept {
    if (executor.submit(load)) return;
    if (load.populate_bytes != 0) {
      {
        const std::scoped_lock lock(mutex);
        ++counts.populates_refused;
        for (PageWaiter* waiter = load.waiters.front; waiter != nullptr; waiter = WaiterQueue::next(*waiter)) {
          ++counts.waits_refused;
        }
      }
      return end_populate(load, PagingError::overloaded);
    }
    WaiterQueue done;
    {
      const std::scoped_lock lock(mutex);
      for (std::size_t i = 0; i < load.count; ++i) {
        Frame& frame = *load.frames[i];
        if (load.prefetch) {
          --prefetch_loading;
          ++counts.prefetches_dropped;
        }
        for (PageWaiter* waiter = frame.waiters.front; waiter != nullptr; waiter = WaiterQueue::next(*waiter)) {
          ++counts.waits_refused;
        }
        fail_all(frame.waiters, PagingError::overloaded, done);
        drop_loading(frame);
      }
    }
    deliver(done);
    // The source may close its file now, which is not to be done under a lock.
    load.source.reset();
    const std::scoped_lock lock(mutex);
    release_load(load);
  }

  /// On a disk thread.
  void run(Load& load) noexcept {
    {
      const std::scoped_lock lock(mutex);
      ++running;
    }
    Outcomes outcomes;
    const std::uint64_t read_bytes = read(load, outcomes);
    WaiterQueue done;
    {
      const std::scoped_lock lock(mutex);
      end_reading(load);
      ++counts.loads;
      counts.load_bytes += read_bytes;
      if (load.prefetch) prefetch_loading -= load.count;
      error_code counted;
      for (std::size_t i = 0; i < load.count; ++i) {
        Frame& frame = *load.frames[i];
        if (!outcomes[i]) {
          make_resident(frame, 0, done);
          continue;
        }
        if (!counted) count_error(counted = outcomes[i]);
        fail_all(frame.waiters, outcomes[i], done);
        drop_loading(frame);
      }
    }
    deliver(done);
    load.source.reset();
    {
      const std::scoped_lock lock(mutex);
      release_load(load);
    }
    serve();
    const std::scoped_lock lock(mutex);
    --running;
    if (running == 0) idle.notify_all();
  }

  /// On a disk thread.
  void run_populate(Load& load) noexcept {
    {
      const std::scoped_lock lock(mutex);
      ++running;
    }
    std::uint64_t read_bytes = 0;
    error_code error;
    Frame* const scratch = take_scratch();
    if (scratch != nullptr) {
      error = populate(load, *scratch, read_bytes);
      give_back_transit(*scratch);
    }
    {
      const std::scoped_lock lock(mutex);
      ++(scratch != nullptr ? counts.populates : counts.populates_frameless);
      counts.populate_bytes += read_bytes;
      if (error) count_error(error);
    }
    end_populate(load, error);
    serve();
    const std::scoped_lock lock(mutex);
    --running;
    if (running == 0) idle.notify_all();
  }

  /// Tells who waits for the read, and lets go of it.
  void end_populate(Load& load, const error_code& error) noexcept {
    WaiterQueue done;
    {
      const std::scoped_lock lock(mutex);
      end_reading(load);
      fail_all(load.waiters, error, done);
      Load** link = &populating;
      while (*link != &load) link = &(*link)->populating_next;
      *link = load.populating_next;
      load.populating_next = nullptr;
    }
    deliver(done);
    // The source may close its file now, which is not to be done under a lock.
    load.source.reset();
    const std::scoped_lock lock(mutex);
    release_load(load);
  }

  /// Reads the bytes through `scratch`, over and over: they are wanted in the page cache alone. A file that ends before
  /// them is for who passes them through to find.
  error_code populate(Load& load, const Frame& scratch, std::uint64_t& read_bytes) const noexcept {
    std::array<iovec, max_populate_bytes / min_page_bytes> buffers;
    while (read_bytes < load.populate_bytes) {
      // In one call, so that the kernel asks the disk for all of it at once.
      std::size_t count = 0;
      for (std::size_t left = load.populate_bytes - static_cast<std::size_t>(read_bytes); left > 0;) {
        const std::size_t part = std::min(left, options.page_bytes);
        buffers[count++] = {scratch.data, part};
        left -= part;
      }
      const auto got = load.source->read(load.offset + read_bytes, {buffers.data(), count});
      if (got && *got == 0) break;
      if (got) {
        read_bytes += *got;
      } else if (got.error() == StorageError::stale_version) {
        return PagingError::stale_version;
      } else if (got.error() != system_error(EINTR)) {
        return got.error();
      }
    }
    return {};
  }

  /// A transit frame to read through, or null: half of them stay with those who pass bytes through, whatever disk
  /// hangs.
  Frame* take_scratch() noexcept {
    const std::scoped_lock lock(transit_mutex);
    return free_transit_count > transit_count / 2 ? pop_transit() : nullptr;
  }

  /// Under the transit lock: a free transit frame, or null.
  Frame* pop_transit() noexcept {
    Frame* const frame = free_transit;
    if (frame == nullptr) return nullptr;
    free_transit = frame->free_next;
    frame->free_next = nullptr;
    --free_transit_count;
    return frame;
  }

  void give_back_transit(Frame& frame) noexcept {
    const std::scoped_lock lock(transit_mutex);
    frame.free_next = free_transit;
    free_transit = &frame;
    ++free_transit_count;
  }

  /// Reads the load's pages whole. A page that cannot be read fails alone; a file that is no longer its version fails
  /// all.
  static std::uint64_t read(Load& load, Outcomes& outcomes) noexcept {
    // Where in the run page i starts; only the last page can be short.
    const std::size_t page_bytes = load.frames[0]->length;
    std::size_t total = 0;
    for (std::size_t i = 0; i < load.count; ++i) total += load.frames[i]->length;
    std::uint64_t read_bytes = 0;
    std::size_t done = 0;
    bool stale = false;
    while (done < total) {
      std::array<iovec, max_run> buffers;
      std::size_t count = 0;
      for (std::size_t i = done / page_bytes; i < load.count; ++i) {
        const std::size_t skip = count == 0 ? done - i * page_bytes : 0;
        buffers[count++] = {load.frames[i]->data + skip, load.frames[i]->length - skip};
      }
      const auto got = load.source->read(load.offset + done, {buffers.data(), count});
      if (got && *got > 0) {
        done += *got;
        read_bytes += *got;
      } else if (got || got.error() == StorageError::stale_version) {
        stale = true;  // it ends before its version's size
        break;
      } else if (got.error() != system_error(EINTR)) {
        outcomes[done / page_bytes] = got.error();
        done = (done / page_bytes + 1) * page_bytes;
      }
    }
    error_code version_error;
    if (stale) {
      version_error = PagingError::stale_version;
    } else {
      version_error = check_version(*load.source);
    }
    if (version_error) outcomes.fill(version_error);
    return read_bytes;
  }

  /// What was read belongs to source.version() if the file still is that version afterwards.
  static error_code check_version(ByteSource& source) noexcept {
    const auto now = source.current_version();
    if (!now) return now.error() == StorageError::stale_version ? error_code(PagingError::stale_version) : now.error();
    if (*now != source.version()) return PagingError::stale_version;
    return {};
  }

  /// Reads exactly `length` bytes without waiting; of which version they are check_version() says. Errors: would_block
  /// and nowait_unsupported as the source says.
  error_code read_now(ByteSource& source, std::uint64_t offset, std::byte* to, std::size_t length) noexcept {
    std::size_t done = 0;
    while (done < length) {
      const iovec buffer{to + done, length - done};
      const auto got = source.read_nowait(offset + done, {&buffer, 1});
      if (got && *got > 0) {
        done += *got;
      } else if (got || got.error() == StorageError::stale_version) {
        return PagingError::stale_version;
      } else if (got.error() != system_error(EINTR)) {
        if (got.error() == StorageError::would_block) nowait_would_block.fetch_add(1, std::memory_order_relaxed);
        if (got.error() == StorageError::nowait_unsupported) nowait_unsupported.fetch_add(1, std::memory_order_relaxed);
        return got.error();
      }
    }
    return {};
  }

  BufferPool* pool = nullptr;
};

BufferPool::BufferPool(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {
  state_->pool = this;
}

boost::system::result<std::unique_ptr<BufferPool>> BufferPool::create(const BufferPoolOptions& options,
                                                                      DiskExecutor& executor) {
  const std::size_t page = options.page_bytes;
  if (!std::has_single_bit(page) || page < min_page_bytes || page > max_page_bytes) return PagingError::invalid_options;
  const std::size_t total = options.pool_bytes / page;
  if (total < min_frames || options.max_loads == 0 || options.max_waiters == 0) return PagingError::invalid_options;
  const std::size_t transit = std::min(options.transit_frames, total / 8);
  try {
    auto state = std::make_unique<State>(options, executor, total - transit, transit);
    if (const error_code error = state->memory.map(total * page, page, options.huge_pages)) return error;
    for (std::size_t i = total; i-- > 0;) {
      Frame& frame = state->frames[i];
      frame.data = state->memory.start() + i * page;
      if (i < state->frame_count) {
        state->push_free(frame);
      } else {
        frame.state = FrameState::transit;
        state->give_back_transit(frame);
      }
    }
    for (std::size_t i = options.max_loads; i-- > 0;) {
      State::Load& load = state->loads[i];
      load.state = state.get();
      load.free_next = state->free_loads;
      state->free_loads = &load;
    }
    return std::unique_ptr<BufferPool>(new BufferPool(std::move(state)));
  } catch (const std::bad_alloc&) {
    return system_error(ENOMEM);
  }
}

BufferPool::~BufferPool() {
  WaiterQueue done;
  {
    const std::scoped_lock lock(state_->mutex);
    state_->shutting_down = true;
    const auto end_all = [this, &done](const WaiterQueue& waiters) {
      while (!waiters.empty()) {
        PageWaiter& waiter = *waiters.front;
        state_->dequeue(waiter);
        state_->finish(waiter, nullptr, PagingError::shutting_down, done);
      }
    };
    end_all(state_->queued);
    for (const State::DiskShare& disk : state_->disks) end_all(disk.held);
    for (EvictionEntry* entry = state_->loading.front(); entry != nullptr; entry = entry->next) {
      state_->fail_all(static_cast<Frame*>(entry)->waiters, PagingError::shutting_down, done);
    }
    for (State::Load* load = state_->populating; load != nullptr; load = load->populating_next) {
      state_->fail_all(load->waiters, PagingError::shutting_down, done);
    }
  }
  state_->deliver(done);
  std::unique_lock lock(state_->mutex);
  state_->idle.wait(lock, [this] { return state_->loads_in_flight == 0 && state_->running == 0; });
}

std::size_t BufferPool::page_bytes() const noexcept {
  return state_->options.page_bytes;
}

std::size_t BufferPool::frame_count() const noexcept {
  return state_->frame_count;
}

PageGuard BufferPool::try_pin(const PageId& page, StreamId stream, AccessHint hint) noexcept {
  Frame* const frame = state_->pin_resident(page, page.hash(), stream, hint);
  if (frame == nullptr) return {};
  return PageGuard(*this, *frame, State::bytes(*frame));
}

bool BufferPool::is_resident(const PageId& page) const noexcept {
  const std::uint64_t hash = page.hash();
  const std::scoped_lock lock(state_->table.shard(hash).mutex);
  const Frame* const frame = state_->table.find(page, hash);
  return frame != nullptr && frame->state == FrameState::resident;
}

bool BufferPool::has_loaded_since(std::chrono::steady_clock::time_point time) const noexcept {
  return state_->reading_count.load(std::memory_order_relaxed) != 0 ||
         state_->last_load_at.load(std::memory_order_relaxed) >= time.time_since_epoch().count();
}

bool BufferPool::is_reading(const FileVersion& file, std::uint64_t offset, std::uint64_t length) const noexcept {
  State& state = *state_;
  if (state.reading_count.load(std::memory_order_seq_cst) == 0 &&
      state.queued_count.load(std::memory_order_seq_cst) == 0) {
    return false;
  }
  const std::scoped_lock lock(state.mutex);
  // Who waits for a load has tried to read without waiting first, and by that had the kernel begin.
  if (state.queued_count.load(std::memory_order_relaxed) != 0 || state.free_loads == nullptr ||
      !state.may_load_from(file.device)) {
    return true;
  }
  return std::any_of(&state.loads[0], &state.loads[state.options.max_loads], [&](const State::Load& load) {
    if (!load.reading || load.inode != file.inode || load.device != file.device) return false;
    const std::uint64_t bytes = load.populate_bytes != 0 ? load.populate_bytes : load.count * page_bytes();
    return load.offset < offset + length && offset < load.offset + bytes;
  });
}

boost::system::result<PageGuard> BufferPool::try_load(const std::shared_ptr<ByteSource>& source, const PageId& page,
                                                      StreamId stream, AccessHint hint) noexcept {
  State& state = *state_;
  const std::uint64_t hash = page.hash();
  const std::uint32_t length = state.page_length(page);
  if (length == 0) return PagingError::stale_version;
  const bool scan = hint == AccessHint::scan;
  Frame* frame = nullptr;
  {
    const std::scoped_lock lock(state.mutex);
    if (state.shutting_down) return PagingError::shutting_down;
    Frame* in_flight = nullptr;
    if (Frame* const resident = state.pin_resident(page, hash, stream, hint, &in_flight)) {
      return PageGuard(*this, *resident, State::bytes(*resident));
    }
    // Whoever waits for a frame came first.
    if (in_flight != nullptr || state.next_to_serve() != nullptr) return PagingError::would_block;
    frame = state.acquire_frame(scan, false);
    if (frame == nullptr) return PagingError::would_block;
    state.begin_loading(*frame, page, hash, length, stream, scan, false);
  }

  error_code error = state.read_now(*source, page.number * page_bytes(), frame->data, length);
  if (!error) error = State::check_version(*source);
  const bool must_wait = error == StorageError::would_block || error == StorageError::nowait_unsupported;
  WaiterQueue done;
  State::Load* load = nullptr;
  {
    const std::scoped_lock lock(state.mutex);
    if (!error) {
      ++state.counts.misses;
      ++state.counts.nowait_loads;
      state.counts.load_bytes += length;
      state.make_resident(*frame, 1, done);
    } else if (must_wait && !frame->waiters.empty() && !state.shutting_down && state.free_loads != nullptr &&
               state.may_load_from(source->version().device)) {
      // Others joined meanwhile: the frame goes on to a disk thread with them.
      load = state.acquire_load(source, page.number * page_bytes(), false);
      load->frames[load->count++] = frame;
    } else if (must_wait) {
      // No load is to be had: they wait for one, before those who asked later.
      while (!frame->waiters.empty()) {
        PageWaiter& waiter = *frame->waiters.back;
        frame->waiters.erase(waiter);
        state.enqueue(waiter, true);
      }
      state.drop_loading(*frame);
    } else {
      state.count_error(error);
      state.fail_all(frame->waiters, error, done);
      state.drop_loading(*frame);
    }
  }
  state.deliver(done);
  if (load != nullptr) state.submit(*load);
  state.serve();
  if (error == StorageError::would_block) return PagingError::would_block;
  if (error) return error;
  return PageGuard(*this, *frame, State::bytes(*frame));
}

boost::system::result<PageGuard> BufferPool::transit_read(ByteSource& source, const FileKey& file, std::uint64_t offset,
                                                          std::size_t length) noexcept {
  State& state = *state_;
  const std::uint64_t hash = PageId{file, offset / page_bytes()}.hash();
  if (length == 0 || length > page_bytes()) return PagingError::would_block;
  Frame* frame = nullptr;
  {
    const std::scoped_lock lock(state.transit_mutex);
    if (state.free_transit == nullptr || state.transit_ghost.take(hash)) return PagingError::would_block;
    frame = state.pop_transit();
  }
  const error_code error = state.read_now(source, offset, frame->data, length);
  if (error) {
    state.give_back_transit(*frame);
    return error;
  }
  frame->pins.store(1, std::memory_order_relaxed);
  {
    const std::scoped_lock lock(state.transit_mutex);
    state.transit_ghost.insert(hash);
    ++state.transit_reads;
    state.transit_bytes += length;
  }
  return PageGuard(*this, *frame, {frame->data, length});
}

boost::system::error_code BufferPool::confirm_version(ByteSource& source) noexcept {
  return State::check_version(source);
}

void BufferPool::pin_or_wait(const std::shared_ptr<ByteSource>& source, const PageId& page, StreamId stream,
                             AccessHint hint, PageWaiter& waiter,
                             std::chrono::steady_clock::time_point deadline) noexcept {
  State& state = *state_;
  const std::uint64_t hash = page.hash();
  if (Frame* const frame = state.pin_resident(page, hash, stream, hint)) {
    waiter.on_page(PageGuard(*this, *frame, State::bytes(*frame)));
    return;
  }
  error_code error;
  Frame* resident = nullptr;
  bool waits_for_frame = false;
  {
    const std::scoped_lock lock(state.mutex);
    Frame* in_flight = nullptr;
    if (state.page_length(page) == 0) {
      error = PagingError::stale_version;
    } else if (state.shutting_down) {
      error = PagingError::shutting_down;
    } else {
      resident = state.pin_resident(page, hash, stream, hint, &in_flight);  // it may have come between the two looks
    }
    if (!error && resident == nullptr) {
      ++state.counts.misses;
      if (state.waiter_count >= state.options.max_waiters) {
        ++state.counts.waits_refused;
        error = PagingError::overloaded;
      } else {
        ++state.waiter_count;
        waiter.page_ = page;
        waiter.hash_ = hash;
        waiter.stream_ = stream;
        waiter.hint_ = hint;
        waiter.deadline_ = deadline;
        waiter.source_ = source;
        if (in_flight != nullptr) {
          ++state.counts.joined;
          in_flight->waiters.push_back(waiter);
        } else {
          state.enqueue(waiter, false);
          waits_for_frame = true;
        }
      }
    }
  }
  if (error) {
    waiter.on_page(error);
  } else if (resident != nullptr) {
    waiter.on_page(PageGuard(*this, *resident, State::bytes(*resident)));
  } else if (waits_for_frame) {
    state.serve();
  }
}

bool BufferPool::try_populate(const std::shared_ptr<ByteSource>& source, const FileKey& file, std::uint64_t offset,
                              std::size_t length, PageWaiter& waiter,
                              std::chrono::steady_clock::time_point deadline) noexcept {
  State& state = *state_;
  if (state.transit_count == 0 || length == 0 || length > max_populate_bytes) return false;
  const PageId page{file, offset / page_bytes()};
  const std::uint64_t hash = page.hash();
  State::Load* load = nullptr;
  {
    const std::scoped_lock lock(state.mutex);
    if (state.shutting_down || state.waiter_count >= state.options.max_waiters) return false;
    for (State::Load* other = state.populating; other != nullptr; other = other->populating_next) {
      if (!(other->file == file)) continue;
      if (offset >= other->offset && offset + length <= other->offset + other->populate_bytes) {
        ++state.counts.joined;
        state.wait_for_populate(waiter, *other, deadline);
        return true;
      }
      // Who asks for another part of a page that is being populated begins its load.
      if (other->hash == hash) return false;
    }
    {
      const std::scoped_lock shard_lock(state.table.shard(hash).mutex);
      if (state.table.find(page, hash) != nullptr) return false;
    }
    if (state.free_loads == nullptr || state.next_to_serve() != nullptr ||
        !state.may_load_from(source->version().device)) {
      ++state.counts.populates_forgone;
      return false;
    }
    load = state.acquire_load(source, offset, false);
    load->populate_bytes = length;
    load->file = file;
    load->hash = hash;
    load->populating_next = state.populating;
    state.populating = load;
    state.wait_for_populate(waiter, *load, deadline);
  }
  state.submit(*load);
  state.serve();  // refused, it gave its load back
  return true;
}

bool BufferPool::cancel(PageWaiter& waiter) noexcept {
  State& state = *state_;
  std::shared_ptr<ByteSource> source;  // let go of under no lock: it may close its file
  const std::scoped_lock lock(state.mutex);
  if (waiter.queue_ == nullptr) return false;
  if (state.is_queued(waiter)) {
    state.dequeue(waiter);
  } else {
    waiter.queue_->erase(waiter);
  }
  --state.waiter_count;
  source = std::move(waiter.source_);
  return true;
}

void BufferPool::prefetch(const std::shared_ptr<ByteSource>& source, const PageId& first, std::size_t count,
                          StreamId stream, AccessHint hint) noexcept {
  State& state = *state_;
  const bool scan = hint == AccessHint::scan;
  PageId page = first;
  std::size_t left = count;
  while (left > 0) {
    State::Load* load = nullptr;
    {
      const std::scoped_lock lock(state.mutex);
      while (left > 0 && (load == nullptr || load->count < max_run)) {
        const std::uint32_t length = state.page_length(page);
        if (length == 0) {
          left = 0;
          break;
        }
        const std::uint64_t hash = page.hash();
        bool present = false;
        {
          const std::scoped_lock shard_lock(state.table.shard(hash).mutex);
          present = state.table.find(page, hash) != nullptr;
        }
        if (present) {
          // Ends the run, if one was begun.
          ++page.number;
          --left;
          if (load != nullptr) break;
          continue;
        }
        const bool short_of_loads = load == nullptr && (state.free_loads == nullptr ||
                                                        state.prefetches_in_flight >= state.options.max_loads / 2 ||
                                                        !state.may_prefetch_from(source->version().device));
        Frame* frame = nullptr;
        if (!state.shutting_down && !short_of_loads && state.next_to_serve() == nullptr &&
            state.prefetch_loading < state.prefetch_limit) {
          frame = state.acquire_frame(scan, true);
        }
        if (frame == nullptr) {
          state.counts.prefetches_dropped += left;
          left = 0;
          break;
        }
        state.begin_loading(*frame, page, hash, length, stream, scan, true);
        ++state.counts.prefetches;
        ++state.prefetch_loading;
        if (load == nullptr) load = state.acquire_load(source, page.number * page_bytes(), true);
        load->frames[load->count++] = frame;
        ++page.number;
        --left;
      }
    }
    if (load != nullptr) state.submit(*load);
  }
  // A refused load gave frames back that somebody may have queued for.
  state.serve();
}

void BufferPool::expire_waiters(std::chrono::steady_clock::time_point now) noexcept {
  State& state = *state_;
  WaiterQueue done;
  {
    const std::scoped_lock lock(state.mutex);
    if (state.waiter_count == 0) return;
    const auto expire = [&](WaiterQueue& waiters, bool for_a_frame) noexcept {
      for (PageWaiter* waiter = waiters.front; waiter != nullptr;) {
        PageWaiter* const next = WaiterQueue::next(*waiter);
        if (waiter->deadline_ <= now) {
          if (for_a_frame) {
            state.dequeue(*waiter);
          } else {
            waiters.erase(*waiter);
          }
          ++state.counts.waits_expired;
          state.finish(*waiter, nullptr, PagingError::deadline, done);
        }
        waiter = next;
      }
    };
    expire(state.queued, true);
    for (State::DiskShare& disk : state.disks) expire(disk.held, true);
    for (EvictionEntry* entry = state.loading.front(); entry != nullptr; entry = entry->next) {
      expire(static_cast<Frame*>(entry)->waiters, false);
    }
    for (State::Load* load = state.populating; load != nullptr; load = load->populating_next) {
      expire(load->waiters, false);
    }
  }
  state.deliver(done);
}

void BufferPool::forget(const FileKey& file) noexcept {
  State& state = *state_;
  {
    const std::scoped_lock lock(state.mutex);
    for (std::size_t i = 0; i < state.frame_count; ++i) {
      Frame& frame = state.frames[i];
      if (frame.state != FrameState::resident || !(frame.page.file == file) || !state.try_evict(frame)) continue;
      state.policy.erase(frame);
      --state.resident_count;
      state.push_free(frame);
    }
  }
  state.serve();
}

BufferPoolStatistics BufferPool::statistics() const noexcept {
  const State& state = *state_;
  BufferPoolStatistics result;
  {
    const std::scoped_lock lock(state.mutex);
    result = state.counts;
    result.free_frames = state.free_count;
    result.resident_frames = state.resident_count;
    result.loading_frames = state.loading.size();
    result.waiters = state.waiter_count;
    result.loads_in_flight = state.loads_in_flight;
  }
  result.frames = state.frame_count;
  result.page_bytes = state.options.page_bytes;
  for (std::size_t i = 0; i < state.frame_count; ++i) {
    if (state.frames[i].pins.load(std::memory_order_relaxed) != 0) ++result.pinned_frames;
  }
  for (std::size_t i = 0; i < PageTable::shard_count; ++i) {
    PageTable::Shard& shard = state.table.shard(i);
    const std::scoped_lock lock(shard.mutex);
    result.hits += shard.hits;
    result.prefetches_used += shard.prefetches_used;
  }
  result.nowait_would_block = state.nowait_would_block.load(std::memory_order_relaxed);
  result.nowait_unsupported = state.nowait_unsupported.load(std::memory_order_relaxed);
  const std::scoped_lock lock(state.transit_mutex);
  result.transit_reads = state.transit_reads;
  result.transit_bytes = state.transit_bytes;
  return result;
}

void BufferPool::unpin(Frame& frame) noexcept {
  State& state = *state_;
  if (frame.state == FrameState::transit) {
    frame.pins.store(0, std::memory_order_relaxed);
    state.give_back_transit(frame);
    return;
  }
  if (frame.pins.fetch_sub(1, std::memory_order_seq_cst) == 1) state.serve();
}

}  // namespace ranged
