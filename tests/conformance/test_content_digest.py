"""Want-Content-Digest and Content-Digest (RFC 9530) of files' bytes."""
import base64
import hashlib

import pytest

from acceptance.support import age
from harness import content
from harness.daemon import Daemon

LARGE = (1 << 20) + 1  # a byte beyond max_window
ALGORITHMS = {"sha-256": hashlib.sha256, "sha-512": hashlib.sha512}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("digests") / "served"
    root.mkdir()
    for name, size in (("ten.bin", 10), ("empty.bin", 0), ("large.bin", LARGE), ("window.bin", LARGE - 1)):
        content.write_pattern(root / name, size)
        age(root / name)
    return root


@pytest.fixture(scope="module")
def daemon(root):
    with Daemon(root) as daemon:
        yield daemon


def digest(algorithm: str, body: bytes) -> str:
    return f"{algorithm}=:{base64.b64encode(ALGORITHMS[algorithm](body).digest()).decode()}:"


def want(value: str):
    return ("Want-Content-Digest", value)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("target, spec", [("/files/ten.bin", None), ("/files/ten.bin", "2-5"), ("/files/ten.bin", "-1"), ("/files/window.bin", None),
                                          ("/files/large.bin", "0-0"), ("/files/large.bin", "65530-65540"), ("/files/large.bin", f"1-{LARGE - 1}"),
                                          ("/files/large.bin", "100000-500000"), ("/files/ten.bin", "0-2,2-5")])
def test_it_is_of_the_content_that_was_sent(daemon, algorithm, target, spec):
    fields = [want(f"{algorithm}=10")] + ([("Range", f"bytes={spec}")] if spec else [])
    response = daemon.get(target, *fields)
    assert response.status == (206 if spec else 200)
    assert response.all("Content-Digest") == [digest(algorithm, response.body)]
    plain = daemon.get(target, *fields[1:])
    assert plain.body == response.body
    assert "Content-Digest" not in plain


@pytest.mark.parametrize("value, expected", [
    ("sha-256=1", "sha-256"), ("sha-512=1", "sha-512"), ("sha-256=1, sha-512=2", "sha-512"), ("sha-256=3,sha-512=3", "sha-256"),
    ("sha-256=0, sha-512=1", "sha-512"), ("md5=10, sha-256=1", "sha-256"), ("sha-256=0", None), ("md5=10", None), ("", None),
    ("sha-256", None), ("sha-256=11", None), ("sha-256=-1", None), ("sha-256=1.5", None), ("SHA-256=1", None), ("sha-256=1,", None), ("sha-256=1;a", None)])
def test_what_is_wanted_most_is_given(daemon, value, expected):
    response = daemon.get("/files/ten.bin", want(value))
    assert response.body == content.expected(0, 10)
    assert response["Content-Digest"] == (digest(expected, response.body) if expected else None)


def test_lines_are_one_field(daemon):
    response = daemon.get("/files/ten.bin", want("sha-256=1"), want("sha-512=2"))
    assert response["Content-Digest"] == digest("sha-512", response.body)
    assert "Content-Digest" not in daemon.get("/files/ten.bin", want("sha-256=1"), want("?"))


@pytest.mark.parametrize("method, target, fields, status", [
    ("GET", "/files/large.bin", [], 200), ("GET", "/files/large.bin", [("Range", "bytes=0-")], 206),
    ("GET", "/files/ten.bin", [("Range", "bytes=0-1,8-9")], 206), ("HEAD", "/files/ten.bin", [], 200), ("GET", "/files/ten.bin", [("If-None-Match", "*")], 304),
    ("GET", "/files/ten.bin", [("Range", "bytes=99-")], 416), ("GET", "/files/empty.bin", [], 200), ("GET", "/files/", [], 200),
    ("GET", "/bytes?file=ten.bin&encoding=raw", [], 200), ("GET", "/files/nothing", [], 404)])
def test_the_wish_is_ignored(daemon, method, target, fields, status):
    """Beyond the bound, and where there are no bytes of one stretch."""
    response = daemon.request(method, target, [want("sha-256=10"), *fields])
    assert response.status == status
    assert "Content-Digest" not in response


def test_the_bound_is_max_window(root):
    with Daemon(root, options=["--max-window", "8B"]) as daemon:
        assert "Content-Digest" in daemon.get("/files/ten.bin", want("sha-256=10"), ("Range", "bytes=0-7"))
        assert "Content-Digest" not in daemon.get("/files/ten.bin", want("sha-256=10"), ("Range", "bytes=0-8"))


def test_it_is_of_the_version_that_is_sent(tmp_path):
    """A file that is replaced all the time: never the digest of one version with the bytes of another."""
    path = tmp_path / "file.bin"
    content.write_pattern(path, 300_000)
    with Daemon(tmp_path, options=["--stale-after", "0s"]) as daemon:
        for version in range(1, 30):
            fresh = tmp_path / "fresh.bin"
            content.write_pattern(fresh, 300_000, version)
            fresh.rename(path)
            response = daemon.get("/files/file.bin", want("sha-256=10"))
            assert response["Content-Digest"] == digest("sha-256", response.body)
            assert response.body == content.expected(0, 300_000, version)
        daemon.wait_until_unpinned()


def test_no_byte_of_it_is_handed_over(root):
    """By reference a rewritten file could show through behind its digest."""
    with Daemon(root) as daemon:
        daemon.get("/files/window.bin", want("sha-256=10"))
        assert daemon.metric("ranged_http_response_bytes_total", path="sendfile") == 0


def test_other_origins_may_ask_for_it(root):
    origin = "https://viewer.example"
    with Daemon(root, options=["--cors-origins", origin]) as daemon:
        response = daemon.request("OPTIONS", "/files/ten.bin", [("Origin", origin), ("Access-Control-Request-Method", "GET"),
                                                                ("Access-Control-Request-Headers", "want-content-digest")])
        assert "Want-Content-Digest" in response["Access-Control-Allow-Headers"]
        assert "Content-Digest" in daemon.get("/files/ten.bin", ("Origin", origin))["Access-Control-Expose-Headers"]
