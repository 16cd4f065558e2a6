#include <ranged/storage/disk_threads.hpp>

#include <doctest/doctest.h>

#include <pthread.h>
#include <signal.h>

#include <atomic>
#include <deque>
#include <functional>
#include <future>
#include <latch>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

class Task final : public ranged::DiskTask {
 public:
  explicit Task(std::function<void()> work) : work_(std::move(work)) {}
  void run() noexcept override { work_(); }

 private:
  std::function<void()> work_;
};

}  // namespace

TEST_CASE("tasks of one thread run in the order of submitting") {
  std::vector<int> order;
  std::deque<Task> tasks;
  {
    ranged::DiskThreads threads(1, 1000);
    for (int i = 0; i < 1000; ++i) {
      tasks.emplace_back([&order, i] { order.push_back(i); });
      // With a queue this long nothing is refused, whatever the thread has come to.
      REQUIRE(threads.submit(tasks.back()));
    }
  }  // runs what is queued
  REQUIRE(order.size() == 1000);
  for (int i = 0; i < 1000; ++i) CHECK(order[static_cast<std::size_t>(i)] == i);
}

TEST_CASE("a disk that hangs takes three quarters of the threads and of the queue, and the others go on") {
  constexpr std::uint64_t hanging_disk = 1;
  constexpr std::uint64_t other_disk = 2;
  std::latch hanging(3);
  std::promise<void> answer;
  const std::shared_future<void> answered = answer.get_future().share();
  std::atomic<int> run = 0;
  std::deque<Task> tasks;
  ranged::DiskThreads threads(4, 8);
  const auto submit = [&](std::uint64_t disk, std::function<void()> work) {
    tasks.emplace_back(std::move(work)).set_disk(disk);
    return threads.submit(tasks.back());
  };
  for (int i = 0; i < 3; ++i) {
    REQUIRE(submit(hanging_disk, [&] {
      hanging.count_down();
      answered.wait();
      ++run;
    }));
  }
  hanging.wait();
  for (int i = 0; i < 6; ++i) REQUIRE(submit(hanging_disk, [&] { ++run; }));
  CHECK_FALSE(submit(hanging_disk, [&] { run += 100; }));
  CHECK(threads.statistics().running == 3);
  for (int i = 0; i < 10; ++i) {
    std::promise<void> done;
    REQUIRE(submit(i % 2 == 0 ? other_disk : 0, [&] { done.set_value(); }));
    done.get_future().wait();
  }
  CHECK(run == 0);
  CHECK(threads.statistics().queued == 6);
  answer.set_value();
  std::promise<void> last;
  // Until those that waited have begun, its share of the queue is taken.
  while (!submit(hanging_disk, [&] { last.set_value(); })) std::this_thread::yield();
  last.get_future().wait();
}

TEST_CASE("a full queue refuses, keeps nothing, and takes again when there is room") {
  std::promise<void> started;
  std::promise<void> release;
  Task holding([&, released = release.get_future().share()] {
    started.set_value();
    released.wait();
  });
  std::atomic<int> run = 0;
  Task first([&] { ++run; });
  Task second([&] { ++run; });
  Task refused([&] { run += 100; });
  std::promise<void> drained;
  Task last([&] { drained.set_value(); });
  ranged::DiskThreads threads(1, 2);
  REQUIRE(threads.submit(holding));
  started.get_future().wait();
  CHECK(threads.submit(first));
  CHECK(threads.submit(second));
  CHECK_FALSE(threads.submit(refused));
  auto statistics = threads.statistics();
  CHECK(statistics.threads == 1);
  CHECK(statistics.queued == 2);
  CHECK(statistics.running == 1);
  CHECK(statistics.completed == 0);
  CHECK(statistics.refused == 1);
  release.set_value();
  while (!threads.submit(last)) std::this_thread::yield();
  drained.get_future().wait();
  CHECK(run == 2);
  statistics = threads.statistics();
  CHECK(statistics.queued == 0);
  CHECK(statistics.completed >= 3);
}

TEST_CASE("as many tasks run at a time as there are threads") {
  constexpr std::ptrdiff_t count = 4;
  std::latch all_running(count);
  std::deque<Task> tasks;
  ranged::DiskThreads threads(count, count);
  for (std::ptrdiff_t i = 0; i < count; ++i) {
    tasks.emplace_back([&] { all_running.arrive_and_wait(); });  // ends only when all four run at once
    REQUIRE(threads.submit(tasks.back()));
  }
  all_running.wait();
}

TEST_CASE("a task may submit itself again and another may be submitted from many threads") {
  std::atomic<int> run = 0;
  {
    ranged::DiskThreads threads(3, 10000);
    int left = 100;
    std::promise<void> done;
    std::function<void()> again;
    Task task([&] { again(); });
    again = [&] {
      ++run;
      if (--left == 0) return done.set_value();
      if (!threads.submit(task)) done.set_value();
    };
    REQUIRE(threads.submit(task));
    done.get_future().wait();
    CHECK(left == 0);

    std::deque<Task> tasks;
    for (int i = 0; i < 4000; ++i) tasks.emplace_back([&] { ++run; });
    std::vector<std::thread> submitters;
    std::atomic<int> refused = 0;
    for (std::size_t s = 0; s < 4; ++s) {
      submitters.emplace_back([&, s] {
        for (std::size_t i = s; i < tasks.size(); i += 4) refused += threads.submit(tasks[i]) ? 0 : 1;
      });
    }
    for (std::thread& submitter : submitters) submitter.join();
    CHECK(refused == 0);
    // The tasks must outlive their runs, so wait for them before the deque goes.
    while (threads.statistics().completed < 4100) std::this_thread::yield();
  }
  CHECK(run == 4100);
}

TEST_CASE("disk threads have names and take no signals") {
  std::string name;
  sigset_t blocked;
  sigemptyset(&blocked);
  sigset_t before;
  pthread_sigmask(SIG_SETMASK, nullptr, &before);
  {
    Task task([&] {
      char buffer[16] = "";
      pthread_getname_np(pthread_self(), buffer, sizeof buffer);
      name = buffer;
      pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
    });
    ranged::DiskThreads threads(1, 1);
    REQUIRE(threads.submit(task));  // after the constructor, which names the threads
  }
  CHECK(name == "disk-0");
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGCHLD, SIGPIPE}) {
    CHECK(sigismember(&blocked, signal) == 1);
  }
  sigset_t after;
  pthread_sigmask(SIG_SETMASK, nullptr, &after);
  CHECK(sigismember(&after, SIGTERM) == sigismember(&before, SIGTERM));
}

TEST_CASE("no thread asked for is still one") {
  ranged::DiskThreads threads(0, 1);
  CHECK(threads.statistics().threads == 1);
}
