"""From start to stop: refusals in one line, reload, drain, and what service managers and scripts rely on."""
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time

import pytest

from harness import content
from harness.daemon import Daemon, binary, run_to_end
from harness.http import ConnectionCut, build, wait_until
from acceptance.support import MIB

SIZE = 16 * MIB


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("lifecycle")
    content.write_pattern(root / "file.bin", SIZE)
    return root


def begin_slow_transfer(daemon):
    """A connection whose response is under way and cannot end before the client reads."""
    connection = daemon.connect(receive_buffer=16 << 10)
    connection.send(build("GET", "/files/file.bin"))
    response = connection.read_head()
    assert response.status == 200 and response.length == SIZE
    return connection


def check_refused(outcome, code, *words):
    """An exit code, one line on standard error that holds the words, nothing on standard output."""
    assert outcome.returncode == code, outcome
    assert outcome.stdout == ""
    assert re.fullmatch(r"ranged: [^\n]+\n", outcome.stderr), outcome.stderr
    for word in words:
        assert word in outcome.stderr


# Stop

@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_drain_finishes_what_is_in_flight(root, number):
    with Daemon(root) as daemon:
        idle = daemon.connect()
        idle.send(build("GET", "/healthz"))
        assert idle.read_response().status == 200
        transfers = [begin_slow_transfer(daemon) for _ in range(5)]
        daemon.signal(number)
        daemon.wait_for_log("stopping")
        idle.expect_end()
        with pytest.raises(ConnectionRefusedError):
            daemon.connect()
        for connection in transfers:
            assert connection.read_exactly(SIZE) == content.expected(0, SIZE)
            connection.expect_end()
            connection.close()
        assert daemon.wait() == 0
        assert "stopped" in daemon.log()


def test_readyz_is_503_while_draining(root):
    # One event loop, so that the second connection's answer tells that the first's beginning has been read.
    with Daemon(root, options=["--threads", "1"]) as daemon:
        asking = daemon.connect()
        request = build("GET", "/readyz", host=daemon.host)
        asking.send(request[:-2])
        daemon.get("/healthz")
        transfer = begin_slow_transfer(daemon)
        daemon.signal(signal.SIGTERM)
        daemon.wait_for_log("stopping")
        asking.send(request[-2:])
        response = asking.read_response()
        assert response.status == 503 and response.closes and response["Retry-After"] is not None
        asking.expect_end()
        asking.close()
        assert transfer.read_exactly(SIZE) == content.expected(0, SIZE)
        transfer.close()
        assert daemon.wait() == 0


def test_drain_ends_in_time(root):
    with Daemon(root, options=["--drain-timeout", "500ms"]) as daemon:
        transfer = begin_slow_transfer(daemon)
        begin = time.monotonic()
        daemon.signal(signal.SIGTERM)
        assert daemon.wait() == 0
        assert 0.4 <= time.monotonic() - begin < 2
        with pytest.raises(ConnectionCut) as cut:
            transfer.read_exactly(SIZE)
        assert content.first_difference(cut.value.received, 0) is None


def test_a_second_signal_stops_at_once(root):
    with Daemon(root) as daemon:
        transfer = begin_slow_transfer(daemon)
        daemon.signal(signal.SIGTERM)
        daemon.wait_for_log("stopping")
        begin = time.monotonic()
        daemon.signal(signal.SIGTERM)
        assert daemon.wait() == 0
        assert time.monotonic() - begin < 1
        with pytest.raises(ConnectionCut):
            transfer.read_exactly(SIZE)


def test_a_restart_on_the_same_port(root):
    """Connections of the one before, in TIME_WAIT, do not hold the address."""
    with Daemon(root) as daemon:
        assert daemon.get("/healthz").status == 200
        address = daemon.host
    with subprocess.Popen([binary(), "--listen", address, root], stderr=subprocess.PIPE, text=True) as again:
        assert "listening" in again.stderr.readline()
        again.terminate()
        again.communicate(timeout=10)
        assert again.returncode == 0


# Refusals

def test_a_port_in_use(root):
    with Daemon(root) as daemon:
        check_refused(run_to_end("--listen", daemon.host, root), 1, daemon.host, "--listen")


def test_a_root_that_is_not_there(tmp_path):
    check_refused(run_to_end(tmp_path / "nothing"), 1, str(tmp_path / "nothing"))


