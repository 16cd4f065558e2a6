#include <ranged/paging/page_table.hpp>

#include <algorithm>
#include <bit>

namespace ranged {

PageTable::PageTable(std::size_t frames)
    : buckets_per_shard_(std::bit_ceil(std::max<std::size_t>(1, 2 * frames / shard_count))),
      shards_(std::make_unique<Shard[]>(shard_count)),
      buckets_(buckets_per_shard_ * shard_count, nullptr) {}

Frame* PageTable::find(const PageId& page, std::uint64_t hash) const noexcept {
  for (Frame* frame = buckets_[bucket(hash)]; frame != nullptr; frame = frame->chain_next) {
    if (frame->hash == hash && frame->page == page) return frame;
  }
  return nullptr;
}

void PageTable::insert(Frame& frame) noexcept {
  Frame*& first = buckets_[bucket(frame.hash)];
  frame.chain_next = first;
  first = &frame;
}

void PageTable::erase(Frame& frame) noexcept {
  Frame** link = &buckets_[bucket(frame.hash)];
  while (*link != &frame) link = &(*link)->chain_next;
  *link = frame.chain_next;
  frame.chain_next = nullptr;
}

}  // namespace ranged
