#include "server/mailbox.hpp"

#include <boost/asio/post.hpp>

#include <new>
#include <utility>

namespace ranged::server {

void Mailbox::deliver(Letter& letter) noexcept {
  letter.next_ = nullptr;
  bool was_empty = false;
  {
    const std::lock_guard lock(mutex_);
    was_empty = first_ == nullptr;
    (was_empty ? first_ : last_->next_) = &letter;
    last_ = &letter;
  }
  // One post opens all that gathers until it runs.
  if (!was_empty) return;
  try {
    asio::post(*context_, [this] { open_all(); });
  } catch (const std::bad_alloc&) {
    // The letters lie there until open_left() finds them.
    return;
  }
}

void Mailbox::expire_at(LetterDeadline& waiter, std::chrono::steady_clock::time_point deadline) noexcept {
  waiter.at_ = deadline;
  deadlines_.push_back(waiter);
}

void Mailbox::expire(std::chrono::steady_clock::time_point now) {
  // Set apart first: whoever is resumed may wait anew, or end others' waits.
  Deadlines expired;
  for (auto it = deadlines_.begin(); it != deadlines_.end();) {
    LetterDeadline& waiter = *it++;
    if (waiter.at_ <= now) expired.splice(expired.end(), deadlines_, deadlines_.iterator_to(waiter));
  }
  while (!expired.empty()) {
    LetterDeadline& waiter = expired.front();
    expired.pop_front();
    waiter.expire();
  }
}

void Mailbox::open_all() {
  Letter* letter = nullptr;
  {
    const std::lock_guard lock(mutex_);
    letter = std::exchange(first_, nullptr);
    last_ = nullptr;
  }
  while (letter != nullptr) {
    Letter* const next = letter->next_;  // opening may end the letter's life
    letter->open();
    letter = next;
  }
}

}  // namespace ranged::server