@pytest.mark.parametrize("arguments, words", [
    (["--nonsense"], ["--nonsense"]),
    (["--pool-size", "banana"], ["banana", "--pool-size", "64KiB"]),
    (["--page-size", "3000"], ["3000", "--page-size"]),
    (["--listen", "localhost:http"], ["localhost:http"]),
    (["--threads", "-1"], ["-1"]),
    (["--config"], ["--config"]),
])
def test_usage(arguments, words):
    check_refused(run_to_end(*arguments), 2, *words)


@pytest.mark.parametrize("text, words", [
    ('{"pool_sise": "64MiB"}', ["pool_sise"]),
    ('{"pool_size": "1KiB"}', ["pool_size", "1KiB", "64KiB"]),
    ('{"pool_size": "256KiB", "page_size": "4MiB"}', ["256KiB"]),
    ('{"threads": "many"}', ["threads", "many"]),
    ('{"stale_after": -1}', ["stale_after", "-1"]),
    ('{"max_connections": 1000000}', ["max_connections"]),
    ('{"roots": ["a", "b"]}', ["roots"]),
    ('{', ["config"]),
    ('[]', []),
])
@pytest.mark.parametrize("check", [True, False])
def test_bad_configurations(tmp_path, text, words, check):
    path = tmp_path / "config.json"
    path.write_text(text)
    check_refused(run_to_end("--config", path, *(["--check-config"] if check else [])), 78, *words)


def test_a_configuration_that_is_not_there(tmp_path):
    check_refused(run_to_end("--config", tmp_path / "none.json"), 78, "none.json")


def test_a_bad_variable():
    check_refused(run_to_end(env={"RANGED_POOL_SIZE": "all"}), 78, "RANGED_POOL_SIZE", "all")


def test_check_config(root, tmp_path):
    path = tmp_path / "config.json"
    path.write_text('{\n  // a comment\n  "roots": ["%s"], "pool_size": "128MiB"}' % root)
    outcome = run_to_end("--config", path, "--check-config")
    assert outcome.returncode == 0 and outcome.stderr == ""


def make_key(folder, name):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem", "-subj", f"/CN={name}"],
                   check=True, capture_output=True)
    return str(folder / f"{name}.pem"), str(folder / f"{name}.key")


@pytest.mark.parametrize("wrong", ["root", "no passwords", "bad passwords", "no tokens", "no certificate", "bad certificate", "key"])
def test_check_config_looks_at_the_files(root, tmp_path, wrong):
    """What a start would refuse, in the same line."""
    certificate, key = make_key(tmp_path, "first")
    _, other_key = make_key(tmp_path, "second")
    bad = tmp_path / "bad"
    bad.write_text("what is this\n")
    none = str(tmp_path / "none")
    good = {"roots": [str(root)], "listen": ["tls:127.0.0.1:0"], "tls_certificate": certificate, "tls_key": key}
    path = tmp_path / "config.json"
    path.write_text(json.dumps(good))
    assert run_to_end("--config", path, "--check-config").returncode == 0
    changed, names = {"root": ({"roots": [none]}, none),
                      "no passwords": ({"auth_basic_file": none}, none),
                      "bad passwords": ({"auth_basic_file": str(bad)}, str(bad)),
                      "no tokens": ({"auth_token_file": none}, none),
                      "no certificate": ({"tls_certificate": none}, none),
                      "bad certificate": ({"tls_certificate": str(bad)}, str(bad)),
                      "key": ({"tls_key": other_key}, other_key)}[wrong]
    path.write_text(json.dumps({**good, **changed}))
    checked = run_to_end("--config", path, "--check-config")
    check_refused(checked, 78, names)
    started = run_to_end("--config", path)
    assert started.stderr == checked.stderr
    assert started.returncode == (1 if wrong == "root" else 78)


def without_comments(text):
    return json.loads(re.sub(r"  // .*$", "", text, flags=re.M))


