"""Files and helpers of the acceptance tests: a big file of every byte, made once and removed at the end."""
import dataclasses
import pathlib

import pytest

from harness import content
from acceptance.support import GIB, is_instrumented

BIG_SIZE = 5 * GIB // 2 + 4097


@dataclasses.dataclass
class BigFile:
    root: pathlib.Path
    path: pathlib.Path
    size: int


def pytest_configure(config):
    config.addinivalue_line("markers", "figures: weighs memory, time or allocations, which a sanitizer's are not the daemon's; "
                                       "not run with one")


def pytest_collection_modifyitems(config, items):
    unfit = [item for item in items if item.get_closest_marker("figures")] if is_instrumented() else []
    if unfit:
        config.hook.pytest_deselected(items=unfit)
        items[:] = [item for item in items if item not in unfit]


@pytest.fixture(scope="session")
def big(tmp_path_factory):
    """A file of 2.5 GiB without a hole, as the tests of bytes, memory and stalls want one that no cache of ours holds."""
    root = tmp_path_factory.mktemp("big") / "served"
    root.mkdir()
    path = root / "big.bin"
    content.write_pattern(path, BIG_SIZE)
    yield BigFile(root, path, BIG_SIZE)
    path.unlink()
