"""aria2: many connections, each with exact ranges; an answer that differs in start, end or total is an error to it."""
import hashlib

from clients.conftest import LARGE, run
from harness import content


def aria2(site, directory, *arguments, name="large.bin", **options):
    return run("aria2c", "--no-conf", "--quiet", "--file-allocation=none", "--all-proxy=", "--dir", directory, *arguments, site.url(name), **options)


def test_sixteen_connections(site, tmp_path):
    digest = hashlib.sha256(content.expected(0, LARGE)).hexdigest()
    site.mark()
    aria2(site, tmp_path, "--max-connection-per-server=16", "--split=16", "--min-split-size=1M", f"--checksum=sha-256={digest}")
    assert (tmp_path / "large.bin").read_bytes() == content.expected(0, LARGE)
    records = site.requests("large.bin")
    ranged = {record["range_first"] for record in records if record["status"] == 206}
    assert len(ranged) >= 8, records


def test_stopped_and_continued(site, tmp_path):
    """From the control file: only what is missing is asked for."""
    options = ("--max-connection-per-server=4", "--split=4", "--min-split-size=1M")
    aria2(site, tmp_path, *options, "--max-overall-download-limit=16M", "--stop=2", status=(0, 7))
    assert (tmp_path / "large.bin.aria2").exists(), "it was to be stopped in the middle"
    site.mark()
    aria2(site, tmp_path, *options, "--continue=true")
    records = site.requests("large.bin")
    # It asks once without a range, to see whether the file is still the same, and leaves when it has seen the head.
    assert all(record["status"] == 206 for record in records if record["end"] == "complete"), records
    assert sum(record["bytes"] for record in records) < LARGE
    assert (tmp_path / "large.bin").read_bytes() == content.expected(0, LARGE)
