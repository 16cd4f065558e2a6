#pragma once
// The bounded pool of threads on which everything that may wait for a disk runs (law 6).

#include <cstddef>
#include <cstdint>
#include <memory>

namespace ranged {

/// A piece of blocking work, owned by whoever submits it and kept alive by them until run() has returned. Intrusive, so
/// that submitting allocates nothing.
class DiskTask {
 public:
  /// Called once, on a disk thread. Must not throw.
  virtual void run() noexcept = 0;

  /// Says which disk the task waits for, as a device number (st_dev): then a disk that hangs takes only its share of
  /// the threads. Before submitting. 0, as it is without: of no disk in particular, bound by no share.
  void set_disk(std::uint64_t device) noexcept { disk_ = device; }

 protected:
  ~DiskTask() = default;

 private:
  friend class DiskThreads;
  DiskTask* next_ = nullptr;
  std::uint64_t disk_ = 0;
};

/// Where disk tasks go. An interface so that tests can run, hold back or refuse tasks one by one.
class DiskExecutor {
 public:
  virtual ~DiskExecutor() = default;

  /// Queues `task`; false, and nothing is kept, when the queue is full or the executor is stopping. Thread-safe, never
  /// waits for a task.
  [[nodiscard]] virtual bool submit(DiskTask& task) noexcept = 0;
};

struct DiskThreadsStatistics {
  std::size_t threads = 0;
  std::size_t queued = 0;       ///< tasks waiting now
  std::size_t running = 0;      ///< tasks being run now
  std::uint64_t completed = 0;  ///< tasks run since the start
  std::uint64_t refused = 0;    ///< submissions refused since the start
};

/// The real executor: a fixed number of threads and one queue of bounded length, in order but for this: tasks of one
/// disk take three quarters of the threads and of the queue at most, so that a disk that hangs leaves some to the
/// others. (A single thread, or a queue of less than four, is not shared out.)
class DiskThreads final : public DiskExecutor {
 public:
  /// Starts `threads` (>= 1) threads with a queue of at most `queue_limit` tasks. Throws std::system_error when a
  /// thread cannot be started (start-up only).
  DiskThreads(std::size_t threads, std::size_t queue_limit);
  /// Runs what is queued, then joins.
  ~DiskThreads() override;
  DiskThreads(const DiskThreads&) = delete;
  DiskThreads& operator=(const DiskThreads&) = delete;

  [[nodiscard]] bool submit(DiskTask& task) noexcept override;
  [[nodiscard]] DiskThreadsStatistics statistics() const noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ranged
