#include "tests/unit/support/fake_source.hpp"

#include <ranged/paging/buffer_pool.hpp>

#include <doctest/doctest.h>

#include <cerrno>
#include <memory>
#include <thread>
#include <vector>

using ranged::AccessHint;
using ranged::BufferPool;
using ranged::BufferPoolOptions;
using ranged::FileKey;
using ranged::PageGuard;
using ranged::PageId;
using ranged::PagingError;
using ranged::StorageError;
using ranged::test::FakeSource;
using ranged::test::is_content;
using ranged::test::ManualExecutor;
using ranged::test::never;
using ranged::test::RecordingWaiter;

namespace {

constexpr std::size_t page_bytes = 4096;
/// A source with it is bound by no disk's share.
constexpr std::uint64_t no_device = 0;
const boost::system::error_code io_error(EIO, boost::system::system_category());

BufferPoolOptions small_options(std::size_t frames) {
  BufferPoolOptions options;
  options.pool_bytes = frames * page_bytes;
  options.page_bytes = page_bytes;
  options.max_loads = 4;
  options.max_waiters = 64;
  options.transit_frames = 0;
  options.huge_pages = false;
  return options;
}

/// A pool and a file of 100 and a bit pages; on destruction no pin, load or waiter may be left and all frames must be
/// accounted for.
struct Fixture {
  explicit Fixture(BufferPoolOptions options = small_options(8))
      : pool(BufferPool::create(options, executor).value()) {}
  ~Fixture() {
    executor.refuse(false);
    executor.run_all();
    const auto now = pool->statistics();
    CHECK(now.pinned_frames == 0);
    CHECK(now.loading_frames == 0);
    CHECK(now.loads_in_flight == 0);
    CHECK(now.waiters == 0);
    CHECK(now.free_frames + now.resident_frames == now.frames);
  }

  [[nodiscard]] PageId page(std::uint64_t number) const { return {FileKey(source->version()), number}; }
  void ask(std::uint64_t number, RecordingWaiter& waiter, ranged::StreamId stream = 1) {
    pool->pin_or_wait(source, page(number), stream, AccessHint::point, waiter, never);
  }
  /// Has the page loaded, unpinned.
  void load(std::uint64_t number, ranged::StreamId stream = 1, AccessHint hint = AccessHint::point) {
    REQUIRE(pool->try_load(source, page(number), stream, hint).has_value());
  }
  [[nodiscard]] bool resident(std::uint64_t number) const {
    // As a scan: that leaves no trace.
    return static_cast<bool>(pool->try_pin(page(number), 1, AccessHint::scan));
  }

  ManualExecutor executor;
  std::shared_ptr<FakeSource> source = std::make_shared<FakeSource>(1, 100 * page_bytes + 1000);
  std::unique_ptr<BufferPool> pool;
};

}  // namespace

TEST_CASE("impossible options are refused") {
  ManualExecutor executor;
  const auto refused = [&](auto change) {
    BufferPoolOptions options = small_options(8);
    change(options);
    const auto pool = BufferPool::create(options, executor);
    return !pool && pool.error() == PagingError::invalid_options;
  };
  CHECK_FALSE(refused([](auto&) {}));
  CHECK(refused([](auto& options) { options.page_bytes = 0; }));
  CHECK(refused([](auto& options) { options.page_bytes = 2048; }));
  CHECK(refused([](auto& options) { options.page_bytes = 12288; }));
  CHECK(refused([](auto& options) { options.page_bytes = 8 << 20; }));
  CHECK(refused([](auto& options) { options.pool_bytes = 3 * page_bytes; }));
  CHECK(refused([](auto& options) { options.pool_bytes = 0; }));
  CHECK(refused([](auto& options) { options.max_loads = 0; }));
  CHECK(refused([](auto& options) { options.max_waiters = 0; }));
}

TEST_CASE("the pool has the frames that fit, those for transit reads among them") {
  ManualExecutor executor;
  BufferPoolOptions options = small_options(64);
  options.pool_bytes += 100;
  options.transit_frames = 3;
  CHECK(BufferPool::create(options, executor).value()->frame_count() == 61);
  options.transit_frames = 1000;
  CHECK(BufferPool::create(options, executor).value()->frame_count() == 56);
}

TEST_CASE("a miss is read on the executor and given pinned") {
  Fixture test;
  RecordingWaiter waiter;
  CHECK_FALSE(test.pool->try_pin(test.page(3), 1, AccessHint::point));
  test.ask(3, waiter);
  CHECK(waiter.calls() == 0);
  CHECK(test.pool->statistics().loading_frames == 1);
  CHECK_FALSE(test.pool->try_pin(test.page(3), 1, AccessHint::point));
  test.executor.run_all();
  REQUIRE(waiter.calls() == 1);
  REQUIRE(waiter.guard());
  CHECK(waiter.guard().bytes().size() == page_bytes);
  CHECK(is_content(1, 3 * page_bytes, waiter.guard().bytes()));
  CHECK(test.pool->statistics().pinned_frames == 1);
  waiter.guard().release();
  const PageGuard again = test.pool->try_pin(test.page(3), 1, AccessHint::point);
  REQUIRE(again);
  CHECK(is_content(1, 3 * page_bytes, again.bytes()));
}

TEST_CASE("a resident page is given at once") {
  Fixture test;
  test.load(0);
  RecordingWaiter waiter;
  test.ask(0, waiter);
  CHECK(waiter.calls() == 1);
  CHECK(waiter.guard());
  CHECK(test.executor.size() == 0);
  waiter.guard().release();
}

