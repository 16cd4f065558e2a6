"""One daemon, with its access log, and files that make clients use ranges: one of more than 4 GiB, an image, a film, a tree."""
import hashlib
import json
import os
import pathlib
import subprocess
import urllib.parse

import pytest

from harness import content
from harness.daemon import Daemon
from harness.http import wait_until

GIB = 1 << 30
MIB = 1 << 20
HUGE = 4 * GIB + 64 * MIB  # more than 32 bits of offset; a multiple of 512, as images of disks are
ISLAND = 256 << 10
# Containers are rarely given it; without it what mounts is not collected.
FUSE = os.path.exists("/dev/fuse")
LARGE = 48 * MIB + 12345


collect_ignore = [] if FUSE else ["test_mounts.py"]


class Site:
    """The served tree, and what was asked of it."""

    def __init__(self, root: pathlib.Path, daemon: Daemon, log: pathlib.Path, huge: content.SparseFile):
        self.root, self.daemon, self.huge = root, daemon, huge
        self._log, self._mark = log, 0

    def url(self, name: str = "") -> str:
        return f"http://{self.daemon.host}/files/{urllib.parse.quote(name)}"

    def mark(self):
        """requests() tells of what was asked after this."""
        self._settle()
        self._mark = len(self._lines())

    def requests(self, name: str | None = None) -> list:
        """The access log's records since mark(), in the order in which they ended; of one file when it is named."""
        self._settle()
        records = [json.loads(line) for line in self._lines()[self._mark:]]
        target = None if name is None else "/files/" + name
        return [record for record in records if target is None or urllib.parse.unquote(record["target"]) == target]

    def _lines(self):
        return [line for line in self._log.read_text().split("\n")[:-1] if '"/files/settled' not in line]

    def _settle(self):
        """The log is written a moment later: a request of our own is the sign that what was before it is there."""
        self._settled = getattr(self, "_settled", 0) + 1
        name = f"/files/settled-{self._settled}"
        self.daemon.get(name)
        wait_until(lambda: f'"{name}"' in self._log.read_text(), "the access log is written")


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    base = tmp_path_factory.mktemp("clients")
    root = base / "served"
    root.mkdir()
    huge = content.SparseFile(root / "huge.bin", HUGE, [0, (1 << 31) - ISLAND // 2, (1 << 32) - ISLAND // 2, HUGE - ISLAND], ISLAND)
    content.write_pattern(root / "large.bin", LARGE)
    tree = root / "tree"
    for name in ("plain.txt", "with space.bin", "100%.bin", "hash#mark.bin", "plus+and&amp.bin", "\u00e9t\u00e9.bin", "deep/er/file.bin",
                 "deep/quote'.bin", "empty.bin"):
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"" if name == "empty.bin" else hashlib.shake_128(name.encode()).digest(5000))
    log = base / "access.log"
    with Daemon(root, options=["--access-log", log]) as daemon:
        yield Site(root, daemon, log, huge)
        daemon.wait_until_unpinned()
    os.unlink(root / "huge.bin")


def run(*command, patience: float = 60, status: int | tuple = 0, **options) -> subprocess.CompletedProcess:
    """Runs a client to its end and demands its exit status."""
    options.setdefault("stdout", subprocess.PIPE)
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=patience, check=False,
                          env={**os.environ, "LC_ALL": "C.UTF-8", "HOME": "/nonexistent"}, **options)
    allowed = status if isinstance(status, tuple) else (status,)
    assert done.returncode in allowed, f"exit {done.returncode}: {done.stderr[-2000:].decode(errors='replace')}"
    return done


def tree_of(root: pathlib.Path) -> dict:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}
