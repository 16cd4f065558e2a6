#pragma once
// Which handler answers which path. Pure.

#include "server/metrics.hpp"

#include <string_view>

namespace ranged::server {

struct Routed {
  Route route = Route::none;
  std::string_view name;  ///< files and listing: what follows "/files/", no slash at either end; asset: the whole path
  bool redirect = false;  ///< listing: "/files" without its slash
};

/// Routes a path that is decoded and begins with '/'. A path below /files/ that ends in a slash, or is empty, is a
/// listing.
[[nodiscard]] Routed route(std::string_view path) noexcept;

}  // namespace ranged::server
