#pragma once
// What is served and how: one configuration with the files that it opens. Built whole, swapped whole (reload), never
// changed.

#include "server/access_control.hpp"
#include "server/config.hpp"
#include "server/open_files.hpp"
#include "server/tls_context.hpp"

#include <memory>

namespace ranged::server {

struct Site {
  std::shared_ptr<const Config> config;
  std::shared_ptr<OpenFiles> files;
  std::shared_ptr<const AccessControl> access;  ///< null: everyone may read
  std::shared_ptr<const TlsContext> tls;        ///< not null when a listener is encrypted
  bool loopback_only = true;                    ///< every TCP listener is bound to a loopback address
};

}  // namespace ranged::server
