"""Disks that fail and disks that hang: real files of a file system of ours (nbdfuse), and calls that never return."""
import contextlib
import errno
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

import pytest

from harness import content, multipart
from harness.daemon import Daemon
from harness.http import Connection, ConnectionCut, build, wait_until
from acceptance.support import MIB, PAGE, age
from faults.support import Faults, Watched, clock_of

SIZE = 8 * MIB


def can_mount() -> bool:
    return os.access("/dev/fuse", os.R_OK | os.W_OK) and all(map(shutil.which, ("nbdkit", "nbdfuse", "fusermount3")))


class Disk:
    """A file whose bytes another process gives, and which fails or hangs when told."""

    def __init__(self, folder: pathlib.Path, name: str = "disk.bin"):
        self.image = folder / "image"
        content.write_pattern(self.image, SIZE)
        self.broken = folder / "broken"  # reads fail while it is there
        self.path = folder / name
        self.path.touch()
        pidfile = folder / "pid"
        log = (folder / "log").open("wb")
        self.server = subprocess.Popen(
            ["nbdkit", "--foreground", "--unix", folder / "socket", "--pidfile", pidfile, "--readonly", "--filter=error", "file", self.image,
             "error-pread=EIO", "error-pread-rate=100%", f"error-pread-file={self.broken}"], stdout=log, stderr=log)
        try:
            wait_until(pidfile.exists, "nbdkit listens")
            self.mount = subprocess.Popen(["nbdfuse", "--readonly", self.path, f"nbd+unix:///?socket={folder}/socket"], stdout=log, stderr=log)
            wait_until(lambda: os.stat(self.path).st_size == SIZE, "the file is there")
        except BaseException:
            self.remove()
            raise
        age(self.path)

    def hang(self):
        self.server.send_signal(signal.SIGSTOP)

    def release(self):
        self.server.send_signal(signal.SIGCONT)

    def remove(self):
        self.release()
        subprocess.run(["fusermount3", "-u", "-z", self.path], check=False, stderr=subprocess.DEVNULL)
        for process in (getattr(self, "mount", None), self.server):
            if process is not None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(5 if process is not self.server else 0.1)
                process.kill()
                process.wait()

    def forget(self):
        """Makes the next read of the file ask for its bytes."""
        descriptor = os.open(self.path, os.O_RDONLY)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


@pytest.fixture
def disk(tmp_path_factory):
    if not can_mount():
        pytest.skip("no FUSE here: /dev/fuse, nbdkit and nbdfuse are needed")
    disk = Disk(tmp_path_factory.mktemp("disk"))
    yield disk
    disk.remove()


@pytest.fixture
def sound(tmp_path):
    """A directory with a file on a disk that is well."""
    content.write_pattern(tmp_path / "file.bin", SIZE)
    age(tmp_path / "file.bin")
    return tmp_path


def check_sound(daemon, first, length=PAGE):
    response = daemon.get("/files/sound/file.bin", ("Range", f"bytes={first}-{first + length - 1}"))
    assert response.status == 206 and response.body == content.expected(first, length)


def check_problem(response, status):
    assert response.status == status and response["Content-Type"] == "application/problem+json", response
    assert b"nbd" not in response.body and b"/tmp" not in response.body


def test_a_disk_that_fails_in_the_middle_of_a_file(disk, sound):
    target = "/files/disk"
    with Daemon(f"disk={disk.path}", f"sound={sound}", options=["--pool-size", "4MiB", "--threads", "1"]) as daemon:
        watched = Watched(daemon)
        whole = daemon.get(target)
        assert whole.status == 200 and whole.body == content.expected(0, SIZE)
        watched.descriptors = watched.count_descriptors()
        with daemon.connect(receive_buffer=16 << 10) as connection:
            connection.send(build("GET", target, host=daemon.host))
            head = connection.read_head()
            body = connection.read_exactly(100_000)
            disk.broken.touch()
            disk.forget()
            with pytest.raises(ConnectionCut) as cut:
                connection.read_exactly(head.length - len(body))
            body += cut.value.received
            assert content.first_difference(body, 0) is None
        errors = daemon.metric("ranged_page_load_errors_total")
        assert errors > 0
        # Before a response has begun there is still an answer: a problem. What the pool holds is served as before.
        disk.forget()
        check_problem(daemon.get(target, ("Range", f"bytes={SIZE - PAGE}-")), 500)
        check_problem(daemon.get(f"/bytes?file=disk&offset={6 * MIB}&len=10"), 500)
        check_sound(daemon, 3 * PAGE)
        disk.broken.unlink()
        response = daemon.get(target, ("Range", f"bytes={SIZE - PAGE}-"))
        assert response.status == 206 and response.body == content.expected(SIZE - PAGE, PAGE)
        daemon.wait_until_unpinned()
        watched.monitor.close()


