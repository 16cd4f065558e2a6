#pragma once
// The hex viewer's files, built by server/web and linked into the daemon.

#include <span>
#include <string_view>

namespace ranged::server {

/// One file of the viewer in all the codings it can be sent in. Everything lives as long as the program.
struct WebAsset {
  std::string_view path;        ///< from the root of the site: "/index.html", "/assets/index-C0ffee.js"
  std::string_view media_type;  ///< the whole Content-Type
  /// A strong tag, quotes included, of `identity`. A coded answer is another representation and needs another tag
  /// (RFC 9110, 8.8.3.3): the sender puts "-gz" or "-br" before the closing quote.
  std::string_view etag;
  std::span<const unsigned char> identity;
  std::span<const unsigned char> gzip;    ///< empty where it would not be shorter
  std::span<const unsigned char> brotli;  ///< likewise
  bool immutable = false;                 ///< the name changes with the contents: may be cached for good
};

/// All files, sorted by path; empty in a build without the viewer (RANGED_WEB=OFF). The document that `/` and
/// `/view/...` answer with is "/index.html". Thread-safe, costs nothing.
[[nodiscard]] std::span<const WebAsset> web_assets() noexcept;

}  // namespace ranged::server
