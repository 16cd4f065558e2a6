"""Tests of the scripts themselves:  pytest tests/tools/check_tools.py"""
import json
import os
import pathlib
import re
import shutil
import stat
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


# tests/tools/count_results.py


def count(kind, path):
    done = subprocess.run([sys.executable, ROOT / "tests/tools/count_results.py", kind, path], stdout=subprocess.PIPE, check=True,
                          text=True)
    numbers, *failures = done.stdout.splitlines()
    return tuple(map(int, numbers.split())), [failure for failure in failures if failure]


CTEST = """\
1: [doctest] doctest version is "2.4.9"
1: [doctest] test cases:  70 |  70 passed | 0 failed | 3 skipped
2: [doctest] test cases:   5 |   3 passed | 2 failed | 0 skipped
 1/5 Test #1: unit_http ........................   Passed    0.51 sec
 2/5 Test #2: unit_paging ......................***Failed    0.01 sec
 3/5 Test #3: include_rules ....................   Passed    0.01 sec
 4/5 Test #4: unit_storage .....................***Exception: SegFault  0.02 sec
4: [doctest] test cases from nowhere
 5/5 Test #5: unit_server ......................***Timeout 300.01 sec
"""


def test_ctest_is_counted_by_cases(tmp_path):
    log = tmp_path / "log"
    log.write_text(CTEST)
    numbers, failures = count("ctest", log)
    assert numbers == (70 + 3 + 1, 2 + 1 + 1, 0)
    assert failures == ["unit_paging (Failed    0.01 sec)", "unit_storage (Exception: SegFault  0.02 sec)",
                        "unit_server (Timeout 300.01 sec)"]


def test_all_cases_passing_does_not_excuse_a_failed_executable(tmp_path):
    # As when a sanitizer reports a leak after the last case.
    log = tmp_path / "log"
    log.write_text("1: [doctest] test cases: 9 | 9 passed | 0 failed | 0 skipped\n1/1 Test #1: unit_http ...***Failed  0.1 sec\n")
    assert count("ctest", log)[0] == (9, 1, 0)


def test_junit_is_counted_by_cases(tmp_path):
    report = tmp_path / "report.xml"
    report.write_text('<testsuites><testsuite><testcase classname="a" name="1"/><testcase classname="a" name="2"><failure/></testcase>'
                      '<testcase classname="b" name="3"><error/><failure/></testcase><testcase classname="b" name="4"><skipped/>'
                      "</testcase></testsuite></testsuites>")
    assert count("junit", report) == ((1, 2, 1), ["a 2", "b 3"])


@pytest.mark.parametrize("text", ["", "<testsuites><testsuite>", None])
def test_no_results_are_a_failure(tmp_path, text):
    report = tmp_path / "report.xml"
    if text is not None:
        report.write_text(text)
    assert count("junit", report)[0] == (0, 1, 0)


# config/setup, in a machine of its own: a PATH with nothing on it but what a test puts there


class Machine:
    def __init__(self, directory):
        self.bin = directory / "bin"
        self.tree = directory / "tree"
        self.log = directory / "log"
        self.bin.mkdir()
        for tool in ["sh", "awk", "sed", "grep", "find", "touch", "dirname", "env", "cat", "mkdir", "printf"]:
            (self.bin / tool).symlink_to(shutil.which(tool))
        self.write("config/setup", (ROOT / "config/setup").read_text())
        self.write("config/packages.txt", "# a comment\n\n# [build]\ncmake\nlibfmt-dev\nnodejs\nnpm\n# [test]\ncurl\n")
        self.write("server/web/package.json", '{"engines": {"node": "^20.19.0 || >=22.12.0"}}')
        self.write("server/web/package-lock.json", "{}")
        self.set_installed("cmake", "libfmt-dev", "curl")
        self.stub("id", "echo 0")
        self.stub("apt-get", f'echo "apt-get $* DEBIAN_FRONTEND=$DEBIAN_FRONTEND" >>"{self.log}"')
        self.stub("npm", f'echo "npm $*" >>"{self.log}"; mkdir -p node_modules; echo >node_modules/.package-lock.json')
        (self.bin / "node").symlink_to(shutil.which("node"))

    def write(self, name, text):
        path = self.tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def stub(self, name, body):
        path = self.bin / name
        path.unlink(missing_ok=True)
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def set_installed(self, *packages):
        self.stub("dpkg-query", "\n".join(f"echo 'ii  {package}'" for package in packages) + "\necho 'rc  removed-but-configured'")

    def setup(self, *arguments):
        return subprocess.run(["sh", self.tree / "config/setup", *arguments], env={"PATH": str(self.bin)}, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, text=True, cwd="/")

    def calls(self):
        return self.log.read_text().splitlines() if self.log.exists() else []


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


