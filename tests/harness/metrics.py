"""Prometheus' text format 0.0.4, read strictly."""
import math
import re

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"'
SAMPLE = re.compile(rf"({NAME})(?:\{{((?:{LABEL})(?:,{LABEL})*)\}})? ([^ ]+)\Z")
TYPES = {"counter", "gauge", "histogram", "summary", "untyped"}


class MetricsError(AssertionError):
    pass


def parse(text: str):
    """(samples, types): samples maps (name, frozenset of label pairs) to a number, types maps a family to its type."""
    if not text.endswith("\n"):
        raise MetricsError("the last line does not end")
    samples, types, helps = {}, {}, {}
    family, closed = None, set()
    for line in text[:-1].split("\n"):
        if match := re.fullmatch(rf"# HELP ({NAME}) (.+)", line):
            if match[1] in helps:
                raise MetricsError(f"two HELP lines of {match[1]}")
            helps[match[1]] = match[2]
            continue
        if match := re.fullmatch(rf"# TYPE ({NAME}) ([a-z]+)", line):
            if match[1] in types or match[2] not in TYPES:
                raise MetricsError(line)
            types[match[1]] = match[2]
            if family is not None:
                closed.add(family)
            family = match[1]
            continue
        match = SAMPLE.match(line)
        if not match:
            raise MetricsError(f"line {line!r}")
        name, labels, value = match.groups()
        base = name
        if types.get(family) == "histogram":
            base = re.sub(r"_(bucket|sum|count)\Z", "", name)
        if base != family:
            raise MetricsError(f"{name} stands below the TYPE of {family}")
        if base in closed:
            raise MetricsError(f"samples of {base} are not together")
        pairs = frozenset(re.findall(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"', labels or ""))
        if (name, pairs) in samples:
            raise MetricsError(f"twice: {line}")
        samples[name, pairs] = float(value)
        if types[family] == "counter" and (samples[name, pairs] < 0 or math.isnan(samples[name, pairs])):
            raise MetricsError(f"a counter below zero: {line}")
        if types[family] == "counter" and not family.endswith("_total"):
            raise MetricsError(f"a counter's name ends in _total: {family}")
    for name in types:
        if name not in helps:
            raise MetricsError(f"no HELP of {name}")
    return samples, types


def value(samples, name: str, **labels) -> float:
    """The sum of a family's samples whose labels include the given ones."""
    wanted = set(labels.items())
    found = [number for (key, pairs), number in samples.items() if key == name and wanted <= pairs]
    if not found and not any(key == name for key, _ in samples):
        raise MetricsError(f"no metric {name}")
    return sum(found)
