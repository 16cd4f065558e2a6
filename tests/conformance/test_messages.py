"""Messages and connections (RFC 9112), methods and fields that every answer has (RFC 9110, 6 to 10 and 15)."""
import datetime
import email.utils
import json
import re
import threading

import pytest

from harness import content
from harness.http import ConnectionCut, build, wait_until

FILE = "/files/ten.bin"
TEN = content.expected(0, 10)
ELEVEN = content.expected(0, 11)

OPEN, CLOSED, ANY = "stays open", "closes", "either"
PROBE = b"GET /files/eleven.bin HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"


def head(*lines: bytes) -> bytes:
    return b"\r\n".join(lines) + b"\r\n\r\n"


GET = b"GET /files/ten.bin HTTP/1.1"
HOST = b"Host: 127.0.0.1"

# What is sent, the status of the one answer to it, and what becomes of the connection. The probe that follows an open one must
# be answered as itself: its first byte is the first byte of the next request.
MESSAGES = [
    # The request line, 9112, 3 and 9110, 2.5 and 9.1.
    ("plain", head(GET, HOST), 200, OPEN),
    ("one empty line before", b"\r\n" + head(GET, HOST), 200, OPEN),
    ("two empty lines before", b"\r\n\r\n" + head(GET, HOST), 200, ANY),
    ("a higher minor version", head(b"GET /files/ten.bin HTTP/1.2", HOST), 200, ANY),
    ("the highest minor version", head(b"GET /files/ten.bin HTTP/1.9", HOST), 200, ANY),
    ("HTTP/2.0", head(b"GET /files/ten.bin HTTP/2.0", HOST), 505, CLOSED),
    ("HTTP/3.0", head(b"GET /files/ten.bin HTTP/3.0", HOST), 505, CLOSED),
    ("HTTP/0.9 with version", head(b"GET /files/ten.bin HTTP/0.9", HOST), (400, 505), CLOSED),
    ("HTTP/0.9 without version", b"GET /files/ten.bin\r\n\r\n", 400, CLOSED),
    ("lower-case http", head(b"GET /files/ten.bin http/1.1", HOST), 400, CLOSED),
    ("a version of two digits", head(b"GET /files/ten.bin HTTP/1.10", HOST), 400, CLOSED),
    ("a version without minor", head(b"GET /files/ten.bin HTTP/1", HOST), 400, CLOSED),
    ("a version with a comma", head(b"GET /files/ten.bin HTTP/1,1", HOST), 400, CLOSED),
    ("another protocol", head(b"GET /files/ten.bin ICY/1.1", HOST), 400, CLOSED),
    ("two spaces after the method", head(b"GET  /files/ten.bin HTTP/1.1", HOST), 400, CLOSED),
    ("two spaces before the version", head(b"GET /files/ten.bin  HTTP/1.1", HOST), 400, CLOSED),
    ("a tab for a space", head(b"GET\t/files/ten.bin HTTP/1.1", HOST), 400, CLOSED),
    ("a space before the method", head(b" GET /files/ten.bin HTTP/1.1", HOST), 400, CLOSED),
    ("a space after the version", head(b"GET /files/ten.bin HTTP/1.1 ", HOST), 400, CLOSED),
    ("a space in the target", head(b"GET /files/ten bin HTTP/1.1", HOST), 400, CLOSED),
    ("no target", head(b"GET HTTP/1.1", HOST), 400, CLOSED),
    ("a method with a separator", head(b"G(T /files/ten.bin HTTP/1.1", HOST), 400, CLOSED),
    ("a lone CR in the request line", head(b"GET /files/ten\r.bin HTTP/1.1", HOST), 400, CLOSED),
    ("a NUL in the target", head(b"GET /files/ten\x00.bin HTTP/1.1", HOST), 400, CLOSED),
    ("a byte above 127 in the target", head(b"GET /files/t\xc3\xa9n.bin HTTP/1.1", HOST), 400, CLOSED),
    ("a target without a slash", head(b"GET files/ten.bin HTTP/1.1", HOST), 400, CLOSED),
    ("a fragment", head(b"GET /files/ten.bin#top HTTP/1.1", HOST), 400, ANY),
    ("a query, which files ignore", head(b"GET /files/ten.bin?x=1&x=2 HTTP/1.1", HOST), 200, OPEN),
    ("an empty query", head(b"GET /files/ten.bin? HTTP/1.1", HOST), 200, OPEN),
    ("TLS on the plain port", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(32) + b"\r\n\r\n", 400, CLOSED),
    ("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", (400, 405, 501, 505), CLOSED),
    ("nonsense", b"\x00\x01\x02\x03\r\n\r\n", 400, CLOSED),

    # Targets, 9112, 3.2.
    ("absolute-form", head(b"GET http://127.0.0.1/files/ten.bin HTTP/1.1", HOST), 200, OPEN),
    ("absolute-form, a loopback name", head(b"GET http://localhost:8080/files/ten.bin HTTP/1.1", HOST), 200, OPEN),
    ("absolute-form, scheme in capitals", head(b"GET HTTP://127.0.0.1/files/ten.bin HTTP/1.1", HOST), 200, OPEN),
    ("absolute-form outranks Host", head(b"GET http://127.0.0.1/files/ten.bin HTTP/1.1", b"Host: evil.example"), 200, OPEN),
    ("absolute-form of another host", head(b"GET http://evil.example/files/ten.bin HTTP/1.1", HOST), 421, ANY),
    ("absolute-form of another scheme", head(b"GET ftp://127.0.0.1/files/ten.bin HTTP/1.1", HOST), (400, 421), ANY),
    ("absolute-form without host", head(b"GET http:///files/ten.bin HTTP/1.1", HOST), 400, ANY),
    ("absolute-form with user", head(b"GET http://me@127.0.0.1/files/ten.bin HTTP/1.1", HOST), (200, 400), ANY),
    ("absolute-form without Host", head(b"GET http://127.0.0.1/files/ten.bin HTTP/1.1"), 400, ANY),
    ("asterisk-form for GET", head(b"GET * HTTP/1.1", HOST), 400, ANY),
    ("asterisk-form for OPTIONS", head(b"OPTIONS * HTTP/1.1", HOST), 204, OPEN),
    ("authority-form for GET", head(b"GET 127.0.0.1:80 HTTP/1.1", HOST), 400, CLOSED),
    ("CONNECT", head(b"CONNECT 127.0.0.1:80 HTTP/1.1", b"Host: 127.0.0.1:80"), (405, 501), ANY),

    # Host, 9112, 3.2 and 9110, 7.2; names that are not ours answer 421, against DNS rebinding.
    ("no Host", head(GET), 400, CLOSED),
    ("two Hosts", head(GET, HOST, HOST), 400, CLOSED),
    ("two different Hosts", head(GET, HOST, b"Host: localhost"), 400, CLOSED),
    ("Host with port", head(GET, b"Host: 127.0.0.1:1"), 200, OPEN),
    ("Host with an empty port", head(GET, b"Host: 127.0.0.1:"), 200, OPEN),
    ("Host localhost", head(GET, b"Host: localhost"), 200, OPEN),
    ("Host LocalHost", head(GET, b"Host: LocalHost:8080"), 200, OPEN),
    ("Host of IPv6 loopback", head(GET, b"Host: [::1]:8080"), 200, OPEN),
    ("Host 127.0.0.2", head(GET, b"Host: 127.0.0.2"), 200, OPEN),
    ("a foreign Host", head(GET, b"Host: evil.example"), 421, ANY),
    ("a foreign Host that begins like ours", head(GET, b"Host: 127.0.0.1.evil.example"), 421, ANY),
    ("a foreign Host that ends like ours", head(GET, b"Host: evil.localhost.example"), 421, ANY),
    ("a foreign address", head(GET, b"Host: 192.0.2.1"), 421, ANY),
    ("an empty Host", head(GET, b"Host: "), (400, 421), ANY),
    ("Host with user", head(GET, b"Host: me@127.0.0.1"), 400, CLOSED),
    ("Host with a path", head(GET, b"Host: 127.0.0.1/x"), 400, CLOSED),
    ("Host with a space", head(GET, b"Host: 127.0.0.1 x"), 400, CLOSED),
    ("Host with two values", head(GET, b"Host: 127.0.0.1, localhost"), 400, CLOSED),
    ("Host with a wild port", head(GET, b"Host: 127.0.0.1:http"), 400, CLOSED),
    ("Host with an open bracket", head(GET, b"Host: [::1"), 400, CLOSED),

    # Field lines, 9112, 5.
    ("a space before the colon", head(GET, HOST, b"X : y"), 400, CLOSED),
    ("a space before Host's colon", head(GET, b"Host : 127.0.0.1"), 400, CLOSED),
    ("a line without colon", head(GET, HOST, b"nothing"), 400, CLOSED),
    ("an empty name", head(GET, HOST, b": y"), 400, CLOSED),
    ("a name with a separator", head(GET, HOST, b"X(y: z"), 400, CLOSED),
    ("a name above 127", head(GET, HOST, b"X\xe9: z"), 400, CLOSED),
    ("obs-fold", head(GET, HOST, b"X: y", b" z"), 400, CLOSED),
    ("obs-fold with a tab", head(GET, HOST, b"X: y", b"\tz"), 400, CLOSED),
    ("a folded first line", head(GET, b" Host: 127.0.0.1"), 400, CLOSED),
    ("a NUL in a value", head(GET, HOST, b"X: y\x00z"), 400, CLOSED),
    ("a lone CR in a value", head(GET, HOST, b"X: y\rz"), 400, CLOSED),
    ("a lone LF between fields", b"GET /files/ten.bin HTTP/1.1\r\nHost: 127.0.0.1\nX: y\r\n\r\n", 400, CLOSED),
    ("lone LFs everywhere", b"GET /files/ten.bin HTTP/1.1\nHost: 127.0.0.1\n\n", 400, CLOSED),
    ("a control byte in a value", head(GET, HOST, b"X: y\x01z"), 400, CLOSED),
    ("DEL in a value", head(GET, HOST, b"X: y\x7fz"), 400, CLOSED),
    ("a value above 127", head(GET, HOST, b"X: caf\xc3\xa9"), 200, OPEN),
    ("an empty value", head(GET, HOST, b"X:"), 200, OPEN),
    ("a tab in a value", head(GET, HOST, b"X: a\tb"), 200, OPEN),
    ("unknown fields", head(GET, HOST, b"X-Anything: goes", b"!#$%&'*+-.^_`|~: token"), 200, OPEN),
    ("a field twice", head(GET, HOST, b"X: 1", b"X: 2"), 200, OPEN),

    # Content, 9110, 9.3.1 and 9112, 6: none is wanted, and none is read as the next request.
    ("GET with Content-Length: 0", head(GET, HOST, b"Content-Length: 0"), 200, OPEN),
    ("HEAD with Content-Length: 0", head(b"HEAD /files/ten.bin HTTP/1.1", HOST, b"Content-Length: 0"), 200, OPEN),
    ("GET with content", head(GET, HOST, b"Content-Length: 5") + b"hello", (400, 413), CLOSED),
    ("GET with a request for content", head(GET, HOST, b"Content-Length: %d" % len(PROBE)) + PROBE, (400, 413), CLOSED),
    ("POST with a request for content", head(b"POST /files/ten.bin HTTP/1.1", HOST, b"Content-Length: %d" % len(PROBE)) + PROBE, 405, CLOSED),
    ("POST without content", head(b"POST /files/ten.bin HTTP/1.1", HOST, b"Content-Length: 0"), 405, OPEN),
    ("chunked GET", head(GET, HOST, b"Transfer-Encoding: chunked") + b"0\r\n\r\n", (400, 501), CLOSED),
    ("chunked POST", head(b"POST /files/ten.bin HTTP/1.1", HOST, b"Transfer-Encoding: chunked") + b"5\r\nhello\r\n0\r\n\r\n",
     (400, 405, 501), CLOSED),
    ("an unknown transfer coding", head(GET, HOST, b"Transfer-Encoding: cow"), (400, 501), CLOSED),
    ("identity as a transfer coding", head(GET, HOST, b"Transfer-Encoding: identity"), (400, 501), CLOSED),
    ("an empty Transfer-Encoding", head(GET, HOST, b"Transfer-Encoding:"), (400, 501), CLOSED),
    ("length, then coding", head(GET, HOST, b"Content-Length: 5", b"Transfer-Encoding: chunked") + b"0\r\n\r\n", (400, 501), CLOSED),
    ("coding, then length", head(GET, HOST, b"Transfer-Encoding: chunked", b"Content-Length: 5") + b"0\r\n\r\n", (400, 501), CLOSED),
    ("chunked in HTTP/1.0", head(b"GET /files/ten.bin HTTP/1.0", b"Transfer-Encoding: chunked") + b"0\r\n\r\n", (400, 501), CLOSED),
    ("a negative length", head(GET, HOST, b"Content-Length: -1"), 400, CLOSED),
    ("a signed length", head(GET, HOST, b"Content-Length: +0"), 400, CLOSED),
    ("a hexadecimal length", head(GET, HOST, b"Content-Length: 0x0"), 400, CLOSED),
    ("an empty length", head(GET, HOST, b"Content-Length:"), 400, CLOSED),
    ("a length of words", head(GET, HOST, b"Content-Length: none"), 400, CLOSED),
    ("two different lengths", head(GET, HOST, b"Content-Length: 0", b"Content-Length: 5"), 400, CLOSED),
    ("a list of lengths", head(GET, HOST, b"Content-Length: 0, 5"), 400, CLOSED),
    ("a length beyond 2^64", head(GET, HOST, b"Content-Length: 18446744073709551616"), (400, 413), CLOSED),

    # Expectations, 9110, 10.1.1: no content is ever wanted, so the final answer comes at once.
    ("Expect on GET", head(GET, HOST, b"Expect: 100-continue"), 200, ANY),
    ("Expect on POST with content", head(b"POST /files/ten.bin HTTP/1.1", HOST, b"Content-Length: 5", b"Expect: 100-continue"), 405, CLOSED),
    ("an unknown expectation", head(GET, HOST, b"Expect: 200-ok"), 417, ANY),
    ("an expectation among empty members", head(GET, HOST, b"Expect: , 100-continue ,"), 200, OPEN),
    ("no expectation at all", head(GET, HOST, b"Expect:"), 200, OPEN),
    ("one expectation of two is unknown", head(GET, HOST, b"Expect: 100-continue, x=y"), 417, OPEN),
    ("an unknown expectation in HTTP/1.0", head(b"GET /files/ten.bin HTTP/1.0", b"Expect: x"), 200, CLOSED),
    ("a list of connection options with empty members", head(GET, HOST, b"Connection: ,, keep-alive , ,"), 200, OPEN),
    ("no connection options at all", head(GET, HOST, b"Connection:"), 200, OPEN),
    ("a connection option that is no token", head(GET, HOST, b"Connection: foo=bar"), (200, 400), ANY),
    ("an expectation in capitals", head(GET, HOST, b"Expect: 100-Continue"), 200, ANY),

    # Connection options, 9112, 9.
    ("Connection: close", head(GET, HOST, b"Connection: close"), 200, CLOSED),
    ("Connection: Close", head(GET, HOST, b"Connection: Close"), 200, CLOSED),
    ("close in a list", head(GET, HOST, b"Connection: x-foo, close"), 200, CLOSED),
    ("close in a second line", head(GET, HOST, b"Connection: x-foo", b"Connection: close"), 200, CLOSED),
    ("close outranks keep-alive", head(GET, HOST, b"Connection: keep-alive, close"), 200, CLOSED),
    ("Connection: keep-alive", head(GET, HOST, b"Connection: keep-alive"), 200, OPEN),
    ("other options", head(GET, HOST, b"Connection: TE, x-foo", b"TE: trailers"), 200, OPEN),
    ("an option that begins like close", head(GET, HOST, b"Connection: closed"), 200, OPEN),
    ("Upgrade is ignored", head(GET, HOST, b"Connection: Upgrade", b"Upgrade: websocket"), 200, OPEN),
    ("Upgrade to h2c is ignored", head(GET, HOST, b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABk"), 200, OPEN),
    ("HTTP/1.0", head(b"GET /files/ten.bin HTTP/1.0"), 200, CLOSED),
    ("HTTP/1.0 with Host", head(b"GET /files/ten.bin HTTP/1.0", HOST), 200, CLOSED),
    ("HTTP/1.0, keep-alive", head(b"GET /files/ten.bin HTTP/1.0", HOST, b"Connection: keep-alive"), 200, OPEN),
    ("HTTP/1.0, Keep-Alive", head(b"GET /files/ten.bin HTTP/1.0", HOST, b"Connection: Keep-Alive"), 200, OPEN),
    ("HTTP/1.0, keep-alive and close", head(b"GET /files/ten.bin HTTP/1.0", HOST, b"Connection: keep-alive, close"), 200, CLOSED),
    ("HTTP/1.0, a foreign Host", head(b"GET /files/ten.bin HTTP/1.0", b"Host: evil.example"), 421, ANY),

    # Negotiation: there is one representation of a file, and it is never coded.
    ("Accept-Encoding", head(GET, HOST, b"Accept-Encoding: gzip, br, zstd"), 200, OPEN),
    ("Accept-Encoding without identity", head(GET, HOST, b"Accept-Encoding: identity;q=0"), (200, 406), ANY),
    ("Accept of another type", head(GET, HOST, b"Accept: image/png"), 200, OPEN),
    ("Accept-Language", head(GET, HOST, b"Accept-Language: tlh"), 200, OPEN),
    ("Max-Forwards", head(GET, HOST, b"Max-Forwards: 0"), 200, OPEN),
    ("Cache-Control of the request", head(GET, HOST, b"Cache-Control: no-cache", b"Pragma: no-cache"), 200, OPEN),

    # Errors that need not close do not.
    ("404 keeps the connection", head(b"GET /files/nothing HTTP/1.1", HOST), 404, OPEN),
    ("404 of no route", head(b"GET /nowhere HTTP/1.1", HOST), 404, OPEN),
    ("405 keeps the connection", head(b"DELETE /files/ten.bin HTTP/1.1", HOST), 405, OPEN),
    ("501 keeps the connection", head(b"FROBNICATE /files/ten.bin HTTP/1.1", HOST), 501, OPEN),
    ("a 400 of a handler keeps the connection", head(b"GET /bytes?file=ten.bin&offset=x HTTP/1.1", HOST), 400, OPEN),

    # Sizes.
    ("100 fields", head(GET, HOST, *[b"X-%d: y" % i for i in range(99)]), 200, OPEN),
    ("101 fields", head(GET, HOST, *[b"X-%d: y" % i for i in range(100)]), 431, ANY),
    ("a thousand fields", head(GET, HOST, *[b"X-%d: y" % i for i in range(1000)]), 431, ANY),
    ("a field of 8 KiB", head(GET, HOST, b"X: " + b"y" * 8192), 200, OPEN),
    ("a field of 20 KiB", head(GET, HOST, b"X: " + b"y" * 20480), 431, ANY),
    ("a name of 20 KiB", head(GET, HOST, b"X" * 20480 + b": y"), 431, ANY),
    ("fields of 20 KiB together", head(GET, HOST, *[b"X-%d: " % i + b"y" * 1000 for i in range(20)]), 431, ANY),
    ("a target of 8000", head(b"GET /files/" + b"x" * 7993 + b" HTTP/1.1", HOST), 404, OPEN),
    ("a target of 9 KiB", head(b"GET /files/" + b"x" * 9216 + b" HTTP/1.1", HOST), 414, ANY),
    ("a target of 32 KiB", head(b"GET /files/" + b"x" * 32768 + b" HTTP/1.1", HOST), 414, ANY),
    ("a query of 9 KiB", head(b"GET /files/ten.bin?" + b"x" * 9216 + b" HTTP/1.1", HOST), 414, ANY),
    ("a method of 10 KiB", head(b"X" * 10240 + b" /files/ten.bin HTTP/1.1", HOST), (400, 414, 431, 501), ANY),
]


def method_of(data: bytes) -> str:
    return data.lstrip(b"\r\n").split(b" ", 1)[0].decode("latin-1")


def check_connection(connection, response, fate):
    """After `response` the connection is what `fate` says, and it says so itself (9112, 9.3 and 9.6)."""
    if fate == OPEN:
        assert not response.closes
    if fate == CLOSED:
        assert response.closes
    if response.closes:
        connection.expect_end()
    else:
        connection.send(PROBE)
        answer = connection.read_response()
        assert (answer.status, answer.body) == (200, ELEVEN)
        assert answer.closes
        connection.expect_end()


@pytest.mark.parametrize("case", MESSAGES, ids=lambda case: case[0])
@pytest.mark.parametrize("delivery", ["at once", "in two"])
def test_message(daemon, case, delivery):
    _, data, statuses, fate = case
    statuses = statuses if isinstance(statuses, tuple) else (statuses,)
    with daemon.connect() as connection:
        if delivery == "at once":
            connection.send(data)
        else:
            try:
                connection.send(data[:len(data) // 2])
                connection.send(data[len(data) // 2:])
            except (BrokenPipeError, ConnectionResetError):
                pass  # refused by its first half: what was answered is still to be read
        method = method_of(data)
        response = connection.read_response(method)
        assert not response.interim
        assert response.status in statuses
        assert "Content-Encoding" not in response
        if response.status == 200:
            assert response.body == (b"" if method == "HEAD" else TEN)
        elif response.status >= 400 and method != "HEAD":
            assert response["Content-Type"] == "application/problem+json"
            assert json.loads(response.body)["status"] == response.status
        check_connection(connection, response, fate)


BYTE_BY_BYTE = ["plain", "one empty line before", "two Hosts", "obs-fold", "GET with content", "absolute-form", "405 keeps the connection",
                "HTTP/1.0", "a lone LF between fields", "coding, then length"]


@pytest.mark.parametrize("case", [case for case in MESSAGES if case[0] in BYTE_BY_BYTE], ids=lambda case: case[0])
def test_byte_by_byte(daemon, case):
    """How a request is cut into segments means nothing."""
    _, data, statuses, fate = case
    with daemon.connect() as connection:
        try:
            for i in range(len(data)):
                connection.send(data[i:i + 1])
        except (BrokenPipeError, ConnectionResetError):
            pass
        response = connection.read_response(method_of(data))
        assert response.status in (statuses if isinstance(statuses, tuple) else (statuses,))
        check_connection(connection, response, fate)


METHODS_KNOWN = ["POST", "PUT", "DELETE", "PATCH", "TRACE"]
ROUTES = ["/files/ten.bin", "/files/", "/bytes?file=ten.bin", "/info?file=ten.bin", "/healthz", "/readyz", "/metrics", "/openapi.json"]


@pytest.mark.parametrize("target", ROUTES)
@pytest.mark.parametrize("method", METHODS_KNOWN)
def test_known_methods_are_not_allowed(daemon, method, target):
    """9110, 15.5.6: a 405 names what is allowed."""
    response = daemon.request(method, target)
    assert response.status == 405
    assert allowed(response) >= {"GET", "HEAD"}
    assert method not in allowed(response)


def allowed(response):
    return {name.strip() for name in response["Allow"].split(",")}


@pytest.mark.parametrize("method", ["FROBNICATE", "get", "Get", "HEADER", "GETX", "PROPFIND", "!#$%&'*+-.^_`|~", "X" * 64])
def test_unknown_methods_are_not_implemented(daemon, method):
    """9110, 9.1: names of methods know case."""
    assert daemon.request(method, FILE).status in ((501, 405) if method == "PROPFIND" else (501,))


@pytest.mark.parametrize("target", ["*", *ROUTES])
def test_options(daemon, target):
    response = daemon.request("OPTIONS", target)
    assert response.status == 204
    assert allowed(response) >= {"GET", "HEAD", "OPTIONS"}


@pytest.mark.parametrize("target", [
    *ROUTES, "/files/empty.bin", "/files/pages.bin", "/files/nothing", "/nowhere", "/files", "/files/six.txt", "/bytes", "/bytes?file=ten.bin&encoding=raw",
    "/bytes?file=ten.bin&offset=99", "/info?file=nothing"])
def test_head_is_get_without_content(daemon, target):
    """9110, 9.3.2: the same fields. Those that the moment decides may differ."""
    changing = {"date", "x-request-id", "server-timing"}
    if target == "/metrics":
        changing.add("content-length")
    get, answer = daemon.get(target), daemon.request("HEAD", target)
    assert answer.status == get.status
    assert answer.body == b""

    def fields(response):
        return sorted((name.lower(), value) for name, value in response.fields if name.lower() not in changing)
    assert fields(answer) == fields(get)
    if target != "/metrics":
        assert answer.length == len(get.body)


@pytest.mark.parametrize("target, media_type", [
    ("/files/ten.bin", "application/octet-stream"), ("/files/six.txt", "text/plain"), ("/bytes?file=ten.bin", "application/json"),
    ("/bytes?file=ten.bin&encoding=raw", "application/octet-stream"), ("/info?file=ten.bin", "application/json"),
    ("/files/nothing", "application/problem+json"), ("/metrics", "text/plain; version=0.0.4"), ("/openapi.json", "application/json")])
def test_content_types(daemon, target, media_type):
    value = daemon.get(target)["Content-Type"]
    assert value == media_type or value.startswith(media_type + ";")


def test_nothing_sniffs_or_scripts_what_users_put_there(site):
    (site.root / "page.html").write_text("<script>alert(1)</script>")
    (site.root / "image.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>")
    for name in ("page.html", "image.svg", "ten.bin"):
        for fields in ([], [("Range", "bytes=0-1")], [("Range", "bytes=0-1,3-4")]):
            response = site.daemon.get(f"/files/{name}", *fields)
            assert response["X-Content-Type-Options"] == "nosniff"
            assert "sandbox" in response["Content-Security-Policy"]
            assert "allow-scripts" not in response["Content-Security-Policy"]
    for target in ("/bytes?file=page.html&encoding=raw", "/bytes?file=page.html", "/files/nothing", "/files/"):
        assert site.daemon.get(target)["X-Content-Type-Options"] == "nosniff"


def test_pipelining(daemon):
    """9112, 9.3.2: answers in the order of the requests, whatever each of them is."""
    requests = [("GET", FILE, 200), ("HEAD", FILE, 200), ("GET", "/files/nothing", 404), ("POST", FILE, 405), ("GET", "/healthz", 200),
                ("OPTIONS", FILE, 204), ("GET", "/bytes?file=ten.bin&encoding=raw", 200), ("GET", "/files/pages.bin", 200),
                ("GET", "/metrics", 200), ("WHAT", FILE, 501), ("GET", "/files/", 200), ("GET", "/files/eleven.bin", 200)] * 4
    with daemon.connect() as connection:
        connection.send(b"".join(build(method, target) for method, target, _ in requests))
        for method, target, status in requests:
            response = connection.read_response(method)
            assert response.status == status, (method, target)
            if (method, target) == ("GET", "/files/pages.bin"):
                assert response.body == content.expected(0, len(response.body))
            if (method, target) == ("GET", FILE):
                assert response.body == TEN
        connection.send(PROBE)
        assert connection.read_response().body == ELEVEN
        connection.expect_end()


def test_deep_pipelining(daemon):
    """A thousand requests before the first answer is read: no order lost, no answer missing."""
    with daemon.connect() as connection:
        sender = threading.Thread(target=lambda: connection.send(b"".join(
            build("GET", FILE, [("Range", f"bytes={i % 10}-{i % 10}")]) for i in range(1000))))
        sender.start()
        for i in range(1000):
            assert connection.read_response().content_range == (i % 10, i % 10, 10)
        sender.join()


def test_nothing_after_a_closing_request_is_answered(daemon):
    """9112, 9.6: what follows a request with close is not processed."""
    with daemon.connect() as connection:
        connection.send(build("GET", FILE, [("Connection", "close")]) + build("GET", FILE) * 3)
        assert connection.read_response().closes
        connection.expect_end()


def test_nothing_after_a_refused_head_is_answered(daemon):
    with daemon.connect() as connection:
        connection.send(b"GET /files/ten.bin HTTP/1.1\r\n\r\n" + build("GET", FILE) * 3)
        assert connection.read_response().status == 400
        connection.expect_end()


@pytest.mark.parametrize("target, length", [(FILE, 10), ("/files/pages.bin", 5 * 65536 + 123), ("/files/nothing", None)])
def test_a_half_closed_client_is_answered(daemon, target, length):
    """A client may end its sending side with its last request."""
    with daemon.connect() as connection:
        connection.send(build("GET", target) * 2)
        connection.finish_sending()
        for _ in range(2):
            response = connection.read_response()
            assert response.status == (404 if length is None else 200)
            if length is not None:
                assert response.body == content.expected(0, length)
        connection.expect_end()


def test_a_half_closed_client_of_a_long_answer(site):
    """Sending ended at once, reading goes on through many megabytes."""
    with site.daemon.connect() as connection:
        connection.send(build("GET", "/files/sparse.bin", [("Range", "bytes=0-16777215")]))
        connection.finish_sending()
        response = connection.read_response()
        assert (response.status, response.length) == (206, 1 << 24)
        with open(site.root / "sparse.bin", "rb") as file:
            assert response.body == file.read(1 << 24)
        connection.expect_end()


@pytest.mark.parametrize("target", [
    "/search?file=ten.bin&text=x", "/search?file=pages.bin&hex=ff", "/digest?file=ten.bin", "/digest?file=pages.bin", "/map?file=pages.bin&exact=1", "/strings?file=pages.bin", "/extents?file=ten.bin"])
def test_a_half_closed_client_of_a_scan_is_answered(daemon, target):
    """9112, 9.6: what it sent its last request for, whole, and what it sent behind it."""
    with daemon.connect() as connection:
        connection.send(build("GET", target) + build("GET", FILE))
        connection.finish_sending()
        response = connection.read_response()
        assert response.status == 200
        records = [json.loads(line) for line in response.body.splitlines()]
        assert (records[0]["type"], records[-1]["type"], records[-1]["status"]) == ("begin", "end", "complete")
        response = connection.read_response()
        assert (response.status, response.body) == (200, content.expected(0, 10))
        connection.expect_end()


@pytest.mark.parametrize("part", [b"", b"\r\n", b"GET", b"GET /files/ten.bin HTTP/1.1\r\n", b"GET /files/ten.bin HTTP/1.1\r\nHost: 127.0.0.1\r\n"])
def test_a_client_that_ends_within_a_head_is_let_go(daemon, part):
    """Nothing to answer, or a 400: but no hanging, and no answer of a request that was not finished."""
    with daemon.connect() as connection:
        connection.send(part)
        connection.finish_sending()
        try:
            response = connection.read_response()
            assert response.status in (400, 408) and response.closes
        except ConnectionCut as cut:
            assert cut.received == b""
        connection.expect_end()


def test_http_1_0_says_whether_it_keeps(daemon):
    """9112, 9.3 and C.2.2: a 1.0 client learns from Connection: keep-alive that the connection stays."""
    with daemon.connect() as connection:
        for _ in range(3):
            connection.send(b"GET /files/ten.bin HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            response = connection.read_response()
            assert response["Connection"].lower() == "keep-alive"
            assert response.body == TEN
        connection.send(b"GET /files/ten.bin HTTP/1.0\r\n\r\n")
        assert connection.read_response().body == TEN
        connection.expect_end()


@pytest.mark.parametrize("value, whole_or", [("bytes=0-4", 206), ("bytes=99-", 416)])
def test_http_1_0_with_range(daemon, value, whole_or):
    """Range came with 1.1; a 1.0 request may be answered either way, but rightly."""
    with daemon.connect() as connection:
        connection.send(f"GET /files/ten.bin HTTP/1.0\r\nRange: {value}\r\n\r\n".encode())
        response = connection.read_response()
        assert response.status in (200, whole_or)
        if response.status == 206:
            assert (response.content_range, response.body) == ((0, 4, 10), TEN[:5])
        elif response.status == 200:
            assert response.body == TEN
        connection.expect_end()


def test_a_thousand_requests_on_one_connection(daemon):
    with daemon.connect() as connection:
        for i in range(1000):
            connection.send(build("GET", FILE, [("Range", f"bytes=-{i % 10 + 1}")]))
            assert connection.read_response().body == TEN[-(i % 10 + 1):]


def test_an_empty_file(daemon):
    response = daemon.get("/files/empty.bin")
    assert (response.status, response["Content-Length"], response.body) == (200, "0", b"")


def test_problems_name_themselves(daemon):
    """RFC 9457: type, title, status; a stable type for each kind, nothing of the disk."""
    types = {}
    for fields, target in (((), "/files/nothing"), ((("Range", "bytes=99-"),), FILE), ((("If-Match", '"x"'),), FILE), ((), "/bytes?offset=x")):
        response = daemon.get(target, *fields)
        problem = json.loads(response.body)
        assert problem["status"] == response.status
        assert isinstance(problem["type"], str) and isinstance(problem["title"], str) and problem["title"]
        types[problem["type"]] = target
        text = response.body.decode()
        assert "/tmp" not in text and "errno" not in text and "No such file" not in text
    assert len(types) == 4
    assert json.loads(daemon.get("/files/nothing2").body)["type"] == json.loads(daemon.get("/files/nothing").body)["type"]


def test_the_server_says_little_of_itself(daemon):
    """A Server field is allowed (10.2.4); a version in it only helps whoever looks for old ones."""
    value = daemon.get(FILE)["Server"]
    assert value is None or not re.search(r"\d+\.\d+", value)


def test_dates_are_now(daemon):
    date = email.utils.parsedate_to_datetime(daemon.get(FILE)["Date"])
    assert abs((datetime.datetime.now(datetime.timezone.utc) - date).total_seconds()) <= 2


def test_the_daemon_is_as_it_was(site):
    """After all of the above: no connection left over, nothing pinned."""
    site.daemon.wait_until_unpinned()
    wait_until(lambda: site.daemon.metric("ranged_connections", state="open") == 1, "only the asking connection is open")
