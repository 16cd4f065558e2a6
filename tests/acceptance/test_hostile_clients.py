"""Clients that mean harm, or are broken: what they may cost, what they may not take from others, and that nothing of it stays."""
import os
import random
import selectors
import socket
import struct
import threading
import time

import pytest

from harness import content, metrics
from harness.daemon import Daemon
from harness.http import build, wait_until
from acceptance.support import MIB, PAGE, Crew, age, stop_reading

SIZE = 64 * MIB
POOL_FRAMES = 56  # of 64 pages of 4 MiB; the others are for reads that pass through


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("hostile")
    content.write_pattern(root / "file.bin", SIZE)
    for number in range(3 * POOL_FRAMES):
        content.write_pattern(root / f"small{number}.bin", 1000 + number)
    age(root / "small0.bin")
    return root


class Monitor:
    """A connection that was there before the others came, by which the daemon is asked what it holds."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.connection = daemon.connect(patience=30)
        self.samples()

    def samples(self):
        self.connection.send(build("GET", "/metrics", host=self.daemon.host))
        response = self.connection.read_response()
        assert response.status == 200
        return metrics.parse(response.body.decode())[0]

    def value(self, name, **labels):
        return metrics.value(self.samples(), name, **labels)

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.daemon.process.pid}/fd"))

    def wait_until_alone(self, descriptors, patience=15.0):
        """Nobody else is connected, nothing is pinned, descriptors are as before."""
        def is_alone():
            samples = self.samples()
            return (metrics.value(samples, "ranged_connections", state="open") == 1
                    and metrics.value(samples, "ranged_pool_pages", state="pinned") == 0
                    and metrics.value(samples, "ranged_pool_pages", state="loading") == 0 and self.descriptors() <= descriptors)
        wait_until(is_alone, "all is given back", patience)


def canary(daemon, number: int, seed: int):
    """Latencies of one client's ranges and windows, each on a connection of its own half of the time. All must succeed."""
    chance = random.Random(seed)
    times = []
    connection = daemon.connect()
    for _ in range(number):
        if chance.random() < 0.5:
            connection.close()
            connection = daemon.connect()
        first = chance.randrange(SIZE - PAGE)
        begin = time.monotonic()
        if chance.random() < 0.5:
            connection.send(build("GET", "/files/file.bin", [("Range", f"bytes={first}-{first + 9999}")], host=daemon.host))
            expected = 206
        else:
            connection.send(build("GET", f"/bytes?file=file.bin&offset={first}&len=10000&encoding=raw", host=daemon.host))
            expected = 200
        response = connection.read_response()
        times.append(time.monotonic() - begin)
        assert response.status == expected and response.body == content.expected(first, 10000)
    connection.close()
    return sorted(times)


