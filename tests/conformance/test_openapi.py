"""The description that the daemon serves: a sound OpenAPI document, and true of every answer."""
import copy
import json
import pathlib
import re

import pytest

from harness.daemon import Daemon
from harness.http import build
from tools import openapi_lint

DESCRIPTION = json.loads((pathlib.Path(__file__).parents[2] / "config/openapi.json").read_text(encoding="utf-8"))
DATE_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})\Z")


def test_it_is_sound():
    assert openapi_lint.lint(DESCRIPTION) == []


def damaged(path, value):
    """The document with one member replaced, or removed for None."""
    document = copy.deepcopy(DESCRIPTION)
    at = document
    for step in path[:-1]:
        at = at[step]
    if value is None:
        del at[path[-1]]
    else:
        at[path[-1]] = value
    return document


@pytest.mark.parametrize("path, value", [
    (["openapi"], "2.0"), (["info", "version"], None), (["paths", "/bytes", "get", "responses"], None), (["paths", "/bytes", "get", "operationId"], "getInfo"),
    (["paths", "/bytes", "get", "responses", "200", "description"], None), (["paths", "/bytes", "get", "parameters", 1, "in"], "body"),
    (["paths", "/bytes", "get", "parameters", 1, "example"], "minus five"), (["paths", "/bytes", "get", "responses", "2000"], {"description": "x"}),
    (["paths", "/bytes", "get", "responses", "404", "$ref"], "#/components/responses/None"), (["paths", "bytes"], {}),
    (["paths", "/files/{path}", "parameters"], []), (["components", "schemas", "Window", "type"], "window"),
    (["components", "schemas", "Window", "properties", "size"], {"$ref": "#/components/schemas/None"}), (["components", "schemas", "Unused"], {}),
    (["paths", "/bytes", "get", "response"], {}), (["components", "responses", "Busy", "headers", "Retry-After", "schema"], None)],
    ids=lambda value: "/".join(map(str, value)) if isinstance(value, list) else "")
def test_damage_is_found(path, value):
    assert openapi_lint.lint(damaged(path, value)) != []


@pytest.fixture(scope="module", name="documented")
def make_documented(tmp_path_factory):
    root = tmp_path_factory.mktemp("openapi") / "served"
    (root / "dir" / "deeper").mkdir(parents=True)
    (root / "data.bin").write_bytes(bytes(range(256)) * 1000)
    (root / "note.txt").write_text("a note\n")
    (root / "empty.bin").touch()
    for i in range(3):
        (root / "dir" / f"{i}.bin").write_bytes(b"x" * i)
    with Daemon(root) as daemon:
        yield daemon


def test_it_is_what_is_served(documented):
    response = documented.get("/openapi.json")
    assert response["Content-Type"] == "application/json"
    assert json.loads(response.body) == DESCRIPTION


