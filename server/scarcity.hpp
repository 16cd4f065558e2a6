#pragma once
// What there is little of and what a connection may hold while it waits for its client: frames for scans, room for
// listings.

#include <atomic>
#include <chrono>

namespace ranged::server {

/// Knows when somebody last went without. Thread-safe.
class Scarcity {
 public:
  using Clock = std::chrono::steady_clock;

  void refused(Clock::time_point now) noexcept {
    refused_at_.store(now.time_since_epoch().count(), std::memory_order_relaxed);
  }
  /// Whether somebody has gone without lately: who is refused is told to come again in a second or a few.
  [[nodiscard]] bool wanted(Clock::time_point now) const noexcept {
    const Clock::rep at = refused_at_.load(std::memory_order_relaxed);
    return at != never && now - Clock::time_point(Clock::duration(at)) < memory;
  }

 private:
  static constexpr std::chrono::seconds memory{10};
  static constexpr Clock::rep never = 0;
  std::atomic<Clock::rep> refused_at_{never};  ///< relaxed: a time that orders nothing
};

}  // namespace ranged::server