TEST_CASE("the last page is as long as the file, and there is none behind it") {
  Fixture test;
  const auto last = test.pool->try_load(test.source, test.page(100), 1, AccessHint::point);
  REQUIRE(last.has_value());
  CHECK(last->bytes().size() == 1000);
  CHECK(is_content(1, 100 * page_bytes, last->bytes()));
  for (const std::uint64_t beyond : {std::uint64_t{101}, std::uint64_t{1} << 52, ~std::uint64_t{0}}) {
    CHECK(test.pool->try_load(test.source, test.page(beyond), 1, AccessHint::point).error() ==
          PagingError::stale_version);
    RecordingWaiter waiter;
    test.ask(beyond, waiter);
    CHECK(waiter.error() == PagingError::stale_version);
  }
}

TEST_CASE("try_load reads what takes no wait, and leaves the rest to the executor") {
  Fixture test;
  auto loaded = test.pool->try_load(test.source, test.page(1), 1, AccessHint::point);
  REQUIRE(loaded.has_value());
  CHECK(is_content(1, page_bytes, loaded->bytes()));
  CHECK(test.source->reads() == 0);

  test.source->set_nowait(FakeSource::Nowait::blocks);
  CHECK(test.pool->try_load(test.source, test.page(2), 1, AccessHint::point).error() == PagingError::would_block);
  test.source->set_nowait(FakeSource::Nowait::unsupported);
  CHECK(test.pool->try_load(test.source, test.page(2), 1, AccessHint::point).error() ==
        StorageError::nowait_unsupported);
  // Half of the page is in the page cache.
  test.source->set_nowait(FakeSource::Nowait::served);
  test.source->set_most(page_bytes / 2);
  test.source->cache_until(2 * page_bytes + page_bytes / 2);
  CHECK(test.pool->try_load(test.source, test.page(2), 1, AccessHint::point).error() == PagingError::would_block);
  const auto now = test.pool->statistics();
  CHECK(now.nowait_loads == 1);
  CHECK(now.nowait_would_block == 2);
  CHECK(now.nowait_unsupported == 1);
  CHECK(now.loading_frames == 0);
}

TEST_CASE("short reads are put together") {
  Fixture test(small_options(16));
  test.source->set_most(1000);
  test.load(5);
  RecordingWaiter waiter;
  test.ask(6, waiter);
  test.executor.run_all();
  REQUIRE(waiter.guard());
  CHECK(is_content(1, 6 * page_bytes, waiter.guard().bytes()));
  waiter.guard().release();
  test.pool->prefetch(test.source, test.page(98), 3, 1, AccessHint::point);
  test.executor.run_all();
  for (const std::uint64_t number : {98U, 99U, 100U}) {
    const PageGuard page = test.pool->try_pin(test.page(number), 1, AccessHint::point);
    REQUIRE(page);
    CHECK(is_content(1, number * page_bytes, page.bytes()));
  }
}

TEST_CASE("a thousand who miss one page share one read") {
  BufferPoolOptions options = small_options(8);
  options.max_waiters = 1000;
  Fixture test(options);
  std::vector<RecordingWaiter> waiters(1000);
  for (RecordingWaiter& waiter : waiters) test.ask(7, waiter);
  CHECK(test.executor.size() == 1);
  CHECK(test.pool->statistics().joined == 999);
  test.executor.run_all();
  CHECK(test.source->reads() == 1);
  for (RecordingWaiter& waiter : waiters) {
    REQUIRE(waiter.calls() == 1);
    REQUIRE(waiter.guard());
    waiter.guard().release();
  }
}

TEST_CASE("one waiter too many is refused") {
  BufferPoolOptions options = small_options(8);
  options.max_waiters = 2;
  Fixture test(options);
  RecordingWaiter waiters[3];
  for (RecordingWaiter& waiter : waiters) test.ask(7, waiter);
  CHECK(waiters[2].error() == PagingError::overloaded);
  CHECK(waiters[1].calls() == 0);
  CHECK(test.pool->statistics().waits_refused == 1);
  test.executor.run_all();
  for (RecordingWaiter& waiter : waiters) waiter.guard().release();
}

TEST_CASE("with all frames pinned, waiters are served in order as frames are unpinned") {
  Fixture test(small_options(4));
  std::vector<PageGuard> pins;
  for (std::uint64_t number = 0; number < 4; ++number) {
    pins.push_back(*test.pool->try_load(test.source, test.page(number), 1, AccessHint::point));
  }
  std::vector<int> order;
  RecordingWaiter first(order, 1), second(order, 2), third(order, 3), also_first(order, 4);
  test.ask(10, first);
  test.ask(11, second);
  test.ask(12, third);
  test.ask(10, also_first);
  CHECK(test.executor.size() == 0);
  CHECK(test.pool->try_load(test.source, test.page(20), 1, AccessHint::point).error() == PagingError::would_block);

  pins[2].release();
  CHECK(test.executor.size() == 1);
  // Nobody overtakes those who wait, and one load serves both who want page 10.
  test.executor.run_all();
  CHECK(order == std::vector{1, 4});
  CHECK_FALSE(test.resident(2));
  first.guard().release();
  CHECK(test.executor.size() == 0);
  also_first.guard().release();
  test.executor.run_all();
  CHECK(order == std::vector{1, 4, 2});
  pins.clear();
  test.executor.run_all();
  CHECK(order == std::vector{1, 4, 2, 3});
  CHECK(test.source->reads() == 3);
  for (RecordingWaiter* waiter : {&second, &third}) waiter->guard().release();
}

TEST_CASE("loads in flight are bounded, and the next begin as others end") {
  Fixture test;
  test.source = std::make_shared<FakeSource>(1, 100 * page_bytes, no_device);
  std::vector<int> order;
  std::vector<std::unique_ptr<RecordingWaiter>> waiters;
  for (int i = 0; i < 7; ++i) {
    waiters.push_back(std::make_unique<RecordingWaiter>(order, i));
    test.ask(static_cast<std::uint64_t>(i), *waiters.back());
  }
  CHECK(test.executor.size() == 4);
  CHECK(test.pool->statistics().loads_in_flight == 4);
  // A frame is free, but three came before.
  CHECK(test.pool->statistics().free_frames == 4);
  CHECK(test.pool->try_load(test.source, test.page(50), 1, AccessHint::point).error() == PagingError::would_block);
  test.executor.run_one(3);
  CHECK(test.executor.size() == 4);
  test.executor.run_all();
  CHECK(order == std::vector{3, 0, 1, 2, 4, 5, 6});
  for (auto& waiter : waiters) waiter->guard().release();
}

