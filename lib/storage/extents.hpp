#pragma once
// Where a file has data and where it has holes, so that whoever reads all of it need not read the holes.

#include <boost/system/result.hpp>

#include <cstdint>

namespace ranged {

/// A stretch of a file that is data as a whole, or a hole as a whole: bytes that read as zeros and are nowhere.
struct Extent {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  bool data = true;
  bool operator==(const Extent&) const = default;
};

/// The extent that begins at `offset`, up to the next border or the end of the file (`size`), whichever is first;
/// `offset` < `size`. Zeros that were written are data, or not, as the filesystem keeps them; a filesystem that knows
/// no holes makes everything data. By lseek(2) SEEK_DATA and SEEK_HOLE on a regular file, whose position is of no
/// meaning afterwards. Errors: the system's. May wait for the disk. Thread-safe. Cost: two system calls at most.
[[nodiscard]] boost::system::result<Extent> find_extent(int descriptor, std::uint64_t offset,
                                                        std::uint64_t size) noexcept;

}  // namespace ranged
