"""POST /search: the parameters of a GET as JSON, the one content that is taken."""
import json
import os
import select

import pytest

from harness import content
from harness.daemon import Daemon
from harness.http import build, wait_until

NEEDLE = b"a&b=c+d%41 \xc3\xa4"
JSON = ("Content-Type", "application/json")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("posts") / "served"
    root.mkdir()
    (root / "text.bin").write_bytes(b"x" * 100 + NEEDLE + b"y" * 5000 + NEEDLE)
    content.write_pattern(root / "ten.bin", 10)
    return root


@pytest.fixture(scope="module")
def daemon(root):
    with Daemon(root) as daemon:
        yield daemon
        daemon.wait_until_unpinned()


def post(body: bytes, *fields, target="/search", version="HTTP/1.1") -> bytes:
    return build("POST", target, [JSON, ("Content-Length", str(len(body))), *fields], version=version) + body


def said(**members) -> bytes:
    return json.dumps(members).encode()


def ask(daemon, request: bytes):
    with daemon.connect() as connection:
        connection.send(request)
        return connection.read_response()


def records(response):
    assert response.status == 200, response.body
    return [json.loads(line) for line in response.body.splitlines()]


def found(response):
    return [record["offset"] for record in records(response) if record["type"] == "match"]


def problem(response, status: int) -> dict:
    assert response.status == status, response.body
    return json.loads(response.body)


SEARCH = said(file="text.bin", text=NEEDLE.decode())
OFFSETS = [100, 5100 + len(NEEDLE)]


@pytest.mark.parametrize("members", [
    {"text": NEEDLE.decode()}, {"hex": NEEDLE.hex()}, {"regex": r"a&b=c\+d%41"}, {"text": NEEDLE.decode(), "direction": "backward"},
    {"text": NEEDLE.decode(), "limit": 1}, {"text": NEEDLE.decode(), "offset": "0x65"}, {"text": NEEDLE.decode(), "offset": 101, "len": 6000},
    {"number": 120, "type": "u8", "limit": 3}, {"text": "A&B", "case": "insensitive", "context": 2}])
def test_it_finds_what_get_finds(daemon, members):
    members = {"file": "text.bin", **members}
    query = "&".join(f"{name}=" + "".join(f"%{byte:02x}" for byte in str(value).encode()) for name, value in members.items())
    answers = [records(ask(daemon, post(said(**members)))), records(daemon.get(f"/search?{query}"))]
    for answer in answers:
        assert answer[-1]["type"] == "end" and answer[-1]["status"] == "complete"
    kept = [[record for record in answer if record["type"] in ("begin", "match")] for answer in answers]
    assert kept[0] == kept[1]
    assert len(kept[0]) > 1


@pytest.mark.parametrize("step", [1, 7, 10_000])
def test_content_in_pieces(daemon, step):
    request = post(SEARCH)
    with daemon.connect() as connection:
        for i in range(0, len(request), step):
            connection.send(request[i:i + step])
        assert found(connection.read_response()) == OFFSETS


def test_the_next_request_begins_where_content_ends(daemon):
    requests = [(post(SEARCH), OFFSETS), (build("GET", "/files/ten.bin"), None), (post(said(file="text.bin", hex="ffff")), []),
                (post(SEARCH), OFFSETS), (build("GET", "/files/ten.bin"), None)]
    with daemon.connect() as connection:
        connection.send(b"".join(request for request, _ in requests))
        for _, offsets in requests:
            response = connection.read_response()
            if offsets is None:
                assert response.body == content.expected(0, 10)
            else:
                assert found(response) == offsets
            assert not response.closes


@pytest.mark.parametrize("length", [0, 1, 2, 20, len(SEARCH) - 1])
def test_what_is_behind_the_content_is_no_part_of_it(daemon, length):
    """Whatever the content holds: a request in it is none, one behind it is one."""
    smuggled = build("GET", "/files/text.bin")
    body = (SEARCH[:length] + smuggled)[:length + len(smuggled)]
    with daemon.connect() as connection:
        connection.send(post(body) + build("GET", "/files/ten.bin"))
        assert problem(connection.read_response(), 400)["type"] == "/problems/bad-parameter"
        assert connection.read_response().body == content.expected(0, 10)


def test_the_largest_content(daemon):
    body = SEARCH + b" " * (8192 - len(SEARCH))
    with daemon.connect() as connection:
        connection.send(post(body) + build("GET", "/files/ten.bin"))
        assert found(connection.read_response()) == OFFSETS
        assert connection.read_response().body == content.expected(0, 10)
    head = len(post(body)) - len(body)
    filler = ("X", "x" * (16384 - 8192 - head - 5))
    assert len(post(body, filler)) == 16384
    assert found(ask(daemon, post(body, filler))) == OFFSETS
    assert ask(daemon, post(body, ("X", filler[1] + "x"))).status == 413
    assert ask(daemon, post(body + b" ")).status == 413


