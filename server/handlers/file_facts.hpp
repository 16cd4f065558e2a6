#pragma once
// What can be told of a file from its first page and its times.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace ranged::server {

struct ContentFacts {
  std::string media_type;   ///< never empty
  std::string description;  ///< in words, at most 255 bytes; may be empty
};

/// Looks at the first bytes of a file with libmagic. Thread-safe: each thread loads the database for itself, once.
/// Takes milliseconds: not for an event loop. Never fails: what cannot be told is application/octet-stream.
[[nodiscard]] ContentFacts facts_of_content(std::span<const std::byte> first_page) noexcept;

/// The files that facts_of_content() reads when it is first called, whether they are there or not.
[[nodiscard]] std::vector<std::filesystem::path> magic_files();

/// RFC 3339 in UTC with all digits of the file's time: "2026-01-31T12:00:00.123456789Z".
[[nodiscard]] std::string format_timestamp(std::int64_t nanoseconds);

}  // namespace ranged::server
