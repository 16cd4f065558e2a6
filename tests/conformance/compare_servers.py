#!/usr/bin/python3
"""Sends the hostile payloads to this daemon, to nginx and to lighttpd, and writes down where their answers differ in kind.

    RANGED_BINARY=build/release/server/ranged tests/conformance/compare_servers.py    writes tests/conformance/hostile/DIFFERENCES.md

Needs Debian's nginx-light (or nginx) and lighttpd, which nothing else here does: apt-get install nginx-light lighttpd
"""
import concurrent.futures
import dataclasses
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))

from conformance.hostile.payloads import COMPARED, SMUGGLED  # noqa: E402
from harness.daemon import Daemon, run_to_end  # noqa: E402
from harness.http import wait_until  # noqa: E402

OUTPUT = pathlib.Path(__file__).parent / "hostile/DIFFERENCES.md"
SECRET = b"what only the smuggled request asks for"
QUIET = 0.7  # seconds without a byte: the server waits for more

NGINX = """daemon off; master_process off; pid {work}/pid; error_log {work}/error.log;
events {{}}
http {{ access_log off; client_body_temp_path {work}; proxy_temp_path {work}; fastcgi_temp_path {work}; uwsgi_temp_path {work}; scgi_temp_path {work};
  server {{ listen 127.0.0.1:{port}; root {root}; }} }}
"""
LIGHTTPD = """server.document-root = "{root}"
server.bind = "127.0.0.1"
server.port = {port}
server.errorlog = "{work}/error.log"
"""


@dataclasses.dataclass(frozen=True)
class Answer:
    statuses: tuple
    next_answered: bool  # the request behind the payload was answered
    ended: bool     # the server closed the connection

    @property
    def kind(self):
        """What matters: whether it was refused, what became of the rest, and whether the connection is still in use."""
        if self.next_answered:
            return "next"
        if not self.statuses:
            return "closed" if self.ended else "waits"
        return "answered" if self.statuses[0] < 400 else "refused" if self.ended else "refused, open"

    def __str__(self):
        text = ", ".join(map(str, self.statuses)) or "nothing"
        return text + (", next" if self.next_answered else "") + ("" if self.ended else ", open")


def ask(address, data):
    received = b""
    with socket.create_connection(address, timeout=10) as connection:
        connection.settimeout(10)
        try:
            connection.sendall(data + SMUGGLED)
        except OSError:
            pass  # refused before it was all sent
        connection.settimeout(QUIET)
        ended = False
        while not ended:
            try:
                piece = connection.recv(65536)
            except TimeoutError:
                break
            except ConnectionResetError:
                piece = b""
            received += piece
            ended = not piece
    statuses = tuple(int(status) for status in re.findall(rb"^HTTP/1\.[01] (\d{3}) ", received, re.M))
    return Answer(statuses, SECRET in received, ended)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Peer:
    """Another server, on a free port."""

    def __init__(self, command, settings, work, root):
        self.address = ("127.0.0.1", free_port())
        work.mkdir()
        configuration = work / "configuration"
        configuration.write_text(settings.format(work=work, root=root, port=self.address[1]))
        self.process = subprocess.Popen([part.format(configuration=configuration) for part in command], stderr=subprocess.DEVNULL)
        wait_until(self._listens, f"{command[0]} listens")

    def _listens(self):
        try:
            socket.create_connection(self.address, timeout=1).close()
            return True
        except ConnectionRefusedError:
            return False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(timeout=10)


def ask_all(address):
    with concurrent.futures.ThreadPoolExecutor(16) as executor:
        return list(executor.map(lambda payload: ask(address, payload[1]), COMPARED))


def version_of(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return re.search(r"[\w-]+/[\d.]+", done.stdout + done.stderr)[0]


def render(names, answers):
    rows = list(zip((payload[0] for payload in COMPARED), *answers))
    different = [row for row in rows if len({answer.kind for answer in row[1:]}) > 1]
    lines = [
        "# Hostile requests: this daemon and others", "",
        f"Written by compare_servers.py from the {len(COMPARED)} payloads of payloads.py; {time.strftime('%Y-%m-%d', time.gmtime())}. Behind each payload, "
        "on the same connection, came a request for another file: *next* says that it was answered. That is no fault by itself: the payload was read as "
        "one whole request, rightly or leniently. It does harm where another reader on the way, a proxy or a filter, would have taken those bytes for "
        "something else. nginx and lighttpd mend much of what comes, and both read the content of requests; this daemon takes none here, and refuses "
        "whatever two readers may see differently. The statuses are those of all answers in order; *open*: the connection was kept, or more was "
        "waited for.", "",
        "| server | refused and closed | refused, kept | answered | next answered | waits | closed without a word |", "|---|---|---|---|---|---|---|"]
    for name, column in zip(names, answers):
        kinds = [answer.kind for answer in column]
        lines.append(f"| {name} | " + " | ".join(
            str(kinds.count(kind)) for kind in ("refused", "refused, open", "answered", "next", "waits", "closed")) + " |")
    lines += ["", f"In {len(rows) - len(different)} cases all agree in kind. The {len(different)} others:", "",
              "| payload | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    lines += [f"| {name} | " + " | ".join(map(str, answers_to_it)) + " |" for name, *answers_to_it in different]
    return "\n".join(lines) + "\n"


def main():
    with tempfile.TemporaryDirectory() as base:
        work = pathlib.Path(base)
        work.chmod(0o755)
        root = work / "root"
        (root / "files").mkdir(parents=True)
        for path in (root / "files" / "ten.bin", root / "files" / "smuggled.bin"):
            path.write_bytes(SECRET if path.name == "smuggled.bin" else b"0123456789")
        with Daemon(root / "files") as daemon, \
                Peer(["nginx", "-c", "{configuration}"], NGINX, work / "nginx", root) as nginx, \
                Peer(["lighttpd", "-D", "-f", "{configuration}"], LIGHTTPD, work / "lighttpd", root) as lighttpd:
            answers = [ask_all(server.address) for server in (daemon, nginx, lighttpd)]
    names = [run_to_end("--version").stdout.split("\n")[0].replace(" ", "/"), version_of("nginx", "-v"), version_of("lighttpd", "-v")]
    OUTPUT.write_text(render(names, answers), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
