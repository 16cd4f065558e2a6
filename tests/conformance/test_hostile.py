"""Hostile requests: each is refused and costs the connection, and what is smuggled behind it is never answered."""
import json

import pytest

from conformance.hostile.payloads import ALL, FOREIGN_HOSTS, SMUGGLED
from harness import content
from harness.daemon import Daemon
from harness.http import build

TEN = content.expected(0, 10)
SECRET = b"what only the smuggled request asks for"
PLAIN = build("GET", "/files/ten.bin")


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    root = tmp_path_factory.mktemp("hostile") / "served"
    root.mkdir()
    (root / "ten.bin").write_bytes(TEN)
    (root / "smuggled.bin").write_bytes(SECRET)
    with Daemon(root) as daemon:
        yield daemon
        assert daemon.get("/files/ten.bin").body == TEN
        daemon.wait_until_unpinned()


def send(connection, data: bytes, step: int):
    """Sends in pieces. A daemon that has refused the first ones may have closed by the last."""
    try:
        for i in range(0, len(data), step):
            connection.send(data[i:i + step])
    except (BrokenPipeError, ConnectionResetError):
        pass


def check_refused(daemon, data: bytes, statuses, step: int):
    method = "HEAD" if data.startswith(b"HEAD ") else "GET"
    with daemon.connect() as connection:
        send(connection, data + SMUGGLED, step)
        response = connection.read_response(method)
        assert response.status in statuses
        assert response.closes
        assert not response.interim
        if method != "HEAD":
            assert response["Content-Type"] == "application/problem+json"
            problem = json.loads(response.body)
            assert problem["status"] == response.status
            assert problem["type"].startswith("/problems/")
        connection.expect_end()


def test_the_smuggled_request_would_be_answered(daemon):
    """Behind a request that is none of these it is the next one. Else the tests below would prove nothing."""
    with daemon.connect() as connection:
        connection.send(PLAIN + SMUGGLED)
        assert connection.read_response().body == TEN
        assert connection.read_response().body == SECRET


@pytest.mark.parametrize("payload", ALL, ids=lambda payload: payload[0])
def test_at_once(daemon, payload):
    _, data, statuses = payload
    check_refused(daemon, data, statuses, len(data) + len(SMUGGLED))


@pytest.mark.parametrize("payload", ALL, ids=lambda payload: payload[0])
def test_in_pieces(daemon, payload):
    """7 bytes at a time, so that all boundaries within lines are met by one or another; the long ones in a hundred pieces."""
    _, data, statuses = payload
    check_refused(daemon, data, statuses, max(7, len(data) // 100))


@pytest.mark.parametrize("payload", ALL, ids=lambda payload: payload[0])
def test_behind_a_request(daemon, payload):
    """A good request before it is answered, and nothing is carried over from that."""
    _, data, statuses = payload
    with daemon.connect() as connection:
        send(connection, PLAIN + data + SMUGGLED, len(data) + len(PLAIN) + len(SMUGGLED))
        assert connection.read_response().body == TEN
        response = connection.read_response("HEAD" if data.startswith(b"HEAD ") else "GET")
        assert response.status in statuses
        assert response.closes
        connection.expect_end()


@pytest.mark.parametrize("host", FOREIGN_HOSTS, ids=lambda host: host.decode())
@pytest.mark.parametrize("target", ["/", "/files/", "/files/ten.bin", "/bytes?file=ten.bin&offset=0&len=10", "/metrics"])
def test_rebinding(daemon, host, target):
    """A page of another origin, whose name was made to lead here, reads nothing."""
    with daemon.connect() as connection:
        connection.send(build("GET", target, host=host))
        response = connection.read_response()
        assert response.status == 421
        assert json.loads(response.body)["type"] == "/problems/misdirected"
        assert "Access-Control-Allow-Origin" not in response


@pytest.mark.parametrize("host", FOREIGN_HOSTS, ids=lambda host: host.decode())
def test_rebinding_by_target(daemon, host):
    """The target's host outranks the field (RFC 9112, 3.2.2)."""
    with daemon.connect() as connection:
        connection.send(build("GET", b"http://" + host + b"/files/ten.bin"))
        assert connection.read_response().status == 421
