#pragma once
// Entity tags (RFC 9110, 8.8.3): making, parsing, comparing, and the lists of If-Match and If-None-Match.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace ranged::http {

/// A parsed entity tag; views the text it was parsed from.
struct EntityTag {
  std::string_view opaque;  ///< between the quotes, octets as received
  bool weak = false;

  bool operator==(const EntityTag&) const = default;
};

/// Parses one entity-tag and nothing else: `"..."` or `W/"..."`, W in upper case. Octets 0x80 to 0xFF are part of the
/// grammar (obs-text), DQUOTE, blanks and controls are not. nullopt when the text is no entity-tag. No white space is
/// taken off.
[[nodiscard]] std::optional<EntityTag> parse_entity_tag(std::string_view text) noexcept;

/// Strong comparison (8.8.3.2): both strong, and equal octet by octet.
[[nodiscard]] constexpr bool strongly_equal(const EntityTag& left, const EntityTag& right) noexcept {
  return !left.weak && !right.weak && left.opaque == right.opaque;
}

/// Weak comparison (8.8.3.2): equal octet by octet, weak or not.
[[nodiscard]] constexpr bool weakly_equal(const EntityTag& left, const EntityTag& right) noexcept {
  return left.opaque == right.opaque;
}

/// Walks `#entity-tag`, the list of If-Match and If-None-Match, one tag at a time (README, rule 9). Empty members and
/// white space around commas are taken (5.6.1.2); a comma within quotes is part of its tag.
class EntityTagList {
 public:
  /// `value` is the value of one field line; it must outlive the walk.
  explicit EntityTagList(std::string_view value) noexcept : rest_(value) {}

  /// The next tag; nullopt at the end of the list, or at the first thing that is no list of tags: valid() tells which.
  [[nodiscard]] std::optional<EntityTag> next() noexcept;

  /// False as soon as next() met something that is no entity tag. `*` is none.
  [[nodiscard]] bool valid() const noexcept { return valid_; }

 private:
  std::string_view rest_;
  bool valid_ = true;
};

/// The text of an entity tag with its quotes, without an allocation.
struct EntityTagText {
  static constexpr std::size_t size = 34;  ///< two quotes and 128 bits in hexadecimal
  std::array<char, size> text{};

  [[nodiscard]] operator std::string_view() const noexcept {
    return {text.data(), text.size()};
  }  // NOLINT(*-explicit-*)
};

/// A strong entity tag that changes whenever one of the numbers does (README, rule 8): device, inode, size in bytes,
/// and modification and change time in nanoseconds. It is a mix of 128 bits of them all, so that the numbers themselves
/// are not told, and depends on nothing else: it outlives a restart. Two states that differ in one of the numbers alone
/// never share a tag; any other two do so with a chance of 2^-128. Not a cryptographic hash: who can set all numbers
/// can make two alike, but ctime cannot be set.
[[nodiscard]] EntityTagText make_entity_tag(std::uint64_t device, std::uint64_t inode, std::uint64_t size,
                                            std::int64_t modified_ns, std::int64_t changed_ns) noexcept;

}  // namespace ranged::http
