#pragma once
// A directory (or a single file) whose contents may be opened by relative name, and nothing outside it.

#include <ranged/storage/local_file.hpp>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace ranged {

struct DirectoryEntry {
  enum class Kind : std::uint8_t { file, directory };
  std::string name;  ///< raw bytes, as the filesystem has them
  Kind kind = Kind::file;
  std::uint64_t size = 0;        ///< bytes; 0 for a directory
  std::int64_t modified_ns = 0;  ///< nanoseconds since the Unix epoch
};

struct DocumentRootOptions {
  bool hidden = false;      ///< serve names that begin with a dot
  bool use_openat2 = true;  ///< false forces the fallback (tests; counted like a refusal)
};

/// Resolves names beneath one root. All functions block (run them on a disk thread) and are thread-safe.
class DocumentRoot {
 public:
  /// Opens the root itself. A path to a regular file makes a root with that one file, under its own name.
  /// Errors: not_found, permission_denied, not_a_regular_file, or the system's.
  static boost::system::result<std::unique_ptr<DocumentRoot>> open(const std::filesystem::path& path,
                                                                   const DocumentRootOptions& options) noexcept;
  virtual ~DocumentRoot() = default;

  /// Opens the regular file at `name`: components joined by single '/', no leading or trailing one, already
  /// percent-decoded. '..',
  /// '.', empty components, NUL, a dot-file (unless hidden), a symlink that leads out, a FIFO, socket or device:
  /// not_found or not_a_regular_file. A symlink that stays inside is followed. A directory: is_a_directory. Never
  /// blocks on a FIFO.
  [[nodiscard]] virtual boost::system::result<std::unique_ptr<LocalFile>> open_file(
      std::string_view name) const noexcept = 0;

  /// Calls `visit` for each visible entry of the directory at `name` ("" is the root), in no order, until it returns
  /// false. Entries that are neither regular files nor directories (after following symlinks that stay inside) are left
  /// out. Memory does not grow with the directory. Errors as open_file, not_a_directory for a file.
  [[nodiscard]] virtual boost::system::result<void> list(
      std::string_view name, const std::function<bool(const DirectoryEntry&)>& visit) const = 0;

  /// The device that the root is on (st_dev), as of opening it: the disk to wait for, as long as nothing beneath is
  /// open.
  [[nodiscard]] virtual std::uint64_t device() const noexcept = 0;

  /// The one file's name when the root is a single file, else empty.
  [[nodiscard]] virtual std::string_view single_file() const noexcept = 0;

  /// True when openat2 was refused and names are resolved by the fallback (law 7).
  [[nodiscard]] virtual bool uses_fallback() const noexcept = 0;
};

}  // namespace ranged
