"""What the acceptance tests share: load clients in processes of their own, the kernel's view of sockets, the page cache."""
import multiprocessing
import os
import pathlib
import random
import re
import resource
import selectors
import socket
import time
import traceback

from harness import content
from harness.daemon import binary
from harness.http import Connection, build, wait_until

MIB = 1 << 20
GIB = 1 << 30
TIB = 1 << 40
PAGE = 64 << 10  # the default page size


def is_instrumented() -> bool:
    """Whether the daemon is built with a sanitizer, whose own memory and allocations are not the daemon's."""
    return any(mark in pathlib.Path(binary()).read_bytes() for mark in (b"__asan_init", b"__tsan_init"))


def drop_from_page_cache(path):
    """Makes the next read of a file go to the disk. Dirty pages are not dropped, so they are written first."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)


def age(path):
    """Waits until a file is no longer racily clean: what changed within the last 100 ms is not shared (law 5)."""
    wait_until(lambda: time.time() - os.stat(path).st_ctime > 0.15, "the file has aged")


def receive_exactly(connection: socket.socket, view: memoryview) -> None:
    while view:
        count = connection.recv_into(view)
        if count == 0:
            raise AssertionError(f"cut {len(view)} bytes early")
        view = view[count:]


def download(address, target: str, first: int, length: int, version: int = 0, check: bool = True) -> None:
    """A range of a pattern file by a raw client, compared byte by byte as it comes."""
    with Connection(address) as connection:
        connection.send(build("GET", target, [("Range", f"bytes={first}-{first + length - 1}")]))
        response = connection.read_head()
        assert response.status == 206, response
        assert response.length == length, response
        at = first
        early = bytes(connection.buffer)
        assert content.expected(at, len(early), version) == early
        at += len(early)
        buffer = memoryview(bytearray(min(MIB, content.PERIOD)))
        while at < first + length:
            piece = buffer[:min(len(buffer), first + length - at)]
            receive_exactly(connection.socket, piece)
            if check:
                assert piece == content.expected(at, len(piece), version), (at, len(piece))
            at += len(piece)


class Crew:
    """Clients in a process of their own: `work(report, *arguments)` runs there. `report(value)` is received here."""

    def __init__(self, work, *arguments):
        # Forked, so that the pattern's table and the modules are there already.
        context = multiprocessing.get_context("fork")
        self._ours, theirs = context.Pipe()
        self.process = context.Process(target=self._main, args=(theirs, work, arguments), daemon=True)
        self.process.start()
        theirs.close()

    @staticmethod
    def _main(pipe, work, arguments):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft < hard:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        try:
            work(pipe, *arguments)
            pipe.send(("end", None))
        except BaseException:
            pipe.send(("failed", traceback.format_exc()))

    def receive(self, patience: float = 60.0):
        """What the crew reports next; fails when it failed."""
        assert self._ours.poll(patience), f"the clients say nothing for {patience} s"
        kind, value = self._ours.recv()
        assert kind != "failed", value
        return value

    def tell(self, value=None):
        self._ours.send(value)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._ours.close()
        if self.process.is_alive():
            self.process.terminate()
        self.process.join()


def run_at_once(work, argument_lists, patience: float = 120.0) -> float:
    """Runs `work(pipe, *arguments)` for each list in a process of its own, all at once; seconds until the last ended."""
    begin = time.monotonic()
    crews = [Crew(work, *arguments) for arguments in argument_lists]
    try:
        for crew in crews:
            crew.receive(patience)
    finally:
        for crew in crews:
            crew.__exit__()
    return time.monotonic() - begin


class RandomReader:
    """One keep-alive connection of a selector loop that reads random ranges and compares every byte."""

    def __init__(self, address, target, file_size, length, seed):
        self.socket = socket.create_connection(address)
        self.socket.setblocking(False)
        self.target, self.file_size, self.length = target, file_size, length
        self.random = random.Random(seed)
        self.responses = 0
        self.ask()

    def ask(self):
        self.first = self.random.randrange(self.file_size - self.length)
        self.socket.send(build("GET", self.target, [("Range", f"bytes={self.first}-{self.first + self.length - 1}")]))
        self.head = b""
        self.at = None

    def take(self, buffer: bytearray):
        """Takes what has come. True when a response is complete and the next is asked for."""
        count = self.socket.recv_into(buffer)
        assert count > 0, "the daemon closed"
        data = memoryview(buffer)[:count]
        if self.at is None:
            self.head += bytes(data)
            end = self.head.find(b"\r\n\r\n")
            if end < 0:
                return False
            assert self.head.startswith(b"HTTP/1.1 206 "), self.head[:200]
            data = memoryview(self.head)[end + 4:]
            self.at = self.first
        assert data == content.expected(self.at, len(data)), self.at
        self.at += len(data)
        assert self.at <= self.first + self.length
        if self.at < self.first + self.length:
            return False
        self.responses += 1
        return True


def read_randomly(pipe, address, target, file_size, connections, length, seconds):
    """Many connections read random ranges for some seconds. Reports when each has had a response, then the count."""
    selector = selectors.DefaultSelector()
    readers = [RandomReader(address, target, file_size, length, seed) for seed in range(connections)]
    for reader in readers:
        selector.register(reader.socket, selectors.EVENT_READ, reader)
    buffer = bytearray(256 << 10)
    waiting = connections
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline or waiting:
        for key, _ in selector.select(1):
            reader = key.data
            if reader.take(buffer):
                waiting -= reader.responses == 1
                reader.ask()
    pipe.send(("count", sum(reader.responses for reader in readers)))
    pipe.recv()


def hold_idle(pipe, address, target, connections):
    """Opens keep-alive connections, asks once on each, and keeps them open until told."""
    held = []
    request = build("GET", target, [("Range", "bytes=0-99")])
    for _ in range(connections):
        held.append(socket.create_connection(address))
        held[-1].sendall(request)
    for connection in held:
        data = b""
        while b"\r\n\r\n" not in data or len(data) - data.find(b"\r\n\r\n") - 4 < 100:
            more = connection.recv(4096)
            assert more, data
            data += more
        assert data.startswith(b"HTTP/1.1 206 "), data[:200]
    pipe.send(("open", connections))
    pipe.recv()


def stop_reading(pipe, address, target, connections, length, taken, file_size):
    """Asks for long ranges, takes the first bytes of each and no more, until told."""
    held = []
    buffer = memoryview(bytearray(taken))
    for number in range(connections):
        connection = socket.socket()
        # Bounded, so that what the kernel holds is what the daemon gave it and not what a receiver of this machine may.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 10)
        connection.connect(address)
        first = number * (file_size - length) // connections
        connection.sendall(build("GET", target, [("Range", f"bytes={first}-{first + length - 1}")]))
        held.append(connection)
    for connection in held:
        receive_exactly(connection, buffer)
    pipe.send(("stalled", connections))
    pipe.recv()


def tcp_memory() -> int:
    """Bytes that the kernel holds for TCP, of all processes (sockstat counts pages)."""
    return int(re.search(r"^TCP:.* mem (\d+)$", pathlib.Path("/proc/net/sockstat").read_text(), re.M)[1]) * 4096


def send_queues(port: int) -> list:
    """Bytes sent or to be sent, and not acknowledged, of each established connection of a local port (proc(5))."""
    queues = []
    for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if int(fields[1].split(":")[1], 16) == port and fields[3] == "01":
            queues.append(int(fields[4].split(":")[0], 16))
    return queues
