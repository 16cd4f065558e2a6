"""Conditional requests (RFC 9110, 13): all five fields, alone and together, on GET and HEAD, with and without Range.

What is right is not listed case by case but computed by `model`, a transcription of 13.2.2 that shares no code with the daemon.
"""
import datetime
import email.utils
import itertools
import json
import os

import pytest

from harness import content
from harness.http import build, wait_until
from conformance.conftest import ASCTIME, IMF_FIXDATE, MODIFIED, RFC_850

FILE = "/files/thousand.bin"
SIZE = 1000
MATCH, LATER, EARLIER, INVALID = "match", "later", "earlier", "invalid"

# Values of If-Match and If-None-Match: text with {tag} for the current strong tag, then whether the list holds a tag that
# equals it by strong and by weak comparison (8.8.3.2).
TAGS = [
    ("{tag}", True, True),
    ("*", True, True),
    ('"other"', False, False),
    ("W/{tag}", False, True),
    ('"other", {tag}', True, True),
    ('{tag}, "other"', True, True),
    ('"other","third" ,\t{tag}', True, True),
    ('"other", W/{tag}', False, True),
    (', {tag},,', True, True),
    ('"a,b", {tag}', True, True),
    ('W/"other", "third"', False, False),
    ('""', False, False),
    ('"\xe9\xff"', False, False),
    ("{upper}", False, False),
    ("{longer}", False, False),
]

# Values of the date fields: text, and how it stands to the file's Last-Modified.
DATES = [
    (IMF_FIXDATE, MATCH),
    (RFC_850, MATCH),
    (ASCTIME, MATCH),
    ("Sun, 06 Nov 1994 08:49:38 GMT", LATER),
    ("Sunday, 06-Nov-94 08:49:38 GMT", LATER),
    ("Sun Nov  6 08:49:38 1994", LATER),
    ("Sun, 06 Nov 1994 08:49:36 GMT", EARLIER),
    ("Sunday, 06-Nov-94 08:49:36 GMT", EARLIER),
    ("Sun Nov  6 08:49:36 1994", EARLIER),
    ("Thu, 01 Jan 1970 00:00:00 GMT", EARLIER),
    ("Fri, 31 Dec 9999 23:59:59 GMT", LATER),
    ("Mon, 29 Feb 2016 12:00:00 GMT", LATER),
]

# Not an HTTP-date (5.6.7): must be ignored (13.1.3, 13.1.4), or not match (13.1.5).
NO_DATES = [
    "yesterday", "", "0", "784111777", "1994-11-06T08:49:37Z", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 UTC",
    "Sun, 06 Nov 1994 08:49:37 +0000", "Sun, 6 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 94 08:49:37 GMT", "Sun, 06 Nov 1994 8:49:37 GMT",
    "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:00:00 GMT", "Sun, 06 Nov 1994 08:60:37 GMT", "Sun, 06 nov 1994 08:49:37 GMT",
    "sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 gmt", "Sun,  06 Nov 1994 08:49:37 GMT", "Sun, 00 Nov 1994 08:49:37 GMT",
    "Sunday, 06-Nov-1994 08:49:37 GMT", "Sun Nov 06 08:49:37 94", "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
    "Tue, 29 Feb 2011 12:00:00 GMT", "Sun, 06 Nov 1994 08:49:37 GMT; length=1000",
]


@pytest.fixture(scope="module")
def tag(daemon):
    value = daemon.get(FILE)["ETag"]
    assert value[0] == value[-1] == '"' and len(value) > 2, "the policy is strong tags"
    assert all(c == "\x21" or "\x23" <= c <= "\x7e" for c in value[1:-1])
    return value


def fill(text, tag):
    return text.replace("{tag}", tag).replace("{upper}", tag.swapcase() if tag.swapcase() != tag else '"OTHER"').replace(
        "{longer}", tag[:-1] + 'x"')


