#include "tests/unit/storage/temporary_directory.hpp"

#include <ranged/storage/local_file.hpp>

#include <doctest/doctest.h>

#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <limits>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

namespace {

using ranged::FileVersion;
using ranged::LocalFile;
using ranged::StorageError;
using ranged::testing::DescriptorLeakCheck;
using ranged::testing::DescriptorShortage;
using ranged::testing::TemporaryDirectory;
using ranged::testing::WithoutPrivileges;

constexpr std::uint64_t tebibyte = std::uint64_t{1} << 40;

std::unique_ptr<LocalFile> open(const std::filesystem::path& path) {
  auto file = LocalFile::open(path);
  REQUIRE(file);
  return std::move(*file);
}

std::string read(LocalFile& file, std::uint64_t offset, std::size_t length) {
  std::string bytes(length, '?');
  const iovec buffer{bytes.data(), bytes.size()};
  const auto count = file.read(offset, {&buffer, 1});
  REQUIRE(count);
  bytes.resize(*count);
  return bytes;
}

void write_at(const std::filesystem::path& path, std::uint64_t offset, std::string_view bytes) {
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  REQUIRE(descriptor >= 0);
  REQUIRE(::pwrite(descriptor, bytes.data(), bytes.size(), static_cast<off_t>(offset)) ==
          static_cast<ssize_t>(bytes.size()));
  ::close(descriptor);
}

}  // namespace

TEST_CASE("LocalFile reads at offsets, in order of the buffers, and short at the end") {
  const DescriptorLeakCheck leaks;
  const TemporaryDirectory directory;
  const auto file = open(directory.file("digits", "0123456789"));
  CHECK(file->version().size == 10);
  CHECK(read(*file, 0, 4) == "0123");
  CHECK(read(*file, 1, 4) == "1234");
  CHECK(read(*file, 8, 100) == "89");
  CHECK(read(*file, 9, 1) == "9");
  CHECK(read(*file, 10, 1).empty());
  CHECK(read(*file, 11, 1).empty());
  CHECK(read(*file, 3, 0).empty());
  CHECK(file->read(0, {}).value() == 0);

  std::string first(3, '?');
  std::string empty;
  std::string second(20, '?');
  const std::array<iovec, 3> buffers{iovec{first.data(), 3}, iovec{empty.data(), 0}, iovec{second.data(), 20}};
  CHECK(file->read(2, buffers).value() == 8);
  CHECK(first == "234");
  CHECK(second.substr(0, 5) == "56789");
  CHECK(second.substr(5) == std::string(15, '?'));
}

TEST_CASE("LocalFile reads short from more buffers than the kernel takes at once") {
  const TemporaryDirectory directory;
  std::string contents(3000, '\0');
  std::iota(contents.begin(), contents.end(), '\0');
  const auto file = open(directory.file("many", contents));
  std::string bytes(3000, '?');
  std::vector<iovec> buffers;
  for (char& byte : bytes) buffers.push_back({&byte, 1});
  const std::size_t count = file->read(0, buffers).value();
  CHECK(count >= 1);
  CHECK(count <= 3000);
  CHECK(bytes.substr(0, count) == contents.substr(0, count));
}

TEST_CASE("LocalFile reads an empty file") {
  const TemporaryDirectory directory;
  const auto file = open(directory.file("empty", ""));
  CHECK(file->version().size == 0);
  CHECK(read(*file, 0, 10).empty());
}

TEST_CASE("LocalFile reads around 2 GiB, 4 GiB and 1 TiB of a sparse file") {
  const TemporaryDirectory directory;
  const auto path = directory.file("sparse", "begin", tebibyte);
  const std::uint64_t two_gib = std::uint64_t{1} << 31;
  const std::uint64_t four_gib = std::uint64_t{1} << 32;
  for (const std::uint64_t offset : {two_gib - 3, four_gib - 3, tebibyte - 6}) write_at(path, offset, "across");
  const auto file = open(path);
  CHECK(file->version().size == tebibyte);
  CHECK(file->allocated_bytes() > 0);
  CHECK(file->allocated_bytes() < 1 << 20);
  for (const std::uint64_t offset : {two_gib - 3, four_gib - 3, tebibyte - 6}) {
    CAPTURE(offset);
    CHECK(read(*file, offset, 6) == "across");
    CHECK(read(*file, offset + 3, 3) == "oss");
    CHECK(read(*file, offset - 2, 4) == std::string_view("\0\0ac", 4));
  }
  CHECK(read(*file, tebibyte - 1, 10) == "s");
  CHECK(read(*file, tebibyte, 10).empty());
}

