#pragma once
// What fuzzers share: an assertion that no build type removes, and inputs made of lines, so that seeds can be read.

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace ranged::fuzz {

/// Stops the fuzzer at the input at hand when `holds` is false.
inline void require(bool holds) noexcept {
  if (!holds) __builtin_trap();
}

/// The input as text.
inline std::string_view text_of(const std::uint8_t* data, std::size_t size) noexcept {
  return {reinterpret_cast<const char*>(data), size};
}

/// Takes the first line off `text`, without its LF; all of it when there is none.
inline std::string_view take_line(std::string_view& text) noexcept {
  const std::size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
}

/// Takes a line with a number; 0 when it is none.
template <typename Number>
Number take_number(std::string_view& text) noexcept {
  const std::string_view line = take_line(text);
  Number number = 0;
  std::from_chars(line.data(), line.data() + line.size(), number);
  return number;
}

}  // namespace ranged::fuzz
