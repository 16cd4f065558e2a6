#include <ranged/paging/page_table.hpp>

#include <doctest/doctest.h>

#include <map>
#include <memory>
#include <random>

using ranged::FileKey;
using ranged::FileVersion;
using ranged::Frame;
using ranged::PageId;
using ranged::PageTable;

TEST_CASE("the page table finds what was inserted, like a map") {
  constexpr std::size_t count = 500;
  PageTable table(count / 10);  // long chains
  const auto frames = std::make_unique<Frame[]>(count);
  const FileKey file(FileVersion{1, 2, 1 << 30, 4, 5});
  for (std::size_t i = 0; i < count; ++i) {
    frames[i].page = {file, i};
    frames[i].hash = frames[i].page.hash();
  }
  std::map<std::uint64_t, Frame*> model;
  std::mt19937_64 random(2);
  for (int step = 0; step < 20000; ++step) {
    Frame& frame = frames[random() % count];
    Frame* const found = table.find(frame.page, frame.hash);
    CHECK(found == (model.contains(frame.page.number) ? &frame : nullptr));
    if (found != nullptr) {
      table.erase(frame);
      model.erase(frame.page.number);
    } else {
      table.insert(frame);
      model[frame.page.number] = &frame;
    }
  }
}

TEST_CASE("pages of equal hash are told apart") {
  PageTable table(4);
  Frame first, second;
  first.page = {FileKey(FileVersion{1, 1, 1, 1, 1}), 1};
  second.page = {FileKey(FileVersion{2, 2, 2, 2, 2}), 2};
  first.hash = second.hash = 42;
  table.insert(first);
  table.insert(second);
  CHECK(table.find(first.page, 42) == &first);
  CHECK(table.find(second.page, 42) == &second);
  table.erase(first);
  CHECK(table.find(first.page, 42) == nullptr);
  CHECK(table.find(second.page, 42) == &second);
}