def model(method, if_match=None, if_unmodified=None, if_none_match=None, if_modified=None, if_range=None, ranged=None):
    """The status by 13.2.2. Arguments are the meaning of each field, None when absent; `ranged` is the status of the Range alone."""
    if if_match is not None:
        if not if_match[1]:
            return 412
    elif if_unmodified is not None and if_unmodified == EARLIER:
        return 412
    if if_none_match is not None:
        if if_none_match[2]:
            return 304
    elif if_modified is not None and if_modified in (MATCH, LATER):
        return 304
    if method == "GET" and ranged is not None and (if_range is None or if_range is True):
        return ranged
    return 200


def check(daemon, method, fields, expected, tag):
    response = daemon.request(method, FILE, fields)
    assert response.status == expected, fields
    assert response["ETag"] == tag
    assert response["Last-Modified"] == IMF_FIXDATE
    assert response["Accept-Ranges"] == "bytes"
    plain = daemon.request("HEAD", FILE)
    assert response["Cache-Control"] == plain["Cache-Control"]
    if expected == 200:
        assert response.length == SIZE and "Content-Range" not in response
        assert response.body == (content.expected(0, SIZE) if method == "GET" else b"")
    elif expected == 304:
        # 15.4.5 and 8.6: no content; a Content-Length, if any, is the 200's.
        assert response.length in (None, SIZE)
        assert "Content-Range" not in response
        assert "Content-Type" not in response or response["Content-Type"] == plain["Content-Type"]
    elif expected == 412:
        assert "Content-Range" not in response
        assert response["Content-Type"] == "application/problem+json"
        if method == "GET":
            problem = json.loads(response.body)
            assert problem["status"] == 412
    elif expected == 206:
        assert response.content_range == (10, 19, SIZE)
        assert response.body == content.expected(10, 10)
    elif expected == 416:
        assert response.content_range == (None, None, SIZE)


METHODS = ("GET", "HEAD")
RANGES = [(None, None), ("bytes=10-19", 206), ("bytes=2000-", 416), ("bytes=5-3", 416)]


@pytest.mark.parametrize("field", ["If-Match", "If-None-Match"])
@pytest.mark.parametrize("value", TAGS, ids=lambda value: value[0])
def test_tags(daemon, tag, field, value):
    for method, (span, ranged) in itertools.product(METHODS, RANGES):
        fields = [(field, fill(value[0], tag))] + ([("Range", span)] if span else [])
        meaning = {"if_match" if field == "If-Match" else "if_none_match": value}
        check(daemon, method, fields, model(method, ranged=ranged, **meaning), tag)


@pytest.mark.parametrize("field", ["If-Modified-Since", "If-Unmodified-Since"])
@pytest.mark.parametrize("value", DATES + [(text, INVALID) for text in NO_DATES], ids=lambda value: value[0] or "empty")
def test_dates(daemon, tag, field, value):
    for method, (span, ranged) in itertools.product(METHODS, RANGES):
        fields = [(field, value[0])] + ([("Range", span)] if span else [])
        meaning = {"if_modified" if field == "If-Modified-Since" else "if_unmodified": value[1]}
        check(daemon, method, fields, model(method, ranged=ranged, **meaning), tag)


IF_RANGE = [
    ("{tag}", True),
    ('"other"', False),
    ("W/{tag}", False),          # 13.1.5: strong comparison
    ("{longer}", False),
    ("{upper}", False),
    ('"other", {tag}', False),   # one validator, no list
    ("*", False),
    ("{bare}", False),
    (IMF_FIXDATE, True),
    (RFC_850, True),             # 5.6.7: a recipient MUST accept all three formats
    (ASCTIME, True),
    ("Sun, 06 Nov 1994 08:49:38 GMT", False),  # exact, not "unmodified since"
    ("Sun, 06 Nov 1994 08:49:36 GMT", False),
    ("Fri, 31 Dec 9999 23:59:59 GMT", False),
] + [(text, False) for text in NO_DATES if text]


@pytest.mark.parametrize("value", IF_RANGE, ids=lambda value: value[0])
def test_if_range(daemon, tag, value):
    text = fill(value[0], tag).replace("{bare}", tag.strip('"'))
    for method, (span, ranged) in itertools.product(METHODS, RANGES):
        fields = [("If-Range", text)] + ([("Range", span)] if span else [])
        check(daemon, method, fields, model(method, if_range=value[1], ranged=ranged), tag)


