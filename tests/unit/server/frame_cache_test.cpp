#include "server/frame_cache.hpp"

#include <doctest/doctest.h>

#include <cstring>
#include <set>
#include <thread>
#include <utility>
#include <vector>

using ranged::server::FrameCache;

namespace {

bool is_reused(std::size_t freed, std::size_t wanted) {
  void* const first = FrameCache::allocate(freed);
  FrameCache::deallocate(first, freed);
  void* const second = FrameCache::allocate(wanted);
  const bool same = second == first;
  FrameCache::deallocate(second, wanted);
  return same;
}

}  // namespace

TEST_CASE("frames are as large as asked for, of all sizes, and never shared while in use") {
  const FrameCache cache;
  for (int round = 0; round < 3; ++round) {
    std::vector<std::pair<unsigned char*, std::size_t>> frames;
    for (std::size_t size = 1; size <= FrameCache::largest + 200; size += 37) {
      auto* const frame = static_cast<unsigned char*>(FrameCache::allocate(size));
      std::memset(frame, static_cast<int>(size & 0xff), size);
      frames.emplace_back(frame, size);
    }
    for (const auto& [frame, size] : frames) {
      for (std::size_t i = 0; i < size; ++i) REQUIRE(frame[i] == (size & 0xff));
      FrameCache::deallocate(frame, size);
    }
  }
}

TEST_CASE("a freed frame serves the next of its size, and none that is larger") {
  const FrameCache cache;
  CHECK(is_reused(1000, 1000) == FrameCache::recycles);
  CHECK(is_reused(FrameCache::largest, FrameCache::largest) == FrameCache::recycles);
  CHECK_FALSE(is_reused(640, 641));
}

TEST_CASE("of each size a bounded number is kept") {
  const FrameCache cache;
  std::vector<void*> frames;
  for (int i = 0; i < 100; ++i) frames.push_back(FrameCache::allocate(512));
  const std::set<void*> first(frames.begin(), frames.begin() + FrameCache::kept_each);
  for (void* const frame : frames) FrameCache::deallocate(frame, 512);
  frames.clear();
  std::size_t reused = 0;
  for (int i = 0; i < FrameCache::kept_each; ++i) {
    frames.push_back(FrameCache::allocate(512));
    reused += first.count(frames.back());
  }
  CHECK(reused == (FrameCache::recycles ? FrameCache::kept_each : 0U));
  for (void* const frame : frames) FrameCache::deallocate(frame, 512);
}

TEST_CASE("a thread without a cache allocates, and may free what another's gave") {
  void* frame = nullptr;
  {
    const FrameCache cache;
    frame = FrameCache::allocate(300);
    std::thread other([frame] {
      FrameCache::deallocate(frame, 300);
      void* const own = FrameCache::allocate(300);
      std::memset(own, 1, 300);
      FrameCache::deallocate(own, 300);
    });
    other.join();
  }
  void* const after = FrameCache::allocate(300);
  std::memset(after, 2, 300);
  FrameCache::deallocate(after, 300);
}