def test_print_config_round_trip(root, tmp_path):
    options = ["--pool-size", "96MiB", "--listen", "127.0.0.1:1", "--listen", "[::1]:2", "--stale-after", "250ms",
               "--allowed-hosts", "a.example", "--access-log", "off", "--threads", "3", f"data={root}"]
    first = run_to_end(*options, "--print-config", env={"RANGED_MAX_RANGES": "77"})
    assert first.returncode == 0, first
    settings = without_comments(first.stdout)
    assert settings["pool_size"] == "96MiB" and settings["max_ranges"] == 77 and settings["roots"] == [f"data={root}"]
    path = tmp_path / "config.json"
    path.write_text(first.stdout)
    second = run_to_end("--config", path, "--print-config")
    assert second.returncode == 0, second
    assert without_comments(second.stdout) == settings


def test_the_shipped_configuration_is_the_default():
    shipped = pathlib.Path(__file__).parents[2] / "config/ranged.json"
    plain = run_to_end("--print-config")
    assert without_comments(run_to_end("--config", shipped, "--print-config").stdout) == without_comments(plain.stdout)


# Reload

def write_config(path, **settings):
    other = path.with_name("new.json")
    other.write_text(json.dumps(settings))
    os.rename(other, path)


def test_reload(tmp_path):
    for name, version in (("one", 1), ("two", 2)):
        (tmp_path / name).mkdir()
        content.write_pattern(tmp_path / name / "file.bin", SIZE, version)
    path = tmp_path / "config.json"
    write_config(path, roots=[str(tmp_path / "one")], log_level="info")
    # Sandboxed, it could not read a root that it was not started with (tests/conformance/test_sandbox.py).
    with Daemon(options=["--config", path, "--sandbox", "off"]) as daemon:
        transfer = begin_slow_transfer(daemon)
        kept = daemon.connect()

        def version_served():
            kept.send(build("GET", "/files/file.bin", [("Range", "bytes=1000-1999")]))
            body = kept.read_response().body
            return next(version for version in (1, 2) if body == content.expected(1000, 1000, version))
        assert version_served() == 1
        pool_bytes = daemon.metric("ranged_pool_bytes")

        write_config(path, roots=[str(tmp_path / "two")], log_level="debug", pool_size="48MiB")
        daemon.signal(signal.SIGHUP)
        daemon.wait_for_log("configuration reloaded")
        daemon.wait_for_log("restart.*pool_size")  # what cannot change is said, and stays
        wait_until(lambda: version_served() == 2, "the new root is served, on connections that were open, too")
        assert daemon.metric("ranged_config_reloads_total") == 1
        assert daemon.metric("ranged_pool_bytes") == pool_bytes

        # What is no good changes nothing: a value, a root, no JSON at all.
        for number, settings in enumerate([{"roots": [str(tmp_path / "one")], "max_ranges": -1},
                                           {"roots": [str(tmp_path / "none")]}, None], 1):
            if settings is None:
                path.write_text("{")
            else:
                write_config(path, **settings)
            daemon.signal(signal.SIGHUP)
            wait_until(lambda: daemon.metric("ranged_config_reload_failures_total") == number, "the reload is refused")
            assert version_served() == 2
        daemon.wait_for_log("not reloaded")
        assert daemon.metric("ranged_config_reloads_total") == 1

        # The transfer that began before it all goes on from the old root.
        assert transfer.read_exactly(SIZE) == content.expected(0, SIZE, 1)
        transfer.close()
        kept.close()


def test_reload_reaches_connections_whose_requests_are_known(tmp_path):
    """A request that came before on the same connection is judged by the rules of now."""
    (tmp_path / "root").mkdir()
    content.write_pattern(tmp_path / "root" / "file.bin", MIB)
    path = tmp_path / "config.json"
    write_config(path, roots=[str(tmp_path / "root")], allowed_hosts=["a.example"])
    with Daemon(options=["--config", path]) as daemon, daemon.connect() as kept:
        def status(first):
            kept.send(build("GET", "/files/file.bin", [("Range", f"bytes={first}-{first + 99}")], host="a.example"))
            response = kept.read_response()
            assert response.status == 421 or response.body == content.expected(first, 100)
            return response.status
        for first in range(5):
            assert status(first) == 206
        write_config(path, roots=[str(tmp_path / "root")], allowed_hosts=["b.example"])
        daemon.signal(signal.SIGHUP)
        daemon.wait_for_log("configuration reloaded")
        wait_until(lambda: status(7) == 421, "the name is no longer allowed")
        assert status(8) == 421
        write_config(path, roots=[str(tmp_path / "root")], allowed_hosts=["a.example"])
        daemon.signal(signal.SIGHUP)
        wait_until(lambda: status(9) == 206, "the name is allowed again")
        for first in range(5):
            assert status(first) == 206


