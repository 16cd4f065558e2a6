#include <ranged/storage/file_descriptor.hpp>
#include <ranged/storage/local_file.hpp>

#include <fcntl.h>
#include <limits.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>
#include <new>

namespace ranged {
namespace {

constexpr std::uint64_t max_offset = std::numeric_limits<off_t>::max();

// cachestat(2) as linux/mman.h of Linux 6.5 has it; Debian 12's headers are older. The number is the same for all
// architectures.
constexpr long cachestat_number = 451;
struct CacheStatRange {
  std::uint64_t offset;
  std::uint64_t length;
};
struct CacheStat {
  std::uint64_t cached;
  std::uint64_t dirty;
  std::uint64_t writeback;
  std::uint64_t evicted;
  std::uint64_t recently_evicted;
};

// File systems whose files are another machine's or process's (statfs(2), linux/magic.h and the kernel's own sources).
// What is not among them counts as local.
constexpr std::array<std::uint32_t, 14> remote_file_systems{
    0x6969,      // NFS
    0x65735546,  // FUSE
    0xFF534D42,  // CIFS
    0xFE534D42,  // SMB2
    0x517B,      // SMB
    0x01021997,  // 9P
    0x00C36400,  // Ceph
    0x5346414F,  // AFS
    0x6B414653,  // AFS of the kernel
    0x73757245,  // Coda
    0x0BD00BD0,  // Lustre
    0x7461636F,  // OCFS2
    0x01161970,  // GFS2
    0x786F4256,  // VirtualBox shared folders
};

bool is_remote(int descriptor) noexcept {
  struct statfs status;
  if (::fstatfs(descriptor, &status) != 0) return false;
  const auto type = static_cast<std::uint32_t>(status.f_type);
  return std::ranges::find(remote_file_systems, type) != remote_file_systems.end();
}

// What of `buffers` the kernel takes in one call: IOV_MAX of them, and nothing that would pass the last offset there is
// (it answers EINVAL to the whole). A short read is ordinary, so the rest is simply not asked for.
class KernelBuffers {
 public:
  KernelBuffers(std::uint64_t offset, std::span<const iovec> buffers) noexcept
      : buffers_(buffers.first(std::min<std::size_t>(buffers.size(), IOV_MAX))) {
    const std::uint64_t room = max_offset - offset;
    std::uint64_t total = 0;
    for (const iovec& buffer : buffers_) {
      if (buffer.iov_len > room - total) {
        clipped_ = {buffers_.front().iov_base, std::min<std::size_t>(buffers_.front().iov_len, room)};
        buffers_ = {&clipped_, 1};
        return;
      }
      total += buffer.iov_len;
    }
  }
  KernelBuffers(const KernelBuffers&) = delete;
  KernelBuffers& operator=(const KernelBuffers&) = delete;

  [[nodiscard]] const iovec* data() const noexcept { return buffers_.data(); }
  [[nodiscard]] int count() const noexcept { return static_cast<int>(buffers_.size()); }

 private:
  std::span<const iovec> buffers_;
  iovec clipped_{};
};

}  // namespace

boost::system::result<std::unique_ptr<LocalFile>> LocalFile::open(const std::filesystem::path& path) noexcept {
  // To open a device may do something (rewind a tape), so look before opening (README.md, rule 5).
  const detail::FileDescriptor path_only(::open(path.c_str(), O_PATH | O_CLOEXEC));
  if (!path_only) return detail::opening_error(errno);
  const auto status = detail::status_of(path_only.get());
  if (!status) return status.error();
  if (const auto regular = detail::require_regular(*status); !regular) return regular.error();
  auto reopened = detail::reopen_for_reading(path_only.get());
  if (!reopened && reopened.error() == StorageError::not_found) {
    const int descriptor = ::open(path.c_str(), detail::reading_flags());
    if (descriptor < 0) return detail::opening_error(errno);
    return adopt(descriptor);
  }
  if (!reopened) return reopened.error();
  return adopt(reopened->release());
}

boost::system::result<std::unique_ptr<LocalFile>> LocalFile::adopt(int descriptor) noexcept {
  detail::FileDescriptor owned(descriptor);
  const auto status = detail::status_of(owned.get());
  if (!status) return status.error();
  if (const auto regular = detail::require_regular(*status); !regular) return regular.error();
  std::unique_ptr<LocalFile> file(
      new (std::nothrow) LocalFile(owned.get(), detail::version_of(*status),
                                   static_cast<std::uint64_t>(status->st_blocks) * 512,  // stat(2): units of 512 bytes
                                   is_remote(owned.get())));
  if (file == nullptr) return boost::system::error_code(ENOMEM, boost::system::system_category());
  static_cast<void>(owned.release());
  return file;
}

LocalFile::~LocalFile() {
  ::close(descriptor_);
}

boost::system::result<std::size_t> LocalFile::read(std::uint64_t offset, std::span<const iovec> buffers) noexcept {
  if (offset > max_offset) return std::size_t{0};
  const KernelBuffers taken(offset, buffers);
  for (;;) {
    const ssize_t count = ::preadv(descriptor_, taken.data(), taken.count(), static_cast<off_t>(offset));
    if (count >= 0) return static_cast<std::size_t>(count);
    if (errno != EINTR) return boost::system::error_code(errno, boost::system::system_category());
  }
}

boost::system::result<std::size_t> LocalFile::read_nowait(std::uint64_t offset,
                                                          std::span<const iovec> buffers) noexcept {
  if (offset > max_offset) return std::size_t{0};
  if (remote_) return StorageError::nowait_unsupported;
  const KernelBuffers taken(offset, buffers);
  const ssize_t count = ::preadv2(descriptor_, taken.data(), taken.count(), static_cast<off_t>(offset), RWF_NOWAIT);
  if (count >= 0) return static_cast<std::size_t>(count);
  switch (errno) {
    case EAGAIN:
    case EINTR:
      return StorageError::would_block;
    case EOPNOTSUPP:
    case ENOSYS:
    case EINVAL:
      return StorageError::nowait_unsupported;
    default:
      return boost::system::error_code(errno, boost::system::system_category());
  }
}

boost::system::result<bool> LocalFile::is_cached(std::uint64_t offset, std::uint64_t length) noexcept {
  if (length == 0) return true;
  if (remote_) return StorageError::nowait_unsupported;
  if (offset > max_offset || length > max_offset - offset) return false;
  const CacheStatRange range{offset, length};
  CacheStat status{};
  if (::syscall(cachestat_number, descriptor_, &range, &status, 0) != 0) return StorageError::nowait_unsupported;
  const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  return status.cached >= (offset + length - 1) / page - offset / page + 1;
}

boost::system::result<FileVersion> LocalFile::current_version() noexcept {
  const auto status = detail::status_of(descriptor_);
  if (!status) return status.error();
  return detail::version_of(*status);
}

bool is_racily_clean(const FileVersion& version, std::chrono::system_clock::time_point now) noexcept {
  using std::chrono::nanoseconds;
  const std::int64_t now_ns = std::chrono::duration_cast<nanoseconds>(now.time_since_epoch()).count();
  const std::int64_t span_ns = nanoseconds(racily_clean_span).count();
  // Compared without adding to a time of the file, which may be the largest there is.
  return std::max(version.modified_ns, version.changed_ns) > now_ns - span_ns;
}

}  // namespace ranged