def test_if_range_with_several_ranges(daemon, tag):
    assert daemon.get(FILE, ("Range", "bytes=0-1,5-6"), ("If-Range", tag))["Content-Type"].startswith("multipart/byteranges")
    assert daemon.get(FILE, ("Range", "bytes=0-1,5-6"), ("If-Range", '"other"')).status == 200


PAIR_TAGS = [TAGS[0], TAGS[1], TAGS[2], TAGS[3]]
PAIR_DATES = [DATES[0], DATES[3], DATES[6], ("yesterday", INVALID)]
PAIR_IF_RANGE = [("{tag}", True), ('"other"', False), (IMF_FIXDATE, True)]


def short(value):
    return value[0] if value else "-"


@pytest.mark.parametrize("match", [None] + PAIR_TAGS, ids=short)
@pytest.mark.parametrize("none_match", [None] + PAIR_TAGS, ids=short)
def test_together(daemon, tag, match, none_match):
    """Every pair of tags with every pair of dates and three validators of If-Range: precedence is that of 13.2.2."""
    with daemon.connect() as connection:
        for unmodified, modified, if_range in itertools.product([None] + PAIR_DATES, [None] + PAIR_DATES, [None] + PAIR_IF_RANGE):
            fields = [("Range", "bytes=10-19")]
            for name, value in (("If-Modified-Since", modified), ("If-Range", if_range), ("If-None-Match", none_match),
                                ("If-Unmodified-Since", unmodified), ("If-Match", match)):
                if value is not None:
                    fields.append((name, fill(value[0], tag)))
            for method in METHODS:
                want = model(method, match, unmodified and unmodified[1], none_match, modified and modified[1],
                             if_range and if_range[1], 206)
                connection.send(build(method, FILE, fields))
                response = connection.read_response(method)
                assert response.status == want, (method, fields)
                assert response["ETag"] == tag


@pytest.mark.parametrize("field, yes, no", [("If-None-Match", 304, 200), ("If-Match", 200, 412)])
def test_lines_of_a_list_field_are_one_list(daemon, tag, field, yes, no):
    """5.3: lines of a list field combine in order."""
    assert daemon.get(FILE, (field, '"a"'), (field, tag)).status == yes
    assert daemon.get(FILE, (field, tag), (field, '"a"')).status == yes
    assert daemon.get(FILE, (field, '"a"'), (field, '"b"')).status == no


@pytest.mark.parametrize("text", ["{bare}", "{bare}, {bare}", "'{bare}'", 'w/"{bare}"', 'W/ "{bare}"', '"{bare}', '{bare}"', "foo"])
def test_what_is_no_tag_never_matches(daemon, tag, text):
    """8.8.3: a tag is quoted, and W/ is upper case. What is none must not pass for the current one."""
    value = text.replace("{bare}", tag.strip('"'))
    assert daemon.get(FILE, ("If-None-Match", value)).status in (200, 400)
    assert daemon.get(FILE, ("If-Match", value)).status in (412, 400)
    assert daemon.get(FILE, ("Range", "bytes=0-1"), ("If-Range", value)).status in (200, 400)


@pytest.mark.parametrize("field", ["If-Match", "If-None-Match", "If-Range"])
def test_the_tag_of_another_file_is_another(daemon, tag, field):
    other = daemon.get("/files/forty_thousand.bin")["ETag"]
    assert other != tag
    status = daemon.get(FILE, (field, other), ("Range", "bytes=10-19")).status
    assert status == {"If-Match": 412, "If-None-Match": 206, "If-Range": 200}[field]


@pytest.mark.parametrize("fields", [
    [("If-Match", "*")], [("If-Match", '"x"')], [("If-None-Match", "*")], [("If-None-Match", '"x"')],
    [("If-Modified-Since", IMF_FIXDATE)], [("If-Unmodified-Since", "Thu, 01 Jan 1970 00:00:00 GMT")],
    [("If-Range", '"x"'), ("Range", "bytes=0-1")]], ids=str)
