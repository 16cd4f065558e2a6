#pragma once
// What a connection has received and not yet answered: a small buffer within the connection, a larger one only while a
// head needs it.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>

namespace ranged::server {

/// Not thread-safe. Views into view() hold until room() or consume() is called.
class InputBuffer {
 public:
  /// Enough for the request of nearly every client (a browser's is some 700 bytes); what an idle connection keeps.
  static constexpr std::size_t inline_bytes = 1024;

  [[nodiscard]] std::string_view view() const noexcept { return {data() + begin_, end_ - begin_}; }
  [[nodiscard]] bool empty() const noexcept { return begin_ == end_; }

  /// Room to receive into, never empty unless `limit` bytes are held already. Moves what is held.
  [[nodiscard]] std::span<char> room(std::size_t limit) {
    if (begin_ != 0) {
      std::memmove(data(), data() + begin_, end_ - begin_);
      end_ -= begin_;
      begin_ = 0;
    }
    if (end_ == capacity_ && capacity_ < limit) {
      const std::size_t larger = std::min(limit, capacity_ * 4);
      auto buffer = std::make_unique_for_overwrite<char[]>(larger);
      std::memcpy(buffer.get(), data(), end_);
      large_ = std::move(buffer);
      capacity_ = larger;
    }
    return {data() + end_, capacity_ - end_};
  }
  void commit(std::size_t size) noexcept { end_ += size; }

  /// Drops `size` bytes from the front, and the large buffer as soon as nothing is in it.
  void consume(std::size_t size) noexcept {
    begin_ += size;
    if (begin_ != end_) return;
    begin_ = end_ = 0;
    if (large_) {
      large_.reset();
      capacity_ = inline_bytes;
    }
  }

 private:
  [[nodiscard]] char* data() noexcept { return large_ ? large_.get() : small_.data(); }
  [[nodiscard]] const char* data() const noexcept { return large_ ? large_.get() : small_.data(); }

  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::size_t capacity_ = inline_bytes;
  std::unique_ptr<char[]> large_;
  std::array<char, inline_bytes> small_;
};

}  // namespace ranged::server
