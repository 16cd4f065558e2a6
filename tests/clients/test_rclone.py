"""rclone's http remote: it reads listings for names, HEAD for sizes and times, ranges for pieces."""
import pytest

from clients.conftest import HUGE, LARGE, MIB, run, tree_of
from harness import content


@pytest.fixture(name="rclone")
def make_rclone(site, tmp_path):
    def rclone(*arguments, **options):
        return run(*command(site, tmp_path, *arguments), **options)
    return rclone


def command(site, directory, *arguments):
    return ["rclone", "--config", directory / "rclone.conf", "--cache-dir", directory / "cache", "--http-url", site.url(), *arguments]


def test_listing(site, rclone):
    done = rclone("lsf", "--recursive", "--files-only", "--format", "sp", "--separator", "\t", ":http:tree/")
    listed = dict(reversed(line.split("\t", 1)) for line in done.stdout.decode().splitlines())
    assert listed == {name: str(len(data)) for name, data in tree_of(site.root / "tree").items()}


def test_copy_and_check(site, rclone, tmp_path):
    rclone("copy", ":http:tree/", tmp_path / "tree")
    assert tree_of(tmp_path / "tree") == tree_of(site.root / "tree")
    rclone("check", "--download", ":http:tree/", tmp_path / "tree")
    for path in (tmp_path / "tree").rglob("*.bin"):
        assert int(path.stat().st_mtime) == int((site.root / "tree" / path.relative_to(tmp_path / "tree")).stat().st_mtime)


def test_several_streams(site, rclone, tmp_path):
    site.mark()
    rclone("copyto", "--multi-thread-streams", 4, "--multi-thread-cutoff", "1M", ":http:large.bin", tmp_path / "large.bin")
    assert (tmp_path / "large.bin").read_bytes() == content.expected(0, LARGE)
    ranged = {record["range_first"] for record in site.requests("large.bin") if record["status"] == 206}
    assert len(ranged) >= 3


@pytest.mark.parametrize("offset", [(1 << 32) - 1000, HUGE - 2000])
def test_a_piece(site, rclone, offset):
    site.mark()
    assert rclone("cat", "--offset", offset, "--count", 2000, ":http:huge.bin").stdout == site.huge.expected(offset, 2000)
    assert sum(record["bytes"] for record in site.requests("huge.bin")) < 16 * MIB