def test_conditions_matter_to_successes_alone(daemon, fields):
    """13.2.1: ignored when the answer without them would be no 2xx."""
    assert daemon.get("/files/nothing.bin", *fields).status == 404
    assert daemon.request("POST", FILE, fields).status == 405


def test_a_304_keeps_the_connection_and_has_no_content(daemon, tag):
    with daemon.connect() as connection:
        for _ in range(3):
            connection.send(build("GET", FILE, [("If-None-Match", tag)]))
            assert connection.read_response().status == 304
        connection.send(build("GET", "/files/ten.bin"))
        assert connection.read_response().body == content.expected(0, 10)


@pytest.mark.parametrize("ahead, status", [(49, 304), (40, 304), (1, 304), (0, 304), (-10, 304), (52, 200), (60, 200)])
def test_two_digit_years(daemon, ahead, status):
    """5.6.7: a two-digit year more than 50 years ahead is the most recent past one with those digits: before 1994, here."""
    year = datetime.date.today().year + ahead
    meant = year - 100 if ahead > 50 else year
    day = datetime.date(meant, 6, 15).strftime("%A")
    response = daemon.get(FILE, ("If-Modified-Since", f"{day}, 15-Jun-{year % 100:02} 08:49:37 GMT"))
    assert response.status == status


def test_last_modified_is_never_in_the_future(site):
    """8.8.2.1: not later than the time of the message's origination (Date)."""
    path = site.root / "future.bin"
    path.write_bytes(b"from tomorrow")
    os.utime(path, (4102444800, 4102444800))
    for method in METHODS:
        response = site.daemon.request(method, "/files/future.bin")
        assert response.status == 200
        if "Last-Modified" in response:
            date, modified = (email.utils.parsedate_to_datetime(response[name]) for name in ("Date", "Last-Modified"))
            assert modified <= date


def test_dates_before_the_epoch(site):
    path = site.root / "ancient.bin"
    path.write_bytes(b"from 1960")
    os.utime(path, (-300000000, -300000000))
    response = site.daemon.get("/files/ancient.bin")
    assert (response.status, response.body) == (200, b"from 1960")
    if "Last-Modified" in response:
        assert response["Last-Modified"] == "Wed, 29 Jun 1960 18:40:00 GMT"
        assert site.daemon.get("/files/ancient.bin", ("If-Modified-Since", response["Last-Modified"])).status == 304


def test_the_modified_date_agrees_with_the_file(site):
    for name in ("ten.bin", "pages.bin"):
        assert int(os.stat(site.root / name).st_mtime) == MODIFIED
        assert site.daemon.get(f"/files/{name}")["Last-Modified"] == IMF_FIXDATE


@pytest.mark.parametrize("change", ["same size, same second", "one byte more", "replaced by rename"])
def test_the_tag_changes_with_the_file(site, change):
    """8.8.1: a strong validator changes whenever the content does, however fast."""
    path = site.root / "changing.bin"
    path.write_bytes(b"first")
    before = site.daemon.get("/files/changing.bin")
    stamp = os.stat(path)
    if change == "replaced by rename":
        other = site.root / "changing.new"
        other.write_bytes(b"other")
        os.utime(other, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
        other.rename(path)
    else:
        path.write_bytes(b"other" if change == "same size, same second" else b"first!")
        os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    wait_until(lambda: site.daemon.get("/files/changing.bin")["ETag"] != before["ETag"], "a new tag", 2)
    after = site.daemon.get("/files/changing.bin")
    assert after.body == path.read_bytes()
    assert site.daemon.get("/files/changing.bin", ("If-None-Match", before["ETag"])).status == 200
    assert site.daemon.get("/files/changing.bin", ("If-None-Match", after["ETag"])).status == 304
    assert site.daemon.get("/files/changing.bin", ("If-Range", before["ETag"]), ("Range", "bytes=0-0")).status == 200
