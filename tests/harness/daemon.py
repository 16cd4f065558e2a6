"""The daemon as a process of its own: started on a free port, watched, stopped, and looked over afterwards."""
import json
import os
import pathlib
import re
import signal
import subprocess
import threading

from harness import metrics as exposition
from harness.http import Connection, build, wait_until

LISTENING = re.compile(r"listening.*?127\.0\.0\.1:(\d+)")
SANITIZER = re.compile(r"AddressSanitizer|LeakSanitizer|ThreadSanitizer|runtime error:|terminate called|Assertion .* failed")


def binary() -> str:
    path = os.environ.get("RANGED_BINARY")
    if path is None:
        path = pathlib.Path(__file__).parents[2] / "build/release/server/ranged"
    path = pathlib.Path(path).resolve()
    if not path.is_file():
        raise FileNotFoundError(f"{path}: build the daemon first, or name it with RANGED_BINARY")
    return str(path)


def run_to_end(*arguments, env=None, patience: float = 20.0) -> subprocess.CompletedProcess:
    """Runs the binary for what it does before it serves: refusals, --version and the like."""
    return subprocess.run([binary(), *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env={**os.environ, **(env or {})}, timeout=patience, check=False, text=True)


class Daemon:
    """Serves `paths` on a port that the kernel chose. Use as a context manager; leaving it demands a clean stop.

    `wrapper`: a command that becomes the daemon (exec), with `pass_fds` left open for it.
    """

    def __init__(self, *paths, options=(), env=None, clean_stop: bool = True, wrapper=(), pass_fds=()):
        self.clean_stop = clean_stop
        command = [*map(str, wrapper), binary(), "--listen", "127.0.0.1:0", *map(str, options), *map(str, paths)]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                        env={**os.environ, **(env or {})}, pass_fds=pass_fds)
        self._lines = []
        self._port = None
        self._changed = threading.Condition()  # guards _lines, _port and _log_ended
        self._log_ended = False
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()
        with self._changed:
            self._changed.wait_for(lambda: self._port is not None or self._log_ended, timeout=20)
        if self._port is None:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"the daemon did not listen:\n{self.log()}")
        self.address = ("127.0.0.1", self._port)
        try:
            wait_until(lambda: self.get("/readyz").status == 200, "/readyz answers 200")
        except BaseException:
            self.kill()
            raise

    def _read_log(self):
        for raw in self.process.stderr:
            line = raw.decode("utf-8", "replace").rstrip("\n")
            with self._changed:
                self._lines.append(line)
                match = LISTENING.search(line)
                if match and self._port is None:
                    self._port = int(match[1])
                self._changed.notify_all()
        with self._changed:
            self._log_ended = True
            self._changed.notify_all()

    def log(self) -> str:
        with self._changed:
            return "\n".join(self._lines)

    def wait_for_log(self, pattern: str, patience: float = 10.0):
        with self._changed:
            if not self._changed.wait_for(lambda: any(re.search(pattern, line) for line in self._lines), timeout=patience):
                raise AssertionError(f"no log line {pattern!r} within {patience} s:\n" + "\n".join(self._lines))

    # Requests

    def connect(self, **options) -> Connection:
        return Connection(self.address, **options)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.address[1]}"

    def request(self, method, target, fields=(), **options):
        """One request on a connection of its own."""
        with self.connect() as connection:
            connection.send(build(method, target, fields, host=self.host, **options))
            return connection.read_response(method)

    def get(self, target, *fields, **options):
        return self.request("GET", target, fields, **options)

    def json(self, target, *fields):
        response = self.get(target, *fields)
        assert response.status == 200, (response.status, response.body[:300])
        return json.loads(response.body)

    # What it costs and counts

    def samples(self):
        response = self.get("/metrics")
        assert response.status == 200
        return exposition.parse(response.body.decode())[0]

    def metric(self, name, **labels) -> float:
        return exposition.value(self.samples(), name, **labels)

    def status_kib(self, name: str) -> int:
        """A line of /proc/PID/status in KiB: VmRSS, VmHWM, RssAnon..."""
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"^{name}:\s+(\d+) kB$", text, re.M)[1])

    def reset_peak(self):
        """Lets VmHWM begin anew (proc(5), clear_refs)."""
        pathlib.Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def wait_until_unpinned(self, patience: float = 10.0):
        wait_until(lambda: self.metric("ranged_pool_pages", state="pinned") == 0, "no page is pinned", patience)

    # The end

    def signal(self, number: int):
        self.process.send_signal(number)

    def wait(self, patience: float = 20.0) -> int:
        code = self.process.wait(timeout=patience)
        self._reader.join(timeout=5)
        return code

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.wait()
        self.process.stderr.close()

    def stop(self) -> int:
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        try:
            return self.wait()
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError("no exit within 20 s of SIGTERM") from None
        finally:
            self.process.stderr.close()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is not None and self.process.poll() is not None:
            print(f"the daemon had ended: exit {self.process.returncode}\n{self.log()}")
        if kind is not None or not self.clean_stop:
            self.kill()
            return
        code = self.stop()
        log = self.log()
        assert not SANITIZER.search(log), log
        assert code == 0, f"exit {code}\n{log}"
