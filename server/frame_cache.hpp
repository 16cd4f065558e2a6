#pragma once
// Memory for the coroutine frames of one thread: a request makes half a dozen, of the same sizes each time.

#include <array>
#include <cstddef>
#include <cstdint>
#include <new>

namespace ranged::server {

/// Keeps freed frames for the next coroutines of the same size, so that a request allocates nothing. Asio's own
/// recycling keeps two, and none of more than 1020 bytes (asio/detail/thread_info_base.hpp). While an object of this
/// class lives, it serves the thread that made it; a thread without one allocates. Memory kept: kept_each of each size
/// in use.
class FrameCache {
 public:
  /// Frames of more than this are not kept.
  static constexpr std::size_t largest = 4096;
  /// Sizes are rounded up to this, a cache line.
  static constexpr std::size_t unit = 64;
  /// Of one size: a request's coroutines nest less deep, and what connections hold while they wait is not kept here.
  static constexpr std::uint8_t kept_each = 8;

  /// AddressSanitizer sees the use of a frame that is gone only if its memory is given back.
#if defined(__SANITIZE_ADDRESS__)
  static constexpr bool recycles = false;
#elif defined(__has_feature)
  static constexpr bool recycles = !__has_feature(address_sanitizer);
#else
  static constexpr bool recycles = true;
#endif

  FrameCache() noexcept : previous_(current_) { current_ = this; }
  ~FrameCache() {
    current_ = previous_;
    for (Sizes& sizes : sizes_) {
      while (sizes.first != nullptr) ::operator delete(take(sizes));
    }
  }
  FrameCache(const FrameCache&) = delete;
  FrameCache& operator=(const FrameCache&) = delete;

  /// As ::operator new and ::operator delete, on any thread.
  [[nodiscard]] static void* allocate(std::size_t size) {
    if (size > largest) return ::operator new(size);
    const std::size_t index = index_of(size);
    if (current_ != nullptr && current_->sizes_[index].first != nullptr) return take(current_->sizes_[index]);
    return ::operator new((index + 1) * unit);
  }
  static void deallocate(void* memory, std::size_t size) noexcept {
    if (!recycles || current_ == nullptr || size > largest) return ::operator delete(memory);
    Sizes& sizes = current_->sizes_[index_of(size)];
    if (sizes.count == kept_each) return ::operator delete(memory);
    sizes.first = new (memory) Kept{sizes.first};
    ++sizes.count;
  }

 private:
  struct Kept {
    Kept* next;
  };
  struct Sizes {
    Kept* first = nullptr;
    std::uint8_t count = 0;
  };

  static constexpr std::size_t index_of(std::size_t size) noexcept { return size == 0 ? 0 : (size - 1) / unit; }
  static void* take(Sizes& sizes) noexcept {
    Kept* const kept = sizes.first;
    sizes.first = kept->next;
    --sizes.count;
    return kept;
  }

  static inline constinit thread_local FrameCache* current_ = nullptr;

  FrameCache* previous_;
  std::array<Sizes, largest / unit> sizes_{};
};

}  // namespace ranged::server
