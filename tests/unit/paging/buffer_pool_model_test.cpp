// Random operations, single-threaded and repeatable, against what must hold after each of them.

#include "tests/unit/support/fake_source.hpp"

#include <ranged/paging/buffer_pool.hpp>

#include <doctest/doctest.h>

#include <cerrno>
#include <list>
#include <memory>
#include <random>
#include <vector>

using ranged::AccessHint;
using ranged::BufferPool;
using ranged::BufferPoolOptions;
using ranged::FileKey;
using ranged::PageGuard;
using ranged::PageId;
using ranged::PagingError;
using ranged::test::FakeSource;
using ranged::test::is_content;
using ranged::test::ManualExecutor;
using ranged::test::RecordingWaiter;

namespace {

constexpr std::size_t page_bytes = 4096;
constexpr std::uint64_t pages = 24;
using Clock = std::chrono::steady_clock;

struct Waiting {
  RecordingWaiter waiter;
  std::size_t file = 0;
  std::uint64_t page = 0;
  Clock::time_point deadline;
};

struct Pinned {
  PageGuard guard;
  std::uint64_t seed = 0;
  std::uint64_t offset = 0;
};

class Model {
 public:
  Model(std::uint64_t seed, std::size_t frames) : random_(seed) {
    BufferPoolOptions options;
    options.pool_bytes = frames * page_bytes;
    options.page_bytes = page_bytes;
    options.max_loads = 1 + random_() % 4;
    options.max_waiters = 12;
    options.transit_frames = 1;
    options.huge_pages = false;
    pool_ = BufferPool::create(options, executor_).value();
    for (std::uint64_t i = 0; i < 3; ++i) renew(i);
  }

  void step() {
    const std::size_t file = random_() % 3;
    FakeSource& source = *sources_[file];
    const PageId page{FileKey(source.version()), random_() % (pages + 1)};
    const AccessHint hint = random_() % 4 == 0 ? AccessHint::scan : AccessHint::point;
    switch (random_() % 17) {
      case 0:
      case 1:
      case 2:
        ask(file, page, hint);
        break;
      case 3:
      case 4:
        if (PageGuard guard = pool_->try_pin(page, random_() % 3, hint)) keep(std::move(guard), file, page);
        break;
      case 5:
      case 6: {
        source.set_nowait(random_() % 2 == 0 ? FakeSource::Nowait::served : FakeSource::Nowait::blocks);
        if (random_() % 4 == 0) source.on_next_nowait([this, file, page, hint] { ask(file, page, hint); });
        auto loaded = pool_->try_load(sources_[file], page, random_() % 3, hint);
        source.on_next_nowait({});
        if (loaded) keep(std::move(*loaded), file, page);
        break;
      }
      case 7: {
        source.set_nowait(FakeSource::Nowait::served);
        auto passed = pool_->transit_read(source, page.file, page.number * page_bytes + 7, 50);
        if (passed) pinned_.push_back({std::move(*passed), source.seed(), page.number * page_bytes + 7});
        break;
      }
      case 8:
        pool_->prefetch(sources_[file], page, 1 + random_() % 8, random_() % 3, hint);
        break;
      case 9:
      case 10:
        if (executor_.size() > 0) executor_.run_one(random_() % executor_.size());
        break;
      case 11:
        if (!waiting_.empty()) {
          auto it = waiting_.begin();
          std::advance(it, random_() % waiting_.size());
          CHECK(pool_->cancel(it->waiter) == (it->waiter.calls() == 0));
          if (it->waiter.calls() == 0) waiting_.erase(it);
        }
        break;
      case 12:
        now_ += std::chrono::seconds(random_() % 4);
        pool_->expire_waiters(now_);
        for (const Waiting& waiting : waiting_) CHECK((waiting.waiter.calls() == 1 || waiting.deadline > now_));
        break;
      case 13:
        pool_->forget(page.file);
        break;
      case 14:
        executor_.refuse(random_() % 3 == 0);
        break;
      case 15:
        damage(file);
        break;
      case 16: {
        Waiting& waiting = wait_for(file, page);
        if (!pool_->try_populate(sources_[file], page.file, page.number * page_bytes + random_() % page_bytes,
                                 1 + random_() % (5 * page_bytes), waiting.waiter, waiting.deadline)) {
          CHECK(waiting.waiter.calls() == 0);
          waiting_.pop_back();
        }
        break;
      }
    }
    if (!pinned_.empty() && random_() % 3 == 0) {
      std::swap(pinned_[random_() % pinned_.size()], pinned_.back());
      pinned_.pop_back();
    }
    settle();
  }

