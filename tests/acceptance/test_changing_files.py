"""Law 5: whatever happens to a file under a transfer, never a byte that was not in one version of it at that offset."""
import base64
import itertools
import os
import random
import re
import time

import pytest

from harness import content, multipart
from harness.daemon import Daemon
from harness.http import Connection, ConnectionCut, build, wait_until
from acceptance.support import MIB, PAGE, Crew, age, drop_from_page_cache

SIZE = 12 * MIB + 4321
FIRST, LENGTH = 3 * PAGE - 77, 8 * MIB
PARTS = [(0, 2 * MIB), (3 * MIB + 1, 3 * MIB), (7 * MIB, 4 * MIB)]


# What may happen to a file. Each gives the version and the size of what can be read afterwards, None for no file.

def rewrite(path, version, mtime=None):
    with open(path, "r+b") as file:
        content.write_into(file.fileno(), 0, os.fstat(file.fileno()).st_size, version)
    if mtime is not None:
        os.utime(path, ns=(mtime, mtime))
    return version, os.stat(path).st_size


def truncate(path, version):
    os.truncate(path, 3 * MIB + 5)
    return version - 1, 3 * MIB + 5


def truncate_to_nothing(path, version):
    os.truncate(path, 0)
    return version - 1, 0


def write_anew(path, version):
    content.write_pattern(path, SIZE - MIB, version)
    return version, SIZE - MIB


def rewrite_in_place(path, version):
    return rewrite(path, version)


def rewrite_and_set_the_time_back(path, version):
    return rewrite(path, version, os.stat(path).st_mtime_ns)


def append(path, version):
    size = os.stat(path).st_size
    with open(path, "r+b") as file:
        content.write_into(file.fileno(), size, MIB, version - 1)
    return version - 1, size + MIB


def replace_by_rename(path, version):
    other = path.with_name("other")
    content.write_pattern(other, SIZE, version)
    os.rename(other, path)
    return version, SIZE


def remove(path, version):
    path.unlink()
    return None


CHANGES = [truncate, truncate_to_nothing, write_anew, rewrite_in_place, rewrite_and_set_the_time_back, append, replace_by_rename,
           remove]
# After these the old bytes are nowhere: what is not in the daemon's hands already cannot be sent.
DESTROYING = {truncate, truncate_to_nothing, write_anew, rewrite_in_place, rewrite_and_set_the_time_back}


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    root = tmp_path_factory.mktemp("changing")
    # A pool that cannot hold the file, and windows that do not fit the socket.
    with Daemon(root, options=["--pool-size", "4MiB", "--threads", "1", "--max-window", "8MiB"]) as daemon:
        yield daemon, root
        daemon.wait_until_unpinned()


def pieces_of(kind, body, head):
    """[(offset, bytes)] of a response's body, which may have been cut anywhere."""
    if kind == "whole":
        return [(0, body)]
    if kind in ("range", "bytes"):
        return [(FIRST, body)]
    pieces = []
    for match in re.finditer(rb"Content-Range: bytes ([0-9]+)-([0-9]+)/[0-9]+\r\n(?:[^\r\n]+\r\n)*\r\n", body):
        first, last = int(match[1]), int(match[2])
        pieces.append((first, body[match.end():match.end() + last - first + 1]))
    assert head.status == 206 and multipart.boundary_of(head["Content-Type"])
    return pieces


REQUESTS = {
    "whole": ("/files/{}", []),
    "range": ("/files/{}", [("Range", f"bytes={FIRST}-{FIRST + LENGTH - 1}")]),
    "multipart": ("/files/{}", [("Range", "bytes=" + ",".join(f"{first}-{first + length - 1}" for first, length in PARTS))]),
    "bytes": (f"/bytes?file={{}}&offset={FIRST}&len={LENGTH}&encoding=raw", []),
}
names = (f"file{number}.bin" for number in itertools.count())


