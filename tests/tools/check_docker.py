"""Holds docker/ to its rules without a Docker daemon:  pytest tests/tools/check_docker.py

What an image would lack is found beforehand: paths that COPY names, and the libraries that the built daemon is linked to.
"""
import fnmatch
import json
import os
import pathlib
import re
import shlex
import subprocess

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
PER_CONNECTION = 16 << 10
BESIDE_POOL = 16 << 20


def size(text):
    number, unit = re.fullmatch(r"(\d+)\s*([A-Za-z]*)", str(text)).groups()
    return int(number) * UNITS[unit]


def seconds(text):
    return int(re.fullmatch(r"(\d+)s", text)[1])


def stages():
    """The instructions of each stage: [[(NAME, rest), ...], ...]"""
    text = (ROOT / "docker/Dockerfile").read_text()
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    found = []
    for line in re.sub(r"\\\n", " ", "\n".join(lines)).splitlines():
        if not line.strip():
            continue
        name, rest = line.split(None, 1)
        if name == "FROM":
            found.append([])
        found[-1].append((name, rest))
    return found


def last(name):
    values = [rest for instruction, rest in stages()[-1] if instruction == name]
    assert len(values) == 1, f"{name} stands {len(values)} times in the last stage"
    return values[0]


def service():
    return yaml.safe_load((ROOT / "docker/compose.yaml").read_text())["services"]["ranged"]


def is_ignored(path):
    """As .dockerignore says; the last rule that matches the path or a folder above it decides."""
    parts = pathlib.PurePosixPath(path).parts
    above = ["/".join(parts[:n]) for n in range(1, len(parts) + 1)]
    ignored = False
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        rule = line.strip()
        if not rule or rule.startswith("#"):
            continue
        pattern = rule.lstrip("!")
        if pattern.startswith("**/"):
            hit = any(fnmatch.fnmatchcase(part, pattern[3:]) for part in parts)
        else:
            hit = any(fnmatch.fnmatchcase(one, pattern) and one.count("/") == pattern.count("/") for one in above)
        if hit:
            ignored = not rule.startswith("!")
    return ignored


def copies():
    for stage in stages():
        for name, rest in stage:
            words = shlex.split(rest)
            if name in {"COPY", "ADD"} and not any(word.startswith("--from=") for word in words):
                yield from (word for word in words[:-1] if not word.startswith("--"))


def test_what_is_copied_is_there_and_not_ignored():
    sources = list(copies())
    assert {"CMakeLists.txt", "lib", "server"} <= set(sources)
    for source in sources:
        assert (ROOT / source).exists(), source
        assert not is_ignored(source), f"{source} is left out by .dockerignore"


def test_what_is_built_is_copied():
    # What the top CMakeLists.txt takes in without the tests, which the image is built without.
    for folder in re.findall(r"^(?:add_subdirectory|include)\(([^)]+)\)", (ROOT / "CMakeLists.txt").read_text(), re.M):
        path = ROOT / folder
        if path.exists():
            assert any(folder == source or folder.startswith(source + "/") for source in copies()), folder
    assert is_ignored("build") and is_ignored(".git") and is_ignored("tests") and is_ignored("server/web/node_modules")


def test_later_stages_name_earlier_ones():
    names = []
    for stage in stages():
        image = stage[0][1].split()
        for name, rest in stage:
            for source in re.findall(r"--from=(\S+)", rest) if name == "COPY" else []:
                assert source in names, source
        assert image[0] in names or re.fullmatch(r"[a-z]+:(\d+[a-z-]*)", image[0]), f"{image[0]} names no version"
        names.append(image[2] if len(image) == 3 else "")


def test_last_stage():
    assert stages()[-1][0] == ("FROM", "debian:12-slim")
    assert last("USER") == "65532:65532"
    assert last("EXPOSE") == "8080"
    assert last("STOPSIGNAL") == "SIGTERM"
    # Words, not a shell line: a shell would keep SIGTERM to itself.
    assert json.loads(last("ENTRYPOINT")) == ["/usr/bin/ranged"]
    assert json.loads(last("CMD"))[:2] == ["--listen", "0.0.0.0:8080"]
    check = json.loads(last("HEALTHCHECK").split("CMD", 1)[1])
    assert check == ["/usr/bin/ranged", "--healthcheck", "http://127.0.0.1:8080/healthz"]


def test_every_package_has_a_name_in_debian_and_no_tools_are_left():
    installed = packages_of_last_stage()
    assert not [name for name in installed if name.endswith("-dev")]
    assert not {"curl", "wget", "gcc", "g++", "nodejs"} & set(installed)


