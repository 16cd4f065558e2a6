#include <ranged/scan/scan_frames.hpp>

#include <sys/mman.h>

#include <bit>
#include <cerrno>
#include <cstdint>
#include <new>

namespace ranged {

boost::system::result<std::unique_ptr<ScanFrames>> ScanFrames::create(std::size_t count, std::size_t frame_bytes) {
  // Populated, so that a lack of memory shows at the start.
  void* const memory =
      ::mmap(nullptr, count * frame_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (memory == MAP_FAILED) return boost::system::error_code(errno, boost::system::system_category());
  return std::unique_ptr<ScanFrames>(new ScanFrames(count, frame_bytes, static_cast<std::byte*>(memory)));
}

ScanFrames::~ScanFrames() {
  ::munmap(memory_, count_ * frame_bytes_);
}

ScanFrame ScanFrames::try_take() noexcept {
  const std::lock_guard lock(mutex_);
  const auto index = static_cast<std::size_t>(std::countr_one(taken_));
  if (index >= count_) return {};
  taken_ |= std::uint64_t{1} << index;
  return {*this, {memory_ + index * frame_bytes_, frame_bytes_}};
}

std::size_t ScanFrames::taken() const noexcept {
  const std::lock_guard lock(mutex_);
  return static_cast<std::size_t>(std::popcount(taken_));
}

void ScanFrames::give_back(const std::byte* frame) noexcept {
  const std::lock_guard lock(mutex_);
  taken_ &= ~(std::uint64_t{1} << (static_cast<std::size_t>(frame - memory_) / frame_bytes_));
}

void ScanFrame::release() noexcept {
  if (owner_ != nullptr) std::exchange(owner_, nullptr)->give_back(bytes_.data());
}

}  // namespace ranged
