"""From names to files: traversal, links, special files, odd names, listings, redirects."""
import html.parser
import json
import os
import pathlib
import re
import socket
import stat
import threading
import urllib.parse

import pytest

from harness import content
from harness.daemon import Daemon
from harness.http import build
from conformance.conftest import Site

# Names that break what is careless with them. Bytes, as the filesystem has them.
ODD_NAMES = [
    b"with space", b" leading", b"trailing ", b"100%", b"%41", b"%2e%2e", b"%00", b"a#b", b"a?b=c", b"a&b", b"a&amp;b", b"a;b", b"a=b", b"a+b",
    b"a,b", b"a:b", b"javascript:alert(1)", b"http:", b"'single'", b'"double"', b"<script>alert(1)<", b"back\\slash", b"three...",
    b"new\nline", b"carriage\rreturn", b"tab\tstop", b"bell\x07", b"escape\x1b[31m", b"del\x7f", b"\xc3\xa9t\xc3\xa9", b"\xff\xfe not utf-8",
    b"half\xc3", b"\xe2\x80\xa8 separator", b"\xf0\x9f\x93\xa6", b"\xed\xa0\x80", b"~tilde", b"[brackets]", b"{braces}", b"$dollar", b"@at", b"!bang",
    b"*star", b"|pipe", b"^caret", b"`tick`", b"index.html", b"x" * 255,
]
SECRET = b"not to be served"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    base = tmp_path_factory.mktemp("paths")
    root = base / "served"
    (root / "dir" / "deeper").mkdir(parents=True)
    (root / "empty dir").mkdir()
    (root / "odd").mkdir()
    (root / "plain.bin").write_bytes(content.expected(0, 100))
    (root / "dir" / "inside.bin").write_bytes(b"inside")
    (root / "dir" / "deeper" / "below.bin").write_bytes(b"below")
    for name in ODD_NAMES:
        with open(os.fsencode(root / "odd") + b"/" + name, "wb") as file:
            file.write(b"content of " + name)
    (base / "secret.txt").write_bytes(SECRET)
    (base / "secret dir").mkdir()
    (base / "secret dir" / "secret.txt").write_bytes(SECRET)
    (base / "served-too").mkdir()
    (base / "served-too" / "secret.txt").write_bytes(SECRET)
    for link, target in {
            "link to plain": "plain.bin", "link to dir": "dir", "dir/link up inside": "../plain.bin", "link to link": "link to plain",
            "link out": "../secret.txt", "absolute link out": str(base / "secret.txt"), "link to passwd": "/etc/passwd",
            "dir out": "../secret dir", "dangling": "nowhere", "loop": "loop", "loop a": "loop b", "loop b": "loop a",
            "link to zero": "/dev/zero", "link to proc": "/proc/self/root", "absolute link inside": str(root / "plain.bin"),
            "link to own name": "../served/plain.bin", "link to hidden": ".hidden"}.items():
        (root / link).symlink_to(target)
    os.mkfifo(root / "fifo")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(root / "socket"))
    listener.close()
    (root / ".hidden").write_bytes(SECRET)
    (root / ".git").mkdir()
    (root / ".git" / "config").write_bytes(SECRET)
    (root / "dir" / ".env").write_bytes(SECRET)
    with Daemon(root) as daemon:
        yield Site(daemon, root)


def served(place, raw_path: bytes):
    """The answer to a target given as raw bytes."""
    with place.daemon.connect() as connection:
        connection.send(build(b"GET", raw_path))
        return connection.read_response()


