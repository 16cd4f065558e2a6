"""Reload, rotation of the log and the end, all while requests come in: none fails, no line is lost, and the end is in time."""
import collections
import json
import os
import signal
import time

import pytest

from harness import content
from harness.daemon import Daemon
from harness.http import Connection, ConnectionCut, build, wait_until
from acceptance.support import MIB, PAGE, Crew, age, stop_reading

SIZE = 16 * MIB
RATE = 1000  # requests a second of each crew; on a machine that is too busy for it, as many as it can
CREWS = 2


@pytest.fixture(scope="module")
def roots(tmp_path_factory):
    """Two directories that hold the same."""
    folder = tmp_path_factory.mktemp("reload")
    for name in ("one", "two"):
        (folder / name).mkdir()
        content.write_pattern(folder / name / "file.bin", SIZE)
    age(folder / "two" / "file.bin")
    return folder / "one", folder / "two"


def ask_all_the_time(pipe, address, crew):
    """Small ranges at a steady rate until told to end; each answer compared. Reports (requests, seconds)."""
    connections = [Connection(address) for _ in range(4)]
    begin = time.monotonic()
    count = 0
    while not (count % 50 == 0 and pipe.poll()):
        if count % 200 == 0:
            connections[count // 200 % len(connections)].close()
            connections[count // 200 % len(connections)] = Connection(address)
        connection = connections[count % len(connections)]
        first = count * 7919 % (SIZE - PAGE)
        connection.send(build("GET", f"/files/file.bin?n={crew}-{count}", [("Range", f"bytes={first}-{first + 999}")]))
        response = connection.read_response()
        assert response.status == 206 and response.body == content.expected(first, 1000) and not response.closes, response.head
        count += 1
        ahead = count / RATE - (time.monotonic() - begin)
        if ahead > 0:
            time.sleep(ahead)
    pipe.send(("count", (count, time.monotonic() - begin)))
    pipe.recv()


def end_all(crews):
    """Tells all to end; what they asked for, each."""
    for crew in crews:
        crew.tell()
    return [crew.receive(30) for crew in crews]


def write_config(path, root, number):
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps({"roots": [str(root)], "cache_control": f"max-age={number}"}))
    os.replace(temporary, path)


@pytest.mark.bound(120)
def test_a_thousand_reloads_fail_no_request(roots, tmp_path):
    path = tmp_path / "config.json"
    write_config(path, roots[0], 0)
    with Daemon(options=["--config", path, "--sandbox", "off"]) as daemon:  # which would keep it to the roots it began with
        crews = [Crew(ask_all_the_time, daemon.address, number) for number in range(CREWS)]
        try:
            descriptors, done, sent, begin = 0, 0, 0, time.monotonic()
            while done < 1000:
                write_config(path, roots[sent % 2], sent)
                daemon.signal(signal.SIGHUP)
                sent += 1
                # Signals that come while one is pending are one. Each is awaited, so that each is a reload.
                wait_until(lambda: daemon.metric("ranged_config_reloads_total") > done, "it is reloaded", pause=0.001)
                done = daemon.metric("ranged_config_reloads_total")
                if done == 100:
                    descriptors = len(os.listdir(f"/proc/{daemon.process.pid}/fd"))
            seconds = time.monotonic() - begin
            counts = end_all(crews)
        finally:
            for crew in crews:
                crew.__exit__()
        total = sum(count for count, _ in counts)
        print(f"\n{done:.0f} reloads in {seconds:.1f} s, {total} requests, {sum(count / time for count, time in counts):.0f} a second")
        assert daemon.metric("ranged_config_reload_failures_total") == 0
        assert daemon.metric("ranged_http_responses_cut_total") == 0
        assert total > 1000
        wait_until(lambda: daemon.metric("ranged_connections", state="open") == 1, "the clients are gone")
        # Sites that were replaced are gone with all that they had open.
        wait_until(lambda: len(os.listdir(f"/proc/{daemon.process.pid}/fd")) <= descriptors, "descriptors are given back")
        daemon.wait_until_unpinned()


@pytest.mark.bound(90)
def test_rotating_the_access_log_loses_no_line(roots, tmp_path):
    path = tmp_path / "access.log"
    with Daemon(roots[0], options=["--access-log", path]) as daemon:
        crews = [Crew(ask_all_the_time, daemon.address, number) for number in range(CREWS)]
        try:
            for turn in range(30):
                os.rename(path, tmp_path / f"access.log.{turn}")
                daemon.signal(signal.SIGHUP)
                wait_until(path.exists, "the log is opened anew")
                wait_until(lambda: path.stat().st_size > 20_000, "and written")
            counts = end_all(crews)
        finally:
            for crew in crews:
                crew.__exit__()
        assert daemon.metric("ranged_access_log_dropped_total") == 0
    lines = collections.Counter()
    for part in tmp_path.glob("access.log*"):
        for line in part.read_text().splitlines():
            _, mark, number = json.loads(line)["target"].partition("?n=")
            if mark:
                lines[number] += 1
    asked = {f"{crew}-{number}" for crew, (count, _) in enumerate(counts) for number in range(count)}
    print(f"\n{len(asked)} requests, 30 rotations")
    assert lines.keys() == asked and set(lines.values()) == {1}


def ask_until_the_end(pipe, address, crew):
    """As ask_all_the_time, until the daemon goes: an answer may not come, but one that begins is whole."""
    connection = Connection(address)
    count = 0
    try:
        while True:
            first = count * 7919 % (SIZE - PAGE)
            connection.send(build("GET", "/files/file.bin", [("Range", f"bytes={first}-{first + 999}")]))
            head = connection.read_head()
            assert head.status == 206
            assert connection.read_exactly(1000) == content.expected(first, 1000)
            count += 1
            if count == 10:
                pipe.send(("begun", count))
            if head.closes:
                connection.close()
                connection = Connection(address)
    except ConnectionCut as cut:
        assert not cut.received, f"an answer was cut: {cut}"
    except (ConnectionRefusedError, ConnectionResetError, BrokenPipeError):
        pass
    pipe.send(("count", count))
    pipe.recv()


@pytest.mark.parametrize("stalled", [0, 200])
def test_the_end_under_load_is_in_time_and_cuts_no_answer(roots, stalled):
    with Daemon(roots[0], options=["--drain-timeout", "2s", "--threads", "2"]) as daemon:
        crews = [Crew(ask_until_the_end, daemon.address, number) for number in range(CREWS)]
        holding = Crew(stop_reading, daemon.address, "/files/file.bin", stalled, 8 * MIB, 1000, SIZE)
        try:
            holding.receive(20)
            for crew in crews:
                crew.receive(20)
            begin = time.monotonic()
            daemon.signal(signal.SIGTERM)
            assert daemon.wait() == 0
            seconds = time.monotonic() - begin
            print(f"\nended after {seconds:.2f} s with {stalled} stalled readers")
            assert seconds < 2 + 1.5
            # Who takes nothing is waited for until drain_timeout, and no other reason keeps it.
            assert seconds > 1.9 if stalled else seconds < 1.5
            for crew in crews:
                assert crew.receive(20) >= 10
        finally:
            for crew in [*crews, holding]:
                crew.__exit__()
