#include "server/roots.hpp"

namespace ranged::server {

ResolvedName Roots::resolve(std::string_view name) const noexcept {
  if (!named()) return {roots_.front().documents.get(), name};
  const std::size_t slash = name.find('/');
  const std::string_view first = name.substr(0, slash);
  const std::string_view rest = slash == std::string_view::npos ? std::string_view{} : name.substr(slash + 1);
  for (const Root& root : roots_) {
    if (root.name != first) continue;
    const std::string_view file = root.documents->single_file();
    if (file.empty()) return {root.documents.get(), rest};
    if (rest.empty()) return {root.documents.get(), file};
    break;
  }
  return {nullptr, name};
}

std::string_view Roots::only_file() const noexcept {
  if (roots_.size() != 1) return {};
  const std::string_view file = roots_.front().documents->single_file();
  return file.empty() || roots_.front().name.empty() ? file : std::string_view(roots_.front().name);
}

std::uint64_t Roots::device_of(std::string_view name) const noexcept {
  const ResolvedName resolved = resolve(name);
  return resolved.documents == nullptr ? 0 : resolved.documents->device();
}

boost::system::result<std::unique_ptr<LocalFile>> Roots::open_file(std::string_view name) const noexcept {
  const ResolvedName resolved = resolve(name);
  if (resolved.documents == nullptr) {
    return make_error_code(name.empty() ? StorageError::is_a_directory : StorageError::not_found);
  }
  if (resolved.rest.empty()) return make_error_code(StorageError::is_a_directory);
  return resolved.documents->open_file(resolved.rest);
}

}  // namespace ranged::server
