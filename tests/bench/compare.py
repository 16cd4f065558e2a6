#!/usr/bin/python3
"""Measures the daemon beside Debian's nginx, lighttpd and h2o on the same file, and how its cost grows.

    tests/bench/compare.py servers [--rounds N] [--seconds S] [--threads T]   the table of README.md
    tests/bench/compare.py growth [--seconds S] [--plots DIR]                 how cost grows, as tables and as SVG plots
    tests/bench/compare.py skew [--plots DIR]                                 hit ratio under skew, beside LRU and the optimum
    tests/bench/compare.py search [--rounds N] [--seconds S]                  /search beside cat and grep; pages while four searches run
    tests/bench/compare.py cold [--rounds N] [--seconds S]                    reads that the disk must answer, beside fio's

Needs wrk, nginx, lighttpd, h2o, curl, fio (Debian packages) and the release build (or RANGED_BINARY). All servers run at the same time, pinned to
the first cores, and are asked in turn from the last core, so that what else the machine does falls on all alike. Figures are
medians of the rounds; only ratios within one run mean anything. Everything stays on 127.0.0.1.
"""
import argparse
import collections
import contextlib
import heapq
import json
import os
import pathlib
import random
import re
import signal
import socket
import statistics
import subprocess
import tempfile
import time
import urllib.request

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
ROOT = pathlib.Path(__file__).resolve().parents[2]

# name: (bytes of a range, bytes of the file it lies in, ranges of a request, connections)
WORKS = {
    "4k-hot": (4 * KIB, 32 * MIB, 1, 64),
    "4k-wide": (4 * KIB, 2 * GIB, 1, 64),
    "64k-wide": (64 * KIB, 2 * GIB, 1, 64),
    "1m-wide": (MIB, 2 * GIB, 1, 16),
    "whole": (0, 2 * GIB, 1, 2),
    "multi8": (KIB, 2 * GIB, 8, 64),
    "4k-1000c": (4 * KIB, 32 * MIB, 1, 1000),
}

RANDOM_RANGES = """
local length, span, parts = %d, %d, %d
local seed = 0
function setup(thread) seed = seed + 1; thread:set("seed", seed) end
function init(args) math.randomseed(seed or 1) end
function request()
  if length == 0 then return wrk.format("GET") end
  local ranges = {}
  for i = 1, parts do
    local first = math.random(0, span - length - 1)
    ranges[i] = string.format("%%d-%%d", first, first + length - 1)
  end
  return wrk.format("GET", nil, { ["Range"] = "bytes=" .. table.concat(ranges, ",") })
end
"""

