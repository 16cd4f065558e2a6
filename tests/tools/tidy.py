#!/usr/bin/python3
"""Runs clang-tidy on every source of this project, skipping those that passed before and have not changed since.

    tidy.py BUILD_DIRECTORY FOLDER...

What a source depends on is asked of the compiler, so that a changed header or .clang-tidy is noticed. A pass is kept as an
empty file named by the hash of all that went into it, in BUILD_DIRECTORY/tidy-passed.
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
ROOT = pathlib.Path(__file__).resolve().parents[2]


def key(entry, version):
    words = shlex.split(entry["command"])
    if os.path.basename(words[0]) == "ccache":
        words = words[1:]
    at = words.index("-o")
    words = words[:at] + words[at + 2:]
    rule = subprocess.run([*words, "-M", "-MF", "-"], cwd=entry["directory"], stdout=subprocess.PIPE, check=True, text=True).stdout
    dependencies = rule.replace("\\\n", " ").split(":", 1)[1].split()
    digest = hashlib.sha256(repr((version, words)).encode())
    for name in [str(ROOT / ".clang-tidy"), *dependencies]:
        digest.update(name.encode())
        digest.update((pathlib.Path(entry["directory"]) / name).read_bytes())
    return digest.hexdigest()


def check(entry, build, version):
    name = os.path.relpath(entry["file"], ROOT)
    try:
        passed = build / "tidy-passed" / key(entry, version)
    except (subprocess.CalledProcessError, OSError) as error:
        return name, False, str(error)
    if passed.exists():
        return name, True, ""
    done = subprocess.run([TIDY, "-p", str(build), "--quiet", entry["file"]], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          check=False, text=True)
    if done.returncode == 0:
        passed.touch()
    return name, done.returncode == 0, done.stdout


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    (build / "tidy-passed").mkdir(exist_ok=True)
    entries = json.loads((build / "compile_commands.json").read_text())
    folders = [ROOT / folder for folder in sys.argv[2:]]
    entries = [entry for entry in entries if any(pathlib.Path(entry["file"]).is_relative_to(folder) for folder in folders)]
    version = subprocess.run([TIDY, "--version"], stdout=subprocess.PIPE, check=True, text=True).stdout
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for name, passed, output in pool.map(lambda entry: check(entry, build, version), entries):
            if not passed:
                failed += 1
                print(f"{name}:\n{output}")
    print(f"clang-tidy: {len(entries) - failed} of {len(entries)} sources are clean")
    return 1 if failed or not entries else 0


if __name__ == "__main__":
    sys.exit(main())
