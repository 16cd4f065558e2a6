"""What is bounded is refused in good order, and served again as soon as there is room."""
import json
import os
import re
import resource
import select
import signal
import socket
import time

import pytest

from harness import content
from harness.daemon import Daemon
from harness.http import ConnectionCut, build, wait_until
from acceptance.support import MIB, PAGE

ASK = build("GET", "/files/file.bin", [("Range", "bytes=0-9")])


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("limits")
    content.write_pattern(root / "file.bin", 8 * MIB)
    return root


def is_served(connection) -> bool:
    """Whether a connection gets its answer, rather than a 503 and the end."""
    try:
        connection.send(ASK)
        response = connection.read_response()
    except (ConnectionCut, BrokenPipeError, ConnectionResetError):
        return False
    if response.status == 206:
        assert response.body == content.expected(0, 10)
        return True
    check_turned_away(response)
    connection.expect_end()
    return False


def check_turned_away(response):
    assert response.status == 503
    assert response["Retry-After"] is not None
    assert response.closes
    assert response["Content-Type"] == "application/problem+json"


def cpu_seconds(daemon) -> float:
    """Processor time of the process so far, without asking it."""
    fields = open(f"/proc/{daemon.process.pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100  # utime and stime, proc(5), in USER_HZ


def test_too_many_connections_are_answered_503(root):
    with Daemon(root, options=["--max-connections", "5"]) as daemon:
        held = [daemon.connect()]
        wait_until(lambda: metric_by(held[0], 'ranged_connections{state="open"}') == 1, "the fixture's own are gone")
        held += [daemon.connect() for _ in range(4)]
        assert all(is_served(connection) for connection in held)
        for _ in range(20):
            with daemon.connect() as one_more:
                check_turned_away(one_more.read_response())
                one_more.expect_end()
        assert all(is_served(connection) for connection in held), "those who were in stay in"
        held.pop().close()

        def has_room():
            with daemon.connect() as connection:
                return is_served(connection)
        wait_until(has_room, "the place of one who left is given away")
        held.pop().close()
        wait_until(has_room, "and again")
        assert daemon.metric("ranged_connections_refused_total") >= 20
        daemon.wait_for_log("connections are refused.*max_connections=5")
        assert daemon.log().count("connections are refused") == 1, "said once, not for each"
        for connection in held:
            connection.close()


def test_one_address_cannot_take_all_connections(root):
    with Daemon(root, options=["--max-connections", "50", "--max-connections-per-client", "3"]) as daemon:
        held = [daemon.connect(source="127.0.0.2") for _ in range(3)]
        assert all(is_served(connection) for connection in held)
        for _ in range(10):
            with daemon.connect(source="127.0.0.2") as one_more:
                check_turned_away(one_more.read_response())
        with daemon.connect(source="127.0.0.3") as other:
            assert is_served(other)
        held.pop().close()

        def has_room():
            with daemon.connect(source="127.0.0.2") as connection:
                return is_served(connection)
        wait_until(has_room, "the address has room again")
        for connection in held:
            connection.close()


def descriptors(daemon) -> int:
    return len(os.listdir(f"/proc/{daemon.process.pid}/fd"))


@pytest.mark.parametrize("listeners", [1, 2])
def test_out_of_descriptors(root, tmp_path, listeners):
    """Neither spins nor dies, tells some that it is full, and recovers; on every listener."""
    second = tmp_path / "socket"
    options = ["--listen", f"unix:{second}"] if listeners == 2 else []
    with Daemon(root, options=options) as daemon:
        monitor = daemon.connect()  # asked while no other connection can be made
        assert is_served(monitor)
        limit = descriptors(daemon) + 6
        before = resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE, (limit, before[1]))
        held = [daemon.connect() for _ in range(40)]
        others = [connect_unix(second) for _ in range(5)] if listeners == 2 else []
        wait_until(lambda: metric_by(monitor, "ranged_accept_pauses_total") > 0, "accepting pauses")
        used, begin = cpu_seconds(daemon), time.monotonic()
        wait_until(lambda: time.monotonic() - begin > 1, "a second of being full")
        spent = cpu_seconds(daemon) - used
        print(f"\n{spent:.2f} s of processor time in a second without descriptors")
        assert spent < 0.3
        assert metric_by(monitor, "ranged_connections_refused_total") > 0
        daemon.wait_for_log("connections cannot be accepted.*LimitNOFILE")
        assert daemon.log().count("connections cannot be accepted") == 1, "said once, not for each"
        # The figures that tell of it need no descriptor.
        assert metric_by(monitor, "process_open_fds") == len(os.listdir(f"/proc/{daemon.process.pid}/fd")) >= limit - 1
        assert metric_by(monitor, "process_max_fds") == limit
        assert metric_by(monitor, "process_resident_memory_bytes") > MIB
        for connection in held:
            connection.close()
        for connection in others:
            connection.close()
        # Room by those who left, the limit as low as it was.
        wait_until(lambda: descriptors(daemon) < limit, "descriptors are given back")

        def serves_tcp():
            with daemon.connect() as connection:
                return is_served(connection)
        wait_until(serves_tcp, "new connections are served")
        if listeners == 2:
            def serves_unix():
                with connect_unix(second) as connection:
                    connection.settimeout(5)
                    connection.sendall(ASK)
                    return connection.recv(100).startswith(b"HTTP/1.1 206 ")
            wait_until(serves_unix, "on the other listener, too")
        monitor.close()


