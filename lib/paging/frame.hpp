#pragma once
// A slot for one page. Private to the pool.

#include <ranged/paging/eviction.hpp>
#include <ranged/paging/page_id.hpp>
#include <ranged/paging/waiter_queue.hpp>

#include <cstddef>
#include <cstdint>

namespace ranged {

enum class FrameState : std::uint8_t {
  free,      ///< in the free list, in no table
  loading,   ///< in the table; its bytes belong to whoever reads into it
  resident,  ///< in the table and known to the eviction policy; its bytes do not change
  transit,   ///< a transit frame: never in a table
};

struct Frame : EvictionEntry {
  std::byte* data = nullptr;  ///< never changes

  // Written under the pool lock and the shard lock both, so that either is enough to read them (rule 2).
  FrameState state = FrameState::free;
  bool scan = false;
  std::uint32_t length = 0;  ///< bytes of the page: less than a whole page at the end of the file
  PageId page;

  // Guarded by the shard lock.
  Frame* chain_next = nullptr;
  StreamId last_stream = 0;
  std::uint64_t touched_at = 0;  ///< the pool's count of insertions at the last touch

  // Guarded by the pool lock (a transit frame's by the transit lock).
  Frame* free_next = nullptr;
  WaiterQueue waiters;  ///< who waits for the page that is being loaded
};

}  // namespace ranged
