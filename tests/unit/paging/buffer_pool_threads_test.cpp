// Real threads; meant to be run under ThreadSanitizer too.

#include "tests/unit/support/fake_source.hpp"

#include <ranged/paging/buffer_pool.hpp>
#include <ranged/paging/paged_reader.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <latch>
#include <memory>
#include <random>
#include <thread>
#include <vector>

using ranged::AccessHint;
using ranged::BufferPool;
using ranged::BufferPoolOptions;
using ranged::DiskThreads;
using ranged::FileKey;
using ranged::PagedReader;
using ranged::PageGuard;
using ranged::PageId;
using ranged::PagingError;
using ranged::PinnedWindow;
using ranged::test::FakeSource;
using ranged::test::is_content;
using ranged::test::never;
using ranged::test::RecordingWaiter;

namespace {

constexpr std::size_t page_bytes = 4096;

BufferPoolOptions options_of(std::size_t frames) {
  BufferPoolOptions options;
  options.pool_bytes = frames * page_bytes;
  options.page_bytes = page_bytes;
  options.max_loads = 8;
  options.transit_frames = 2;
  options.huge_pages = false;
  return options;
}

void check_quiet(const BufferPool& pool) {
  const auto now = pool.statistics();
  CHECK(now.pinned_frames == 0);
  CHECK(now.waiters == 0);
  CHECK(now.free_frames + now.resident_frames + now.loading_frames == now.frames);
}

}  // namespace

TEST_CASE("misses of one page by many threads at once are one read") {
  DiskThreads disk(2, 64);
  const auto source = std::make_shared<FakeSource>(1, 100 * page_bytes);
  const auto pool = BufferPool::create(options_of(16), disk).value();
  const PageId page{FileKey(source->version()), 42};
  source->hold(true);
  constexpr std::size_t threads = 8, each = 125;
  std::vector<RecordingWaiter> waiters(threads * each);
  std::latch start(threads), asked(threads);
  std::vector<std::thread> running;
  for (std::size_t t = 0; t < threads; ++t) {
    running.emplace_back([&, t] {
      start.arrive_and_wait();
      for (std::size_t i = t * each; i < (t + 1) * each; ++i) {
        pool->pin_or_wait(source, page, t, AccessHint::point, waiters[i], never);
      }
      asked.arrive_and_wait();
      for (std::size_t i = t * each; i < (t + 1) * each; ++i) waiters[i].await();
    });
  }
  asked.wait();
  source->hold(false);
  for (std::thread& thread : running) thread.join();
  CHECK(source->reads() == 1);
  for (RecordingWaiter& waiter : waiters) {
    CHECK(is_content(1, 42 * page_bytes, waiter.guard().bytes()));
    waiter.guard().release();
  }
  check_quiet(*pool);
}

TEST_CASE("many threads on a small pool get right bytes, and none waits for ever") {
  DiskThreads disk(3, 4096);
  // Half of it is in the page cache; the rest has to be waited for.
  const auto source = std::make_shared<FakeSource>(7, 64 * page_bytes + 99);
  source->cache_until(32 * page_bytes);
  source->set_most(3000);
  const auto pool = BufferPool::create(options_of(6), disk).value();
  const FileKey file(source->version());
  std::atomic<std::size_t> wrong{0}, served{0};
  std::vector<std::thread> running;
  for (unsigned t = 0; t < 8; ++t) {
    running.emplace_back([&, t] {
      std::mt19937 random(t);
      for (int i = 0; i < 400; ++i) {
        const PageId page{file, random() % 65};
        const AccessHint hint = random() % 4 == 0 ? AccessHint::scan : AccessHint::point;
        PageGuard guard = pool->try_pin(page, t, hint);
        if (!guard && random() % 2 == 0) {
          if (auto loaded = pool->try_load(source, page, t, hint)) guard = std::move(*loaded);
        }
        if (!guard && random() % 4 == 0) {
          RecordingWaiter waiter;
          if (pool->try_populate(source, file, page.number * page_bytes + 9, 2 * page_bytes, waiter, never) &&
              (random() % 8 != 0 || !pool->cancel(waiter))) {
            waiter.await();
            if (waiter.guard() || waiter.error()) wrong.fetch_add(1);
          }
        }
        if (!guard) {
          RecordingWaiter waiter;
          pool->pin_or_wait(source, page, t, hint, waiter, never);
          if (random() % 4 == 0) pool->prefetch(source, {file, page.number + 1}, 3, t, hint);
          if (random() % 8 == 0 && pool->cancel(waiter)) continue;
          waiter.await();
          guard = std::move(waiter.guard());
        }
        if (!guard || !is_content(7, page.number * page_bytes, guard.bytes())) {
          wrong.fetch_add(1);
        } else {
          served.fetch_add(1);
        }
        if (random() % 64 == 0) pool->forget(file);
        if (random() % 16 == 0) pool->expire_waiters(std::chrono::steady_clock::now());
        if (random() % 32 == 0) (void)pool->statistics();
      }
    });
  }
  for (std::thread& thread : running) thread.join();
  CHECK(wrong == 0);
  CHECK(served > 2000);
  check_quiet(*pool);
}

TEST_CASE("many readers at once read a file through a small pool") {
  DiskThreads disk(2, 4096);
  const auto source = std::make_shared<FakeSource>(9, 60 * page_bytes + 5);
  source->cache_until(20 * page_bytes);
  const auto pool = BufferPool::create(options_of(24), disk).value();
  std::atomic<std::size_t> wrong{0};
  std::vector<std::thread> running;
  for (unsigned t = 0; t < 6; ++t) {
    running.emplace_back([&, t] {
      PagedReader reader(*pool, source, FileKey(source->version()), t + 1);
      std::mt19937 random(t);
      for (int i = 0; i < 20; ++i) {
        const std::uint64_t size = source->version().size;
        std::uint64_t offset = random() % size;
        const std::uint64_t end = offset + random() % (size - offset) + 1;
        reader.begin(offset, end - offset);
        PageGuard first;
        while (offset < end) {
          PinnedWindow window;
          const auto gathered = reader.gather(offset, end - offset, 1 << 16, window, std::move(first));
          if (!gathered) {
            wrong.fetch_add(1);
            break;
          }
          if (reader.confirm(window)) wrong.fetch_add(1);
          std::uint64_t at = offset;
          for (const auto stretch : window.stretches()) {
            if (!is_content(9, at, stretch)) wrong.fetch_add(1);
            at += stretch.size();
          }
          offset += *gathered;
          if (*gathered > 0) continue;
          RecordingWaiter waiter;
          reader.wait(offset, waiter, never);
          waiter.await();
          first = std::move(waiter.guard());
        }
      }
    });
  }
  for (std::thread& thread : running) thread.join();
  CHECK(wrong == 0);
  check_quiet(*pool);
}

TEST_CASE("destruction waits for loads that are being read") {
  DiskThreads disk(2, 64);
  const auto source = std::make_shared<FakeSource>(3, 100 * page_bytes);
  source->hold(true);
  RecordingWaiter waiter;
  auto pool = BufferPool::create(options_of(8), disk).value();
  pool->pin_or_wait(source, {FileKey(source->version()), 0}, 1, AccessHint::point, waiter, never);
  source->await_held(1);
  std::thread release([&] {
    waiter.await();
    source->hold(false);
  });
  pool.reset();
  release.join();
  CHECK(waiter.error() == PagingError::shutting_down);
}
