#include "tests/unit/support/fake_source.hpp"

#include <ranged/paging/paged_reader.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <vector>

using ranged::AccessHint;
using ranged::BufferPool;
using ranged::BufferPoolOptions;
using ranged::FileKey;
using ranged::PagedReader;
using ranged::PagingError;
using ranged::PinnedWindow;
using ranged::test::FakeSource;
using ranged::test::is_content;
using ranged::test::ManualExecutor;
using ranged::test::never;
using ranged::test::RecordingWaiter;

namespace {

constexpr std::size_t page_bytes = 4096;

struct Fixture {
  explicit Fixture(std::size_t frames = 64) {
    BufferPoolOptions options;
    options.pool_bytes = frames * page_bytes;
    options.page_bytes = page_bytes;
    options.transit_frames = 4;
    options.huge_pages = false;
    pool = BufferPool::create(options, executor).value();
    reader.emplace(*pool, source, FileKey(source->version()), 1);
  }
  ~Fixture() {
    window.clear();
    executor.run_all();
    const auto now = pool->statistics();
    CHECK(now.pinned_frames == 0);
    CHECK(now.loading_frames == 0);
    CHECK(now.free_frames + now.resident_frames == now.frames);
  }

  /// Gathers and checks every byte; returns the count.
  std::size_t gather(std::uint64_t offset, std::uint64_t length, std::size_t max_bytes, ranged::PageGuard first = {}) {
    const std::size_t before = window.size();
    const std::size_t stretches = window.stretches().size();
    const auto gathered = reader->gather(offset, length, max_bytes, window, std::move(first));
    REQUIRE(gathered.has_value());
    CHECK(window.size() == before + *gathered);
    std::uint64_t at = offset;
    for (const auto stretch : window.stretches().subspan(stretches)) {
      CHECK(is_content(source->seed(), at, stretch));
      at += stretch.size();
    }
    CHECK(at - offset == *gathered);
    return *gathered;
  }

  ManualExecutor executor;
  std::shared_ptr<FakeSource> source = std::make_shared<FakeSource>(1, 1000 * page_bytes + 100);
  std::unique_ptr<BufferPool> pool;
  std::optional<PagedReader> reader;
  PinnedWindow window;
};

}  // namespace

TEST_CASE("a window has exactly the bytes asked for, across pages") {
  Fixture test;
  test.reader->begin(100, 2 * page_bytes);
  CHECK(test.gather(100, 2 * page_bytes, 1 << 20) == 2 * page_bytes);
  CHECK(test.window.stretches().size() == 3);
  test.window.clear();
  CHECK(test.window.size() == 0);
  CHECK(test.pool->statistics().pinned_frames == 0);
}

TEST_CASE("a window is no longer than max_bytes, and further gathers append") {
  Fixture test;
  test.reader->begin(0, 100000);
  CHECK(test.gather(0, 100000, 5000) == 5000);
  CHECK(test.gather(5000, 95000, 5000) == 5000);
  CHECK(test.window.size() == 10000);
}

TEST_CASE("the end of the file ends the window") {
  Fixture test;
  test.reader->begin(999 * page_bytes, page_bytes + 100);
  CHECK(test.gather(999 * page_bytes, page_bytes + 100, 1 << 20) == page_bytes + 100);
}

TEST_CASE("at most four pages are read on the calling thread, resident ones come on top") {
  Fixture test(128);
  test.reader->begin(0, 20 * page_bytes);
  CHECK(test.gather(0, 20 * page_bytes, 1 << 20) == 4 * page_bytes);
  test.window.clear();
  CHECK(test.gather(0, 20 * page_bytes, 1 << 20) == 8 * page_bytes);
  test.window.clear();
  for (int i = 0; i < 3; ++i) {
    test.gather(0, 20 * page_bytes, 1 << 20);
    test.window.clear();
  }
  // No more than fits the window.
  CHECK(test.gather(0, 20 * page_bytes, 1 << 20) == PinnedWindow::max_pages * page_bytes);
  CHECK(test.gather(PinnedWindow::max_pages * page_bytes, 4 * page_bytes, 1 << 20) == 0);
}

