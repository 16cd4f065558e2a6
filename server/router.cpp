#include "server/router.hpp"

#include "server/web_assets.hpp"

#include <algorithm>
#include <array>

namespace ranged::server {

namespace {

struct Fixed {
  std::string_view path;
  Route route;
};

constexpr std::array fixed_routes{
    Fixed{"/bytes", Route::bytes},     Fixed{"/info", Route::info},       Fixed{"/search", Route::search},
    Fixed{"/map", Route::map},         Fixed{"/extents", Route::extents}, Fixed{"/digest", Route::digest},
    Fixed{"/strings", Route::strings}, Fixed{"/watch", Route::watch},     Fixed{"/healthz", Route::health},
    Fixed{"/readyz", Route::ready},    Fixed{"/metrics", Route::metrics}, Fixed{"/openapi.json", Route::openapi},
    Fixed{"/", Route::viewer},         Fixed{"/view", Route::viewer}};

}  // namespace

Routed route(std::string_view path) noexcept {
  constexpr std::string_view files = "/files";
  if (path.starts_with(files)) {
    std::string_view name = path.substr(files.size());
    if (name.empty()) return {Route::listing, {}, true};
    if (name.front() == '/') {
      name.remove_prefix(1);
      if (name.empty()) return {Route::listing, {}, false};
      // One slash marks a directory; more of them are empty components, which no name has.
      if (name.back() == '/') return {Route::listing, name.substr(0, name.size() - 1), false};
      return {Route::files, name, false};
    }
  }
  for (const Fixed& fixed : fixed_routes) {
    if (fixed.path == path) return {fixed.route, {}, false};
  }
  if (path.starts_with("/view/")) return {Route::viewer, {}, false};
  const auto assets = web_assets();
  const auto found =
      std::lower_bound(assets.begin(), assets.end(), path,
                       [](const WebAsset& asset, std::string_view wanted) { return asset.path < wanted; });
  if (found != assets.end() && found->path == path) return {Route::asset, path, false};
  return {};
}

}  // namespace ranged::server
