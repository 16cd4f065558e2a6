"""Holds README.md to the truth.

    pytest tests/tools/readme_examples.py              runs its examples and compares its table and quotation
    python3 tests/tools/readme_examples.py --write     writes the table and the quotation

An example is a fenced block of `sh example`; the fenced block of `text` right after it is what it prints.
"""
import json
import os
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
ADDRESS = "127.0.0.1:8080"
EXAMPLE = re.compile(r"^```sh example\n(.*?)^```\n```text\n(.*?)^```$", re.M | re.S)
SETTINGS = re.compile(r"(<!-- settings: .*?-->\n)(.*?)(<!-- end of settings -->)", re.S)
QUOTE = re.compile(r"(<!-- quote (\S+): .*?-->\n)(.*?)(<!-- end of quote -->)", re.S)


def examples():
    found = EXAMPLE.findall(README.read_text())
    assert len(found) == README.read_text().count("```sh example"), "an example has no output after it"
    return found


def table(schema):
    """The settings as the schema tells them, but for $schema itself."""
    rows = ["| setting | default | what |", "|---|---|---|"]
    for key, about in schema["properties"].items():
        if key == "$schema":
            continue
        default = about["default"]
        if isinstance(default, list):
            default = default[0] if default else ""
        shown = f"`{default if isinstance(default, str) else json.dumps(default)}`" if default != "" else "none"
        description = about["description"].replace("|", "\\|").replace("<", "&lt;")
        if "enum" in about:
            description += f" ({', '.join(about['enum'])})"
        rows.append(f"| `{key}` | {shown} | {description} |")
    return "\n".join(rows) + "\n"


def quotation(name):
    return f"```cpp\n{(ROOT / name).read_text()}```\n"


def write():
    text = README.read_text()
    schema = json.loads((ROOT / "config/ranged.schema.json").read_text())
    text = SETTINGS.sub(lambda match: match[1] + table(schema) + match[3], text)
    text = QUOTE.sub(lambda match: match[1] + quotation(match[2]) + match[4], text)
    README.write_text(text)


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    from harness.daemon import Daemon

    directory = tmp_path_factory.mktemp("readme") / "sample"
    subprocess.run([ROOT / "server/run", "--sample", directory], check=True)
    with Daemon(directory) as daemon:
        yield daemon


@pytest.mark.parametrize("commands, output", examples(), ids=lambda text: text.split("\n")[-2][:60])
def test_example(served, commands, output):
    assert ADDRESS in commands
    commands = commands.replace(ADDRESS, served.host)
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", commands], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          check=False, text=True, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (0, output, "")


def test_settings_are_those_of_the_daemon():
    from harness.daemon import run_to_end

    schema = json.loads(run_to_end("--print-config-schema").stdout)
    assert SETTINGS.search(README.read_text())[2] == table(schema)


def test_every_flag_of_the_help_is_in_the_readme():
    from harness.daemon import run_to_end

    flags = set(re.findall(r"(?<![\w-])--([a-z-]+)", run_to_end("--help").stdout))
    text = README.read_text()
    rows = set(re.findall(r"^\| `(\w+)` \|", text, re.M))
    manual = (ROOT / "config/ranged.1").read_text().replace("\\-", "-")
    for flag in flags:
        # Singular on the command line, where a list is given one at a time.
        known = {flag.replace("-", "_"), flag.replace("-", "_") + "s"} & rows
        assert known or f"--{flag}" in text or f"--{flag}" in manual, flag


def test_quotations_are_verbatim():
    quotes = QUOTE.findall(README.read_text())
    assert quotes
    for _, name, text, _ in quotes:
        assert text == quotation(name), name


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)", README.read_text()))))
def test_links_lead_somewhere(link):
    assert (ROOT / link).exists()


def test_anchors_are_headings():
    text = README.read_text()
    headings = {re.sub(r"[^a-z0-9 -]", "", line.lower()).replace(" ", "-") for line in re.findall(r"^#+ (.*)$", text, re.M)}
    for anchor in re.findall(r"\]\(#([^)]+)\)", text):
        assert anchor in headings


@pytest.mark.parametrize("command", sorted(set(re.findall(r"`tests/run ([^`]+)`", README.read_text()))))
def test_commands_of_tests_run_exist(command):
    # --help is read last, so that the rest is judged and nothing is run.
    done = subprocess.run([ROOT / "tests/run", *command.split(), "--help"], stdout=subprocess.PIPE, check=False, text=True)
    assert done.returncode == 0


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit(__doc__)
    os.chdir(ROOT)
    write()