JSON = ("Accept", "application/json")
FILE, LISTING = "/files/{path}", "/files/"
# Path in the document, target, fields, status.
CASES = [
    (FILE, "/files/data.bin", [], 200), (FILE, "/files/note.txt", [], 200), (FILE, "/files/empty.bin", [], 200),
    (FILE, "/files/dir/", [], 200), (FILE, "/files/dir/", [JSON], 200), (FILE, "/files/dir/?after=0.bin", [JSON], 200),
    (FILE, "/files/data.bin", [("Range", "bytes=0-99")], 206), (FILE, "/files/data.bin", [("Range", "bytes=0-9,-9")], 206),
    (FILE, "/files/data.bin", [("If-None-Match", "*")], 304), (FILE, "/files/dir", [], 308), (FILE, "/files/a%zz", [], 400),
    (FILE, "/files/nothing", [], 404), (FILE, "/files/data.bin", [("If-Match", '"x"')], 412), (FILE, "/files/data.bin", [("Range", "bytes=5-3")], 416),
    (FILE, "/files/data.bin", [("Expect", "the unexpected")], 417),
    (LISTING, "/files/", [], 200), (LISTING, "/files/", [JSON], 200), (LISTING, "/files/?after=dir", [JSON], 200),
    ("/bytes", "/bytes?file=data.bin", [], 200), ("/bytes", "/bytes?file=data.bin&offset=0x10&len=16&encoding=hex", [], 200),
    ("/bytes", "/bytes?file=data.bin&offset=-5&encoding=raw", [], 200), ("/bytes", "/bytes?file=data.bin&encoding=raw&download=1&len=9", [], 200),
    ("/bytes", "/bytes?file=empty.bin", [], 200), ("/bytes", "/bytes?file=data.bin&offset=999999999", [], 200),
    ("/bytes", "/bytes?file=data.bin", [("If-None-Match", "*")], 304), ("/bytes", "/bytes?file=data.bin&offset=x", [], 400),
    ("/bytes", "/bytes?file=data.bin&length=5", [], 400), ("/bytes", "/bytes?file=nothing", [], 404),
    ("/bytes", "/bytes?file=data.bin", [("If-Match", '"x"')], 412),
    ("/info", "/info?file=data.bin", [], 200), ("/info", "/info?file=empty.bin", [], 200), ("/info", "/info?file=nothing", [], 404), ("/info", "/info", [], 400),
    ("/healthz", "/healthz", [], 200), ("/readyz", "/readyz", [], 200), ("/metrics", "/metrics", [], 200), ("/openapi.json", "/openapi.json", [], 200),
    ("/healthz", "/healthz?verbose", [], 400), ("/metrics", "/metrics?a=1", [], 400),
    *[(path, f"{path}?file={file}{wanted}{more}", [], status) for path, wanted in
      (("/search", "&hex=0001"), ("/map", "&bins=4"), ("/extents", ""), ("/digest", "&algorithm=md5"), ("/strings", "&min=8"))
      for file, more, status in (("data.bin", "", 200), ("data.bin", "&unheard=of", 400), ("nothing", "", 404))],
    ("/watch", "/watch?file=data.bin&unheard=of", [], 400), ("/watch", "/watch?file=nothing", [], 404),
]
# Answers that take a state that is not made here: an unreadable file (the suite may run as root), a full pool, a stopping daemon, as
# many scans as there may be.
UNSEEN = {403, 429, 503}
ENDLESS = {("/watch", 200)}  # read in tests/acceptance


def resolved(value):
    while "$ref" in value:
        reference, value = value["$ref"], DESCRIPTION
        for step in reference.removeprefix("#/").split("/"):
            value = value[step]
    return value


def described(operation, status):
    responses = operation["responses"]
    return resolved(responses[str(status)] if str(status) in responses else responses["default"])


def strict(schema):
    """The schema with no members but those that it names, so that an answer may hold nothing that is not described."""
    if isinstance(schema, list):
        return [strict(member) for member in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: strict(member) for name, member in schema.items()}
    if "properties" in closed:
        closed["additionalProperties"] = False
    return closed


def check_formats(schema, value):
    schema = resolved(schema)
    if schema.get("format") == "date-time":
        assert DATE_TIME.match(value), value
    for name, member in schema.get("properties", {}).items():
        if isinstance(value, dict) and name in value:
            check_formats(member, value[name])
    if isinstance(value, list) and "items" in schema:
        for member in value:
            check_formats(schema["items"], member)


def check_fields(answer, response):
    for name, header in answer.get("headers", {}).items():
        if header.get("required"):
            assert name in response, name
        if name in response:
            text = response[name]
            value = int(text) if header["schema"].get("type") == "integer" else text
            openapi_lint.validator(DESCRIPTION, header["schema"]).validate(value)


def check_content(answer, response):
    if not response.body:
        return
    media_type = response["Content-Type"].split(";")[0]
    content = answer["content"]
    assert media_type in content or "*/*" in content, media_type
    schema = content.get(media_type, content.get("*/*"))["schema"]
    if media_type == "application/x-ndjson":
        records = [json.loads(line) for line in response.body.decode().splitlines()]
        assert records[0]["type"] == "begin" and records[-1]["type"] == "end" and records[-1]["status"] == "complete"
    if media_type in ("application/json", "application/problem+json"):
        value = json.loads(response.body)
        openapi_lint.validator(strict(DESCRIPTION), strict(schema)).validate(value)
        check_formats(schema, value)


