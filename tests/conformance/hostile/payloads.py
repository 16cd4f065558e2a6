"""Requests that try to be read in two ways, to be read without end, or to be read as something else than they are.

Each is a name, the bytes, and the statuses that may answer them; all of them cost the connection. Behind each, SMUGGLED is sent: one
reading takes it for content, another for the next request, and so it must never be answered.
"""

# A request whose answer cannot be mistaken: no other payload asks for this file.
SMUGGLED = b"GET /files/smuggled.bin HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
HOST = b"Host: 127.0.0.1"
GET = b"GET /files/ten.bin HTTP/1.1"
POST = b"POST /files/ten.bin HTTP/1.1"


def head(*lines: bytes) -> bytes:
    return b"\r\n".join(lines) + b"\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n0\r\n\r\n" % (len(data), data)


LENGTH = b"Content-Length: %d" % len(SMUGGLED)

# RFC 9112, 11.2: how long the content is, read in two ways.
LENGTHS = [
    ("content of a GET", head(GET, HOST, LENGTH), (400, 413)),
    ("content of a HEAD", head(b"HEAD /files/ten.bin HTTP/1.1", HOST, LENGTH), (400, 413)),
    ("content of a POST", head(POST, HOST, LENGTH), (405,)),
    ("content of OPTIONS", head(b"OPTIONS * HTTP/1.1", HOST, LENGTH), (400, 413)),
    ("content of an unknown method", head(b"FROB /files/ten.bin HTTP/1.1", HOST, LENGTH), (501,)),
    ("content in HTTP/1.0", head(b"GET /files/ten.bin HTTP/1.0", HOST, b"Connection: keep-alive", LENGTH), (400, 413)),
    ("content that is expected", head(GET, HOST, LENGTH, b"Expect: 100-continue"), (400, 413)),
    ("more content than comes", head(GET, HOST, b"Content-Length: 1000000"), (400, 413)),
    ("less content than comes", head(GET, HOST, b"Content-Length: 1"), (400, 413)),
    ("the largest length", head(GET, HOST, b"Content-Length: 18446744073709551615"), (400, 413)),
    ("a length that wraps to 0", head(GET, HOST, b"Content-Length: 18446744073709551616"), (400,)),
    ("a length that wraps to 1", head(GET, HOST, b"Content-Length: 18446744073709551617"), (400,)),
    ("a length of 1000 digits", head(GET, HOST, b"Content-Length: " + b"9" * 1000), (400,)),
    ("a length with leading zeros", head(GET, HOST, b"Content-Length: 000%d" % len(SMUGGLED)), (400, 413)),
    ("a plus", head(GET, HOST, b"Content-Length: +0"), (400,)),
    ("a minus", head(GET, HOST, b"Content-Length: -0"), (400,)),
    ("hexadecimal", head(GET, HOST, b"Content-Length: 0x0"), (400,)),
    ("octal by some", head(GET, HOST, b"Content-Length: 0o0"), (400,)),
    ("an exponent", head(GET, HOST, b"Content-Length: 0e1"), (400,)),
    ("a fraction", head(GET, HOST, b"Content-Length: 0.0"), (400,)),
    ("a low line between digits", head(GET, HOST, b"Content-Length: 0_0"), (400,)),
    ("digits and a space", head(GET, HOST, b"Content-Length: 0 0"), (400,)),
    ("quotes", head(GET, HOST, b'Content-Length: "0"'), (400,)),
    ("an empty length", head(GET, HOST, b"Content-Length: "), (400,)),
    ("a list of different lengths", head(GET, HOST, b"Content-Length: 0, %d" % len(SMUGGLED)), (400,)),
    ("a list of equal lengths", head(GET, HOST, b"Content-Length: 0, 0"), (400,)),
    ("a list with an empty member", head(GET, HOST, b"Content-Length: ,0"), (400,)),
    ("none, then some", head(GET, HOST, b"Content-Length: 0", LENGTH), (400,)),
    ("some, then none", head(GET, HOST, LENGTH, b"Content-Length: 0"), (400,)),
    ("twice the same", head(GET, HOST, b"Content-Length: 0", b"Content-Length: 0"), (400,)),
    ("a space before the colon of the length", head(GET, HOST, b"Content-Length : 0"), (400,)),
    ("a tab before the colon of the length", head(GET, HOST, b"Content-Length\t: 0"), (400,)),
    ("a folded length", head(GET, HOST, b"Content-Length:", b" %d" % len(SMUGGLED)), (400,)),
    ("a length with NUL", head(GET, HOST, b"Content-Length: 0\x00"), (400,)),
    ("a length after NUL", head(GET, HOST, b"Content-Length: \x000"), (400,)),
    ("a length with a vertical tab", head(GET, HOST, b"Content-Length: \x0b0"), (400,)),
    ("a length with a no-break space", head(GET, HOST, b"Content-Length: \xa00"), (400,)),
    ("a tab before the length", head(GET, HOST, b"Content-Length:\t%d" % len(SMUGGLED)), (400, 413)),
    ("a length with white space around it", head(GET, HOST, b"Content-Length:  %d \t" % len(SMUGGLED)), (400, 413)),
    ("a length in lower case", head(GET, HOST, b"content-length: %d" % len(SMUGGLED)), (400, 413)),
    ("a length after an empty one", head(GET, HOST, b"Content-Length:", LENGTH), (400,)),
    ("a length after two names alike", head(GET, HOST, b"Content_Length: 0", LENGTH), (400, 413)),
    ("a length that the connection is to forget", head(GET, HOST, b"Connection: Content-Length", LENGTH), (400, 413)),
    ("a length with a comma behind it", head(GET, HOST, b"Content-Length: %d," % len(SMUGGLED)), (400,)),
    ("a length with a semicolon", head(GET, HOST, b"Content-Length: 0;5"), (400,)),
    ("content of a TRACE", head(b"TRACE /files/ten.bin HTTP/1.1", HOST, LENGTH), (405,)),
    ("content of a CONNECT", head(b"CONNECT 127.0.0.1:80 HTTP/1.1", HOST, LENGTH), (400, 405)),
    ("content of a DELETE", head(b"DELETE /files/ten.bin HTTP/1.1", HOST, LENGTH), (405,)),
    ("content of what is not there", head(b"GET /files/nothing HTTP/1.1", HOST, LENGTH), (400, 413)),
    ("content of a range", head(GET, HOST, b"Range: bytes=0-1", LENGTH), (400, 413)),
    ("content of what is not modified", head(GET, HOST, b"If-None-Match: *", LENGTH), (400, 413)),
    ("content of a bad target", head(b"GET /files/%zz HTTP/1.1", HOST, LENGTH), (400, 413)),
    ("content for a foreign host", head(GET, b"Host: evil.example", LENGTH), (400, 413, 421)),
    ("content with an unknown expectation", head(GET, HOST, LENGTH, b"Expect: 200-ok"), (400, 413, 417)),
    ("content on the way to h2c", head(GET, HOST, b"Connection: Upgrade", b"Upgrade: h2c", LENGTH), (400, 413)),
    ("full-width digits", head(GET, HOST, b"Content-Length: \xef\xbc\x90"), (400,)),
]

