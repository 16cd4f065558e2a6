"""Who may read: HTTP Basic and bearer tokens, one answer for all names, failures that are limited, secrets that are nowhere told."""
import base64
import json
import signal
import subprocess
import threading

import pytest

from harness import content
from harness.daemon import Daemon, run_to_end
from harness.http import Connection, build, wait_until

PASSWORD = "correct horse"
TOKEN = "f00dfeedf00dfeedf00dfeedf00dfeed"


def hashed(name, password, *options):
    return subprocess.run(["htpasswd", "-nbB", *(options or ("-C", "4")), name, password], check=True, capture_output=True, text=True).stdout.strip()


def basic(name, password):
    return ("Authorization", "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode())


def bearer(token):
    return ("Authorization", "Bearer " + token)


ALICE = basic("alice", PASSWORD)


@pytest.fixture(scope="module")
def secrets(tmp_path_factory):
    folder = tmp_path_factory.mktemp("secrets")
    (folder / "users").write_text(hashed("alice", PASSWORD) + "\n" + hashed("bob", "battery staple") + "\n")
    (folder / "tokens").write_text(f"backup:{TOKEN}\n")
    for path in folder.iterdir():
        path.chmod(0o600)
    return folder


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    folder = tmp_path_factory.mktemp("access")
    for name in ("closed", "open"):
        (folder / name).mkdir()
        content.write_pattern(folder / name / "ten.bin", 10)
    return folder


def both(secrets):
    return ["--auth-basic-file", secrets / "users", "--auth-token-file", secrets / "tokens"]


@pytest.fixture(scope="module")
def guarded(secrets, tree):
    with Daemon(tree / "closed", options=both(secrets)) as daemon:
        yield daemon


def varying(response):
    """What of an answer may differ between two equal ones."""
    return (response.status, [(name, value) for name, value in response.fields if name not in ("Date", "X-Request-Id")], response.body)


def test_credentials_open_everything(guarded):
    for field in (ALICE, basic("bob", "battery staple"), bearer(TOKEN)):
        for _ in range(2):  # verified, and remembered
            assert guarded.get("/files/ten.bin", field).body == content.expected(0, 10)
        assert guarded.json("/info?file=ten.bin", field)["size"] == 10
        assert guarded.get("/files/", field).status == 200
        assert guarded.get("/metrics", field).status == 200
        assert guarded.get("/files/ten.bin", field, ("Range", "bytes=2-4")).status == 206


def test_without_credentials_there_is_one_answer_for_all_names(guarded):
    """Whether a file exists must not tell: neither by status, nor by a field, nor by a byte."""
    targets = ["/files/ten.bin", "/files/nothing", "/files/", "/files", "/files/.git", "/files/ten.bin/", "/files/%2e%2e/x", "/files/a%2fb",
               "/bytes?file=ten.bin", "/bytes?file=nothing", "/bytes?nonsense=1", "/bytes?offset=x", "/info?file=ten.bin", "/info",
               "/metrics", "/metrics?x=1", "/openapi.json", "/", "/view/ten.bin", "/nowhere"]
    answers = {str(varying(guarded.get(target))) for target in targets}
    assert len(answers) == 1, answers
    response = guarded.get("/files/ten.bin")
    assert response.status == 401
    assert sorted(response.all("WWW-Authenticate")) == ['Basic realm="ranged", charset="UTF-8"', 'Bearer realm="ranged"']
    assert response["Content-Type"] == "application/problem+json"
    assert response["Cache-Control"] == "no-store"
    assert json.loads(response.body)["type"] == "/problems/unauthorized"
    # The same for those who condition, range or negotiate.
    for field in (("If-None-Match", "*"), ("Range", "bytes=99-"), ("If-Match", '"x"'), ("Accept", "application/json")):
        assert varying(guarded.get("/files/ten.bin", field)) == varying(guarded.get("/files/nothing", field)) == varying(response)
    head = guarded.request("HEAD", "/files/ten.bin")
    assert head.status == 401 and head.length == len(response.body)


def test_liveness_is_open_and_preflights_are(guarded):
    assert guarded.get("/healthz").status == 200
    assert guarded.get("/readyz").status == 200
    assert guarded.request("OPTIONS", "/files/ten.bin").status == 204


def test_a_refused_request_keeps_the_connection(guarded):
    with guarded.connect() as connection:
        connection.send(build("GET", "/files/ten.bin", host=guarded.host))
        assert connection.read_response().status == 401
        connection.send(build("GET", "/files/ten.bin", [ALICE], host=guarded.host) * 2)
        assert [connection.read_response().status for _ in range(2)] == [200, 200]
        # Credentials are of a request, never of a connection.
        connection.send(build("GET", "/files/ten.bin", host=guarded.host))
        assert connection.read_response().status == 401


def test_other_schemes_and_malformed_credentials_are_none(guarded):
    for value in ("Digest username=alice", "Basic", "Basic !", "Basic YWI=", "alice", "Bearer"):
        for _ in range(3):
            assert guarded.get("/files/ten.bin", ("Authorization", value)).status == 401
    assert guarded.get("/files/ten.bin", ALICE).status == 200


def test_credentials_in_two_lines_are_refused(guarded):
    """Neither is taken, whichever is good: a proxy before may have judged the other."""
    wrong = bearer("wrong" * 8)
    for fields in ((ALICE, wrong), (wrong, ALICE), (ALICE, ALICE), (bearer(TOKEN), ("authorization", ""))):
        response = guarded.get("/files/ten.bin", *fields)
        assert response.status == 400 and response.closes, fields
        assert "Authorization" in json.loads(response.body)["detail"]


def test_wrong_credentials_are_limited_logged_and_never_told(secrets, tree):
    with Daemon(tree / "closed", options=both(secrets)) as daemon:
        assert daemon.get("/files/ten.bin", ALICE).status == 200
        for number in range(10):
            field = [basic("alice", "guess-one"), basic("typed-a-secret-here", "guess-two"), bearer("guess-three" * 3)][number % 3]
            assert daemon.get("/files/ten.bin", field).status == 401
        limited = daemon.get("/files/ten.bin", basic("alice", "guess-four"))
        assert limited.status == 429
        assert 1 <= int(limited["Retry-After"]) <= 6
        # Nobody learns from here that a guess was right; who was right before goes on, and who has a token, which cannot be guessed.
        assert daemon.get("/files/ten.bin", basic("bob", "battery staple")).status == 429
        assert daemon.get("/files/ten.bin", ALICE).status == 200
        assert daemon.get("/files/ten.bin", bearer(TOKEN)).status == 200
        assert daemon.get("/files/ten.bin", bearer("guess-five" * 3)).status == 429
        assert daemon.get("/files/ten.bin").status == 401
        daemon.wait_for_log("too many wrong credentials")
        log = daemon.log()
        assert "wrong credentials" in log and "alice" in log and "127.0.0.1" in log
        for secret in ("guess-", "typed-a-secret-here", PASSWORD, TOKEN, base64.b64encode(b"alice:guess-one").decode()):
            assert secret not in log
        assert 'code="401"' in daemon.get("/metrics", ALICE).body.decode()


def test_a_limit_is_of_one_address(secrets, tree):
    with Daemon(tree / "closed", options=both(secrets)) as daemon:
        def attempt(source, field):
            with daemon.connect(source=source) as connection:
                connection.send(build("GET", "/files/ten.bin", [field], host=daemon.host))
                return connection.read_response().status
        assert [attempt("127.0.0.2", basic("alice", "wrong")) for _ in range(11)] == [401] * 10 + [429]
        assert attempt("127.0.0.3", ALICE) == 200


def test_one_client_of_a_unix_socket_does_not_lock_the_others_out(secrets, tree, tmp_path):
    """They are one address: those whose credentials take no hash come in, the others wait."""
    path = tmp_path / "socket"
    with Daemon(tree / "closed", options=["--listen", f"unix:{path}", *both(secrets)]) as daemon:
        def attempt(field):
            with Connection(str(path)) as connection:
                connection.send(build("GET", "/files/ten.bin", [field], host=daemon.host))
                return connection.read_response().status
        assert attempt(ALICE) == 200
        assert [attempt(bearer(f"wrong-{number}" * 4)) for number in range(11)] == [401] * 10 + [429]
        assert attempt(bearer(TOKEN)) == 200
        assert attempt(ALICE) == 200
        assert attempt(basic("bob", "battery staple")) == 429


def test_many_at_once_with_the_right_password_are_let_in(tree, tmp_path):
    """Nothing is remembered yet, and a hash takes long enough for all to be under way together."""
    users = tmp_path / "users"
    names = [f"user{number}" for number in range(20)]
    line = hashed("name", PASSWORD, "-C", "9").partition(":")[2]
    users.write_text("".join(f"{name}:{line}\n" for name in names))
    users.chmod(0o600)
    with Daemon(tree / "closed", options=["--auth-basic-file", users]) as daemon:
        connections = [daemon.connect() for _ in range(100)]
        for connection in connections:
            connection.send(build("GET", "/files/ten.bin", [basic(names[0], PASSWORD)], host=daemon.host))
        assert {connection.read_response().status for connection in connections} == {200}
        for number, connection in enumerate(connections):
            connection.send(build("GET", "/files/ten.bin", [basic(names[number % len(names)], PASSWORD)], host=daemon.host))
        assert {connection.read_response().status for connection in connections} == {200}
        # None of it was charged; and of as many wrong ones no more are judged than an address has failures, but for one
        # that was hashed beside the last and those that time has given back.
        for number, connection in enumerate(connections[:60]):
            connection.send(build("GET", "/files/ten.bin", [basic(names[0], f"guess-{number}")], host=daemon.host))
        statuses = [connection.read_response().status for connection in connections[:60]]
        assert set(statuses) == {401, 429} and 10 <= statuses.count(401) < 20, statuses
        for connection in connections:
            connection.close()


def test_hashing_does_not_hold_up_the_event_loop(secrets, tree, tmp_path):
    """A password whose hash takes half a second and more, on a daemon with one event loop."""
    users = tmp_path / "users"
    users.write_text(hashed("slow", "snail", "-C", "13") + "\n")
    users.chmod(0o600)
    with Daemon(tree / "closed", options=["--auth-basic-file", users, "--threads", "1"]) as daemon:
        statuses = []
        asking = threading.Thread(target=lambda: statuses.append(daemon.get("/files/ten.bin", basic("slow", "snail")).status))
        asking.start()
        during = 0
        while asking.is_alive():
            assert daemon.get("/healthz").status == 200
            during += 1
        asking.join()
        assert statuses == [200]
        assert during >= 5, during
        assert daemon.get("/files/ten.bin", basic("slow", "snail")).status == 200


def test_roots_that_need_none(secrets, tree):
    options = [*both(secrets), "--auth-roots", "closed", "--auth-open-metrics"]
    with Daemon(f"closed={tree / 'closed'}", f"open={tree / 'open'}", options=options) as daemon:
        assert daemon.get("/files/open/ten.bin").status == 200
        assert daemon.get("/files/open/").status == 200
        assert daemon.get("/files/open/nothing").status == 404
        assert daemon.json("/info?file=open/ten.bin")["size"] == 10
        assert daemon.get("/openapi.json").status == 200
        assert daemon.get("/metrics").status == 200
        refused = {str(varying(daemon.get(target))) for target in (
            "/files/closed/ten.bin", "/files/closed/nothing", "/files/closed/", "/files/other/x", "/files/", "/files/%63losed/ten.bin",
            "/files/./closed/ten.bin", "/files//closed/ten.bin", "/bytes?file=closed/ten.bin", "/bytes?file=%63losed/ten.bin", "/bytes",
            "/bytes?file=open/ten.bin&file=closed/ten.bin", "/info?file=/open/ten.bin")}
        assert len(refused) == 1 and "401" in refused.pop()
        for target in ("/files/open/../closed/ten.bin", "/files/open/%2e%2e/closed/ten.bin", "/bytes?file=open/../closed/ten.bin"):
            assert daemon.get(target).status == 404
        assert daemon.get("/files/closed/ten.bin", ALICE).status == 200


def test_reload_reads_the_files_again_and_a_bad_one_changes_nothing(secrets, tree, tmp_path):
    users = tmp_path / "users"
    users.write_text(hashed("alice", PASSWORD) + "\n")
    users.chmod(0o600)
    with Daemon(tree / "closed", options=["--auth-basic-file", users]) as daemon:
        assert daemon.get("/files/ten.bin", ALICE).status == 200
        users.write_text("alice:plain-text-password\n")
        daemon.signal(signal.SIGHUP)
        daemon.wait_for_log("not reloaded.*line 1")
        assert "plain-text-password" not in daemon.log()
        assert daemon.get("/files/ten.bin", ALICE).status == 200
        users.write_text(hashed("carol", "other") + "\n")
        daemon.signal(signal.SIGHUP)
        daemon.wait_for_log("configuration reloaded")
        assert daemon.get("/files/ten.bin", ALICE).status == 401  # at once: what was remembered of her does not count
        assert daemon.get("/files/ten.bin", basic("carol", "other")).status == 200


def test_a_reload_forgets_no_password_whose_line_stays(tree, tmp_path):
    users = tmp_path / "users"
    line = hashed("alice", PASSWORD)
    users.write_text(line + "\n" + hashed("bob", "battery staple") + "\n" + hashed("dave", "third") + "\n")
    users.chmod(0o600)
    with Daemon(tree / "closed", options=["--auth-basic-file", users]) as daemon:
        for field in (ALICE, basic("bob", "battery staple"), basic("dave", "third")):
            assert daemon.get("/files/ten.bin", field).status == 200
        # From here on nobody's password is hashed for this address: who is let in is remembered.
        for number in range(10):
            assert daemon.get("/files/ten.bin", basic("alice", f"wrong-{number}")).status == 401
        users.write_text(line + "\n" + hashed("bob", "another") + "\n")
        daemon.signal(signal.SIGHUP)
        daemon.wait_for_log("configuration reloaded")
        assert daemon.get("/files/ten.bin", ALICE).status == 200
        assert daemon.get("/files/ten.bin", basic("bob", "battery staple")).status == 429
        assert daemon.get("/files/ten.bin", basic("dave", "third")).status == 429


def read_event(connection):
    """A chunk of a stream; empty: its end."""
    data = connection.read_exactly(int(connection.read_line(), 16))
    assert connection.read_line() == b""
    return data


def begin_watch(daemon, connection, *fields):
    connection.send(build("GET", "/watch?file=ten.bin", fields, host=daemon.host))
    assert connection.read_head().status == 200
    assert read_event(connection).startswith(b"event: version\n")


def test_a_watch_ends_with_the_secrets_that_opened_it(secrets, tree, tmp_path):
    """It would go on telling for ever whom a reload has refused. Whoever may still read asks again."""
    tokens = tmp_path / "tokens"
    tokens.write_text(f"backup:{TOKEN}\n")
    tokens.chmod(0o600)
    with Daemon(tree / "closed", options=["--auth-token-file", tokens]) as daemon, daemon.connect() as connection:
        begin_watch(daemon, connection, bearer(TOKEN))
        tokens.write_text("backup:" + "0" * 32 + "\n")
        daemon.signal(signal.SIGHUP)
        assert read_event(connection) == b""
        connection.expect_end()
        assert daemon.get("/watch?file=ten.bin", bearer(TOKEN)).status == 401


def test_a_watch_that_needs_no_credentials_outlives_a_reload(tree, tmp_path):
    path = tmp_path / "ten.bin"
    path.write_bytes(b"1")
    with Daemon(tmp_path) as daemon, daemon.connect() as connection:
        begin_watch(daemon, connection)
        daemon.signal(signal.SIGHUP)
        daemon.wait_for_log("configuration reloaded")
        path.write_bytes(b"12")
        assert read_event(connection).startswith(b"event: change\n")


@pytest.mark.parametrize("text, reason", [
    ("", "holds no name"), ("alice\n", "line 1 is not of the form"), ("alice:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n", "neither bcrypt nor SHA-crypt")])
def test_a_bad_file_refuses_the_start_in_one_line(tree, tmp_path, text, reason):
    users = tmp_path / "users"
    users.write_text(text)
    outcome = run_to_end("--listen", "127.0.0.1:0", "--auth-basic-file", users, tree)
    assert outcome.returncode == 78
    assert outcome.stderr.count("\n") == 1 and reason in outcome.stderr and str(users) in outcome.stderr
    assert "W6ph5" not in outcome.stderr
    missing = run_to_end("--listen", "127.0.0.1:0", "--auth-token-file", tmp_path / "none", tree)
    assert missing.returncode == 78 and "cannot be read" in missing.stderr


def test_secrets_that_others_may_read_are_warned_about(secrets, tree, tmp_path):
    users = tmp_path / "users"
    users.write_text(hashed("alice", PASSWORD) + "\n")
    users.chmod(0o644)
    with Daemon(tree / "closed", options=["--auth-basic-file", users]) as daemon:
        daemon.wait_for_log(f"every user of this machine may read auth_basic_file {users}")
    with Daemon(tree / "closed", options=both(secrets)) as daemon:
        assert "every user" not in daemon.log()


def test_the_warning_of_the_unprotected_is_not_given_to_the_protected(secrets, tree):
    with Daemon(tree / "closed", options=["--listen", "0.0.0.0:0"]) as daemon:
        daemon.wait_for_log("without access control")
    with Daemon(tree / "closed", options=["--listen", "0.0.0.0:0", *both(secrets)]) as daemon:
        daemon.wait_for_log("ready")
        assert "without access control" not in daemon.log()
        assert "unencrypted" in daemon.log()


def test_a_reload_that_takes_access_control_away_is_warned_about(secrets, tree, tmp_path):
    path = tmp_path / "config.json"
    protected = {"roots": [str(tree / "closed")], "auth_basic_file": str(secrets / "users")}
    path.write_text(json.dumps(protected))
    with Daemon(options=["--listen", "0.0.0.0:0", "--config", path]) as daemon:
        def reload(config, count):
            path.write_text(json.dumps(config))
            daemon.signal(signal.SIGHUP)
            wait_until(lambda: daemon.log().count("configuration reloaded") == count, "it is reloaded")
            return daemon.log().count("without access control"), daemon.log().count("unencrypted")
        assert reload(protected, 1) == (0, 1)
        assert reload({"roots": protected["roots"]}, 2) == (1, 1)
        assert daemon.get("/files/ten.bin").status == 200
        # Once, not at each reload; and the other way round it is the other warning's turn.
        assert reload({"roots": protected["roots"]}, 3) == (1, 1)
        assert reload(protected, 4) == (1, 2)
        assert daemon.get("/files/ten.bin").status == 401
    with Daemon(options=["--config", path]) as daemon:  # on loopback alone there is nothing to warn about
        assert reload({"roots": protected["roots"]}, 1) == (0, 0)


def test_no_secret_in_the_configuration_that_is_printed(secrets, tree):
    outcome = run_to_end(*both(secrets), "--print-config", tree)
    assert outcome.returncode == 0
    assert str(secrets / "users") in outcome.stdout
    assert TOKEN not in outcome.stdout and "$2y$" not in outcome.stdout


def test_settings_that_cannot_be(secrets, tree):
    outcome = run_to_end("--auth-roots", "closed", f"closed={tree}")
    assert outcome.returncode == 78 and "auth_basic_file" in outcome.stderr
    outcome = run_to_end(*both(secrets), "--auth-roots", "other", f"closed={tree}")
    assert outcome.returncode == 78 and '"other"' in outcome.stderr


def test_preflights_allow_the_field_only_where_it_is_of_use(secrets, tree):
    preflight = [("Origin", "https://a.example"), ("Access-Control-Request-Method", "GET"), ("Access-Control-Request-Headers", "authorization")]
    options = ["--cors-origins", "https://a.example"]
    with Daemon(tree / "closed", options=[*options, *both(secrets)]) as daemon:
        response = daemon.request("OPTIONS", "/files/ten.bin", preflight)
        assert response.status == 204 and "Authorization" in response["Access-Control-Allow-Headers"]
    with Daemon(tree / "closed", options=options) as daemon:
        response = daemon.request("OPTIONS", "/files/ten.bin", preflight)
        assert "Authorization" not in response["Access-Control-Allow-Headers"]