TRAVERSALS = [
    b"/files/..", b"/files/../", b"/files/../secret.txt", b"/files/../../etc/passwd", b"/files/dir/../../secret.txt", b"/files/dir/../plain.bin",
    b"/files/./plain.bin", b"/files/dir/./inside.bin", b"/files/dir/..", b"/files/.", b"/files/..%2fsecret.txt", b"/files/..%2Fsecret.txt",
    b"/files/%2e%2e/secret.txt", b"/files/%2E%2E/secret.txt", b"/files/.%2e/secret.txt", b"/files/%2e./secret.txt", b"/files/%2e%2e%2fsecret.txt",
    b"/files/%252e%252e/secret.txt", b"/files/%252e%252e%252fsecret.txt", b"/files/..%252fsecret.txt", b"/files/%25%32%65%25%32%65/secret.txt",
    b"/files/..%5csecret.txt", b"/files/..\\secret.txt", b"/files/..%5c..%5cetc%5cpasswd", b"/files/..;/secret.txt", b"/files/..;x=y/secret.txt",
    b"/files/..%00/secret.txt", b"/files/plain.bin%00", b"/files/plain.bin%00.html", b"/files/%00", b"/files/%c0%ae%c0%ae/secret.txt",
    b"/files/%c0%ae%c0%ae%c0%afsecret.txt", b"/files/%e0%80%ae%e0%80%ae/secret.txt", b"/files/%uff0e%uff0e/secret.txt", b"/files/%u002e%u002e/secret.txt",
    b"/files/.../secret.txt", b"/files/....//secret.txt", b"/files/..././secret.txt", b"/files//etc/passwd", b"/files///etc/passwd",
    b"/files/%2fetc%2fpasswd", b"/files/%2Fetc/passwd", b"/files/dir%2finside.bin", b"/files/dir%2Finside.bin", b"/files/dir//inside.bin",
    b"/files//plain.bin", b"/files/plain.bin/", b"/files/plain.bin/..", b"/files/plain.bin/../../secret.txt", b"/files/plain.bin/x",
    b"/files/../served/plain.bin", b"/files/../served-too/secret.txt", b"/files/nowhere/../plain.bin", b"/files/%", b"/files/%2", b"/files/%zz",
    b"/files/%-1", b"/files/plain%2ebin%", b"/files/%2%65", b"/../files/plain.bin", b"/./files/plain.bin", b"//files/plain.bin", b"/files/..?x", b"/%2e%2e/secret.txt",
    b"/files/secret dir%2f..%2f..%2fsecret.txt", b"/..", b"/%2e%2e%2f", b"/files/%ff%fe/../../secret.txt", b"/files/" + b"../" * 200 + b"etc/passwd",
    b"/files/" + b"%2e%2e/" * 200 + b"etc/passwd", b"/files/" + b"dir/../" * 200 + b"plain.bin", b"/files/C:/secret.txt", b"/files/file:///etc/passwd",
    b"/files/~root/.profile", b"/files/dir/.", b"/files/dir/%2e", b"/files/%2e/plain.bin",
]


@pytest.mark.parametrize("target", TRAVERSALS, ids=lambda target: repr(target[:60])[2:-1])
def test_traversal(place, target):
    """Dot segments are never resolved, neither raw nor encoded, so there is nothing to get wrong; names are decoded once."""
    response = served(place, target)
    assert response.status in (400, 404)
    assert SECRET not in response.body and b"root:" not in response.body


@pytest.mark.parametrize("target", [
    "..%2fsecret.txt", "../secret.txt", "%2e%2e/secret.txt", "/etc/passwd", "%2fetc%2fpasswd", "dir/../plain.bin", "./plain.bin", ".hidden",
    ".git/config", "link out", "fifo", "socket", "plain.bin%00", "dir//inside.bin", "nothing", "dir", "dangling", "loop", "plain.bin/"])
@pytest.mark.parametrize("endpoint", ["/bytes?file=", "/info?file="])
def test_the_file_parameter_is_held_to_the_same(place, endpoint, target):
    response = place.daemon.get(endpoint + target.replace(" ", "%20"))
    if (endpoint, target) == ("/info?file=", "dir"):
        assert response.status in (200, 400, 404)  # a directory has facts too, but no bytes
    else:
        assert response.status in (400, 404)
    assert SECRET not in response.body


@pytest.mark.parametrize("name, want", [
    ("link to plain", 100), ("dir/link up inside", 100), ("link to link", 100), ("link to dir/inside.bin", 6), ("link to dir/deeper/below.bin", 5)])
