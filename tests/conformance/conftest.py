"""One daemon and one tree of files for the whole suite."""
import dataclasses
import os
import pathlib

import pytest

from harness import content
from harness.daemon import Daemon

# The instant that RFC 9110, 5.6.7 writes in all three date formats.
MODIFIED = 784111777
IMF_FIXDATE = "Sun, 06 Nov 1994 08:49:37 GMT"
RFC_850 = "Sunday, 06-Nov-94 08:49:37 GMT"
ASCTIME = "Sun Nov  6 08:49:37 1994"

PAGE = 64 << 10  # the default page size
SIZES = {
    "empty.bin": 0, "one.bin": 1, "six.txt": 6, "ten.bin": 10, "eleven.bin": 11, "eighteen.bin": 18, "hundred.bin": 100,
    "thousand.bin": 1000, "eight_thousand.bin": 8000, "forty_thousand.bin": 40000,
    "page_less_one.bin": PAGE - 1, "page.bin": PAGE, "page_and_one.bin": PAGE + 1, "pages.bin": 5 * PAGE + 123,
}
TIB = 1 << 40
SPARSE_SIZE = TIB + 12345


@dataclasses.dataclass
class Site:
    daemon: Daemon
    root: pathlib.Path

    def body(self, name) -> bytes:
        return (self.root / name).read_bytes()


def make_tree(root: pathlib.Path):
    root.mkdir()
    for name, size in SIZES.items():
        content.write_pattern(root / name, size)
    marks = [0, PAGE - 64, 1 << 31, 1 << 32, TIB]
    content.SparseFile(root / "sparse.bin", SPARSE_SIZE, [mark - 4096 for mark in marks] + [SPARSE_SIZE - 8192], 8192)
    for path in root.iterdir():
        os.utime(path, (MODIFIED, MODIFIED))


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    root = tmp_path_factory.mktemp("conformance") / "served"
    make_tree(root)
    with Daemon(root) as daemon:
        yield Site(daemon, root)
        daemon.wait_until_unpinned()


@pytest.fixture(scope="session")
def daemon(site):
    return site.daemon
