#include <ranged/paging/readahead.hpp>

#include <doctest/doctest.h>

#include <vector>

using ranged::Readahead;
using ranged::ReadaheadWindow;

namespace {
constexpr std::size_t page = 64 << 10;
}

TEST_CASE("nothing is read ahead as long as nothing is missed") {
  Readahead readahead(page);
  readahead.begin(0, 100 * page);
  for (std::uint64_t number = 0; number < 100; ++number) CHECK(readahead.access(number, false).count == 0);
}

TEST_CASE("a miss starts with two pages, each mark doubles the window up to the most") {
  Readahead readahead(page, 8 * page);
  readahead.begin(0, 1000 * page);
  CHECK(readahead.access(0, true) == ReadaheadWindow{1, 2});
  CHECK(readahead.access(0, false).count == 0);
  CHECK(readahead.access(1, false) == ReadaheadWindow{3, 4});
  CHECK(readahead.access(2, false).count == 0);
  CHECK(readahead.access(3, false) == ReadaheadWindow{7, 8});
  for (std::uint64_t number = 4; number < 7; ++number) CHECK(readahead.access(number, false).count == 0);
  CHECK(readahead.access(7, false) == ReadaheadWindow{15, 8});
}

TEST_CASE("a sequential reader is told each page once, and none beyond the end of the stretch") {
  for (const std::uint64_t pages : {1U, 2U, 3U, 7U, 16U, 100U}) {
    Readahead readahead(page);
    const std::uint64_t offset = 5 * page + 17;
    readahead.begin(offset, pages * page - 17);
    std::vector<int> told(pages + 5 + 64, 0);
    for (std::uint64_t number = 5; number < 5 + pages; ++number) {
      const ReadaheadWindow window = readahead.access(number, number == 5);
      for (std::size_t i = 0; i < window.count; ++i) {
        CHECK(window.first > number);
        ++told[window.first + i];
      }
    }
    for (std::uint64_t number = 0; number < told.size(); ++number) {
      CHECK(told[number] == (number > 5 && number < 5 + pages ? 1 : 0));
    }
  }
}

TEST_CASE("a jump starts anew") {
  Readahead readahead(page);
  readahead.begin(0, 1000 * page);
  CHECK(readahead.access(0, true).count == 2);
  CHECK(readahead.access(1, false).count == 4);
  CHECK(readahead.access(500, false).count == 0);
  CHECK(readahead.access(501, true) == ReadaheadWindow{502, 2});
  readahead.begin(10 * page, 100 * page);
  CHECK(readahead.access(10, true) == ReadaheadWindow{11, 2});
}

TEST_CASE("a stretch that goes on where the last one ended keeps the window") {
  Readahead readahead(page);
  readahead.begin(0, 3 * page);
  CHECK(readahead.access(0, true) == ReadaheadWindow{1, 2});
  CHECK(readahead.access(1, false).count == 0);
  CHECK(readahead.access(2, false).count == 0);
  readahead.begin(3 * page, 100 * page);
  CHECK(readahead.access(3, true) == ReadaheadWindow{4, 4});
}

TEST_CASE("announcing the same stretch again changes nothing") {
  Readahead readahead(page);
  readahead.begin(0, 100 * page);
  CHECK(readahead.access(0, true).count == 2);
  readahead.begin(0, 100 * page);
  CHECK(readahead.access(0, false).count == 0);
}

TEST_CASE("extreme stretches neither wrap nor read ahead") {
  Readahead readahead(page);
  readahead.begin(7 * page, 0);
  CHECK(readahead.access(7, true).count == 0);
  const std::uint64_t last = ~std::uint64_t{0} / page;
  readahead.begin(~std::uint64_t{0} - 5, ~std::uint64_t{0});
  CHECK(readahead.access(last, true).count == 0);
}

TEST_CASE("windows of pages larger than the most are one page") {
  Readahead readahead(4 << 20);
  readahead.begin(0, std::uint64_t{1} << 40);
  CHECK(readahead.access(0, true) == ReadaheadWindow{1, 1});
  CHECK(readahead.access(1, false) == ReadaheadWindow{2, 1});
}
