#include <ranged/scan/scan_reader.hpp>

#include <algorithm>
#include <utility>

namespace ranged {

ScanReader::ScanReader(std::shared_ptr<ByteSource> source, std::uint64_t offset, std::uint64_t length,
                       std::span<std::byte> frame) noexcept
    : source_(std::move(source)), position_(offset), end_(offset + length), frame_(frame) {}

boost::system::result<void> read_exactly(ByteSource& source, std::uint64_t offset,
                                         std::span<std::byte> buffer) noexcept {
  for (std::size_t done = 0; done < buffer.size();) {
    const iovec rest{buffer.data() + done, buffer.size() - done};
    const auto count = source.read(offset + done, {&rest, 1});
    if (!count) return count.error();
    if (*count == 0) return make_error_code(StorageError::stale_version);
    done += *count;
  }
  const auto version = source.current_version();
  if (!version) return version.error();
  if (*version != source.version()) return make_error_code(StorageError::stale_version);
  return {};
}

boost::system::result<ScanPiece> ScanReader::next() noexcept {
  if (position_ == end_) return ScanPiece{};
  if (position_ >= extent_.offset + extent_.length) {
    extent_ = {position_, end_ - position_, true};
    if (source_->descriptor() >= 0) {
      const auto found = find_extent(source_->descriptor(), position_, end_);
      if (!found) return found.error();
      extent_ = *found;
    }
  }
  const std::uint64_t rest = extent_.offset + extent_.length - position_;
  if (!extent_.data) {
    // A hole in which something was written since is another version.
    const auto version = source_->current_version();
    if (!version) return version.error();
    if (*version != source_->version()) return make_error_code(StorageError::stale_version);
    position_ += rest;
    return ScanPiece{{}, rest};
  }
  const std::span<std::byte> wanted =
      frame_.first(static_cast<std::size_t>(std::min<std::uint64_t>(rest, frame_.size())));
  const auto read = read_exactly(*source_, position_, wanted);
  if (!read) return read.error();
  position_ += wanted.size();
  bytes_read_ += wanted.size();
  return ScanPiece{wanted, 0};
}

}  // namespace ranged