TEST_CASE("a disk that hangs has its share of the loads, and the others are served") {
  Fixture test(small_options(16));
  std::vector<int> order;
  std::vector<std::unique_ptr<RecordingWaiter>> hanging;
  for (int i = 0; i < 6; ++i) {
    hanging.push_back(std::make_unique<RecordingWaiter>(order, i));
    test.ask(static_cast<std::uint64_t>(i), *hanging.back());
  }
  CHECK(test.executor.size() == 3);  // of four
  CHECK(test.pool->statistics().waits_held == 3);
  // Readahead of the same disk stands back, too.
  test.pool->prefetch(test.source, test.page(50), 4, 1, AccessHint::point);
  CHECK(test.executor.size() == 3);

  const auto other = std::make_shared<FakeSource>(2, 10 * page_bytes, 2);
  const auto of_other = [&](std::uint64_t number) { return PageId{FileKey(other->version()), number}; };
  for (std::uint64_t number = 0; number < 5; ++number) {
    RecordingWaiter waiter;
    test.pool->pin_or_wait(other, of_other(number), 1, AccessHint::point, waiter, never);
    REQUIRE(test.executor.size() == 4);
    test.executor.run_one(3);
    REQUIRE(waiter.guard());
    waiter.guard().release();
  }
  // What is in memory passes those who are held: they wait for a load, and this needs none.
  CHECK(test.pool->try_load(other, of_other(8), 1, AccessHint::point).has_value());

  // Who is held can be told to go, and can expire.
  CHECK(test.pool->cancel(*hanging[4]));
  CHECK_FALSE(test.pool->cancel(*hanging[4]));
  test.executor.run_all();
  CHECK(order == std::vector{0, 1, 2, 3, 5});
  for (const std::size_t i : {0U, 1U, 2U, 3U, 5U}) hanging[i]->guard().release();
}

TEST_CASE("who is held by its disk's share expires, and is told when the pool ends") {
  RecordingWaiter waiters[5];
  ManualExecutor executor;
  const auto source = std::make_shared<FakeSource>(1, 100 * page_bytes);
  auto pool = BufferPool::create(small_options(16), executor).value();
  const auto start = std::chrono::steady_clock::now();
  for (std::uint64_t i = 0; i < 5; ++i) {
    pool->pin_or_wait(source, {FileKey(source->version()), i}, 1, AccessHint::point, waiters[i],
                      start + std::chrono::seconds(i + 1));
  }
  CHECK(executor.size() == 3);
  pool->expire_waiters(start + std::chrono::seconds(4));
  for (std::uint64_t i = 0; i < 4; ++i) CHECK(waiters[i].error() == PagingError::deadline);
  CHECK(waiters[4].calls() == 0);
  std::thread end([&] { pool.reset(); });
  waiters[4].await();
  CHECK(waiters[4].error() == PagingError::shutting_down);
  executor.run_all();
  end.join();
}

TEST_CASE("deadlines fail who waits for a frame and who waits for a load") {
  Fixture test(small_options(4));
  std::vector<PageGuard> pins;
  for (std::uint64_t number = 0; number < 3; ++number) {
    pins.push_back(*test.pool->try_load(test.source, test.page(number), 1, AccessHint::point));
  }
  const auto start = std::chrono::steady_clock::now();
  const auto ask = [&](std::uint64_t number, RecordingWaiter& waiter, int seconds) {
    test.pool->pin_or_wait(test.source, test.page(number), 1, AccessHint::point, waiter,
                           start + std::chrono::seconds(seconds));
  };
  RecordingWaiter loading_early, loading_late, queued_early, queued_late;
  ask(10, loading_early, 1);
  ask(10, loading_late, 9);
  ask(11, queued_early, 1);
  ask(12, queued_late, 9);
  test.pool->expire_waiters(start);
  CHECK(loading_early.calls() + queued_early.calls() == 0);
  test.pool->expire_waiters(start + std::chrono::seconds(2));
  CHECK(loading_early.error() == PagingError::deadline);
  CHECK(queued_early.error() == PagingError::deadline);
  CHECK(loading_late.calls() + queued_late.calls() == 0);
  CHECK(test.pool->statistics().waits_expired == 2);
  test.executor.run_all();
  CHECK(loading_late.guard());
  loading_late.guard().release();
  test.executor.run_all();
  CHECK(queued_late.guard());
  queued_late.guard().release();
  CHECK(loading_early.calls() == 1);
  CHECK(queued_early.calls() == 1);
}

TEST_CASE("a cancelled waiter is never told") {
  Fixture test(small_options(4));
  std::vector<PageGuard> pins;
  for (std::uint64_t number = 0; number < 3; ++number) {
    pins.push_back(*test.pool->try_load(test.source, test.page(number), 1, AccessHint::point));
  }
  RecordingWaiter loading, queued, behind;
  test.ask(10, loading);
  test.ask(11, queued);
  test.ask(12, behind);
  CHECK(test.pool->cancel(loading));
  CHECK(test.pool->cancel(queued));
  CHECK_FALSE(test.pool->cancel(queued));
  test.executor.run_all();
  CHECK(loading.calls() == 0);
  CHECK(queued.calls() == 0);
  CHECK(behind.guard());
  CHECK_FALSE(test.pool->cancel(behind));
  behind.guard().release();
  // The cancelled page was loaded all the same, and went for page 12.
  CHECK(test.source->reads() == 2);
}

