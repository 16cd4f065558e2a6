#pragma once
// What a thread asks of the kernel's scheduler: event loops run at once and briefly, scans give way.

namespace ranged::server {

/// For the calling thread, an event loop: short turns at the processor, which let it preempt a thread with longer ones
/// as soon as it has something to do, instead of at that thread's next clock tick (4 ms with CONFIG_HZ=250). Its share
/// of the processor stays what it was. Linux 6.12 (EEVDF with slices of each thread); an older one takes no notice.
/// Only under the ordinary policy: who started the process under another has decided. Best effort. Cost: two system
/// calls. Source: sched_setattr(2), and "sched/eevdf: Use sched_attr::sched_runtime to set request/slice suggestion".
void take_short_turns() noexcept;

/// Makes the calling thread one that gives way: to the event loops and disk threads for the processor (nice 19), and to
/// all others for the disk (lowest of the best-effort class, ioprio_set(2)). Best effort; once for each thread.
void give_way() noexcept;

}  // namespace ranged::server