TEST_CASE("LocalFile finds nothing at the last offsets and beyond, and never wraps") {
  const TemporaryDirectory directory;
  const auto file = open(directory.file("small", "0123456789"));
  constexpr std::uint64_t last = std::numeric_limits<std::int64_t>::max();
  for (const std::uint64_t offset : {last - 1, last, last + 1, last + 2, std::numeric_limits<std::uint64_t>::max() - 5,
                                     std::numeric_limits<std::uint64_t>::max()}) {
    CAPTURE(offset);
    std::array<char, 64> bytes{};
    const std::array<iovec, 2> buffers{iovec{bytes.data(), 32}, iovec{bytes.data() + 32, 32}};
    CHECK(file->read(offset, buffers).value() == 0);
    const auto nowait = file->read_nowait(offset, buffers);
    // Where the filesystem refuses to say, it refuses here too.
    if (nowait) CHECK(*nowait == 0);
    if (!nowait) CHECK(nowait.error() == StorageError::nowait_unsupported);
  }
}

TEST_CASE("read_nowait gives the right bytes or says why not") {
  const TemporaryDirectory directory;
  const auto file = open(directory.file("digits", "0123456789"));
  REQUIRE(read(*file, 0, 10) == "0123456789");  // in the page cache now
  std::string bytes(20, '?');
  const iovec buffer{bytes.data(), bytes.size()};
  const auto count = file->read_nowait(4, {&buffer, 1});
  if (count) {
    CHECK(*count == 6);
    CHECK(bytes.substr(0, 6) == "456789");
  } else {
    CHECK((count.error() == StorageError::would_block || count.error() == StorageError::nowait_unsupported));
  }
}

TEST_CASE("read_nowait would block where the page cache has nothing, and read fetches it") {
  const TemporaryDirectory directory;
  const std::string contents(1 << 20, 'x');
  const auto file = open(directory.file("cold", contents));
  // Written back and dropped, so that the bytes are on the disk alone. A filesystem in memory keeps them, a virtual one
  // refuses NOWAIT: each is a right answer, wrong bytes or an errno are not.
  REQUIRE(::fsync(file->descriptor()) == 0);
  REQUIRE(::posix_fadvise(file->descriptor(), 0, 0, POSIX_FADV_DONTNEED) == 0);
  std::string bytes(4096, '?');
  const iovec buffer{bytes.data(), bytes.size()};
  const auto count = file->read_nowait(512 << 10, {&buffer, 1});
  if (count) {
    CHECK(bytes.substr(0, *count) == std::string(*count, 'x'));
  } else {
    CHECK((count.error() == StorageError::would_block || count.error() == StorageError::nowait_unsupported));
  }
  CHECK(read(*file, 512 << 10, 4096) == std::string(4096, 'x'));
}

TEST_CASE("the errors of reading are the system's, as values") {
  const DescriptorLeakCheck leaks;
  // Memory that is not mapped cannot be read through this file: EIO, as from a bad sector.
  const auto file = open("/proc/self/mem");
  std::array<char, 16> bytes{};
  const iovec buffer{bytes.data(), bytes.size()};
  const auto count = file->read(0, {&buffer, 1});
  REQUIRE(count.has_error());
  CHECK(count.error() == boost::system::error_code(EIO, boost::system::system_category()));

  const TemporaryDirectory directory;
  const auto digits = open(directory.file("digits", "0123456789"));
  // A page that may not be touched, not a null pointer, so that checkers of pointers do not object before the kernel.
  void* const forbidden = ::mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  REQUIRE(forbidden != MAP_FAILED);
  const iovec nowhere{forbidden, 16};
  CHECK(digits->read(0, {&nowhere, 1}).error() == boost::system::error_code(EFAULT, boost::system::system_category()));
  ::munmap(forbidden, 4096);
}

