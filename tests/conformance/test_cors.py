"""Reading from pages of other origins (the Fetch standard, 3.2): who may, what they see, and what caches are told."""
import pytest

from harness import content
from harness.daemon import Daemon
from harness.http import build

TEN = content.expected(0, 10)
PAGE, OTHER = "https://viewer.example:8443", "https://evil.example"
TARGETS = ["/files/ten.bin", "/bytes?file=ten.bin", "/bytes?file=ten.bin&encoding=raw", "/info?file=ten.bin", "/files/", "/files/nothing", "/healthz",
           "/bytes?offset=x&file=ten.bin"]
# What scripts need beyond the fields that they may always read: pdf.js, PMTiles and the like stop or load all without these.
EXPOSED = {"content-range", "accept-ranges", "content-length", "etag", "last-modified"}
# What a script may set: Range with several ranges and the conditions are not on the list that needs no preflight.
SETTABLE = {"range", "if-range", "if-match", "if-none-match", "if-modified-since"}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("cors") / "served"
    root.mkdir()
    (root / "ten.bin").write_bytes(TEN)
    return root


@pytest.fixture(scope="module")
def closed(root):
    with Daemon(root) as daemon:
        yield daemon


@pytest.fixture(scope="module")
def listed(root):
    """Two origins are allowed by name."""
    with Daemon(root, options=["--cors-origins", PAGE, "--cors-origins", "http://localhost:3000"]) as daemon:
        yield daemon


@pytest.fixture(scope="module", name="open_to_all")
def make_open_to_all(root):
    with Daemon(root, options=["--cors-origins", "*"]) as daemon:
        yield daemon


def names(response, field):
    return {name.strip().lower() for value in response.all(field) for name in value.split(",")}


def says_nothing(response):
    return not any(name.lower().startswith("access-control-") for name, _ in response.fields)


def preflight(daemon, origin, method="GET", headers="range", target="/files/ten.bin"):
    return daemon.request("OPTIONS", target, [("Origin", origin), ("Access-Control-Request-Method", method),
                                              ("Access-Control-Request-Headers", headers)])


@pytest.mark.parametrize("origin", [PAGE, OTHER, "null", "http://127.0.0.1"])
@pytest.mark.parametrize("target", TARGETS)
def test_off_by_default(closed, origin, target):
    response = closed.get(target, ("Origin", origin))
    assert says_nothing(response)
    assert "origin" not in names(response, "Vary")
    assert says_nothing(preflight(closed, origin, target=target))


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("origin", [PAGE, "http://localhost:3000"])
def test_a_listed_origin_reads_everything(listed, origin, target):
    """Errors too: a script must be able to tell a 404 from a network that is down."""
    response = listed.get(target, ("Origin", origin))
    assert response["Access-Control-Allow-Origin"] == origin
    assert names(response, "Access-Control-Expose-Headers") >= EXPOSED
    assert "origin" in names(response, "Vary")
    assert "Access-Control-Allow-Credentials" not in response


@pytest.mark.parametrize("origin", [
    OTHER, "null", "https://viewer.example", "http://viewer.example:8443", "https://viewer.example:84430", "https://a.viewer.example:8443",
    PAGE + ".evil.example", PAGE + "/", PAGE.upper(), "", "*", f"{PAGE} {OTHER}", f"{PAGE}, {OTHER}", "file://"])
@pytest.mark.parametrize("target", TARGETS)
def test_no_other_does(listed, origin, target):
    """The comparison is of bytes, not of beginnings, ends or hosts; and Vary keeps a cache from handing one's answer to another."""
    response = listed.get(target, ("Origin", origin))
    assert says_nothing(response)
    assert "origin" in names(response, "Vary")
    assert says_nothing(preflight(listed, origin, target=target))


def test_no_origin_still_varies(listed):
    response = listed.get("/files/ten.bin")
    assert says_nothing(response) and "origin" in names(response, "Vary")


def test_a_listing_varies_by_both(listed):
    assert names(listed.get("/files/", ("Origin", PAGE)), "Vary") >= {"origin", "accept"}


@pytest.mark.parametrize("fields, status", [
    ([("Range", "bytes=0-3")], 206), ([("Range", "bytes=0-1,5-6")], 206), ([("Range", "bytes=99-")], 416), ([("If-None-Match", "*")], 304),
    ([("If-Match", '"x"')], 412), ([("Range", "bytes=0-3"), ("If-Range", '"x"')], 200)])
def test_every_status_of_a_file_is_readable(listed, fields, status):
    response = listed.get("/files/ten.bin", ("Origin", PAGE), *fields)
    assert response.status == status
    assert response["Access-Control-Allow-Origin"] == PAGE
    assert names(response, "Access-Control-Expose-Headers") >= EXPOSED


@pytest.mark.parametrize("origin", [PAGE, OTHER, "null"])
@pytest.mark.parametrize("target", TARGETS)
def test_all_origins(open_to_all, origin, target):
    """The same for all, and without credentials, so there is nothing to vary by."""
    response = open_to_all.get(target, ("Origin", origin))
    assert response["Access-Control-Allow-Origin"] == "*"
    assert names(response, "Access-Control-Expose-Headers") >= EXPOSED
    assert "origin" not in names(response, "Vary")
    assert "Access-Control-Allow-Credentials" not in response


def test_all_origins_without_an_origin(open_to_all):
    """A cache may hand this answer to a script, so it says so as well."""
    assert open_to_all.get("/files/ten.bin")["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize("headers", ["range", "if-range,range", "if-match, if-none-match", "x-unknown"])
def test_preflight(listed, open_to_all, headers):
    for daemon, allowed in ((listed, PAGE), (open_to_all, "*")):
        response = preflight(daemon, PAGE, headers=headers)
        assert response.status == 204
        assert response["Access-Control-Allow-Origin"] == allowed
        assert names(response, "Access-Control-Allow-Methods") >= {"get", "head"}
        assert names(response, "Access-Control-Allow-Headers") >= SETTABLE
        assert "x-unknown" not in names(response, "Access-Control-Allow-Headers")
        assert int(response["Access-Control-Max-Age"]) > 0


def test_preflight_allows_no_writing(listed):
    for method in ("PUT", "POST", "DELETE"):
        response = preflight(listed, PAGE, method)
        assert not names(response, "Access-Control-Allow-Methods") & {"put", "post", "delete", "patch", "*"}


def test_options_without_a_preflight_is_none(listed):
    response = listed.request("OPTIONS", "/files/ten.bin", [("Origin", PAGE)])
    assert response.status == 204
    assert "Access-Control-Allow-Methods" not in response


def test_an_origin_is_no_host(listed):
    """Who may read is one question, under which name this daemon is asked another: a name that was made to lead here stays refused."""
    with listed.connect() as connection:
        connection.send(build("GET", "/files/ten.bin", [("Origin", PAGE)], host="viewer.example:8443"))
        response = connection.read_response()
        assert response.status == 421
        assert TEN not in response.body


def test_the_value_is_not_echoed(listed):
    """What is answered is the configured text, so that nothing that a client sends comes back in a header."""
    response = listed.get("/files/ten.bin", ("Origin", "https://viewer.example:8443\tX"))
    assert says_nothing(response)
