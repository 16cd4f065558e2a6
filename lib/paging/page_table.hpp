#pragma once
// Page id to frame. Private to the pool.

#include <ranged/paging/frame.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace ranged {

/// A hash table of fixed size, chained through the frames, in shards with a mutex each. Every function wants the lock
/// of the shard that `hash` falls in. Cost: one chain, of half a frame on average.
class PageTable {
 public:
  /// Enough that a few dozen threads seldom meet; 64 lines of cache.
  static constexpr std::size_t shard_count = 64;

  struct alignas(64) Shard {
    /// The shard lock (rule 1): guards the shard's chains, the fields of Frame that say so, and these counts.
    std::mutex mutex;
    std::uint64_t hits = 0;
    std::uint64_t prefetches_used = 0;
  };

  explicit PageTable(std::size_t frames);

  [[nodiscard]] Shard& shard(std::uint64_t hash) const noexcept { return shards_[hash % shard_count]; }
  [[nodiscard]] Frame* find(const PageId& page, std::uint64_t hash) const noexcept;
  /// The page must not be in the table.
  void insert(Frame& frame) noexcept;
  /// The frame must be in the table.
  void erase(Frame& frame) noexcept;

 private:
  [[nodiscard]] std::size_t bucket(std::uint64_t hash) const noexcept {
    return (hash % shard_count) * buckets_per_shard_ + ((hash / shard_count) & (buckets_per_shard_ - 1));
  }

  std::size_t buckets_per_shard_;
  std::unique_ptr<Shard[]> shards_;
  std::vector<Frame*> buckets_;
};

}  // namespace ranged
