#include <ranged/scan/byte_statistics.hpp>

#include <doctest/doctest.h>

#include <random>
#include <vector>

using namespace ranged;

TEST_CASE("of nothing") {
  const ByteStatistics statistics;
  CHECK(statistics.total() == 0);
  CHECK(statistics.entropy() == 0);
  CHECK(statistics.min() == 0);
  CHECK(statistics.max() == 0);
}

TEST_CASE("entropy is 0 for one value, 1 for two, 8 for all") {
  ByteStatistics statistics;
  statistics.take(std::vector<std::byte>(1000, std::byte{7}));
  CHECK(statistics.entropy() == doctest::Approx(0));
  CHECK(statistics.min() == 7);
  CHECK(statistics.max() == 7);
  statistics.take(std::vector<std::byte>(1000, std::byte{9}));
  CHECK(statistics.entropy() == doctest::Approx(1));
  statistics.clear();
  std::vector<std::byte> all(256 * 3);
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::byte>(i);
  statistics.take(all);
  CHECK(statistics.entropy() == doctest::Approx(8));
  CHECK(statistics.min() == 0);
  CHECK(statistics.max() == 255);
}

TEST_CASE("each byte is of one class, whatever the pieces") {
  std::vector<std::byte> all(256);
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::byte>(i);
  ByteStatistics statistics;
  for (std::size_t at = 0; at < all.size(); at += 11) {
    statistics.take(std::span(all).subspan(at, std::min<std::size_t>(11, all.size() - at)));
  }
  CHECK(statistics.classes() == ByteStatistics::Classes{1, 1, 95 + 3, 31 - 3 + 1, 127});
  CHECK(statistics.total() == 256);
  statistics.take_zeros(1000);
  CHECK(statistics.classes().zero == 1001);
  CHECK(statistics.total() == 1256);
}
