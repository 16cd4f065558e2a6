#include "server/thread_scheduling.hpp"

#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <utility>

namespace ranged::server {

namespace {

/// sched_setattr(2), as of Linux 3.14; glibc 2.36 has neither it nor the call.
struct SchedulingAttributes {
  std::uint32_t size;
  std::uint32_t policy;
  std::uint64_t flags;
  std::int32_t nice;
  std::uint32_t priority;
  std::uint64_t runtime;  ///< ns; of the ordinary policy the slice
  std::uint64_t deadline;
  std::uint64_t period;
};
static_assert(sizeof(SchedulingAttributes) == 48);  // SCHED_ATTR_SIZE_VER0

}  // namespace

void take_short_turns() noexcept {
  constexpr std::uint64_t slice = 100'000;  // ns: the least that the kernel takes
  SchedulingAttributes attributes{};
  attributes.size = sizeof attributes;
  constexpr pid_t this_thread = 0;
  if (::syscall(SYS_sched_getattr, this_thread, &attributes, sizeof attributes, 0) != 0) return;
  if (attributes.policy != SCHED_OTHER) return;
  attributes.runtime = slice;
  ::syscall(SYS_sched_setattr, this_thread, &attributes, 0);
}

void give_way() noexcept {
  constexpr int niceness = 19;         // the last: at 10 a page waited eight times as long (README.md, costs)
  constexpr int of_this_thread = 1;    // IOPRIO_WHO_PROCESS
  constexpr int lowest = 2 << 13 | 7;  // IOPRIO_CLASS_BE, level 7
  thread_local bool done = false;
  if (std::exchange(done, true)) return;
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::syscall(SYS_gettid)), niceness);
  ::syscall(SYS_ioprio_set, of_this_thread, 0, lowest);
}

}  // namespace ranged::server
