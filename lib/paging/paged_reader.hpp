#pragma once
// What a connection reads a file through: windows of pinned pages, readahead, and the choice of how each byte goes.

#include <ranged/paging/buffer_pool.hpp>
#include <ranged/paging/readahead.hpp>

#include <boost/container/static_vector.hpp>

namespace ranged {

/// Contiguous bytes of a file, pinned, in file order. Fixed size: it grows with nothing.
class PinnedWindow {
 public:
  /// Pages at most: 16 pages of 64 KiB are 1 MiB, more than a socket takes at once.
  static constexpr std::size_t max_pages = 16;

  [[nodiscard]] std::span<const std::span<const std::byte>> stretches() const noexcept {
    return {stretches_.data(), stretches_.size()};
  }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }  ///< bytes
  /// Unpins everything.
  void clear() noexcept {
    unconfirmed_ = false;
    stretches_.clear();
    guards_.clear();
    size_ = 0;
  }

 private:
  friend class PagedReader;
  void append(PageGuard page, std::span<const std::byte> bytes) noexcept;

  boost::container::static_vector<PageGuard, max_pages> guards_;
  boost::container::static_vector<std::span<const std::byte>, max_pages> stretches_;
  std::size_t size_ = 0;
  bool unconfirmed_ = false;  ///< some bytes were read without a look at the file's version
};

/// One stream's view of one version of a file. Not thread-safe: belongs to one connection. Keeps readahead state from
/// request to request.
class PagedReader {
 public:
  PagedReader(BufferPool& pool, std::shared_ptr<ByteSource> source, const FileKey& file, StreamId stream) noexcept;

  /// Says what is about to be read, [offset, offset + length): decides between point and scan, and feeds readahead.
  /// Call once for each stretch of a request. Cost: none to speak of.
  void begin(std::uint64_t offset, std::uint64_t length) noexcept;

  /// Pins what can be had from `offset` on without waiting, at most `length` bytes (the rest of the stretch) and
  /// `max_bytes`: resident pages, pages readable without a wait, or a transit read, and appends them to the window.
  /// `first`, when valid, is the page at `offset` as wait() delivered it. Returns the bytes that this call appended; 0
  /// means: the window is full, or call wait(). The bytes are to be used after confirm() alone. Errors: stale_version,
  /// the read's own; never when something was appended. Cost: at most four reads from the page cache.
  [[nodiscard]] boost::system::result<std::size_t> gather(std::uint64_t offset, std::uint64_t length,
                                                          std::size_t max_bytes, PinnedWindow& window,
                                                          PageGuard first = {}) noexcept;

  /// To be called between the gathers that filled a window and the first use of its bytes: says whether all of them are
  /// of the file's version. Errors: stale_version, when nothing of the window may be used; the source's. Cost: nothing
  /// when all pages came from the pool, else one look at the file, however many reads there were.
  [[nodiscard]] boost::system::error_code confirm(PinnedWindow& window) noexcept;

  /// Says that the `length` bytes at `offset`, which are not in memory, will be passed by the pool once they are:
  /// wait(offset) then has just these read, into the page cache (BufferPool::try_populate), where that can be done.
  /// gather() says so itself of what it would have passed through. False when it is of no use: more than that takes at
  /// once, or a source that cannot tell what is in memory, or does not keep it there: after it was in vain for an
  /// offset, this stream comes with its pages again.
  bool pass_by(std::uint64_t offset, std::uint64_t length) noexcept;

  /// Whether it is this offset that pass_by() named last.
  [[nodiscard]] bool passed_by(std::uint64_t offset) const noexcept { return offset == pass_by_offset_; }

  /// Waits for the page that holds `offset` (BufferPool::pin_or_wait), starting readahead behind it; or for the bytes
  /// that pass_by() named, of which the waiter is told with an empty guard. The caller may hold no pin (law 2).
  void wait(std::uint64_t offset, PageWaiter& waiter, std::chrono::steady_clock::time_point deadline) noexcept;
  /// BufferPool::cancel.
  bool cancel(PageWaiter& waiter) noexcept;

  /// Whether the page that holds `offset` is in the pool now. Counts and promotes nothing. Cost: one look-up.
  [[nodiscard]] bool is_resident(std::uint64_t offset) const noexcept;

  /// BufferPool::is_reading, of this file.
  [[nodiscard]] bool is_reading(std::uint64_t offset, std::uint64_t length) const noexcept;

  /// BufferPool::has_loaded_since.
  [[nodiscard]] bool has_loaded_since(std::chrono::steady_clock::time_point time) const noexcept {
    return pool_->has_loaded_since(time);
  }

  [[nodiscard]] ByteSource& source() const noexcept { return *source_; }
  [[nodiscard]] const FileKey& file() const noexcept { return file_; }
  [[nodiscard]] AccessHint hint() const noexcept { return hint_; }

 private:
  BufferPool* pool_;
  std::shared_ptr<ByteSource> source_;
  FileKey file_;
  StreamId stream_;
  AccessHint hint_ = AccessHint::point;
  Readahead readahead_;
  bool nowait_ = true;  ///< until the source says that it cannot
  /// What wait() is to have read into the page cache alone: see pass_by(). Length 0: nothing, or it was done.
  std::uint64_t pass_by_offset_ = ~std::uint64_t{0};
  std::size_t pass_by_length_ = 0;
  bool pass_by_helps_ = true;  ///< until it was in vain
};

}  // namespace ranged
