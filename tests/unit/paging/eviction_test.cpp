#include <ranged/paging/eviction.hpp>

#include <doctest/doctest.h>

#include <memory>
#include <random>
#include <vector>

using ranged::EvictionEntry;
using ranged::GhostQueue;
using ranged::S3Fifo;

namespace {

/// Entries 0 to n - 1, with that as their hash, spread so that ghost sets do not overflow.
struct Entries {
  explicit Entries(std::size_t count) : entries(std::make_unique<EvictionEntry[]>(count)) {
    for (std::size_t i = 0; i < count; ++i) entries[i].hash = (i + 1) * 0x9e3779b97f4a7c15U;
  }
  EvictionEntry& operator[](std::size_t i) const { return entries[i]; }
  std::unique_ptr<EvictionEntry[]> entries;
};

constexpr auto take_any = [](EvictionEntry& entry) { return entry.pins.load() == 0; };

}  // namespace

TEST_CASE("the ghost queue remembers the last insertions and forgets what was taken") {
  GhostQueue ghost(8);
  ghost.insert(0x100000000);
  CHECK(ghost.take(0x100000000));
  CHECK_FALSE(ghost.take(0x100000000));
  ghost.insert(0x200000000);
  for (std::uint64_t i = 0; i < 8; ++i) ghost.insert(0x3000000000 + (i << 32));
  CHECK_FALSE(ghost.take(0x200000000));
  CHECK(ghost.take(0x3000000000 + (std::uint64_t{7} << 32)));
}

TEST_CASE("the ghost queue finds most of what its capacity promises") {
  std::mt19937_64 random(1);
  GhostQueue ghost(1000);
  std::vector<std::uint64_t> hashes(1000);
  for (auto& hash : hashes) ghost.insert(hash = random());
  std::size_t found = 0;
  for (const auto hash : hashes) found += ghost.take(hash) ? 1U : 0U;
  CHECK(found > 900);
  CHECK_FALSE(ghost.take(random()));
}

TEST_CASE("pages asked for once leave in the order in which they came") {
  Entries entries(20);
  S3Fifo policy(20);
  for (std::size_t i = 0; i < 20; ++i) CHECK_FALSE(policy.insert(entries[i], false));
  for (std::size_t i = 0; i < 20; ++i) CHECK(policy.victim(false, 0, take_any) == &entries[i]);
  CHECK(policy.victim(false, 0, take_any) == nullptr);
}

TEST_CASE("a page asked for again survives a stream of new ones") {
  Entries entries(1000);
  S3Fifo policy(20);
  for (std::size_t i = 0; i < 20; ++i) policy.insert(entries[i], false);
  entries[3].credit = 1;
  for (std::size_t i = 20; i < 1000; ++i) {
    EvictionEntry* const victim = policy.victim(false, 0, take_any);
    REQUIRE(victim != nullptr);
    CHECK(victim != &entries[3]);
    policy.insert(entries[i], false);
  }
}

TEST_CASE("a page that comes back soon goes to the main queue") {
  Entries entries(100);
  S3Fifo policy(20);
  for (std::size_t i = 0; i < 20; ++i) policy.insert(entries[i], false);
  CHECK(policy.victim(false, 0, take_any) == &entries[0]);
  CHECK(policy.insert(entries[0], false));
  CHECK(entries[0].queue == EvictionEntry::Queue::main);
}

TEST_CASE("pinned entries are passed over, and reported when there is nothing else") {
  Entries entries(20);
  S3Fifo policy(20);
  for (std::size_t i = 0; i < 20; ++i) {
    policy.insert(entries[i], i % 5 == 4);
    entries[i].pins = 1;
    entries[i].credit = static_cast<std::uint8_t>(i % 4);
  }
  CHECK(policy.victim(false, 0, take_any) == nullptr);
  CHECK(policy.victim(true, 0, take_any) == nullptr);
  for (const std::size_t only : {3U, 9U, 17U}) {
    entries[only].pins = 0;
    CHECK(policy.victim(false, 0, take_any) == &entries[only]);
  }
}

TEST_CASE("an entry that may not be taken after all is passed over") {
  Entries entries(4);
  S3Fifo policy(4);
  for (std::size_t i = 0; i < 4; ++i) policy.insert(entries[i], false);
  const auto take = [&](EvictionEntry& entry) { return &entry == &entries[2]; };
  CHECK(policy.victim(false, 0, take) == &entries[2]);
  CHECK(policy.victim(false, 0, take) == nullptr);
}

TEST_CASE("a scan at its bound recycles its own pages") {
  Entries entries(100);
  S3Fifo policy(40);
  REQUIRE(policy.scan_limit() == 5);
  for (std::size_t i = 0; i < 35; ++i) policy.insert(entries[i], false);
  for (std::size_t i = 35; i < 40; ++i) policy.insert(entries[i], true);
  for (std::size_t i = 40; i < 100; ++i) {
    EvictionEntry* const victim = policy.victim(true, 0, take_any);
    CHECK(victim == &entries[i - 5]);
    policy.insert(entries[i], true);
    CHECK(policy.scan_size() == 5);
  }
}

TEST_CASE("others take first what a scan has read, and nothing that it has yet to read") {
  Entries entries(100);
  S3Fifo policy(40);
  for (std::size_t i = 0; i < 38; ++i) policy.insert(entries[i], false);
  policy.insert(entries[38], true);
  policy.insert(entries[39], true);
  entries[39].unread = true;
  CHECK(policy.victim(false, 0, take_any) == &entries[38]);
  CHECK(policy.victim(false, 0, take_any) == &entries[0]);
}

TEST_CASE("a scanned page that others ask for is kept") {
  Entries entries(20);
  S3Fifo policy(16);
  REQUIRE(policy.scan_limit() == 2);
  policy.insert(entries[0], true);
  policy.insert(entries[1], true);
  entries[0].credit = 1;
  CHECK(policy.victim(true, 0, take_any) == &entries[1]);
  CHECK(entries[0].queue == EvictionEntry::Queue::main);
}

TEST_CASE("erased entries are gone from every queue") {
  Entries entries(10);
  S3Fifo policy(10);
  for (std::size_t i = 0; i < 10; ++i) policy.insert(entries[i], i % 3 == 0);
  for (std::size_t i = 0; i < 10; ++i) policy.erase(entries[i]);
  CHECK(policy.victim(false, 0, take_any) == nullptr);
  CHECK(policy.scan_size() == 0);
}