TEST_CASE("a little of a page passes through, and the page is loaded when asked for again") {
  Fixture test;
  test.reader->begin(10 * page_bytes + 5, 100);
  CHECK(test.gather(10 * page_bytes + 5, 100, 1 << 20) == 100);
  test.window.clear();
  CHECK(test.pool->statistics().transit_reads == 1);
  CHECK(test.pool->statistics().resident_frames == 0);
  CHECK(test.gather(10 * page_bytes + 5, 100, 1 << 20) == 100);
  test.window.clear();
  CHECK(test.pool->statistics().resident_frames == 1);
  CHECK(test.gather(10 * page_bytes + 5, 100, 1 << 20) == 100);
  CHECK(test.pool->statistics().hits == 1);
  // Half a page and more is loaded at once.
  test.reader->begin(20 * page_bytes, page_bytes / 2);
  CHECK(test.gather(20 * page_bytes, page_bytes / 2, 1 << 20) == page_bytes / 2);
  CHECK(test.pool->statistics().transit_reads == 1);
}

TEST_CASE("a little of a page that is on the disk is read alone, and passes through") {
  Fixture test;
  test.source->set_nowait(FakeSource::Nowait::blocks);
  const std::uint64_t offset = 10 * page_bytes + 5;
  test.reader->begin(offset, 100);
  CHECK(test.gather(offset, 100, 1 << 20) == 0);
  CHECK(test.source->nowait_reads() == 1);  // of the page nothing was asked for
  RecordingWaiter waiter;
  test.reader->wait(offset, waiter, never);
  test.executor.run_all();
  CHECK(waiter.calls() == 1);
  CHECK_FALSE(waiter.guard());
  CHECK(test.pool->statistics().populate_bytes == 100);
  test.source->set_nowait(FakeSource::Nowait::served);
  CHECK(test.gather(offset, 100, 1 << 20) == 100);
  CHECK(test.pool->statistics().transit_reads == 1);
  CHECK(test.pool->statistics().resident_frames == 0);
}

TEST_CASE("bytes that are not in memory after they were read alone come with their page") {
  Fixture test;
  test.source->set_nowait(FakeSource::Nowait::blocks);
  const std::uint64_t offset = 10 * page_bytes + 5;
  test.reader->begin(offset, 100);
  CHECK(test.gather(offset, 100, 1 << 20) == 0);
  RecordingWaiter alone, page;
  test.reader->wait(offset, alone, never);
  test.executor.run_all();
  CHECK_FALSE(alone.guard());
  CHECK(test.gather(offset, 100, 1 << 20) == 0);
  test.reader->wait(offset, page, never);
  test.executor.run_all();
  REQUIRE(page.guard());
  CHECK(test.gather(offset, 100, 1 << 20, std::move(page.guard())) == 100);
  CHECK(test.pool->statistics().populates == 1);
}

TEST_CASE("bytes that could not be read alone, because others pass theirs through, come with their page") {
  Fixture test;
  PagedReader other(*test.pool, test.source, FileKey(test.source->version()), 2);
  PinnedWindow passing;
  for (std::uint64_t page = 100; page < 102; ++page) {
    other.begin(page * page_bytes, 10);
    REQUIRE(other.gather(page * page_bytes, 10, 1 << 20, passing).value() == 10);
  }
  test.source->set_nowait(FakeSource::Nowait::blocks);
  const std::uint64_t offset = 10 * page_bytes + 5;
  test.reader->begin(offset, 100);
  CHECK(test.gather(offset, 100, 1 << 20) == 0);
  // Half of the four transit frames are in use, and the others are not for it: told at once, with nothing.
  RecordingWaiter alone, page;
  test.reader->wait(offset, alone, never);
  test.executor.run_all();
  REQUIRE(alone.calls() == 1);
  CHECK_FALSE(alone.error());
  CHECK_FALSE(alone.guard());
  CHECK(test.source->reads() == 0);
  CHECK(test.gather(offset, 100, 1 << 20) == 0);
  test.reader->wait(offset, page, never);
  test.executor.run_all();
  REQUIRE(page.guard());
  CHECK(test.gather(offset, 100, 1 << 20, std::move(page.guard())) == 100);
  CHECK(test.pool->statistics().populates == 0);
  CHECK(test.pool->statistics().populates_frameless == 1);
  passing.clear();
}

