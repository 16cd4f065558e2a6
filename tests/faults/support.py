"""Calls of the daemon's that go wrong on demand, and what has to hold whatever went wrong."""
import mmap
import os
import pathlib
import struct
import subprocess
from email.utils import parsedate_to_datetime

from acceptance.support import is_instrumented
from harness import metrics
from harness.daemon import Daemon
from harness.http import Connection, build, wait_until

SHIM = pathlib.Path(__file__).with_name("fail_calls.c")
KINDS = ("none", "read", "open", "stat", "list", "accept", "receive", "send", "sendfile", "watch", "memory", "nowait", "look")
LAYOUT = struct.Struct("<IIIiIIIIQqQ")  # struct orders of the shim
FRAME_STATES = ("free", "resident", "loading")


def build_shim(folder: pathlib.Path) -> pathlib.Path:
    library = folder / "fail_calls.so"
    without = ["-DWITHOUT_MEMORY"] if is_instrumented() else []
    subprocess.run(["gcc", *without, "-O2", "-Wall", "-Wextra", "-Werror", "-fno-builtin", "-shared", "-fPIC", "-o", library, SHIM], check=True)
    return library


class Faults:
    """The orders of one daemon with the shim, shared with it through a file."""

    def __init__(self, library: pathlib.Path, folder: pathlib.Path):
        path = folder / "orders"
        path.write_bytes(bytes(LAYOUT.size))
        self.environment = {"LD_PRELOAD": str(library), "FAIL_CALLS": str(path)}
        if is_instrumented():  # its runtime is the second library then, which it would not have
            self.environment["ASAN_OPTIONS"] = ":".join(filter(None, (os.environ.get("ASAN_OPTIONS"), "verify_asan_link_order=0")))
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), LAYOUT.size)

    def _set(self, offset: int, value: int, form: str = "<I"):
        struct.pack_into(form, self._memory, offset, value)

    def arm(self, kind: str, number: int, error: int, for_good: bool = False):
        """The number-th call of a kind from now on fails with `error`, or does half of its work for 0."""
        self._set(16, 0)
        self._set(20, 0)
        self._set(4, number)
        self._set(8, for_good)
        self._set(12, error, "<i")
        self._set(0, KINDS.index(kind))

    def disarm(self):
        self._set(0, 0)

    @property
    def calls(self) -> int:
        """Of the kind that is, or was last, armed."""
        return struct.unpack_from("<I", self._memory, 16)[0]

    @property
    def failed(self) -> int:
        return struct.unpack_from("<I", self._memory, 20)[0]

    def hang(self, path, within: bool = False):
        """Whoever waits for the disk of `path` waits until release(). `within`: the kernel has begun to read, so that it counts the pages as cached."""
        self._set(32, os.stat(path).st_dev, "<Q")
        self._set(24, 2 if within else 1)

    def release(self):
        self._set(24, 0)

    @property
    def hanging(self) -> int:
        return struct.unpack_from("<I", self._memory, 28)[0]

    @property
    def slept(self) -> int:
        """Calls of sendfile that waited for the disk that hangs."""
        return struct.unpack_from("<Q", self._memory, 48)[0]

    def jump(self, seconds: int):
        """The daemon's wall clock is wrong by so much."""
        self._set(40, seconds, "<q")


def clock_of(daemon: Daemon) -> float:
    """The wall clock as the daemon's event loops have it: seconds since 1970."""
    return parsedate_to_datetime(daemon.get("/healthz")["Date"]).timestamp()


class Watched:
    """A daemon, what it held before anything went wrong, and a connection of our own by which it is asked."""

    def __init__(self, daemon: Daemon):
        self.daemon = daemon
        self.monitor: Connection = daemon.connect()
        # What was asked for before may still be read ahead, with its file open.
        wait_until(self._is_idle, "nothing is being read", patience=5, pause=0.002)
        self.frames = self._frames(self._look())
        self.descriptors = self.count_descriptors()

    def _look(self):
        self.monitor.send(build("GET", "/metrics", host=self.daemon.host))
        response = self.monitor.read_response()
        assert response.status == 200
        return metrics.parse(response.body.decode())[0]

    def _is_idle(self) -> bool:
        samples = self._look()
        at_work = ("ranged_page_loads_in_flight", "ranged_disk_tasks_queued", "ranged_disk_tasks_running")
        return metrics.value(samples, "ranged_connections", state="open") == 1 and not any(metrics.value(samples, name) for name in at_work)

    @staticmethod
    def _frames(samples) -> float:
        return sum(metrics.value(samples, "ranged_pool_pages", state=state) for state in FRAME_STATES)

    def count_descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.daemon.process.pid}/fd"))

    def is_alive(self) -> bool:
        return self.daemon.process.poll() is None

    def check_nothing_is_held(self):
        """No pin, no load, no frame lost, no connection but ours, descriptors as before."""
        def is_as_before():
            samples = self._look()
            now = {"pinned": metrics.value(samples, "ranged_pool_pages", state="pinned"),
                   "loading": metrics.value(samples, "ranged_pool_pages", state="loading"),
                   "frames lost": self.frames - self._frames(samples),
                   "connections": metrics.value(samples, "ranged_connections", state="open") - 1,
                   "descriptors": self.count_descriptors() - self.descriptors}
            self._last = now
            return not any(now.values())
        try:
            wait_until(is_as_before, "all is given back", patience=5, pause=0.002)
        except AssertionError as error:
            raise AssertionError(f"{error}: {self._last}") from None