TEST_CASE("the version tells every change, and reads of a shrunken file end") {
  const TemporaryDirectory directory;
  const auto path = directory.file("changing", "0123456789");
  const auto file = open(path);
  const FileVersion opened = file->version();
  CHECK(file->current_version().value() == opened);

  struct stat status;
  REQUIRE(::stat(path.c_str(), &status) == 0);
  CHECK(opened.device == status.st_dev);
  CHECK(opened.inode == status.st_ino);
  CHECK(opened.modified_ns == status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec);
  CHECK(opened.changed_ns == status.st_ctim.tv_sec * 1'000'000'000 + status.st_ctim.tv_nsec);

  SUBCASE("truncated") {
    REQUIRE(::truncate(path.c_str(), 3) == 0);
    CHECK(file->current_version().value().size == 3);
    CHECK(file->current_version().value() != opened);
    CHECK(read(*file, 0, 10) == "012");
    CHECK(read(*file, 5, 10).empty());
  }
  SUBCASE("grown") {
    REQUIRE(::truncate(path.c_str(), 30) == 0);
    CHECK(file->current_version().value() != opened);
  }
  SUBCASE("times set") {
    const std::array<timespec, 2> times{timespec{12345, 678}, timespec{12345, 678}};
    REQUIRE(::utimensat(AT_FDCWD, path.c_str(), times.data(), 0) == 0);
    CHECK(file->current_version().value().modified_ns == 12345'000'000'678);
    CHECK(file->current_version().value() != opened);
  }
  SUBCASE("replaced by rename: the open file stays what it was") {
    std::filesystem::rename(directory.file("other", "abcdefghij"), path);
    CHECK(read(*file, 0, 10) == "0123456789");
    CHECK(open(path)->version() != opened);
    CHECK(open(path)->version().inode != opened.inode);
  }
  CHECK(file->version() == opened);
}

TEST_CASE("opening refuses what is no regular file, without waiting and without a leak") {
  const DescriptorLeakCheck leaks;
  const TemporaryDirectory directory;
  CHECK(LocalFile::open(directory.path()).error() == StorageError::is_a_directory);
  CHECK(LocalFile::open(directory / "none").error() == StorageError::not_found);
  CHECK(LocalFile::open(directory.file("file", "") / "beneath").error() == StorageError::not_found);
  CHECK(LocalFile::open(directory / std::string(300, 'n')).error() == StorageError::not_found);
  CHECK(LocalFile::open("/dev/null").error() == StorageError::not_a_regular_file);

  REQUIRE(::mkfifo((directory / "fifo").c_str(), 0644) == 0);
  CHECK(LocalFile::open(directory / "fifo").error() == StorageError::not_a_regular_file);

  const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string name = (directory / "socket").string();
  REQUIRE(name.size() < sizeof address.sun_path);
  std::memcpy(address.sun_path, name.c_str(), name.size());
  REQUIRE(::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  CHECK(LocalFile::open(name).error() == StorageError::not_a_regular_file);
  ::close(listener);
}

TEST_CASE("adopt takes a regular file and closes the descriptor in every case") {
  const DescriptorLeakCheck leaks;
  const TemporaryDirectory directory;
  const auto path = directory.file("file", "contents");
  {
    const auto file = LocalFile::adopt(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    REQUIRE(file);
    CHECK(read(**file, 0, 100) == "contents");
  }
  CHECK(LocalFile::adopt(::open(directory.path().c_str(), O_RDONLY | O_CLOEXEC)).error() ==
        StorageError::is_a_directory);
  CHECK(LocalFile::adopt(::open("/dev/null", O_RDONLY | O_CLOEXEC)).error() == StorageError::not_a_regular_file);
  CHECK(LocalFile::adopt(-1).error() == boost::system::error_code(EBADF, boost::system::system_category()));
}

TEST_CASE("the descriptor is for reading alone and is not inherited") {
  const TemporaryDirectory directory;
  const auto file = open(directory.file("file", "contents"));
  CHECK((::fcntl(file->descriptor(), F_GETFL) & O_ACCMODE) == O_RDONLY);
  CHECK((::fcntl(file->descriptor(), F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("opening without permission or without descriptors says so") {
  const DescriptorLeakCheck leaks;
  const TemporaryDirectory directory;
  const auto path = directory.file("file", "contents");
  for (const int spare : {0, 1}) {
    const DescriptorShortage shortage(spare);
    CHECK(LocalFile::open(path).error() == StorageError::too_many_descriptors);
  }
  {
    const DescriptorShortage shortage(2);
    CHECK(LocalFile::open(path));
  }
  REQUIRE(::chmod(path.c_str(), 0) == 0);
  REQUIRE(::chmod(directory.path().c_str(), 0755) == 0);
  const WithoutPrivileges nobody;
  CHECK(LocalFile::open(path).error() == StorageError::permission_denied);
}

TEST_CASE("several threads read one file at once") {
  const TemporaryDirectory directory;
  std::string contents(1 << 20, '\0');
  for (std::size_t i = 0; i < contents.size(); ++i) contents[i] = static_cast<char>(i * 2654435761U >> 24);
  const auto file = open(directory.file("shared", contents));
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      std::array<char, 777> bytes{};
      for (std::size_t i = 0; i < 500; ++i) {
        const std::size_t offset = (i * 7919 + t * 104729) % (contents.size() - bytes.size());
        const iovec buffer{bytes.data(), bytes.size()};
        const auto count = file->read(offset, {&buffer, 1});
        if (!count || *count != bytes.size() || contents.compare(offset, *count, bytes.data(), *count) != 0) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
}

TEST_CASE("is_racily_clean: within the span of now, or in the future, by either time") {
  using namespace std::chrono_literals;
  const std::chrono::system_clock::time_point now{std::chrono::seconds(1'700'000'000)};
  const auto at = [now](std::chrono::nanoseconds modified, std::chrono::nanoseconds changed) {
    const auto since_epoch = now.time_since_epoch();
    return FileVersion{.modified_ns = std::chrono::nanoseconds(since_epoch + modified).count(),
                       .changed_ns = std::chrono::nanoseconds(since_epoch + changed).count()};
  };
  CHECK_FALSE(ranged::is_racily_clean(at(-1h, -1h), now));
  CHECK_FALSE(ranged::is_racily_clean(at(-100ms, -100ms), now));
  CHECK(ranged::is_racily_clean(at(-100ms + 1ns, -1h), now));
  CHECK(ranged::is_racily_clean(at(-1h, -100ms + 1ns), now));
  CHECK(ranged::is_racily_clean(at(0ns, -1h), now));
  CHECK(ranged::is_racily_clean(at(-1h, 1ns), now));
  CHECK(ranged::is_racily_clean(at(1h, -1h), now));
  constexpr auto latest = std::numeric_limits<std::int64_t>::max();
  constexpr auto earliest = std::numeric_limits<std::int64_t>::min();
  CHECK(ranged::is_racily_clean({.modified_ns = latest, .changed_ns = latest}, now));
  CHECK_FALSE(ranged::is_racily_clean({.modified_ns = earliest, .changed_ns = earliest}, now));
}

TEST_CASE("a file just written is racily clean, one of last year is not") {
  const TemporaryDirectory directory;
  const auto file = open(directory.file("fresh", "x"));
  const auto changed =
      std::chrono::system_clock::time_point(std::chrono::duration_cast<std::chrono::system_clock::duration>(
          std::chrono::nanoseconds(file->version().changed_ns)));
  CHECK(ranged::is_racily_clean(file->version(), changed + std::chrono::milliseconds(50)));
  CHECK_FALSE(ranged::is_racily_clean(file->version(), changed + std::chrono::hours(24 * 365)));
}

TEST_CASE("times beyond what 64 bits of nanoseconds hold do not wrap") {
  const TemporaryDirectory directory;
  const auto path = directory.file("future", "x");
  const time_t year_2400 = 13'569'465'600;
  const std::array<timespec, 2> times{timespec{year_2400, 0}, timespec{year_2400, 0}};
  REQUIRE(::utimensat(AT_FDCWD, path.c_str(), times.data(), 0) == 0);
  // Filesystems that hold such a time show it as the latest, others as their own latest: never as one long ago.
  CHECK(open(path)->version().modified_ns > 2'000'000'000'000'000'000);
}
