#include <ranged/storage/file_descriptor.hpp>

#include <fcntl.h>

#include <cerrno>
#include <charconv>
#include <limits>

namespace ranged::detail {

boost::system::error_code opening_error(int error) noexcept {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
    case ELOOP:
    case EXDEV:  // openat2: the name leads out of the root
    case ENAMETOOLONG:
      return StorageError::not_found;
    case EACCES:
    case EPERM:
      return StorageError::permission_denied;
    case EMFILE:
    case ENFILE:
      return StorageError::too_many_descriptors;
    case ENXIO:  // a socket, or a device without a driver
    case ENODEV:
      return StorageError::not_a_regular_file;
    default:
      return {error, boost::system::system_category()};
  }
}

boost::system::result<struct stat> status_of(int descriptor) noexcept {
  struct stat status;
  if (::fstat(descriptor, &status) != 0) return boost::system::error_code(errno, boost::system::system_category());
  return status;
}

boost::system::result<void> require_regular(const struct stat& status) noexcept {
  if (S_ISREG(status.st_mode)) return {};
  if (S_ISDIR(status.st_mode)) return StorageError::is_a_directory;
  return StorageError::not_a_regular_file;
}

int reading_flags() noexcept {
  return O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
}

boost::system::result<FileDescriptor> reopen_for_reading(int path_only) noexcept {
  constexpr char prefix[] = "/proc/self/fd/";
  char path[sizeof(prefix) + std::numeric_limits<int>::digits10 + 1] = "/proc/self/fd/";
  *std::to_chars(path + sizeof(prefix) - 1, path + sizeof(path) - 1, path_only).ptr = '\0';
  int descriptor;
  do {
    descriptor = ::open(path, reading_flags());
  } while (descriptor < 0 && errno == EINTR);
  if (descriptor < 0) return opening_error(errno);
  return FileDescriptor(descriptor);
}

std::int64_t nanoseconds(const timespec& time) noexcept {
  std::int64_t value = 0;
  if (__builtin_mul_overflow(static_cast<std::int64_t>(time.tv_sec), std::int64_t{1'000'000'000}, &value) ||
      __builtin_add_overflow(value, static_cast<std::int64_t>(time.tv_nsec), &value)) {
    return time.tv_sec < 0 ? std::numeric_limits<std::int64_t>::min() : std::numeric_limits<std::int64_t>::max();
  }
  return value;
}

FileVersion version_of(const struct stat& status) noexcept {
  return {.device = status.st_dev,
          .inode = status.st_ino,
          .size = status.st_size > 0 ? static_cast<std::uint64_t>(status.st_size) : 0,
          .modified_ns = nanoseconds(status.st_mtim),
          .changed_ns = nanoseconds(status.st_ctim)};
}

}  // namespace ranged::detail