def ask(daemon, target, fields=()):
    """A connection on which something has been asked for."""
    connection = daemon.connect(patience=20)
    connection.send(build("GET", target, fields, host=daemon.host))
    return connection


OPTIONS = ["--threads", "2", "--pool-size", "8MiB", "--disk-threads", "4", "--pool-wait-timeout", "1s", "--drain-timeout", "500ms"]


def ask_in_many_ways(daemon, name):
    """More requests of a disk than there are threads and loads, of pages that nobody has."""
    asked = []
    for number in range(40):
        first = number * 3 * PAGE
        asked.append(ask(daemon, f"/files/{name}", [("Range", f"bytes={first}-{first + PAGE - 1}")]))
        asked.append(ask(daemon, f"/bytes?file={name}&offset={first + PAGE}&len=1000"))
    asked += [ask(daemon, f"/info?file={name}") for _ in range(5)]
    return asked


def check_bounded(asked, begin):
    """Whoever asked a disk that hangs is told so, in time."""
    statuses = []
    for connection in asked:
        with connection:
            response = connection.read_response()
            statuses.append(response.status)
            if response.status == 503:
                check_problem(response, 503)
                assert response["Retry-After"] is not None
    assert statuses.count(503) > len(asked) // 2, statuses
    assert time.monotonic() - begin < 15
    return statuses


@pytest.mark.parametrize("stale_after", ["1h", "0s"], ids=["files open", "files opened"])
def test_a_disk_that_hangs_holds_up_no_other(disk, sound, stale_after):
    """With a real file system that does not answer: reads of it, and looks at its files."""
    with Daemon(f"disk={disk.path}", f"sound={sound}", options=[*OPTIONS, "--stale-after", stale_after]) as daemon:
        watched = Watched(daemon)
        assert daemon.get("/files/disk", ("Range", "bytes=0-9")).body == content.expected(0, 10)
        disk.forget()
        disk.hang()
        begin = time.monotonic()
        asked = ask_in_many_ways(daemon, "disk")
        for number in range(60):
            check_sound(daemon, number * 2 * PAGE)
            assert daemon.get("/healthz").status == 200
        assert daemon.get("/files/sound/").status == 200
        assert daemon.metric("ranged_pool_pages", state="pinned") == 0
        check_bounded(asked, begin)
        disk.release()
        wait_until(lambda: daemon.get("/files/disk", ("Range", f"bytes={MIB}-{MIB + 9}")).body == content.expected(MIB, 10),
                   "the disk is back")
        watched.monitor.close()
        daemon.wait_until_unpinned()


def test_a_disk_that_hangs_does_not_hold_up_the_end(disk, sound):
    with Daemon(f"disk={disk.path}", f"sound={sound}", options=[*OPTIONS[:-4], "--pool-wait-timeout", "60s", *OPTIONS[-2:]]) as daemon:
        assert daemon.get("/files/disk", ("Range", "bytes=0-9")).status == 206
        disk.forget()
        disk.hang()
        asked = ask(daemon, "/files/disk", [("Range", f"bytes={MIB}-{2 * MIB}")])
        wait_until(lambda: daemon.metric("ranged_page_loads_in_flight") > 0, "the disk is waited for")
        begin = time.monotonic()
        daemon.signal(signal.SIGTERM)
        code = daemon.wait()
        assert code == 0 and time.monotonic() - begin < 8
        assert "does not answer" in daemon.log()
        asked.close()
        disk.release()


