#pragma once
// Which resident page goes when a frame is needed (README.md, rules 8 to 11).

#include <algorithm>
#include <atomic>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace ranged {

/// What a policy needs to know of a frame. A frame is known to the policy exactly while its page is resident.
struct EvictionEntry {
  static constexpr std::uint8_t max_credit = 3;

  /// Guards in existence. Raised only under the shard lock of the page; lowered without any. Pairs with the count of
  /// queued waiters (rule 5).
  std::atomic<std::uint32_t> pins{0};
  /// Uncorrelated references, saturating. Raised under the shard lock, spent under the pool lock; relaxed, since a lost
  /// count costs a page its place and nothing else.
  std::atomic<std::uint8_t> credit{0};
  /// Loaded by readahead and not asked for yet. Relaxed, as credit.
  std::atomic<bool> unread{false};
  std::uint64_t hash = 0;  ///< of the page id

  enum class Queue : std::uint8_t { none, small, main, scan };
  // The policy's own; guarded by the pool lock.
  EvictionEntry* next = nullptr;
  EvictionEntry* previous = nullptr;
  Queue queue = Queue::none;
};

/// Decides who is evicted. Calls are serialized by the caller (the pool lock).
/// insert: a page became resident; `scan` says that it belongs to a scan; true when the page was evicted not long ago.
/// erase: the page goes for another reason. victim: an entry for which `take(entry)` returned true, no longer known to
/// the policy, or null when all are pinned; `take` must refuse pinned entries. `scan_loading` is how many frames scans
/// are loading now.
template <typename Policy>
concept EvictionPolicy =
    requires(Policy policy, EvictionEntry& entry, bool scan, std::size_t scan_loading, bool (*take)(EvictionEntry&)) {
      { policy.insert(entry, scan) } -> std::same_as<bool>;
      policy.erase(entry);
      { policy.victim(scan, scan_loading, take) } -> std::same_as<EvictionEntry*>;
    };

/// A doubly linked FIFO through the entries themselves.
class EvictionQueue {
 public:
  explicit EvictionQueue(EvictionEntry::Queue name) noexcept : name_(name) {}

  [[nodiscard]] EvictionEntry* front() const noexcept { return front_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

  void push_back(EvictionEntry& entry) noexcept {
    entry.queue = name_;
    entry.next = nullptr;
    entry.previous = back_;
    (back_ != nullptr ? back_->next : front_) = &entry;
    back_ = &entry;
    ++size_;
  }

  void erase(EvictionEntry& entry) noexcept {
    (entry.previous != nullptr ? entry.previous->next : front_) = entry.next;
    (entry.next != nullptr ? entry.next->previous : back_) = entry.previous;
    entry.next = entry.previous = nullptr;
    entry.queue = EvictionEntry::Queue::none;
    --size_;
  }

  void rotate(EvictionEntry& entry) noexcept {
    erase(entry);
    push_back(entry);
  }

 private:
  EvictionEntry::Queue name_;
  EvictionEntry* front_ = nullptr;
  EvictionEntry* back_ = nullptr;
  std::size_t size_ = 0;
};

/// The ghost queue: hashes of the last `capacity` pages put in. A set-associative table with the time of insertion in
/// each entry instead of a list: fixed memory, no links, and an entry grows too old by itself. Two pages of equal hash
/// are taken for one another, and a full set forgets its oldest: either costs a wrong place in a queue, never a wrong
/// byte.
class GhostQueue {
 public:
  explicit GhostQueue(std::size_t capacity)
      : capacity_(std::max<std::size_t>(1, capacity)),
        sets_(std::bit_ceil(std::max<std::size_t>(1, 2 * capacity_ / set_size))),
        entries_(sets_ * set_size) {}

  void insert(std::uint64_t hash) noexcept {
    Entry* oldest = nullptr;
    for (Entry& entry : set(hash)) {
      if (entry.hash == hash && entry.inserted != 0) {
        oldest = &entry;
        break;
      }
      if (oldest == nullptr || entry.inserted < oldest->inserted) oldest = &entry;
    }
    *oldest = {hash, ++clock_};
  }

  /// Whether `hash` is remembered; it is forgotten by that.
  bool take(std::uint64_t hash) noexcept {
    for (Entry& entry : set(hash)) {
      if (entry.hash != hash || entry.inserted == 0) continue;
      const bool young = clock_ - entry.inserted < capacity_;
      entry = {};
      return young;
    }
    return false;
  }

 private:
  static constexpr std::size_t set_size = 4;  // an entry is 16 bytes, a set one cache line
  struct Entry {
    std::uint64_t hash = 0;
    std::uint64_t inserted = 0;  ///< 0: empty
  };
  struct Set {
    Entry* first;
    [[nodiscard]] Entry* begin() const noexcept { return first; }
    [[nodiscard]] Entry* end() const noexcept { return first + set_size; }
  };
  [[nodiscard]] Set set(std::uint64_t hash) noexcept {
    // The upper bits: the lower ones choose the page table's shard.
    return {entries_.data() + ((hash >> 32) & (sets_ - 1)) * set_size};
  }

