"""Files whose every byte follows from its offset and the file's version, so that any answer can be checked without a copy.

The pattern repeats with a prime period, which shares no factor with any page size: bytes of a wrong page differ from the
right ones unless the pages lie a multiple of PERIOD pages apart (64 GiB with pages of 64 KiB). Making and checking it costs a
memory copy.
"""
import hashlib
import os

PERIOD = 1048573  # the greatest prime below 2^20

_tables: dict[int, bytes] = {}


def _table(version: int) -> bytes:
    """Two periods of a version's pattern, so that any stretch of up to one period is one slice."""
    if version not in _tables:
        once = hashlib.shake_128(b"version %d" % version).digest(PERIOD)
        _tables[version] = once + once
    return _tables[version]


def expected(offset: int, length: int, version: int = 0) -> bytes:
    """The bytes of a pattern file in [offset, offset + length)."""
    table = _table(version)
    start = offset % PERIOD
    if length <= PERIOD:
        return table[start:start + length]
    pieces = [table[start:PERIOD]]
    left = length - len(pieces[0])
    pieces += [table[:PERIOD]] * (left // PERIOD)
    pieces.append(table[:left % PERIOD])
    return b"".join(pieces)


def first_difference(got: bytes, offset: int, version: int = 0) -> int | None:
    """The file offset of the first byte of `got` that is not the pattern's, or None."""
    want = expected(offset, len(got), version)
    if got == want:
        return None
    return offset + next(i for i, (a, b) in enumerate(zip(got, want)) if a != b)


def write_pattern(path, size: int, version: int = 0, offset: int = 0) -> None:
    """Writes a pattern file whole, a few MiB at a time."""
    with open(path, "wb") as file:
        write_into(file.fileno(), offset, size, version)


def write_into(descriptor: int, offset: int, length: int, version: int = 0) -> None:
    """Writes the pattern into [offset, offset + length) of an open file."""
    end = offset + length
    while offset < end:
        step = min(4 << 20, end - offset)
        data = memoryview(expected(offset, step, version))
        while data:
            written = os.pwrite(descriptor, data, offset)
            data = data[written:]
            offset += written


class SparseFile:
    """A file of any size that is zero but for islands of the pattern."""

    def __init__(self, path, size: int, island_starts, island_length: int, version: int = 0):
        self.path = path
        self.size = size
        self.version = version
        self.islands = []
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            os.ftruncate(descriptor, size)
            for start in sorted(set(island_starts)):
                start = max(0, start)
                if self.islands and start < self.islands[-1][1]:
                    start = self.islands[-1][1]
                end = min(size, start + island_length)
                if end > start:
                    write_into(descriptor, start, end - start, version)
                    self.islands.append((start, end))
        finally:
            os.close(descriptor)

    def expected(self, offset: int, length: int) -> bytes:
        length = min(length, self.size - offset)
        out = bytearray(length)
        for start, end in self.islands:
            low, high = max(start, offset), min(end, offset + length)
            if low < high:
                out[low - offset:high - offset] = expected(low, high - low, self.version)
        return bytes(out)
