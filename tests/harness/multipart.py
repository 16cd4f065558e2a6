"""multipart/byteranges, read byte by byte as RFC 9110, 14.6 and RFC 2046, 5.1.1 have it."""
import dataclasses
import re

from harness.http import ProtocolError, Response

BOUNDARY = re.compile(r"multipart/byteranges; *boundary=(?:\"([0-9A-Za-z'()+_,\-./:=? ]{1,70})\"|([!#$%&'*+\-.^_`|~0-9A-Za-z]{1,70}))\Z")


@dataclasses.dataclass
class Part:
    content_type: str
    first: int
    last: int
    size: int
    body: bytes


def boundary_of(content_type) -> str:
    match = BOUNDARY.match(content_type or "")
    if not match:
        raise ProtocolError(f"Content-Type: {content_type!r}")
    return match[1] or match[2]


def parse(response: Response) -> list:
    """The parts of a response, in order. Any byte that the framing does not explain is a ProtocolError."""
    delimiter = b"--" + boundary_of(response["Content-Type"]).encode()
    body = response.body
    at = 2 if body.startswith(b"\r\n" + delimiter) else 0  # an empty preamble with its line end is allowed
    parts = []
    while True:
        if not body.startswith(delimiter, at):
            raise ProtocolError(f"no delimiter at {at}: {body[at:at + 80]!r}")
        at += len(delimiter)
        if body.startswith(b"--", at):
            at += 2
            break
        if not body.startswith(b"\r\n", at):
            raise ProtocolError(f"no CRLF after the delimiter at {at}")
        at += 2
        end = body.find(b"\r\n\r\n", at)
        if end < 0:
            raise ProtocolError("a part without the end of its head")
        fields = {}
        for line in body[at:end].split(b"\r\n"):
            name, colon, value = line.partition(b":")
            key = name.decode("latin-1").lower()
            if not colon or not re.fullmatch(rb"[A-Za-z-]+", name) or key in fields:
                raise ProtocolError(f"part field {line!r}")
            fields[key] = value.strip(b" ").decode("latin-1")
        if set(fields) != {"content-type", "content-range"}:
            raise ProtocolError(f"part fields {sorted(fields)}")
        match = re.fullmatch(r"bytes ([0-9]+)-([0-9]+)/([0-9]+)", fields["content-range"])
        if not match:
            raise ProtocolError(f"Content-Range of a part: {fields['content-range']!r}")
        first, last, size = map(int, match.groups())
        if not first <= last < size:
            raise ProtocolError(f"Content-Range of a part: {fields['content-range']!r}")
        at = end + 4
        content = body[at:at + last - first + 1]
        if len(content) != last - first + 1:
            raise ProtocolError("a part shorter than its range")
        if delimiter in content:
            raise ProtocolError("the boundary occurs in a part")
        at += len(content)
        if not body.startswith(b"\r\n", at):
            raise ProtocolError(f"no CRLF after the part that ends at {at}: {body[at:at + 40]!r}")
        at += 2
        parts.append(Part(fields["content-type"], first, last, size, content))
    if body[at:] not in (b"", b"\r\n"):
        raise ProtocolError(f"bytes after the close delimiter: {body[at:at + 80]!r}")
    return parts
