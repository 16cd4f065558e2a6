#pragma once
// The name of a page: which version of which file, and where in it.

#include <ranged/storage/byte_source.hpp>

#include <cstddef>
#include <cstdint>

namespace ranged {

/// A version of a file as the pool's key. Hashed once, when the file is opened.
class FileKey {
 public:
  FileKey() noexcept : FileKey(FileVersion{}, 0) {}
  /// `instance` is 0 for a file whose pages are shared by all who open the same version. A file that is racily clean
  /// (law 5) gets an instance of its own, unique in the process, so that nobody else meets its pages.
  explicit FileKey(const FileVersion& version, std::uint64_t instance = 0) noexcept;

  [[nodiscard]] const FileVersion& version() const noexcept { return version_; }
  [[nodiscard]] std::uint64_t instance() const noexcept { return instance_; }
  [[nodiscard]] std::uint64_t hash() const noexcept { return hash_; }
  bool operator==(const FileKey& other) const noexcept {
    return hash_ == other.hash_ && instance_ == other.instance_ && version_ == other.version_;
  }

 private:
  FileVersion version_;
  std::uint64_t instance_;
  std::uint64_t hash_;
};

/// A number that no other call in this process returned and that is not 0. Thread-safe.
[[nodiscard]] std::uint64_t next_file_instance() noexcept;

struct PageId {
  FileKey file;
  std::uint64_t number = 0;  ///< offset / page size

  bool operator==(const PageId&) const = default;
  [[nodiscard]] std::uint64_t hash() const noexcept;
};

}  // namespace ranged
