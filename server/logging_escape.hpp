#pragma once
// What keeps foreign bytes from becoming part of a log line's structure.

#include <chrono>
#include <string>
#include <string_view>

namespace ranged::server {

/// Appends `text` as a JSON string with its quotes (RFC 8259, 7). Control characters (C0, DEL, C1) and the line
/// separators U+2028 and U+2029 are escaped, so that no terminal acts on them and no reader splits the line; each byte
/// that is not part of valid UTF-8 (RFC 3629) becomes U+FFFD. The result is valid UTF-8 and valid JSON for any bytes.
/// Cost: linear; at most 6 bytes for each byte.
void append_json_string(std::string& line, std::string_view text);

/// Appends `text` with every byte that is not printable ASCII, and '"' and '\', as \xHH: the escape of Apache's and
/// nginx's logs.
void append_hex_escaped(std::string& line, std::string_view text);

/// Appends `time` in UTC as RFC 3339 with milliseconds: 2026-01-31T23:59:59.999Z.
void append_timestamp(std::string& line, std::chrono::system_clock::time_point time);

/// The longest part of `text` of at most `limit` bytes that does not cut a UTF-8 sequence in two.
[[nodiscard]] std::string_view cut_text(std::string_view text, std::size_t limit) noexcept;

}  // namespace ranged::server
