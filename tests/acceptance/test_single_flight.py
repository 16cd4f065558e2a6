"""Law 3: a page that a thousand miss at once is read once."""
import socket

import pytest

from harness import content
from harness.daemon import Daemon
from harness.http import build
from acceptance.support import PAGE, Crew, age, drop_from_page_cache

CLIENTS = 1000


def ask_at_once(pipe, address, target, first, length):
    """Opens every connection, says so, sends all requests when told, and compares the answers."""
    held = [socket.create_connection(address) for _ in range(CLIENTS)]
    request = build("GET", target, [("Range", f"bytes={first}-{first + length - 1}"), ("Connection", "close")])
    # All but the last byte, so that the requests become complete within one short loop.
    for connection in held:
        connection.sendall(request[:-1])
    pipe.send(("ready", None))
    pipe.recv()
    for connection in held:
        connection.sendall(request[-1:])
    want = content.expected(first, length)
    for connection in held:
        data = b""
        while more := connection.recv(1 << 17):
            data += more
        assert data.startswith(b"HTTP/1.1 206 "), data[:100]
        assert data.endswith(b"\r\n\r\n" + want)
    pipe.send(("done", None))


@pytest.mark.parametrize("cold", [True, False], ids=["cold page cache", "hot page cache"])
def test_a_thousand_misses_of_one_page_read_it_once(tmp_path, cold):
    path = tmp_path / "file.bin"
    content.write_pattern(path, 64 * PAGE)
    age(path)
    with Daemon(tmp_path) as daemon:
        with Crew(ask_at_once, daemon.address, "/files/file.bin", 32 * PAGE, PAGE) as crew:
            crew.receive()
            if cold:
                drop_from_page_cache(path)
            before = loads(daemon)
            crew.tell()
            crew.receive()
        done = loads(daemon)
        made = {name: done[name] - before[name] for name in done}
        print(f"\n{made}")
        assert made["bytes"] == PAGE
        # Cold, one load of a disk thread; hot, one read without a wait, unless the page was just being brought in.
        assert made["loads"] + made["hits"] == 1
        daemon.wait_until_unpinned()


def loads(daemon):
    return {"loads": daemon.metric("ranged_page_loads_total"), "bytes": daemon.metric("ranged_page_load_bytes_total"),
            "hits": daemon.metric("ranged_nowait_reads_total", result="hit")}
