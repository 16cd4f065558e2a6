#include <ranged/http/entity_tag.hpp>

#include <algorithm>
#include <bit>

namespace ranged::http {
namespace {

/// etagc = %x21 / %x23-7E / obs-text (RFC 9110, 8.8.3)
constexpr bool is_tag_octet(char c) noexcept {
  const auto octet = static_cast<unsigned char>(c);
  return octet == 0x21 || (octet >= 0x23 && octet != 0x7f);
}

constexpr bool is_blank(char c) noexcept {
  return c == ' ' || c == '\t';
}

/// A bijection of 64 bits in which every bit of the input moves about half of those of the output: D. Stafford's
/// variant 13 of MurmurHash3's finalizer ("Better Bit Mixing", 2011), whose two multipliers are odd and so can be
/// undone.
constexpr std::uint64_t mix(std::uint64_t x) noexcept {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31);
}

void write_hex(char* out, std::uint64_t value) noexcept {
  constexpr std::string_view digits = "0123456789abcdef";
  for (int shift = 60; shift >= 0; shift -= 4) *out++ = digits[(value >> shift) & 0xf];
}

/// Takes one tag off the front of `text`; nullopt, and `text` as it was, when there is none.
std::optional<EntityTag> take_entity_tag(std::string_view& text) noexcept {
  const bool weak = text.starts_with("W/");  // 8.8.3: W is case-sensitive
  const std::string_view quoted = weak ? text.substr(2) : text;
  if (!quoted.starts_with('"')) return std::nullopt;
  const auto* const end = std::find_if_not(quoted.begin() + 1, quoted.end(), is_tag_octet);
  if (end == quoted.end() || *end != '"') return std::nullopt;
  const auto length = static_cast<std::size_t>(end - quoted.begin());
  text = quoted.substr(length + 1);
  return EntityTag{quoted.substr(1, length - 1), weak};
}

}  // namespace

std::optional<EntityTag> parse_entity_tag(std::string_view text) noexcept {
  const std::optional<EntityTag> tag = take_entity_tag(text);
  return text.empty() ? tag : std::nullopt;
}

std::optional<EntityTag> EntityTagList::next() noexcept {
  // [ element ] *( OWS "," OWS [ element ] ), RFC 9110, 5.6.1.2
  while (!rest_.empty() && (rest_.front() == ',' || is_blank(rest_.front()))) rest_.remove_prefix(1);
  if (rest_.empty()) return std::nullopt;
  const std::optional<EntityTag> tag = take_entity_tag(rest_);
  while (!rest_.empty() && is_blank(rest_.front())) rest_.remove_prefix(1);
  if (!tag || (!rest_.empty() && rest_.front() != ',')) {
    valid_ = false;
    rest_ = {};
    return std::nullopt;
  }
  return tag;
}

EntityTagText make_entity_tag(std::uint64_t device, std::uint64_t inode, std::uint64_t size, std::int64_t modified_ns,
                              std::int64_t changed_ns) noexcept {
  // Two chains of bijections (README, rule 8): for all other numbers fixed, each half is a one-to-one function of any
  // one number. The seeds and the factor are the fractions of pi and of the golden ratio, numbers with nothing up their
  // sleeve.
  std::uint64_t left = 0x243f6a8885a308d3U;
  std::uint64_t right = 0x13198a2e03707344U;
  for (const std::uint64_t word :
       {device, inode, size, std::bit_cast<std::uint64_t>(modified_ns), std::bit_cast<std::uint64_t>(changed_ns)}) {
    left = mix(left ^ word);
    right = mix(right + word * 0x9e3779b97f4a7c15U);
  }
  EntityTagText tag;
  tag.text.front() = '"';
  write_hex(tag.text.data() + 1, left);
  write_hex(tag.text.data() + 17, right);
  tag.text.back() = '"';
  return tag;
}

}  // namespace ranged::http
