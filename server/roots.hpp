#pragma once
// What is served under which name: one directory or file, or several, each with a name of its own.

#include <ranged/storage/document_root.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace ranged::server {

struct Root {
  std::string name;  ///< empty for the only root
  std::shared_ptr<const DocumentRoot> documents;
};

/// Where a served name leads. Pure data; views into the name.
struct ResolvedName {
  const DocumentRoot* documents =
      nullptr;            ///< null: the list of roots itself when `rest` is empty, else nothing by that name
  std::string_view rest;  ///< the name beneath that root
};

/// Immutable once built; shared by all threads.
class Roots {
 public:
  explicit Roots(std::vector<Root> roots) : roots_(std::move(roots)) {}

  /// Splits a name as it stands after /files/ (decoded, no slash at either end) into root and rest. A root that is a
  /// single file is named by its root's name, or, when it is the only one, by its own.
  [[nodiscard]] ResolvedName resolve(std::string_view name) const noexcept;

  /// The name of the one file when one file is all that is served, else empty.
  [[nodiscard]] std::string_view only_file() const noexcept;

  /// True when the roots have names, and "" therefore lists those.
  [[nodiscard]] bool named() const noexcept { return roots_.size() != 1 || !roots_.front().name.empty(); }
  [[nodiscard]] const std::vector<Root>& all() const noexcept { return roots_; }

  /// The disk that opening `name` waits for, as far as can be told before (DocumentRoot::device); 0 when it waits for
  /// none.
  [[nodiscard]] std::uint64_t device_of(std::string_view name) const noexcept;

  /// Opens the file that `name` leads to. Blocking. Errors as DocumentRoot::open_file.
  [[nodiscard]] boost::system::result<std::unique_ptr<LocalFile>> open_file(std::string_view name) const noexcept;

 private:
  std::vector<Root> roots_;
};

}  // namespace ranged::server
