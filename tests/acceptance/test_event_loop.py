"""Law 6: an event loop never waits for a disk. Every system call of the worker threads is looked at, under a mixed load."""
import collections
import random
import re
import shutil
import signal
import subprocess
import time

import pytest

from harness import content
from harness.daemon import Daemon
from harness.http import Connection, ConnectionCut, build
from acceptance.support import MIB, PAGE, Crew, age, drop_from_page_cache

# What a worker may call. read and write are looked at below: eventfds and timerfds only.
ALLOWED = {
    # sockets and readiness
    "epoll_wait", "epoll_pwait", "epoll_pwait2", "epoll_ctl", "recvfrom", "recvmsg", "sendmsg", "sendto", "shutdown", "setsockopt",
    "getsockopt", "getpeername", "getsockname", "ioctl", "timerfd_settime", "close",
    # the process's own memory, locks, randomness
    "futex", "mmap", "munmap", "mprotect", "madvise", "brk", "getrandom", "sched_yield", "gettid", "getpid",
    "rt_sigprocmask", "restart_syscall", "clock_gettime",
    # what /metrics tells of the process
    "getrusage", "prlimit64",
    # of a descriptor that is open: memory of the kernel's, no disk
    "fstat",
}

LINE = re.compile(r"^\d+<(?P<thread>[^>]*)> (?P<resumed><\.\.\. )?(?P<call>\w+)(?: resumed>|\()(?P<rest>.*)$")
TIME = re.compile(r"<(\d+\.\d+)>$")


def is_allowed(call, rest) -> bool:
    if call in ALLOWED:
        return True
    if call == "preadv2":
        return "RWF_NOWAIT" in rest
    if call in ("read", "write") and re.match(r"\d+<anon_inode:\[(eventfd|timerfd)\]>", rest):
        return True
    if call in ("newfstatat", "statx"):
        # Of a descriptor that is open: memory of the kernel's.
        return re.match(r'\d+<[^>]*>, "", ', rest) is not None and "AT_EMPTY_PATH" in rest
    # /metrics tells of the process; /proc is no disk.
    return call in ("openat", "getdents64", "read", "pread64", "lseek") and "/proc/" in rest.split(",")[0 if call != "openat" else 1]


def offences(trace):
    """System calls of workers that may wait for a disk, by number; calls of disk threads; times of futex waits."""
    bad, of_disks, waits = collections.Counter(), collections.Counter(), []
    begun = {}
    for line in trace:
        match = LINE.match(line)
        if not match:
            continue  # signals, exits
        thread, call, rest = match["thread"], match["call"], match["rest"]
        key = line.split(" ", 1)[0]
        if match["resumed"]:
            # The arguments that come last may be in the second half.
            rest = begun.pop(key, "") + rest
        elif "<unfinished ...>" in rest:
            begun[key] = rest.removesuffix(" <unfinished ...>")
            continue
        if thread.startswith("disk-"):
            of_disks[call] += 1
        elif thread.startswith("worker-"):
            if not is_allowed(call, rest):
                bad[f"{call}({rest[:150]}"] += 1
            if call == "futex" and "FUTEX_WAIT" in rest:
                waits.append(float(TIME.search(rest)[1]))
    return bad, of_disks, waits


def make_mixed_load(pipe, address, host, names, seed, seconds):
    """All kinds of requests, hot and cold, right and wrong."""

    chance = random.Random(seed)
    deadline = time.monotonic() + seconds
    connection = Connection(address)
    count = 0
    while time.monotonic() < deadline:
        name = chance.choice(names)
        first = chance.randrange(4 * MIB)
        method, fields = "GET", []
        kind = chance.choice(["hot", "hot", "cold", "cold", "multipart", "bytes", "json", "info", "listing", "html", "missing", "outside",
                              "metrics", "health", "viewer", "post", "head", "leave"])
        target = f"/files/{name}"
        if kind == "hot":
            target, fields = "/files/hot.bin", [("Range", f"bytes={first}-{first + 100}")]
        elif kind == "cold":
            fields = [("Range", f"bytes={first}-{first + chance.randrange(1, MIB)}")]
        elif kind == "multipart":
            fields = [("Range", f"bytes=0-9,{first}-{first + 99},-5")]
        elif kind == "bytes":
            target = f"/bytes?file={name}&offset={first}&len=4096&encoding=raw"
        elif kind == "json":
            target = f"/bytes?file={name}&offset={first}&len=100000"
        elif kind == "info":
            target = f"/info?file={name}"
        elif kind in ("listing", "html"):
            target, fields = "/files/", [("Accept", "application/json" if kind == "listing" else "text/html")]
        elif kind == "missing":
            target = f"/files/none{count}"
        elif kind == "outside":
            target = "/files/%2e%2e/x"
        elif kind in ("metrics", "health"):
            target = {"metrics": "/metrics", "health": "/healthz"}[kind]
        elif kind == "viewer":
            target = "/"
        elif kind == "post":
            method = "POST"
        elif kind == "head":
            method = "HEAD"
        connection.send(build(method, target, fields, host=host))
        count += 1
        if kind == "leave":
            connection.close()
            connection = Connection(address)
            continue
        try:
            response = connection.read_response(method)
            closed = response.closes
        except ConnectionCut:
            closed = True
        if closed:
            connection.close()
            connection = Connection(address)
    pipe.send(("count", count))
    pipe.recv()


@pytest.mark.bound(120)
def test_workers_wait_for_no_disk(tmp_path):
    served = tmp_path / "served"
    served.mkdir()
    names = [f"file{number}.bin" for number in range(40)]
    for name in [*names, "hot.bin"]:
        content.write_pattern(served / name, 5 * MIB + PAGE // 2)
    age(served / "hot.bin")
    for name in names:
        drop_from_page_cache(served / name)
    trace = tmp_path / "trace"
    seconds = 6
    with Daemon(served, options=["--pool-size", "8MiB", "--log-level", "debug", "--stale-after", "50ms", "--threads", "2",
                                 "--access-log", tmp_path / "access.log"]) as daemon:
        command = ["strace", "-f", "-Y", "-y", "-T", "-s", "0", "-o", trace, "-p", str(daemon.process.pid)]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as strace:
            try:
                assert "attached" in strace.stderr.readline()
                crews = [Crew(make_mixed_load, daemon.address, daemon.host, names, seed, seconds) for seed in range(4)]
                try:
                    for _ in range(seconds):
                        drop_from_page_cache(served / random.choice(names))
                    count = sum(crew.receive(60) for crew in crews)
                finally:
                    for crew in crews:
                        crew.__exit__()
            finally:
                strace.send_signal(signal.SIGINT)
                strace.communicate(timeout=20)
        daemon.wait_until_unpinned()
    bad, of_disks, waits = offences(trace.read_text().splitlines())
    total, longest = sum(waits), max(waits, default=0)
    print(f"\n{count} requests; disk threads: {dict(of_disks.most_common(12))}; workers waited for locks {len(waits)} times, "
          f"{total * 1000:.1f} ms in all, {longest * 1000:.1f} ms at most")
    assert count > 100
    assert of_disks["preadv"] > 0 and of_disks["openat2"] + of_disks["openat"] > 0, "the trace shows what disk threads do"
    assert not bad, "\n".join(f"{number} times {call}" for call, number in bad.most_common(20))
    # Traced threads stop at every call, the holder of a lock among them: a few milliseconds are the tracer's.
    assert total < seconds * 0.2
    shutil.rmtree(served)