TEST_CASE("a waiter may ask again from within on_page") {
  struct Again final : ranged::PageWaiter {
    explicit Again(Fixture& fixture) : test(fixture) {}
    void on_page(boost::system::result<PageGuard> page) noexcept override {
      CHECK(page.has_value());
      if (++calls < 5) test.pool->pin_or_wait(test.source, test.page(calls), 1, AccessHint::point, *this, never);
    }
    Fixture& test;
    std::uint64_t calls = 0;
  };
  Fixture test;
  Again waiter(test);
  test.pool->pin_or_wait(test.source, test.page(0), 1, AccessHint::point, waiter, never);
  test.executor.run_all();
  CHECK(waiter.calls == 5);
}

TEST_CASE("what a change of the file makes of a load is given to nobody") {
  Fixture test;
  RecordingWaiter waiter, joined;
  test.ask(1, waiter);
  test.ask(1, joined);
  test.source->change();
  test.executor.run_all();
  CHECK(waiter.error() == PagingError::stale_version);
  CHECK(joined.error() == PagingError::stale_version);
  CHECK(test.pool->try_load(test.source, test.page(2), 1, AccessHint::point).error() == PagingError::stale_version);
  CHECK(test.pool->statistics().stale_loads == 2);
  CHECK(test.pool->statistics().resident_frames == 0);
}

TEST_CASE("a truncated file is stale, not padded") {
  Fixture test;
  test.source->truncate(5 * page_bytes + 10);
  CHECK(test.pool->try_load(test.source, test.page(5), 1, AccessHint::point).error() == PagingError::stale_version);
  RecordingWaiter waiter;
  test.ask(5, waiter);
  test.executor.run_all();
  CHECK(waiter.error() == PagingError::stale_version);
  CHECK(test.pool->statistics().resident_frames == 0);
}

TEST_CASE("a read's error goes to all who wait, and the page can be asked for again") {
  Fixture test;
  test.source->fail(2 * page_bytes, 3 * page_bytes, io_error);
  RecordingWaiter waiter, joined;
  test.ask(2, waiter);
  test.ask(2, joined);
  test.executor.run_all();
  CHECK(waiter.error() == io_error);
  CHECK(joined.error() == io_error);
  CHECK(test.pool->try_load(test.source, test.page(2), 1, AccessHint::point).error() == io_error);
  CHECK(test.pool->statistics().load_errors == 2);
  test.source->fail(0, 0, {});
  test.load(2);
}

TEST_CASE("one bad page of a run fails alone") {
  Fixture test(small_options(64));
  test.source->fail(3 * page_bytes + 10, 4 * page_bytes, io_error);
  test.pool->prefetch(test.source, test.page(0), 8, 1, AccessHint::point);
  CHECK(test.executor.size() == 1);
  RecordingWaiter bad, good;
  test.ask(3, bad);
  test.ask(5, good);
  test.executor.run_all();
  CHECK(bad.error() == io_error);
  REQUIRE(good.guard());
  CHECK(is_content(1, 5 * page_bytes, good.guard().bytes()));
  good.guard().release();
  for (std::uint64_t number = 0; number < 8; ++number) CHECK(test.resident(number) == (number != 3));
}

TEST_CASE("a full disk queue refuses waiters and drops readahead") {
  Fixture test;
  test.executor.refuse(true);
  RecordingWaiter waiter;
  test.ask(1, waiter);
  CHECK(waiter.error() == PagingError::overloaded);
  test.pool->prefetch(test.source, test.page(2), 2, 1, AccessHint::point);
  const auto now = test.pool->statistics();
  CHECK(now.waits_refused == 1);
  CHECK(now.prefetches_dropped == 2);
  CHECK(now.free_frames == now.frames);
  CHECK(now.loads_in_flight == 0);
}

TEST_CASE("who misses a page that try_load is reading gets it from there") {
  Fixture test;
  RecordingWaiter waiter;
  test.source->on_next_nowait([&] { test.ask(4, waiter); });
  auto loaded = test.pool->try_load(test.source, test.page(4), 1, AccessHint::point);
  CHECK(loaded.has_value());
  REQUIRE(waiter.guard());
  CHECK(is_content(1, 4 * page_bytes, waiter.guard().bytes()));
  CHECK(test.executor.size() == 0);
  waiter.guard().release();
}

TEST_CASE("who misses a page that try_load cannot read is served by the executor") {
  Fixture test;
  RecordingWaiter waiter;
  test.source->set_nowait(FakeSource::Nowait::blocks);
  test.source->on_next_nowait([&] { test.ask(4, waiter); });
  CHECK(test.pool->try_load(test.source, test.page(4), 1, AccessHint::point).error() == PagingError::would_block);
  CHECK(waiter.calls() == 0);
  test.executor.run_all();
  REQUIRE(waiter.guard());
  CHECK(test.source->reads() == 1);
  waiter.guard().release();
}

TEST_CASE("and waits for a load, before those who asked later, when none is to be had") {
  Fixture test;
  test.source = std::make_shared<FakeSource>(1, 100 * page_bytes, no_device);
  std::vector<int> order;
  RecordingWaiter busy[4];
  RecordingWaiter joined_first(order, 1), joined_second(order, 2), later(order, 3);
  test.source->set_nowait(FakeSource::Nowait::blocks);
  test.source->on_next_nowait([&] {
    for (std::uint64_t i = 0; i < 4; ++i) test.ask(10 + i, busy[i]);
    test.ask(20, later);
    test.ask(4, joined_first);
    test.ask(4, joined_second);
  });
  CHECK(test.pool->try_load(test.source, test.page(4), 1, AccessHint::point).error() == PagingError::would_block);
  test.executor.run_all();
  CHECK(order == std::vector{1, 2, 3});
  CHECK(test.source->reads() == 6);
  for (RecordingWaiter& waiter : busy) waiter.guard().release();
  for (RecordingWaiter* waiter : {&joined_first, &joined_second, &later}) waiter->guard().release();
}

