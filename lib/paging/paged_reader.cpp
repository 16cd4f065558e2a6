#include <ranged/paging/paged_reader.hpp>
#include <ranged/storage/storage_error.hpp>

#include <algorithm>
#include <utility>

namespace ranged {
namespace {

// Reads on the event loop in one call: four pages of 64 KiB are copied in some 30 microseconds, which nobody else on
// the loop notices.
constexpr std::size_t max_nowait_loads = 4;

}  // namespace

void PinnedWindow::append(PageGuard page, std::span<const std::byte> bytes) noexcept {
  guards_.push_back(std::move(page));
  stretches_.push_back(bytes);
  size_ += bytes.size();
}

PagedReader::PagedReader(BufferPool& pool, std::shared_ptr<ByteSource> source, const FileKey& file,
                         StreamId stream) noexcept
    : pool_(&pool), source_(std::move(source)), file_(file), stream_(stream), readahead_(pool.page_bytes()) {}

void PagedReader::begin(std::uint64_t offset, std::uint64_t length) noexcept {
  const std::uint64_t pool_bytes = std::uint64_t{pool_->frame_count()} * pool_->page_bytes();
  hint_ = length > pool_bytes / 4 ? AccessHint::scan : AccessHint::point;
  readahead_.begin(offset, length);
}

boost::system::result<std::size_t> PagedReader::gather(std::uint64_t offset, std::uint64_t length,
                                                       std::size_t max_bytes, PinnedWindow& window,
                                                       PageGuard first) noexcept {
  const std::size_t page_bytes = pool_->page_bytes();
  const std::size_t limit = static_cast<std::size_t>(std::min<std::uint64_t>(length, max_bytes));
  std::size_t gathered = 0;
  std::size_t nowait_loads = 0;
  boost::system::error_code error;
  PageGuard arrived = std::move(first);  // the first page's, if somebody waited for it
  while (gathered < limit && window.guards_.size() < PinnedWindow::max_pages) {
    const PageId page{file_, (offset + gathered) / page_bytes};
    const std::size_t within = static_cast<std::size_t>((offset + gathered) % page_bytes);
    const std::size_t rest_of_page =
        static_cast<std::size_t>(std::min<std::uint64_t>(length - gathered, page_bytes - within));
    const std::size_t wanted = std::min(limit - gathered, rest_of_page);

    PageGuard guard = std::exchange(arrived, PageGuard{});
    if (!guard) guard = pool_->try_pin(page, stream_, hint_);
    if (!guard && nowait_ && hint_ == AccessHint::point && wanted == rest_of_page && wanted < page_bytes / 2) {
      auto passed = pool_->transit_read(*source_, file_, offset + gathered, wanted);
      if (passed) {
        (void)readahead_.access(page.number, false);
        const auto bytes = passed->bytes();
        window.append(std::move(*passed), bytes);
        window.unconfirmed_ = true;
        gathered += wanted;
        continue;
      }
      error = passed.error();
      if (error == StorageError::nowait_unsupported) nowait_ = false;
      if (error == StorageError::would_block) (void)pass_by(offset + gathered, wanted);
      if (error != PagingError::would_block) break;
    }
    if (!guard) {
      error = PagingError::would_block;
      if (!nowait_ || nowait_loads == max_nowait_loads) break;
      ++nowait_loads;
      auto loaded = pool_->try_load(source_, page, stream_, hint_);
      if (!loaded) {
        error = loaded.error();
        if (error == StorageError::nowait_unsupported) nowait_ = false;
        break;
      }
      guard = std::move(*loaded);
    }

    const ReadaheadWindow ahead = readahead_.access(page.number, false);
    if (ahead.count > 0) pool_->prefetch(source_, {file_, ahead.first}, ahead.count, stream_, hint_);
    const auto bytes = guard.bytes();
    if (bytes.size() < within + wanted) {
      error = PagingError::stale_version;
      break;
    }
    window.append(std::move(guard), bytes.subspan(within, wanted));
    gathered += wanted;
  }
  if (gathered > 0) return gathered;
  if (!error || error == PagingError::would_block || error == StorageError::would_block ||
      error == StorageError::nowait_unsupported) {
    return std::size_t{0};
  }
  return error;
}

boost::system::error_code PagedReader::confirm(PinnedWindow& window) noexcept {
  if (!window.unconfirmed_) return {};
  const boost::system::error_code error = BufferPool::confirm_version(*source_);
  if (!error) window.unconfirmed_ = false;
  return error;
}

bool PagedReader::pass_by(std::uint64_t offset, std::uint64_t length) noexcept {
  // Named again before anybody waited for it, it was not tried.
  if (passed_by(offset) && pass_by_length_ == 0) pass_by_helps_ = false;
  if (!nowait_ || !pass_by_helps_ || length > BufferPool::max_populate_bytes) return false;
  pass_by_offset_ = offset;
  pass_by_length_ = static_cast<std::size_t>(length);
  return true;
}

void PagedReader::wait(std::uint64_t offset, PageWaiter& waiter,
                       std::chrono::steady_clock::time_point deadline) noexcept {
  if (const std::size_t length = std::exchange(pass_by_length_, 0); length != 0 && offset == pass_by_offset_) {
    if (pool_->try_populate(source_, file_, offset, length, waiter, deadline)) return;
  }
  const PageId page{file_, offset / pool_->page_bytes()};
  const ReadaheadWindow ahead = readahead_.access(page.number, true);
  // Copies: once the waiter is told, this object may be gone.
  BufferPool& pool = *pool_;
  const std::shared_ptr<ByteSource> source = source_;
  const FileKey file = file_;
  const StreamId stream = stream_;
  const AccessHint hint = hint_;
  pool.pin_or_wait(source, page, stream, hint, waiter, deadline);
  if (ahead.count > 0) pool.prefetch(source, {file, ahead.first}, ahead.count, stream, hint);
}

bool PagedReader::is_resident(std::uint64_t offset) const noexcept {
  return pool_->is_resident({file_, offset / pool_->page_bytes()});
}

bool PagedReader::is_reading(std::uint64_t offset, std::uint64_t length) const noexcept {
  return pool_->is_reading(source_->version(), offset, length);
}

bool PagedReader::cancel(PageWaiter& waiter) noexcept {
  return pool_->cancel(waiter);
}

}  // namespace ranged
