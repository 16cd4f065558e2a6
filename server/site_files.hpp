#pragma once
// What a configuration names on the disk, opened and read: for the start, for a reload, and for who only wants to know
// whether it can be (--check-config).

#include "server/access_control.hpp"
#include "server/config.hpp"
#include "server/roots.hpp"
#include "server/tls_context.hpp"

#include <memory>
#include <string>
#include <vector>

namespace ranged::server {

struct SiteFiles {
  std::shared_ptr<const Roots> roots;
  std::shared_ptr<const AccessControl> access;  ///< null: everyone may read
  std::shared_ptr<const TlsContext> tls;        ///< null: no certificate is configured
  std::vector<std::string> warnings;            ///< one line each
  std::string problem;                          ///< not empty: what cannot be used, why, and what would do
  bool root_is_missing = false;                 ///< the problem is a root's: a disk that may come yet
};

/// Opens the roots, reads credentials, certificate and key; `previous` as for AccessControl::load(). Blocking. Opens
/// nothing that the daemon writes to.
[[nodiscard]] SiteFiles open_site_files(const Config& config, const AccessControl* previous = nullptr);

}  // namespace ranged::server
