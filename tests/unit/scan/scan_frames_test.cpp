#include <ranged/scan/scan_frames.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <utility>
#include <vector>

using namespace ranged;

TEST_CASE("as many frames as there are, each its own, and given back when let go") {
  auto frames = ScanFrames::create(3, 8192);
  REQUIRE(frames.has_value());
  std::vector<ScanFrame> taken;
  for (unsigned i = 0; i < 3; ++i) {
    ScanFrame frame = (*frames)->try_take();
    REQUIRE(frame);
    REQUIRE(frame.bytes().size() == 8192);
    std::fill(frame.bytes().begin(), frame.bytes().end(), static_cast<std::byte>(i));
    taken.push_back(std::move(frame));
  }
  for (unsigned i = 0; i < 3; ++i) {
    CHECK(std::all_of(taken[i].bytes().begin(), taken[i].bytes().end(),
                      [i](std::byte byte) { return byte == static_cast<std::byte>(i); }));
  }
  CHECK_FALSE((*frames)->try_take());
  CHECK((*frames)->taken() == 3);
  const std::byte* const second = taken[1].bytes().data();
  taken[1].release();
  CHECK((*frames)->taken() == 2);
  const ScanFrame again = (*frames)->try_take();
  CHECK(again.bytes().data() == second);
}

TEST_CASE("64 frames are the most") {
  auto frames = ScanFrames::create(ScanFrames::max_count, 4096);
  REQUIRE(frames.has_value());
  std::vector<ScanFrame> taken;
  for (std::size_t i = 0; i < ScanFrames::max_count; ++i) {
    taken.push_back((*frames)->try_take());
    REQUIRE(taken.back());
  }
  CHECK_FALSE((*frames)->try_take());
}
