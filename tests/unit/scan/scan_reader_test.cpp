#include "../storage/temporary_directory.hpp"

#include <ranged/scan/scan_reader.hpp>
#include <ranged/storage/local_file.hpp>

#include <doctest/doctest.h>

#include <fcntl.h>
#include <unistd.h>

#include <string>
#include <vector>

using namespace ranged;

namespace {

/// A file of `size` bytes, a hole but for `text` at `offset`.
void make_sparse(const std::filesystem::path& path, std::uint64_t size, std::uint64_t offset, const std::string& text) {
  const int descriptor = ::open(path.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
  REQUIRE(descriptor >= 0);
  REQUIRE(::ftruncate(descriptor, static_cast<off_t>(size)) == 0);
  REQUIRE(::pwrite(descriptor, text.data(), text.size(), static_cast<off_t>(offset)) ==
          static_cast<ssize_t>(text.size()));
  ::close(descriptor);
}

std::shared_ptr<LocalFile> open_file(const std::filesystem::path& path) {
  auto file = LocalFile::open(path);
  REQUIRE(file.has_value());
  return std::move(*file);
}

}  // namespace

TEST_CASE("extents cover a file, in order, and holes are not read") {
  const testing::TemporaryDirectory directory;
  const auto path = directory.path() / "sparse";
  constexpr std::uint64_t size = std::uint64_t{1} << 40;
  constexpr std::uint64_t where = std::uint64_t{1} << 39;
  make_sparse(path, size, where, "needle");
  const auto file = open_file(path);

  std::uint64_t data = 0;
  for (std::uint64_t at = 0; at < size;) {
    const auto extent = find_extent(file->descriptor(), at, size);
    REQUIRE(extent.has_value());
    CHECK(extent->offset == at);
    REQUIRE(extent->length > 0);
    if (extent->data) {
      CHECK(at <= where);
      CHECK(at + extent->length >= where + 6);
      data += extent->length;
    }
    at += extent->length;
  }
  CHECK(data >= 6);

  std::vector<std::byte> frame(65536);
  ScanReader reader(file, 0, size, frame);
  std::uint64_t at = 0;
  std::string found;
  for (;;) {
    const auto piece = reader.next();
    REQUIRE(piece.has_value());
    if (piece->at_end()) break;
    if (where >= at && where < at + piece->bytes.size()) {
      found.assign(reinterpret_cast<const char*>(piece->bytes.data()) + (where - at), 6);
    }
    at += piece->bytes.size() + piece->zeros;
    CHECK(reader.position() == at);
  }
  CHECK(at == size);
  CHECK(found == "needle");
  CHECK(reader.bytes_read() == data);
}

TEST_CASE("a window is read from its first byte to its last") {
  const testing::TemporaryDirectory directory;
  const auto path = directory.path() / "file";
  std::string content;
  for (int i = 0; i < 100'000; ++i) content += static_cast<char>('a' + i % 23);
  make_sparse(path, content.size(), 0, content);
  const auto file = open_file(path);
  std::vector<std::byte> frame(4096);
  ScanReader reader(file, 5000, 50'000, frame);
  std::string read;
  for (;;) {
    const auto piece = reader.next();
    REQUIRE(piece.has_value());
    if (piece->at_end()) break;
    CHECK(piece->zeros == 0);
    read.append(reinterpret_cast<const char*>(piece->bytes.data()), piece->bytes.size());
  }
  CHECK(read == content.substr(5000, 50'000));
}

TEST_CASE("a file that changed is not read on, nor are its holes") {
  const testing::TemporaryDirectory directory;
  const auto path = directory.path() / "file";
  std::vector<std::byte> frame(4096);
  SUBCASE("bytes") {
    make_sparse(path, 100'000, 0, std::string(100'000, 'x'));
  }
  SUBCASE("holes") {
    make_sparse(path, std::uint64_t{1} << 30, 0, "x");
  }
  const auto file = open_file(path);
  ScanReader reader(file, 0, file->version().size, frame);
  REQUIRE(reader.next().has_value());
  REQUIRE(::truncate(path.c_str(), 50'000) == 0);
  CHECK(reader.next().error() == make_error_code(StorageError::stale_version));
}
