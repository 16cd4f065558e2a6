"""ffmpeg and ffprobe: a film whose index is at its end, and seeking in it."""
import json

import pytest

from clients.conftest import MIB, run


@pytest.fixture(scope="module")
def film(site):
    """30 s of noise that does not compress, so that the index is far from the start."""
    path = site.root / "film.mp4"
    run("ffmpeg", "-nostdin", "-v", "error", "-f", "lavfi", "-i", "testsrc2=duration=30:size=640x360:rate=10,noise=c0s=60:c0f=t", "-c:v", "mpeg4",
        "-q:v", "2", "-g", "20", path)
    data = path.read_bytes()
    assert data.index(b"moov") > data.index(b"mdat") and len(data) > 12 * MIB
    return path


def test_the_index_at_the_end(site, film):
    """Opened at 0, then straight to the end: the film itself is not fetched."""
    site.mark()
    done = run("ffprobe", "-v", "error", "-of", "json", "-show_format", "-show_streams", site.url("film.mp4"))
    local = run("ffprobe", "-v", "error", "-of", "json", "-show_format", "-show_streams", film)
    remote, at_home = json.loads(done.stdout), json.loads(local.stdout)
    assert remote["streams"] == at_home["streams"]
    assert {**remote["format"], "filename": ""} == {**at_home["format"], "filename": ""}
    records = site.requests("film.mp4")
    size = film.stat().st_size
    assert all(record["status"] == 206 for record in records), records
    assert any(record["range_first"] > size // 2 for record in records)
    assert any(record["end"] == "left" for record in records), "it leaves a transfer when it seeks"


@pytest.mark.parametrize("second", [0, 7, 29])
def test_seeking(site, film, second):
    """The frame there is the one of the local file, by its hash; and most of the film stays where it is."""
    def frame(source):
        return run("ffmpeg", "-nostdin", "-v", "error", "-ss", second, "-i", source, "-frames:v", 1, "-f", "framemd5", "-").stdout
    site.mark()
    assert frame(site.url("film.mp4")) == frame(film)
    records = site.requests("film.mp4")
    assert all(record["status"] == 206 for record in records), records
    if second > 1:
        assert len({record["range_first"] for record in records}) >= 3  # the start, the index, the frame


def test_all_of_it(site, film):
    def all_frames(source):
        return run("ffmpeg", "-nostdin", "-v", "error", "-i", source, "-f", "framemd5", "-").stdout
    assert all_frames(site.url("film.mp4")) == all_frames(film)
