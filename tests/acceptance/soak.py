#!/usr/bin/python3
"""Mixed load for long, with files that change underneath, and every byte compared with what it has to be.

    tests/acceptance/soak.py [--minutes 60] [--rate 300] [--folder FOLDER]

Starts the daemon (RANGED_BINARY, else build/release) over a folder of files: one that stays as it is, and some that are appended to,
rewritten in place, truncated, replaced by rename and removed all the time. What is asked: ranges, several ranges, whole files, windows
as JSON and raw, listings, /info, wrong requests; by clients that read on, that are slow, and that hang up in the middle. Once in ten
seconds the configuration is reloaded. `rate` is of requests a second, all together.

Each version of a file is a pattern of its own (harness/content.py), written in order by blocks, so that a response has to be of one
version, or of one up to a block and of its predecessor after it: what the file was at one time. Exit status 0 when all was right. Prints
the figures of the first quarter and of the end, which show what leaks.
"""
import argparse
import base64
import collections
import json
import multiprocessing
import os
import pathlib
import random
import signal
import socket
import struct
import sys
import tempfile
import threading
import time
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from acceptance import test_changing_files as changing  # noqa: E402
from acceptance.support import MIB, PAGE  # noqa: E402
from harness import content  # noqa: E402
from harness.daemon import Daemon  # noqa: E402
from harness.http import Connection, ConnectionCut, build, wait_until  # noqa: E402

STILL_SIZE = 192 * MIB
CHANGING = [f"changing{number}.bin" for number in range(6)]
POOL_MIB, CLIENTS = 16, 2
# What /info adds for good: libmagic's database (8 MiB, of which it touches most) and what it makes of it.
MAGIC_MIB = 13
HOLD = 8  # slow connections of each client process at a time


def change(folder: pathlib.Path, stop, seed: int):
    """One who changes the files, one after the other, a few times a second."""
    chance = random.Random(seed)
    versions = dict.fromkeys(CHANGING, 0)
    while not stop.is_set():
        name = chance.choice(CHANGING)
        path, version = folder / name, versions[name]
        following = (version + 1) % changing.VERSIONS
        what = chance.choice(["rewrite", "rewrite", "anew", "rename", "rename", "append", "truncate", "remove"])
        if what in ("rewrite", "anew"):
            with open(path, "r+b" if what == "rewrite" else "wb", buffering=0) as file:
                size = os.fstat(file.fileno()).st_size if what == "rewrite" else changing.STORM_SIZE
                for offset in range(0, size, changing.BLOCK):
                    os.pwrite(file.fileno(), content.expected(offset, min(changing.BLOCK, size - offset), following), offset)
            versions[name] = following
        elif what == "rename":
            other = folder / ".other"
            content.write_pattern(other, changing.STORM_SIZE, following)
            os.rename(other, path)
            versions[name] = following
        elif what == "append":
            if path.stat().st_size < 4 * changing.STORM_SIZE:
                with open(path, "ab", buffering=0) as file:
                    file.write(content.expected(file.tell(), 3 * PAGE + 7, version))
        elif what == "truncate":
            os.truncate(path, chance.randrange(1, path.stat().st_size + 1))
        else:
            path.unlink()
            content.write_pattern(path, changing.STORM_SIZE, following)
            versions[name] = following
        stop.wait(chance.random() * 0.4)


