"""What a running daemon has given up: files that are not served, programs, connections, privileges."""
import ctypes
import pathlib
import signal

import pytest

from harness import content
from harness.daemon import Daemon, run_to_end
from harness.http import wait_until


def landlock_abi() -> int:
    return ctypes.CDLL(None, use_errno=True).syscall(444, None, 0, 1)  # landlock_create_ruleset, LANDLOCK_CREATE_RULESET_VERSION


HAS_LANDLOCK = landlock_abi() >= 1
with_landlock = pytest.mark.skipif(not HAS_LANDLOCK, reason="this kernel has no Landlock")


@pytest.fixture()
def tree(tmp_path):
    for name in ("served", "other"):
        (tmp_path / name).mkdir()
        content.write_pattern(tmp_path / name / "ten.bin", 10)
    return tmp_path


def test_it_says_what_it_did(tree):
    with Daemon(tree / "served") as daemon:
        daemon.wait_for_log("sandboxed by Landlock" if HAS_LANDLOCK else "not sandboxed")
        status = pathlib.Path(f"/proc/{daemon.process.pid}/status").read_text()
        assert "NoNewPrivs:\t1" in status
        assert daemon.get("/files/ten.bin").body == content.expected(0, 10)
    with Daemon(tree / "served", options=["--sandbox", "off"]) as daemon:
        assert "NoNewPrivs:\t0" in pathlib.Path(f"/proc/{daemon.process.pid}/status").read_text()
        assert "sandbox" not in daemon.log()


@with_landlock
def test_on_demands_it(tree):
    with Daemon(tree / "served", options=["--sandbox", "on"]) as daemon:
        daemon.wait_for_log("sandboxed by Landlock")
        for target in ("/files/", "/files/ten.bin", "/info?file=ten.bin", "/metrics"):
            assert daemon.get(target).status == 200
        assert daemon.metric("process_resident_memory_bytes") > 0
        assert daemon.metric("process_open_fds") > 0


def test_on_without_the_kernel_does_not_start(tree, tmp_path):
    """A filter of system calls makes a kernel that has no Landlock."""
    wrapper = tmp_path / "without_landlock.py"
    wrapper.write_text(WITHOUT_LANDLOCK)
    command = ["/usr/bin/python3", str(wrapper)]
    with Daemon(tree / "served", wrapper=command) as daemon:
        daemon.wait_for_log("not sandboxed")
        assert daemon.get("/files/ten.bin").status == 200
    with pytest.raises(AssertionError, match="cannot enter the sandbox.*--sandbox auto would do"):
        Daemon(tree / "served", options=["--sandbox", "on"], wrapper=command)


WITHOUT_LANDLOCK = """
import ctypes, os, struct, sys
# seccomp(2): ENOSYS for the system call 444 (landlock_create_ruleset), everything else as it is.
def instruction(code, jump_true, jump_false, k): return struct.pack("HBBI", code, jump_true, jump_false, k)
program = instruction(0x20, 0, 0, 0) + instruction(0x15, 0, 1, 444) + instruction(0x06, 0, 0, 0x00050000 | 38) + instruction(0x06, 0, 0, 0x7fff0000)
buffer = ctypes.create_string_buffer(program)
header = struct.pack("HxxxxxxP", 4, ctypes.addressof(buffer))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, ctypes.c_char_p(header), 0, 0) == 0
os.execv(sys.argv[1], sys.argv[1:])
"""


@with_landlock
def test_a_root_that_is_not_covered_is_refused_by_reload(tree):
    config = tree / "config" / "ranged.json"
    config.parent.mkdir()
    config.write_text('{"roots": ["a=%s"]}' % (tree / "served"))
    with Daemon(options=["--config", config]) as daemon:
        assert daemon.get("/files/a/ten.bin").status == 200
        config.write_text('{"roots": ["a=%s", "b=%s"]}' % (tree / "served", tree / "other"))
        daemon.signal(signal.SIGHUP)
        daemon.wait_for_log("not reloaded.*the sandbox was entered without it; a restart would do")
        assert daemon.get("/files/a/ten.bin").status == 200
        assert daemon.get("/files/b/ten.bin").status == 404
        # What it covers may change, also in a file that took the old one's place.
        (tree / "served" / "below").mkdir()
        content.write_pattern(tree / "served" / "below" / "ten.bin", 10)
        fresh = tree / "config" / "fresh.json"
        fresh.write_text('{"roots": ["c=%s"]}' % (tree / "served" / "below"))
        fresh.rename(config)
        daemon.signal(signal.SIGHUP)
        daemon.wait_for_log("configuration reloaded")
        assert daemon.get("/files/c/ten.bin").body == content.expected(0, 10)


