#include "server/logging_escape.hpp"

#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <iterator>

namespace ranged::server {
namespace {

struct Decoded {
  std::uint32_t code_point = 0;
  std::size_t length = 0;  ///< 0: not valid UTF-8
};

/// The sequence at the front of `text`, which is not empty. RFC 3629, 4: shortest forms only, no surrogates, nothing
/// past U+10FFFF.
Decoded decode(std::string_view text) noexcept {
  const auto byte = [text](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(text[i])); };
  const std::uint32_t lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return {};
  std::uint32_t code_point = lead & (0xffU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {};
    code_point = (code_point << 6) | (byte(i) & 0x3f);
  }
  const bool overlong = (length == 3 && code_point < 0x800) || (length == 4 && code_point < 0x10000);
  if (overlong || code_point > 0x10ffff || (code_point >= 0xd800 && code_point <= 0xdfff)) return {};
  return {code_point, length};
}

bool needs_escape(std::uint32_t code_point) noexcept {
  return code_point < 0x20 || (code_point >= 0x7f && code_point < 0xa0) || code_point == 0x2028 || code_point == 0x2029;
}

}  // namespace

void append_json_string(std::string& line, std::string_view text) {
  line += '"';
  while (!text.empty()) {
    const Decoded decoded = decode(text);
    if (decoded.length == 0) {
      line += "\xef\xbf\xbd";
      text.remove_prefix(1);
      continue;
    }
    if (decoded.code_point == '"' || decoded.code_point == '\\') {
      line += '\\';
      line += text.front();
    } else if (decoded.code_point == '\n') {
      line += "\\n";
    } else if (decoded.code_point == '\r') {
      line += "\\r";
    } else if (decoded.code_point == '\t') {
      line += "\\t";
    } else if (needs_escape(decoded.code_point)) {
      fmt::format_to(std::back_inserter(line), "\\u{:04x}", decoded.code_point);
    } else {
      line += text.substr(0, decoded.length);
    }
    text.remove_prefix(decoded.length);
  }
  line += '"';
}

void append_hex_escaped(std::string& line, std::string_view text) {
  for (const char c : text) {
    if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\') {
      line += c;
    } else {
      fmt::format_to(std::back_inserter(line), "\\x{:02X}", static_cast<unsigned>(static_cast<unsigned char>(c)));
    }
  }
}

void append_timestamp(std::string& line, std::chrono::system_clock::time_point time) {
  const auto milliseconds = std::chrono::floor<std::chrono::milliseconds>(time);
  const auto day = std::chrono::floor<std::chrono::days>(milliseconds);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(milliseconds - day);
  fmt::format_to(std::back_inserter(line), "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                 static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(),
                 clock.minutes().count(), clock.seconds().count(), clock.subseconds().count());
}

std::string_view cut_text(std::string_view text, std::size_t limit) noexcept {
  if (text.size() <= limit) return text;
  // A sequence has at most three continuation bytes; more are not UTF-8 and may be cut anywhere.
  std::size_t end = limit;
  for (int i = 0; i < 3 && end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80; ++i) --end;
  return text.substr(0, end);
}

}  // namespace ranged::server
