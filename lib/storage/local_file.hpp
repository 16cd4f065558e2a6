#pragma once
// A regular file of a local filesystem as a byte source.

#include <ranged/storage/byte_source.hpp>
#include <ranged/storage/storage_error.hpp>

#include <chrono>
#include <filesystem>
#include <memory>

namespace ranged {

class LocalFile final : public ByteSource {
 public:
  /// Opens `path` read-only as it stands (no root, no symlink rules; for MemoryFile and tools). Blocking.
  static boost::system::result<std::unique_ptr<LocalFile>> open(const std::filesystem::path& path) noexcept;
  /// Takes over an open descriptor of a regular file; closes it in every case. Blocking only as fstat is.
  static boost::system::result<std::unique_ptr<LocalFile>> adopt(int descriptor) noexcept;

  ~LocalFile() override;
  LocalFile(const LocalFile&) = delete;
  LocalFile& operator=(const LocalFile&) = delete;

  [[nodiscard]] const FileVersion& version() const noexcept override { return version_; }
  [[nodiscard]] boost::system::result<std::size_t> read(std::uint64_t offset,
                                                        std::span<const iovec> buffers) noexcept override;
  [[nodiscard]] boost::system::result<std::size_t> read_nowait(std::uint64_t offset,
                                                               std::span<const iovec> buffers) noexcept override;
  [[nodiscard]] boost::system::result<FileVersion> current_version() noexcept override;
  /// By cachestat(2), Linux 6.5; older kernels and containers whose filter does not know it make it nowait_unsupported.
  [[nodiscard]] boost::system::result<bool> is_cached(std::uint64_t offset, std::uint64_t length) noexcept override;
  [[nodiscard]] int descriptor() const noexcept override { return descriptor_; }

  /// Bytes of disk that the file takes (st_blocks * 512), as of opening: less than the size for a sparse file.
  [[nodiscard]] std::uint64_t allocated_bytes() const noexcept { return allocated_bytes_; }

 private:
  LocalFile(int descriptor, const FileVersion& version, std::uint64_t allocated_bytes, bool remote) noexcept
      : descriptor_(descriptor), version_(version), allocated_bytes_(allocated_bytes), remote_(remote) {}

  int descriptor_;
  FileVersion version_;
  std::uint64_t allocated_bytes_;
  bool remote_;  ///< what is asked of it may wait for more than memory, even where it seems to be cached (README.md,
                 ///< rule 9)
};

/// File times move in ticks of the kernel's clock (up to 10 ms; before Linux 6.13 two writes in one tick look alike),
/// so a file that changed within this span before it was looked at may still change without its version telling.
inline constexpr std::chrono::milliseconds racily_clean_span{100};

/// True when `version`, seen at `now` (system clock), may not identify its contents (law 5, "racily clean"): it changed
/// less than racily_clean_span ago, or in the future. Pure.
[[nodiscard]] bool is_racily_clean(const FileVersion& version, std::chrono::system_clock::time_point now) noexcept;

}  // namespace ranged
