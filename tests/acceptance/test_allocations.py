"""A keep-alive request that finds its pages in the pool allocates nothing."""
import collections
import mmap
import pathlib
import re
import struct
import subprocess

import pytest

from harness import content
from harness.daemon import Daemon, binary
from harness.http import build
from acceptance.support import PAGE, age

pytestmark = pytest.mark.figures
SHIM = pathlib.Path(__file__).with_name("count_allocations.c")
STACKS, DEPTH = 64, 30  # as in the shim
SIZE = 8 + STACKS * DEPTH * 8

REQUESTS = {
    "one byte": [("Range", "bytes=70000-70000")],
    "a page": [("Range", f"bytes={PAGE}-{2 * PAGE - 1}")],
    "across pages": [("Range", f"bytes={PAGE - 5}-{3 * PAGE}")],
    "a suffix": [("Range", "bytes=-1000")],
    "whole": [],
    "not modified": [("If-None-Match", "*")],
}
TARGETS = {**{name: ("/files/file.bin", fields) for name, fields in REQUESTS.items()},
           "a long name": ("/files/a-file-whose-name-is-longer-than-a-short-string-is.bin", [("Range", "bytes=5-9")]),
           "a raw window": (f"/bytes?file=file.bin&offset={PAGE - 5}&len=100&encoding=raw", [])}


@pytest.fixture(scope="module")
def shim(tmp_path_factory):
    library = tmp_path_factory.mktemp("shim") / "count_allocations.so"
    subprocess.run(["gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-fno-builtin", "-shared", "-fPIC", "-o", library, SHIM], check=True)
    return library


@pytest.fixture(scope="module")
def counted(shim, tmp_path_factory):
    """A daemon with the shim, the files it serves, and the mapped figures."""
    root = tmp_path_factory.mktemp("counted")
    content.write_pattern(root / "file.bin", 4 * PAGE)
    age(root / "file.bin")
    (root / "a-file-whose-name-is-longer-than-a-short-string-is.bin").hardlink_to(root / "file.bin")
    path = shim.with_name("figures")
    path.write_bytes(bytes(SIZE))
    with path.open("r+b") as file, mmap.mmap(file.fileno(), SIZE) as figures:
        # Nothing of the file is looked at again in between, which is a disk thread's business and a coroutine's.
        with Daemon(root, options=["--threads", "1", "--stale-after", "1h"],
                    env={"LD_PRELOAD": str(shim), "ALLOCATION_FIGURES": str(path)}) as daemon:
            yield daemon, figures


def call_stacks(daemon, figures, number) -> str:
    """The stacks by frequency, as function names."""
    maps = pathlib.Path(f"/proc/{daemon.process.pid}/maps").read_text()
    base = int(re.search(rf"^([0-9a-f]+)-.* {re.escape(binary())}$", maps, re.M)[1], 16)
    end = max(int(match[1], 16) for match in re.finditer(rf"^[0-9a-f]+-([0-9a-f]+) .* {re.escape(binary())}$", maps, re.M))
    stacks = collections.Counter()
    for index in range(min(number, STACKS)):
        frames = struct.unpack_from(f"<{DEPTH}Q", figures, 8 + index * DEPTH * 8)
        stacks[tuple(frame - base - 1 for frame in frames if base <= frame < end)] += 1
    text = []
    for stack, count in stacks.most_common(12):
        names = subprocess.run(["addr2line", "-Cfpie", binary(), *map(hex, stack)], capture_output=True, text=True, check=True).stdout
        text.append(f"{count} times:\n" + "\n".join("    " + line[:200] for line in names.splitlines()[:14]))
    return "\n".join(text)


@pytest.mark.parametrize("name", TARGETS)
def test_a_request_that_hits_the_pool_allocates_nothing(counted, name):
    daemon, figures = counted
    target, fields = TARGETS[name]
    request = build("GET", target, fields)
    with daemon.connect() as connection:
        def ask(times):
            for _ in range(times):
                connection.send(request)
                response = connection.read_response()
            assert response.status in (200, 206, 304)
        ask(1000)
        struct.pack_into("<II", figures, 0, 1, 0)
        ask(1000)
        struct.pack_into("<I", figures, 0, 0)
        (number,) = struct.unpack_from("<I", figures, 4)
        print(f"\n{name}: {number} allocations in 1000 requests")
        if number > 0:
            pytest.fail(f"{number} allocations in 1000 requests\n{call_stacks(daemon, figures, number)}")


def test_the_shim_sees_allocations(counted):
    """Else the test above could not fail: an answer in JSON does allocate."""
    daemon, figures = counted
    struct.pack_into("<II", figures, 0, 1, 0)
    daemon.json("/info?file=file.bin")
    struct.pack_into("<I", figures, 0, 0)
    assert struct.unpack_from("<I", figures, 4)[0] > 0
