#include "server/thread_scheduling.hpp"

#include <doctest/doctest.h>

#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <thread>

namespace ranged::server {
namespace {

/// The slice of the calling thread in nanoseconds, as sched_getattr(2) tells it.
std::uint64_t slice() {
  std::array<std::uint64_t, 6> attributes{};  // the runtime is the fourth of them
  REQUIRE(::syscall(SYS_sched_getattr, 0, attributes.data(), sizeof attributes, 0) == 0);
  return attributes[3];
}

bool kernel_knows_slices() {
  utsname name{};
  REQUIRE(::uname(&name) == 0);
  int major = 0;
  int minor = 0;
  REQUIRE(std::sscanf(name.release, "%d.%d", &major, &minor) == 2);
  return major > 6 || (major == 6 && minor >= 12);
}

template <class Function>
void on_a_thread(Function function) {
  std::thread(function).join();
}

TEST_CASE("an event loop takes short turns, and keeps its policy and its niceness") {
  const std::uint64_t before = slice();
  on_a_thread([before] {
    const int nice = ::getpriority(PRIO_PROCESS, 0);
    take_short_turns();
    CHECK(slice() == (kernel_knows_slices() ? 100'000 : before));
    CHECK(::sched_getscheduler(0) == SCHED_OTHER);
    CHECK(::getpriority(PRIO_PROCESS, 0) == nice);
  });
  CHECK(slice() == before);  // of that thread alone
}

TEST_CASE("under another policy nothing is asked for") {
  on_a_thread([] {
    const sched_param none{};
    REQUIRE(::sched_setscheduler(0, SCHED_BATCH, &none) == 0);
    take_short_turns();
    CHECK(::sched_getscheduler(0) == SCHED_BATCH);
    CHECK(slice() != 100'000);
  });
}

TEST_CASE("a scan's thread gives way for the processor and the disk, alone") {
  const int before = ::getpriority(PRIO_PROCESS, 0);
  on_a_thread([] {
    give_way();
    CHECK(::getpriority(PRIO_PROCESS, 0) == 19);
    CHECK(::syscall(SYS_ioprio_get, 1, 0) == (2 << 13 | 7));
    give_way();
    CHECK(::getpriority(PRIO_PROCESS, 0) == 19);
  });
  CHECK(::getpriority(PRIO_PROCESS, 0) == before);
}

}  // namespace
}  // namespace ranged::server
