#pragma once
// What searches find.

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ranged {

struct Match {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  bool operator==(const Match&) const = default;
};

/// Matches that were found and not yet written down: as many as `capacity`, allocated once. All are counted; from
/// `keep` on they are only counted, so that a search goes on at full speed when nobody wants to see more of them.
class MatchQueue {
 public:
  MatchQueue(std::size_t capacity, std::uint64_t keep) : keep_(keep), capacity_(capacity) {
    matches_.reserve(capacity);
  }

  /// Whether another match that must be kept finds no room.
  [[nodiscard]] bool full() const noexcept { return matches_.size() == capacity_ && count_ < keep_; }
  /// Not to be called when full().
  void push(const Match& match) {
    if (count_ < keep_) matches_.push_back(match);
    ++count_;
  }
  /// Counts matches that are not kept. Not while keeping().
  void count(std::uint64_t matches) noexcept { count_ += matches; }
  /// Whether the next match is kept.
  [[nodiscard]] bool keeping() const noexcept { return count_ < keep_; }

  /// Matches since the start, kept or not.
  [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
  [[nodiscard]] bool empty() const noexcept { return read_ == matches_.size(); }
  [[nodiscard]] const Match& front() const noexcept { return matches_[read_]; }
  void pop() noexcept {
    if (++read_ == matches_.size()) {
      matches_.clear();
      read_ = 0;
    }
  }

 private:
  std::uint64_t keep_;
  std::size_t capacity_;
  std::uint64_t count_ = 0;
  std::size_t read_ = 0;
  std::vector<Match> matches_;
};

}  // namespace ranged
