"""A client of the streams of records: reads chunks as they come, and knows when each did."""
import http.client
import json
import time
import urllib.parse


class Stream:
    """One scan: `records` so far, each with the time at which it came, in seconds from the request on."""

    def __init__(self, daemon, address, **query):
        self.began = time.monotonic()
        self.connection = http.client.HTTPConnection(*daemon.address, timeout=60)
        self.connection.request("GET", f"/{address}?{urllib.parse.urlencode(query)}")
        self.response = self.connection.getresponse()
        self.status = self.response.status
        self.records, self.times = [], []

    def next(self):
        """The next record, or None at the end."""
        line = self.response.readline()
        if not line:
            return None
        self.records.append(json.loads(line))
        self.times.append(time.monotonic() - self.began)
        return self.records[-1]

    def all(self):
        while self.next() is not None:
            pass
        self.connection.close()
        return self.records

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()


def scan(daemon, address, **query):
    """All records of a scan that is answered 200 and comes to its end."""
    with Stream(daemon, address, **query) as stream:
        assert stream.status == 200, stream.response.read()
        assert stream.response.getheader("Content-Type") == "application/x-ndjson"
        records = stream.all()
    assert records[0]["type"] == "begin" and records[0]["etag"], records[0]
    assert records[-1]["type"] == "end", records[-1]
    return records


def complete(daemon, address, **query):
    """The records between begin and end, progress left out, and the end."""
    records = scan(daemon, address, **query)
    assert records[-1]["status"] == "complete", records[-1]
    return [record for record in records[1:-1] if record["type"] != "progress"], records[-1]
