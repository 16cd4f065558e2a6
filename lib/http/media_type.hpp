#pragma once
// Media types by file name.

#include <string_view>

namespace ranged::http {

/// What a name without a known extension has (RFC 9110, 8.3: better no claim than a wrong one).
inline constexpr std::string_view default_media_type = "application/octet-stream";

/// The media type that a file's name suggests: its last extension, in any case. `name` may be a path. A name such as
/// ".html" has no extension. No charset is given, because a name does not tell it (README, rule 16). The text is
/// static. Cost: a binary search in some 150 entries.
[[nodiscard]] std::string_view media_type_for(std::string_view name) noexcept;

}  // namespace ranged::http
