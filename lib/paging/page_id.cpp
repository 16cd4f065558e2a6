#include <ranged/paging/page_id.hpp>

#include <atomic>

namespace ranged {
namespace {

// The finalizer of SplitMix64 (Steele, Lea, Flood 2014; constants of Stafford's variant 13): each input bit reaches
// each output bit.
std::uint64_t mix(std::uint64_t value) noexcept {
  value ^= value >> 30;
  value *= 0xbf58476d1ce4e5b9U;
  value ^= value >> 27;
  value *= 0x94d049bb133111ebU;
  value ^= value >> 31;
  return value;
}

// Adding the golden ratio first keeps a field of zeros from leaving the sum as it was.
std::uint64_t combine(std::uint64_t hash, std::uint64_t field) noexcept {
  return mix(hash + 0x9e3779b97f4a7c15U + field);
}

}  // namespace

FileKey::FileKey(const FileVersion& version, std::uint64_t instance) noexcept : version_(version), instance_(instance) {
  std::uint64_t hash = combine(0, version.device);
  hash = combine(hash, version.inode);
  hash = combine(hash, version.size);
  hash = combine(hash, static_cast<std::uint64_t>(version.modified_ns));
  hash = combine(hash, static_cast<std::uint64_t>(version.changed_ns));
  hash_ = combine(hash, instance);
}

std::uint64_t next_file_instance() noexcept {
  // Relaxed: pairs with nothing, the numbers need only differ.
  static std::atomic<std::uint64_t> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

std::uint64_t PageId::hash() const noexcept {
  return combine(file.hash(), number);
}

}  // namespace ranged