LISTED_RANGES = """
local length, offsets, at = %d, { %s }, 0
function request()
  at = at %% #offsets + 1
  return wrk.format("GET", nil, { ["Range"] = string.format("bytes=%%d-%%d", offsets[at], offsets[at] + length - 1) })
end
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A server as a process tree, with the processor time that it has used."""

    def __init__(self, name, command, port, path, cores):
        self.name, self.port, self.path = name, port, path
        self.process = subprocess.Popen(["taskset", "-c", cores, *map(str, command)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                        start_new_session=True)
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        raise SystemExit(f"{name} does not listen: {' '.join(map(str, command))}")

    def _tree(self, pid):
        yield pid
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                for child in (task / "children").read_text().split():
                    yield from self._tree(int(child))

    def cpu_seconds(self):
        total = 0
        for pid in self._tree(self.process.pid):
            for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
                with contextlib.suppress(OSError):
                    total += int((task / "schedstat").read_text().split()[0])
        return total / 1e9

    def resident_mib(self):
        total = 0
        for pid in self._tree(self.process.pid):
            with contextlib.suppress(OSError):
                match = re.search(r"VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())
                total += int(match[1]) if match else 0
        return total / 1024

    def stop(self):
        os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def daemon(files, cores, threads=1, options=()):
    port = free_port()
    binary = os.environ.get("RANGED_BINARY", ROOT / "build/release/server/ranged")
    return Server("ranged", [binary, "--listen", f"127.0.0.1:{port}", "--threads", threads, *options, files], port, "/files/", cores)


def nginx(scratch, files, cores, threads):
    port, pid = free_port(), scratch / "nginx.pid"
    config = scratch / "nginx.conf"
    config.write_text(f"""daemon off; worker_processes {threads}; pid {pid}; error_log /dev/null crit; worker_rlimit_nofile 20000;
events {{ worker_connections 8192; }}
http {{ access_log off; sendfile on; tcp_nopush off; tcp_nodelay on; keepalive_requests 1000000000; keepalive_timeout 600;
 open_file_cache max=100 inactive=600s; open_file_cache_valid 600s;
 server {{ listen 127.0.0.1:{port} backlog=4096; root {files}; }} }}
""")
    return Server("nginx", ["nginx", "-c", config, "-e", "/dev/null"], port, "/", cores)


def lighttpd(scratch, files, cores, threads):
    port, config = free_port(), scratch / "lighttpd.conf"
    workers = f"server.max-worker = {threads}\n" if threads > 1 else ""
    config.write_text(f"""server.document-root = "{files}"
server.port = {port}
server.bind = "127.0.0.1"
server.max-keep-alive-requests = 65000
server.max-keep-alive-idle = 600
server.max-fds = 16384
server.listen-backlog = 4096
{workers}mimetype.assign = ( "" => "application/octet-stream" )
""")
    return Server("lighttpd", ["lighttpd", "-D", "-f", config], port, "/", cores)


def h2o(scratch, files, cores, threads):
    port, config = free_port(), scratch / "h2o.conf"
    config.write_text(f"""num-threads: {threads}
max-connections: 8192
http1-request-timeout: 600
listen: {{ host: 127.0.0.1, port: {port} }}
hosts: {{ "default": {{ paths: {{ "/": {{ file.dir: {files} }} }} }} }}
""")
    return Server("h2o", ["h2o", "-c", config], port, "/", cores)


def make_file(path, size):
    if path.exists() and path.stat().st_size == size:
        return
    block = random.Random(size).randbytes(MIB)
    with open(path, "wb") as file:
        for number in range(size // MIB):
            file.write(number.to_bytes(8, "little") + block[8:])


def warm(path):
    with open(path, "rb", buffering=0) as file:
        while file.read(4 * MIB):
            pass


def load(server, file, script, connections, seconds):
    """One run of wrk: (requests/s, MiB/s, processor microseconds for each request, CPU-seconds for each GiB, p99 in ms)."""
    before = server.cpu_seconds()
    output = subprocess.run(
        ["taskset", "-c", str(os.cpu_count() - 1), "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "--timeout", "30s",
         "-s", script, f"http://127.0.0.1:{server.port}{server.path}{file}"],
        stdout=subprocess.PIPE, text=True, check=True).stdout
    used = server.cpu_seconds() - before
    requests, amount = re.search(r"(\d+) requests in [\d.]+\w+, ([\d.]+\w+) read", output).groups()
    number, unit = re.fullmatch(r"([\d.]+)([KMGT]?)B", amount).groups()
    size = float(number) * 1024 ** " KMGT".index(unit or " ")
    p99, unit = re.search(r"99%\s+([\d.]+)(us|ms|s|m)", output).groups()
    errors = re.search(r"Non-2xx or 3xx responses: (\d+)", output)
    if errors:
        raise SystemExit(f"{server.name}: {errors[0]}")
    requests = max(int(requests), 1)
    return (requests / seconds, size / MIB / seconds, used * 1e6 / requests, used / max(size / GIB, 1e-9),
            float(p99) * {"us": 1e-3, "ms": 1, "s": 1e3, "m": 6e4}[unit])


def let_settle(path):
    """What was written within the last minute may be written again, and is copied: the daemon hands over what has been left alone."""
    left = path.stat().st_mtime + 61 - time.time()
    if left > 0:
        print(f"the file is left alone for {left:.0f} s", flush=True)
        time.sleep(left)


def write_script(scratch, text):
    path = scratch / "ranges.lua"
    path.write_text(text)
    return path


def medians(runs):
    return [statistics.median(column) for column in zip(*runs)]


def compare_servers(arguments, scratch, files):
    make_file(files / "hot.bin", 2 * GIB)
    let_settle(files / "hot.bin")
    cores = f"0-{arguments.threads - 1}"
    servers = [daemon(files, cores, arguments.threads), nginx(scratch, files, cores, arguments.threads),
               lighttpd(scratch, files, cores, arguments.threads), h2o(scratch, files, cores, arguments.threads)]
    print(f"| work | server | requests/s | MiB/s | CPU us/request | CPU s/GiB | p99 ms | of the best peer's CPU |\n|---|---|---|---|---|---|---|---|")
    try:
        for work, (length, span, parts, connections) in WORKS.items():
            if arguments.work and work not in arguments.work.split(","):
                continue
            warm(files / "hot.bin")
            script = write_script(scratch, RANDOM_RANGES % (length, span, parts))
            runs = collections.defaultdict(list)
            for _ in range(arguments.rounds):
                for server in servers:
                    runs[server.name].append(load(server, "hot.bin", script, connections, arguments.seconds))
            rows = {name: medians(run) for name, run in runs.items()}
            column = 3 if work == "whole" else 2
            best = min(row[column] for name, row in rows.items() if name != "ranged")
            for name, row in rows.items():
                print(f"| {work} | {name} | {row[0]:.0f} | {row[1]:.0f} | {row[2]:.1f} | {row[3]:.3f} | {row[4]:.1f} | {row[column] / best:.2f} |")
    finally:
        for server in servers:
            server.stop()


def plot(path, title, x_name, y_name, series, log_x=True):
    """An SVG line plot; series is {name: [(x, y)]}."""
    import math
    width, height, left, bottom = 640, 400, 70, 50
    points = [point for line in series.values() for point in line]
    scale = (lambda x: math.log2(x)) if log_x else (lambda x: x)
    x_low, x_high = min(scale(x) for x, _ in points), max(scale(x) for x, _ in points)
    y_high = max(y for _, y in points) * 1.05 or 1

    def place(x, y):
        return (left + (scale(x) - x_low) / ((x_high - x_low) or 1) * (width - left - 20), height - bottom - y / y_high * (height - bottom - 40))
    colours = ["#0b62a4", "#c8452b", "#3f8f29", "#7a4fb0"]
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" font-size="12">',
             '<rect width="100%" height="100%" fill="white"/>', f'<text x="{left}" y="20" font-size="14">{title}</text>',
             f'<text x="{width / 2}" y="{height - 10}">{x_name}</text>', f'<text x="8" y="34">{y_name}</text>']
    for x in sorted({x for x, _ in points}):
        at, _ = place(x, 0)
        label = x if not log_x or x < 1024 else f"{x / 1024 ** int(math.log(x, 1024)):g}{' KMGT'[int(math.log(x, 1024))]}"
        lines.append(f'<text x="{at:.0f}" y="{height - bottom + 16}" text-anchor="middle" font-size="10">{label}</text>')
    for step in range(5):
        y = y_high * step / 4
        _, at = place(points[0][0], y)
        lines.append(f'<text x="{left - 6}" y="{at + 4:.0f}" text-anchor="end">{y:.4g}</text>'
                     f'<line x1="{left}" x2="{width - 20}" y1="{at:.0f}" y2="{at:.0f}" stroke="#ddd"/>')
    for number, (name, line) in enumerate(series.items()):
        colour = colours[number % len(colours)]
        path_text = " ".join(f"{'M' if i == 0 else 'L'}{place(*point)[0]:.1f},{place(*point)[1]:.1f}" for i, point in enumerate(line))
        lines.append(f'<path d="{path_text}" fill="none" stroke="{colour}" stroke-width="2"/>')
        lines.append(f'<text x="{width - 150}" y="{40 + 16 * number}" fill="{colour}">{name}</text>')
    path.write_text("\n".join([*lines, "</svg>"]))


def growth(arguments, scratch, files):
    series = {}
    print("| what grows | value | requests/s | CPU us/request |\n|---|---|---|---|")

    def measure(kind, value, file, length, span, connections=64, options=()):
        server = daemon(files, "0", 1, options)
        try:
            script = write_script(scratch, RANDOM_RANGES % (length, span, 1))
            load(server, file, script, connections, 1)
            row = load(server, file, script, connections, arguments.seconds)
        finally:
            server.stop()
        series.setdefault(kind, []).append((value, row))
        print(f"| {kind} | {value} | {row[0]:.0f} | {row[2]:.1f} |", flush=True)

    make_file(files / "hot.bin", 2 * GIB)
    for exponent in range(20, 41, 4):
        with open(files / "sparse.bin", "wb") as file:
            file.truncate(1 << exponent)
        measure("file size, bytes (sparse)", 1 << exponent, "sparse.bin", 4 * KIB, min(1 << exponent, 1 << 31))
    warm(files / "hot.bin")
    for connections in (1, 10, 100, 1000, 10000):
        measure("connections", connections, "hot.bin", 4 * KIB, 32 * MIB, connections, ["--max-connections", "11000"])
    for exponent in (0, 6, 12, 14, 16, 18, 20, 22, 24):
        measure("range length, bytes", 1 << exponent, "hot.bin", 1 << exponent, 2 * GIB, 16)
    for pool in (8, 16, 32, 64, 128, 256):
        measure("pool size, MiB, for 128 MiB of hot 4 KiB ranges", pool, "hot.bin", 4 * KIB, 128 * MIB, 64, ["--pool-size", f"{pool}MiB"])
    for number, (kind, rows) in enumerate(series.items()):
        plot(arguments.plots / f"growth-{number + 1}.svg", f"Cost against {kind}", kind, "CPU us/request",
             {"ranged": [(value, row[2]) for value, row in rows]})


def lru_hits(trace, frames):
    kept, hits = collections.OrderedDict(), 0
    for page in trace:
        if page in kept:
            hits += 1
            kept.move_to_end(page)
        else:
            kept[page] = None
            if len(kept) > frames:
                kept.popitem(last=False)
    return hits


def optimal_hits(trace, frames):
    """Belady: evicts the page that is wanted again last."""
    following, last = [0] * len(trace), {}
    for at in range(len(trace) - 1, -1, -1):
        following[at] = last.get(trace[at], len(trace))
        last[trace[at]] = at
    kept, heap, hits = {}, [], 0
    for at, page in enumerate(trace):
        if page in kept:
            hits += 1
        elif len(kept) >= frames:
            while True:
                when, victim = heapq.heappop(heap)
                if kept.get(victim) == -when:
                    del kept[victim]
                    break
        kept[page] = following[at]
        heapq.heappush(heap, (-following[at], page))
    return hits


def skew(arguments, scratch, files):
    """The trace is asked over one connection, in order, so that the simulations see what the pool sees."""
    make_file(files / "hot.bin", 2 * GIB)
    page, pages, pool, requests = 64 * KIB, 16384, 64 * MIB, 60000
    frames = pool // page
    shown = {"ranged": [], "LRU": [], "optimum": []}
    print("| Zipf | hit ratio | of LRU | of the optimum |\n|---|---|---|---|")
    for exponent in (0.6, 0.8, 1.0, 1.2):
        choose = random.Random(1)
        order = list(range(pages))
        choose.shuffle(order)
        trace = choose.choices(order, [1 / (rank + 1) ** exponent for rank in range(pages)], k=requests)
        server = daemon(files, "0", 1, ["--pool-size", "64MiB"])
        try:
            import http.client
            connection = http.client.HTTPConnection("127.0.0.1", server.port)

            def hits():
                connection.request("GET", "/metrics")
                text = connection.getresponse().read().decode()
                return float(re.search(r'ranged_pool_lookups_total\{result="hit"\} (\S+)', text)[1])
            before = hits()
            for number in trace:
                # More than half a page, so that it is loaded and not passed through; windows are never handed to sendfile.
                connection.request("GET", f"/bytes?file=hot.bin&offset={number * page}&len=40000&encoding=raw")
                connection.getresponse().read()
            ratio = (hits() - before) / len(trace)
        finally:
            server.stop()
        lru, best = lru_hits(trace, frames) / len(trace), optimal_hits(trace, frames) / len(trace)
        for name, value in zip(shown, (ratio, lru, best)):
            shown[name].append((exponent, value))
        print(f"| {exponent} | {ratio:.3f} | {lru:.3f} | {best:.3f} |", flush=True)
    plot(arguments.plots / "skew.svg", "Hit ratio against skew (64 MiB pool, 1 GiB of pages)", "Zipf exponent", "hit ratio", shown, log_x=False)


def ask_search(server, query):
    """Seconds that a search of the whole file took, as it says itself."""
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/search?file=hot.bin&limit=10&{query}") as answer:
        end = json.loads(answer.read().splitlines()[-1])
    if end["status"] != "complete":
        raise SystemExit(f"the search ended as {end['status']}")
    return end["seconds"]


def take_seconds(command):
    began = time.monotonic()
    # grep says by 1 that there is none.
    if subprocess.run(command, stdout=subprocess.DEVNULL, env={**os.environ, "LC_ALL": "C"}).returncode > 1:
        raise SystemExit(f"{command[0]} failed")
    return time.monotonic() - began


@contextlib.contextmanager
def searching(server, count):
    """Searches without an end, each of which begins anew when it is over: what stands behind "#" is not sent, and numbers them."""
    address = f"http://127.0.0.1:{server.port}/search?file=hot.bin&limit=0&regex=%5Ba-f0-9%5D%7B12%7D#[1-100000]"
    searches = [subprocess.Popen(["curl", "--silent", "--output", "/dev/null", address], stdout=subprocess.DEVNULL) for _ in range(count)]
    try:
        time.sleep(0.2)  # all have begun
        if any(search.poll() is not None for search in searches):
            raise SystemExit("a search did not begin")
        yield
    finally:
        for search in searches:
            search.terminate()
            search.wait()


def view_pages(server, seconds):
    """Milliseconds of each page of 64 KiB that a viewer asks for at random, one every 4 ms."""
    choose, length, taken = random.Random(2), 64 * KIB, []
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            first = choose.randrange(2 * GIB - length)
            began = time.perf_counter()
            connection.sendall(f"GET {server.path}hot.bin HTTP/1.1\r\nHost: 127.0.0.1\r\nRange: bytes={first}-{first + length - 1}\r\n\r\n".encode())
            answer = connection.recv(MIB)
            head = answer.index(b"\r\n\r\n") + 4  # it comes whole, with the first bytes or before them
            left = head + length - len(answer)
            while left > 0:
                left -= len(connection.recv(MIB))
            taken.append((time.perf_counter() - began) * 1e3)
            time.sleep(0.004)
    return taken


def compare_searches(arguments, scratch, files):
    path = files / "hot.bin"
    make_file(path, 2 * GIB)
    server = daemon(files, f"0-{os.cpu_count() - 1}", arguments.threads, ["--max-scans", "4"])
    words = {
        "cat": lambda: take_seconds(["cat", path]),
        "grep -F": lambda: take_seconds(["grep", "-c", "-F", "needle_not_there", path]),
        "/search text=": lambda: ask_search(server, "text=needle_not_there"),
        "/search text=, any case": lambda: ask_search(server, "text=needle_not_there&case=insensitive"),
        "/search regex=, a word and letters": lambda: ask_search(server, "regex=needle_not_%5Ba-z%5D%2B"),
        "/search regex=, one of three words": lambda: ask_search(server, "regex=error%7Cfailure%7Cpanic"),
    }
    try:
        warm(path)
        runs = collections.defaultdict(list)
        for _ in range(arguments.rounds):
            for name, take in words.items():
                runs[name].append(take())
        cat = statistics.median(runs["cat"])
        print("| over 2 GiB in the page cache | s | speed, of cat's |\n|---|---|---|")
        for name, seconds in runs.items():
            median = statistics.median(seconds)
            print(f"| {name} | {median:.3f} | {cat / median:.2f} |")
        print("\n| pages of 64 KiB, one each 4 ms | p50 ms | p99 ms |\n|---|---|---|")
        pages = collections.defaultdict(list)
        for _ in range(arguments.rounds):
            pages["alone"].append(view_pages(server, arguments.seconds))
            with searching(server, 4):
                pages["while four searches run"].append(view_pages(server, arguments.seconds))
        for name, runs in pages.items():
            cuts = medians([statistics.quantiles(run, n=100) for run in runs])
            print(f"| {name} | {cuts[49]:.2f} | {cuts[98]:.2f} |")
    finally:
        server.stop()


def forget(path):
    """Has the kernel drop what it keeps of the file in memory."""
    with open(path, "rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def ask_fio(path, length, seconds, *how):
    """MiB/s that the disk gives for reads of that length at random, or of all in order when it is 0."""
    forget(path)
    pattern = ["--rw=randread", f"--bs={length}"] if length else ["--rw=read", "--bs=1m"]
    output = subprocess.run(["fio", "--name=cold", f"--filename={path}", "--readonly", *pattern, f"--runtime={seconds}", "--time_based",
                             "--group_reporting", "--norandommap", "--output-format=json", *how], stdout=subprocess.PIPE, text=True, check=True).stdout
    return json.loads(output)["jobs"][0]["read"]["bw_bytes"] / MIB


def compare_cold(arguments, scratch, files):
    """Each run is short: what was read once is in memory, and the next who asks for it does not ask the disk."""
    path, connections = files / "hot.bin", 16
    make_file(path, 2 * GIB)
    let_settle(path)
    server = daemon(files, f"0-{os.cpu_count() - 1}", arguments.threads)
    print("| reads | fio, 16 threads, MiB/s | fio, direct, queue of 16, MiB/s | ranged, 16 connections, MiB/s | of the better of fio's |\n|---|---|---|---|---|")
    try:
        for name, length in (("4 KiB", 4 * KIB), ("64 KiB", 64 * KIB), ("1 MiB", MIB), ("the whole file, one reader", 0)):
            script = write_script(scratch, RANDOM_RANGES % (length, 2 * GIB, 1))
            runs = []
            for _ in range(arguments.rounds):
                threads = connections if length else 1
                buffered = ask_fio(path, length, arguments.seconds, "--ioengine=psync", f"--numjobs={threads}", "--thread")
                direct = ask_fio(path, length, arguments.seconds, "--ioengine=libaio", "--direct=1", f"--iodepth={connections}")
                forget(path)
                if length:
                    ours = load(server, "hot.bin", script, connections, arguments.seconds)[1]
                else:
                    ours = 2 * GIB / MIB / take_seconds(["curl", "--silent", f"http://127.0.0.1:{server.port}{server.path}hot.bin"])
                runs.append((buffered, direct, ours))
            buffered, direct, ours = medians(runs)
            print(f"| {name} | {buffered:.0f} | {direct:.0f} | {ours:.0f} | {ours / max(buffered, direct):.2f} |", flush=True)
    finally:
        server.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["servers", "growth", "skew", "search", "cold"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1, help="of each server")
    parser.add_argument("--work", default="", help="some of " + ",".join(WORKS))
    parser.add_argument("--plots", type=pathlib.Path, default=ROOT / "build/bench")
    arguments = parser.parse_args()
    arguments.plots.mkdir(parents=True, exist_ok=True)
    files = pathlib.Path(os.environ.get("RANGED_BENCH_FILES", tempfile.gettempdir() + "/ranged-bench-files"))
    files.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        {"servers": compare_servers, "growth": growth, "skew": skew, "search": compare_searches, "cold": compare_cold}[arguments.what](arguments, pathlib.Path(scratch), files)


main()
