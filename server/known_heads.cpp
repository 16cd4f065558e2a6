#include "server/known_heads.hpp"

#include "server/request_parser.hpp"

#include <algorithm>
#include <exception>
#include <functional>

namespace ranged::server {

namespace {

/// What a Range is made of (RFC 9110, 14.1), but for white space: a value of these has none at its ends, so that it is
/// what a parser would find, and none of them ends the line.
constexpr std::array<bool, 256> range_bytes = [] {
  std::array<bool, 256> set{};
  for (const char c : std::string_view("0123456789-,=")) set[static_cast<unsigned char>(c)] = true;
  for (char c = 'a'; c <= 'z'; ++c) set[static_cast<unsigned char>(c)] = true;
  for (char c = 'A'; c <= 'Z'; ++c) set[static_cast<unsigned char>(c)] = true;
  return set;
}();

constexpr bool is_range_byte(char c) noexcept {
  return range_bytes[static_cast<unsigned char>(c)];
}

std::uint64_t hash_of(std::string_view before, std::string_view after, KnownHeads::Channel channel) noexcept {
  const std::hash<std::string_view> hash;
  return hash(before) ^ (std::uint64_t{hash(after)} << 1U) ^ (channel.over_network ? 1U : 0U) ^
         (channel.secured ? 2U : 0U);
}

}  // namespace

std::size_t KnownHeads::recall(std::uint8_t place, Channel channel, std::string_view buffer, Use& use,
                               RequestHead& head, Target& target) noexcept {
  Entry& entry = entries_[place % count];
  if (!entry.known || entry.channel != channel || !buffer.starts_with(entry.before_range())) return 0;
  const std::string_view rest = buffer.substr(entry.range_begin);
  const std::size_t limit = std::min(rest.size(), max_range_bytes);
  std::size_t length = 0;
  while (length < limit && is_range_byte(rest[length])) ++length;
  if (length == 0 || !rest.substr(length).starts_with(entry.after_range())) return 0;
  use = Use(entry);
  head = entry.head;
  head.conditions.range.value = rest.substr(0, length);
  head.size = entry.range_begin + length + entry.after_range().size();
  target = entry.target;
  return head.size;
}

std::uint8_t KnownHeads::learn(std::string_view text, const RequestHead& head, Channel channel) noexcept {
  const bool reads = head.method == Method::get || head.method == Method::head;
  if (!reads || head.conditions.range.lines != 1 || text.size() > max_head_bytes) return 0;
  // recall() copies what the head said, and must not need memory for it.
  const auto allocates = [](const http::FieldLines& lines) { return lines.size() > http::FieldLines::static_capacity; };
  if (allocates(head.conditions.if_match) || allocates(head.conditions.if_none_match)) return 0;
  if (head.authorization.data() != nullptr) return 0;  // a secret is not kept for longer than its request
  const std::string_view range = head.conditions.range.value;
  const auto begin = static_cast<std::size_t>(range.data() - text.data());
  const std::size_t end = begin + range.size();
  // The line ends where the value does, so that what follows any value is the same.
  if (range.empty() || range.size() > max_range_bytes || text[end] != '\r' ||
      !std::ranges::all_of(range, is_range_byte))
    return 0;

  const std::uint64_t hash = hash_of(text.substr(0, begin), text.substr(end), channel);
  const auto place = static_cast<std::uint8_t>(hash % count);
  Entry& entry = entries_[place];
  if (entry.users > 0) return place;
  if (entry.hash != hash) {
    entry.hash = hash;
    entry.known = false;
    return place;
  }
  if (entry.known) return place;
  entry.channel = channel;
  entry.range_begin = begin;
  entry.range_end = end;
  entry.size = text.size();
  try {
    fill(entry, text);
  } catch (const std::exception&) {  // out of memory: such heads go on being parsed
    entry.known = false;
  }
  return place;
}

void KnownHeads::fill(Entry& entry, std::string_view text) {
  std::ranges::copy(text, entry.bytes.begin());
  RequestParser parser;
  const ParseResult parsed = parser.parse({entry.bytes.data(), entry.size}, entry.head, {});
  entry.known =
      parsed.state == ParseResult::State::complete && parse_target(entry.head.target, entry.target, entry.decoded_path);
}

void KnownHeads::forget_all() noexcept {
  // What is in use is viewed, and stays where it is until it is not.
  for (Entry& entry : entries_) {
    entry.known = false;
    entry.hash = 0;
  }
}

}  // namespace ranged::server