def connect_unix(path):
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(5)
    connection.connect(str(path))
    return connection


def metric_by(connection, name) -> float:
    """A figure asked for on a connection that is open already."""
    connection.send(build("GET", "/metrics"))
    response = connection.read_response()
    assert response.status == 200
    return float(re.search(rf"^{re.escape(name)} (\S+)$", response.body.decode(), re.M)[1])


def test_no_descriptor_for_a_file(root):
    """A file that cannot be opened for want of descriptors is a 503, and opens when there are some."""
    with Daemon(root) as daemon, daemon.connect() as connection:
        connection.send(build("GET", "/healthz"))
        assert connection.read_response().status == 200
        before = resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE, (descriptors(daemon), before[1]))
        connection.send(ASK)
        response = connection.read_response()
        assert response.status == 503 and response["Retry-After"] is not None
        resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE, before)
        assert is_served(connection)


def test_a_head_that_does_not_end_times_out(root):
    with Daemon(root, options=["--header-timeout", "400ms"]) as daemon, daemon.connect() as connection:
        begin = time.monotonic()
        connection.send(b"GET /files/file.bin HTTP/1.1\r\nHost: ")
        response = connection.read_response()
        connection.expect_end()
        assert response.status == 408 and response.closes
        assert 0.4 <= time.monotonic() - begin < 1.5
        assert daemon.metric("ranged_connection_timeouts_total", phase="header") == 1


def test_a_head_that_trickles_times_out(root):
    """The time is for the head as a whole: a byte now and then does not extend it."""
    with Daemon(root, options=["--header-timeout", "500ms"]) as daemon, daemon.connect(patience=0.05) as connection:
        begin = time.monotonic()
        head = b"GET /files/file.bin HTTP/1.1\r\nX: " + b"y" * 10_000
        for byte in head:
            try:
                connection.send(bytes([byte]))
                connection.socket.recv(1)  # waits for 50 ms, between two bytes
            except TimeoutError:
                assert time.monotonic() - begin < 3, "still open"
                continue
            except (BrokenPipeError, ConnectionResetError):
                pass
            break
        assert 0.5 <= time.monotonic() - begin < 2
        assert daemon.metric("ranged_connection_timeouts_total", phase="header") == 1


@pytest.mark.parametrize("asked", [False, True], ids=["never asked", "asked once"])
def test_an_idle_connection_is_closed(root, asked):
    with Daemon(root, options=["--idle-timeout", "400ms"]) as daemon, daemon.connect() as connection:
        if asked:
            assert is_served(connection)
        begin = time.monotonic()
        connection.expect_end()
        assert 0.35 <= time.monotonic() - begin < 1.5
        assert daemon.metric("ranged_connection_timeouts_total", phase="idle") == 1