@pytest.mark.parametrize("cut", [1, len("GET /files/file.bin HTTP/1.1\r\n"), -1], ids=["its first byte", "its first line", "all but its last byte"])
@pytest.mark.parametrize("known", [False, True], ids=["new", "known"])
def test_a_head_that_comes_while_the_configuration_is_reloaded(tmp_path, cut, known):
    """It is judged and answered by the rules of its end, not of its beginning."""
    (tmp_path / "root").mkdir()
    content.write_pattern(tmp_path / "root" / "file.bin", MIB)
    path = tmp_path / "config.json"

    def configure(name, number):
        write_config(path, roots=[str(tmp_path / "root")], allowed_hosts=[name], cache_control=f"max-age={number}")
    configure("a.example", 1)
    with Daemon(options=["--config", path, "--threads", "1"]) as daemon, daemon.connect() as allowed, daemon.connect() as refused:
        heads = {allowed: build("GET", "/files/file.bin", [("Range", "bytes=0-99")], host="b.example"),
                 refused: build("GET", "/files/file.bin", [("Range", "bytes=0-99")], host="a.example")}
        if known:
            refused.send(heads[refused])
            assert refused.read_response()["Cache-Control"] == "max-age=1"
        for connection, head in heads.items():
            connection.send(head[:cut])
        # The one event loop has taken what came before this request when it answers it.
        assert daemon.get("/healthz").status == 200
        configure("b.example", 2)
        daemon.signal(signal.SIGHUP)
        # Every loop has the new site by the time that its own connections see it.
        wait_until(lambda: daemon.get("/files/file.bin", ("Range", "bytes=0-0"))["Cache-Control"] == "max-age=2", "it is reloaded")
        for connection, head in heads.items():
            connection.send(head[cut:])
        response = allowed.read_response()
        assert (response.status, response["Cache-Control"], response.body) == (206, "max-age=2", content.expected(0, 100))
        assert refused.read_response().status == 421


def test_reload_of_the_log_level(tmp_path):
    path = tmp_path / "config.json"
    write_config(path, roots=[str(tmp_path)], log_level="info")
    with Daemon(options=["--config", path]) as daemon:
        write_config(path, roots=[str(tmp_path)], log_level="error")
        daemon.signal(signal.SIGHUP)
        wait_until(lambda: daemon.metric("ranged_config_reloads_total") == 1, "reloaded")
        write_config(path, roots=[str(tmp_path)], log_level="info")
        daemon.signal(signal.SIGHUP)
        daemon.wait_for_log("configuration reloaded")
        # Lines come in order: one of the first reload would be there by now.
        assert daemon.log().count("configuration reloaded") == 1


# What scripts and service managers use

def test_healthcheck(root):
    with Daemon(root) as daemon:
        url = f"http://{daemon.host}/healthz"
        outcome = run_to_end("--healthcheck", url)
        assert outcome.returncode == 0 and outcome.stderr == ""
        assert run_to_end("--healthcheck", f"http://{daemon.host}/readyz").returncode == 0
        assert run_to_end("--healthcheck", f"http://{daemon.host}/nothing").returncode == 1
    outcome = run_to_end("--healthcheck", url)
    assert outcome.returncode == 1 and outcome.stderr.count("\n") == 1


def test_unix_socket(root, tmp_path):
    path = tmp_path / "socket"
    # Left behind by one that was killed: nobody listens there.
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with Daemon(root, options=["--listen", f"unix:{path}"]):
        got = subprocess.run(["curl", "-sSf", "--unix-socket", path, "-r", "70000-70099", "http://anything.example/files/file.bin"],
                             check=True, capture_output=True, timeout=20).stdout
        assert got == content.expected(70000, 100)
        assert run_to_end("--healthcheck", f"unix:{path}").returncode == 0
        # A second daemon does not take the socket of one that lives.
        check_refused(run_to_end("--listen", f"unix:{path}", root), 1, str(path))
        assert run_to_end("--healthcheck", f"unix:{path}").returncode == 0
    assert not path.exists()


def test_unix_socket_path_that_is_a_file(root, tmp_path):
    path = tmp_path / "precious"
    path.write_text("kept")
    check_refused(run_to_end("--listen", f"unix:{path}", root), 1, str(path))
    assert path.read_text() == "kept"


