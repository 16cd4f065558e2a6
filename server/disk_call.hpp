#pragma once
// Running a function that may wait for a disk on the disk threads, and waiting for its result on the worker.

#include "server/mailbox.hpp"

#include <ranged/paging/paging_error.hpp>
#include <ranged/storage/disk_threads.hpp>
#include <ranged/storage/storage_error.hpp>

#include <boost/system/result.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>

namespace ranged::server {

/// One call in flight; lives in the coroutine that waits for it.
template <class Function>
class DiskCall final : public DiskTask, public Letter {
 public:
  using Result = std::invoke_result_t<Function&>;

  DiskCall(Function function, Mailbox& mailbox) : function_(std::move(function)), mailbox_(&mailbox) {}

  void run() noexcept override {
    result_ = function_();
    mailbox_->deliver(*this);
  }
  void open() override { resumption_.resume(); }
  [[nodiscard]] auto wait() noexcept { return resumption_.wait(); }
  Result take() { return std::move(result_); }

 private:
  Function function_;
  Mailbox* mailbox_;
  Resumption resumption_;
  Result result_ = make_error_code(boost::system::errc::operation_in_progress);
};

/// Runs `function` (returning a boost::system::result, not throwing) on `executor` and gives its result.
/// StorageError::queue_full when it is refused. The coroutine cannot be cancelled while it waits: a disk read ends when
/// the disk says so.
template <class Function>
Task<std::invoke_result_t<Function&>> call_on_disk(DiskExecutor* executor, Mailbox* mailbox, Function function) {
  DiskCall<Function> call(std::move(function), *mailbox);
  if (!executor->submit(call)) co_return make_error_code(StorageError::queue_full);
  co_await call.wait();
  co_return call.take();
}

/// A call that is given up when the disk does not answer in time; it then ends on its own, and so owns what it needs.
template <class Function>
class BoundedDiskCall final : public DiskTask, public Letter, public LetterDeadline {
 public:
  using Result = std::invoke_result_t<Function&>;

  BoundedDiskCall(Function function, Mailbox& mailbox) : function_(std::move(function)), mailbox_(&mailbox) {}

  void run() noexcept override {
    result_ = function_();
    mailbox_->deliver(*this);
  }
  void open() override {
    const std::shared_ptr<BoundedDiskCall> self = std::move(self_);
    if (this->is_linked()) this->unlink();
    resumption_.resume();  // nobody, when it was given up
  }
  void expire() override {
    given_up_ = true;
    resumption_.resume();
  }
  [[nodiscard]] auto wait() noexcept { return resumption_.wait(); }
  /// While the executor has it, it keeps itself alive.
  void keep(std::shared_ptr<BoundedDiskCall> self) noexcept { self_ = std::move(self); }
  /// What the call gave; it is still the disk thread's when it was given up.
  Result take() {
    if (given_up_) return make_error_code(PagingError::deadline);
    return std::move(result_);
  }

 private:
  Function function_;
  Mailbox* mailbox_;
  Resumption resumption_;
  bool given_up_ = false;
  std::shared_ptr<BoundedDiskCall> self_;
  Result result_ = make_error_code(boost::system::errc::operation_in_progress);
};

/// As call_on_disk(), for a call that waits for the disk `device` (DiskTask::set_disk): PagingError::deadline when it
/// has not returned by then. `function` must own what it uses.
template <class Function>
Task<std::invoke_result_t<Function&>> call_on_disk_until(DiskExecutor* executor, Mailbox* mailbox, Function function,
                                                         std::uint64_t device,
                                                         std::chrono::steady_clock::time_point deadline) {
  const auto call = std::make_shared<BoundedDiskCall<Function>>(std::move(function), *mailbox);
  call->set_disk(device);
  call->keep(call);
  if (!executor->submit(*call)) {
    call->keep(nullptr);
    co_return make_error_code(StorageError::queue_full);
  }
  mailbox->expire_at(*call, deadline);
  co_await call->wait();
  co_return call->take();
}

}  // namespace ranged::server