def p99(times):
    return times[len(times) * 99 // 100]


def compare(daemon, hostile, rounds=400):
    """A canary's p99 without and with the hostile ones; its success is 100 % or this fails. Returns the ratio."""
    alone = canary(daemon, rounds, 1)
    with hostile:
        among = canary(daemon, rounds, 2)
    ratio = p99(among) / p99(alone)
    print(f"\np99 alone {p99(alone) * 1000:.2f} ms, among them {p99(among) * 1000:.2f} ms: {ratio:.1f} times; "
          f"p50 {alone[len(alone) // 2] * 1000:.2f}, {among[len(among) // 2] * 1000:.2f} ms")
    return ratio


class Stalled:
    """Ten readers for each frame of the pool that ask for much and take nothing more."""

    def __init__(self, daemon):
        self.daemon, self.number = daemon, 10 * POOL_FRAMES

    def __enter__(self):
        self.crew = Crew(stop_reading, self.daemon.address, "/files/file.bin", self.number, 30 * MIB, 1000, SIZE)
        self.crew.receive(30)
        self.daemon.wait_until_unpinned()

    def __exit__(self, *_):
        assert self.daemon.metric("ranged_connections", state="open") >= self.number, "they were there all the time"
        self.crew.tell()
        self.crew.__exit__()


@pytest.mark.bound(120)
@pytest.mark.parametrize("sendfile", ["true", "false"])
def test_stalled_readers_take_no_page_hostage(root, sendfile):
    with Daemon(root, options=["--pool-size", "4MiB", "--threads", "1", f"--sendfile={sendfile}"]) as daemon:
        monitor = Monitor(daemon)
        descriptors = monitor.descriptors()
        compare(daemon, Stalled(daemon))
        assert monitor.value("ranged_pool_waits_failed_total") == 0
        monitor.wait_until_alone(descriptors + 1)
        monitor.connection.close()


def test_looks_at_many_files_take_no_page_hostage(root):
    """/info looks at a file's first page, one after the other: those who wait for their turn hold no page."""
    with Daemon(root, options=["--pool-size", "4MiB", "--threads", "1", "--disk-threads", "2"]) as daemon:
        daemon.get("/info?file=small0.bin")  # loads the database
        monitor = Monitor(daemon)
        asked = []
        for number in range(3 * POOL_FRAMES):
            connection = daemon.connect(patience=30)
            connection.send(build("GET", f"/info?file=small{number}.bin", host=daemon.host))
            asked.append(connection)
        most = 0
        for number, connection in enumerate(asked):
            if number % 20 == 0:
                most = max(most, monitor.value("ranged_pool_pages", state="pinned"))
            with connection:
                assert connection.read_response().status == 200
        print(f"\n{most:.0f} pages pinned at most")
        assert most <= 4  # a disk thread's each, and one that has just arrived
        monitor.connection.close()


class Dribblers:
    """Connections that send a byte of a head now and then (slowloris)."""

    def __init__(self, daemon, number):
        self.daemon, self.number = daemon, number
        self.stop = threading.Event()

    def __enter__(self):
        self.sockets = [socket.create_connection(self.daemon.address) for _ in range(self.number)]
        for each in self.sockets:
            each.setblocking(False)
            each.send(b"GET /files/file.bin HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ")
        self.thread = threading.Thread(target=self.dribble)
        self.thread.start()

    def dribble(self):
        while not self.stop.wait(0.1):
            for each in self.sockets:
                try:
                    each.send(b"y")
                except OSError:
                    continue

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()
        for each in self.sockets:
            each.close()


def test_slowloris(root):
    with Daemon(root, options=["--header-timeout", "2s", "--threads", "2"]) as daemon:
        monitor = Monitor(daemon)
        descriptors = monitor.descriptors()
        dribblers = Dribblers(daemon, 1000)
        with dribblers:
            canary(daemon, 200, 1)
            # However they dribble, each head has its time and no more.
            wait_until(lambda: monitor.value("ranged_connection_timeouts_total", phase="header") == 1000, "all are timed out", 15)
            canary(daemon, 50, 3)
        monitor.wait_until_alone(descriptors + 1)
        monitor.connection.close()


def read_slowly(pipe, address, number):
    """Takes a little from each of many long responses, all the time, until told."""
    held = []
    for index in range(number):
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(address)
        connection.sendall(build("GET", "/files/file.bin", [("Range", f"bytes={index * PAGE}-")]))
        connection.setblocking(False)
        held.append(connection)
    pipe.send(("reading", number))
    while not pipe.poll(0.05):
        for connection in held:
            try:
                connection.recv(500)
            except BlockingIOError:
                continue
    pipe.recv()


@pytest.mark.figures
def test_slow_readers(root):
    """Progress is progress: they are not cut; and they cost what a connection may cost."""
    number = 400
    with Daemon(root, options=["--pool-size", "4MiB", "--send-timeout", "1s", "--threads", "2"]) as daemon:
        monitor = Monitor(daemon)
        descriptors = monitor.descriptors()
        with Crew(read_slowly, daemon.address, number) as crew:
            crew.receive(30)
            canary(daemon, 300, 1)
            assert monitor.value("ranged_connections", state="open") > 1
            assert daemon.status_kib("VmRSS") <= (4 + 16) * 1024 + 16 * (number + 2)
            assert monitor.value("ranged_pool_waits_failed_total") == 0
            crew.tell()
        monitor.wait_until_alone(descriptors + 1)
        monitor.connection.close()


@pytest.mark.figures
def test_a_flood_of_connections(root):
    """More than may be there, as fast as they can be made: refused or served, and then gone."""
    with Daemon(root, options=["--max-connections", "500", "--threads", "2"]) as daemon:
        monitor = Monitor(daemon)
        descriptors, before = monitor.descriptors(), daemon.status_kib("VmRSS")
        refused = 0
        for _ in range(10):
            held = []
            for _ in range(600):
                connection = socket.socket()
                connection.setblocking(False)
                try:
                    connection.connect(daemon.address)
                except BlockingIOError:
                    pass
                held.append(connection)
            # The one that was there is served among them, at once.
            assert monitor.value("ranged_connections", state="open") <= 500
            refused = monitor.value("ranged_connections_refused_total")
            for connection in held:
                connection.close()
        assert refused > 0
        monitor.wait_until_alone(descriptors)
        canary(daemon, 50, 1)
        assert daemon.status_kib("VmRSS") <= before + 4096 + 16 * 500
        monitor.connection.close()


REQUEST = build("GET", "/files/file.bin")
HANG_UPS = {
    "connected": (b"", 0),
    "half a head": (REQUEST[:20], 0),
    "a head": (REQUEST, 0),
    "some of the answer": (REQUEST, 100),
    "more of the answer": (REQUEST, 50_000),
    "a window": (build("GET", "/bytes?file=file.bin&offset=77&len=1000000"), 100),
    "a listing": (build("GET", "/files/"), 0),
    "a look": (build("GET", "/info?file=file.bin"), 0),
    "several requests": (build("GET", "/healthz") * 20, 10),
}


def hang_up(pipe, address, number, seed):
    """Connects, goes as far as a stage, and hangs up: by an end, or by a reset; many at a time."""
    chance = random.Random(seed)
    stages = list(HANG_UPS.values())
    selector = selectors.DefaultSelector()
    begun = done = 0
    while done < number:
        while begun < number and len(selector.get_map()) < 50:
            request, wanted = stages[begun % len(stages)]
            connection = socket.create_connection(address)
            begun += 1
            if request:
                connection.sendall(request)
            if wanted == 0:
                end(connection, chance)
                done += 1
            else:
                connection.setblocking(False)
                selector.register(connection, selectors.EVENT_READ, [wanted])
        for key, _ in selector.select(1) if selector.get_map() else ():
            data = key.fileobj.recv(key.data[0])
            key.data[0] -= len(data)
            if not data or key.data[0] == 0:
                selector.unregister(key.fileobj)
                end(key.fileobj, chance)
                done += 1
    pipe.send(("done", done))
    pipe.recv()


def end(connection, chance):
    if chance.random() < 0.5:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def hang_up_often(daemon, number, seed):
    crews = [Crew(hang_up, daemon.address, number // 2, seed + half) for half in (0, 1)]
    try:
        assert sum(crew.receive(100) for crew in crews) == number
    finally:
        for crew in crews:
            crew.__exit__()


@pytest.mark.figures
@pytest.mark.bound(120)
def test_hang_ups_at_every_stage(root):
    with Daemon(root, options=["--pool-size", "8MiB", "--threads", "2"]) as daemon:
        hang_up_often(daemon, 100, 1)
        monitor = Monitor(daemon)
        wait_until(lambda: monitor.value("ranged_connections", state="open") == 1, "they are gone")
        descriptors = monitor.descriptors()
        sizes = []
        # The first ten thousand leave the allocator's arenas as large as they get, which takes a megabyte more or less.
        for turn in range(3):
            hang_up_often(daemon, 10_000, 10 * turn)
            monitor.wait_until_alone(descriptors)
            sizes.append(daemon.status_kib("VmRSS"))
        print(f"\n{sizes[0]} KiB after 10000 hang-ups, {sizes[1]} KiB after 20000, {sizes[2]} KiB after 30000")
        assert sizes[2] <= sizes[1] + 1024  # a hundred bytes of each would show
        canary(daemon, 100, 1)
        monitor.connection.close()


def take_nothing_of(daemon, request):
    """A client whose answer is far more than what a socket takes, and who reads nothing of it but its head: it is under way."""
    connection = daemon.connect(receive_buffer=4096)
    connection.send(request)
    assert connection.read_head().status == 200
    return connection


def stalled_give_way(daemon, refusal, others):
    """All places are held by clients that take nothing: who is refused and comes again gets one."""
    def status():
        with daemon.connect() as connection:
            connection.send(others)
            status = connection.read_response().status
            assert status in (200, refusal)
            return status
    assert status() == refusal
    wait_until(lambda: status() == 200, "a stalled one gave its place up", patience=60, pause=0.2)
    assert daemon.metric("ranged_connection_timeouts_total", phase="send") >= 1


def test_stalled_searches_give_way_to_others(tmp_path):
    (tmp_path / "zeros.bin").write_bytes(bytes(8 * MIB))
    with Daemon(tmp_path, options=["--max-scans", "2", "--send-timeout", "10m"]) as daemon:
        many = build("GET", "/search?file=zeros.bin&hex=00&limit=1000000")
        stalled = [take_nothing_of(daemon, many) for _ in range(2)]
        stalled_give_way(daemon, 429, build("GET", "/search?file=zeros.bin&hex=01"))
        for connection in stalled:
            connection.close()


def test_stalled_listings_give_way_to_others(tmp_path):
    for number in range(1000):
        (tmp_path / f"{number:04}{'n' * 200}").touch()
    with Daemon(tmp_path, options=["--threads", "1", "--send-timeout", "10m"]) as daemon:
        listing = build("GET", "/files/", [("Accept", "application/json")])
        stalled = [take_nothing_of(daemon, listing) for _ in range(4)]
        stalled_give_way(daemon, 503, build("GET", "/files/"))
        for connection in stalled:
            connection.close()