def test_a_client_that_takes_nothing_is_reset(root):
    with Daemon(root, options=["--send-timeout", "500ms"]) as daemon:
        with daemon.connect(receive_buffer=16 << 10) as connection:
            connection.send(build("GET", "/files/file.bin"))
            begin = time.monotonic()
            wait_until(lambda: daemon.metric("ranged_connection_timeouts_total", phase="send") == 1, "it is given up")
            assert 0.5 <= time.monotonic() - begin < 2
            response = connection.read_head()
            with pytest.raises(ConnectionCut):
                connection.read_exactly(response.length)
        daemon.wait_until_unpinned()


def test_a_slow_client_that_goes_on_is_served(root):
    """The timeout counts progress, never total time."""
    with Daemon(root, options=["--send-timeout", "500ms"]) as daemon:
        with daemon.connect(receive_buffer=16 << 10) as connection:
            connection.send(build("GET", "/files/file.bin", [("Range", f"bytes=0-{2 * MIB - 1}")]))
            response = connection.read_head()
            at, begin = 0, time.monotonic()
            while at < response.length:
                size = min(2 * PAGE, response.length - at)
                assert connection.read_exactly(size) == content.expected(at, size)
                at += size
                pause_end = time.monotonic() + 0.12
                wait_until(lambda: time.monotonic() >= pause_end, "a slow reader's pause")
            assert time.monotonic() - begin > 1.5
        assert daemon.metric("ranged_connection_timeouts_total", phase="send") == 0


def has_ended(connection) -> bool:
    readable, _, _ = select.select([connection.socket], [], [], 0)
    return bool(readable) and connection.socket.recv(1, socket.MSG_PEEK) == b""


def test_idle_connections_make_room_before_anybody_is_refused(root):
    """The first rung: of 40 connections, 35 may be idle; more are closed, the oldest first."""
    with Daemon(root, options=["--max-connections", "40"]) as daemon:
        held = [daemon.connect() for _ in range(38)]
        assert all(is_served(connection) for connection in held)
        wait_until(lambda: daemon.metric("ranged_connections_shed_total") >= 3, "idle connections are closed")
        wait_until(lambda: daemon.metric("ranged_connections", state="open") <= 36, "as many as it takes")
        ends = [connection for connection in held if has_ended(connection)]
        assert 3 <= len(ends) < 20, "and not many more"
        assert held[0] in ends and held[-1] not in ends, "the oldest first"
        assert daemon.metric("ranged_connections_refused_total") == 0
        for connection in held:
            connection.close()


def test_limits_of_connections_are_reloaded(root, tmp_path):
    config = tmp_path / "ranged.json"

    def configure(daemon, **settings):
        config.write_text(json.dumps({"roots": [str(root)], **settings}))
        if daemon is not None:
            before = reloads()
            daemon.signal(signal.SIGHUP)
            wait_until(lambda: reloads() == before + 1, "the configuration is reloaded")

    def reloads():
        return metric_by(held[0], "ranged_config_reloads_total")

    def refused_at_the_door():
        with daemon.connect() as one_more:
            one_more.send(ASK)
            return one_more.read_response()

    configure(None, max_connections=3)
    with Daemon(options=["--config", config]) as daemon:
        held = [daemon.connect()]
        wait_until(lambda: metric_by(held[0], 'ranged_connections{state="open"}') == 1, "the fixture's own are gone")
        held += [daemon.connect() for _ in range(2)]
        assert all(is_served(connection) for connection in held)
        check_turned_away(refused_at_the_door())
        configure(daemon, max_connections=4, retry_after="7s")
        assert refused_at_the_door().status == 206
        configure(daemon, max_connections=2, retry_after="7s")
        assert refused_at_the_door()["Retry-After"] == "7"
        assert all(is_served(connection) for connection in held), "those who were in stay in"
        configure(daemon, max_connections=100, max_connections_per_client=3)
        check_turned_away(refused_at_the_door())
        configure(daemon, max_connections=100)
        assert refused_at_the_door().status == 206
        for connection in held:
            connection.close()
