#!/usr/bin/python3
"""Runs clang-tidy on every source of this project, skipping those that passed before and have not changed since.

    tidy.py BUILD_DIRECTORY FOLDER...

What a source depends on is asked of the compiler, so that a changed header or .clang-tidy is noticed. A pass is kept as an
empty file named by the hash of all that went into it, in BUILD_DIRECTORY/tidy-passed.

A plug-in (clang_tidy/own_code_only.cpp) keeps the checks out of system headers, where most of their time went. It is built
here, into BUILD_DIRECTORY/tidy-plugin; without it nothing is checked, and that is a failure.
"""
import concurrent.futures
import hashlib
import json
import os
import pathlib
import shlex
import subprocess
import sys

TIDY = "clang-tidy-19"
# What the plug-in is built with: of the same version, since LLVM's C++ interface is another one in each.
COMPILER = "clang++-19"
LLVM_CONFIG = "llvm-config-19"
# The plug-in's check, as its source registers it
PLUGIN_CHECK = "own-code-only"
ROOT = pathlib.Path(__file__).resolve().parents[2]
PLUGIN_SOURCE = ROOT / "tests/tools/clang_tidy/own_code_only.cpp"


class PluginError(Exception):
    """There is no plug-in to check with; the text says why."""


def output_of(*command):
    """What a command writes to stdout; PluginError with all it wrote when it fails or is not there."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, text=True)
    except OSError as error:
        raise PluginError(str(error)) from error
    if done.returncode != 0:
        raise PluginError(f"{shlex.join(map(str, command))}:\n{done.stdout}{done.stderr}")
    return done.stdout


def build_plugin(folder, version):
    """The plug-in's path. It is named by the hash of what it is made of: a changed one is built anew."""
    # Warnings are errors in the plug-in, and LLVM's headers are not ours to be warned of.
    command = [COMPILER, *shlex.split(output_of(LLVM_CONFIG, "--cxxflags").replace("-I", "-isystem ")), "-Wall", "-Wextra", "-Werror",
               "-fPIC", "-shared"]
    digest = hashlib.sha256(repr((version, command)).encode() + PLUGIN_SOURCE.read_bytes()).hexdigest()
    plugin = folder / f"{digest}.so"
    if not plugin.exists():
        # Renamed when whole: a build that is cut short leaves nothing that looks like a plug-in.
        unfinished = folder / f"{digest}.{os.getpid()}.unfinished"
        try:
            output_of(*command, PLUGIN_SOURCE, "-o", unfinished)
            unfinished.rename(plugin)
        finally:
            unfinished.unlink(missing_ok=True)
    # clang-tidy goes on without a plug-in that it cannot load, and without a check that it does not know; asked to list that
    # check alone, it fails.
    output_of(TIDY, f"--load={plugin}", f"--checks=-*,{PLUGIN_CHECK}", "--list-checks")
    return plugin


def key(entry, version, plugin):
    words = shlex.split(entry["command"])
    if os.path.basename(words[0]) == "ccache":
        words = words[1:]
    at = words.index("-o")
    words = words[:at] + words[at + 2:]
    rule = subprocess.run([*words, "-M", "-MF", "-"], cwd=entry["directory"], stdout=subprocess.PIPE, check=True, text=True).stdout
    dependencies = rule.replace("\\\n", " ").split(":", 1)[1].split()
    digest = hashlib.sha256(repr((version, plugin.name, words)).encode())
    for name in [str(ROOT / ".clang-tidy"), *dependencies]:
        digest.update(name.encode())
        digest.update((pathlib.Path(entry["directory"]) / name).read_bytes())
    return digest.hexdigest()


def check(entry, build, version, plugin):
    name = os.path.relpath(entry["file"], ROOT)
    try:
        passed = build / "tidy-passed" / key(entry, version, plugin)
    except (subprocess.CalledProcessError, OSError) as error:
        return name, False, str(error)
    if passed.exists():
        return name, True, ""
    # --checks adds to what .clang-tidy names. clang-tidy takes some of it for all sources from the working directory's.
    done = subprocess.run([TIDY, f"--load={plugin}", f"--checks={PLUGIN_CHECK}", "-p", str(build), "--quiet", entry["file"]],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, text=True, cwd=ROOT)
    if done.returncode == 0:
        passed.touch()
    return name, done.returncode == 0, done.stdout


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    for folder in ["tidy-passed", "tidy-plugin"]:
        (build / folder).mkdir(exist_ok=True)
    entries = json.loads((build / "compile_commands.json").read_text())
    folders = [ROOT / folder for folder in sys.argv[2:]]
    entries = [entry for entry in entries if any(pathlib.Path(entry["file"]).is_relative_to(folder) for folder in folders)]
    version = subprocess.run([TIDY, "--version"], stdout=subprocess.PIPE, check=True, text=True).stdout
    try:
        plugin = build_plugin(build / "tidy-plugin", version)
    except PluginError as error:
        print(f"clang-tidy: no source was checked, for lack of the plug-in from {PLUGIN_SOURCE.relative_to(ROOT)}: {error}")
        return 1
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for name, passed, output in pool.map(lambda entry: check(entry, build, version, plugin), entries):
            if not passed:
                failed += 1
                print(f"{name}:\n{output}")
    print(f"clang-tidy: {len(entries) - failed} of {len(entries)} sources are clean")
    return 1 if failed or not entries else 0


if __name__ == "__main__":
    sys.exit(main())