TEST_CASE("readahead combines adjacent pages and leaves out what is there") {
  Fixture test(small_options(64));
  test.load(3);
  test.pool->prefetch(test.source, test.page(0), 6, 1, AccessHint::point);
  CHECK(test.executor.size() == 2);
  test.pool->prefetch(test.source, test.page(0), 6, 1, AccessHint::point);
  CHECK(test.executor.size() == 2);
  test.executor.run_all();
  CHECK(test.source->reads() == 2);
  auto now = test.pool->statistics();
  CHECK(now.prefetches == 5);
  CHECK(now.prefetches_used == 0);
  for (std::uint64_t number = 0; number < 6; ++number) CHECK(test.resident(number));
  CHECK(test.pool->statistics().prefetches_used == 5);
  test.pool->prefetch(test.source, test.page(99), 10, 1, AccessHint::point);
  test.executor.run_all();
  CHECK(test.resident(100));
}

TEST_CASE("readahead takes half of the loads and a quarter of the frames at most") {
  Fixture test(small_options(64));
  for (std::uint64_t number = 0; number < 100; number += 10) {
    test.pool->prefetch(test.source, test.page(number), 1, 1, AccessHint::point);
  }
  CHECK(test.pool->statistics().loads_in_flight == 2);
  CHECK(test.pool->statistics().prefetches_dropped == 8);
  test.executor.run_all();
  test.pool->prefetch(test.source, test.page(30), 60, 1, AccessHint::point);
  CHECK(test.pool->statistics().loading_frames == 16);
}

TEST_CASE("readahead yields to who waits for frames") {
  Fixture test(small_options(4));
  std::vector<PageGuard> pins;
  for (std::uint64_t number = 0; number < 4; ++number) {
    pins.push_back(*test.pool->try_load(test.source, test.page(number), 1, AccessHint::point));
  }
  RecordingWaiter waiter;
  test.ask(10, waiter);
  test.pool->prefetch(test.source, test.page(20), 4, 1, AccessHint::point);
  CHECK(test.executor.size() == 0);
  CHECK(test.pool->statistics().prefetches_dropped == 4);
  pins.clear();
  test.executor.run_all();
  waiter.guard().release();
}

TEST_CASE("a scan of ten times the pool leaves a hot set where it is") {
  BufferPoolOptions options = small_options(80);
  Fixture test(options);
  test.source = std::make_shared<FakeSource>(1, 2000 * page_bytes);
  for (std::uint64_t number = 0; number < 60; ++number) test.load(number, 1);
  for (std::uint64_t number = 1000; number < 1800; ++number) test.load(number, 9, AccessHint::scan);
  std::size_t left = 0;
  for (std::uint64_t number = 0; number < 60; ++number) left += test.resident(number) ? 1U : 0U;
  CHECK(left >= 54);
}

TEST_CASE("a scan takes no more than its eighth of an empty pool") {
  Fixture test(small_options(80));
  for (std::uint64_t number = 0; number < 90; ++number) test.load(number, 9, AccessHint::scan);
  CHECK(test.pool->statistics().resident_frames == 10);
  test.pool->prefetch(test.source, test.page(90), 10, 9, AccessHint::scan);
  CHECK(test.pool->statistics().resident_frames + test.pool->statistics().loading_frames == 10);
}

TEST_CASE("a stream of pages asked for once leaves a hot set where it is") {
  Fixture test(small_options(80));
  test.source = std::make_shared<FakeSource>(1, 2000 * page_bytes);
  for (std::uint64_t number = 0; number < 60; ++number) test.load(number, 1);
  for (std::uint64_t number = 0; number < 60; ++number) {
    CHECK(test.pool->try_pin(test.page(number), 2, AccessHint::point));
  }
  // Each page is touched eight times by its one reader: one reference.
  for (std::uint64_t number = 1000; number < 1800; ++number) {
    test.load(number, 9);
    for (int i = 0; i < 7; ++i) CHECK(test.pool->try_pin(test.page(number), 9, AccessHint::point));
  }
  std::size_t left = 0;
  for (std::uint64_t number = 0; number < 60; ++number) left += test.resident(number) ? 1U : 0U;
  CHECK(left >= 54);
}

TEST_CASE("a page that comes back soon is known from the ghost queue") {
  Fixture test(small_options(8));
  for (std::uint64_t number = 0; number < 9; ++number) test.load(number);
  CHECK_FALSE(test.resident(0));
  test.load(0);
  CHECK(test.pool->statistics().ghost_hits == 1);
  for (std::uint64_t number = 20; number < 60; ++number) test.load(number);
  CHECK(test.resident(0));
}

TEST_CASE("forgetting a file drops its unpinned pages and no others") {
  Fixture test;
  const auto other = std::make_shared<FakeSource>(2, 10 * page_bytes);
  const PageId other_page{FileKey(other->version()), 0};
  CHECK(test.pool->try_load(other, other_page, 1, AccessHint::point).has_value());
  test.load(0);
  auto pinned = test.pool->try_load(test.source, test.page(1), 1, AccessHint::point);
  REQUIRE(pinned.has_value());
  test.pool->forget(FileKey(test.source->version()));
  CHECK_FALSE(test.resident(0));
  CHECK(test.resident(1));
  CHECK(is_content(1, page_bytes, pinned->bytes()));
  CHECK(test.pool->try_pin(other_page, 1, AccessHint::point));
}

TEST_CASE("versions and instances of a file do not meet each other's pages") {
  Fixture test;
  test.load(0);
  auto version = test.source->version();
  ++version.changed_ns;
  CHECK_FALSE(test.pool->try_pin({FileKey(version), 0}, 1, AccessHint::point));
  CHECK_FALSE(
      test.pool->try_pin({FileKey(test.source->version(), ranged::next_file_instance()), 0}, 1, AccessHint::point));
}