@pytest.mark.parametrize("temperature", ["hot", "cold"])
@pytest.mark.parametrize("kind", REQUESTS)
@pytest.mark.parametrize("change", CHANGES)
def test_a_change_in_the_middle_of_a_transfer(served, change, kind, temperature):
    daemon, root = served
    path = root / next(names)
    content.write_pattern(path, SIZE, 1)
    age(path)
    if temperature == "cold":
        drop_from_page_cache(path)
    target, fields = REQUESTS[kind]
    cuts = daemon.metric("ranged_http_responses_cut_total")
    # A small receive buffer: the daemon has most of the response still to send when the file changes.
    with daemon.connect(receive_buffer=16 << 10) as connection:
        connection.send(build("GET", target.format(path.name), fields))
        head = connection.read_head()
        body = connection.read_exactly(100_000)
        left = change(path, 2)
        if temperature == "cold" and left is not None:
            drop_from_page_cache(path)
        try:
            body += connection.read_exactly(head.length - len(body))
            cut = False
        except ConnectionCut as end:
            body += end.received
            cut = True
        for offset, data in pieces_of(kind, body, head):
            assert content.first_difference(data, offset, 1) is None
        if cut:
            assert daemon.metric("ranged_http_responses_cut_total") == cuts + 1
            connection.expect_end()
        else:
            assert change not in DESTROYING
    path.unlink(missing_ok=True)


@pytest.fixture(scope="module")
def copying(served):
    """A daemon that lends no page of the page cache to a socket: what waits there is the old version, however long."""
    _, root = served
    with Daemon(root, options=["--sendfile=false"]) as daemon:
        yield daemon, root


@pytest.mark.parametrize("kind", ["whole", "range", "multipart"])
@pytest.mark.parametrize("change", [truncate, rewrite_in_place, write_anew])
def test_a_change_in_the_middle_of_a_transfer_without_sendfile(copying, change, kind):
    daemon, root = copying
    path = root / next(names)
    content.write_pattern(path, SIZE, 1)
    age(path)
    target, fields = REQUESTS[kind]
    with daemon.connect(receive_buffer=16 << 10) as connection:
        connection.send(build("GET", target.format(path.name), fields))
        head = connection.read_head()
        body = connection.read_exactly(100_000)
        change(path, 2)
        with pytest.raises(ConnectionCut) as end:
            connection.read_exactly(head.length - len(body))
        body += end.value.received
        for offset, data in pieces_of(kind, body, head):
            assert content.first_difference(data, offset, 1) is None
    path.unlink()


@pytest.mark.parametrize("change", [truncate, rewrite_in_place, write_anew])
def test_a_change_after_the_response_was_sent(served, change):
    """A response that is whole for the daemon and waits in the socket cannot be cut any more: it must be the old one."""
    daemon, root = served
    path = root / next(names)
    content.write_pattern(path, SIZE, 1)
    age(path)
    length = 200_000
    first = SIZE - MIB  # what truncation takes away
    before = daemon.metric("ranged_http_requests_total", route="files")
    with daemon.connect() as connection:
        connection.send(build("GET", f"/files/{path.name}", [("Range", f"bytes={first}-{first + length - 1}")]))
        wait_until(lambda: daemon.metric("ranged_http_requests_total", route="files") == before + 1, "it is sent")
        change(path, 2)
        response = connection.read_response()
        assert content.first_difference(response.body, first, 1) is None
        assert len(response.body) == length
    path.unlink()


