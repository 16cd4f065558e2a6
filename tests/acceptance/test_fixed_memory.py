"""Law 1: the memory is fixed at the start, whatever is asked for and by however many."""
import pathlib
import sys

import pytest

from harness.daemon import Daemon
from acceptance.support import MIB, Crew, hold_idle, read_randomly


@pytest.mark.figures
@pytest.mark.bound(120)
def test_peak_memory_of_500_readers_of_a_big_file(big):
    connections, pool_mib = 500, 16
    with Daemon(big.root, options=["--pool-size", f"{pool_mib}MiB"]) as daemon:
        daemon.reset_peak()
        with Crew(read_randomly, daemon.address, "/files/big.bin", big.size, connections, MIB, 6) as crew:
            responses = crew.receive(100)
            peak = daemon.status_kib("VmHWM")
            assert daemon.metric("ranged_connections") >= connections
            crew.tell()
        limit = (pool_mib + 16) * 1024 + 16 * connections
        print(f"\npeak {peak} KiB of {limit} KiB allowed; {responses} ranges of 1 MiB")
        assert responses >= connections
        assert peak <= limit
        daemon.wait_until_unpinned()


@pytest.mark.figures
@pytest.mark.bound(120)
def test_memory_of_an_idle_connection(big):
    connections = 9900
    with Daemon(big.root, options=["--idle-timeout", "10m", "--max-connections", "9990"]) as daemon:
        # What the process keeps for good once it has served some (code, allocator arenas) is not the connections'.
        with Crew(hold_idle, daemon.address, "/files/big.bin", 50) as crew:
            crew.receive()
            before = daemon.status_kib("VmRSS")
            crew.tell()
        with Crew(hold_idle, daemon.address, "/files/big.bin", connections) as crew:
            crew.receive(100)
            after = daemon.status_kib("VmRSS")
            assert daemon.metric("ranged_connections") >= connections
            crew.tell()
        each = (after - before) * 1024 / (connections - 50)
        print(f"\n{connections} idle connections: {each:.0f} bytes each")
        assert each <= 4096


def test_every_byte_of_a_file_passes_through_a_frame():
    """Unless the operator allows it, pages of the page cache are not lent to sockets, where they would change with the file (law 5)."""
    program = pathlib.Path(sys.executable).resolve()  # large, and not changed for as long as it is installed
    with Daemon(program, options=["--sendfile=false"]) as daemon:
        whole = daemon.get("/files/" + program.name)
        assert whole.body == program.read_bytes() and len(whole.body) > MIB
        ranges = daemon.get("/files/" + program.name, ("Range", "bytes=0-99999,200000-399999"))
        assert ranges.status == 206
        assert daemon.metric("ranged_http_response_bytes_total", path="sendfile") == 0
