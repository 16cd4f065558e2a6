"""Bounds every test in time: one that waits for what never comes fails with its own traceback instead of hanging the run."""
import signal

import pytest


class TookTooLong(BaseException):
    """Not an Exception, so that no test's own handling can swallow it."""


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item):
    marker = item.get_closest_marker("bound")
    seconds = marker.args[0] if marker else 60

    def expire(_signal, _frame):
        raise TookTooLong(f"{item.nodeid} took more than {seconds} s")

    before = signal.signal(signal.SIGALRM, expire)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
