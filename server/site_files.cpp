#include "server/site_files.hpp"

#include <fmt/format.h>

#include <utility>

namespace ranged::server {

namespace {

std::shared_ptr<const Roots> open_roots(const Config& config, std::string& problem) {
  std::vector<Root> roots;
  DocumentRootOptions options;
  options.hidden = config.hidden;
  for (const RootConfig& root : config.roots) {
    auto documents = DocumentRoot::open(root.path, options);
    if (!documents) {
      problem = fmt::format("cannot serve {}: {}; name a directory or a regular file that this user may read",
                            root.path, documents.error().message());
      return nullptr;
    }
    roots.push_back({root.name, std::move(*documents)});
  }
  return std::make_shared<const Roots>(std::move(roots));
}

}  // namespace

SiteFiles open_site_files(const Config& config, const AccessControl* previous) {
  SiteFiles files;
  files.roots = open_roots(config, files.problem);
  files.root_is_missing = files.roots == nullptr;
  if (files.root_is_missing) return files;
  AccessControl::Loaded access = AccessControl::load(config, previous);
  files.access = std::move(access.control);
  files.problem = std::move(access.problem);
  files.warnings = std::move(access.warnings);
  if (!files.problem.empty() || config.tls_certificate.empty()) return files;
  TlsContext::Loaded tls = TlsContext::load(config.tls_certificate, config.tls_key);
  files.tls = std::move(tls.context);
  files.problem = std::move(tls.problem);
  if (!tls.warning.empty()) files.warnings.push_back(std::move(tls.warning));
  return files;
}

}  // namespace ranged::server
