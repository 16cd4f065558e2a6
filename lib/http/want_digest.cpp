#include <ranged/http/want_digest.hpp>

#include <algorithm>
#include <optional>

namespace ranged::http {
namespace {

constexpr std::string_view sha_256_name = "sha-256";
constexpr std::string_view sha_512_name = "sha-512";

/// RFC 9530, 4: preferences.
constexpr std::uint64_t most_wanted = 10;
/// RFC 8941, 3.3.1: digits of an integer.
constexpr std::size_t max_digits = 15;

constexpr bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}
constexpr bool begins_key(char c) noexcept {
  return (c >= 'a' && c <= 'z') || c == '*';
}
constexpr bool continues_key(char c) noexcept {
  return begins_key(c) || is_digit(c) || c == '_' || c == '-' || c == '.';
}

/// Takes off the front as long as `fits`.
template <class Predicate>
std::string_view take(std::string_view& text, Predicate fits) noexcept {
  const auto end = std::ranges::find_if_not(text, fits);
  const auto taken = text.substr(0, static_cast<std::size_t>(end - text.begin()));
  text.remove_prefix(taken.size());
  return taken;
}

/// The preference behind a key: "=" and an integer of the range. A key alone is the boolean true, and parameters are
/// none of the specification's; neither is a preference.
std::optional<std::uint8_t> take_preference(std::string_view& text) noexcept {
  if (!text.starts_with('=')) return std::nullopt;
  text.remove_prefix(1);
  const std::string_view digits = take(text, is_digit);
  if (digits.empty() || digits.size() > max_digits) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : digits) value = value * 10 + static_cast<std::uint64_t>(c - '0');
  if (value > most_wanted) return std::nullopt;
  return static_cast<std::uint8_t>(value);
}

}  // namespace

std::string_view digest_name(DigestAlgorithm algorithm) noexcept {
  switch (algorithm) {
    case DigestAlgorithm::sha_256:
      return sha_256_name;
    case DigestAlgorithm::sha_512:
      return sha_512_name;
    case DigestAlgorithm::none:
      break;
  }
  return {};
}

void WantedDigest::add(std::string_view line) noexcept {
  if (!take_members(line)) fault_ = true;
}

bool WantedDigest::take_members(std::string_view line) noexcept {
  const auto is_space = [](char c) { return c == ' '; };
  const auto is_blank = [](char c) { return c == ' ' || c == '\t'; };
  // RFC 8941, 4.2 and 4.2.2.
  take(line, is_space);
  while (!line.empty()) {
    if (!begins_key(line.front())) return false;
    const std::string_view key = take(line, continues_key);
    const std::optional<std::uint8_t> preference = take_preference(line);
    if (!preference) return false;
    if (key == sha_256_name) sha_256_ = *preference;
    if (key == sha_512_name) sha_512_ = *preference;
    take(line, is_blank);
    if (line.empty()) return true;
    if (line.front() != ',') return false;
    line.remove_prefix(1);
    take(line, is_blank);
    if (line.empty()) return false;  // a comma at the end
  }
  return true;
}

DigestAlgorithm WantedDigest::choice() const noexcept {
  if (fault_ || (sha_256_ == 0 && sha_512_ == 0)) return DigestAlgorithm::none;
  return sha_256_ >= sha_512_ ? DigestAlgorithm::sha_256 : DigestAlgorithm::sha_512;
}

}  // namespace ranged::http