def test_links_that_stay_inside_are_served(place, name, want):
    response = place.daemon.get("/files/" + urllib.parse.quote(name))
    assert (response.status, len(response.body)) == (200, want)


@pytest.mark.parametrize("name", [
    "link out", "absolute link out", "link to passwd", "dir out", "dir out/", "dir out/secret.txt", "dangling", "loop", "loop a", "link to zero",
    "link to proc/", "link to proc/etc/passwd", "absolute link inside", "link to own name"])
def test_links_that_leave_are_not(place, name):
    """Beneath means every step of the way: a link that goes out and comes back in has left, too."""
    response = place.daemon.get("/files/" + urllib.parse.quote(name))
    assert response.status == 404
    assert SECRET not in response.body


@pytest.mark.parametrize("name", ["fifo", "socket"])
def test_special_files_are_not_there(place, name):
    """And asking does not wait for a writer."""
    for method in ("GET", "HEAD"):
        assert place.daemon.request(method, f"/files/{name}").status == 404


def test_devices_are_not_there(place):
    path = place.root / "device"
    os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 5))  # /dev/zero; needs root
    try:
        assert place.daemon.get("/files/device").status == 404
    finally:
        path.unlink()


DOT_FILES = ["/files/.hidden", "/files/%2ehidden", "/files/.git", "/files/.git/", "/files/.git/config", "/files/dir/.env", "/files/dir/%2Eenv"]


@pytest.mark.parametrize("target", DOT_FILES)
def test_dot_files_are_not_there(place, target):
    assert place.daemon.get(target).status == 404


def test_a_link_shows_what_its_owner_links(place):
    """Names that begin with a dot are hidden, not what a visible link names: volumes of Kubernetes are links into a directory "..data"."""
    response = place.daemon.get("/files/link%20to%20hidden")
    assert (response.status, response.body) == (200, SECRET)
    assert place.daemon.get("/files/.hidden").status == 404


def test_hidden_serves_dot_files(place):
    with Daemon(place.root, options=["--hidden"]) as daemon:
        assert daemon.get("/files/.hidden").body == SECRET
        assert daemon.get("/files/.git/config").body == SECRET
        assert ".hidden" in [entry["name"] for entry in daemon.json("/files/", ("Accept", "application/json"))["entries"]]
        for target in (b"/files/..", b"/files/../secret.txt", b"/files/.", b"/files/.git/../.hidden"):
            with daemon.connect() as connection:
                connection.send(build(b"GET", target))
                assert connection.read_response().status in (400, 404)


@pytest.mark.parametrize("name", ODD_NAMES, ids=lambda name: repr(name[:40])[2:-1])
def test_odd_names(place, name):
    """Encoded right, every name that the filesystem takes can be had; through /files and through ?file=."""
    encoded = urllib.parse.quote_from_bytes(b"odd/" + name, safe="/")
    want = b"content of " + name
    response = place.daemon.get("/files/" + encoded)
    assert (response.status, response.body) == (200, want)
    response = place.daemon.get(f"/bytes?file={encoded}&encoding=raw")
    assert (response.status, response.body) == (200, want)
    everything = "".join(f"%{byte:02x}" for byte in name)
    assert place.daemon.get(f"/files/odd/{everything}").body == want


def test_plus_in_a_query_is_a_space(place):
    """As every library that builds queries writes it (requests, URLSearchParams, Go's url.Values); a plus sign is %2B. In a path it is a plus."""
    assert place.daemon.get("/bytes?file=odd/a%2Bb&encoding=raw").body == b"content of a+b"
    assert place.daemon.get("/bytes?file=odd/with+space&encoding=raw").body == b"content of with space"
    assert place.daemon.get("/files/odd/a+b").body == b"content of a+b"
    assert place.daemon.get("/files/odd/with+space").status == 404


def test_names_too_long(place):
    for target in ("/files/" + "y" * 256, "/files/" + "y" * 4000, "/files/" + "y/" * 2500):
        assert place.daemon.get(target).status == 404


