"""A raw HTTP/1.1 client that hides nothing and forgives nothing.

It sends the bytes that it is given and reads answers by the grammar of RFC 9112: a lone CR or LF, a space before a colon, a
doubtful Content-Length or a byte too few is a ProtocolError, where a lenient client would look away.
"""
import dataclasses
import re
import select
import socket
import time

TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")
STATUS_LINE = re.compile(rb"HTTP/1\.1 ([1-5][0-9]{2}) ([\t \x21-\x7e\x80-\xff]*)\Z")
FIELD_VALUE = re.compile(rb"[\t \x21-\x7e\x80-\xff]*\Z")
IMF_FIXDATE = re.compile(
    r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{2} (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} \d{2}:\d{2}:\d{2} GMT\Z")

# Fields of which RFC 9110 allows one line at most in a response.
SINGLETONS = {"content-length", "content-type", "content-range", "etag", "last-modified", "date", "location", "retry-after",
              "content-location", "server", "expires", "age"}


class ProtocolError(AssertionError):
    """The daemon sent what the grammar does not allow."""


# What is sent before its length is known.
STREAMS = ("application/x-ndjson", "text/event-stream")


class ConnectionCut(Exception):
    """The connection ended before the message did. `received` holds what came of the body."""

    def __init__(self, text, received=b""):
        super().__init__(text)
        self.received = received


@dataclasses.dataclass
class Response:
    status: int
    reason: str
    fields: list
    body: bytes
    head: bytes
    interim: list = dataclasses.field(default_factory=list)

    def all(self, name: str) -> list:
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def __getitem__(self, name: str):
        """The only value of a field, None when it is absent."""
        values = self.all(name)
        if len(values) > 1:
            raise ProtocolError(f"{len(values)} lines of {name}")
        return values[0] if values else None

    def __contains__(self, name: str) -> bool:
        return bool(self.all(name))

    @property
    def length(self):
        text = self["Content-Length"]
        return None if text is None else int(text)

    @property
    def content_range(self):
        """(first, last, size) of `bytes first-last/size`; (None, None, size) of `bytes */size`."""
        text = self["Content-Range"]
        if text is None:
            return None
        match = re.fullmatch(r"bytes (?:([0-9]+)-([0-9]+)|\*)/([0-9]+)", text)
        if not match:
            raise ProtocolError(f"Content-Range: {text!r}")
        first, last, size = match.groups()
        return (None if first is None else int(first), None if last is None else int(last), int(size))

    @property
    def closes(self) -> bool:
        options = [option.strip().lower() for value in self.all("Connection") for option in value.split(",")]
        return "close" in options


def parse_head(head: bytes) -> Response:
    """A status line and field lines, without the empty line that ends them."""
    lines = head.split(b"\r\n")
    for line in lines:
        if b"\r" in line or b"\n" in line:
            raise ProtocolError(f"a lone CR or LF in {line!r}")
    status = STATUS_LINE.match(lines[0])
    if not status:
        raise ProtocolError(f"status line {lines[0]!r}")
    fields = []
    for line in lines[1:]:
        name, colon, value = line.partition(b":")
        if not colon or not TOKEN.match(name) or not FIELD_VALUE.match(value):
            raise ProtocolError(f"field line {line!r}")
        fields.append((name.decode(), value.strip(b" \t").decode("latin-1")))
    response = Response(int(status[1]), status[2].decode("latin-1"), fields, b"", head)
    counts = {}
    for name, _ in fields:
        counts[name.lower()] = counts.get(name.lower(), 0) + 1
    for name in SINGLETONS:
        if counts.get(name, 0) > 1:
            raise ProtocolError(f"{counts[name]} lines of {name}")
    length = response["Content-Length"]
    if length is not None and not re.fullmatch(r"[0-9]+", length):
        raise ProtocolError(f"Content-Length: {length!r}")
    if "Transfer-Encoding" in response and (response["Content-Type"] not in STREAMS or response["Transfer-Encoding"] != "chunked" or length is not None):
        raise ProtocolError("a Transfer-Encoding: but for streams of records every length is known")
    if response.status >= 200:
        # RFC 9110, 6.6.1: an origin server with a clock sends Date in all 2xx, 3xx and 4xx responses.
        if response.status < 500 and "Date" not in response:
            raise ProtocolError("no Date")
        if "Date" in response and not IMF_FIXDATE.match(response["Date"]):
            raise ProtocolError(f"Date: {response['Date']!r}")
    if (response.status < 200 or response.status == 204) and length is not None:
        raise ProtocolError(f"a Content-Length in a {response.status} (RFC 9110, 8.6)")
    return response


class Connection:
    """One connection, by TCP or, where `address` is a path, to a Unix socket. Every wait is bounded by `patience` seconds."""

    def __init__(self, address, patience: float = 10.0, receive_buffer: int | None = None, source: str | None = None):
        self.address = address
        self.patience = patience
        local = isinstance(address, str)
        self.socket = socket.socket(socket.AF_UNIX if local else socket.AF_INET, socket.SOCK_STREAM)
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if not local:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if source is not None:
            self.socket.bind((source, 0))
        self.socket.settimeout(patience)
        self.socket.connect(address)
        self.buffer = bytearray()
        self.ended = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data: bytes):
        self.socket.sendall(data)

    def finish_sending(self):
        self.socket.shutdown(socket.SHUT_WR)

    def _fill(self) -> bool:
        """Takes what has come; False at the end of the stream."""
        if self.ended:
            return False
        try:
            data = self.socket.recv(1 << 18)
        except ConnectionResetError:
            data = b""
        if not data:
            self.ended = True
            return False
        self.buffer += data
        return True

    def read_exactly(self, length: int) -> bytes:
        while len(self.buffer) < length:
            if not self._fill():
                got = bytes(self.buffer)
                self.buffer.clear()
                raise ConnectionCut(f"cut after {len(got)} of {length} bytes", got)
        data = bytes(self.buffer[:length])
        del self.buffer[:length]
        return data

    def read_head(self) -> Response:
        searched = 0
        while True:
            end = self.buffer.find(b"\r\n\r\n", searched)
            if end >= 0:
                break
            searched = max(0, len(self.buffer) - 3)
            if len(self.buffer) > 1 << 16:
                raise ProtocolError("a head of more than 64 KiB")
            if not self._fill():
                raise ConnectionCut(f"cut within a head: {bytes(self.buffer)!r}", bytes(self.buffer))
        head = bytes(self.buffer[:end])
        del self.buffer[:end + 4]
        return parse_head(head)

    def read_line(self) -> bytes:
        while (end := self.buffer.find(b"\r\n")) < 0:
            if not self._fill():
                raise ConnectionCut(f"cut within a line: {bytes(self.buffer)!r}")
        line = bytes(self.buffer[:end])
        del self.buffer[:end + 2]
        return line

    def read_chunks(self) -> bytes:
        """A chunked body (RFC 9112, 7.1), without extensions and trailers."""
        body = b""
        while True:
            size = self.read_line()
            if not re.fullmatch(rb"[0-9A-Fa-f]{1,8}", size):
                raise ProtocolError(f"a chunk of size {size!r}")
            body += self.read_exactly(int(size, 16))
            if self.read_line() != b"":
                raise ProtocolError("a chunk that does not end where it says, or a trailer")
            if int(size, 16) == 0:
                return body

    def read_response(self, method: str = "GET") -> Response:
        """A whole response; interim ones before it are kept in `interim`."""
        interim = []
        response = self.read_head()
        while response.status < 200:
            interim.append(response)
            response = self.read_head()
        response.interim = interim
        if method == "HEAD" or response.status in (204, 304):
            return response
        if "Transfer-Encoding" in response:
            response.body = self.read_chunks()
        elif response.length is None:
            if not response.closes:
                raise ProtocolError(f"a {response.status} with neither Content-Length nor Connection: close")
            response.body = self.read_until_end()
        else:
            response.body = self.read_exactly(response.length)
        return response

    def read_until_end(self) -> bytes:
        while self._fill():
            pass
        data = bytes(self.buffer)
        self.buffer.clear()
        return data

    def expect_end(self):
        """Nothing more comes, and the daemon closes."""
        rest = self.read_until_end()
        if rest:
            raise ProtocolError(f"{len(rest)} bytes after the last response: {rest[:200]!r}")

    def is_quiet(self) -> bool:
        """No byte waits to be read, neither here nor in the kernel. Says nothing about bytes still under way."""
        if self.buffer:
            return False
        readable, _, _ = select.select([self.socket], [], [], 0)
        return not readable


def build(method, target, fields=(), host="127.0.0.1", version="HTTP/1.1") -> bytes:
    """A request head. Names and values may be str (latin-1) or bytes."""
    def raw(text):
        return text if isinstance(text, bytes) else text.encode("latin-1")
    lines = [b" ".join((raw(method), raw(target), raw(version)))]
    if host is not None:
        lines.append(b"Host: " + raw(host))
    lines += [raw(name) + b": " + raw(value) for name, value in fields]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def wait_until(condition, what: str, patience: float = 10.0, pause: float = 0.01):
    """Polls `condition` until it gives something true, and gives that; fails with `what` after `patience` seconds."""
    deadline = time.monotonic() + patience
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise AssertionError(f"not within {patience} s: {what}")
        time.sleep(pause)