@pytest.fixture
def elsewhere(sound):
    """A file on another disk than `sound`, as device numbers go, and alone in its directory."""
    if pathlib.Path("/dev/shm").stat().st_dev == sound.stat().st_dev:
        pytest.skip("a second file system is needed")
    with tempfile.TemporaryDirectory(prefix="ranged-test-", dir="/dev/shm") as folder:
        path = pathlib.Path(folder) / "file.bin"
        content.write_pattern(path, SIZE)
        age(path)
        yield path


def test_reads_that_never_return(shim, sound, elsewhere, tmp_path_factory):
    """The same without a file system of ours: reads of one device wait in the daemon until they are told to go on."""
    faults = Faults(shim, tmp_path_factory.mktemp("orders"))
    with Daemon(f"disk={elsewhere}", f"sound={sound}", options=OPTIONS, env=faults.environment) as daemon:
        faults.arm("read", 10 ** 9, 0)  # nothing of that kind fails
        faults.hang(elsewhere)
        begin = time.monotonic()
        # What the page cache has it gives on the event loop; a page asked for a second time, and its neighbours, are loaded.
        asked = [ask(daemon, "/files/disk", [("Range", f"bytes={n * PAGE}-{n * PAGE + 3 * PAGE}")]) for n in range(40)]
        for number in range(60):
            check_sound(daemon, number * 2 * PAGE)
        for connection in asked:
            with connection:
                connection.read_response()
        assert time.monotonic() - begin < 15
        faults.release()
        wait_until(lambda: faults.hanging == 0, "all reads have returned")
        daemon.wait_until_unpinned()


@pytest.mark.parametrize("loads", [4, 64], ids=["all reads that the disk may have", "reads to spare"])
def test_nothing_is_handed_over_that_a_disk_that_hangs_is_reading(shim, sound, elsewhere, tmp_path_factory, loads):
    """Law 6: the kernel counts a page as cached from the moment that its read begins, whoever began it; sendfile would wait for that disk."""
    faults = Faults(shim, tmp_path_factory.mktemp("orders"))
    asked = []

    def ask_disk(first, length):
        asked.append((first, length, ask(daemon, "/files/disk", [("Range", f"bytes={first}-{first + length - 1}")])))
        # The one event loop has looked at what came before this; it waits for nothing but events.
        check_sound(daemon, len(asked) * PAGE, 3 * PAGE)

    options = ["--threads", "1", "--disk-threads", "8", "--max-loads", str(loads), "--pool-wait-timeout", "60s"]
    with Daemon(f"disk={elsewhere}", f"sound={sound}", options=options, env=faults.environment) as daemon:
        faults.jump(3600)  # files seem left alone for long: only then are they handed over
        wait_until(lambda: clock_of(daemon) > time.time() + 1800, "the date follows")
        faults.hang(elsewhere, within=True)
        # A populating read, and who wants the same, all of it or a part.
        for first, length in ((0, 100_000), (0, 100_000), (40_000, 50_000)):
            ask_disk(first, length)
        assert daemon.metric("ranged_page_loads_in_flight") == 1
        # A long stretch has its pages loaded and read ahead.
        for first, length in ((MIB, 2 * MIB), (MIB, 2 * MIB), (MIB + 3 * PAGE, 100_000)):
            ask_disk(first, length)
        # As many more as bring the disk to its share of the smaller number of loads.
        for number in range(4):
            ask_disk(4 * MIB + number * 3 * PAGE, PAGE)
        # A little is tried without waiting: by that the kernel begins to read, whether or not a disk thread comes to it.
        for number in range(4):
            first = 6 * MIB + number * 5 * PAGE
            ask_disk(first, 100)
            ask_disk(first, 100_000)
            ask_disk(first + 8192, 50_000)
        assert daemon.metric("ranged_http_response_bytes_total", path="sendfile") > len(asked) * PAGE
        assert faults.slept == 0
        # That costs a copy where anything may be being read: of the disk that is well, too, while somebody waits for a load.
        assert daemon.metric("ranged_hand_over_checks_total", result="not_in_memory") > 0
        copied = daemon.metric("ranged_hand_over_checks_total", result="in_memory")
        assert (copied > 0) == (loads == 4)
        assert daemon.metric("ranged_hand_over_check_bytes_total") >= copied * 3 * PAGE
        faults.release()
        for first, length, connection in asked:
            with connection:
                response = connection.read_response()
                assert response.status == 206 and content.first_difference(response.body, first) is None and len(response.body) == length
        daemon.wait_until_unpinned()


