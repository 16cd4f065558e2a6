#include <ranged/paging/readahead.hpp>

#include <algorithm>

namespace ranged {

Readahead::Readahead(std::size_t page_bytes, std::size_t max_bytes) noexcept
    : page_bytes_(page_bytes), max_pages_(std::max<std::size_t>(1, max_bytes / page_bytes)) {
  reset();
}

void Readahead::reset() noexcept {
  ahead_ = 0;
  mark_ = 0;
  pages_ = std::min(initial_pages, max_pages_);
  active_ = false;
}

void Readahead::begin(std::uint64_t offset, std::uint64_t length) noexcept {
  const std::uint64_t page = offset / page_bytes_;
  if (length == 0) {
    end_ = page;
  } else {
    const std::uint64_t last_byte = offset + std::min(length - 1, ~std::uint64_t{0} - offset);
    end_ = last_byte / page_bytes_ + 1;
  }
  if (!continues(page)) {
    reset();
    // The announced stretch is read in order, so its first page counts as sequential.
    last_ = page;
  }
}

ReadaheadWindow Readahead::access(std::uint64_t page, bool missed) noexcept {
  if (!continues(page)) reset();
  last_ = page;
  active_ = active_ || missed;
  if (!active_ || page < mark_) return {};
  const std::uint64_t first = std::max(ahead_, page + 1);
  if (first >= end_) return {};
  const std::size_t count = static_cast<std::size_t>(std::min<std::uint64_t>(pages_, end_ - first));
  mark_ = first;
  ahead_ = first + count;
  pages_ = std::min(2 * pages_, max_pages_);
  return {first, count};
}

}  // namespace ranged
