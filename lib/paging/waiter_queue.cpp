#include <ranged/paging/waiter_queue.hpp>

#include <algorithm>

namespace ranged {

// A quarter of the waiters there can be: chains of four when all ask for different pages, and they seldom do.
WaiterIndex::WaiterIndex(std::size_t max_waiters)
    : buckets_(std::bit_ceil(std::max<std::size_t>(16, max_waiters / 4))) {}

void WaiterIndex::insert(PageWaiter& waiter, bool at_front) noexcept {
  Bucket& bucket = buckets_[waiter.hash_ & (buckets_.size() - 1)];
  if (at_front) {
    waiter.index_previous_ = nullptr;
    waiter.index_next_ = bucket.front;
    (bucket.front != nullptr ? bucket.front->index_previous_ : bucket.back) = &waiter;
    bucket.front = &waiter;
  } else {
    waiter.index_next_ = nullptr;
    waiter.index_previous_ = bucket.back;
    (bucket.back != nullptr ? bucket.back->index_next_ : bucket.front) = &waiter;
    bucket.back = &waiter;
  }
}

void WaiterIndex::erase(PageWaiter& waiter) noexcept {
  Bucket& bucket = buckets_[waiter.hash_ & (buckets_.size() - 1)];
  (waiter.index_previous_ != nullptr ? waiter.index_previous_->index_next_ : bucket.front) = waiter.index_next_;
  (waiter.index_next_ != nullptr ? waiter.index_next_->index_previous_ : bucket.back) = waiter.index_previous_;
  waiter.index_next_ = waiter.index_previous_ = nullptr;
}

PageWaiter* WaiterIndex::find(const PageId& page, std::uint64_t hash) const noexcept {
  for (PageWaiter* waiter = buckets_[hash & (buckets_.size() - 1)].front; waiter != nullptr;
       waiter = waiter->index_next_) {
    if (waiter->hash_ == hash && waiter->page_ == page) return waiter;
  }
  return nullptr;
}

PageWaiter* WaiterIndex::find_next(const PageWaiter& waiter) noexcept {
  for (PageWaiter* next = waiter.index_next_; next != nullptr; next = next->index_next_) {
    if (next->hash_ == waiter.hash_ && next->page_ == waiter.page_) return next;
  }
  return nullptr;
}

}  // namespace ranged