def packages_of_last_stage():
    run = next(rest for name, rest in stages()[-1] if name == "RUN" and "apt-get install" in rest)
    words = shlex.split(run.split("apt-get install", 1)[1].split("&&", 1)[0])
    assert "--no-install-recommends" in words
    architecture = subprocess.run(["dpkg", "--print-architecture"], stdout=subprocess.PIPE, check=True, text=True).stdout.strip()
    expressions = re.search(rf"\b{architecture}\) expressions=(\S+)|\*\) expressions=(\S+)", run)
    chosen = {"$expressions": expressions[1] or expressions[2]}
    return [chosen.get(word, word) for word in words if not word.startswith("-")]


def with_what_they_depend_on(names):
    found, new = set(), set(names)
    while new:
        found |= new
        text = subprocess.run(["dpkg-query", "-W", "-f", "${Pre-Depends},${Depends}\n", *new], stdout=subprocess.PIPE, check=False,
                              stderr=subprocess.DEVNULL, text=True).stdout
        new = {re.split(r"[\s:(]", one.strip())[0] for one in re.split(r"[,|\n]", text) if one.strip()} - found
    return found


def test_every_library_of_the_daemon_is_in_the_last_stage():
    binary = os.environ.get("RANGED_BINARY", str(ROOT / "build/release/server/ranged"))
    listing = subprocess.run(["ldd", binary], stdout=subprocess.PIPE, check=True, text=True).stdout
    assert "not found" not in listing
    libraries = re.findall(r"=> (/\S+)", listing)
    assert libraries
    there = with_what_they_depend_on(packages_of_last_stage())
    for library in libraries:
        real = os.path.realpath(library)
        # /lib is a link to /usr/lib since Debian 12; dpkg knows some files by the one path and some by the other.
        names = {real, real.removeprefix("/usr"), "/usr" + real.removeprefix("/usr")}
        owner = subprocess.run(["dpkg-query", "-S", *names], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False, text=True)
        packages = {line.split(":")[0] for line in owner.stdout.splitlines()}
        assert packages, f"{library} is from no Debian package"
        assert packages & there, f"{library} is from {packages}, which the last stage does not install"


def test_no_package_of_the_last_stage_is_superfluous():
    binary = os.environ.get("RANGED_BINARY", str(ROOT / "build/release/server/ranged"))
    listing = subprocess.run(["ldd", binary], stdout=subprocess.PIPE, check=True, text=True).stdout
    for package in packages_of_last_stage():
        files = subprocess.run(["dpkg-query", "-L", package], stdout=subprocess.PIPE, check=True, text=True).stdout
        names = {os.path.basename(name) for name in files.splitlines()}
        assert any(os.path.basename(word) in names for word in listing.split()), f"the daemon is linked to nothing of {package}"


def test_compose_confines():
    ranged = service()
    assert ranged["read_only"] is True
    assert ranged["cap_drop"] == ["ALL"] and "cap_add" not in ranged
    assert "no-new-privileges:true" in ranged["security_opt"]
    assert ranged["user"] == last("USER")
    assert not ranged.get("privileged") and ranged.get("network_mode") is None
    assert ranged["volumes"] and all(volume["read_only"] is True for volume in ranged["volumes"])
    assert (ROOT / "docker" / ranged["build"]["context"]).resolve() == ROOT
    assert (ROOT / ranged["build"]["dockerfile"]).is_file()


def test_compose_publishes_on_loopback_only():
    for port in service()["ports"]:
        assert re.fullmatch(r"127\.0\.0\.1:\d+:" + last("EXPOSE"), port), port


def test_compose_memory_holds_what_is_promised():
    ranged = service()
    pool = size(ranged["environment"]["RANGED_POOL_SIZE"])
    connections = int(ranged["environment"]["RANGED_MAX_CONNECTIONS"])
    assert pool + BESIDE_POOL + connections * PER_CONNECTION <= size(ranged["mem_limit"])
    assert ranged["memswap_limit"] == ranged["mem_limit"]
    assert ranged["ulimits"]["nofile"]["soft"] >= 2 * connections, "half of the descriptors are for connections"


def test_compose_waits_for_the_drain():
    drain = seconds(json.loads((ROOT / "config/ranged.schema.json").read_text())["properties"]["drain_timeout"]["default"])
    assert seconds(service()["stop_grace_period"]) > drain


@pytest.mark.parametrize("name", [name for name in service()["environment"]])
def test_compose_sets_only_what_there_is(name):
    keys = json.loads((ROOT / "config/ranged.schema.json").read_text())["properties"]
    assert name.startswith("RANGED_") and name.removeprefix("RANGED_").lower() in keys
