"""TLS on any listener: the same bytes, the same rules; what is not TLS, or stalls, is dealt with; certificates are replaced."""
import re
import signal
import socket
import ssl
import subprocess
import sys

import pytest

from harness import content
from harness.daemon import Daemon, binary, run_to_end
from harness.http import Connection, build, wait_until

SIZE = 5 << 20
TLS_PORT = re.compile(r"listening.*tls:127\.0\.0\.1:(\d+)")


def make_certificate(folder, name, key="rsa:2048"):
    subprocess.run(["openssl", "req", "-x509", "-newkey", *([key] if key.startswith("rsa") else ["ec", "-pkeyopt", f"ec_paramgen_curve:{key}"]), "-nodes",
                    "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem", "-days", "2", "-subj", f"/CN={name}",
                    "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"], check=True, capture_output=True)
    (folder / f"{name}.key").chmod(0o600)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("tls")
    make_certificate(path, "first", "P-256")
    make_certificate(path, "second", "P-256")
    (path / "served").mkdir()
    content.write_pattern(path / "served" / "large.bin", SIZE)
    content.write_pattern(path / "served" / "ten.bin", 10)
    return path


def tls_options(folder, name="first"):
    return ["--listen", "tls:127.0.0.1:0", "--tls-certificate", folder / f"{name}.pem", "--tls-key", folder / f"{name}.key"]


@pytest.fixture(scope="module")
def secured(folder):
    with Daemon(folder / "served", options=tls_options(folder)) as daemon:
        yield daemon
        daemon.wait_until_unpinned()


def tls_address(daemon):
    daemon.wait_for_log(TLS_PORT.pattern)
    return "127.0.0.1", int(TLS_PORT.search(daemon.log())[1])


def client_context(folder, name="first"):
    context = ssl.create_default_context(cafile=folder / f"{name}.pem")
    return context


def connect(daemon, context, **options):
    connection = Connection(tls_address(daemon), **options)
    connection.socket = context.wrap_socket(connection.socket, server_hostname="127.0.0.1")
    return connection


def ask(connection, method="GET", target="/files/large.bin", fields=()):
    connection.send(build(method, target, fields, host="127.0.0.1"))
    return connection.read_response(method)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_the_same_bytes(secured, folder, version):
    context = client_context(folder)
    context.minimum_version = context.maximum_version = version
    with connect(secured, context) as connection:
        assert ask(connection).body == content.expected(0, SIZE)
        assert ask(connection, "HEAD").length == SIZE
        for first, last in ((0, 0), (16383, 16384), (65535, 65536), (1, 300000), (SIZE - 20000, SIZE - 1)):
            response = ask(connection, fields=[("Range", f"bytes={first}-{last}")])
            assert response.status == 206
            assert response.body == content.expected(first, last - first + 1)
        parts = ask(connection, fields=[("Range", "bytes=0-9,70000-70009")])
        assert parts.status == 206 and content.expected(70000, 10) in parts.body
        assert ask(connection, target="/bytes?file=large.bin&offset=0x10000&len=1000&encoding=raw").body == content.expected(65536, 1000)
        assert ask(connection, target="/nowhere").status == 404


def test_pipelined_requests(secured, folder):
    with connect(secured, client_context(folder)) as connection:
        connection.send(build("GET", "/files/ten.bin", host="127.0.0.1") * 50)
        assert [connection.read_response().body for _ in range(50)] == [content.expected(0, 10)] * 50


def test_a_head_that_comes_a_record_a_byte(secured, folder):
    with connect(secured, client_context(folder)) as connection:
        for byte in build("GET", "/files/ten.bin", host="127.0.0.1"):
            connection.send(bytes([byte]))
        assert connection.read_response().body == content.expected(0, 10)


def test_a_slow_reader_gets_every_byte_once(secured, folder):
    """The socket is full again and again, so that records are taken in parts."""
    with connect(secured, client_context(folder), receive_buffer=4096) as connection:
        connection.send(build("GET", "/files/large.bin", host="127.0.0.1"))
        head = connection.read_head()
        assert head.length == SIZE
        body = bytearray(connection.buffer)
        while len(body) < SIZE:
            data = connection.socket.recv(1500)
            assert data, len(body)
            body += data
        assert bytes(body) == content.expected(0, SIZE)


def test_a_stalled_client_is_cut_and_holds_no_page(folder):
    options = [*tls_options(folder), "--send-timeout", "500ms"]
    with Daemon(folder / "served", options=options) as daemon:
        with connect(daemon, client_context(folder), receive_buffer=4096) as connection:
            connection.send(build("GET", "/files/large.bin", host="127.0.0.1"))
            wait_until(lambda: daemon.metric("ranged_pool_pages", state="pinned") == 0, "nothing is pinned")
            wait_until(lambda: daemon.metric("ranged_connections") == 1, "the stalled one is gone", patience=20)
            # A cut is no end: neither close_notify nor FIN. Beneath TLS, because Python reports a reset there as a plain end.
            connection.socket = socket.socket(fileno=connection.socket.detach())
            with pytest.raises(ConnectionResetError):
                while connection.socket.recv(1 << 16):
                    pass
        assert daemon.get("/healthz").status == 200


