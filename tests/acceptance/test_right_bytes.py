"""Law 5, the simple half: the right bytes at every place where a number could wrap or a page begin."""
import hashlib
import subprocess

import pytest

from harness import content
from harness.daemon import Daemon
from acceptance.support import MIB, PAGE, TIB, download, run_at_once

SIZE = TIB + 12345
MARKS = [0, 1, PAGE - 1, PAGE, PAGE + 1, (1 << 31) - 1, 1 << 31, (1 << 31) + 1, (1 << 32) - 1, 1 << 32, (1 << 32) + 1, TIB - 1,
         TIB, TIB + 1, SIZE - 1]


@pytest.fixture(scope="module")
def sparse(tmp_path_factory):
    root = tmp_path_factory.mktemp("sparse")
    # Islands around the marks: bytes of the pattern, so that a byte of another place does not pass for a zero.
    return content.SparseFile(root / "sparse.bin", SIZE, [mark - 1500 for mark in (0, PAGE, 1 << 31, 1 << 32, TIB, SIZE)], 3000)


@pytest.fixture(scope="module")
def daemon(sparse):
    with Daemon(sparse.path.parent) as daemon:
        yield daemon
        daemon.wait_until_unpinned()


def around(mark):
    """Ranges that begin, end and lie across a mark."""
    ranges = {(mark, 1), (mark, 1000), (max(0, mark - 999), min(1000, mark + 1)), (max(0, mark - PAGE), 2 * PAGE + 1),
              (max(0, mark - 2 * MIB), 4 * MIB)}
    return sorted((first, min(length, SIZE - first)) for first, length in ranges)


@pytest.mark.parametrize("mark", MARKS)
def test_bytes_around_a_mark_by_a_raw_client(daemon, sparse, mark):
    for first, length in around(mark):
        response = daemon.get("/files/sparse.bin", ("Range", f"bytes={first}-{first + length - 1}"))
        assert response.status == 206
        assert response.content_range == (first, first + length - 1, SIZE)
        assert response.body == sparse.expected(first, length)


@pytest.mark.parametrize("mark", MARKS)
def test_bytes_around_a_mark_by_curl(daemon, sparse, mark, tmp_path):
    for first, length in around(mark):
        out = tmp_path / "out"
        subprocess.run(["curl", "-sSf", "-r", f"{first}-{first + length - 1}", "-o", out, f"http://{daemon.host}/files/sparse.bin"],
                       check=True, timeout=20)
        assert out.read_bytes() == sparse.expected(first, length)


@pytest.mark.parametrize("mark", MARKS)
def test_windows_around_a_mark(daemon, sparse, mark):
    for first, length in around(mark):
        length = min(length, MIB)
        raw = daemon.get(f"/bytes?file=sparse.bin&offset={first}&len={length}&encoding=raw")
        assert raw.body == sparse.expected(first, length)
        shown = daemon.json(f"/bytes?file=sparse.bin&offset={first:#x}&len={min(length, 4096)}&encoding=hex")
        assert bytes.fromhex(shown["data"]) == sparse.expected(first, min(length, 4096))


def test_open_and_suffix_ranges_at_the_end_of_a_tebibyte(daemon, sparse):
    for header, first in ((f"bytes={SIZE - 1}-", SIZE - 1), ("bytes=-1", SIZE - 1), (f"bytes={TIB - 7}-", TIB - 7)):
        response = daemon.get("/files/sparse.bin", ("Range", header))
        assert response.body == sparse.expected(first, SIZE - first)


def download_segment(_pipe, address, first, length):
    download(address, "/files/big.bin", first, length)


@pytest.mark.bound(120)
def test_eight_connections_download_a_big_file(big):
    with Daemon(big.root) as daemon:
        step = -(-big.size // 8)
        segments = [(daemon.address, first, min(step, big.size - first)) for first in range(0, big.size, step)]
        seconds = run_at_once(download_segment, segments)
        print(f"\n8 connections: {big.size} bytes compared in {seconds:.2f} s, {big.size / seconds / MIB:.0f} MiB/s")
        daemon.wait_until_unpinned()


@pytest.mark.bound(120)
def test_checksum_of_a_whole_download(big):
    want = hashlib.sha256()
    for first in range(0, big.size, 16 * MIB):
        want.update(content.expected(first, min(16 * MIB, big.size - first)))
    with Daemon(big.root) as daemon:
        with subprocess.Popen(["curl", "-sSf", f"http://{daemon.host}/files/big.bin"], stdout=subprocess.PIPE) as curl:
            got = subprocess.run(["sha256sum"], stdin=curl.stdout, capture_output=True, check=True, timeout=100).stdout
        assert curl.returncode == 0
        assert got.split()[0].decode() == want.hexdigest()
        daemon.wait_until_unpinned()