def test_http_1_0(daemon):
    response = ask(daemon, post(SEARCH, version="HTTP/1.0"))
    assert response.closes
    assert found(response) == OFFSETS


# Expect (RFC 9110, 10.1.1)

def test_a_client_that_asks_is_told_to_continue(daemon):
    request = post(SEARCH, ("Expect", "100-continue"))
    head, body = request[:-len(SEARCH)], request[-len(SEARCH):]
    with daemon.connect() as connection:
        for _ in range(2):
            connection.send(head)
            assert connection.read_head().status == 100
            connection.send(body)
            assert found(connection.read_response()) == OFFSETS


def test_a_client_that_did_not_wait_is_not_told(daemon):
    response = ask(daemon, post(SEARCH, ("Expect", "100-continue")))
    assert not response.interim
    assert found(response) == OFFSETS


def test_nobody_is_told_who_did_not_ask_or_cannot_know(daemon):
    for fields, version in (([], "HTTP/1.1"), ([("Expect", "100-continue")], "HTTP/1.0")):
        request = post(SEARCH, *fields, version=version)
        with daemon.connect() as connection:
            connection.send(request[:-len(SEARCH)])
            connection.send(request[-len(SEARCH):])
            response = connection.read_response()
            assert not response.interim
            assert found(response) == OFFSETS


# What is refused, with the connection kept: its content has been read

@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"text":["a"]}', b'{"text":null}', b'{"text":true}', b'{"text":{"a":1}}', b"{} {}", b"text=a",
                                  b'{"text":"\xff"}', b"[" * 8000, b'{"a":' * 1600])
def test_what_is_no_object_of_texts(daemon, body):
    with daemon.connect() as connection:
        connection.send(post(body) + build("GET", "/files/ten.bin"))
        response = connection.read_response()
        assert problem(response, 400)["type"] == "/problems/bad-parameter"
        assert not response.closes
        assert connection.read_response().body == content.expected(0, 10)


@pytest.mark.parametrize("body, kind, parameter", [
    (b"{}", "bad-parameter", "file"), (said(file="text.bin"), "bad-parameter", "text"), (said(file="text.bin", text="a", nonsense=1), "unknown-parameter", "nonsense"),
    (b'{"file":"text.bin","text":"a","text":"b"}', "repeated-parameter", "text"), (said(file="text.bin", text="a\0b"), "bad-parameter", "text"),
    (said(file="text.bin", text="a", limit=-1), "bad-parameter", "limit"), (said(file="text.bin", text="a", limit=1.5), "bad-parameter", "limit"),
    (said(file="text.bin", regex="("), "bad-parameter", "regex")])
def test_parameters_are_judged_as_those_of_a_query(daemon, body, kind, parameter):
    answer = problem(ask(daemon, post(body)), 400)
    assert answer["type"] == f"/problems/{kind}"
    assert answer["parameter"] == parameter


def test_one_place_for_parameters(daemon):
    for query in ("?file=text.bin", "?text=a", "?x"):
        assert problem(ask(daemon, post(SEARCH, target="/search" + query)), 400)["type"] == "/problems/bad-parameter"
    assert found(ask(daemon, post(SEARCH, target="/search?"))) == OFFSETS


def test_a_file_that_is_not_there(daemon):
    assert problem(ask(daemon, post(said(file="nothing", text="a"))), 404)["type"] == "/problems/not-found"


def test_content_is_conditional_on_the_file_it_names(daemon):
    """RFC 9110, 13.2.2: what GET would answer 304 is 412 for any other method. The content has been read: the next request begins behind it."""
    tag = daemon.request("HEAD", "/files/text.bin")["ETag"]
    with daemon.connect() as connection:
        for name, value, status in (("If-None-Match", tag, 412), ("If-None-Match", f"W/{tag}", 412), ("If-None-Match", f'"x", {tag}', 412),
                                    ("If-None-Match", "*", 412), ("If-None-Match", '"x"', 200),
                                    ("If-Match", '"x"', 412), ("If-Match", f"W/{tag}", 412), ("If-Match", tag, 200), ("If-Match", "*", 200)):
            connection.send(post(SEARCH, (name, value)))
            response = connection.read_response()
            assert (response.status, response["Cache-Control"], response.closes) == (status, "no-store", False), (name, value)
            if status == 412:
                assert problem(response, 412)["type"] == "/problems/precondition-failed"
            else:
                assert found(response) == OFFSETS
        # A condition hides neither that the content is wrong, nor that there is no file (13.2.1).
        for body, status in ((said(file="text.bin", text="a", surprise="1"), 400), (said(file="nothing", text="a"), 404)):
            connection.send(post(body, ("If-None-Match", "*")))
            problem(connection.read_response(), status)


# Methods