class Client:
    """One process of the load: counts what it got, and raises at the first wrong byte."""

    def __init__(self, address, seed: int, rate: float):
        self.address, self.rate = address, rate
        self.chance = random.Random(seed)
        self.counts = collections.Counter()
        self.connection = Connection(address, patience=30)
        self.slow_readers = []
        self.asked, self.last = 0, None  # of self.connection

    def run(self, stop):
        due = time.monotonic()
        while not stop.is_set():
            self.step()
            due += 1 / self.rate
            wait = due - time.monotonic()
            if wait > 0:
                time.sleep(wait)
            elif wait < -1:
                due = time.monotonic()  # a machine that is busy elsewhere
        for connection, _ in self.slow_readers:
            connection.close()

    def step(self):
        kind = self.chance.choices(["still", "changing", "json", "info", "listing", "wrong", "hang up", "slow"],
                                   [30, 40, 8, 5, 3, 4, 6, 4])[0]
        self.counts["requests"] += 1
        try:
            getattr(self, kind.replace(" ", "_"))()
        except (BrokenPipeError, ConnectionResetError):
            self.counts["resets"] += 1

    def reconnect(self):
        self.connection.close()
        self.connection = Connection(self.address, patience=30)
        self.asked, self.last = 0, None

    def ask(self, target, fields=(), method="GET"):
        """(head, body, whether it was cut)."""
        asked = (target, fields)
        try:
            self.connection.send(build(method, target, fields))
            head = self.connection.read_head()
        except (ConnectionCut, ConnectionError) as end:
            # A server may close a connection between two requests (RFC 9112, 9.3); this one does so only for a reason, so it is told.
            self.counts["closed before a head"] += 1
            print(f"{time.strftime('%T')} closed before a head: {end!r}; asked {asked}, request {self.asked} of its connection, "
                  f"before it {self.last}", flush=True)
            self.reconnect()
            raise ConnectionResetError from end
        self.asked += 1
        self.last = (asked, head.status, head.length)
        try:
            body, cut = self.connection.read_exactly(0 if head.status == 304 else head.length), False
        except ConnectionCut as end:
            body, cut = end.received, True
        self.counts["bytes"] += len(body)
        self.counts[f"status {head.status}"] += 1
        if cut or head.closes:
            self.reconnect()
        return head, body, cut

    def still(self):
        first = self.chance.randrange(STILL_SIZE - 3 * MIB)
        length = self.chance.choice([1, 100, 4096, PAGE, 300_000, 2 * MIB])
        head, body, cut = self.ask("/files/still.bin", [("Range", f"bytes={first}-{first + length - 1}")])
        assert head.status == 206 and not cut and body == content.expected(first, length), (head.head, first, len(body))

    def changing(self):
        name = self.chance.choice(CHANGING)
        kind = self.chance.choice(["whole", "range", "multipart", "bytes"])
        first = self.chance.randrange(changing.STORM_SIZE)
        target, fields = f"/files/{name}", []
        if kind == "range":
            fields = [("Range", f"bytes={first}-{first + self.chance.randrange(1, 8 * PAGE)}")]
        elif kind == "multipart":
            places = [number * 3 * PAGE + self.chance.randrange(PAGE) for number in range(5)]
            fields = [("Range", "bytes=" + ",".join(f"{place}-{place + self.chance.randrange(1, PAGE)}" for place in places))]
        elif kind == "bytes":
            target = f"/bytes?file={name}&offset={first}&len={self.chance.randrange(1, 8 * PAGE)}&encoding=raw"
        head, body, cut = self.ask(target, fields)
        if cut:
            self.counts["cut"] += 1
        if head.status in (404, 416, 503):
            return
        assert head.status in (200, 206), head.head
        if head.status == 206 and "Content-Range" in head:
            pieces = [(head.content_range[0], body)]
        elif head.status == 206:
            pieces = changing.pieces_of("multipart", body, head)
        else:
            pieces = [(first if kind == "bytes" else 0, body)]
        assert changing.is_one_state(pieces), (kind, name, head.head, [(offset, len(data)) for offset, data in pieces])

    def json(self):
        first = self.chance.randrange(STILL_SIZE - MIB)
        encoding = self.chance.choice(["base64", "hex"])
        head, body, cut = self.ask(f"/bytes?file=still.bin&offset={first}&len=50000&encoding={encoding}")
        data = json.loads(body)["data"]
        got = bytes.fromhex(data) if encoding == "hex" else base64.b64decode(data)
        assert head.status == 200 and not cut and got == content.expected(first, 50000)

    def info(self):
        head, body, cut = self.ask(f"/info?file={self.chance.choice([*CHANGING, 'still.bin'])}")
        assert not cut and head.status in (200, 404, 503), head.head
        json.loads(body)

    def listing(self):
        head, body, cut = self.ask("/files/", [("Accept", "application/json")])
        assert head.status == 200 and not cut and any(entry["name"] == "still.bin" for entry in json.loads(body)["entries"])

    def wrong(self):
        target, fields, statuses = self.chance.choice([("/files/none", [], [404]), ("/files/../x", [], [400, 404]), ("/bytes?x=1", [], [400]),
                                                       ("/files/still.bin", [("Range", "bytes=9-1")], [416])])
        head, _, cut = self.ask(target, fields)
        assert head.status in statuses and not cut, head.head

    def hang_up(self):
        """Somewhere in a request or its answer, by an end or a reset."""
        connection = Connection(self.address)
        request = build("GET", "/files/still.bin")
        stage = self.chance.randrange(4)
        if stage > 0:
            connection.send(request[:self.chance.randrange(1, len(request))] if stage == 1 else request)
        if stage == 3:
            connection.socket.recv(self.chance.randrange(1, 100_000))
        if self.chance.random() < 0.5:
            connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
        self.counts["hang-ups"] += 1

    def slow(self):
        """Takes a little of a long response; there are always some that do."""
        if len(self.slow_readers) < HOLD:
            connection = Connection(self.address, receive_buffer=16 << 10, patience=30)
            first = self.chance.randrange(STILL_SIZE // 2)
            connection.send(build("GET", "/files/still.bin", [("Range", f"bytes={first}-")]))
            assert connection.read_head().status == 206
            self.slow_readers.append([connection, first])
            return
        reader = self.slow_readers.pop(0)
        connection, at = reader
        piece = connection.read_exactly(20_000)
        assert piece == content.expected(at, len(piece))
        self.counts["bytes"] += len(piece)
        if self.chance.random() < 0.1:
            connection.close()
        else:
            self.slow_readers.append([connection, at + len(piece)])


def work(pipe, address, seed, rate, stop):
    client = Client(address, seed, rate)
    try:
        client.run(stop)
        pipe.send((dict(client.counts), None))
    except BaseException:  # whatever it is, it is told
        pipe.send((dict(client.counts), traceback.format_exc()))


def figures(daemon) -> dict:
    return {"RSS KiB": daemon.status_kib("VmRSS"), "peak KiB": daemon.status_kib("VmHWM"),
            "descriptors": len(os.listdir(f"/proc/{daemon.process.pid}/fd")),
            "threads": len(os.listdir(f"/proc/{daemon.process.pid}/task")),
            "pinned": int(daemon.metric("ranged_pool_pages", state="pinned")),
            "connections": int(daemon.metric("ranged_connections", state="open")),
            "CPU s": round(daemon.metric("process_cpu_seconds_total"), 1)}


def soak(folder: pathlib.Path, minutes: float, rate: float) -> bool:
    served = folder / "served"
    served.mkdir()
    content.write_pattern(served / "still.bin", STILL_SIZE)
    for name in CHANGING:
        content.write_pattern(served / name, changing.STORM_SIZE)
    for version in range(changing.VERSIONS):
        content.expected(0, 1, version)  # made before the processes fork
    context = multiprocessing.get_context("fork")
    stop = context.Event()
    seconds = minutes * 60
    with Daemon(served, options=["--pool-size", f"{POOL_MIB}MiB", "--threads", "2", "--access-log", folder / "access.log",
                                 "--send-timeout", "10m"]) as daemon:
        clients = []
        for seed in range(CLIENTS):
            ours, theirs = context.Pipe()
            clients.append((context.Process(target=work, args=(theirs, daemon.address, seed, rate / CLIENTS, stop), daemon=True), ours))
        changer = context.Process(target=change, args=(served, stop, 1), daemon=True)
        for process in [*(process for process, _ in clients), changer]:
            process.start()
        ended = threading.Event()
        begin, quarter, reloads = time.monotonic(), None, 0
        alive = True
        while alive and (passed := time.monotonic() - begin) < seconds:
            ended.wait(min(10.0, seconds - passed))
            alive = daemon.process.poll() is None and changer.is_alive() and all(process.is_alive() for process, _ in clients)
            if alive:
                os.replace(folder / "access.log", folder / "access.log.1")  # one old one is kept
                daemon.signal(signal.SIGHUP)
                reloads += 1
            if quarter is None and time.monotonic() - begin >= seconds / 4:
                quarter = figures(daemon)
                print("after a quarter:", quarter, flush=True)
        stop.set()
        total, problems = collections.Counter(), []
        for process, pipe in clients:
            counts, problem = pipe.recv() if pipe.poll(60) else ({}, "a client gave no account of itself")
            total.update(counts)
            if problem:
                problems.append(problem)
            process.join(10)
        changer.join(10)
        if changer.exitcode != 0:
            problems.append(f"who changes the files ended with {changer.exitcode}")
        if not alive:
            problems.append("it ended early")
        wait_until(lambda: daemon.metric("ranged_connections", state="open") <= 1, "the clients are gone", 30)
        daemon.wait_until_unpinned()
        end = figures(daemon)
        samples = {name: daemon.metric(name) for name in ("ranged_page_loads_total", "ranged_page_loads_stale_total", "ranged_page_load_errors_total",
                                                         "ranged_pool_waits_failed_total", "ranged_http_responses_cut_total",
                                                         "ranged_access_log_dropped_total", "ranged_config_reloads_total")}
    print("at the end:     ", end)
    print(f"{(time.monotonic() - begin) / 60:.1f} minutes, {reloads} reloads:", dict(sorted(total.items())))
    print({name.removeprefix("ranged_"): int(value) for name, value in samples.items()})
    if total["resets"] * 10_000 > total["requests"]:
        problems.append(f"{total['resets']} connections were closed before an answer")
    limit = (POOL_MIB + 16 + MAGIC_MIB) * 1024 + 16 * (CLIENTS * (HOLD + 2) + 2)
    if end["peak KiB"] > limit:
        problems.append(f"a peak of {end['peak KiB']} KiB, and {limit} KiB are allowed")
    if quarter is not None and end["descriptors"] > quarter["descriptors"]:
        problems.append("more descriptors at the end")
    for problem in problems:
        print(problem, file=sys.stderr)
    print("all bytes were right" if not problems else f"{len(problems)} problems")
    return not problems


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--rate", type=float, default=300)
    parser.add_argument("--folder", type=pathlib.Path, help="where the files are made; a temporary folder without it")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        return 0 if soak(pathlib.Path(folder), arguments.minutes, arguments.rate) else 1


if __name__ == "__main__":
    sys.exit(main())