def name_of(case):
    return f"{case[1]} {dict(case[2]) or ''}"


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_answers_are_as_described(documented, case):
    template, target, fields, status = case
    response = documented.get(target, *fields)
    assert response.status == status
    answer = described(DESCRIPTION["paths"][template]["get"], status)
    check_fields(answer, response)
    check_content(answer, response)


@pytest.mark.parametrize("case", [case for case in CASES if case[0] == FILE and case[3] != 417], ids=name_of)
def test_head_is_as_described(documented, case):
    template, target, fields, _ = case
    response = documented.request("HEAD", target, fields)
    check_fields(described(DESCRIPTION["paths"][template]["head"], response.status), response)


def test_every_described_answer_was_seen():
    """Each path and status of the document is one of the cases above; the viewer's are for the browser tests."""
    seen = {(template, status) for template, _, _, status in CASES}
    for template, path in DESCRIPTION["paths"].items():
        for status in path["get"]["responses"]:
            if template in ("/", "/view/{path}") or status == "default" or int(status) in UNSEEN or (template, int(status)) in ENDLESS:
                continue
            assert (template, int(status)) in seen, (template, status)


EXAMPLE = {"file": "data.bin", "hex": "0001"}


@pytest.mark.parametrize("body, fields, status", [
    (EXAMPLE, [], 200), ({**EXAMPLE, "nonsense": 1}, [], 400), ({"file": "nothing", "hex": "00"}, [], 404), (EXAMPLE, None, 411),
    ({**EXAMPLE, "text": "x" * 9000}, [], 413), (EXAMPLE, [("Content-Type", "text/plain")], 415)], ids=str)
def test_answers_to_posts_are_as_described(documented, body, fields, status):
    operation = DESCRIPTION["paths"]["/search"]["post"]
    content = json.dumps(body).encode()
    if status == 200:
        openapi_lint.validator(DESCRIPTION, operation["requestBody"]["content"]["application/json"]["schema"]).validate(body)
    if fields is not None:
        fields = [("Content-Length", str(len(content))), *(fields or [("Content-Type", "application/json")])]
    with documented.connect() as connection:
        connection.send(build("POST", "/search", fields or []) + content)
        response = connection.read_response()
    assert response.status == status
    check_content(described(operation, status), response)


@pytest.mark.parametrize("template, needs", [("/bytes", "raw"), ("/info", None)])
def test_every_described_parameter_is_taken(documented, template, needs):
    values = {"file": "data.bin", "offset": "1", "len": "1", "encoding": "raw", "download": "1"}
    for parameter in map(resolved, DESCRIPTION["paths"][template]["get"]["parameters"]):
        if parameter["in"] != "query":
            continue
        name = parameter["name"]
        openapi_lint.validator(DESCRIPTION, parameter["schema"]).validate(values[name])
        query = {"file": "data.bin", **({"encoding": needs} if needs else {}), name: values[name]}
        target = template + "?" + "&".join(f"{key}={value}" for key, value in query.items())
        assert documented.get(target).status == 200, target


@pytest.mark.parametrize("text", ["0", "5", "-5", "0x1F", "-0X1f", "", "-", "0x", "5.0", "+5", "1e3", "0b1", " 5", "5 ", "--5", "x"])
def test_numbers_are_those_of_the_pattern(documented, text):
    """What the schema of `offset` and `len` takes is what the daemon takes."""
    parameters = {parameter.get("name"): parameter for parameter in DESCRIPTION["paths"]["/bytes"]["get"]["parameters"]}
    for name in ("offset", "len"):
        fits = re.search(parameters[name]["schema"]["pattern"], text) is not None
        status = documented.get(f"/bytes?file=data.bin&{name}={text.replace(' ', '%20').replace('+', '%2B')}").status
        assert status == (200 if fits else 400), name


def test_every_type_of_problem_is_listed():
    """As the daemon's source has them. (One of the document that the source has not would be a promise broken: the API only grows.)"""
    source = (pathlib.Path(__file__).parents[2] / "server/problem.hpp").read_text(encoding="utf-8")
    types = set(re.findall(r'"(/problems/[a-z-]+)"', source))
    assert len(types) >= 20
    assert types == set(DESCRIPTION["components"]["schemas"]["Problem"]["properties"]["type"]["examples"])