INSTALL = "apt-get install -y -qq --no-install-recommends {} DEBIAN_FRONTEND=noninteractive"
UPDATE = "apt-get update -qq DEBIAN_FRONTEND=noninteractive"
NPM = "npm ci --no-audit --no-fund --loglevel=error"


def test_setup_installs_what_is_missing_and_no_more(machine):
    machine.set_installed("cmake")
    done = machine.setup()
    assert done.returncode == 0, done.stdout
    assert machine.calls() == [UPDATE, INSTALL.format("libfmt-dev curl"), NPM]


def test_setup_does_nothing_the_second_time(machine):
    machine.setup()
    assert machine.calls() == [NPM]
    done = machine.setup()
    assert (done.returncode, done.stdout) == (0, "")
    assert machine.calls() == [NPM]


def test_setup_follows_the_lockfile(machine):
    machine.setup()
    installed = (machine.tree / "server/web/node_modules/.package-lock.json").stat().st_mtime
    os.utime(machine.tree / "server/web/package-lock.json", (installed + 10, installed + 10))
    machine.setup()
    assert machine.calls() == [NPM, NPM]


def test_setup_for_building_leaves_out_what_testing_needs(machine):
    machine.set_installed("cmake")
    assert machine.setup("--build").returncode == 0
    assert machine.calls()[1] == INSTALL.format("libfmt-dev")


def test_a_package_that_was_removed_is_missing(machine):
    machine.write("config/packages.txt", "# [build]\nremoved-but-configured\n")
    machine.setup()
    assert machine.calls()[1] == INSTALL.format("removed-but-configured")


def test_setup_uses_sudo_when_it_must(machine):
    machine.set_installed("cmake", "curl")
    machine.stub("id", "echo 1000")
    machine.stub("sudo", f'echo sudo >>"{machine.log}"; exec "$@"')
    assert machine.setup().returncode == 0
    assert machine.calls() == ["sudo", UPDATE, "sudo", INSTALL.format("libfmt-dev"), NPM]


def test_setup_tells_what_to_run_when_it_may_not(machine):
    machine.set_installed("cmake", "curl")
    machine.stub("id", "echo 1000")
    done = machine.setup()
    assert done.returncode == 1
    assert "apt-get install libfmt-dev" in done.stdout
    assert machine.calls() == []


def test_setup_ends_where_an_installation_fails(machine):
    machine.set_installed("cmake", "curl")
    machine.stub("apt-get", "echo 'E: Unable to locate package' >&2; exit 100")
    done = machine.setup()
    assert done.returncode != 0
    assert machine.calls() == []


def test_setup_without_dpkg_names_what_to_install(machine):
    (machine.bin / "dpkg-query").unlink()
    # /etc/os-release is this machine's: on Debian 12 it would go on to apt-get, which such a system has not.
    text = (machine.tree / "config/setup").read_text().replace("/etc/os-release", str(machine.tree / "os-release"))
    machine.write("config/setup", text)
    machine.write("os-release", 'ID=fedora\nVERSION_ID=41\n')
    done = machine.setup()
    assert done.returncode == 1
    assert done.stdout == ("config/setup: this is 'fedora 41', not Debian 12; install the like of these by hand:"
                           " cmake libfmt-dev curl\n")


