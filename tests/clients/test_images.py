"""Disk images over HTTP: QEMU's block driver and nbdkit's curl plugin. Both refuse a server without lengths and byte ranges."""
import json

import pytest

from clients.conftest import HUGE, LARGE, MIB, run
from harness import content

SIZE = 64 * MIB


@pytest.fixture(scope="module")
def images(site):
    content.write_pattern(site.root / "disk.raw", SIZE)
    run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", site.root / "disk.raw", site.root / "disk.qcow2")
    run("qemu-img", "convert", "-c", "-f", "raw", "-O", "qcow2", site.root / "disk.raw", site.root / "compressed.qcow2")
    return site


# Of one coroutine: with more, QEMU 7.2's HTTP driver now and then sleeps for ever over answers that it has, nginx's as well.
CONVERT = ("qemu-img", "convert", "-m", "1")


def over_http(site, name, driver):
    return "json:" + json.dumps({"driver": driver, "file": {"driver": "http", "url": site.url(name), "timeout": 20}})


def check_ranged(site, name):
    records = site.requests(name)
    assert records and all(record["status"] == 206 for record in records if record["method"] == "GET"), records


@pytest.mark.parametrize("name, driver", [("disk.raw", "raw"), ("disk.qcow2", "qcow2"), ("compressed.qcow2", "qcow2")])
def test_qemu_reads_images(images, tmp_path, name, driver):
    images.mark()
    run(*CONVERT, "-O", "raw", over_http(images, name, driver), tmp_path / "copy.raw")
    assert (tmp_path / "copy.raw").read_bytes() == content.expected(0, SIZE)
    check_ranged(images, name)


def test_qemu_compares(images):
    run("qemu-img", "compare", over_http(images, "disk.qcow2", "qcow2"), over_http(images, "disk.raw", "raw"))


def test_qemu_checks(images):
    run("qemu-img", "check", over_http(images, "disk.qcow2", "qcow2"))


def test_qemu_beneath_an_overlay(images, tmp_path):
    """A local image on top of a remote one, as machines are booted from."""
    overlay = tmp_path / "overlay.qcow2"
    run("qemu-img", "create", "-f", "qcow2", "-F", "raw", "-b", over_http(images, "disk.raw", "raw"), overlay)
    run("qemu-io", "-f", "qcow2", "-c", "write -P 0xab 1M 4k", overlay)
    run(*CONVERT, "-f", "qcow2", "-O", "raw", overlay, tmp_path / "copy.raw")
    want = bytearray(content.expected(0, SIZE))
    want[MIB:MIB + 4096] = b"\xab" * 4096
    assert (tmp_path / "copy.raw").read_bytes() == want


def test_qemu_beyond_4_gib(site, tmp_path):
    """A window over the 4 GiB mark, and the last one of the file."""
    for offset in ((1 << 32) - MIB, HUGE - MIB):
        site.mark()
        run(*CONVERT, "-O", "raw", "--image-opts",
            f"driver=raw,offset={offset},size={MIB},file.driver=http,file.url={site.url('huge.bin')}", tmp_path / "copy.raw")
        assert (tmp_path / "copy.raw").read_bytes() == site.huge.expected(offset, MIB)
        check_ranged(site, "huge.bin")
        assert sum(record["bytes"] for record in site.requests("huge.bin")) < 8 * MIB


def test_nbdkit_copies(site, tmp_path):
    """Four connections at once; nbdcopy reads it all by NBD."""
    site.mark()
    run("nbdkit", "--exit-with-parent", "--readonly", "--unix", "-", "curl", site.url("large.bin"), "--run", f'nbdcopy "$uri" "{tmp_path}/copy"')
    assert (tmp_path / "copy").read_bytes() == content.expected(0, LARGE)
    check_ranged(site, "large.bin")


def test_nbdkit_beyond_4_gib(site, tmp_path):
    offset = (1 << 32) - MIB
    site.mark()
    run("nbdkit", "--exit-with-parent", "--readonly", "--unix", "-", "curl", site.url("huge.bin"), "--run",
        f'qemu-img convert -m 1 -O raw --image-opts driver=raw,offset={offset},size={2 * MIB},file.driver=nbd,file.path="$unixsocket" "{tmp_path}/copy"')
    assert (tmp_path / "copy").read_bytes() == site.huge.expected(offset, 2 * MIB)
    check_ranged(site, "huge.bin")
    assert sum(record["bytes"] for record in site.requests("huge.bin")) < 8 * MIB
