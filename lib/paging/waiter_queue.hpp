#pragma once
// Lists of waiters, linked through the waiters themselves. Private to the pool; guarded by the pool lock, or owned by
// one thread.

#include <ranged/paging/buffer_pool.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace ranged {

/// A FIFO of waiters: those of one loading page, those who wait for a frame, or those about to be told.
struct WaiterQueue {
  PageWaiter* front = nullptr;
  PageWaiter* back = nullptr;

  WaiterQueue() = default;
  WaiterQueue(const WaiterQueue&) = delete;
  WaiterQueue& operator=(const WaiterQueue&) = delete;

  [[nodiscard]] bool empty() const noexcept { return front == nullptr; }

  void push_back(PageWaiter& waiter) noexcept {
    waiter.queue_ = this;
    waiter.next_ = nullptr;
    waiter.previous_ = back;
    (back != nullptr ? back->next_ : front) = &waiter;
    back = &waiter;
  }

  void push_front(PageWaiter& waiter) noexcept {
    waiter.queue_ = this;
    waiter.previous_ = nullptr;
    waiter.next_ = front;
    (front != nullptr ? front->previous_ : back) = &waiter;
    front = &waiter;
  }

  void erase(PageWaiter& waiter) noexcept {
    (waiter.previous_ != nullptr ? waiter.previous_->next_ : front) = waiter.next_;
    (waiter.next_ != nullptr ? waiter.next_->previous_ : back) = waiter.previous_;
    waiter.next_ = waiter.previous_ = nullptr;
    waiter.queue_ = nullptr;
  }

  static PageWaiter* next(const PageWaiter& waiter) noexcept { return waiter.next_; }
};

/// Finds those who wait for a frame by their page, so that serving one serves all of the same page. Fixed memory.
class WaiterIndex {
 public:
  explicit WaiterIndex(std::size_t max_waiters);

  void insert(PageWaiter& waiter, bool at_front) noexcept;
  void erase(PageWaiter& waiter) noexcept;
  /// The longest waiting one of the page, or null; then the next one behind it.
  [[nodiscard]] PageWaiter* find(const PageId& page, std::uint64_t hash) const noexcept;
  [[nodiscard]] static PageWaiter* find_next(const PageWaiter& waiter) noexcept;

 private:
  struct Bucket {
    PageWaiter* front = nullptr;
    PageWaiter* back = nullptr;
  };
  std::vector<Bucket> buckets_;
};

}  // namespace ranged
