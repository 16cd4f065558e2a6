#include <ranged/storage/disk_threads.hpp>

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace ranged {
namespace {

// Threads inherit the mask of who starts them: with every signal blocked, the process's signals go to the threads that
// wait for them (README.md, rule 7).
class AllSignalsBlocked {
 public:
  AllSignalsBlocked() noexcept {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &previous_);
  }
  ~AllSignalsBlocked() { pthread_sigmask(SIG_SETMASK, &previous_, nullptr); }
  AllSignalsBlocked(const AllSignalsBlocked&) = delete;
  AllSignalsBlocked& operator=(const AllSignalsBlocked&) = delete;

 private:
  sigset_t previous_;
};

}  // namespace

struct DiskThreads::State {
  /// What one disk has of the threads and the queue.
  struct Disk {
    std::uint64_t device = 0;
    std::size_t running = 0;
    std::size_t queued = 0;
  };
  /// Disks told apart at a time; tasks of one more are bound by no share.
  static constexpr std::size_t max_disks = 64;

  State(std::size_t thread_count, std::size_t limit)
      : queue_limit(limit), running_share(share_of(thread_count)), queued_share(limit < 4 ? limit : share_of(limit)) {
    disks.reserve(max_disks);
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  // Also runs when a thread could not be started: those that could are joined.
  ~State() {
    {
      const std::lock_guard lock(mutex);
      stopping = true;
    }
    work_or_stop.notify_all();
    for (std::thread& thread : threads) thread.join();
  }

  void work() noexcept {
    std::unique_lock lock(mutex);
    for (;;) {
      DiskTask* task = nullptr;
      work_or_stop.wait(lock, [this, &task] { return (task = take()) != nullptr || stopping; });
      if (task == nullptr) return;  // what is left is for the threads whose disk it is of
      const std::uint64_t device = task->disk_;
      ++running;
      lock.unlock();
      task->run();  // may have destroyed the task: it is not touched again
      lock.lock();
      --running;
      ++completed;
      if (Disk* const disk = find(device)) {
        --disk->running;
        forget_if_unused(*disk);
      }
    }
  }

  // Below: with the mutex held.

  static constexpr std::size_t share_of(std::size_t whole) noexcept {
    return whole < 2 ? whole : whole - std::max<std::size_t>(1, whole / 4);
  }

  Disk* find(std::uint64_t device) noexcept {
    if (device == 0) return nullptr;
    const auto found = std::ranges::find(disks, device, &Disk::device);
    return found == disks.end() ? nullptr : &*found;
  }

  Disk* find_or_add(std::uint64_t device) noexcept {
    Disk* const known = find(device);
    if (known != nullptr || device == 0 || disks.size() == max_disks) return known;
    return &disks.emplace_back(Disk{device, 0, 0});
  }

  void forget_if_unused(Disk& disk) noexcept {
    if (disk.running != 0 || disk.queued != 0) return;
    disk = disks.back();
    disks.pop_back();
  }

  /// The first task whose disk has a thread left, out of the queue; null when there is none. Cost: a look at each task
  /// before it, which are more than one only while a disk has all of its share.
  DiskTask* take() noexcept {
    DiskTask* before = nullptr;
    for (DiskTask* task = head; task != nullptr; before = std::exchange(task, task->next_)) {
      Disk* const disk = find(task->disk_);
      if (disk != nullptr && disk->running >= running_share) continue;
      (before != nullptr ? before->next_ : head) = task->next_;
      if (tail == task) tail = before;
      task->next_ = nullptr;
      --queued;
      if (disk != nullptr) {
        --disk->queued;
        ++disk->running;
      }
      return task;
    }
    return nullptr;
  }

  const std::size_t queue_limit;
  const std::size_t running_share;
  const std::size_t queued_share;
  std::vector<Disk> disks;
  mutable std::mutex mutex;  // guards all below, save the threads themselves
  std::condition_variable work_or_stop;
  DiskTask* head = nullptr;
  DiskTask* tail = nullptr;
  std::size_t queued = 0;
  std::size_t running = 0;
  std::uint64_t completed = 0;
  std::uint64_t refused = 0;
  bool stopping = false;
  std::vector<std::thread> threads;  // touched by the constructing and the destroying thread alone
};

DiskThreads::DiskThreads(std::size_t threads, std::size_t queue_limit)
    : state_(std::make_unique<State>(std::max<std::size_t>(threads, 1), queue_limit)) {
  const std::size_t count = std::max<std::size_t>(threads, 1);
  state_->threads.reserve(count);
  const AllSignalsBlocked blocked;
  for (std::size_t i = 0; i < count; ++i) {
    state_->threads.emplace_back([state = state_.get(), i] {
      // 15 characters at most, pthread_setname_np(3); a name that does not fit is only less helpful. By the thread
      // itself: to name another one takes writing to /proc, which a sandbox may forbid.
      pthread_setname_np(pthread_self(), ("disk-" + std::to_string(i)).c_str());
      state->work();
    });
  }
}

DiskThreads::~DiskThreads() = default;

bool DiskThreads::submit(DiskTask& task) noexcept {
  {
    const std::lock_guard lock(state_->mutex);
    State::Disk* const disk = state_->find_or_add(task.disk_);
    if (state_->stopping || state_->queued >= state_->queue_limit ||
        (disk != nullptr && disk->queued >= state_->queued_share)) {
      if (disk != nullptr) state_->forget_if_unused(*disk);
      ++state_->refused;
      return false;
    }
    if (disk != nullptr) ++disk->queued;
    task.next_ = nullptr;
    if (state_->tail != nullptr) {
      state_->tail->next_ = &task;
    } else {
      state_->head = &task;
    }
    state_->tail = &task;
    ++state_->queued;
  }
  state_->work_or_stop.notify_one();
  return true;
}

DiskThreadsStatistics DiskThreads::statistics() const noexcept {
  const std::lock_guard lock(state_->mutex);
  return {.threads = state_->threads.size(),
          .queued = state_->queued,
          .running = state_->running,
          .completed = state_->completed,
          .refused = state_->refused};
}

}  // namespace ranged
