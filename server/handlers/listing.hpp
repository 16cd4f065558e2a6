#pragma once
// Directory listings: collected in bounded memory, rendered as HTML with plain links or as JSON. No sockets.

#include "server/roots.hpp"

#include <boost/system/result.hpp>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ranged::server {

/// Entries of one answer at most. A directory with more is answered in parts, each with a link to the next: memory must
/// not grow with a directory (law 1). An entry takes some 100 bytes, at worst 2.5 KiB.
inline constexpr std::size_t max_listed_entries = 1000;

struct Listing {
  std::string name;                     ///< as after /files/, no slash at either end; "" for the top
  std::vector<DirectoryEntry> entries;  ///< sorted by the bytes of their names
  bool more = false;                    ///< entries follow that sort after the last one
};

/// The first `limit` entries of `name` that sort after `after`, in order. Blocking; reads the whole directory once,
/// keeps no more than `limit` entries. Errors: as DocumentRoot::list.
[[nodiscard]] boost::system::result<Listing> collect_listing(const Roots& roots, std::string_view name,
                                                             std::string_view after, std::size_t limit) noexcept;

/// `text` with every byte outside RFC 3986's unreserved set percent-encoded, '/' kept when `keep_slashes`.
[[nodiscard]] std::string percent_encode(std::string_view text, bool keep_slashes);

/// Whether the lines of an Accept field ask for JSON rather than HTML: application/json with a higher quality than
/// text/html, each by the most specific range that matches (RFC 9110, 12.5.1). Browsers, crawlers and clients without
/// the field get HTML.
[[nodiscard]] bool prefers_json(std::span<const std::string_view> accept) noexcept;

/// A page of links relative to the directory, which must be addressed with a trailing slash.
[[nodiscard]] std::string render_listing_html(const Listing& listing);
/// {"path","entries":[{"name","kind","size","modified","href"}],"next"}: bytes of names that are not UTF-8 show as
/// U+FFFD in "name" and are exact in "href"; "next" is a relative link, or null at the end.
[[nodiscard]] std::string render_listing_json(const Listing& listing);

}  // namespace ranged::server
