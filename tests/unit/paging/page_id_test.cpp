#include <ranged/paging/page_id.hpp>

#include <doctest/doctest.h>

#include <set>

using ranged::FileKey;
using ranged::FileVersion;
using ranged::PageId;

TEST_CASE("every field of a version and the instance make another key") {
  const FileVersion base{1, 2, 3, 4, 5};
  std::set<std::uint64_t> hashes;
  for (int field = 0; field < 5; ++field) {
    FileVersion version = base;
    (field == 0 ? version.device : field == 1 ? version.inode : version.size) += field < 3 ? 1 : 0;
    if (field == 3) ++version.modified_ns;
    if (field == 4) ++version.changed_ns;
    CHECK_FALSE(FileKey(version) == FileKey(base));
    hashes.insert(FileKey(version).hash());
  }
  CHECK_FALSE(FileKey(base, 7) == FileKey(base));
  CHECK(FileKey(base, 7) == FileKey(base, 7));
  hashes.insert(FileKey(base).hash());
  hashes.insert(FileKey(base, 7).hash());
  CHECK(hashes.size() == 7);
}

TEST_CASE("swapping two fields makes another hash") {
  CHECK(FileKey(FileVersion{1, 2, 0, 0, 0}).hash() != FileKey(FileVersion{2, 1, 0, 0, 0}).hash());
}

TEST_CASE("adjacent pages spread over shards and buckets") {
  const FileKey file(FileVersion{1, 2, 3, 4, 5});
  std::set<std::uint64_t> hashes;
  std::size_t shards[64] = {};
  for (std::uint64_t number = 0; number < 6400; ++number) {
    const std::uint64_t hash = PageId{file, number}.hash();
    hashes.insert(hash);
    ++shards[hash % 64];
  }
  CHECK(hashes.size() == 6400);
  // 100 each on average, with a deviation of 10.
  for (const std::size_t count : shards) CHECK((count > 50 && count < 150));
}

TEST_CASE("instances are never 0 and never the same") {
  const std::uint64_t first = ranged::next_file_instance();
  CHECK(first != 0);
  CHECK(ranged::next_file_instance() != first);
}