# Listings

class Links(html.parser.HTMLParser):
    """Collects what a crawler would: the href of every <a>, and the text of it."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.links, self.tags, self._open = [], set(), False

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        if tag == "a":
            self.links.append([dict(attrs)["href"], ""])
            self._open = True

    def handle_endtag(self, tag):
        if tag == "a":
            self._open = False

    def handle_data(self, data):
        if self._open:
            self.links[-1][1] += data


def html_links(place, directory):
    response = place.daemon.get(directory, ("Accept", "text/html"))
    assert response.status == 200
    assert response["Content-Type"].replace(" ", "").lower() == "text/html;charset=utf-8"
    parser = Links()
    parser.feed(response.body.decode("utf-8", "strict"))
    parser.close()
    return response, parser


def entries_of(place, directory):
    """All entries of the JSON listing, following `next`."""
    entries, target = [], directory
    while target is not None:
        response = place.daemon.get(target, ("Accept", "application/json"))
        assert response.status == 200
        assert response["Content-Type"] == "application/json"
        body = json.loads(response.body.decode("utf-8", "strict"))
        entries += body["entries"]
        target = urllib.parse.urljoin(target, body["next"]) if body.get("next") else None
    return entries


def test_html_links_lead_to_the_files(place):
    """What a crawler resolves from the page is the file, for every odd name; nothing in a name becomes markup."""
    _, page = html_links(place, "/files/odd/")
    assert page.tags <= {"html", "head", "meta", "title", "body", "h1", "table", "thead", "tbody", "tr", "th", "td", "a", "p", "pre", "hr", "link"}
    bodies = set()
    for href, _ in page.links:
        if href.startswith("..") or href == "/":
            continue
        target = urllib.parse.urljoin("http://h/files/odd/", href)
        assert target.startswith("http://h/files/odd/"), href
        assert re.fullmatch(r"[!-~]+", href) and not set(href) & set("\"'<>"), href
        response = place.daemon.get(target[len("http://h"):])
        assert response.status == 200, href
        bodies.add(response.body)
    assert bodies == {b"content of " + name for name in ODD_NAMES}


def test_html_shows_the_names(place):
    _, page = html_links(place, "/files/odd/")
    texts = [text for _, text in page.links]
    for name in (b"with space", b"100%", b"a&amp;b", b'"double"', b"<script>alert(1)<", b"\xc3\xa9t\xc3\xa9", b"javascript:alert(1)"):
        assert name.decode() in texts
    assert not any("\n" in text or "\x1b" in text for text in texts)


def test_json_lists_every_name(place):
    entries = entries_of(place, "/files/odd/")
    assert len(entries) == len(ODD_NAMES)
    names = [entry["name"] for entry in entries]
    for name in ODD_NAMES:
        try:
            assert name.decode("utf-8") in names
        except UnicodeDecodeError:
            assert name.decode("utf-8", "replace")[0] in "".join(names)
    bodies = set()
    for entry in entries:
        assert entry["kind"] == "file"
        assert isinstance(entry["size"], int)
        response = place.daemon.get(urllib.parse.urljoin("/files/odd/", entry["href"]))
        assert (response.status, response.length) == (200, entry["size"])
        bodies.add(response.body)
    assert bodies == {b"content of " + name for name in ODD_NAMES}


def test_listings_show_what_is_served_and_nothing_else(place):
    names = {entry["name"]: entry for entry in entries_of(place, "/files/")}
    assert {"plain.bin", "dir", "empty dir", "odd", "link to plain", "link to dir"} <= set(names)
    assert not {name for name in names if name.startswith(".")}
    assert not {"fifo", "socket", "dangling", "loop", "link out", "dir out", "link to zero"} & set(names)
    assert (names["plain.bin"]["kind"], names["plain.bin"]["size"]) == ("file", 100)
    assert names["dir"]["kind"] == "directory"
    _, page = html_links(place, "/files/")
    hrefs = {urllib.parse.unquote(href) for href, _ in page.links}
    assert {"plain.bin", "dir/", "empty dir/"} <= hrefs
    assert not {"fifo", ".hidden", ".git/", "link out"} & hrefs


def test_walking_the_listings_finds_every_file(place):
    """As wget -r does it: from /files/ down, by links alone."""
    seen, todo, files = set(), ["/files/"], set()
    while todo:
        directory = todo.pop()
        if directory in seen or "link%20to%20dir" in directory:
            continue
        seen.add(directory)
        _, page = html_links(place, directory)
        for href, _ in page.links:
            target = urllib.parse.urljoin("http://h" + directory, href)[len("http://h"):]
            if not target.startswith(directory) or target == directory:
                continue  # upwards, or to itself
            if target.endswith("/"):
                todo.append(target)
            else:
                files.add(target)
    assert "/files/dir/deeper/below.bin" in files and "/files/dir/inside.bin" in files
    for target in files:
        assert place.daemon.get(target).status == 200


def test_an_empty_directory_has_an_empty_listing(place):
    assert entries_of(place, "/files/empty%20dir/") == []
    assert html_links(place, "/files/empty%20dir/")[0].status == 200


@pytest.mark.parametrize("accept, media_type", [
    (None, "text/html"), ("*/*", "text/html"), ("text/html", "text/html"), ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html"),
    ("application/json", "application/json"), ("application/json;q=0.9", "application/json"), ("Application/JSON", "application/json"),
    ("text/html;q=0.1, application/json", "application/json"), ("application/json;q=0.1, text/html", "text/html"),
    ("application/json;q=0, */*", "text/html"), ("application/json, text/plain", "application/json")])
def test_listings_are_negotiated(place, accept, media_type):
    """9110, 12.5.1; and Vary says so (12.5.5), or a cache would hand one form to a client of the other."""
    response = place.daemon.get("/files/", *([("Accept", accept)] if accept else []))
    assert response["Content-Type"].split(";")[0] == media_type
    assert "accept" in [name.strip().lower() for value in response.all("Vary") for name in value.split(",")]


@pytest.mark.parametrize("lines, media_type", [
    (("image/png", "application/json"), "application/json"), (("application/json", "image/png"), "application/json"),
    (("text/html;q=0.1", "application/json"), "application/json"), (("application/json;q=0.1", "text/html"), "text/html")], ids=", ".join)
def test_accept_in_several_lines_is_one_list(place, lines, media_type):
    """9110, 5.3."""
    assert place.daemon.get("/files/", *(("Accept", line) for line in lines))["Content-Type"].split(";")[0] == media_type


def test_a_listing_follows_the_directory(place):
    path = place.root / "empty dir" / "new"
    path.write_bytes(b"new")
    try:
        assert [entry["name"] for entry in entries_of(place, "/files/empty%20dir/")] == ["new"]
    finally:
        path.unlink()
    assert entries_of(place, "/files/empty%20dir/") == []


@pytest.mark.bound(120)
def test_a_large_directory_is_listed_whole(place):
    """In parts, each with a link to the next; every name once."""
    directory = place.root / "many"
    directory.mkdir()
    names = [f"entry {i:05} {'x' * (i % 50)}" for i in range(10000)]
    for name in names:
        (directory / name).touch()
    entries = entries_of(place, "/files/many/")
    assert sorted(entry["name"] for entry in entries) == sorted(names)


# Redirects, 9110, 15.4.9: permanent, and the method stays.

@pytest.mark.parametrize("target, location", [
    ("/files", "/files/"), ("/files/dir", "/files/dir/"), ("/files/dir/deeper", "/files/dir/deeper/"), ("/files/empty%20dir", "/files/empty%20dir/"),
    ("/files/link%20to%20dir", "/files/link%20to%20dir/")])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_directories_have_a_slash(place, method, target, location):
    response = place.daemon.request(method, target)
    assert response.status == 308
    there = urllib.parse.urljoin(f"http://{place.daemon.host}{target}", response["Location"])
    assert there == f"http://{place.daemon.host}{location}"
    assert place.daemon.get(location).status == 200


@pytest.mark.parametrize("target", ["//evil.example", "//evil.example/", "/files//evil.example", "/files//evil.example/..", "/files/%2f%2fevil.example",
                                    "//evil.example/files", "/\\evil.example", "/files/dir%0d%0aSet-Cookie:%20a=b"])
def test_no_redirect_leads_elsewhere(place, target):
    response = place.daemon.get(target)
    if "Location" in response:
        there = urllib.parse.urlsplit(urllib.parse.urljoin(f"http://{place.daemon.host}{target}", response["Location"]))
        assert there.netloc == place.daemon.host
        assert not response["Location"].startswith("//")
    assert "Set-Cookie" not in response


def test_an_odd_directory_redirects_encoded(place):
    name = b"odd d\xffr\n%41"
    os.mkdir(os.fsencode(place.root) + b"/" + name)
    try:
        encoded = urllib.parse.quote_from_bytes(name)
        response = place.daemon.get("/files/" + encoded)
        assert response.status == 308
        assert urllib.parse.unquote_to_bytes(response["Location"].rstrip("/")).endswith(name)
        assert place.daemon.get(urllib.parse.urljoin("/files/" + encoded, response["Location"])).status == 200
    finally:
        os.rmdir(os.fsencode(place.root) + b"/" + name)


# What is served

def test_a_single_file(tmp_path):
    path = tmp_path / "just this.bin"
    path.write_bytes(b"just this")
    (tmp_path / "beside.bin").write_bytes(SECRET)
    with Daemon(path) as daemon:
        assert [entry["name"] for entry in daemon.json("/files/", ("Accept", "application/json"))["entries"]] == ["just this.bin"]
        assert daemon.get("/files/just%20this.bin").body == b"just this"
        assert daemon.get("/bytes?encoding=raw").body == b"just this"
        assert daemon.json("/info")["size"] == 9
        assert daemon.get("/files/beside.bin").status == 404
        assert daemon.get("/bytes?file=beside.bin").status == 404


def test_several_roots(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "same.bin").write_bytes(name.encode())
    with Daemon(f"first={tmp_path}/one", f"second={tmp_path}/two") as daemon:
        assert {entry["name"] for entry in daemon.json("/files/", ("Accept", "application/json"))["entries"]} == {"first", "second"}
        assert daemon.get("/files/first/same.bin").body == b"one"
        assert daemon.get("/files/second/same.bin").body == b"two"
        assert daemon.get("/bytes?file=second/same.bin&encoding=raw").body == b"two"
        assert daemon.get("/files/same.bin").status == 404
        assert daemon.get("/files/third/same.bin").status == 404
        assert daemon.get("/files/first/../second/same.bin").status in (400, 404)
        assert daemon.get("/files/first").status == 308
        assert daemon.get("/bytes").status == 400


def test_names_stay_inside_under_races(place):
    """A directory becomes a link out and back, again and again, while its file is asked for: never a byte from outside."""
    swap, outside = place.root / "swap", place.root.parent / "secret dir"
    kept = place.root / "swap-kept"
    kept.mkdir()
    (kept / "secret.txt").write_bytes(b"the right one")
    swap.symlink_to("swap-kept")
    stop = threading.Event()

    def flip():
        turn = 0
        while not stop.is_set():
            fresh = place.root / "swap-next"
            fresh.symlink_to(outside if turn % 2 else pathlib.Path("swap-kept"))
            fresh.rename(swap)
            turn += 1
    flipper = threading.Thread(target=flip)
    flipper.start()
    try:
        statuses = set()
        with place.daemon.connect() as connection:
            for _ in range(3000):
                connection.send(build("GET", "/files/swap/secret.txt"))
                response = connection.read_response()
                statuses.add(response.status)
                assert SECRET not in response.body
                assert response.status in (200, 404)
                assert response.status == 404 or response.body == b"the right one"
    finally:
        stop.set()
        flipper.join()
