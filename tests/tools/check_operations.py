"""Tests of what those who run the daemon are given, against the daemon itself: metrics, dashboard, unit.

    RANGED_BINARY=... pytest tests/tools/check_operations.py
"""
import json
import pathlib
import re
import subprocess

import pytest
import yaml

from harness import metrics as exposition
from harness.daemon import Daemon, binary

ROOT = pathlib.Path(__file__).resolve().parents[2]
UNIT = ROOT / "config/ranged.service"
DASHBOARD = json.loads((ROOT / "config/grafana-dashboard.json").read_text())


def run(*command, **options):
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, text=True,
                          **options)
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module", name="folder")
def served(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    (folder / "file").write_bytes(bytes(range(256)) * 2048)
    (folder / "inner").mkdir()
    return folder


def exercise(daemon):
    """One request of every kind: not all metrics are there before something happened."""
    for target in ["/", "/files/", "/files/file", "/files/none", "/bytes?file=file&offset=1&len=2", "/info?file=file", "/healthz",
                   "/readyz", "/metrics", "/openapi.json"]:
        daemon.get(target)
    daemon.get("/files/file", ("Range", "bytes=0-9,300000-300009"))


@pytest.fixture(scope="module", name="text")
def metrics_text(folder):
    with Daemon(folder) as daemon:
        exercise(daemon)
        return daemon.get("/metrics").body.decode()


# /metrics


def test_promtool_has_nothing_to_say_of_the_metrics(text):
    assert run("promtool", "check", "metrics", input=text) == ""


# config/grafana-dashboard.json


def panels():
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def expressions():
    return [target["expr"] for panel in panels() for target in panel["targets"]]


def test_the_dashboard_names_only_metrics_and_labels_that_exist(text):
    samples, _ = exposition.parse(text)
    labels = {}
    for name, pairs in samples:
        labels.setdefault(name, {}).setdefault("", set())
        for label, value in pairs:
            labels[name].setdefault(label, set()).add(value)
    assert len(expressions()) > 20
    for expression in expressions():
        used = re.findall(r"\b((?:ranged|process)_\w+)(?:\{([^}]*)\})?", expression)
        assert used, expression
        for name, matchers in used:
            assert name in labels, f"{name} is not in /metrics"
            for label, operator, value in re.findall(r'(\w+)(=~|=)"([^"]*)"', matchers):
                if label in {"job", "instance"}:  # given by Prometheus
                    continue
                test = (lambda one, value=value: re.fullmatch(value, one)) if operator == "=~" else value.__eq__
                assert any(test(one) for one in labels[name].get(label, ())), f"{name} has no {label}{operator}{value}"
        grouped = re.findall(r"\bby \((\w+)\)", expression)
        for label in set(grouped) - {"instance"}:
            assert any(label in labels[name] for name, _ in used), f"no metric of {expression} has a label {label}"


def test_the_dashboard_legends_use_the_labels_that_are_grouped_by():
    for panel in panels():
        for target in panel["targets"]:
            for label in re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]):
                assert re.search(rf"\bby \({label}\)", target["expr"]), target


def test_promtool_can_read_every_expression_of_the_dashboard(tmp_path):
    rules = [{"record": f"dashboard:{number}", "expr": expression.replace("$__rate_interval", "5m").replace("$job", ".+").replace("$instance", ".+")}
             for number, expression in enumerate(expressions())]
    path = tmp_path / "rules.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    assert f"SUCCESS: {len(rules)} rules found" in run("promtool", "check", "rules", path)


def test_the_dashboard_lays_its_panels_side_by_side():
    taken = set()
    for panel in panels():
        at = panel["gridPos"]
        cells = {(column, row) for column in range(at["x"], at["x"] + at["w"]) for row in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24 and not cells & taken, panel["title"]
        taken |= cells
        assert panel["title"] and panel["description"]
    assert len({panel["id"] for panel in panels()}) == len(panels())


# config/ranged.service


def test_the_unit_is_confined():
    # Tenths: 15 is an exposure of 1.5.
    assert "Overall exposure level" in run("systemd-analyze", "security", "--offline=yes", "--threshold=15", "--no-pager", UNIT)


def system_calls(words):
    """The names that a SystemCallFilter= line means, groups expanded."""
    found = set()
    for word in words:
        if not word.startswith("@"):
            found.add(word)
            continue
        listing = run("systemd-analyze", "syscall-filter", "--no-pager", word).splitlines()
        found |= system_calls([line.strip() for line in listing[1:] if line.strip() and not line.strip().startswith("#")])
    return found


def allowed_system_calls():
    allowed = set()
    for line in re.findall(r"^SystemCallFilter=(.*)$", UNIT.read_text(), re.M):
        if line.startswith("~"):
            allowed -= system_calls(line[1:].split())
        else:
            allowed |= system_calls(line.split())
    return allowed


def test_the_unit_allows_the_system_calls_that_the_daemon_makes(folder, tmp_path):
    allowed = allowed_system_calls()
    assert {"openat2", "landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self", "seccomp", "preadv2", "sendfile"} <= allowed
    assert not {"mount", "ptrace", "reboot", "bpf", "chroot"} & allowed
    trace = tmp_path / "trace"
    # -D: strace is the grandchild, so that the daemon is the process that is started and stopped here.
    with Daemon(folder, wrapper=["strace", "-D", "-f", "-qq", "-o", trace]) as daemon:
        exercise(daemon)
    # Before it is the daemon it is strace.
    text = trace.read_text()
    begin = re.search(rf'^\d+ +execve\("{re.escape(binary())}"', text, re.M)
    made = set(re.findall(r"^\d+ +(\w+)\(", text[begin.start():], re.M))
    assert {"openat2", "accept4", "preadv2"} <= made
    assert made <= allowed


def test_the_unit_has_no_option_whose_filter_refuses_openat2():
    # systemd's filter for these cannot look into the structure that openat2 takes, and refuses the call whole.
    settings = dict(re.findall(r"^(\w+)=(.*)$", UNIT.read_text(), re.M))
    assert "RestrictSUIDSGID" not in settings and "DynamicUser" not in settings
