"""What names a request, in its answer and in the access log, and how long an answer says that it took."""
import json
import re

import pytest

from harness import content
from harness.daemon import Daemon
from harness.http import build, wait_until

OWN = re.compile(r"[0-9a-f]{16}\Z")
TARGETS = ["/files/ten.bin", "/files/", "/files/nothing", "/bytes?file=ten.bin", "/bytes?file=ten.bin&encoding=raw", "/bytes?offset=x", "/info?file=ten.bin",
           "/search?file=ten.bin&hex=00", "/healthz", "/metrics", "/openapi.json", "/", "/nowhere"]
GIVEN = ["a", "7d444840-9dc0-11d1-b245-5ffdce74fad2", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "Root=1:5759e988+/._~", "x" * 64]
NOT_TAKEN = ["", "x" * 65, "a b", 'a"b', "a,b", "a;b", "<script>", "a\\b", "a%0d%0aSet-Cookie:", "\u00e4", "a\tb", "{}", "$(id)"]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("ids") / "served"
    root.mkdir()
    content.write_pattern(root / "ten.bin", 10)
    return root


@pytest.fixture(scope="module")
def daemon(root):
    with Daemon(root) as daemon:
        yield daemon


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "FROB"])
def test_every_answer_has_an_id(daemon, method, target):
    assert OWN.match(daemon.request(method, target)["X-Request-Id"])


@pytest.mark.parametrize("fields", [[("Range", "bytes=2-5")], [("Range", "bytes=0-1,8-9")], [("If-None-Match", "*")], [("If-Match", '"x"')],
                                    [("Range", "bytes=99-")]], ids=str)
def test_answers_about_files_have_one(daemon, fields):
    assert OWN.match(daemon.get("/files/ten.bin", *fields)["X-Request-Id"])


def test_what_cannot_be_read_has_one(daemon):
    with daemon.connect() as connection:
        connection.send(b"GET /\x00 HTTP/1.1\r\n\r\n")
        assert OWN.match(connection.read_response()["X-Request-Id"])


def test_no_two_are_alike_nor_count(daemon):
    with daemon.connect() as connection:
        seen = []
        for _ in range(200):
            connection.send(build("GET", "/files/ten.bin"))
            seen.append(connection.read_response()["X-Request-Id"])
    numbers = [int(text, 16) for text in seen]
    assert len(set(seen)) == len(seen)
    steps = {(later - earlier) % 2**64 for earlier, later in zip(numbers, numbers[1:])}
    assert len(steps) > 190


def test_they_differ_from_start_to_start(root, daemon):
    ids = {daemon.get("/healthz")["X-Request-Id"] for _ in range(50)}
    with Daemon(root) as other:
        assert not ids & {other.get("/healthz")["X-Request-Id"] for _ in range(50)}


@pytest.mark.parametrize("given", GIVEN)
@pytest.mark.parametrize("target", ["/files/ten.bin", "/healthz", "/nowhere"])
def test_a_client_names_its_request(daemon, given, target):
    assert daemon.get(target, ("X-Request-Id", given)).all("X-Request-Id") == [given]


@pytest.mark.parametrize("given", NOT_TAKEN)
def test_what_is_no_id_is_not_taken(daemon, given):
    response = daemon.get("/files/ten.bin", ("X-Request-Id", given))
    assert response.status == 200
    assert OWN.match(response["X-Request-Id"])
    assert "Set-Cookie" not in response


def test_an_id_is_of_one_request_alone(daemon):
    with daemon.connect() as connection:
        connection.send(build("GET", "/files/ten.bin", [("X-Request-Id", "mine")]) + build("GET", "/files/ten.bin"))
        assert connection.read_response()["X-Request-Id"] == "mine"
        assert OWN.match(connection.read_response()["X-Request-Id"])


def test_the_access_log_has_the_same(root, tmp_path):
    log = tmp_path / "access.log"
    with Daemon(root, options=["--access-log", log]) as daemon:
        answered = [daemon.get(target, *fields)["X-Request-Id"] for target in ("/files/ten.bin", "/nowhere", "/info?file=ten.bin")
                    for fields in ([], [("X-Request-Id", "given-by-the-client")], [("X-Request-Id", "not one")])]

        def logged():
            return [json.loads(line)["request_id"] for line in log.read_text().splitlines()]
        wait_until(lambda: set(answered) <= set(logged()), "all are logged")
    assert answered.count("given-by-the-client") == 3
    assert "not one" not in log.read_text()


# How long it took

@pytest.mark.parametrize("target", ["/info?file=ten.bin", "/files/", "/healthz", "/openapi.json", "/files"])
def test_what_is_made_in_memory_says_how_long_it_took(daemon, target):
    """In whole milliseconds: finer ones would tell what was in memory, and so what others read."""
    assert re.fullmatch(r"app;dur=[0-9]+", daemon.get(target)["Server-Timing"])


@pytest.mark.parametrize("target, fields", [("/files/ten.bin", []), ("/files/ten.bin", [("Range", "bytes=2-5")]), ("/bytes?file=ten.bin", []),
                                            ("/bytes?file=ten.bin&encoding=raw", []), ("/search?file=ten.bin&hex=00", []),
                                            ("/nowhere", []), ("/files/nothing", []), ("/bytes?offset=x", [])])
def test_what_comes_of_a_file_or_is_refused_does_not(daemon, target, fields):
    assert "Server-Timing" not in daemon.get(target, *fields)


def test_other_origins_read_them_where_they_may(root, daemon):
    origin = "https://viewer.example"
    with Daemon(root, options=["--cors-origins", origin]) as shared:
        response = shared.get("/healthz", ("Origin", origin))
        exposed = {name.strip() for name in response["Access-Control-Expose-Headers"].split(",")}
        assert {"X-Request-Id", "Server-Timing"} <= exposed
        assert response["Timing-Allow-Origin"] == origin
        assert "Timing-Allow-Origin" not in shared.get("/healthz", ("Origin", "https://evil.example"))
    assert "Timing-Allow-Origin" not in daemon.get("/healthz", ("Origin", origin))
