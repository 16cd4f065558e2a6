"""wget: continuing, timestamps, and whole trees by the links of listings."""
import os

from clients.conftest import HUGE, ISLAND, LARGE, run, tree_of
from harness import content


def wget(*arguments, **options):
    return run("wget", "--no-verbose", "--no-proxy", "--tries=2", *arguments, **options)


def test_continuing_beyond_4_gib(site, tmp_path):
    local, have = tmp_path / "huge.bin", HUGE - ISLAND - 777
    local.touch()
    os.truncate(local, have)
    site.mark()
    wget("--continue", "--directory-prefix", tmp_path, site.url("huge.bin"))
    assert [(record["status"], record.get("range_first")) for record in site.requests("huge.bin")] == [(206, have)]
    assert local.stat().st_size == HUGE
    with open(local, "rb") as file:
        assert os.pread(file.fileno(), HUGE - have, have) == site.huge.expected(have, HUGE - have)


def test_continuing_what_is_complete(site, tmp_path):
    content.write_pattern(tmp_path / "large.bin", LARGE)
    site.mark()
    wget("--continue", "--directory-prefix", tmp_path, site.url("large.bin"))
    assert [record["status"] for record in site.requests("large.bin")] == [416]
    assert (tmp_path / "large.bin").read_bytes() == content.expected(0, LARGE)


def test_start_position(site, tmp_path):
    local = tmp_path / "tail"
    wget(f"--start-pos={LARGE - 1000}", "--output-document", local, site.url("large.bin"))
    assert local.read_bytes() == content.expected(LARGE - 1000, 1000)


def test_timestamps(site, tmp_path):
    """-N: fetched once, with the file's time; the second run finds that nothing is newer."""
    for transferred in (LARGE, 0):
        site.mark()
        wget("--timestamping", "--directory-prefix", tmp_path, site.url("large.bin"))
        assert sum(record["bytes"] for record in site.requests("large.bin") if record["status"] != 304) == transferred
    assert int((tmp_path / "large.bin").stat().st_mtime) == int((site.root / "large.bin").stat().st_mtime)


def test_a_tree_by_its_listings(site, tmp_path):
    """Every file, with odd names and empty ones, from nothing but <a href>."""
    wget("--recursive", "--level=inf", "--no-parent", "--no-host-directories", "--cut-dirs=2", "--reject=index.html*", "--restrict-file-names=nocontrol",
         "--directory-prefix", tmp_path, site.url("tree/"))
    assert tree_of(tmp_path) == tree_of(site.root / "tree")


def test_a_spider_finds_no_broken_link(site, tmp_path):
    done = wget("--spider", "--recursive", "--no-parent", "--directory-prefix", tmp_path, site.url("tree/"))
    assert b"Found no broken links." in done.stderr