@pytest.mark.parametrize("version, is_enough", [("18.20.4", False), ("20.18.9", False), ("20.19.0", True), ("20.20.2", True), ("21.9.0", False),
                                                ("22.11.0", False), ("22.12.0", True), ("24.0.0", True)])
def test_setup_refuses_a_node_that_is_too_old(machine, version, is_enough):
    node = shutil.which("node")
    (machine.bin / "node").unlink()
    # The same program, told that it is another version.
    machine.write("version.js", f'Object.defineProperty(process.versions, "node", {{value: "{version}"}});')
    machine.stub("node", f'exec "{node}" --require "{machine.tree}/version.js" "$@"')
    done = machine.setup()
    assert (done.returncode == 0) == is_enough, done.stdout
    if not is_enough:
        assert f"the viewer needs Node.js ^20.19.0 || >=22.12.0; this is {version}" in done.stdout
        assert machine.calls() == []


def test_setup_refuses_unknown_arguments(machine):
    assert machine.setup("--everything").returncode == 1
    assert machine.calls() == []


# tests/run


@pytest.mark.parametrize("arguments", [["--nonsense"], ["-k", "nonsense"], ["-k"]])
def test_run_refuses_what_it_does_not_know(arguments):
    done = subprocess.run([ROOT / "tests/run", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, text=True)
    assert done.returncode == 2
    assert done.stdout == ""


def make_tree(directory, setup="exit 0"):
    """A tree of nothing but tests/run and a folder that holds files to check."""
    for name in ["tests/run", "tests/tools/count_results.py"]:
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, directory / name)
    (directory / "config").mkdir()
    (directory / "config/setup").write_text(f"#!/bin/sh\n{setup}\n")
    (directory / "config/setup").chmod(0o755)
    subprocess.run(["git", "init", "-q", directory], check=True)


