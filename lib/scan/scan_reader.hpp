#pragma once
// Reads a stretch of a file in order, into one frame, leaving out the holes, and never from another version than it
// began with.

#include <ranged/storage/byte_source.hpp>
#include <ranged/storage/extents.hpp>

#include <boost/system/result.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace ranged {

/// What comes next: bytes, zeros of a hole, or the end.
struct ScanPiece {
  std::span<const std::byte> bytes;  ///< in the frame, until the next call
  std::uint64_t zeros = 0;           ///< instead of bytes: that many zeros that were not read
  [[nodiscard]] bool at_end() const noexcept { return bytes.empty() && zeros == 0; }
};

/// Not thread-safe, and blocking: for the threads that scan.
class ScanReader {
 public:
  /// Reads [offset, offset + length) of `source`, which is at least that long; `frame` outlives the reader.
  ScanReader(std::shared_ptr<ByteSource> source, std::uint64_t offset, std::uint64_t length,
             std::span<std::byte> frame) noexcept;

  /// The piece that follows: at most a frame, or a hole up to its end. Errors: StorageError::stale_version when the
  /// file is not the version that was opened any more; the system's.
  [[nodiscard]] boost::system::result<ScanPiece> next() noexcept;

  /// Offset behind the last piece.
  [[nodiscard]] std::uint64_t position() const noexcept { return position_; }
  /// Bytes read so far; holes are none.
  [[nodiscard]] std::uint64_t bytes_read() const noexcept { return bytes_read_; }

 private:
  std::shared_ptr<ByteSource> source_;
  std::uint64_t position_;
  std::uint64_t end_;
  std::span<std::byte> frame_;
  Extent extent_{0, 0, true};  ///< that position_ lies in; empty before the first look
  std::uint64_t bytes_read_ = 0;
};

/// Reads exactly [offset, offset + buffer.size()) and makes sure that it is of the source's version. Errors: as
/// ScanReader::next(). Blocking.
[[nodiscard]] boost::system::result<void> read_exactly(ByteSource& source, std::uint64_t offset,
                                                       std::span<std::byte> buffer) noexcept;

}  // namespace ranged