@pytest.mark.parametrize("encoding", ["base64", "hex"])
def test_a_change_in_the_middle_of_a_json_window(served, encoding):
    """A window is not mended: it is cut, and what came is a beginning of the old."""
    daemon, root = served
    path = root / next(names)
    content.write_pattern(path, SIZE, 1)
    age(path)
    with daemon.connect(receive_buffer=16 << 10) as connection:
        connection.send(build("GET", f"/bytes?file={path.name}&offset={FIRST}&len={LENGTH}&encoding={encoding}"))
        head = connection.read_head()
        body = connection.read_exactly(100_000)
        rewrite_in_place(path, 2)
        with pytest.raises(ConnectionCut) as end:
            connection.read_exactly(head.length - len(body))
        body += end.value.received
    text = body[body.index(b'"data":"') + 8:].decode()
    if encoding == "hex":
        data = bytes.fromhex(text[:len(text) // 2 * 2])
    else:
        data = base64.b64decode(text[:len(text) // 4 * 4])
    assert len(data) > 50_000
    assert content.first_difference(data, FIRST, 1) is None


def state_of(daemon, name):
    """(version, size) as the daemon answers; None for 404. Fails for what is neither version's."""
    response = daemon.get(f"/files/{name}", ("Range", "bytes=0-99999"))
    if response.status == 404:
        return None
    if response.status == 200:
        assert response.body == b""
        return "any", 0
    assert response.status == 206, (response.status, response.body)
    for version in (1, 2):
        if response.body == content.expected(0, len(response.body), version):
            return version, response.content_range[2]
    raise AssertionError("bytes of no version")


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_seen_within_a_second(served, change):
    daemon, root = served
    path = root / next(names)
    content.write_pattern(path, SIZE, 1)
    age(path)
    assert state_of(daemon, path.name) == (1, SIZE)
    after = change(path, 2)
    if after is not None and after[1] == 0:
        after = ("any", 0)
    changed = time.monotonic()
    fresh = False
    # Asked for all the time, so that it is neither forgotten nor opened anew for being unused.
    while (asked := time.monotonic()) < changed + 1.3:
        state = state_of(daemon, path.name)
        assert state in ((1, SIZE), after)
        assert not (fresh and state != after), "the old after the new"
        fresh = fresh or state == after
        assert fresh or asked < changed + 1.0
    assert fresh


@pytest.mark.bound(120)
def test_nothing_stale_when_every_request_looks(tmp_path):
    """With stale_after 0 the very next request sees the change, many times over."""
    path = tmp_path / "file.bin"
    with Daemon(tmp_path, options=["--stale-after", "0s", "--pool-size", "8MiB"]) as daemon, daemon.connect() as connection:
        request = build("GET", "/files/file.bin")
        for number in range(300):
            size = 1 + number * 977 % (3 * PAGE)
            if number % 3 == 0:
                content.write_pattern(path, size, number % 8)
            elif number % 3 == 1:
                other = path.with_name("other")
                content.write_pattern(other, size, number % 8)
                os.rename(other, path)
            else:
                size = os.stat(path).st_size
                rewrite(path, number % 8)
            for _ in range(2):
                connection.send(request)
                response = connection.read_response()
                assert response.status == 200 and response.body == content.expected(0, size, number % 8)


# The storm: one who changes a file in all ways without a pause, and many who read it in all ways.

STORM_SIZE = 20 * PAGE + 123
BLOCK = 16 << 10   # what one write of the storm covers: within it, a read beside the write may be of either version
VERSIONS = 8       # patterns in use; each version's successor is the next, around


def change_all_the_time(pipe, path, seconds):
    chance = random.Random(1)
    deadline = time.monotonic() + seconds
    version, changes = 0, 0
    while time.monotonic() < deadline:
        what = chance.choice(["rewrite", "rewrite", "rewrite", "anew", "rename", "append", "shrink", "remove", "rest"])
        following = (version + 1) % VERSIONS
        if what == "rewrite":
            with open(path, "r+b", buffering=0) as file:
                size = os.fstat(file.fileno()).st_size
                for offset in range(0, size, BLOCK):
                    os.pwrite(file.fileno(), content.expected(offset, min(BLOCK, size - offset), following), offset)
            version = following
        elif what == "anew":
            with open(path, "wb", buffering=0) as file:
                for offset in range(0, STORM_SIZE, BLOCK):
                    file.write(content.expected(offset, min(BLOCK, STORM_SIZE - offset), following))
            version = following
        elif what == "rename":
            other = path.with_name("other")
            content.write_pattern(other, STORM_SIZE, following)
            os.rename(other, path)
            version = following
        elif what == "append":
            with open(path, "ab", buffering=0) as file:
                file.write(content.expected(file.tell(), 3 * PAGE + 7, version))
        elif what == "shrink":
            # Never longer: that would be zeros, which are of no version.
            os.truncate(path, chance.randint(1, os.stat(path).st_size))
        elif what == "remove":
            path.unlink()
            content.write_pattern(path, STORM_SIZE, following)
            version = following
        else:
            # Long enough for the file not to be racily clean, so that its pages are shared and kept.
            age(path)
            if chance.random() < 0.5:
                drop_from_page_cache(path)
        changes += 1
    pipe.send(("count", changes))
    pipe.recv()


def is_one_state(pieces) -> bool:
    """Whether all pieces are of one state of the file: a version, or a version up to some block and its predecessor after."""
    return any(is_state_of(pieces, version) for version in range(VERSIONS))


def is_state_of(pieces, version) -> bool:
    cut = None  # where the block begins that was being written
    for offset, data in sorted(pieces):
        if cut is None:
            other = content.first_difference(data, offset, version)
            if other is None:
                continue
            cut = other // BLOCK * BLOCK
        begin = max(0, cut - offset)
        end = max(0, cut + BLOCK - offset)
        before = content.expected(offset, len(data), (version - 1) % VERSIONS)
        if data[end:] != before[end:]:
            return False
        after = content.expected(offset, len(data), version)
        if any(byte not in (a, b) for byte, a, b in zip(data[begin:end], after[begin:end], before[begin:end])):
            return False
    return True


def read_all_the_time(pipe, address, seed, seconds):
    chance = random.Random(seed)
    deadline = time.monotonic() + seconds
    counts = {"whole": 0, "range": 0, "multipart": 0, "bytes": 0, "cut": 0, "refused": 0}
    connection = Connection(address)
    while time.monotonic() < deadline:
        kind = chance.choice(["whole", "range", "multipart", "bytes"])
        first = chance.randrange(STORM_SIZE)
        fields, target = [], "/files/storm.bin"
        if kind == "range":
            fields = [("Range", f"bytes={first}-{first + chance.randrange(1, 8 * PAGE)}")]
        elif kind == "multipart":
            places = [number * 3 * PAGE + chance.randrange(PAGE) for number in range(5)]
            fields = [("Range", "bytes=" + ",".join(f"{place}-{place + chance.randrange(1, PAGE)}" for place in places))]
        elif kind == "bytes":
            target = f"/bytes?file=storm.bin&offset={first}&len={chance.randrange(1, 8 * PAGE)}&encoding=raw"
        try:
            connection.send(build("GET", target, fields))
            head = connection.read_head()
            try:
                body = connection.read_exactly(head.length)
            except ConnectionCut as end:
                body = end.received
                counts["cut"] += 1
                connection.close()
                connection = Connection(address)
        except ConnectionCut:
            raise AssertionError("cut before a head") from None
        if head.status in (400, 404, 416, 503):
            counts["refused"] += 1
            continue
        assert head.status in (200, 206), head
        if head.status == 206 and "Content-Range" in head:
            pieces = [(head.content_range[0], body)]
        elif head.status == 206:
            pieces = pieces_of("multipart", body, head)
        else:
            pieces = [(first if kind == "bytes" else 0, body)]
        assert is_one_state(pieces), (kind, head.fields, [(offset, len(data)) for offset, data in pieces])
        counts[kind] += 1
    pipe.send(("counts", counts))
    pipe.recv()


@pytest.mark.bound(120)
@pytest.mark.parametrize("stale_after", ["1s", "20ms", "0s"])
def test_a_storm_of_changes(tmp_path, stale_after):
    path = tmp_path / "storm.bin"
    content.write_pattern(path, STORM_SIZE, 0)
    for version in range(VERSIONS):
        content.expected(0, 1, version)  # made before the processes fork
    seconds, total = 5, {}
    with Daemon(tmp_path, options=["--stale-after", stale_after, "--pool-size", "4MiB", "--threads", "2"]) as daemon:
        with Crew(change_all_the_time, path, seconds) as writer:
            readers = [Crew(read_all_the_time, daemon.address, seed, seconds) for seed in range(4)]
            try:
                for reader in readers:
                    for kind, count in reader.receive(60).items():
                        total[kind] = total.get(kind, 0) + count
                changes = writer.receive(60)
            finally:
                for reader in readers:
                    reader.__exit__()
        print(f"\nstale_after {stale_after}: {changes} changes, {total}; "
              f"{daemon.metric('ranged_page_loads_stale_total'):.0f} loads found the file changed")
        assert changes > 20
        assert all(total[kind] > 0 for kind in ("whole", "range", "multipart", "bytes"))
        daemon.wait_until_unpinned()