@pytest.mark.parametrize("target", ["/files/ten.bin", "/files/", "/bytes", "/info", "/map", "/digest", "/", "/metrics", "/search/", "/nowhere"])
def test_elsewhere_it_is_not_allowed(daemon, target):
    response = ask(daemon, post(SEARCH, target=target))
    assert response.status == 405
    assert response["Allow"] == "GET, HEAD, OPTIONS"
    assert response.closes


def test_what_is_allowed_is_said(daemon):
    assert daemon.request("OPTIONS", "/search")["Allow"] == "GET, HEAD, POST, OPTIONS"
    assert daemon.request("PUT", "/search")["Allow"] == "GET, HEAD, POST, OPTIONS"
    assert daemon.request("OPTIONS", "/files/ten.bin")["Allow"] == "GET, HEAD, OPTIONS"


def test_pages_of_other_origins_post_where_they_may(root, daemon):
    origin = "https://viewer.example"
    wanted = [("Access-Control-Request-Method", "POST"), ("Access-Control-Request-Headers", "content-type")]
    with Daemon(root, options=["--cors-origins", origin]) as shared:
        answer = shared.request("OPTIONS", "/search", [("Origin", origin), *wanted])
        assert "POST" in answer["Access-Control-Allow-Methods"]
        assert "Content-Type" in answer["Access-Control-Allow-Headers"]
        assert "POST" not in shared.request("OPTIONS", "/bytes", [("Origin", origin), *wanted])["Access-Control-Allow-Methods"]
        assert "Access-Control-Allow-Methods" not in shared.request("OPTIONS", "/search", [("Origin", "https://evil.example"), *wanted])
    assert "Access-Control-Allow-Methods" not in daemon.request("OPTIONS", "/search", [("Origin", origin), *wanted])


# Time, and ends

def test_content_that_does_not_come_is_not_waited_for(root):
    with Daemon(root, options=["--header-timeout", "1s"]) as daemon:
        with daemon.connect() as connection:
            connection.send(post(SEARCH)[:-1])
            response = connection.read_response()
            assert response.status == 408
            assert json.loads(response.body)["type"] == "/problems/request-timeout"
            assert response.closes
            connection.expect_end()
        # A byte now and then is no way to have longer: the time is for all of it, as with a head.
        with daemon.connect() as connection:
            request = post(SEARCH)
            connection.send(request[:-40])
            for byte in request[-40:-1]:
                if select.select([connection.socket], [], [], 0.2)[0]:
                    break
                connection.send(bytes([byte]))
            assert connection.read_response().status == 408


def test_a_client_that_leaves_within_its_content(daemon):
    for cut in (1, len(SEARCH) // 2, len(SEARCH)):
        with daemon.connect() as connection:
            connection.send(post(SEARCH)[:-cut])
    wait_until(lambda: daemon.metric("ranged_connections") == 1, "they are gone")
    assert found(ask(daemon, post(SEARCH))) == OFFSETS


# Who may

def test_content_says_which_file_and_so_who_may(tmp_path):
    """Credentials that only one root wants are wanted for what the content names, not the target."""
    for name in ("open", "closed"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "text.bin").write_bytes(NEEDLE)
    tokens = tmp_path / "tokens"
    tokens.write_text("t" * 32 + "\n")
    os.chmod(tokens, 0o600)
    options = ["--auth-token-file", tokens, "--auth-roots", "closed"]
    bearer = ("Authorization", "Bearer " + "t" * 32)
    with Daemon(f"open={tmp_path / 'open'}", f"closed={tmp_path / 'closed'}", options=options) as daemon:
        closed = said(file="closed/text.bin", text="a&b")
        with daemon.connect() as connection:
            connection.send(post(closed) + post(said(file="open/text.bin", text="a&b")))
            assert connection.read_response().status == 401
            assert found(connection.read_response()) == [0]  # the content of the one before was read
        assert found(ask(daemon, post(closed, bearer))) == [0]
        for trick in (b'{"file":"open/text.bin","file":"closed/text.bin","text":"a"}', b'{"file":"closed/text.bin","file":"open/text.bin","text":"a"}',
                      said(file="closed/../closed/text.bin", text="a"), said(file="closed%2ftext.bin", text="a")):
            assert ask(daemon, post(trick)).status in (400, 401, 404)
        assert ask(daemon, post(closed, target="/search?file=open/text.bin")).status in (400, 401)


def test_the_access_log_has_the_target_alone(root, tmp_path):
    log = tmp_path / "access.log"
    with Daemon(root, options=["--access-log", log]) as daemon:
        ask(daemon, post(SEARCH, ("X-Request-Id", "the-post")))
        wait_until(lambda: "the-post" in log.read_text(), "it is logged")
    line = next(json.loads(line) for line in log.read_text().splitlines() if "the-post" in line)
    assert (line["method"], line["target"], line["status"]) == ("POST", "/search", 200)