  void finish() {
    executor_.refuse(false);
    for (std::size_t round = 0; round < 100 && (!waiting_.empty() || executor_.size() > 0); ++round) {
      executor_.run_all();
      settle();
      pinned_.clear();
    }
    CHECK(waiting_.empty());
    pinned_.clear();
    const auto now = pool_->statistics();
    CHECK(now.pinned_frames == 0);
    CHECK(now.loads_in_flight == 0);
    CHECK(now.loading_frames == 0);
    CHECK(now.free_frames + now.resident_frames == now.frames);
    delivered_total += delivered_;
  }

  static inline std::size_t delivered_total = 0;

 private:
  void renew(std::size_t file) {
    sources_[file] = std::make_shared<FakeSource>(++seed_, pages * page_bytes + 321);
    if (random_() % 2 == 0) sources_[file]->set_most(1 + random_() % (3 * page_bytes));
  }

  void damage(std::size_t file) {
    FakeSource& source = *sources_[file];
    switch (random_() % 4) {
      case 0:
        source.fail((random_() % pages) * page_bytes, pages * page_bytes, {EIO, boost::system::system_category()});
        break;
      case 1:
        source.fail(0, 0, {});
        break;
      case 2:
        source.change();
        renew(file);
        break;
      case 3:
        source.truncate(random_() % (pages * page_bytes));
        renew(file);
        break;
    }
  }

  Waiting& wait_for(std::size_t file, const PageId& page) {
    Waiting& waiting = waiting_.emplace_back();
    waiting.file = sources_[file]->seed();
    waiting.page = page.number;
    waiting.deadline = now_ + std::chrono::seconds(1 + random_() % 10);
    return waiting;
  }

  void ask(std::size_t file, const PageId& page, AccessHint hint) {
    Waiting& waiting = wait_for(file, page);
    pool_->pin_or_wait(sources_[file], page, random_() % 3, hint, waiting.waiter, waiting.deadline);
  }

  void keep(PageGuard guard, std::size_t file, const PageId& page) {
    pinned_.push_back({std::move(guard), sources_[file]->seed(), page.number * page_bytes});
  }

  /// Takes what waiters got, and checks what must hold at any time.
  void settle() {
    std::size_t still = 0;
    for (auto it = waiting_.begin(); it != waiting_.end();) {
      REQUIRE(it->waiter.calls() <= 1);
      if (it->waiter.calls() == 0) {
        ++still;
        ++it;
        continue;
      }
      if (it->waiter.guard()) {
        ++delivered_;
        pinned_.push_back({std::move(it->waiter.guard()), it->file, it->page * page_bytes});
      }
      it = waiting_.erase(it);
    }
    for (const Pinned& pinned : pinned_) REQUIRE(is_content(pinned.seed, pinned.offset, pinned.guard.bytes()));
    const auto now = pool_->statistics();
    CHECK(now.waiters == still);
    CHECK(now.free_frames + now.resident_frames + now.loading_frames == now.frames);
    CHECK(now.pinned_frames <= now.resident_frames);
    // Nobody waits for nothing: either something is loading, or frames are pinned.
    CHECK((still == 0 || now.loads_in_flight > 0 || now.pinned_frames == now.resident_frames));
    CHECK((now.loads_in_flight == executor_.size()));
  }

  std::mt19937_64 random_;
  ManualExecutor executor_;
  std::uint64_t seed_ = 100;
  Clock::time_point now_{};
  std::shared_ptr<FakeSource> sources_[3];
  std::unique_ptr<BufferPool> pool_;
  std::list<Waiting> waiting_;
  std::vector<Pinned> pinned_;
  std::size_t delivered_ = 0;
};

}  // namespace

TEST_CASE("whatever is done in whatever order, pages are right and nothing is lost") {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    CAPTURE(seed);
    Model model(seed, 4 + seed % 3 * 10);
    for (int step = 0; step < 1000; ++step) model.step();
    model.finish();
  }
  // 680 with these seeds; next to none would mean that little above was tried.
  CHECK(Model::delivered_total > 500);
}
