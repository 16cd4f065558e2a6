#pragma once
// The interface that every kind of file implements: bytes at offsets, and the version they belong to.

#include <ranged/storage/storage_error.hpp>

#include <boost/system/result.hpp>

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <span>

namespace ranged {

/// What tells one state of a file from another (storage/README.md, rule 1). Two equal versions hold the same bytes as
/// far as the filesystem tells; all times are nanoseconds since the Unix epoch.
struct FileVersion {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint64_t size = 0;
  std::int64_t modified_ns = 0;  ///< st_mtim; can be set by the file's owner
  std::int64_t changed_ns = 0;   ///< st_ctim; set by the kernel alone

  bool operator==(const FileVersion&) const = default;
};

/// A readable sequence of bytes of one version. Implementations are safe to call from several threads at once: they
/// hold no position. Errors are values in the system category, save for the codes of storage_error.hpp.
class ByteSource {
 public:
  virtual ~ByteSource() = default;

  /// The version that this source was opened as; never changes. Cost: none.
  [[nodiscard]] virtual const FileVersion& version() const noexcept = 0;

  /// Reads at `offset` into `buffers`, in order, waiting for the disk if it must. Returns the bytes read: short counts
  /// are ordinary, 0 means that the file ends at or before `offset`. Not for an event loop.
  [[nodiscard]] virtual boost::system::result<std::size_t> read(std::uint64_t offset,
                                                                std::span<const iovec> buffers) noexcept = 0;

  /// As read(), but only of what can be had without waiting for a disk. Errors: StorageError::would_block when the
  /// bytes are not in memory, StorageError::nowait_unsupported when the filesystem cannot tell (the caller then goes to
  /// the disk threads, and need not ask again).
  [[nodiscard]] virtual boost::system::result<std::size_t> read_nowait(std::uint64_t offset,
                                                                       std::span<const iovec> buffers) noexcept = 0;

  /// The version of what is open now, asked afresh (an fstat for a file). A caller that read bytes and then finds
  /// current_version() == version() knows that those bytes belong to version(). Does not read the disk on local
  /// filesystems.
  [[nodiscard]] virtual boost::system::result<FileVersion> current_version() noexcept = 0;

  /// Whether all of [offset, offset + length) is in memory, so that reading it would not wait for a disk: true or false
  /// as far as can be told at this moment. Error: nowait_unsupported where it cannot be told. Cost: one system call, a
  /// look at each page.
  [[nodiscard]] virtual boost::system::result<bool> is_cached(std::uint64_t offset, std::uint64_t length) noexcept {
    static_cast<void>(offset);
    static_cast<void>(length);
    return StorageError::nowait_unsupported;
  }

  /// A descriptor that sendfile(2) may read from, or -1 where there is none. Owned by the source.
  [[nodiscard]] virtual int descriptor() const noexcept { return -1; }
};

}  // namespace ranged