TEST_CASE("a transit read passes bytes through once; the next request loads the page") {
  BufferPoolOptions options = small_options(16);
  options.transit_frames = 2;
  Fixture test(options);
  const FileKey file(test.source->version());
  auto passed = test.pool->transit_read(*test.source, file, 5 * page_bytes + 100, 50);
  REQUIRE(passed.has_value());
  CHECK(passed->bytes().size() == 50);
  CHECK(is_content(1, 5 * page_bytes + 100, passed->bytes()));
  CHECK_FALSE(test.resident(5));
  CHECK(test.pool->transit_read(*test.source, file, 5 * page_bytes, 50).error() == PagingError::would_block);
  test.load(5);

  auto second = test.pool->transit_read(*test.source, file, 6 * page_bytes, 1);
  REQUIRE(second.has_value());
  CHECK(test.pool->transit_read(*test.source, file, 7 * page_bytes, 1).error() == PagingError::would_block);
  passed->release();
  CHECK(test.pool->transit_read(*test.source, file, 7 * page_bytes, 1).has_value());
  CHECK(test.pool->statistics().transit_reads == 3);
  CHECK(test.pool->statistics().transit_bytes == 52);
}

TEST_CASE("a transit read that fails gives its frame back and leaves no trace") {
  BufferPoolOptions options = small_options(16);
  options.transit_frames = 1;
  Fixture test(options);
  const FileKey file(test.source->version());
  test.source->set_nowait(FakeSource::Nowait::blocks);
  CHECK(test.pool->transit_read(*test.source, file, 0, 10).error() == StorageError::would_block);
  test.source->set_nowait(FakeSource::Nowait::served);
  test.source->fail(0, 10, io_error);
  CHECK(test.pool->transit_read(*test.source, file, 0, 10).error() == io_error);
  test.source->fail(0, 0, {});
  test.source->set_most(3);
  auto passed = test.pool->transit_read(*test.source, file, 0, 10);
  REQUIRE(passed.has_value());
  CHECK(is_content(1, 0, passed->bytes()));
  passed->release();
}

TEST_CASE("transit reads are of the file's version when it is confirmed after them") {
  BufferPoolOptions options = small_options(16);
  options.transit_frames = 2;
  Fixture test(options);
  const FileKey file(test.source->version());
  {
    const auto first = test.pool->transit_read(*test.source, file, 3 * page_bytes, 10);
    const auto second = test.pool->transit_read(*test.source, file, 9 * page_bytes, 10);
    REQUIRE(first.has_value());
    REQUIRE(second.has_value());
    CHECK_FALSE(BufferPool::confirm_version(*test.source));
  }
  const auto before = test.pool->transit_read(*test.source, file, 4 * page_bytes, 10);
  REQUIRE(before.has_value());
  test.source->change();
  CHECK(BufferPool::confirm_version(*test.source) == PagingError::stale_version);
}

namespace {

/// A pool with transit frames, and what a populating read needs.
struct PopulateFixture : Fixture {
  explicit PopulateFixture(std::size_t max_loads = 4) : Fixture(options(max_loads)) {}
  static BufferPoolOptions options(std::size_t max_loads = 4) {
    BufferPoolOptions options = small_options(16);
    options.transit_frames = 2;
    options.max_loads = max_loads;
    return options;
  }
  [[nodiscard]] FileKey file() const { return FileKey(source->version()); }
  bool populate(std::uint64_t offset, std::size_t length, RecordingWaiter& waiter,
                std::chrono::steady_clock::time_point deadline = never) {
    return pool->try_populate(source, file(), offset, length, waiter, deadline);
  }
};

}  // namespace

TEST_CASE("a populating read reads what is asked for, in one call, and leaves nothing in the pool") {
  PopulateFixture test;
  RecordingWaiter waiter;
  // Longer than a frame: the parts go through the same one.
  REQUIRE(test.populate(5 * page_bytes + 100, 3 * page_bytes, waiter));
  CHECK(waiter.calls() == 0);
  test.executor.run_all();
  CHECK(waiter.calls() == 1);
  CHECK_FALSE(waiter.error());
  CHECK_FALSE(waiter.guard());
  const auto now = test.pool->statistics();
  CHECK(test.source->reads() == 1);
  CHECK(now.populates == 1);
  CHECK(now.populate_bytes == 3 * page_bytes);
  CHECK(now.resident_frames == 0);
  CHECK(now.loads_in_flight == 0);
  CHECK(test.source.use_count() == 1);
  // The page was not asked for: it passes through as if nothing had been.
  CHECK(test.pool->transit_read(*test.source, test.file(), 5 * page_bytes + 100, 50).has_value());
}

TEST_CASE("a populating read goes on after a short one, and ends where the file does") {
  PopulateFixture test;
  test.source->set_most(1000);
  RecordingWaiter short_reads, beyond;
  REQUIRE(test.populate(0, 2500, short_reads));
  test.executor.run_all();
  CHECK(test.pool->statistics().populate_bytes == 2500);
  CHECK(test.source->reads() == 3);
  REQUIRE(test.populate(100 * page_bytes, 2 * page_bytes, beyond));
  test.executor.run_all();
  CHECK_FALSE(beyond.error());
  CHECK(test.pool->statistics().populate_bytes == 2500 + 1000);
}

TEST_CASE("who waits for a populating read is told of its error") {
  PopulateFixture test;
  test.source->fail(0, 10, io_error);
  RecordingWaiter failed, refused;
  REQUIRE(test.populate(0, 10, failed));
  test.executor.run_all();
  CHECK(failed.error() == io_error);
  CHECK(test.pool->statistics().load_errors == 1);
  test.executor.refuse(true);
  REQUIRE(test.populate(page_bytes, 10, refused));
  CHECK(refused.error() == PagingError::overloaded);
  CHECK(test.pool->statistics().waits_refused == 1);
  CHECK(test.pool->statistics().populates_refused == 1);
  CHECK(test.pool->statistics().populates == 1);
  CHECK(test.pool->statistics().loads_in_flight == 0);
}

