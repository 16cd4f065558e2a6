#pragma once
// Waiting for a page of the pool in a coroutine.

#include "server/mailbox.hpp"

#include <ranged/paging/paged_reader.hpp>

#include <chrono>
#include <cstdint>

namespace ranged::server {

/// A waiter of the pool that lives in a coroutine; the page arrives on whichever thread loaded it and is passed on as a
/// letter.
class PageArrival final : public PageWaiter, public Letter {
 public:
  /// What becomes of the page's pin when it arrives: kept for the worker, or given back before the letter is sent.
  enum class Pin : std::uint8_t { kept, given_back };

  PageArrival(Mailbox& mailbox, Pin pin) noexcept : mailbox_(&mailbox), pin_(pin) {}

  void on_page(boost::system::result<PageGuard> page) noexcept override {
    page_ = std::move(page);
    if (page_ && pin_ == Pin::given_back) page_->release();
    mailbox_->deliver(*this);
  }
  void open() override { resumption_.resume(); }
  [[nodiscard]] auto wait() noexcept { return resumption_.wait(); }
  boost::system::result<PageGuard> take() { return std::move(page_); }

 private:
  Mailbox* mailbox_;
  Pin pin_;
  Resumption resumption_;
  boost::system::result<PageGuard> page_ = make_error_code(boost::system::errc::operation_in_progress);
};

/// Waits for the page of `reader` that holds `offset`. Law 2: the caller holds no pin. The deadline is the pool's to
/// keep.
inline Task<boost::system::result<PageGuard>> wait_for_page(PagedReader* reader, Mailbox* mailbox, std::uint64_t offset,
                                                            std::chrono::steady_clock::time_point deadline) {
  PageArrival arrival(*mailbox, PageArrival::Pin::kept);
  // An inline completion is delivered as a letter too, so it is never opened before the wait below has begun.
  reader->wait(offset, arrival, deadline);
  co_await arrival.wait();
  co_return arrival.take();
}

/// Waits until that page is resident, for somebody else to pin: it may be evicted again, and holds no frame while the
/// letter waits for its worker.
inline Task<boost::system::error_code> wait_until_resident(PagedReader* reader, Mailbox* mailbox, std::uint64_t offset,
                                                           std::chrono::steady_clock::time_point deadline) {
  PageArrival arrival(*mailbox, PageArrival::Pin::given_back);
  reader->wait(offset, arrival, deadline);
  co_await arrival.wait();
  const boost::system::result<PageGuard> page = arrival.take();
  co_return page ? boost::system::error_code{} : page.error();
}

}  // namespace ranged::server