# Where content is taken, it is taken in one way alone.
SEARCH = b"POST /search HTTP/1.1"
JSON = b"Content-Type: application/json"
POSTS = [
    ("a form", head(SEARCH, HOST, b"Content-Type: application/x-www-form-urlencoded", LENGTH), (415,)),
    ("a plain text", head(SEARCH, HOST, b"Content-Type: text/plain", LENGTH), (415,)),
    ("parts of a form", head(SEARCH, HOST, b"Content-Type: multipart/form-data; boundary=a", LENGTH), (415,)),
    ("a type in a parameter", head(SEARCH, HOST, b"Content-Type: text/plain; application/json", LENGTH), (415,)),
    ("a list of types", head(SEARCH, HOST, b"Content-Type: application/json, text/plain", LENGTH), (415,)),
    ("two types", head(SEARCH, HOST, JSON, b"Content-Type: text/plain", LENGTH), (415,)),
    ("twice the type", head(SEARCH, HOST, JSON, JSON, LENGTH), (415,)),
    ("no type", head(SEARCH, HOST, LENGTH), (415,)),
    ("encoded content", head(SEARCH, HOST, JSON, b"Content-Encoding: gzip", LENGTH), (415,)),
    ("content without a length", head(SEARCH, HOST, JSON), (411,)),
    ("content without a length, expected", head(SEARCH, HOST, JSON, b"Expect: 100-continue"), (411,)),
    ("content that is too large", head(SEARCH, HOST, JSON, b"Content-Length: 8193"), (413,)),
    ("content that is too large, expected", head(SEARCH, HOST, JSON, b"Content-Length: 8193", b"Expect: 100-continue"), (413,)),
    ("the largest content", head(SEARCH, HOST, JSON, b"Content-Length: 18446744073709551615"), (413,)),
    ("content of a length that wraps", head(SEARCH, HOST, JSON, b"Content-Length: 18446744073709551618"), (400,)),
    ("content that is too large with its head", head(SEARCH, HOST, JSON, b"X: " + b"x" * 9000, b"Content-Length: 8000"), (413,)),
    ("content of two lengths", head(SEARCH, HOST, JSON, b"Content-Length: 2", LENGTH), (400,)),
    ("content of twice a length", head(SEARCH, HOST, JSON, LENGTH, LENGTH), (400,)),
    ("content of a list of lengths", head(SEARCH, HOST, JSON, b"Content-Length: 2, 2"), (400,)),
    ("content of +2", head(SEARCH, HOST, JSON, b"Content-Length: +2"), (400,)),
    ("content in chunks", head(SEARCH, HOST, JSON, b"Transfer-Encoding: chunked") + chunk(b"{}"), (501,)),
    ("content in chunks and of a length", head(SEARCH, HOST, JSON, b"Content-Length: 2", b"Transfer-Encoding: chunked") + chunk(b"{}"), (400,)),
    ("content in chunks of HTTP/1.0", head(b"POST /search HTTP/1.0", HOST, JSON, b"Transfer-Encoding: chunked") + chunk(b"{}"), (400,)),
    ("content with an obscure coding", head(SEARCH, HOST, JSON, LENGTH, b"Transfer-Encoding: identity"), (400,)),
    ("content and another expectation", head(SEARCH, HOST, JSON, LENGTH, b"Expect: 200-ok"), (417,)),
    ("content for another host", head(SEARCH, b"Host: evil.example", JSON, LENGTH), (421,)),
    ("content for another host in the target", head(b"POST http://evil.example/search HTTP/1.1", HOST, JSON, LENGTH), (421,)),
    ("content for an escaped address", head(b"POST /%73earch HTTP/1.1", HOST, JSON, LENGTH), (405,)),
    ("content for an address below", head(b"POST /search/ HTTP/1.1", HOST, JSON, LENGTH), (405,)),
    ("content of a GET where a POST has some", head(b"GET /search HTTP/1.1", HOST, JSON, LENGTH), (413,)),
    ("content of a PUT where a POST has some", head(b"PUT /search HTTP/1.1", HOST, JSON, LENGTH), (405,)),
    ("content of a post in small letters", head(b"post /search HTTP/1.1", HOST, JSON, LENGTH), (501,)),
]

