#include "server/body_sender.hpp"

#include "tests/unit/support/fake_source.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <doctest/doctest.h>

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

using ranged::BufferPool;
using ranged::BufferPoolOptions;
using ranged::FileKey;
using ranged::PagedReader;
using ranged::PagingError;
using ranged::server::HandOver;
using ranged::server::plan_hand_over;
using ranged::server::SendContext;
using ranged::server::SendScratch;
using ranged::test::FakeSource;
using ranged::test::ManualExecutor;
using ranged::test::never;
using ranged::test::RecordingWaiter;

namespace {

constexpr std::uint64_t kib = 1024;
constexpr std::uint64_t mib = 1024 * kib;
constexpr std::uint64_t file_bytes = 8 * mib;

struct Fixture {
  Fixture() {
    BufferPoolOptions options;
    options.page_bytes = 4 * kib;
    options.pool_bytes = 64 * options.page_bytes;
    options.transit_frames = 4;
    options.huge_pages = false;
    pool = BufferPool::create(options, executor).value();
    reader.emplace(*pool, source, FileKey(source->version()), 1);
    context.reader = &*reader;
    context.scratch = scratch.get();
    context.metrics = metrics.get();
    context.may_hand_over = true;
    source->know_until(file_bytes);
  }
  ~Fixture() {
    executor.run_all();
    const auto now = pool->statistics();
    CHECK(now.pinned_frames == 0);
    CHECK(now.free_frames + now.resident_frames == now.frames);
  }

  HandOver plan(std::uint64_t offset, std::uint64_t rest) {
    const auto plan = plan_hand_over(context, offset, rest);
    REQUIRE(plan.has_value());
    return *plan;
  }

  void load_a_page(std::uint64_t offset) {
    RecordingWaiter waiter;
    reader->begin(offset, 100);
    reader->wait(offset, waiter, never);
    executor.run_all();
    waiter.guard().release();
    REQUIRE(reader->is_resident(offset));
  }

  ManualExecutor executor;
  std::shared_ptr<FakeSource> source = std::make_shared<FakeSource>(1, file_bytes);
  std::unique_ptr<BufferPool> pool;
  std::unique_ptr<SendScratch> scratch = std::make_unique<SendScratch>();
  std::unique_ptr<ranged::server::WorkerMetrics> metrics = std::make_unique<ranged::server::WorkerMetrics>();
  std::optional<PagedReader> reader;
  SendContext context;
};

}  // namespace

TEST_CASE("what is in memory is handed over, a megabyte at a time, and what is short is not") {
  Fixture test;
  CHECK(test.plan(0, file_bytes).length == mib);
  CHECK(test.plan(100, 64 * kib).length == 64 * kib);
  CHECK(test.plan(0, 32 * kib).length == 32 * kib);
  const HandOver shorter = test.plan(0, 32 * kib - 1);
  CHECK(shorter.length == 0);
  CHECK_FALSE(shorter.wait);
}

TEST_CASE("what is before a page that is not in memory is handed over") {
  Fixture test;
  test.source->know_until(300 * kib);
  CHECK(test.plan(0, file_bytes).length == 256 * kib);
}

TEST_CASE("a short stretch that is not in memory is waited for, a long one is the pool's") {
  Fixture test;
  test.source->know_until(0);
  const HandOver shorter = test.plan(0, 64 * kib);
  CHECK(shorter.length == 0);
  CHECK(shorter.wait);
  const HandOver longer = test.plan(0, file_bytes);
  CHECK(longer.length == 0);
  CHECK_FALSE(longer.wait);
}

TEST_CASE("what the kernel still reads ahead is in the page cache, and is waited for by a disk thread") {
  Fixture test;
  test.source->cache_until(mib - 1);
  // Of a long stretch the last byte is looked at always, of a short one when something was loaded lately.
  CHECK(test.plan(0, 64 * kib).length == 64 * kib);
  CHECK(test.source->nowait_reads() == 0);
  CHECK(test.plan(512 * kib, 4 * mib).length == 0);
  CHECK(test.source->nowait_reads() == 1);
  test.load_a_page(4 * mib);
  CHECK(test.plan(0, 64 * kib).length == 64 * kib);
  CHECK(test.source->nowait_reads() == 2);
  const HandOver ahead = test.plan(0, file_bytes);
  CHECK(ahead.length == 0);
  CHECK(ahead.wait);
  RecordingWaiter waiter;
  test.reader->wait(0, waiter, never);
  CHECK(waiter.calls() == 0);
  // Meanwhile it is not handed over either.
  CHECK(test.plan(0, mib).length == 0);
  REQUIRE(test.executor.run_one());
  CHECK(waiter.calls() == 1);
  CHECK_FALSE(waiter.error());
  CHECK(test.pool->statistics().populate_bytes == mib);
  CHECK(test.pool->statistics().resident_frames == 1);  // the one before
  test.source->cache_until(file_bytes);
  CHECK(test.plan(0, file_bytes).length == mib);
}

TEST_CASE("a stretch whose first page the pool has is handed over when two megabytes are in memory") {
  Fixture test;
  test.load_a_page(0);
  CHECK(test.plan(0, file_bytes).length == 2 * mib);
  CHECK(test.plan(0, mib).length == 0);
  test.source->cache_until(2 * mib - 1);
  const HandOver ahead = test.plan(0, file_bytes);
  CHECK(ahead.length == 0);
  CHECK_FALSE(ahead.wait);  // the pool has something to send meanwhile
}

TEST_CASE("a deadline is of a wait: a response that goes out without one has none, however long it takes") {
  struct Header final : ranged::server::HeaderSource {
    std::string_view render(std::span<char>) override { return "HTTP/1.1 204 No Content\r\n\r\n"; }
  };
  Fixture test;
  std::array<int, 2> pair{};
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair.data()) == 0);
  boost::asio::io_context loop{BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO};
  ranged::server::Readiness readiness{loop};
  ranged::server::Connection connection(pair[0], readiness);
  const ranged::server::Clock::time_point now = ranged::server::Clock::now();
  connection.set_deadline(now);  // as of the wait for the request
  test.context.connection = &connection;
  Header header;
  boost::asio::co_spawn(loop, send_response(test.context, &header, ranged::server::NoContent{}), boost::asio::detached);
  loop.run();
  connection.end_when_overdue(now + std::chrono::hours(1));
  CHECK_FALSE(connection.interrupted());
  ::close(pair[1]);
}

TEST_CASE("nothing is handed over of a source that cannot tell what is in memory") {
  Fixture test;
  const auto source = std::make_shared<FakeSource>(2, file_bytes);
  test.reader.emplace(*test.pool, source, FileKey(source->version()), 2);
  const HandOver plan = test.plan(0, file_bytes);
  CHECK(plan.length == 0);
  CHECK_FALSE(plan.wait);
}

TEST_CASE("nothing is handed over of a file that is another version") {
  Fixture test;
  test.source->change();
  CHECK(plan_hand_over(test.context, 0, file_bytes).error() == PagingError::stale_version);
}
