#pragma once
// The bounded pool of threads on which everything that may wait for a disk runs (law 6).

#include <cstddef>
#include <cstdint>
#include <memory>

namespace ranged {

/// A piece of blocking work, owned by whoever submits it and kept alive by them until run() has returned. Intrusive, so that
/// submitting allocates nothing.
class DiskTask {
 public:
  /// Called once, on a disk thread. Must not throw.
  virtual void run() noexcept = 0;

 protected:
  ~DiskTask() = default;

 private:
  friend class DiskThreads;
  DiskTask* next_ = nullptr;
};

/// Where disk tasks go. An interface so that tests can run, hold back or refuse tasks one by one.
class DiskExecutor {
 public:
  virtual ~DiskExecutor() = default;

  /// Queues `task`; false, and nothing is kept, when the queue is full or the executor is stopping. Thread-safe, never waits
  /// for a task.
  [[nodiscard]] virtual bool submit(DiskTask& task) noexcept = 0;
};

struct DiskThreadsStatistics {
  std::size_t threads = 0;
  std::size_t queued = 0;       ///< tasks waiting now
  std::size_t running = 0;      ///< tasks being run now
  std::uint64_t completed = 0;  ///< tasks run since the start
  std::uint64_t refused = 0;    ///< submissions refused since the start
};

/// The real executor: a fixed number of threads and one FIFO queue of bounded length.
class DiskThreads final : public DiskExecutor {
 public:
  /// Starts `threads` (>= 1) threads with a queue of at most `queue_limit` tasks. Throws std::system_error when a thread
  /// cannot be started (start-up only).
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
