#pragma once
// Field lines written into a fixed buffer.

#include <cstddef>
#include <cstdint>
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
  void append(std::string_view text) noexcept;
  /// Appends a number in decimal.
  void append(std::uint64_t number) noexcept;
  /// Appends `name: value` and CRLF. A value with CR, LF or NUL in it (RFC 9110, 5.5) fails.
  void field(std::string_view name, std::string_view value) noexcept;
  void field(std::string_view name, std::uint64_t number) noexcept;

  [[nodiscard]] bool failed() const noexcept { return failed_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  /// What was written; meaningful when not failed().
  [[nodiscard]] std::string_view text() const noexcept { return {begin_, size_}; }

 private:
  char* begin_;
  std::size_t capacity_;
  std::size_t size_ = 0;
  bool failed_ = false;
};

}  // namespace ranged::http
