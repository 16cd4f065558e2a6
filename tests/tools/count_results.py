#!/usr/bin/python3
"""Counts the tests in what the runners wrote, and prints "PASSED FAILED SKIPPED", then a line for each failure.

    count_results.py junit FILE     pytest, vitest and Playwright with a JUnit report
    count_results.py ctest FILE     the output of ctest -V; the cases of doctest executables are counted one by one
"""
import re
import sys
import xml.etree.ElementTree

# "12: [doctest] test cases:  5 |  4 passed | 1 failed | 0 skipped", as ctest -V marks the lines of test 12
CASES = re.compile(r"^(\d+): \[doctest\] test cases:\s*\d+ \|\s*(\d+) passed \|\s*(\d+) failed \|")
# " 3/10 Test #12: unit_paging ......   Passed    0.51 sec"; "***Failed", "***Timeout", "***Exception: SegFault", "***Not Run"
RESULT = re.compile(r"^\s*\d+/\d+ Test\s+#(\d+): (\S+) \.*\s*(\*\*\*.*|Passed)")


def count_junit(text):
    passed, failures, skipped = 0, [], 0
    for case in xml.etree.ElementTree.fromstring(text).iter("testcase"):
        outcomes = {child.tag for child in case}
        name = f"{case.get('classname', '')} {case.get('name', '')}".strip()
        if outcomes & {"failure", "error"}:
            failures.append(name)
        elif "skipped" in outcomes:
            skipped += 1
        else:
            passed += 1
    return passed, failures, skipped


def count_ctest(text):
    cases = {}
    passed, failures, skipped = 0, [], 0
    for line in text.splitlines():
        if match := CASES.match(line):
            cases[match[1]] = int(match[2]), int(match[3])
        elif match := RESULT.match(line):
            number, name, outcome = match.groups()
            cases_passed, cases_failed = cases.get(number, (0, 0))
            passed += cases_passed
            if outcome == "Passed":
                passed += number not in cases
            elif outcome.startswith("***Skipped"):
                skipped += 1
            else:
                # A crash or a sanitizer's report fails an executable without failing a case of it.
                failures += [f"{name} ({outcome.strip('* ')})"] * max(1, cases_failed)
    return passed, failures, skipped


def main():
    kind, path = sys.argv[1:]
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read()
        passed, failures, skipped = {"junit": count_junit, "ctest": count_ctest}[kind](text)
    except (OSError, xml.etree.ElementTree.ParseError) as error:
        passed, failures, skipped = 0, [f"no results: {error}"], 0
    print(passed, len(failures), skipped)
    print("\n".join(dict.fromkeys(failures)))


if __name__ == "__main__":
    main()