TEST_CASE("a read alone that nobody has waited for yet was not in vain") {
  Fixture test;
  test.source->set_nowait(FakeSource::Nowait::blocks);
  for (std::uint64_t offset = 5; offset < 40 * page_bytes; offset += 10 * page_bytes) {
    test.reader->begin(offset, 100);
    // Asked for twice: first behind what was sent without it.
    CHECK(test.gather(offset, 100, 1 << 20) == 0);
    CHECK(test.gather(offset, 100, 1 << 20) == 0);
    RecordingWaiter waiter;
    test.reader->wait(offset, waiter, never);
    test.executor.run_all();
    CHECK(waiter.calls() == 1);
  }
  CHECK(test.pool->statistics().populates == 4);
  CHECK(test.pool->statistics().loads == 0);
}

TEST_CASE("what passes by is read once, in bounds, and where its source can tell what is in memory") {
  Fixture test;
  CHECK_FALSE(test.reader->pass_by(0, BufferPool::max_populate_bytes + 1));
  CHECK(test.reader->pass_by(0, BufferPool::max_populate_bytes));
  CHECK(test.reader->pass_by(1, 10));
  // Who waits for another offset than was named waits for its page.
  RecordingWaiter waiter;
  test.reader->wait(5 * page_bytes, waiter, never);
  test.executor.run_all();
  CHECK(waiter.guard());
  waiter.guard().release();
  CHECK(test.pool->statistics().populates == 0);
  // In vain once, in vain always: of this file, to this stream.
  CHECK_FALSE(test.reader->pass_by(1, 10));
  CHECK_FALSE(test.reader->pass_by(2, 10));
  test.reader.emplace(*test.pool, test.source, FileKey(test.source->version()), 2);
  CHECK(test.reader->pass_by(2, 10));
  test.source->set_nowait(FakeSource::Nowait::unsupported);
  test.reader->begin(20 * page_bytes, 100);
  CHECK(test.gather(20 * page_bytes, 100, 1 << 20) == 0);
  CHECK_FALSE(test.reader->pass_by(20 * page_bytes, 100));
}

TEST_CASE("what is not in memory is waited for, and readahead goes on from there") {
  Fixture test;
  test.source->set_nowait(FakeSource::Nowait::blocks);
  const std::uint64_t length = 12 * page_bytes;
  test.reader->begin(0, length);
  std::uint64_t offset = 0;
  std::size_t waits = 0;
  ranged::PageGuard first;
  while (offset < length) {
    const std::size_t gathered = test.gather(offset, length - offset, 1 << 20, std::move(first));
    test.window.clear();
    offset += gathered;
    if (gathered > 0) continue;
    ++waits;
    RecordingWaiter waiter;
    test.reader->wait(offset, waiter, never);
    test.executor.run_all();
    REQUIRE(waiter.guard());
    first = std::move(waiter.guard());
  }
  CHECK(offset == length);
  // Each window is loaded while the one before it is sent: the reader waits once for each of the windows here, since
  // nothing runs meanwhile.
  CHECK(waits <= 5);
  const auto now = test.pool->statistics();
  CHECK(now.prefetches == 11);
  CHECK(now.prefetches_used == 11);
  CHECK(test.pool->statistics().resident_frames == 12);
}

TEST_CASE("readahead ends where the announced stretch ends") {
  Fixture test;
  test.source->set_nowait(FakeSource::Nowait::blocks);
  test.reader->begin(0, 2 * page_bytes);
  RecordingWaiter waiter;
  test.reader->wait(0, waiter, never);
  test.executor.run_all();
  waiter.guard().release();
  CHECK(test.pool->statistics().resident_frames == 2);
}

