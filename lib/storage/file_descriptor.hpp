#pragma once
// Private to storage: descriptors that close themselves, and what local_file and document_root share about opening.

#include <ranged/storage/byte_source.hpp>
#include <ranged/storage/storage_error.hpp>

#include <sys/stat.h>
#include <unistd.h>

#include <utility>

namespace ranged::detail {

/// Owns a descriptor; -1 is none.
class FileDescriptor {
 public:
  FileDescriptor() noexcept = default;
  explicit FileDescriptor(int descriptor) noexcept : descriptor_(descriptor) {}
  FileDescriptor(FileDescriptor&& other) noexcept : descriptor_(other.release()) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    if (this != &other) {
      close();
      descriptor_ = other.release();
    }
    return *this;
  }
  ~FileDescriptor() { close(); }

  explicit operator bool() const noexcept { return descriptor_ >= 0; }
  [[nodiscard]] int get() const noexcept { return descriptor_; }
  [[nodiscard]] int release() noexcept { return std::exchange(descriptor_, -1); }

 private:
  void close() noexcept {
    if (descriptor_ >= 0) ::close(descriptor_);
    descriptor_ = -1;
  }

  int descriptor_ = -1;
};

/// The errno of a failed open as storage tells it (README.md, rule 4). ENOTDIR is not_found: a name goes through a
/// file.
[[nodiscard]] boost::system::error_code opening_error(int error) noexcept;

/// What fstat says of an open descriptor, or the system's error.
[[nodiscard]] boost::system::result<struct stat> status_of(int descriptor) noexcept;

/// Success for a regular file, else is_a_directory or not_a_regular_file.
[[nodiscard]] boost::system::result<void> require_regular(const struct stat& status) noexcept;

/// Opens for reading the very file that the O_PATH descriptor `path_only` names, through /proc. not_found when /proc is
/// not mounted: the caller then has to open by name.
[[nodiscard]] boost::system::result<FileDescriptor> reopen_for_reading(int path_only) noexcept;

/// How served files are opened: never waiting for a FIFO's writer, never gaining a controlling terminal.
[[nodiscard]] int reading_flags() noexcept;

[[nodiscard]] FileVersion version_of(const struct stat& status) noexcept;

/// `time` in nanoseconds since the epoch; beyond the year 2262 or before 1677 the nearest that fits.
[[nodiscard]] std::int64_t nanoseconds(const timespec& time) noexcept;

}  // namespace ranged::detail
