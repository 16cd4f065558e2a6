"""What the dearest request of each kind costs: memory, bytes from the disk, and processor time, each at most what README.md promises."""
import threading

import pytest

from harness import content
from harness.daemon import Daemon
from harness.http import build
from acceptance.support import MIB, PAGE, age, drop_from_page_cache
from acceptance.test_connection_limits import cpu_seconds

SIZE = 128 * MIB
RANGES = 256  # max_ranges
ENTRIES = 20_000
LISTED = 1000  # entries of one listing
CLIENTS = 40


def byte_of_each(pages) -> str:
    return "bytes=" + ",".join(f"{page * PAGE + 5}-{page * PAGE + 5}" for page in pages)


# Name, target, Range; the bytes of pages that it may read: those that it touches, whole.
DEAREST = {
    "a byte of each of 256 pages": ("/files/file.bin", byte_of_each(range(0, 1024, 4)), RANGES * PAGE),
    "the same backwards": ("/files/file.bin", byte_of_each(range(1020, -1, -4)), RANGES * PAGE),
    "256 ranges that overlap": ("/files/file.bin", "bytes=" + ",".join(f"{n}-{2 * PAGE}" for n in range(RANGES)), 3 * PAGE),
    "a window in hexadecimal": (f"/bytes?file=file.bin&offset={7 * PAGE + 5}&len={MIB}&encoding=hex", None, MIB + PAGE),
    "a byte": ("/files/file.bin", "bytes=70000000-70000000", PAGE),
    "a look": ("/info?file=file.bin", None, PAGE),
    "a large directory": ("/files/many/", None, 0),
}


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    root = tmp_path_factory.mktemp("dear")
    content.write_pattern(root / "file.bin", SIZE)
    age(root / "file.bin")
    (root / "many").mkdir()
    for number in range(ENTRIES):
        (root / "many" / f"name{number:06}").touch()
    with Daemon(root, options=["--pool-size", "32MiB", "--threads", "1"]) as daemon:
        daemon.get("/info?file=file.bin")  # loads libmagic's database
        yield daemon, root


def ask(daemon, target, ranges):
    fields = [("Range", ranges)] if ranges else []
    response = daemon.request("GET", target, fields)
    assert response.status in (200, 206), response.head
    return response


@pytest.mark.parametrize("name", DEAREST)
def test_what_it_reads(served, name):
    daemon, root = served
    target, ranges, most = DEAREST[name]
    drop_from_page_cache(root / "file.bin")
    before, used = daemon.metric("ranged_page_load_bytes_total"), cpu_seconds(daemon)
    response = ask(daemon, target, ranges)
    read, used = daemon.metric("ranged_page_load_bytes_total") - before, cpu_seconds(daemon) - used
    print(f"\n{name}: {read / 1024:.0f} KiB read, {len(response.body) / 1024:.0f} KiB answered, {used * 1000:.0f} ms of processor time")
    assert read <= most
    if ranges:
        assert len(response.body) <= SIZE + RANGES * 200
    daemon.wait_until_unpinned()


@pytest.mark.figures
@pytest.mark.parametrize("name", DEAREST)
def test_what_it_holds(served, name):
    """Many at once, and a client that takes nothing of each."""
    daemon, _ = served
    target, ranges, _ = DEAREST[name]
    ask(daemon, target, ranges)
    daemon.reset_peak()
    before = daemon.status_kib("VmRSS")
    connections = [daemon.connect(receive_buffer=4096) for _ in range(CLIENTS)]
    for connection in connections:
        connection.send(build("GET", target, [("Range", ranges)] if ranges else []))
    heads = [connection.read_head() for connection in connections]
    answered = sum(head.status in (200, 206) for head in heads)
    assert all(head.status in (200, 206, 503) for head in heads) and answered > 0
    daemon.wait_until_unpinned()
    held = daemon.status_kib("VmHWM") - before
    print(f"\n{name}: {held} KiB for {CLIENTS} connections, of which {answered} were answered")
    # A listing is made in memory; four of a worker's are at a time, of 2.5 MiB at worst.
    allowed = 16 * CLIENTS + (4 * 2560 if name == "a large directory" else 0)
    assert held <= allowed + 256  # what the allocator rounds up to
    for connection in connections:
        connection.close()


def test_a_request_does_not_hold_up_others(served):
    """While the dearest are asked for without a pause, a small one is answered, each time."""
    daemon, _ = served
    stop = threading.Event()
    failures = []

    def ask_dear(target, ranges):
        try:
            while not stop.is_set():
                daemon.request("GET", target, [("Range", ranges)] if ranges else [])
        except Exception as error:  # told below
            failures.append(error)

    threads = [threading.Thread(target=ask_dear, args=(target, ranges)) for target, ranges, _ in DEAREST.values()]
    for thread in threads:
        thread.start()
    try:
        for number in range(200):
            response = daemon.get("/files/file.bin", ("Range", f"bytes={number * 1000}-{number * 1000 + 99}"))
            assert response.body == content.expected(number * 1000, 100)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not failures