ACTIVATE = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[2], sys.argv[2:])
"""


def test_socket_activation(root):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with Daemon(root, wrapper=[sys.executable, "-c", ACTIVATE, listener.fileno()], pass_fds=[listener.fileno()]) as daemon:
            assert daemon.address[1] == port
            assert daemon.get("/files/file.bin", ("Range", "bytes=5-9")).body == content.expected(5, 5)


def test_notify(root, tmp_path):
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        manager.settimeout(10)
        with Daemon(root, env={"NOTIFY_SOCKET": str(path)}) as daemon:
            assert manager.recv(1000) == b"READY=1"
            daemon.signal(signal.SIGHUP)
            reloading = manager.recv(1000).decode()
            assert re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=[0-9]+", reloading)
            assert manager.recv(1000) == b"READY=1"
            daemon.signal(signal.SIGTERM)
            assert manager.recv(1000) == b"STOPPING=1"
            assert daemon.wait() == 0


def test_access_log(root, tmp_path):
    path = tmp_path / "access.log"
    requests = [("GET", "/files/file.bin", [("Range", "bytes=10-19"), ("User-Agent", 'a "b" \\ \t\xff'), ("Referer", "http://x/")]),
                ("HEAD", "/files/file.bin", []), ("GET", "/files/none%22%0a\"", []), ("GET", "/bytes?file=file.bin&len=3", []),
                ("GET", "/healthz", []), ("POST", "/files/file.bin", []), ("GET", "/" + "x" * 7000, [])]
    with Daemon(root, options=["--access-log", path]) as daemon:
        for method, target, fields in requests:
            daemon.request(method, target, [("X-Mark", "1"), *fields])
        with begin_slow_transfer(daemon):
            pass  # a client that leaves in the middle
        wait_until(lambda: daemon.metric("ranged_http_responses_cut_total") == 1, "it is noticed")

        def lines():
            return [json.loads(line) for line in path.read_text().splitlines()]
        # Rotation: what is renamed is written on until SIGHUP, then a new file begins.
        wait_until(lambda: any(line["end"] == "left" for line in lines()), "all lines are written")
        old = tmp_path / "access.log.1"
        os.rename(path, old)
        daemon.signal(signal.SIGHUP)
        wait_until(path.exists, "the log is opened anew")
        daemon.get("/files/file.bin?after", ("Range", "bytes=0-0"))
        wait_until(lambda: any("after" in line["target"] for line in lines()), "the new log is written")
        assert daemon.metric("ranged_access_log_dropped_total") == 0
    seen = [json.loads(line) for line in old.read_text().splitlines()]
    assert all({"time", "remote", "method", "target", "status", "bytes", "duration_us", "end", "request_id"} <= set(line)
               for line in seen)
    assert len({line["request_id"] for line in seen}) == len(seen)
    ranged = next(line for line in seen if line.get("range_first") == 10)
    assert (ranged["status"], ranged["bytes"], ranged["range_last"], ranged["end"]) == (206, 10, 19, "complete")
    assert any(line["method"] == "POST" and line["status"] == 405 for line in seen)
    assert any(line["status"] == 404 and line["target"].startswith("/files/none") for line in seen)
    assert next(line for line in seen if line["end"] == "left")["bytes"] < SIZE


def test_sigusr1_opens_the_access_log_again(root, tmp_path):
    path = tmp_path / "access.log"
    with Daemon(root, options=["--access-log", path]) as daemon:
        daemon.get("/files/file.bin?before", ("Range", "bytes=0-0"))
        wait_until(lambda: "before" in path.read_text(), "the line is written")
        os.rename(path, tmp_path / "access.log.1")
        daemon.signal(signal.SIGUSR1)
        daemon.wait_for_log("logs opened again")
        wait_until(path.exists, "the log is opened anew")
        daemon.get("/files/file.bin?after", ("Range", "bytes=0-0"))
        wait_until(lambda: "after" in path.read_text(), "the new log is written")
        assert daemon.metric("ranged_config_reloads_total") == 0
    # Without a log there is nothing to open; the signal does no harm.
    with Daemon(root) as daemon:
        daemon.signal(signal.SIGUSR1)
        daemon.wait_for_log("logs opened again")
        assert daemon.get("/healthz").status == 200