def run(directory, *arguments):
    return subprocess.run([directory / "tests/run", *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False, text=True, cwd="/")


def test_run_counts_and_reports(tmp_path):
    make_tree(tmp_path)
    (tmp_path / "right.txt").write_text("nothing wrong here\n")
    done = run(tmp_path, "-k", "spelling")
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines()[-1] == "1 passed, 0 failed"
    # In two halves, or this file itself would be found.
    (tmp_path / "wrong.txt").write_text("we rec" + "ieve what is wrong\n")
    done = run(tmp_path, "-k", "spelling")
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == "0 passed, 1 failed"
    assert "wrong.txt:1" in done.stdout


def test_run_goes_on_after_a_failure(tmp_path):
    make_tree(tmp_path)
    (tmp_path / "right.txt").write_text("nothing wrong here\n")
    (tmp_path / "wrong.cpp").write_text("int   a ;\n")
    (tmp_path / ".clang-format").write_text("BasedOnStyle: Google\n")
    done = run(tmp_path, "-k", "format,spelling")
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == "1 passed, 1 failed"


def test_run_counts_each_stage_by_itself(tmp_path):
    make_tree(tmp_path)
    (tmp_path / "tests/pytest.ini").write_text("[pytest]\n")
    (tmp_path / "tests/tools/check_tools.py").write_text("def test_one(): pass\ndef test_two(): assert False\ndef test_three(): pass\n")
    done = run(tmp_path, "-k", "scripts,spelling")
    assert done.returncode == 1
    assert re.findall(r"^(\w+) +(\d+) passed +(\d+) failed", done.stdout, re.M) == [("scripts", "2", "1"), ("spelling", "1", "0")]
    assert done.stdout.splitlines()[-1] == "3 passed, 1 failed"


def test_a_suite_without_tests_has_failed(tmp_path):
    make_tree(tmp_path)
    (tmp_path / "tests/pytest.ini").write_text("[pytest]\n")
    (tmp_path / "tests/tools/check_tools.py").write_text("")
    assert run(tmp_path, "-k", "scripts").stdout.splitlines()[-1] == "0 passed, 1 failed"


def test_run_ends_when_setup_fails(tmp_path):
    make_tree(tmp_path, setup="exit 1")
    done = run(tmp_path, "-k", "spelling")
    assert done.returncode == 1
    assert "passed" not in done.stdout


# tests/tools/tidy.py and its plug-in

# The plug-in takes eight seconds to compile on a core that is left alone, and whichever of these tests comes first waits for it.
compiles = pytest.mark.bound(300)


@pytest.fixture(scope="module")
def plugins(tmp_path_factory):
    """Where the trees of these tests keep the plug-in, so that it is compiled once for all of them."""
    return tmp_path_factory.mktemp("tidy-plugin")


class Linted:
    """A tree of tidy.py and its plug-in, a source, an own header and a system header; all of them clean."""

    def __init__(self, directory, plugins):
        self.root = directory
        self.build = directory / "build"
        self.source = directory / "lib/source.cpp"
        self.plugin_source = directory / "tests/tools/clang_tidy/own_code_only.cpp"
        for name in ["tests/tools/tidy.py", "tests/tools/clang_tidy/own_code_only.cpp", ".clang-tidy"]:
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, directory / name)
        self.build.mkdir()
        (self.build / "tidy-plugin").symlink_to(plugins)
        self.write("lib/source.cpp", "")
        self.write("lib/own.hpp", "")
        self.write("system/system.hpp", "")
        command = f"clang++-19 -std=c++20 -Wall -isystem {directory}/system -I{directory} -o source.o -c {self.source}"
        (self.build / "compile_commands.json").write_text(
            json.dumps([{"directory": str(self.build), "file": str(self.source), "command": command}]))

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith(".hpp"):
            text = "#pragma once\n" + text
        else:
            text = '#include <system.hpp>\n\n#include "lib/own.hpp"\n' + text
        path.write_text(text)

    def tidy(self):
        return subprocess.run([sys.executable, self.root / "tests/tools/tidy.py", self.build, "lib"], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False, text=True)

    def findings(self):
        """Where tidy.py says that there is something, and which check says so: {(file, check)}"""
        done = self.tidy()
        found = {(os.path.basename(file), check) for file, check in
                 re.findall(r"^(\S+?):\d+:\d+: error: .* \[([\w.-]+)(?:,-warnings-as-errors)?\]$", done.stdout, re.M)}
        assert done.returncode == (1 if found else 0), done.stdout
        assert done.stdout.endswith(f"clang-tidy: {0 if found else 1} of 1 sources are clean\n"), done.stdout
        return found


@pytest.fixture
def linted(tmp_path, plugins):
    return Linted(tmp_path, plugins)


# For modernize-use-nullptr, one name in each file
NULL = "inline int* {} = 0;\n"
USE_NULLPTR = "modernize-use-nullptr"


@compiles
def test_tidy_finds_what_is_in_a_source(linted):
    assert linted.findings() == set()
    linted.write("lib/source.cpp", NULL.format("in_source"))
    assert linted.findings() == {("source.cpp", USE_NULLPTR)}


@compiles
def test_tidy_finds_what_is_in_an_own_header(linted):
    linted.write("lib/own.hpp", NULL.format("in_header"))
    assert linted.findings() == {("own.hpp", USE_NULLPTR)}


@compiles
def test_tidy_finds_what_own_code_puts_into_a_namespace_of_the_system_s(linted):
    linted.write("system/system.hpp", "namespace system { template <typename T> struct Hash {}; }\n")
    linted.write("lib/own.hpp", "struct Own {};\ntemplate <> struct system::Hash<Own> { int* none = 0; };\n")
    linted.write("lib/source.cpp", "namespace system {\n" + NULL.format("in_source") + "}\n")
    assert linted.findings() == {("own.hpp", USE_NULLPTR), ("source.cpp", USE_NULLPTR)}


@compiles
def test_tidy_finds_what_a_macro_of_the_system_s_makes_of_own_code(linted):
    linted.write("system/system.hpp", "#define FUNCTION(name) inline int* name()\n")
    linted.write("lib/source.cpp", "FUNCTION(own) { return 0; }\n")
    assert linted.findings() == {("source.cpp", USE_NULLPTR)}


