"""The served tree as a file system: rclone mount, and httpdirfs, which ends itself when a file comes without Accept-Ranges."""
import os
import subprocess

from clients.conftest import HUGE, MIB
from clients.test_rclone import command
from harness import content
from harness.http import wait_until


def test_rclone(site, tmp_path):
    """Read at any offset through the kernel, with FUSE."""
    mounted = tmp_path / "mounted"
    mounted.mkdir()
    arguments = command(site, tmp_path, "mount", "--read-only", ":http:", mounted)
    with subprocess.Popen([str(word) for word in arguments], stderr=subprocess.PIPE) as process:
        try:
            wait_until(lambda: os.path.ismount(mounted) or process.poll() is not None, "rclone mounts")
            assert process.poll() is None, process.stderr.read()
            check_mounted(site, mounted)
        finally:
            process.terminate()
            process.wait(timeout=20)


def check_mounted(site, mounted):
    assert {path.name for path in (mounted / "tree").iterdir()} == {path.name for path in (site.root / "tree").iterdir()}
    with open(mounted / "huge.bin", "rb") as file:
        assert os.fstat(file.fileno()).st_size == HUGE
        for offset in (0, (1 << 32) - 50000, HUGE - 100000, (1 << 31) - 5):
            assert os.pread(file.fileno(), 100000, offset) == site.huge.expected(offset, 100000)


def test_httpdirfs(site, tmp_path):
    mounted = tmp_path / "mounted"
    mounted.mkdir()
    site.mark()
    with subprocess.Popen(["httpdirfs", "-f", "--config", "/dev/null", site.url(), str(mounted)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          stdin=subprocess.DEVNULL, env={**os.environ, "HOME": str(tmp_path)}) as process:
        try:
            wait_until(lambda: os.path.ismount(mounted) or process.poll() is not None, "httpdirfs mounts")
            assert process.poll() is None, process.stdout.read()
            with open(mounted / "huge.bin", "rb") as file:
                assert os.fstat(file.fileno()).st_size == HUGE
                for offset in (0, (1 << 32) - 5000, HUGE - 10000):
                    assert os.pread(file.fileno(), 10000, offset) == site.huge.expected(offset, 10000)
            with open(mounted / "large.bin", "rb") as file:  # a piece: it waits a tenth of a second between any two of its requests
                assert file.read(MIB) == content.expected(0, MIB)
            assert {"plain.txt", "with space.bin", "hash#mark.bin", "deep"} <= set(os.listdir(mounted / "tree"))
        finally:
            subprocess.run(["fusermount3", "-u", str(mounted)], check=False)
            process.terminate()
            process.wait(timeout=20)
    records = [record for record in site.requests("huge.bin") if record["method"] == "GET"]
    assert records and all(record["status"] == 206 for record in records)
