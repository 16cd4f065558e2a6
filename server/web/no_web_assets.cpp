// A daemon without the viewer (RANGED_WEB=OFF).
#include "server/web_assets.hpp"

namespace ranged::server {

std::span<const WebAsset> web_assets() noexcept {
  return {};
}

}  // namespace ranged::server
