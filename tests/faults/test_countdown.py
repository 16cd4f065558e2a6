"""The N-th call of one kind fails, for N = 1, 2, 3 and so on until the workload makes no N-th: once, and for good. After each,
nothing is held, nothing is lost, the next request is right; and at no time is there a byte that is not in the file."""
import base64
import errno
import itertools
import json
import re
import time

import pytest

from harness import content
from harness.daemon import Daemon
from harness.http import ConnectionCut, build, wait_until
from acceptance.support import MIB, PAGE, age, drop_from_page_cache, is_instrumented
from faults.support import Faults, Watched, clock_of

SIZE = 24 * MIB
LENGTH = 150_000
OUT_OF_MEMORY = "out of memory"

# What is asked for at one place of the file: a name, a target, a Range field.
WORKLOAD = [
    ("range", "/files/file.bin", "bytes={first}-{last}"),
    ("multipart", "/files/file.bin", "bytes={first}-{last},3-5,-7"),
    ("window", "/bytes?file=file.bin&offset={first}&len=30000", None),
    ("listing", "/files/", None),
    ("info", "/info?file=small.bin", None),
]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("served")
    content.write_pattern(root / "file.bin", SIZE)
    content.write_pattern(root / "small.bin", 100)
    (root / "folder").mkdir()
    age(root / "small.bin")
    return root


