// What the pool costs: a page that is resident, one that has to be loaded (from memory, so that no disk is measured)
// and one that evicts another; by one and by two threads. The bytes of a page are touched as a send would: not at all.
#include <ranged/paging/buffer_pool.hpp>
#include <ranged/paging/page_id.hpp>
#include <ranged/storage/byte_source.hpp>
#include <ranged/storage/disk_threads.hpp>

#include <benchmark/benchmark.h>

#include <cstring>
#include <memory>

namespace {

using namespace ranged;

constexpr std::size_t page_bytes = std::size_t{64} << 10;
constexpr std::size_t pool_pages = 1024;

/// A file of zeros that is read without a copy: what is left is the pool's own cost.
class EmptySource final : public ByteSource {
 public:
  EmptySource() noexcept {
    version_.inode = 1;
    version_.size = std::uint64_t{1} << 40;
  }
  [[nodiscard]] const FileVersion& version() const noexcept override { return version_; }
  [[nodiscard]] boost::system::result<std::size_t> read(std::uint64_t,
                                                        std::span<const iovec> buffers) noexcept override {
    std::size_t total = 0;
    for (const iovec& buffer : buffers) total += buffer.iov_len;
    return total;
  }
  [[nodiscard]] boost::system::result<std::size_t> read_nowait(std::uint64_t offset,
                                                               std::span<const iovec> buffers) noexcept override {
    return read(offset, buffers);
  }
  [[nodiscard]] boost::system::result<FileVersion> current_version() noexcept override { return version_; }

 private:
  FileVersion version_;
};

struct Fixture {
  DiskThreads disk{1, 64};
  std::shared_ptr<ByteSource> source = std::make_shared<EmptySource>();
  FileKey file{source->version()};
  std::unique_ptr<BufferPool> pool;

  Fixture() {
    BufferPoolOptions options;
    options.pool_bytes = pool_pages * page_bytes;
    options.page_bytes = page_bytes;
    pool = std::move(BufferPool::create(options, disk).value());
  }
};

Fixture& fixture() {
  static Fixture shared;
  return shared;
}

void hit(benchmark::State& state) {
  Fixture& shared = fixture();
  constexpr std::uint64_t hot_pages = 64;
  const auto stream = static_cast<StreamId>(state.thread_index() + 1);
  std::uint64_t number = 0;
  for (auto _ : state) {
    const PageId page{shared.file, number++ % hot_pages};
    PageGuard guard = shared.pool->try_pin(page, stream, AccessHint::point);
    if (!guard) {
      auto loaded = shared.pool->try_load(shared.source, page, stream, AccessHint::point);
      if (loaded) guard = std::move(*loaded);
    }
    benchmark::DoNotOptimize(guard.bytes().data());
  }
}
BENCHMARK(hit)->Threads(1)->Threads(2)->UseRealTime();

/// Every page is a new one, so that once the pool is full each load evicts.
void miss_and_evict(benchmark::State& state) {
  Fixture& shared = fixture();
  const auto stream = static_cast<StreamId>(state.thread_index() + 1);
  std::uint64_t number = stream << 20U;
  for (auto _ : state) {
    auto loaded = shared.pool->try_load(shared.source, {shared.file, number++}, stream, AccessHint::point);
    benchmark::DoNotOptimize(loaded);
  }
}
BENCHMARK(miss_and_evict)->Threads(1)->Threads(2)->UseRealTime();

/// A small read that passes through.
void transit(benchmark::State& state) {
  Fixture& shared = fixture();
  std::uint64_t number = std::uint64_t{1} << 23U;
  for (auto _ : state) {
    auto passed = shared.pool->transit_read(*shared.source, shared.file, number++ * page_bytes, 4096);
    benchmark::DoNotOptimize(passed);
  }
}
BENCHMARK(transit)->Threads(1)->Threads(2)->UseRealTime();

}  // namespace

BENCHMARK_MAIN();
