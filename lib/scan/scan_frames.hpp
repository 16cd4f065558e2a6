#pragma once
// The memory that scans read files into: frames set aside for them when the daemon starts, so that no scan takes a page
// from those who view.

#include <boost/system/result.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <utility>

namespace ranged {

class ScanFrames;

/// One scan's frame, for as long as the scan lives. Move-only.
class ScanFrame {
 public:
  ScanFrame() noexcept = default;
  ScanFrame(ScanFrame&& other) noexcept
      : owner_(std::exchange(other.owner_, nullptr)), bytes_(std::exchange(other.bytes_, {})) {}
  ScanFrame& operator=(ScanFrame&& other) noexcept {
    if (this != &other) {
      release();
      owner_ = std::exchange(other.owner_, nullptr);
      bytes_ = std::exchange(other.bytes_, {});
    }
    return *this;
  }
  ~ScanFrame() { release(); }

  explicit operator bool() const noexcept { return owner_ != nullptr; }
  [[nodiscard]] std::span<std::byte> bytes() const noexcept { return bytes_; }
  void release() noexcept;

 private:
  friend class ScanFrames;
  ScanFrame(ScanFrames& owner, std::span<std::byte> bytes) noexcept : owner_(&owner), bytes_(bytes) {}

  ScanFrames* owner_ = nullptr;
  std::span<std::byte> bytes_;
};

/// A fixed number of frames of equal size. Thread-safe. Outlives the frames taken.
class ScanFrames {
 public:
  /// Allocates `count` (1 to 64) frames of `frame_bytes`, touched now. Errors: the system's, for lack of memory.
  static boost::system::result<std::unique_ptr<ScanFrames>> create(std::size_t count, std::size_t frame_bytes);
  ~ScanFrames();
  ScanFrames(const ScanFrames&) = delete;
  ScanFrames& operator=(const ScanFrames&) = delete;

  static constexpr std::size_t max_count = 64;

  /// A frame, or an empty one when all are taken. Never waits.
  [[nodiscard]] ScanFrame try_take() noexcept;

  [[nodiscard]] std::size_t count() const noexcept { return count_; }
  [[nodiscard]] std::size_t frame_bytes() const noexcept { return frame_bytes_; }
  /// Frames taken now.
  [[nodiscard]] std::size_t taken() const noexcept;

 private:
  friend class ScanFrame;
  ScanFrames(std::size_t count, std::size_t frame_bytes, std::byte* memory) noexcept
      : count_(count), frame_bytes_(frame_bytes), memory_(memory) {}
  void give_back(const std::byte* frame) noexcept;

  const std::size_t count_;
  const std::size_t frame_bytes_;
  std::byte* const memory_;
  mutable std::mutex mutex_;  ///< guards taken_
  std::uint64_t taken_ = 0;   ///< a bit for each frame
};

}  // namespace ranged