  std::size_t capacity_;
  std::size_t sets_;
  std::vector<Entry> entries_;
  std::uint64_t clock_ = 0;
};

/// S3-FIFO (Yang et al., SOSP 2023): a small FIFO that new pages pass through, a main FIFO for pages that were asked
/// for again, and a ghost queue of what left the small one; beside them a bounded FIFO for scans. victim() costs O(1)
/// as a rule, and at most four visits to each entry when nearly all are pinned.
class S3Fifo {
 public:
  /// 10 % is the paper's; its authors found results to change little between 5 and 20 %.
  static constexpr std::size_t small_divisor = 10;
  /// An eighth is half of what makes a read a scan, so that a scan cannot hold what made it one.
  static constexpr std::size_t scan_divisor = 8;

  explicit S3Fifo(std::size_t frames)
      : small_target_(std::max<std::size_t>(1, frames / small_divisor)),
        scan_limit_(std::max<std::size_t>(1, frames / scan_divisor)),
        ghost_(frames) {}

  /// How many pages the scan queue holds at most, those being loaded included, as long as readahead alone asks for
  /// them.
  [[nodiscard]] std::size_t scan_limit() const noexcept { return scan_limit_; }
  [[nodiscard]] std::size_t scan_size() const noexcept { return scan_.size(); }

  bool insert(EvictionEntry& entry, bool scan) noexcept {
    if (scan) {
      scan_.push_back(entry);
      return false;
    }
    const bool remembered = ghost_.take(entry.hash);
    (remembered ? main_ : small_).push_back(entry);
    return remembered;
  }

  void erase(EvictionEntry& entry) noexcept {
    switch (entry.queue) {
      case EvictionEntry::Queue::small:
        small_.erase(entry);
        break;
      case EvictionEntry::Queue::main:
        main_.erase(entry);
        break;
      case EvictionEntry::Queue::scan:
        scan_.erase(entry);
        break;
      case EvictionEntry::Queue::none:
        break;
    }
  }

  /// An entry of the scan queue alone: what a scan recycles.
  template <typename Take>
  EvictionEntry* scan_victim(Take&& take) noexcept {
    for (std::size_t steps = scan_.size(); steps > 0; --steps) {
      EvictionEntry& entry = *scan_.front();
      if (pinned(entry)) {
        scan_.rotate(entry);
      } else if (entry.credit.load(std::memory_order_relaxed) > 0) {
        // Somebody who is no scan asked for it.
        entry.credit.store(0, std::memory_order_relaxed);
        scan_.erase(entry);
        main_.push_back(entry);
      } else if (take(entry)) {
        scan_.erase(entry);
        return &entry;
      } else {
        scan_.rotate(entry);
      }
    }
    return nullptr;
  }

  template <typename Take>
  EvictionEntry* victim(bool scan, std::size_t scan_loading, Take&& take) noexcept {
    if (scan && scan_.size() + scan_loading >= scan_limit_) {
      if (EvictionEntry* entry = scan_victim(take)) return entry;
    } else if (EvictionEntry* entry = scan_.front();
               entry != nullptr && !entry->unread.load(std::memory_order_relaxed)) {
      // A page that a scan is done with is worth less than any other.
      if (entry->credit.load(std::memory_order_relaxed) == 0 && !pinned(*entry) && take(*entry)) {
        scan_.erase(*entry);
        return entry;
      }
    }
    const bool small_first = small_.size() > small_target_ || main_.size() == 0;
    if (EvictionEntry* entry = small_first ? small_victim(take) : main_victim(take)) return entry;
    if (EvictionEntry* entry = small_first ? main_victim(take) : small_victim(take)) return entry;
    if (EvictionEntry* entry = scan_victim(take)) return entry;
    // The two before may have moved pages here.
    return main_victim(take);
  }

 private:
  /// One uncorrelated reference promotes: the authors advise one bit for caches behind another cache, as this is behind
  /// the kernel's.
  static constexpr std::uint8_t promote_at = 1;

  static bool pinned(const EvictionEntry& entry) noexcept { return entry.pins.load(std::memory_order_seq_cst) != 0; }

  template <typename Take>
  EvictionEntry* small_victim(Take& take) noexcept {
    for (std::size_t steps = small_.size(); steps > 0; --steps) {
      EvictionEntry& entry = *small_.front();
      if (entry.credit.load(std::memory_order_relaxed) >= promote_at) {
        entry.credit.store(0, std::memory_order_relaxed);
        small_.erase(entry);
        main_.push_back(entry);
      } else if (!pinned(entry) && take(entry)) {
        small_.erase(entry);
        ghost_.insert(entry.hash);
        return &entry;
      } else {
        small_.rotate(entry);
      }
    }
    return nullptr;
  }

  template <typename Take>
  EvictionEntry* main_victim(Take& take) noexcept {
    for (std::size_t steps = main_.size() * (EvictionEntry::max_credit + 1); steps > 0; --steps) {
      EvictionEntry& entry = *main_.front();
      if (!pinned(entry)) {
        const std::uint8_t credit = entry.credit.load(std::memory_order_relaxed);
        if (credit > 0) {
          entry.credit.store(credit - 1, std::memory_order_relaxed);
        } else if (take(entry)) {
          main_.erase(entry);
          return &entry;
        }
      }
      main_.rotate(entry);
    }
    return nullptr;
  }

  std::size_t small_target_;
  std::size_t scan_limit_;
  EvictionQueue small_{EvictionEntry::Queue::small};
  EvictionQueue main_{EvictionEntry::Queue::main};
  EvictionQueue scan_{EvictionEntry::Queue::scan};
  GhostQueue ghost_;
};

static_assert(EvictionPolicy<S3Fifo>);

}  // namespace ranged