TEST_CASE("a source without NOWAIT is asked once") {
  Fixture test;
  test.source->set_nowait(FakeSource::Nowait::unsupported);
  test.reader->begin(0, 10 * page_bytes);
  CHECK(test.gather(0, 10 * page_bytes, 1 << 20) == 0);
  CHECK(test.gather(0, 10 * page_bytes, 1 << 20) == 0);
  CHECK(test.gather(0, 10, 1 << 20) == 0);
  CHECK(test.source->nowait_reads() == 1);
  CHECK(test.pool->statistics().nowait_unsupported == 1);
}

TEST_CASE("a wait can be cancelled") {
  Fixture test;
  RecordingWaiter waiter;
  test.reader->begin(0, 10);
  test.reader->wait(0, waiter, never);
  CHECK(test.reader->cancel(waiter));
  test.executor.run_all();
  CHECK(waiter.calls() == 0);
}

TEST_CASE("errors come when nothing was gathered, and only then") {
  Fixture test;
  const boost::system::error_code io_error(EIO, boost::system::system_category());
  test.source->fail(2 * page_bytes, 3 * page_bytes, io_error);
  test.reader->begin(0, 10 * page_bytes);
  CHECK(test.gather(0, 10 * page_bytes, 1 << 20) == 2 * page_bytes);
  CHECK(test.reader->gather(2 * page_bytes, 8 * page_bytes, 1 << 20, test.window).error() == io_error);
  CHECK(test.window.size() == 2 * page_bytes);
  CHECK(test.reader->gather(2 * page_bytes, 10, 1 << 20, test.window).error() == io_error);
  test.source->change();
  CHECK(test.reader->gather(5 * page_bytes, page_bytes, 1 << 20, test.window).error() == PagingError::stale_version);
  CHECK(test.reader->gather(2000 * page_bytes, 10, 1 << 20, test.window).error() == PagingError::stale_version);
}

TEST_CASE("what was passed through is of the file's version when it is confirmed") {
  Fixture test;
  test.reader->begin(0, 10);
  CHECK_FALSE(test.reader->confirm(test.window));
  CHECK(test.gather(0, 10, 1 << 20) == 10);
  CHECK(test.gather(3 * page_bytes, 10, 1 << 20) == 10);
  CHECK_FALSE(test.reader->confirm(test.window));
  CHECK(test.pool->statistics().transit_reads == 2);
  CHECK(test.gather(5 * page_bytes, 10, 1 << 20) == 10);
  test.source->change();
  CHECK(test.reader->confirm(test.window) == PagingError::stale_version);
  CHECK(test.reader->confirm(test.window) == PagingError::stale_version);
  test.window.clear();
  CHECK_FALSE(test.reader->confirm(test.window));  // nothing is left to be used
}

TEST_CASE("a read of more than a quarter of the pool is a scan") {
  Fixture test(64);
  const std::uint64_t quarter = test.pool->frame_count() * page_bytes / 4;
  test.reader->begin(0, quarter);
  CHECK(test.reader->hint() == AccessHint::point);
  test.reader->begin(0, quarter + 1);
  CHECK(test.reader->hint() == AccessHint::scan);
}

TEST_CASE("a scan of ten times the pool through a reader leaves others' pages") {
  Fixture test(64);
  PagedReader other(*test.pool, test.source, FileKey(test.source->version()), 2);
  for (std::uint64_t page = 900; page < 945; ++page) {
    PinnedWindow window;
    other.begin(page * page_bytes, page_bytes);
    REQUIRE(other.gather(page * page_bytes, page_bytes, 1 << 20, window).value() == page_bytes);
  }
  const std::uint64_t length = 640 * page_bytes;
  test.reader->begin(0, length);
  for (std::uint64_t offset = 0; offset < length;) {
    const std::size_t gathered = test.gather(offset, length - offset, 1 << 20);
    REQUIRE(gathered > 0);
    test.window.clear();
    offset += gathered;
  }
  std::size_t left = 0;
  for (std::uint64_t page = 900; page < 945; ++page) {
    if (test.pool->try_pin({test.reader->file(), page}, 3, AccessHint::scan)) ++left;
  }
  CHECK(left >= 41);
}