# Every Transfer-Encoding is refused, whatever a parser makes of its value.
CODINGS = [
    ("chunked", head(POST, HOST, b"Transfer-Encoding: chunked") + chunk(b"x"), (400, 501)),
    ("chunked GET", head(GET, HOST, b"Transfer-Encoding: chunked") + chunk(b"x"), (400, 501)),
    ("no chunks", head(GET, HOST, b"Transfer-Encoding: chunked") + b"0\r\n\r\n", (400, 501)),
    ("length and chunked", head(POST, HOST, b"Content-Length: 6", b"Transfer-Encoding: chunked") + b"0\r\n\r\n", (400, 501)),
    ("chunked and length", head(POST, HOST, b"Transfer-Encoding: chunked", b"Content-Length: 6") + b"0\r\n\r\n", (400, 501)),
    ("none and chunked", head(GET, HOST, b"Content-Length: 0", b"Transfer-Encoding: chunked") + b"0\r\n\r\n", (400, 501)),
    ("identity", head(GET, HOST, b"Transfer-Encoding: identity"), (400, 501)),
    ("identity and length", head(GET, HOST, b"Transfer-Encoding: identity", LENGTH), (400, 501)),
    ("gzip", head(GET, HOST, b"Transfer-Encoding: gzip"), (400, 501)),
    ("gzip, chunked", head(GET, HOST, b"Transfer-Encoding: gzip, chunked") + b"0\r\n\r\n", (400, 501)),
    ("chunked, gzip", head(GET, HOST, b"Transfer-Encoding: chunked, gzip") + b"0\r\n\r\n", (400, 501)),
    ("chunked, identity", head(GET, HOST, b"Transfer-Encoding: chunked, identity") + b"0\r\n\r\n", (400, 501)),
    ("xchunked", head(GET, HOST, b"Transfer-Encoding: xchunked"), (400, 501)),
    ("chunked in capitals", head(GET, HOST, b"TRANSFER-ENCODING: CHUNKED") + b"0\r\n\r\n", (400, 501)),
    ("chunked twice", head(GET, HOST, b"Transfer-Encoding: chunked, chunked") + b"0\r\n\r\n", (400, 501)),
    ("chunked in two lines", head(GET, HOST, b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked") + b"0\r\n\r\n", (400, 501)),
    ("chunked, then cow", head(GET, HOST, b"Transfer-Encoding: chunked", b"Transfer-Encoding: cow") + b"0\r\n\r\n", (400, 501)),
    ("cow, then chunked", head(GET, HOST, b"Transfer-Encoding: cow", b"Transfer-Encoding: chunked") + b"0\r\n\r\n", (400, 501)),
    ("an empty coding", head(GET, HOST, b"Transfer-Encoding:"), (400, 501)),
    ("a coding of a comma", head(GET, HOST, b"Transfer-Encoding: ,"), (400, 501)),
    ("a quoted coding", head(GET, HOST, b'Transfer-Encoding: "chunked"'), (400, 501)),
    ("a coding with a parameter", head(GET, HOST, b"Transfer-Encoding: chunked;q=1"), (400, 501)),
    ("a coding with a byte above 127", head(GET, HOST, b"Transfer-Encoding: \xffchunked"), (400, 501)),
    ("a vertical tab before the coding", head(GET, HOST, b"Transfer-Encoding: \x0bchunked"), (400,)),
    ("NUL after the coding", head(GET, HOST, b"Transfer-Encoding: chunked\x00"), (400,)),
    ("a space before the coding's colon", head(GET, HOST, b"Transfer-Encoding : chunked"), (400,)),
    ("a space before the coding's name", head(GET, HOST, b" Transfer-Encoding: chunked"), (400,)),
    ("a folded coding", head(GET, HOST, b"Transfer-Encoding:", b" chunked"), (400,)),
    ("a coding in HTTP/1.0", head(b"GET /files/ten.bin HTTP/1.0", HOST, b"Transfer-Encoding: chunked") + b"0\r\n\r\n", (400, 501)),
    ("a coding in HTTP/1.0, kept alive", head(b"GET /files/ten.bin HTTP/1.0", b"Connection: keep-alive", b"Transfer-Encoding: chunked"),
     (400, 501)),
    ("a coding that the connection is to forget", head(GET, HOST, b"Connection: Transfer-Encoding", b"Transfer-Encoding: chunked"), (400, 501)),
    ("a tab before the coding", head(GET, HOST, b"Transfer-Encoding:\tchunked") + b"0\r\n\r\n", (400, 501)),
    ("white space after the coding", head(GET, HOST, b"Transfer-Encoding: chunked \t") + b"0\r\n\r\n", (400, 501)),
    ("a form feed before the coding", head(GET, HOST, b"Transfer-Encoding: \x0cchunked"), (400,)),
    ("a comma before the coding", head(GET, HOST, b"Transfer-Encoding: ,chunked") + b"0\r\n\r\n", (400, 501)),
    ("a comma after the coding", head(GET, HOST, b"Transfer-Encoding: chunked,") + b"0\r\n\r\n", (400, 501)),
    ("codings in three lines", head(GET, HOST, b"Transfer-Encoding:", b"Transfer-Encoding: gzip", b"Transfer-Encoding: chunked"), (400, 501)),
    ("a coding behind a name alike", head(GET, HOST, b"Transfer_Encoding: identity", b"Transfer-Encoding: chunked"), (400, 501)),
    ("a coding of HEAD", head(b"HEAD /files/ten.bin HTTP/1.1", HOST, b"Transfer-Encoding: chunked") + b"0\r\n\r\n", (400, 501)),
    ("a coding of OPTIONS", head(b"OPTIONS * HTTP/1.1", HOST, b"Transfer-Encoding: chunked") + b"0\r\n\r\n", (400, 501)),
    ("a coding in HTTP/1.2", head(b"GET /files/ten.bin HTTP/1.2", HOST, b"Transfer-Encoding: chunked") + b"0\r\n\r\n", (400, 501)),
    ("a coding that is expected", head(POST, HOST, b"Transfer-Encoding: chunked", b"Expect: 100-continue") + chunk(b"x"), (400, 501)),
    ("a chunk of 0x1", head(POST, HOST, b"Transfer-Encoding: chunked") + b"0x1\r\nx\r\n0\r\n\r\n", (400, 501)),
    ("a chunk of +1", head(POST, HOST, b"Transfer-Encoding: chunked") + b"+1\r\nx\r\n0\r\n\r\n", (400, 501)),
    ("a chunk of 0_1", head(POST, HOST, b"Transfer-Encoding: chunked") + b"0_1\r\nx\r\n0\r\n\r\n", (400, 501)),
    ("a chunk size with a space", head(POST, HOST, b"Transfer-Encoding: chunked") + b"1 \r\nx\r\n0\r\n\r\n", (400, 501)),
    ("a chunk that spills", head(POST, HOST, b"Transfer-Encoding: chunked") + b"1\r\nxyz\r\n0\r\n\r\n", (400, 501)),
    ("a chunk that ends in CR", head(POST, HOST, b"Transfer-Encoding: chunked") + b"1\r\nx\r0\r\n\r\n", (400, 501)),
    ("a Host in the trailer", head(POST, HOST, b"Transfer-Encoding: chunked") + b"0\r\nHost: evil.example\r\n\r\n", (400, 501)),
    ("a coding in the trailer", head(POST, HOST, b"Transfer-Encoding: chunked") + b"0\r\nTransfer-Encoding: chunked\r\n\r\n", (400, 501)),
    ("a chunk of 2^64", head(POST, HOST, b"Transfer-Encoding: chunked") + b"10000000000000000\r\n", (400, 501)),
    ("a chunk of -1", head(POST, HOST, b"Transfer-Encoding: chunked") + b"-1\r\n", (400, 501)),
    ("a quoted chunk extension", head(POST, HOST, b"Transfer-Encoding: chunked") + b'1;a="\r\n\r\nx\r\n0\r\n\r\n', (400, 501)),
    ("a chunk extension with a bare LF", head(POST, HOST, b"Transfer-Encoding: chunked") + b"1;\nx\r\n0\r\n\r\n", (400, 501)),
    ("a length in the trailer", head(POST, HOST, b"Transfer-Encoding: chunked") + b"0\r\nContent-Length: 5\r\n\r\n", (400, 501)),
]

# Where a line ends, and what a name is, read in two ways.
LINES = [
    ("bare LFs", b"GET /files/ten.bin HTTP/1.1\nHost: 127.0.0.1\n\n", (400,)),
    ("a bare LF after the request line", b"GET /files/ten.bin HTTP/1.1\nHost: 127.0.0.1\r\n\r\n", (400,)),
    ("a bare LF hides a field", head(GET, b"Host: 127.0.0.1\nContent-Length: 5"), (400,)),
    ("a bare CR hides a field", head(GET, b"Host: 127.0.0.1\rContent-Length: 5"), (400,)),
    ("a bare LF ends the head", b"GET /files/ten.bin HTTP/1.1\r\nHost: 127.0.0.1\r\n\n", (400,)),
    ("bare CRs", b"GET /files/ten.bin HTTP/1.1\rHost: 127.0.0.1\r\r", (400,)),
    ("CR CR LF", b"GET /files/ten.bin HTTP/1.1\r\r\nHost: 127.0.0.1\r\n\r\n", (400,)),
    ("CR NUL LF", b"GET /files/ten.bin HTTP/1.1\r\x00\nHost: 127.0.0.1\r\n\r\n", (400,)),
    ("LF CR", b"GET /files/ten.bin HTTP/1.1\n\rHost: 127.0.0.1\n\r\n\r", (400,)),
    ("a form feed ends no line", head(GET, b"Host: 127.0.0.1\x0cX: y"), (400,)),
    ("obs-fold", head(GET, HOST, b"X: y", b" z"), (400,)),
    ("obs-fold with a tab", head(GET, HOST, b"X: y", b"\tz"), (400,)),
    ("obs-fold of Host", head(GET, b"Host: ", b" 127.0.0.1"), (400,)),
    ("a first line that is folded", head(GET, b" Host: 127.0.0.1", HOST), (400,)),
    ("a line of a space", head(GET, HOST, b" ", b"X: y"), (400,)),
    ("an empty name", head(GET, HOST, b": y"), (400,)),
    ("no colon", head(GET, HOST, b"Content-Length 5"), (400,)),
    ("a space within a name", head(GET, HOST, b"Content Length: 5"), (400,)),
    ("a space before the colon of Host", head(GET, b"Host : 127.0.0.1"), (400,)),
    ("a name with NUL", head(GET, HOST, b"Content-Length\x00: 5"), (400,)),
    ("a name with a separator", head(GET, HOST, b"Content-Length;: 5"), (400,)),
    ("a name with a byte above 127", head(GET, HOST, b"\xefContent-Length: 5"), (400,)),
    ("NUL in a value", head(GET, HOST, b"X: \x00"), (400,)),
    ("an escape in a value", head(GET, HOST, b"User-Agent: \x1b[2J"), (400,)),
    ("DEL in a value", head(GET, HOST, b"X: \x7f"), (400,)),
    ("a byte-order mark", b"\xef\xbb\xbf" + head(GET, HOST), (400,)),
    ("a second request line among the fields", head(GET, HOST, b"GET /files/smuggled.bin HTTP/1.1"), (400,)),
    ("LF before the request", b"\n" + head(GET, HOST), (400,)),
    ("endless empty lines", b"\r\n" * 10000, (400,)),
]

# The request line, and protocols that are another.
REQUEST_LINES = [
    ("HTTP/0.9", b"GET /files/ten.bin\r\n", (400,)),
    ("no version", b"GET /files/ten.bin \r\n\r\n", (400,)),
    ("version 0.9", head(b"GET /files/ten.bin HTTP/0.9", HOST), (400, 505)),
    ("version 2.0", head(b"GET /files/ten.bin HTTP/2.0", HOST), (505,)),
    ("version 9.9", head(b"GET /files/ten.bin HTTP/9.9", HOST), (505,)),
    ("version 1.10", head(b"GET /files/ten.bin HTTP/1.10", HOST), (400,)),
    ("version 1.1 and more", head(b"GET /files/ten.bin HTTP/1.1 HTTP/1.0", HOST), (400,)),
    ("version -1.1", head(b"GET /files/ten.bin HTTP/-1.1", HOST), (400,)),
    ("version with a wide digit", head("GET /files/ten.bin HTTP/１.1".encode(), HOST), (400,)),
    ("lower-case protocol", head(b"GET /files/ten.bin http/1.1", HOST), (400,)),
    ("tabs for spaces", head(b"GET\t/files/ten.bin\tHTTP/1.1", HOST), (400,)),
    ("two spaces", head(b"GET  /files/ten.bin HTTP/1.1", HOST), (400,)),
    ("a space at the end", head(b"GET /files/ten.bin HTTP/1.1 ", HOST), (400,)),
    ("a space in the target", head(b"GET /files/ten.bin x HTTP/1.1", HOST), (400,)),
    ("NUL in the target", head(b"GET /files/ten.bin\x00.txt HTTP/1.1", HOST), (400,)),
    ("NUL in the method", head(b"GE\x00T /files/ten.bin HTTP/1.1", HOST), (400,)),
    ("a colon in the method", head(b"GET: /files/ten.bin HTTP/1.1", HOST), (400,)),
    ("only spaces", b" " * 64, (400,)),
    ("an endless method", b"A" * 100000, (400, 414, 431, 501)),
    ("an endless target", b"GET /" + b"A" * 100000, (414,)),
    ("endless spaces", b"GET " + b" " * 100000, (400,)),
    ("authority-form for GET", head(b"GET 127.0.0.1:80 HTTP/1.1", HOST), (400,)),
    ("asterisk-form for GET", head(b"GET * HTTP/1.1", HOST), (400,)),
    ("a path without slash", head(b"GET files/ten.bin HTTP/1.1", HOST), (400,)),
    ("a fragment", head(b"GET /files/ten.bin#x HTTP/1.1", HOST), (400,)),
    ("a URI of a file", head(b"GET file:///etc/passwd HTTP/1.1", HOST), (400,)),
    ("a URI with a user", head(b"GET http://127.0.0.1@evil.example/files/ten.bin HTTP/1.1", HOST), (400,)),
    ("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]), (400, 505)),
    ("TLS", bytes.fromhex("16030100 2e 0100002a 0303") + bytes(40), (400,)),
    ("SSLv2", bytes.fromhex("802e 01 0002 0015 0000 0010") + bytes(37), (400,)),
    ("SOCKS 5", b"\x05\x01\x00", (400,)),
    ("the PROXY protocol", b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n" + head(GET, HOST), (400,)),
    ("the PROXY protocol, 2", b"\r\n\r\n\x00\r\nQUIT\n" + bytes(8), (400,)),
    ("SSH", b"SSH-2.0-OpenSSH_9.2\r\n", (400,)),
    ("SMTP", b"EHLO evil.example\r\nMAIL FROM:<>\r\n", (400,)),
    ("RTSP", head(b"DESCRIBE rtsp://127.0.0.1/a RTSP/1.0", b"CSeq: 1"), (400,)),
    ("a response", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", (400,)),
    ("a shell", b"() { :;}; id\r\n\r\n", (400,)),
    ("NULs", bytes(4096), (400,)),
    ("bytes above 127", b"\xff" * 4096, (400,)),
]

# Whose request it is, read in two ways.
HOSTS = [
    ("no Host", head(GET), (400,)),
    ("two Hosts", head(GET, HOST, b"Host: evil.example"), (400,)),
    ("two Hosts the other way round", head(GET, b"Host: evil.example", HOST), (400,)),
    ("the same Host twice", head(GET, HOST, HOST), (400,)),
    ("two Hosts in HTTP/1.0", head(b"GET /files/ten.bin HTTP/1.0", HOST, HOST), (400,)),
    ("a list of Hosts", head(GET, b"Host: 127.0.0.1, evil.example"), (400,)),
    ("a Host with user", head(GET, b"Host: 127.0.0.1@evil.example"), (400,)),
    ("a Host with a path", head(GET, b"Host: 127.0.0.1/evil.example"), (400,)),
    ("a Host with a query", head(GET, b"Host: 127.0.0.1?evil.example"), (400,)),
    ("a Host with a scheme", head(GET, b"Host: http://127.0.0.1"), (400,)),
    ("a Host with two ports", head(GET, b"Host: 127.0.0.1:80:80"), (400,)),
    ("a Host with a port beyond 65535", head(GET, b"Host: 127.0.0.1:65536"), (400,)),
    ("a Host with a signed port", head(GET, b"Host: 127.0.0.1:+80"), (400,)),
    ("a Host with an escape", head(GET, b"Host: 127.0.0.1%00.evil.example"), (400,)),
    ("a Host with NUL", head(GET, b"Host: 127.0.0.1\x00.evil.example"), (400,)),
    ("a Host with a tab", head(GET, b"Host: 127.0.0.1\tevil.example"), (400,)),
    ("a Host with a backslash", head(GET, b"Host: 127.0.0.1\\evil.example"), (400,)),
    ("a Host with a fragment", head(GET, b"Host: 127.0.0.1#evil.example"), (400,)),
    ("a Host above 127", head(GET, b"Host: 127.0.0.1\xe3\x80\x82evil.example"), (400,)),
    ("a folded Host", head(GET, b"Host: 127.0.0.1", b"\t.evil.example"), (400,)),
    ("a Host and a space before its colon", head(GET, HOST, b"Host : evil.example"), (400,)),
    ("a Host in quotes", head(GET, b'Host: "127.0.0.1"'), (400,)),
    ("a Host of a bracket", head(GET, b"Host: ["), (400,)),
    ("a Host of a zone", head(GET, b"Host: [::1%25lo]"), (400,)),
    ("a Host of no address", head(GET, b"Host: [127.0.0.1]"), (400,)),
    ("an absolute target and no Host", head(b"GET http://127.0.0.1/files/ten.bin HTTP/1.1"), (400,)),
    ("an absolute target and two Hosts", head(b"GET http://127.0.0.1/files/ten.bin HTTP/1.1", HOST, HOST), (400,)),
]

# Who asks, read in two ways.
CREDENTIALS = [
    ("two Authorizations", head(GET, HOST, b"Authorization: Basic YTpi", b"Authorization: Basic YTpj"), (400,)),
    ("the same Authorization twice", head(GET, HOST, b"Authorization: Basic YTpi", b"authorization: Basic YTpi"), (400,)),
]

# More than is read.
SIZES = [
    ("1000 fields", head(GET, HOST, *[b"X: y"] * 1000), (431,)),
    ("a field without end", b"GET /files/ten.bin HTTP/1.1\r\nX: " + b"y" * 100000, (431,)),
    ("a name without end", b"GET /files/ten.bin HTTP/1.1\r\n" + b"X" * 100000, (431,)),
    ("a field of white space", b"GET /files/ten.bin HTTP/1.1\r\nX:" + b" " * 100000, (431,)),
    ("fields without end", b"GET /files/ten.bin HTTP/1.1\r\n" + b"X-Long-Name: value\r\n" * 10000, (431,)),
    ("a length after 20 KiB", head(GET, HOST, b"X: " + b"y" * 20480, LENGTH), (431,)),
]

ALL = [(f"{group}: {name}", data, statuses) for group, payloads in [
    ("length", LENGTHS), ("post", POSTS), ("coding", CODINGS), ("line", LINES), ("request line", REQUEST_LINES), ("host", HOSTS),
    ("credentials", CREDENTIALS), ("size", SIZES)]
    for name, data, statuses in payloads]

# Those that other servers can be asked, too: they have no such address to post to, and nobody's credentials.
COMPARED = [payload for payload in ALL if not payload[0].startswith(("post: ", "credentials: "))]

# Names of other machines, which a page of theirs may have pointed at this one (DNS rebinding): 421, by Host or by target.
FOREIGN_HOSTS = [
    b"evil.example", b"evil.example:80", b"127.0.0.1.evil.example", b"localhost.evil.example", b"evil.localhost.example", b"notlocalhost",
    b"192.0.2.1", b"0.0.0.0", b"[::]", b"[2001:db8::1]", b"[::ffff:192.0.2.1]", b"127.1", b"0x7f000001", b"2130706433", b"0177.0.0.1",
    b"xn--lcalhost-n8a",
]
