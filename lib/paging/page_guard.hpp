#pragma once
// A pin on a frame, for as long as the object lives.

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace ranged {

class BufferPool;
struct Frame;

/// Move-only. While it is valid, bytes() are the contents of the page and will not be reused. Law 2: never kept across
/// a wait for a socket. Not thread-safe itself; may be moved to another thread. Cost of release: one atomic decrement,
/// or a lock when somebody waits for a frame.
class PageGuard {
 public:
  PageGuard() noexcept = default;
  PageGuard(PageGuard&& other) noexcept
      : pool_(std::exchange(other.pool_, nullptr)), frame_(other.frame_), bytes_(std::exchange(other.bytes_, {})) {}
  PageGuard& operator=(PageGuard&& other) noexcept {
    if (this != &other) {
      release();
      pool_ = std::exchange(other.pool_, nullptr);
      frame_ = other.frame_;
      bytes_ = std::exchange(other.bytes_, {});
    }
    return *this;
  }
  ~PageGuard() { release(); }

  /// Whether a page is held.
  explicit operator bool() const noexcept { return pool_ != nullptr; }
  /// The page's contents: a whole page, or less at the end of the file.
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return bytes_; }
  /// Unpins; harmless when empty.
  void release() noexcept {
    if (pool_ != nullptr) unpin();
  }

 private:
  friend class BufferPool;
  PageGuard(BufferPool& pool, Frame& frame, std::span<const std::byte> bytes) noexcept
      : pool_(&pool), frame_(&frame), bytes_(bytes) {}
  void unpin() noexcept;

  BufferPool* pool_ = nullptr;
  Frame* frame_ = nullptr;
  std::span<const std::byte> bytes_;
};

}  // namespace ranged