@with_landlock
def test_the_access_log_can_be_rotated(tree):
    log = tree / "logs" / "access.log"
    log.parent.mkdir()
    with Daemon(tree / "served", options=["--access-log", log]) as daemon:
        daemon.get("/files/ten.bin")
        log.rename(log.with_suffix(".1"))
        daemon.signal(signal.SIGHUP)
        daemon.wait_for_log("configuration reloaded")
        daemon.get("/files/ten.bin")
        wait_until(lambda: log.exists() and "/files/ten.bin" in log.read_text(), "the new log is written to")


@with_landlock
def test_the_socket_file_is_removed_at_the_end(tree):
    path = tree / "run" / "socket"
    path.parent.mkdir()
    with Daemon(tree / "served", options=["--listen", f"unix:{path}"]):
        assert path.exists()
    assert not path.exists()


@with_landlock
def test_media_types_are_still_told(tree):
    (tree / "served" / "picture").write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00")
    with Daemon(tree / "served", options=["--sandbox", "on"]) as daemon:
        assert daemon.json("/info?file=picture")["media_type"] == "image/png"


@with_landlock
def test_one_served_file_opens_nothing_elsewhere(tree):
    config = tree / "config" / "ranged.json"
    config.parent.mkdir()
    served = tree / "served" / "ten.bin"
    config.write_text('{"roots": ["%s"]}' % served)
    with Daemon(options=["--config", config, "--sandbox", "on"]) as daemon:
        assert daemon.get("/files/ten.bin").body == content.expected(0, 10)
        # A file that takes its name is served, as ever.
        fresh = tree / "served" / "fresh.bin"
        fresh.write_bytes(b"another")
        fresh.rename(served)
        wait_until(lambda: daemon.get("/files/ten.bin").body == b"another", "the new file is served")
        config.write_text('{"roots": ["%s"]}' % (tree / "other" / "ten.bin"))
        daemon.signal(signal.SIGHUP)
        daemon.wait_for_log("not reloaded.*the sandbox was entered without it; a restart would do")
        assert daemon.get("/files/ten.bin").body == b"another"


@with_landlock
def test_credentials_are_read_again_where_they_were(tree):
    """As a directory of secrets is renewed: behind a link, by a file of another name."""
    secrets = tree / "secrets"
    secrets.mkdir()
    (tree / "links").mkdir()
    first, second, elsewhere = secrets / "tokens.1", secrets / "tokens.2", tree / "other" / "tokens"
    for file, token in ((first, "a" * 32), (second, "b" * 32), (elsewhere, "c" * 32)):
        file.write_text(token + "\n")
        file.chmod(0o600)
    link = tree / "links" / "tokens"
    link.symlink_to(first)
    config = tree / "config" / "ranged.json"
    config.parent.mkdir()
    config.write_text('{"roots": ["%s"], "auth_token_file": "%s"}' % (tree / "served", link))

    with Daemon(options=["--config", config]) as daemon:
        def status(token: str) -> int:
            return daemon.get("/files/ten.bin", ("Authorization", f"Bearer {token * 32}")).status

        assert (status("a"), status("b")) == (200, 401)
        link.unlink()
        link.symlink_to(second)
        daemon.signal(signal.SIGHUP)
        daemon.wait_for_log("configuration reloaded")
        wait_until(lambda: (status("a"), status("b")) == (401, 200), "the new tokens count")
        config.write_text('{"roots": ["%s"], "auth_token_file": "%s"}' % (tree / "served", elsewhere))
        daemon.signal(signal.SIGHUP)
        daemon.wait_for_log("not reloaded.*auth_token_file.*the sandbox was entered without it")
        assert (status("b"), status("c")) == (200, 401)


def test_threads_have_their_names(tree):
    """By which those who trace and profile tell them apart; naming another thread takes writing to /proc."""
    with Daemon(tree / "served") as daemon:
        tasks = pathlib.Path(f"/proc/{daemon.process.pid}/task")

        def names():
            return {(task / "comm").read_text().strip() for task in tasks.iterdir()}
        wait_until(lambda: {"disk-0", "disk-1", "worker-1"} <= names(), "all are named")


def test_metrics_tell_whether_it_is_sandboxed(tree):
    with Daemon(tree / "served") as daemon:
        assert daemon.metric("ranged_sandbox_abi") == max(landlock_abi(), 0)
    with Daemon(tree / "served", options=["--sandbox", "off"]) as daemon:
        assert daemon.metric("ranged_sandbox_abi") == 0


def test_unknown_mode():
    outcome = run_to_end("--sandbox", "perhaps")
    assert outcome.returncode == 2 and "auto, on or off" in outcome.stderr
