#pragma once
// Sizes and durations as people write them: "64KiB", "30s".

#include <boost/system/result.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace ranged::server {

/// Reads a size in bytes: decimal digits, then nothing, B, KiB, MiB, GiB or TiB (powers of 1024; "64MB" and "64M" are
/// refused, because they mean different things to different people). Errors: errc::invalid_argument for anything else,
/// errc::value_too_large past 2^64 - 1. Pure.
[[nodiscard]] boost::system::result<std::uint64_t> parse_size(std::string_view text) noexcept;

/// The shortest text that parse_size() reads back as `bytes`: 65536 is "64KiB", 65537 is "65537B".
[[nodiscard]] std::string format_size(std::uint64_t bytes);

/// Reads a duration: decimal digits, then ms, s, m or h; a bare "0" as well. Errors: errc::invalid_argument for
/// anything else, errc::value_too_large past one year. Pure.
[[nodiscard]] boost::system::result<std::chrono::milliseconds> parse_duration(std::string_view text) noexcept;

/// A text that parse_duration() reads back as `duration` (not negative): 500 ms is "500ms", 60 s "60s", two minutes
/// "2m".
[[nodiscard]] std::string format_duration(std::chrono::milliseconds duration);

}  // namespace ranged::server