@pytest.mark.parametrize("reason, requests, options", [
    ("no_load", 24, ["--max-loads", "4"]), ("no_frame", 6, ["--max-loads", "10", "--disk-threads", "16", "--pool-size", "4MiB"])],
    ids=lambda value: value if isinstance(value, str) else "")
def test_reads_into_the_page_cache_that_cannot_be_made(shim, sound, elsewhere, tmp_path_factory, reason, requests, options):
    """They are counted, and whoever asked is served by a load of the page."""
    faults = Faults(shim, tmp_path_factory.mktemp("orders"))
    with Daemon(f"disk={elsewhere}", f"sound={sound}", options=["--threads", "1", "--pool-wait-timeout", "60s", *options], env=faults.environment) as daemon:
        faults.hang(elsewhere, within=True)
        places = [number * 5 * PAGE for number in range(requests)]
        asked = [ask(daemon, "/files/disk", [("Range", f"bytes={first}-{first + 999}")]) for first in places]
        wait_until(lambda: daemon.metric("ranged_populate_reads_failed_total", reason=reason) > 0, "it is counted")
        check_sound(daemon, 0)
        faults.release()
        for first, connection in zip(places, asked):
            with connection:
                response = connection.read_response()
                assert (response.status, response.body) == (206, content.expected(first, 1000))
        for other in ("no_load", "queue_full", "no_frame"):
            assert (daemon.metric("ranged_populate_reads_failed_total", reason=other) > 0) == (other == reason), other
        daemon.wait_until_unpinned()


def test_a_read_into_the_page_cache_for_which_the_queue_is_full(shim, sound, elsewhere, tmp_path_factory):
    """It is counted, and whoever asked is told to come again; others are served."""
    faults = Faults(shim, tmp_path_factory.mktemp("orders"))
    options = ["--threads", "1", "--max-loads", "16", "--disk-threads", "4", "--disk-queue", "16", "--stale-after", "1h", "--pool-wait-timeout", "60s"]
    with Daemon(f"disk={elsewhere.parent}", f"sound={sound}", options=options, env=faults.environment) as daemon:
        assert daemon.get("/files/disk/file.bin", ("Range", "bytes=0-9")).body == content.expected(0, 10)
        check_sound(daemon, 0)
        faults.hang(elsewhere, within=True)
        # Three reads are the disk's share of the threads, twelve looks at its files that of the queue.
        places = [number * 5 * PAGE for number in range(1, 4)]
        asked = [ask(daemon, "/files/disk/file.bin", [("Range", f"bytes={first}-{first + 999}")]) for first in places]
        wait_until(lambda: faults.hanging == 3, "all threads that the disk may have are at it")
        looks = [ask(daemon, f"/files/disk/none{number}") for number in range(12)]
        wait_until(lambda: daemon.metric("ranged_disk_tasks_queued") == 12, "its share of the queue is full")
        check_problem(daemon.get("/files/disk/file.bin", ("Range", f"bytes={MIB * 5}-{MIB * 5 + 999}")), 503)
        assert daemon.metric("ranged_populate_reads_failed_total", reason="queue_full") == 1
        check_sound(daemon, 0)
        faults.release()
        for first, connection in zip(places, asked):
            with connection:
                response = connection.read_response()
                assert (response.status, response.body) == (206, content.expected(first, 1000))
        for connection in looks:
            with connection:
                check_problem(connection.read_response(), 404)
        daemon.wait_until_unpinned()


