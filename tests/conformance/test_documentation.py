"""README.md names tests as its evidence: each must be there, and each must be one that can run."""
import pathlib
import re

import pytest

FOLDER = pathlib.Path(__file__).parent
TEXT = (FOLDER / "README.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(test_\w+\.py)::(test_\w+)`", TEXT)))


def test_tests_are_named():
    assert len(NAMED) >= 60
    assert TEXT.count("::test_") == len(re.findall(r"`test_\w+\.py::test_\w+`", TEXT)), "a name that is not well-formed"


@pytest.mark.parametrize("file, name", NAMED, ids=lambda value: value)
def test_it_exists(file, name):
    assert re.search(rf"^def {name}\(", (FOLDER / file).read_text(encoding="utf-8"), re.M), f"{file} has no {name}"


def test_every_row_names_a_test():
    """But for the heads of the tables."""
    rows = [line for line in TEXT.splitlines() if line.startswith("| ") and not line.startswith(("| clause ", "| case "))]
    assert len(rows) >= 70
    for row in rows:
        assert row.count("|") == 4, row
        assert "::test_" in row, row


def test_the_number_of_payloads_is_right():
    from conformance.hostile.payloads import ALL, COMPARED
    assert f"{len(ALL)} payloads" in TEXT
    assert f"{len(COMPARED)} payloads" in (FOLDER / "hostile/DIFFERENCES.md").read_text(encoding="utf-8")