def test_the_end_is_told(secured, folder):
    with connect(secured, client_context(folder)) as connection:
        response = ask(connection, target="/files/ten.bin", fields=[("Connection", "close")])
        assert response.body == content.expected(0, 10)
        # suppress_ragged_eofs would hide an end without close_notify; a plain recv of an SSL object does not.
        connection.socket.suppress_ragged_eofs = False
        assert connection.socket.recv(1) == b""


def test_an_unfinished_handshake_is_not_waited_for(folder):
    options = [*tls_options(folder), "--header-timeout", "300ms"]
    with Daemon(folder / "served", options=options) as daemon:
        for start in (b"", b"\x16\x03\x01\x02\x00\x01"):
            with Connection(tls_address(daemon)) as connection:
                connection.send(start)
                connection.expect_end()
        assert daemon.metric("ranged_connections") == 1


@pytest.mark.parametrize("garbage", [b"\x00" * 600, b"\xff" * 600, b"SSH-2.0-x\r\n", b"\x16\x03\x01\xff\xff" + b"\x01" * 600,
                                     b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00"])
def test_garbage_is_refused_and_harms_nobody(secured, folder, garbage):
    with Connection(tls_address(secured)) as connection:
        connection.send(garbage)
        connection.finish_sending()
        answer = connection.read_until_end()
        assert answer == b"" or answer[0] == 0x15, answer  # nothing, or an alert
    with connect(secured, client_context(folder)) as connection:
        assert ask(connection, target="/files/ten.bin").status == 200


def test_garbage_within_a_session(secured, folder):
    with Connection(tls_address(secured)) as connection:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        session = client_context(folder).wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
        while True:
            try:
                session.do_handshake()
                break
            except ssl.SSLWantReadError:
                connection.send(outgoing.read())
                incoming.write(connection.socket.recv(65536))
        connection.send(outgoing.read() + b"\x17\x03\x03\x00\x20" + b"\x00" * 32)
        wait_until(lambda: not connection._fill(), "the connection is closed")


def test_plain_http_is_told_so(secured):
    with Connection(tls_address(secured)) as connection:
        connection.send(build("GET", "/files/ten.bin"))
        data = connection.read_until_end()
    assert data.startswith(b"HTTP/1.1 400 Bad Request\r\n") and b"https" in data
    head, body = data.split(b"\r\n\r\n")
    assert int(re.search(rb"Content-Length: (\d+)", head)[1]) == len(body)


def test_protocols(secured, folder):
    context = client_context(folder)
    context.set_alpn_protocols(["h2", "http/1.1"])
    with connect(secured, context) as connection:
        assert connection.socket.selected_alpn_protocol() == "http/1.1"
        assert ask(connection, target="/files/ten.bin").status == 200
    context.set_alpn_protocols(["h2"])
    with pytest.raises(ssl.SSLError):
        connect(secured, context)


def test_old_versions_and_weak_ciphers_are_refused(secured):
    address = "%s:%d" % tls_address(secured)
    for option in (["-tls1_1"], ["-tls1_2", "-cipher", "AES128-SHA:AES256-SHA256:@SECLEVEL=0"], ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0"]):
        outcome = subprocess.run(["openssl", "s_client", "-connect", address, *option], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        assert outcome.returncode != 0 and "Cipher is (NONE)" in outcome.stdout, option
    outcome = subprocess.run(["openssl", "s_client", "-connect", address, "-brief"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert "TLSv1.3" in outcome.stderr


def test_sessions_are_resumed(secured, folder):
    context = client_context(folder)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with connect(secured, context) as connection:
        ask(connection, target="/files/ten.bin")
        session = connection.socket.session
    plain = Connection(tls_address(secured))
    plain.socket = context.wrap_socket(plain.socket, server_hostname="127.0.0.1", session=session)
    with plain:
        assert plain.socket.session_reused
        assert ask(plain, target="/files/ten.bin").status == 200


def test_curl(secured, folder, tmp_path):
    url = "https://%s:%d/files/large.bin" % tls_address(secured)
    subprocess.run(["curl", "-sS", "--fail", "--cacert", folder / "first.pem", "-r", "100000-", "-o", tmp_path / "out", url], check=True)
    assert (tmp_path / "out").read_bytes() == content.expected(100000, SIZE - 100000)


def test_an_https_target_is_for_encrypted_connections(secured, folder):
    target = "https://127.0.0.1/files/ten.bin"
    with connect(secured, client_context(folder)) as connection:
        assert ask(connection, target=target).status == 200
    assert secured.get(target).status == 421


def test_certificates_are_replaced_by_reload(folder, tmp_path):
    def install(name):
        for kind in ("pem", "key"):
            (tmp_path / f"new.{kind}").write_bytes((folder / f"{name}.{kind}").read_bytes())
            (tmp_path / f"new.{kind}").chmod(0o600)
            (tmp_path / f"new.{kind}").rename(tmp_path / f"live.{kind}")

    install("first")
    with Daemon(folder / "served", options=tls_options(tmp_path, "live")) as daemon:
        with connect(daemon, client_context(folder, "first")) as old:
            assert ask(old, target="/files/ten.bin").status == 200
            install("second")
            daemon.signal(signal.SIGHUP)
            daemon.wait_for_log("configuration reloaded")
            with connect(daemon, client_context(folder, "second")) as new:
                assert ask(new, target="/files/ten.bin").status == 200
            assert ask(old, target="/files/ten.bin").status == 200  # begun with the first, goes on
            (tmp_path / "live.pem").write_text("no certificate\n")
            daemon.signal(signal.SIGHUP)
            daemon.wait_for_log("not reloaded.*tls_certificate")
            with connect(daemon, client_context(folder, "second")) as new:
                assert ask(new, target="/files/ten.bin").status == 200


def test_what_cannot_be_used_refuses_the_start_in_one_line(folder, tmp_path):
    (tmp_path / "bad.pem").write_text("x\n")
    for options, reason in (
            (["--tls-certificate", tmp_path / "bad.pem"], "tls_certificate"),
            (["--tls-certificate", folder / "first.pem"], "tls_key"),  # no key in it
            (["--tls-certificate", folder / "first.pem", "--tls-key", folder / "second.key"], "tls_key"),
            (["--tls-certificate", folder / "none.pem"], "tls_certificate"), ([], "tls_certificate"), (["--tls-key", "x"], "tls_certificate")):
        outcome = run_to_end("--listen", "tls:127.0.0.1:0", *options, folder / "served")
        assert outcome.returncode == 78, outcome
        assert outcome.stderr.count("\n") == 1 and reason in outcome.stderr


def test_encrypted_unix_sockets(folder, tmp_path):
    path = tmp_path / "socket"
    with Daemon(folder / "served", options=["--listen", f"tls:unix:{path}", *tls_options(folder)]) as daemon:
        with socket.socket(socket.AF_UNIX) as plain:
            plain.connect(str(path))
            with client_context(folder).wrap_socket(plain, server_hostname="localhost") as secured_socket:
                secured_socket.sendall(build("GET", "/files/ten.bin", [("Connection", "close")]))
                data = b""
                while piece := secured_socket.recv(65536):
                    data += piece
        assert data.endswith(b"\r\n\r\n" + content.expected(0, 10))
        assert daemon.get("/healthz").status == 200


def test_idle_connections_cost_little(folder):
    """The figure of README.md: an idle TLS connection and its session, all memory of the process together."""
    with Daemon(folder / "served", options=tls_options(folder)) as daemon:
        context = client_context(folder)
        warm = [connect(daemon, context) for _ in range(50)]
        for connection in warm:
            ask(connection, target="/files/ten.bin")
        before = daemon.status_kib("RssAnon")
        connections = [connect(daemon, context) for _ in range(200)]
        for connection in connections:
            assert ask(connection, target="/files/ten.bin").status == 200
        each = (daemon.status_kib("RssAnon") - before) / 200
        print(f"{each:.1f} KiB for each idle TLS connection")
        for connection in [*warm, *connections]:
            connection.close()
        assert each < 32


ACTIVATE = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()), LISTEN_FDNAMES=sys.argv[2])
os.execv(sys.argv[3], sys.argv[3:])
"""


@pytest.mark.parametrize("name, listen", [("ranged.socket", "tls:127.0.0.1:0"), ("tls", "127.0.0.1:0")])
def test_a_socket_that_systemd_passes_speaks_tls(folder, name, listen):
    options = ["--tls-certificate", folder / "first.pem", "--tls-key", folder / "first.key", "--listen", listen]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        passed = [sys.executable, "-c", ACTIVATE, str(listener.fileno()), name]
        process = subprocess.Popen([*passed, binary(), *map(str, options), str(folder / "served")], pass_fds=[listener.fileno()],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            with Connection(listener.getsockname()) as connection:
                connection.send(build("GET", "/healthz"))
                assert b"https alone" in connection.read_until_end()
        finally:
            process.terminate()
            assert process.wait(20) == 0


def test_healthcheck(secured, folder):
    port = tls_address(secured)[1]
    for host in ("127.0.0.1", "localhost"):
        outcome = run_to_end("--healthcheck", f"https://{host}:{port}")
        assert (outcome.returncode, outcome.stdout, outcome.stderr) == (0, "200\n", "")
    outcome = run_to_end("--healthcheck", f"https://127.0.0.1:{port}/nothing")
    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (1, "", "ranged: 404\n")
    outcome = run_to_end("--healthcheck", f"https://{secured.host}")
    assert (outcome.returncode, outcome.stdout) == (1, "")
    assert outcome.stderr == "ranged: the TLS handshake: wrong version number\n"