@compiles
def test_tidy_does_not_find_what_is_in_a_system_header_alone(linted):
    linted.write("system/system.hpp", NULL.format("in_system"))
    assert linted.findings() == set()


@compiles
def test_the_checks_do_not_look_at_system_headers(linted):
    # Asked to show what is in system headers, clang-tidy shows it; with the plug-in the check has not been there.
    with (linted.root / ".clang-tidy").open("a") as config:
        config.write("SystemHeaders: true\n")
    text = (linted.root / ".clang-tidy").read_text()
    (linted.root / ".clang-tidy").write_text(re.sub(r"^HeaderFilterRegex: .*$", "HeaderFilterRegex: '.*'", text, flags=re.M))
    linted.write("system/system.hpp", NULL.format("in_system"))
    linted.write("lib/own.hpp", NULL.format("in_header"))
    bare = subprocess.run(["clang-tidy-19", "-p", linted.build, "--quiet", linted.source], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, check=False, text=True, cwd=linted.root).stdout
    assert re.search(rf"system\.hpp:.*{USE_NULLPTR}", bare)
    assert linted.findings() == {("own.hpp", USE_NULLPTR)}


@compiles
def test_the_static_analyzer_sees_into_functions_of_system_headers(linted):
    linted.write("system/system.hpp", "inline int nothing() { return 0; }\n")
    linted.write("lib/source.cpp", "int quotient() { return 1 / nothing(); }\n")
    assert linted.findings() == {("source.cpp", "clang-analyzer-core.DivideZero")}


@compiles
def test_tidy_finds_what_does_not_compile(linted):
    linted.write("lib/source.cpp", "int function() { return missing; }\n")
    assert linted.findings() == {("source.cpp", "clang-diagnostic-error")}


@compiles
def test_tidy_builds_the_plugin_once_and_anew_when_it_has_changed(linted, plugins, tmp_path_factory):
    def built():
        assert linted.findings() == set()
        return {path: path.stat().st_mtime_ns for path in (linted.build / "tidy-plugin").iterdir()}

    built()
    (linted.build / "tidy-plugin").unlink()
    (linted.build / "tidy-plugin").symlink_to(shutil.copytree(plugins, tmp_path_factory.mktemp("changed") / "tidy-plugin"))
    first = built()
    assert len(first) == 1
    with linted.plugin_source.open("a") as source:
        source.write("// another one\n")
    second = built()
    assert len(second) == 2 and first.items() <= second.items()
    # What passed with the one has not passed with the other.
    assert len(list((linted.build / "tidy-passed").iterdir())) == 2


@compiles
@pytest.mark.parametrize("text, why", [("#include <clang-tidy/NoSuchHeader.h>\n", "'clang-tidy/NoSuchHeader.h' file not found"),
                                       ("int unused(int argument) { return 0; }\n", "unused parameter 'argument'"),
                                       ("extern int nowhere;\nint* needed = &nowhere;\n", "undefined symbol: nowhere"),
                                       ("// no check in it\n", "No checks enabled.")])
def test_without_its_plugin_tidy_fails(linted, text, why):
    linted.plugin_source.write_text(text)
    done = linted.tidy()
    assert done.returncode == 1
    assert done.stdout.startswith(
        "clang-tidy: no source was checked, for lack of the plug-in from tests/tools/clang_tidy/own_code_only.cpp: "), done.stdout
    assert why in done.stdout
    assert "are clean" not in done.stdout


@compiles
def test_tidy_fails_where_nothing_can_build_its_plugin(linted):
    # A PATH with the linter on it and no llvm-config.
    programs = linted.root / "bin"
    programs.mkdir()
    (programs / "clang-tidy-19").symlink_to(shutil.which("clang-tidy-19"))
    done = subprocess.run([sys.executable, linted.root / "tests/tools/tidy.py", linted.build, "lib"], env={"PATH": str(programs)},
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, text=True)
    assert done.returncode == 1
    assert "no source was checked" in done.stdout
    assert "llvm-config-19" in done.stdout