@pytest.mark.parametrize("error", [None, errno.ENOSYS, errno.EPERM], ids=["a kernel that tells", "an old kernel", "a sandbox"])
def test_a_kernel_that_does_not_tell_what_is_in_the_page_cache(shim, sound, tmp_path_factory, error):
    """All is copied then, and counted."""
    faults = Faults(shim, tmp_path_factory.mktemp("orders"))
    with Daemon(f"sound={sound}", options=["--threads", "1"], env=faults.environment) as daemon:
        faults.jump(3600)  # files seem left alone for long: only then are they handed over
        wait_until(lambda: clock_of(daemon) > time.time() + 1800, "the date follows")
        if error is not None:
            faults.arm("look", 1, error, for_good=True)
        for first in range(0, SIZE, MIB):
            check_sound(daemon, first, MIB)
        assert (daemon.metric("ranged_hand_overs_unsupported_total") > 0) == (error is not None)
        handed_over = daemon.metric("ranged_http_response_bytes_total", path="sendfile")
        assert handed_over == 0 if error is not None else handed_over > SIZE // 2
        daemon.wait_until_unpinned()


def test_many_sets_of_ranges_where_nothing_can_be_read_without_waiting(shim, tmp_path, tmp_path_factory):
    """Each wants more pages at once than its share of the pool: those at hand go, and none waits for all of its own to be there together."""
    clients, ranges, page, length = 100, 16, 4096, 100
    size = clients * ranges * page
    content.write_pattern(tmp_path / "file.bin", size)
    age(tmp_path / "file.bin")
    faults = Faults(shim, tmp_path_factory.mktemp("orders"))
    with Daemon(tmp_path, options=["--pool-size", "512KiB", "--page-size", "4KiB", "--threads", "1"], env=faults.environment) as daemon:
        assert daemon.metric("ranged_pool_bytes") < size // 8
        faults.arm("nowait", 1, errno.EOPNOTSUPP, for_good=True)
        # No two clients want the same page.
        places = [[page * (clients * number + client) + client for number in range(ranges)] for client in range(clients)]
        asked = [ask(daemon, "/files/file.bin", [("Range", "bytes=" + ",".join(f"{first}-{first + length - 1}" for first in wanted))]) for wanted in places]
        for connection, wanted in zip(asked, places):
            with connection:
                response = connection.read_response()
                assert response.status == 206, response
                assert [(part.first, part.body) for part in multipart.parse(response)] == [(first, content.expected(first, length)) for first in wanted]
        assert daemon.metric("ranged_nowait_reads_total", result="unsupported") >= clients
        daemon.wait_until_unpinned()


def test_a_directory_that_vanishes(sound):
    folder = sound / "folder"
    folder.mkdir()
    content.write_pattern(folder / "file.bin", SIZE)
    age(folder / "file.bin")
    with Daemon(f"sound={sound}", options=["--stale-after", "100ms", "--pool-size", "4MiB"]) as daemon:
        watched = Watched(daemon)
        with daemon.connect(receive_buffer=16 << 10) as transfer:
            transfer.send(build("GET", "/files/sound/folder/file.bin", host=daemon.host))
            head = transfer.read_head()
            shutil.rmtree(folder)
            # Who has begun may be cut, because to remove a name is a change of the file; what came is the file's.
            try:
                assert transfer.read_exactly(head.length) == content.expected(0, SIZE)
            except ConnectionCut as cut:
                assert content.first_difference(cut.received, 0) is None
        wait_until(lambda: daemon.get("/files/sound/folder/file.bin", ("Range", "bytes=0-9")).status == 404, "the file is gone")
        check_problem(daemon.get("/files/sound/folder/"), 404)
        check_sound(daemon, PAGE)
        shutil.rmtree(sound)
        wait_until(lambda: daemon.get("/files/sound/file.bin", ("Range", "bytes=0-9")).status == 404, "all of it is gone")
        assert daemon.get("/files/sound/").status in (200, 404)
        assert daemon.get("/healthz").status == 200
        watched.check_nothing_is_held()
        watched.monitor.close()
        sound.mkdir()