class Subject:
    """A daemon with the shim, started anew when it has ended."""

    def __init__(self, shim, root, folder):
        self.faults = Faults(shim, folder)
        self.root = root
        self.place = 0
        self.cold = False  # whether the disk, rather than the page cache, has what is asked for
        self.exits = 0
        self.expected = {}
        self.begin()

    def begin(self):
        # Every request opens its file; the pool is smaller than the file, and all of the file is asked for in turn.
        self.daemon = Daemon(self.root, options=["--threads", "1", "--pool-size", "4MiB", "--stale-after", "0s"],
                             env=self.faults.environment)
        self.work()  # libraries, caches, databases: what the first request needs for good
        self.watched = Watched(self.daemon)
        self.watched.check_nothing_is_held()

    def end(self):
        self.watched.monitor.close()
        self.daemon.__exit__(None)

    def begin_anew(self):
        """The daemon has ended, as it may for want of memory alone: with its code and one line that says so."""
        self.watched.monitor.close()
        assert self.daemon.wait() == 1, self.daemon.log()
        assert OUT_OF_MEMORY in self.daemon.log()
        self.daemon.process.stderr.close()
        self.exits += 1
        self.begin()

    def be_quiet(self, quiet: bool):
        """Lets the files seem left alone for long: only then are they handed to the kernel."""
        self.faults.jump(3600 if quiet else 0)
        before = time.time()
        wait_until(lambda: (clock_of(self.daemon) > before + 1800) == quiet, "the date is that of the clock")

    def work(self, strict: bool = True, patience: float = 5):
        """All requests of the workload, each on a connection of its own. `strict`: nothing may go wrong. Without it the
        work ends with the first connection that is not answered within `patience`."""
        # Of pages that no request before it has read.
        self.place = (self.place + LENGTH + 2 * PAGE) % (SIZE - 2 * LENGTH)
        if self.cold:
            drop_from_page_cache(self.root / "file.bin")
        else:
            (self.root / "file.bin").read_bytes()
        for name, target, ranges in WORKLOAD:
            places = {"first": self.place, "last": self.place + LENGTH - 1}
            fields = [("Range", ranges.format(**places))] if ranges else [("Accept", "application/json")]
            try:
                with self.daemon.connect(patience=patience) as connection:
                    connection.send(build("GET", target.format(**places), fields, host=self.daemon.host))
                    self.check(name, connection, strict)
            except (ConnectionCut, ConnectionError):
                assert not strict, name
            except TimeoutError:
                assert not strict, name
                break

    def check(self, name, connection, strict):
        head = connection.read_head()
        cut = None
        try:
            body = connection.read_exactly(head.length)
        except ConnectionCut as end:
            body, cut = end.received, end
        if head.status >= 400:
            assert not strict, (name, head.status, body)
            assert head.status in (404, 500, 503), head
            if cut is None:
                assert head["Content-Type"] == "application/problem+json"
                problem = json.loads(body)
                assert problem["status"] == head.status and "errno" not in problem["detail"], problem
        elif name == "range":
            assert head.status == 206
            assert content.first_difference(body, self.place) is None
        elif name == "multipart":
            assert head.status == 206
            for match in re.finditer(rb"Content-Range: bytes ([0-9]+)-([0-9]+)/[0-9]+\r\n(?:[^\r\n]+\r\n)*\r\n", body):
                first, last = int(match[1]), int(match[2])
                assert content.first_difference(body[match.end():match.end() + last - first + 1], first) is None
        elif name == "window":
            assert head.status == 200
            _, mark, text = body.partition(b'"data":"')
            text = text.partition(b'"')[0]
            assert not mark or content.first_difference(base64.b64decode(text[:len(text) // 4 * 4]), self.place) is None
        elif cut is None:
            assert head.status == 200
            answer = json.loads(body)
            expected = self.expected.setdefault(name, answer)
            if strict:
                assert answer == expected
            elif name == "listing":
                # What cannot be looked at is not listed.
                assert all(entry in expected["entries"] for entry in answer["entries"])
            else:
                # What cannot be described is not described.
                assert answer.items() <= expected.items()
        if cut:
            raise cut


@pytest.fixture(scope="module")
def subject(shim, root, tmp_path_factory):
    subject = Subject(shim, root, tmp_path_factory.mktemp("orders"))
    yield subject
    subject.end()


FAULTS = [
    ("read", errno.EIO), ("read", errno.ENOMEM), ("open", errno.EIO), ("open", errno.EMFILE), ("open", errno.ENOENT),
    ("stat", errno.EIO), ("stat", errno.ESTALE), ("list", errno.EIO), ("accept", errno.EMFILE), ("accept", errno.ENOBUFS),
    ("receive", errno.ECONNRESET), ("send", errno.EPIPE), ("send", errno.ENOBUFS), ("sendfile", errno.EIO),
    ("sendfile", errno.EPIPE), ("watch", errno.ENOSPC), ("memory", errno.ENOMEM),
]
# What is no failure: half of the bytes, a signal, a connection that is gone before it was accepted.
HARMLESS = [("read", 0), ("receive", 0), ("sendfile", 0), ("read", errno.EINTR), ("receive", errno.EINTR), ("send", errno.EINTR),
            ("sendfile", errno.EINTR), ("accept", errno.EINTR), ("accept", errno.ECONNABORTED), ("open", errno.EINTR)]


def name_of(value):
    return errno.errorcode.get(value, "half") if isinstance(value, int) else value


@pytest.mark.bound(180)
@pytest.mark.parametrize("for_good", [False, True], ids=["once", "for good"])
@pytest.mark.parametrize("kind, error", FAULTS, ids=name_of)
def test_the_nth_call_fails(subject, kind, error, for_good):
    if kind == "memory" and is_instrumented():
        pytest.skip("a sanitizer has a malloc of its own")
    exits, most = subject.exits, 0
    # Who cannot be accepted is not answered, and waits in vain.
    patience = 0.3 if kind == "accept" else 5
    # Without memory for good the daemon ends nearly every time, and to start it takes long.
    step = 11 if kind == "memory" and for_good else 1
    for number in rounds(subject, kind, step):
        subject.faults.arm(kind, number, error, for_good)
        try:
            subject.work(strict=False, patience=patience)
        finally:
            subject.faults.disarm()
        most = max(most, subject.faults.calls)
        if kind == "memory" and not is_alive_after(subject):
            subject.begin_anew()
        subject.watched.check_nothing_is_held()
        subject.work()
    print(f"\n{most} calls, {subject.exits - exits} ends of the daemon")
    assert most > 0


def rounds(subject, kind, step=1):
    """1, 2, 3 (or by larger steps) and so on for as long as the workload has so many calls; first with what is asked for in memory, then on the disk."""
    subject.be_quiet(kind == "sendfile")
    for subject.cold in (False, True) if kind in ("read", "open", "stat", "memory") else (False,):
        for number in itertools.count(1, step):
            yield number
            if subject.faults.failed == 0:
                break


def is_alive_after(subject) -> bool:
    """Whether the daemon is there: it answers on the connection that was open all the time."""
    try:
        subject.watched.check_nothing_is_held()
    except (ConnectionCut, ConnectionError):
        return False
    return True


@pytest.mark.bound(120)
@pytest.mark.parametrize("kind, error", HARMLESS, ids=name_of)
def test_what_is_no_failure_is_not_seen(subject, kind, error):
    most = 0
    for number in rounds(subject, kind):
        subject.faults.arm(kind, number, error)
        try:
            subject.work()
        finally:
            subject.faults.disarm()
        most = max(most, subject.faults.calls)
        subject.watched.check_nothing_is_held()
    assert most > 0