TEST_CASE("a populating read that is refused gives its load to who waits for one") {
  RecordingWaiter waiting;  // outlives the pool, which tells it of its end if it has told it nothing
  PopulateFixture test(1);
  // Asks for a page when it is told, as any other thread may between the refusal and the load's return.
  class AskingWaiter final : public ranged::PageWaiter {
   public:
    AskingWaiter(PopulateFixture& fixture, RecordingWaiter& other) : test_(&fixture), other_(&other) {}
    void on_page(boost::system::result<PageGuard> page) noexcept override {
      error = page ? boost::system::error_code() : page.error();
      test_->executor.refuse(false);
      test_->ask(5, *other_);
      load_was_taken = test_->executor.size() == 0;
    }
    boost::system::error_code error;
    bool load_was_taken = false;

   private:
    PopulateFixture* test_;
    RecordingWaiter* other_;
  } refused(test, waiting);
  test.executor.refuse(true);
  REQUIRE(test.pool->try_populate(test.source, test.file(), 0, 10, refused, never));
  CHECK(refused.error == PagingError::overloaded);
  REQUIRE(refused.load_was_taken);
  test.executor.run_all();
  REQUIRE(waiting.calls() == 1);
  waiting.guard().release();
}

TEST_CASE("a populating read is not begun for a page that is in the pool, coming, or being populated") {
  PopulateFixture test;
  RecordingWaiter none, loading, populating, elsewhere;
  test.load(1);
  CHECK_FALSE(test.populate(page_bytes + 5, 10, none));
  test.ask(2, loading);
  CHECK_FALSE(test.populate(2 * page_bytes + 5, 10, none));
  REQUIRE(test.populate(3 * page_bytes + 5, 10, populating));
  CHECK_FALSE(test.populate(3 * page_bytes + 50, 10, none));
  CHECK(test.populate(4 * page_bytes, 10, elsewhere));
  CHECK(test.executor.size() == 3);
  test.executor.run_all();
  CHECK(none.calls() == 0);
  CHECK(test.pool->statistics().populates_forgone == 0);  // it comes with its page, as it should
  CHECK(populating.calls() == 1);
  CHECK(elsewhere.calls() == 1);
  loading.guard().release();
  RecordingWaiter again;
  CHECK(test.populate(3 * page_bytes + 5, 10, again));
  test.executor.run_all();
  CHECK(again.calls() == 1);
}

TEST_CASE("all who ask for bytes that are being populated share the read") {
  PopulateFixture test;
  std::vector<RecordingWaiter> waiters(10);
  const std::uint64_t offset = 3 * page_bytes + 5;
  for (std::size_t i = 0; i < waiters.size(); ++i) REQUIRE(test.populate(offset + i, 100 - 2 * i, waiters[i]));
  CHECK(test.executor.size() == 1);
  CHECK(test.pool->statistics().joined == 9);
  CHECK(test.pool->statistics().waiters == 10);
  CHECK(test.pool->cancel(waiters[4]));
  RecordingWaiter none;
  CHECK_FALSE(test.populate(offset - 1, 100, none));
  CHECK_FALSE(test.populate(offset, 101, none));
  // Of another version of the file it is another page.
  const FileKey later(test.source->version(), ranged::next_file_instance());
  RecordingWaiter of_another;
  CHECK(test.pool->try_populate(test.source, later, offset, 100, of_another, never));
  test.executor.run_all();
  CHECK(test.source->reads() == 2);
  for (std::size_t i = 0; i < waiters.size(); ++i) CHECK(waiters[i].calls() == (i == 4 ? 0 : 1));
  CHECK(none.calls() == 0);
  CHECK(of_another.calls() == 1);
}

TEST_CASE("who asks for a later page of what is being populated shares the read, too") {
  PopulateFixture test;
  RecordingWaiter all, later, beyond;
  REQUIRE(test.populate(0, 4 * page_bytes, all));
  REQUIRE(test.populate(3 * page_bytes, page_bytes, later));
  CHECK(test.executor.size() == 1);
  CHECK(test.pool->statistics().joined == 1);
  REQUIRE(test.populate(3 * page_bytes, page_bytes + 1, beyond));
  CHECK(test.executor.size() == 2);
  test.executor.run_all();
  for (const RecordingWaiter* const waiter : {&all, &later, &beyond}) CHECK(waiter->calls() == 1);
}

TEST_CASE("a disk that has all the reads it may have may be reading anything") {
  PopulateFixture test;
  const ranged::FileVersion& version = test.source->version();
  std::vector<RecordingWaiter> waiters(4);
  // Of the four loads, three are this disk's share.
  for (std::uint64_t i = 0; i < 2; ++i) REQUIRE(test.populate(i * page_bytes, 10, waiters[i]));
  CHECK_FALSE(test.pool->is_reading(version, 100 * page_bytes, 1));
  REQUIRE(test.populate(2 * page_bytes, 10, waiters[2]));
  CHECK(test.pool->is_reading(version, 100 * page_bytes, 1));
  // Held, it has tried to read without waiting before; another disk is not concerned by that share.
  test.ask(3, waiters[3]);
  CHECK(test.pool->is_reading(version, 3 * page_bytes, 1));
  test.executor.run_all();
  CHECK_FALSE(test.pool->is_reading(version, 0, 1 << 30));
  waiters[3].guard().release();
}

