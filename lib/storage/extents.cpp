#include <ranged/storage/extents.hpp>

#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace ranged {

boost::system::result<Extent> find_extent(int descriptor, std::uint64_t offset, std::uint64_t size) noexcept {
  const auto failure = [] { return boost::system::error_code(errno, boost::system::system_category()); };
  const off_t data = ::lseek(descriptor, static_cast<off_t>(offset), SEEK_DATA);
  if (data < 0) {
    // ENXIO: no data from here on. EINVAL: a filesystem that knows no holes.
    if (errno == ENXIO) return Extent{offset, size - offset, false};
    if (errno == EINVAL) return Extent{offset, size - offset, true};
    return failure();
  }
  const auto begin = static_cast<std::uint64_t>(data);
  if (begin > offset) return Extent{offset, std::min(begin, size) - offset, false};
  const off_t hole = ::lseek(descriptor, data, SEEK_HOLE);
  if (hole < 0) {
    if (errno == ENXIO || errno == EINVAL) return Extent{offset, size - offset, true};
    return failure();
  }
  // A border may have moved between the two calls when the file is written to; the extent is never empty.
  const std::uint64_t end = std::min(std::max(static_cast<std::uint64_t>(hole), offset + 1), size);
  return Extent{offset, end - offset, true};
}

}  // namespace ranged
