"""How bytes go that are not in the pool: by sendfile, passed through, read alone from the disk. They are the same, and are counted."""
import os
import pathlib
import random
import sys

import pytest

from acceptance.support import age, drop_from_page_cache
from harness.daemon import Daemon
from harness.http import build


@pytest.fixture(scope="module")
def old():
    """A file of some megabytes that is older than a minute and in the page cache: the interpreter that runs this."""
    path = pathlib.Path(sys.executable).resolve()
    return path, path.read_bytes()


def handed_over(daemon):
    return daemon.metric("ranged_http_response_bytes_total", path="sendfile")


@pytest.mark.parametrize("options, lends", [([], True), (["--sendfile=false"], False)])
def test_large_stretches_of_old_files(old, options, lends):
    path, contents = old
    size = len(contents)
    with Daemon(path, options=options) as daemon:
        target = f"/files/{path.name}"
        assert daemon.get(target).body == contents
        first = size // 3
        response = daemon.get(target, ("Range", f"bytes={first}-{first + 999_999}"))
        assert (response.status, response.body) == (206, contents[first:first + 1_000_000])
        assert (handed_over(daemon) > size) == lends
        before = handed_over(daemon)
        assert daemon.get(target, ("Range", "bytes=-1000")).body == contents[-1000:]
        assert daemon.get(f"/bytes?offset={first}&len=1000000&encoding=raw").body == contents[first:first + 1_000_000]
        assert handed_over(daemon) == before  # small ones and windows are copied
        parts = daemon.get(target, ("Range", f"bytes=0-199999,{size - 300_000}-{size - 1}"))
        assert contents[:200_000] in parts.body and contents[-300_000:] in parts.body
        assert (handed_over(daemon) > before) == lends
        daemon.wait_until_unpinned()


def test_a_slow_reader_of_an_old_file(old):
    path, contents = old
    with Daemon(path) as daemon, daemon.connect(receive_buffer=16 << 10) as connection:
        connection.send(build("GET", f"/files/{path.name}"))
        head = connection.read_head()
        body = b""
        while len(body) < head.length:
            body += connection.read_exactly(min(50_000, head.length - len(body)))
        assert body == contents


def test_pages_that_the_kernel_has_dropped():
    """What lies between them is handed over, though the pool has read ahead."""
    # Nothing that a test writes is old; what is installed is. The compiler's library has a hundred megabytes.
    path = max((entry for entry in pathlib.Path("/usr/lib").rglob("*.so*") if entry.is_file() and not entry.is_symlink()),
               key=lambda entry: entry.stat().st_size)
    contents = path.read_bytes()
    size = len(contents)
    assert size > 16 << 20
    with Daemon(path) as daemon:
        file = os.open(path, os.O_RDONLY)
        for offset in range(1 << 20, size, 3 << 20):
            os.posix_fadvise(file, offset, 64 << 10, os.POSIX_FADV_DONTNEED)
        os.close(file)
        assert daemon.get(f"/files/{path.name}").body == contents
        assert handed_over(daemon) > size * 3 // 4
        daemon.wait_until_unpinned()


def test_little_that_the_disk_has_is_read_alone(tmp_path):
    """Of a page of 64 KiB that nobody asked for before, the disk is asked for the 4 KiB that are wanted."""
    path, page, count = tmp_path / "cold.bin", 64 << 10, 40
    contents = random.Random(7).randbytes(count * page)
    path.write_bytes(contents)
    age(path)
    with Daemon(path) as daemon:
        drop_from_page_cache(path)
        for number in range(0, count, 2):
            first = number * page + 1234
            response = daemon.get(f"/files/{path.name}", ("Range", f"bytes={first}-{first + 4095}"))
            assert response.body == contents[first:first + 4096]
        populated = daemon.metric("ranged_populate_reads_total")
        assert populated > count // 4  # but for what the kernel read ahead by itself
        assert daemon.metric("ranged_populate_read_bytes_total") == populated * 4096
        assert daemon.metric("ranged_page_load_bytes_total") < count * page // 8
        # Asked for again, a page is worth its frame.
        before = daemon.metric("ranged_page_load_bytes_total")
        for _ in range(2):
            daemon.get(f"/files/{path.name}", ("Range", "bytes=1234-5329"))
        assert daemon.metric("ranged_page_load_bytes_total") == before + page
        daemon.wait_until_unpinned()


def test_short_stretches_that_the_disk_has_are_handed_over():
    """They are read into the page cache by a disk thread, and go from there, as if they had been in memory."""
    # Installed long ago, and mapped by nobody: the kernel drops no mapped page.
    path = max((entry for entry in pathlib.Path("/usr/lib").rglob("*.a") if entry.is_file() and not entry.is_symlink()),
               key=lambda entry: entry.stat().st_size)
    contents = path.read_bytes()
    size, length = len(contents), 100_000
    assert size > 4 << 20
    with Daemon(path) as daemon:
        drop_from_page_cache(path)
        for first in range(0, size - length, size // 10):
            response = daemon.get(f"/files/{path.name}", ("Range", f"bytes={first}-{first + length - 1}"))
            assert response.body == contents[first:first + length]
        assert daemon.metric("ranged_populate_reads_total") > 2
        assert handed_over(daemon) > 5 * length
        # One megabyte is the most that is waited for at once; what is longer is read ahead into the pool.
        drop_from_page_cache(path)
        assert daemon.get(f"/files/{path.name}", ("Range", f"bytes=77-{77 + (3 << 20)}")).body == contents[77:78 + (3 << 20)]
        daemon.wait_until_unpinned()
