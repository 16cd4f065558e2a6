#pragma once
// Field lines written into a fixed buffer.

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <string_view>

namespace ranged::http {

/// Appends text to a buffer of the caller and never beyond it. What does not fit, and a field value that would end its
/// line early, leaves everything from there on out and sets failed(): a header that failed must not be sent. Not
/// thread-safe; no allocation.
class HeaderWriter {
 public:
  explicit HeaderWriter(std::span<char> buffer) noexcept : begin_(buffer.data()), capacity_(buffer.size()) {}

  /// Appends text as it is: a status line, the empty line at the end, parts of a value.
  // (Here, so that a text of known length is copied without a call: a header is a score of them.)
  void append(std::string_view text) noexcept {
    if (failed_ || text.size() > capacity_ - size_) {
      failed_ = true;
      return;
    }
    if (!text.empty()) std::memcpy(begin_ + size_, text.data(), text.size());
    size_ += text.size();
  }
  /// Appends a number in decimal.
  void append(std::uint64_t number) noexcept {
    char digits[std::numeric_limits<std::uint64_t>::digits10 + 1];
    const std::to_chars_result result = std::to_chars(digits, digits + sizeof(digits), number);
    append(std::string_view(digits, static_cast<std::size_t>(result.ptr - digits)));
  }
  /// Appends `name: value` and CRLF. A value with CR, LF or NUL in it (RFC 9110, 5.5) fails.
  void field(std::string_view name, std::string_view value) noexcept {
    if (ends_line(value)) failed_ = true;
    append(name);
    append(": ");
    append(value);
    append("\r\n");
  }
  void field(std::string_view name, std::uint64_t number) noexcept {
    append(name);
    append(": ");
    append(number);
    append("\r\n");
  }

  [[nodiscard]] bool failed() const noexcept { return failed_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  /// What was written; meaningful when not failed().
  [[nodiscard]] std::string_view text() const noexcept { return {begin_, size_}; }

 private:
  static bool ends_line(std::string_view value) noexcept;

  char* begin_;
  std::size_t capacity_;
  std::size_t size_ = 0;
  bool failed_ = false;
};

}  // namespace ranged::http