TEST_CASE("what a disk thread is at is known until who waits is told") {
  PopulateFixture test;
  const ranged::FileVersion& version = test.source->version();
  CHECK_FALSE(test.pool->is_reading(version, 0, 1 << 30));
  RecordingWaiter populated, loaded;
  REQUIRE(test.populate(3 * page_bytes + 5, 2 * page_bytes, populated));
  CHECK(test.pool->is_reading(version, 3 * page_bytes + 5, 1));
  CHECK(test.pool->is_reading(version, 0, 3 * page_bytes + 6));
  CHECK_FALSE(test.pool->is_reading(version, 0, 3 * page_bytes + 5));
  CHECK(test.pool->is_reading(version, 5 * page_bytes + 4, 1));
  CHECK_FALSE(test.pool->is_reading(version, 5 * page_bytes + 5, page_bytes));
  // Of another state of the same file it is the same pages of the kernel's; of another file it is not.
  ranged::FileVersion other = version;
  ++other.changed_ns;
  CHECK(test.pool->is_reading(other, 4 * page_bytes, 1));
  ++other.inode;
  CHECK_FALSE(test.pool->is_reading(other, 4 * page_bytes, 1));
  test.ask(8, loaded);
  CHECK(test.pool->is_reading(version, 9 * page_bytes - 1, 1));
  CHECK_FALSE(test.pool->is_reading(version, 9 * page_bytes, page_bytes));
  test.executor.run_all();
  CHECK_FALSE(test.pool->is_reading(version, 0, 1 << 30));
  loaded.guard().release();
  test.executor.refuse(true);
  RecordingWaiter refused;
  CHECK(test.populate(0, 10, refused));
  CHECK_FALSE(test.pool->is_reading(version, 0, 1 << 30));
}

TEST_CASE("a populating read takes nothing from who waits, and no more than there is") {
  PopulateFixture test;
  RecordingWaiter none;
  CHECK_FALSE(test.populate(0, 0, none));
  CHECK_FALSE(test.populate(0, BufferPool::max_populate_bytes + 1, none));
  // Of the four loads, three are this disk's share.
  std::vector<RecordingWaiter> waiters(4);
  for (std::uint64_t i = 0; i < 3; ++i) REQUIRE(test.populate(i * page_bytes, 10, waiters[i]));
  CHECK_FALSE(test.populate(3 * page_bytes, 10, none));
  // Somebody is held for a load of this disk, and is served first.
  test.ask(3, waiters[3]);
  CHECK(test.executor.run_one());
  CHECK_FALSE(test.populate(4 * page_bytes, 10, none));
  CHECK(test.pool->statistics().populates_forgone == 2);
  test.executor.run_all();
  CHECK(none.calls() == 0);
  for (const RecordingWaiter& waiter : waiters) CHECK(waiter.calls() == 1);
  waiters[3].guard().release();

  Fixture without(small_options(16));
  CHECK_FALSE(without.pool->try_populate(without.source, FileKey(without.source->version()), 0, 10, none, never));
}

TEST_CASE("a populating read leaves half of the transit frames alone: without one it reads nothing") {
  PopulateFixture test;
  auto passed = test.pool->transit_read(*test.source, test.file(), 0, 10);
  REQUIRE(passed.has_value());
  RecordingWaiter waiter;
  REQUIRE(test.populate(2 * page_bytes, 10, waiter));
  test.executor.run_all();
  CHECK(waiter.calls() == 1);
  CHECK_FALSE(waiter.error());
  CHECK(test.source->reads() == 0);
  CHECK(test.pool->statistics().populate_bytes == 0);
  CHECK(test.pool->statistics().populates == 0);
  CHECK(test.pool->statistics().populates_frameless == 1);
  passed->release();
  RecordingWaiter again;
  REQUIRE(test.populate(2 * page_bytes, 10, again));
  test.executor.run_all();
  CHECK(test.pool->statistics().populate_bytes == 10);
  CHECK(test.pool->statistics().populates_frameless == 1);
}

TEST_CASE("who waits for a populating read can leave, and is not kept past a deadline or the pool's end") {
  PopulateFixture test;
  using std::chrono::seconds;
  const std::chrono::steady_clock::time_point now{seconds(100)};
  RecordingWaiter cancelled, late, in_time;
  REQUIRE(test.populate(0, 10, cancelled));
  REQUIRE(test.populate(page_bytes, 10, late, now));
  REQUIRE(test.populate(2 * page_bytes, 10, in_time, now + seconds(1)));
  CHECK(test.pool->cancel(cancelled));
  test.pool->expire_waiters(now);
  CHECK(late.error() == PagingError::deadline);
  CHECK(in_time.calls() == 0);
  CHECK(test.pool->statistics().waiters == 1);
  test.executor.run_all();
  CHECK(cancelled.calls() == 0);
  CHECK(late.calls() == 1);
  CHECK_FALSE(in_time.error());

  ManualExecutor executor;
  auto pool = BufferPool::create(PopulateFixture::options(), executor).value();
  RecordingWaiter ended;
  REQUIRE(pool->try_populate(test.source, test.file(), 0, 10, ended, never));
  std::thread disk([&] {
    ended.await();
    executor.run_all();
  });
  pool.reset();
  disk.join();
  CHECK(ended.error() == PagingError::shutting_down);
}

TEST_CASE("destruction fails who waits") {
  ManualExecutor executor;
  const auto source = std::make_shared<FakeSource>(1, 100 * page_bytes);
  BufferPoolOptions options = small_options(4);
  options.max_loads = 1;
  auto pool = BufferPool::create(options, executor).value();
  RecordingWaiter loading, queued;
  const FileKey file(source->version());
  pool->pin_or_wait(source, {file, 0}, 1, AccessHint::point, loading, never);
  pool->pin_or_wait(source, {file, 1}, 1, AccessHint::point, queued, never);
  // The load in flight is waited for, on a thread that is told of the waiters' failure first.
  std::thread disk([&] {
    loading.await();
    queued.await();
    executor.run_all();
  });
  pool.reset();
  disk.join();
  CHECK(loading.error() == PagingError::shutting_down);
  CHECK(queued.error() == PagingError::shutting_down);
  CHECK(source->reads() == 1);
}

TEST_CASE("sources are let go of when nobody needs them") {
  Fixture test;
  RecordingWaiter waiter, cancelled;
  test.ask(1, waiter);
  test.ask(1, cancelled);
  CHECK(test.pool->cancel(cancelled));
  test.executor.run_all();
  waiter.guard().release();
  CHECK(test.source.use_count() == 1);
}
