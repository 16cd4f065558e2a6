#pragma once
// How other threads (disk threads, other workers) hand things to a worker: a list of letters, opened on the worker's
// thread.

#include "server/task.hpp"

#include <boost/intrusive/list.hpp>

#include <chrono>
#include <mutex>

namespace ranged::server {

/// Something to be opened on a worker's thread. Intrusive: delivering allocates nothing for the letter itself.
class Letter {
 public:
  virtual void open() = 0;

 protected:
  ~Letter() = default;

 private:
  friend class Mailbox;
  Letter* next_ = nullptr;
};

/// Somebody who waits for a letter no longer than until a deadline. On the worker's thread alone; its end takes it off
/// the list.
class LetterDeadline
    : public boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  /// The deadline has passed: called once, and the object may be gone afterwards.
  virtual void expire() = 0;

 protected:
  ~LetterDeadline() = default;

 private:
  friend class Mailbox;
  std::chrono::steady_clock::time_point at_;
};

class Mailbox {
 public:
  explicit Mailbox(asio::io_context& context) noexcept : context_(&context) {}
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  /// From any thread. `letter` must live until it is opened. Letters are opened in the order of delivery.
  void deliver(Letter& letter) noexcept;
  /// On the worker's thread: calls waiter.expire() once `deadline` has passed, unless it has left by then.
  void expire_at(LetterDeadline& waiter, std::chrono::steady_clock::time_point deadline) noexcept;
  /// On the worker's thread, now and then: expires whose deadline has passed. Cost: a look at each.
  void expire(std::chrono::steady_clock::time_point now);

  /// On the worker's thread, now and then: opens what lies there because the memory to call the worker was lacking.
  void open_left() { open_all(); }

 private:
  void open_all();

  asio::io_context* context_;
  std::mutex mutex_;  ///< guards first_ and last_; held for a few instructions
  Letter* first_ = nullptr;
  Letter* last_ = nullptr;
  using Deadlines = boost::intrusive::list<LetterDeadline, boost::intrusive::constant_time_size<false>>;
  Deadlines deadlines_;  ///< the worker's thread's alone
};

}  // namespace ranged::server
