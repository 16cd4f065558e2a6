#include "tests/unit/storage/temporary_directory.hpp"

#include <ranged/paging/buffer_pool.hpp>
#include <ranged/paging/memory_file.hpp>

#include <doctest/doctest.h>

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <fstream>
#include <functional>
#include <numeric>
#include <ranges>
#include <sstream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

namespace {

using ranged::MemoryFile;
using ranged::MemoryFileIterator;
using ranged::MemoryFileOptions;
using ranged::MemoryFileSlice;
using ranged::PagingError;
using ranged::StorageError;
using ranged::testing::DescriptorLeakCheck;
using ranged::testing::TemporaryDirectory;

static_assert(std::random_access_iterator<MemoryFileIterator>);
static_assert(std::ranges::random_access_range<MemoryFile>);
static_assert(std::ranges::sized_range<MemoryFile>);
static_assert(std::ranges::view<MemoryFileSlice>);
static_assert(std::ranges::borrowed_range<MemoryFileSlice>);
static_assert(std::is_nothrow_move_constructible_v<MemoryFile>);
static_assert(!std::is_copy_constructible_v<MemoryFile>);

constexpr std::uint64_t tebibyte = std::uint64_t{1} << 40;

// Small pages, so that small files have many.
constexpr MemoryFileOptions small{.page_bytes = 4096, .pages = 8};

unsigned char expected(std::uint64_t offset) {
  return static_cast<unsigned char>(offset * 2654435761U >> 13 ^ offset >> 12);
}

std::string pattern(std::size_t size) {
  std::string contents(size, '\0');
  for (std::size_t i = 0; i < size; ++i) contents[i] = static_cast<char>(expected(i));
  return contents;
}

void write_at(const std::filesystem::path& path, std::uint64_t offset, std::string_view bytes) {
  std::fstream stream(path, std::ios::in | std::ios::out | std::ios::binary);
  stream.seekp(static_cast<std::streamoff>(offset));
  stream.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  stream.close();
  REQUIRE(stream);
}

// Sets times long past, so that a version is not racily clean by its mtime, and different for each `second`.
void set_modified(const std::filesystem::path& path, std::int64_t second) {
  const std::array<timespec, 2> times{timespec{second, 0}, timespec{second, 0}};
  REQUIRE(::utimensat(AT_FDCWD, path.c_str(), times.data(), 0) == 0);
}

// The boost error code of the std::system_error that `read` throws.
template <typename Read>
std::error_code error_of(Read read) {
  try {
    static_cast<void>(read());
  } catch (const std::system_error& error) {
    return error.code();
  }
  return {};
}

std::error_code standard(const boost::system::error_code& error) {
  return error;
}

std::uint64_t peak_resident_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::stoull(line.substr(6)) * 1024;
  }
  FAIL("no VmHWM");
  return 0;
}

}  // namespace

TEST_CASE("MemoryFile is an array of the file's bytes") {
  const DescriptorLeakCheck leaks;
  const TemporaryDirectory directory;
  for (const std::size_t size : {std::size_t{1}, std::size_t{4095}, std::size_t{4096}, std::size_t{4097},
                                 std::size_t{8 * 4096}, std::size_t{100'003}}) {
    CAPTURE(size);
    const MemoryFile file(directory.file("file", pattern(size)), small);
    REQUIRE(file.size() == size);
    CHECK_FALSE(file.empty());
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < size; ++i) wrong += file[i] != expected(i) ? 1U : 0U;
    for (std::size_t i = size; i-- > 0;) wrong += file.at(i) != expected(i) ? 1U : 0U;
    for (std::size_t i = 0; i < 5000; ++i) {
      const std::size_t offset = i * 7919 % size;
      wrong += file[offset] != expected(offset) ? 1U : 0U;
      wrong += file.from_end(offset + 1) != expected(size - 1 - offset) ? 1U : 0U;
    }
    CHECK(wrong == 0);
    CHECK_THROWS_AS(static_cast<void>(file[size]), std::out_of_range);
    CHECK_THROWS_AS(static_cast<void>(file.at(size)), std::out_of_range);
    CHECK_THROWS_AS(static_cast<void>(file.at(~std::uint64_t{0})), std::out_of_range);
    CHECK_THROWS_AS(static_cast<void>(file.from_end(0)), std::out_of_range);
    CHECK_THROWS_AS(static_cast<void>(file.from_end(size + 1)), std::out_of_range);
    CHECK_THROWS_AS(static_cast<void>(*file.end()), std::out_of_range);
    CHECK(file[size - 1] == expected(size - 1));
  }
}

TEST_CASE("an empty MemoryFile") {
  const TemporaryDirectory directory;
  const MemoryFile file(directory.file("empty", ""), small);
  CHECK(file.size() == 0);
  CHECK(file.empty());
  CHECK(file.begin() == file.end());
  CHECK_THROWS_AS(static_cast<void>(file[0]), std::out_of_range);
  std::array<std::byte, 8> bytes{};
  CHECK(file.read(0, bytes) == 0);
  CHECK(file.slice(0, 10).empty());
  CHECK_THROWS_AS(static_cast<void>(file.slice(1, 1)), std::out_of_range);
}

TEST_CASE("MemoryFile::read copies across pages and clips at the end") {
  const TemporaryDirectory directory;
  const std::string contents = pattern(50'000);
  const MemoryFile file(directory.file("file", contents), small);
  std::vector<std::byte> bytes(20'000);
  for (const std::uint64_t offset :
       {0UL, 1UL, 4095UL, 4096UL, 12'345UL, 29'999UL, 30'000UL, 30'001UL, 49'999UL, 50'000UL, 50'001UL}) {
    CAPTURE(offset);
    const std::size_t count = file.read(offset, bytes);
    REQUIRE(count == (offset < 50'000 ? std::min<std::uint64_t>(20'000, 50'000 - offset) : 0));
    CHECK(std::ranges::equal(std::span(bytes).first(count),
                             std::as_bytes(std::span(contents)).subspan(offset < 50'000 ? offset : 50'000, count)));
  }
  CHECK(file.read(~std::uint64_t{0}, bytes) == 0);
  CHECK(file.read(10, {}) == 0);
}

TEST_CASE("iterators go everywhere") {
  const TemporaryDirectory directory;
  const std::string contents = pattern(30'000);
  const MemoryFile file(directory.file("file", contents), small);
  CHECK(std::ranges::equal(file, contents, {}, {}, [](char byte) { return static_cast<unsigned char>(byte); }));
  CHECK(std::ranges::equal(file | std::views::reverse, contents | std::views::reverse, {}, {},
                           [](char byte) { return static_cast<unsigned char>(byte); }));

  MemoryFileIterator i = file.begin();
  CHECK(*i++ == expected(0));
  CHECK(*i == expected(1));
  CHECK(*++i == expected(2));
  CHECK(*i-- == expected(2));
  CHECK(*--i == expected(0));
  CHECK(i == file.begin());
  CHECK(i[20'000] == expected(20'000));
  CHECK(i[5] == expected(5));
  i += 25'000;
  CHECK(i[-25'000] == expected(0));
  CHECK(i[-1] == expected(24'999));
  CHECK(*(i - 10'000) == expected(15'000));
  CHECK(*(1 + i) == expected(25'001));
  CHECK(i - file.begin() == 25'000);
  CHECK(file.begin() - i == -25'000);
  CHECK(file.begin() < i);
  CHECK(i <= file.end());
  CHECK(i.offset() == 25'000);
  CHECK(std::distance(file.begin(), file.end()) == 30'000);
  CHECK(MemoryFileIterator() == MemoryFileIterator());

  // Beyond what is cached on either side, and beyond the file.
  CHECK_THROWS_AS(static_cast<void>(*(file.begin() - 1)), std::out_of_range);
  CHECK_THROWS_AS(static_cast<void>(file.begin()[-1]), std::out_of_range);
  CHECK_THROWS_AS(static_cast<void>(file.begin()[30'000]), std::out_of_range);
}

TEST_CASE("standard algorithms find what is there") {
  const TemporaryDirectory directory;
  std::string contents(200'000, 'a');
  const std::string needle = "needle across pages";
  contents.replace(4096 * 7 - 5, needle.size(), needle);
  contents.replace(150'000, needle.size(), needle);
  const MemoryFile file(directory.file("hay", contents), small);
  const auto found = std::search(file.begin(), file.end(), needle.begin(), needle.end());
  CHECK(found.offset() == 4096 * 7 - 5);
  CHECK(std::search(found + 1, file.end(), needle.begin(), needle.end()).offset() == 150'000);
  const std::boyer_moore_horspool_searcher searcher(needle.begin(), needle.end());
  CHECK(std::search(file.begin(), file.end(), searcher).offset() == 4096 * 7 - 5);
  const auto last = std::ranges::find_end(file, needle);
  CHECK(last.begin().offset() == 150'000);
  CHECK(std::find(file.begin(), file.end(), 'z') == file.end());
  CHECK(std::ranges::count(file, 'a') == std::ranges::count(contents, 'a'));

  std::string sorted = pattern(100'000);
  std::ranges::sort(sorted, {}, [](char byte) { return static_cast<unsigned char>(byte); });
  const MemoryFile ascending(directory.file("sorted", sorted), small);
  const auto where = std::ranges::lower_bound(ascending, 100);
  CHECK(*where >= 100);
  CHECK(where[-1] < 100);
}

TEST_CASE("slices are views with the same interface") {
  const TemporaryDirectory directory;
  const MemoryFile file(directory.file("file", pattern(20'000)), small);
  const MemoryFileSlice slice = file.slice(4000, 10'000);
  CHECK(slice.size() == 10'000);
  CHECK(slice.offset() == 4000);
  CHECK(slice[0] == expected(4000));
  CHECK(slice.at(9999) == expected(13'999));
  CHECK(slice.from_end(1) == expected(13'999));
  CHECK(*slice.begin() == expected(4000));
  CHECK(slice.end() - slice.begin() == 10'000);
  CHECK_THROWS_AS(static_cast<void>(slice[10'000]), std::out_of_range);
  CHECK_THROWS_AS(static_cast<void>(slice.from_end(10'001)), std::out_of_range);
  CHECK_THROWS_AS(static_cast<void>(slice.from_end(0)), std::out_of_range);
  std::array<std::byte, 100> bytes{};
  CHECK(slice.read(9950, bytes) == 50);
  CHECK(std::to_integer<unsigned char>(bytes[49]) == expected(13'999));
  CHECK(slice.read(10'000, bytes) == 0);
  const MemoryFileSlice inner = slice.slice(9000, 5000);
  CHECK(inner.size() == 1000);
  CHECK(inner[0] == expected(13'000));
  CHECK(slice.slice(10'000, 1).empty());
  CHECK(file.slice(1, ~std::uint64_t{0}).size() == 19'999);
  CHECK_THROWS_AS(static_cast<void>(slice.slice(10'001, 0)), std::out_of_range);
  CHECK(std::ranges::equal(slice | std::views::take(3), std::array{expected(4000), expected(4001), expected(4002)}));
}

TEST_CASE("iterators keep their page, whatever else is read, and outlive their file harmlessly") {
  const DescriptorLeakCheck leaks;
  const TemporaryDirectory directory;
  MemoryFileIterator survivor;
  {
    const MemoryFile file(directory.file("file", pattern(400'000)), small);
    const MemoryFileIterator here = file.begin() + 100;
    REQUIRE(*here == expected(100));
    const MemoryFileIterator copy = here;
    for (std::uint64_t i = 0; i < file.size(); i += 1000) REQUIRE(file[i] == expected(i));
    CHECK(*here == expected(100));
    CHECK(*copy == expected(100));
    survivor = here;
  }
  CHECK(*survivor == expected(100));
}

TEST_CASE("more iterators than pages: an error after a while, and all is well when some go") {
  const TemporaryDirectory directory;
  MemoryFileOptions options{.page_bytes = 4096, .pages = 4};
  SUBCASE("in vain: it throws") {
    options.longest_wait = std::chrono::milliseconds(20);
    const MemoryFile file(directory.file("file", pattern(100'000)), options);
    std::vector<MemoryFileIterator> iterators;
    for (int i = 0; i < 4; ++i) {
      iterators.push_back(file.begin() + i * 4096);
      REQUIRE(*iterators.back() == expected(iterators.back().offset()));
    }
    CHECK(error_of([&] { return file[90'000]; }) == standard(PagingError::deadline));
    iterators.clear();
    CHECK(file[90'000] == expected(90'000));
    return;
  }
  const MemoryFile file(directory.file("file", pattern(100'000)), options);
  std::vector<MemoryFileIterator> iterators;
  for (int i = 0; i < 4; ++i) {
    iterators.push_back(file.begin() + i * 4096);
    REQUIRE(*iterators.back() == expected(iterators.back().offset()));
  }
  SUBCASE("a page that is pinned can be had by everybody") {
    CHECK(file[3 * 4096 + 5] == expected(3 * 4096 + 5));
    CHECK(*(file.begin() + 4096) == expected(4096));
  }
  SUBCASE("another is waited for, until an iterator of another thread goes") {
    std::atomic<bool> asking = false;
    unsigned char byte = 0;
    std::thread reader([&] {
      asking = true;
      byte = file[90'000];
    });
    while (!asking) std::this_thread::yield();
    iterators.pop_back();
    reader.join();
    CHECK(byte == expected(90'000));
  }
}

TEST_CASE("a changed file throws stale_version until it is refreshed") {
  const DescriptorLeakCheck leaks;
  const TemporaryDirectory directory;
  const auto path = directory.file("file", pattern(100'000));
  set_modified(path, 1'000'000'000);
  MemoryFile file(path, small);
  REQUIRE(file[0] == expected(0));

  SUBCASE("written in place") {
    write_at(path, 50'000, "changed");
    set_modified(path, 1'000'000'001);
    CHECK(error_of([&] { return file[50'000]; }) == standard(PagingError::stale_version));
    CHECK(error_of([&] { return *(file.begin() + 60'000); }) == standard(PagingError::stale_version));
    std::array<std::byte, 10> bytes{};
    CHECK(error_of([&] { return file.read(70'000, bytes); }) == standard(PagingError::stale_version));
    CHECK(file.refresh());
    CHECK(file.size() == 100'000);
    CHECK(file[50'000] == 'c');
    CHECK(file[0] == expected(0));
  }
  SUBCASE("shrunk") {
    REQUIRE(::truncate(path.c_str(), 10) == 0);
    CHECK(error_of([&] { return file[50'000]; }) == standard(PagingError::stale_version));
    CHECK(file.size() == 100'000);
    CHECK(file.refresh());
    CHECK(file.size() == 10);
    CHECK_THROWS_AS(static_cast<void>(file[10]), std::out_of_range);
    CHECK(file[9] == expected(9));
  }
  SUBCASE("grown") {
    REQUIRE(::truncate(path.c_str(), 200'000) == 0);
    CHECK(error_of([&] { return file[50'000]; }) == standard(PagingError::stale_version));
    CHECK_THROWS_AS(static_cast<void>(file[150'000]), std::out_of_range);
    CHECK(file.refresh());
    CHECK(file[150'000] == 0);
  }
  SUBCASE(
      "replaced by rename: losing its name changes the old one's ctime, so it is stale; refresh finds the new one") {
    const auto other = directory.file("other", "other");
    std::filesystem::rename(other, path);
    CHECK(file[0] == expected(0));
    CHECK(error_of([&] { return file[60'000]; }) == standard(PagingError::stale_version));
    CHECK(file.refresh());
    CHECK(file.size() == 5);
    CHECK(file[0] == 'o');
  }
  SUBCASE("removed: refresh throws and changes nothing") {
    std::filesystem::remove(path);
    CHECK(error_of([&] { return file.refresh(); }) == standard(StorageError::not_found));
    CHECK(file[0] == expected(0));
    CHECK(file.size() == 100'000);
  }
}

TEST_CASE("a file may be moved, with its iterators") {
  const TemporaryDirectory directory;
  MemoryFile file(directory.file("file", pattern(20'000)), small);
  const MemoryFileIterator i = file.begin() + 10'000;
  MemoryFile moved(std::move(file));
  CHECK(moved[5] == expected(5));
  CHECK(*i == expected(10'000));
  moved = MemoryFile(directory.file("other", "other"), small);
  CHECK(moved.size() == 5);
  CHECK(moved[4] == 'r');
  CHECK(moved.path() == directory / "other");
}

TEST_CASE("what cannot be opened throws, with the reason") {
  const DescriptorLeakCheck leaks;
  const TemporaryDirectory directory;
  const auto path = directory.file("file", "contents");
  CHECK(error_of([&] { return MemoryFile(directory / "none").size(); }) == standard(StorageError::not_found));
  CHECK(error_of([&] { return MemoryFile(directory.path()).size(); }) == standard(StorageError::is_a_directory));
  CHECK(error_of([&] { return MemoryFile("/dev/null").size(); }) == standard(StorageError::not_a_regular_file));
  for (const MemoryFileOptions options :
       {MemoryFileOptions{.page_bytes = 5000}, MemoryFileOptions{.page_bytes = 0}, MemoryFileOptions{.pages = 0},
        MemoryFileOptions{.pages = 3}, MemoryFileOptions{.pages = ~std::size_t{0}}}) {
    CHECK(error_of([&] { return MemoryFile(path, options).size(); }) == standard(PagingError::invalid_options));
  }
}

TEST_CASE("several threads read one file at once, in a pool of few pages") {
  const TemporaryDirectory directory;
  const MemoryFile file(directory.file("file", pattern(300'000)), {.page_bytes = 4096, .pages = 16});
  std::atomic<std::uint64_t> wrong = 0;
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (std::uint64_t i = 0; i < 20'000; ++i) {
        const std::uint64_t offset = (i * 7919 + t * 104'729) % file.size();
        if (file[offset] != expected(offset)) ++wrong;
      }
      std::uint64_t offset = 0;
      for (const unsigned char byte : file.slice(t * 1000, 50'000)) {
        if (byte != expected(t * 1000 + offset++)) ++wrong;
      }
      std::array<std::byte, 9000> bytes{};
      for (std::uint64_t i = 0; i < 50; ++i) {
        const std::uint64_t from = (i * 5003 + t) % (file.size() - bytes.size());
        if (file.read(from, bytes) != bytes.size()) ++wrong;
        if (std::to_integer<unsigned char>(bytes[8999]) != expected(from + 8999)) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
}

TEST_CASE("files share a pool, also one with disk threads") {
  const DescriptorLeakCheck leaks;
  const TemporaryDirectory directory;
  ranged::DiskThreads disk(2, 100);
  const auto pool = ranged::BufferPool::create(
      {.pool_bytes = 32 * 4096, .page_bytes = 4096, .transit_frames = 0, .huge_pages = false}, disk);
  REQUIRE(pool);
  const std::string contents = pattern(200'000);
  const auto path = directory.file("one", contents);
  const MemoryFile one(path, **pool);
  const MemoryFile two(directory.file("two", std::string(contents.rbegin(), contents.rend())), **pool);
  REQUIRE(one.size() == two.size());
  std::size_t wrong = 0;
  for (std::uint64_t i = 0; i < one.size(); i += 17) wrong += one[i] != two.from_end(i + 1) ? 1U : 0U;
  CHECK(wrong == 0);
  CHECK((*pool)->statistics().evictions > 0);
}

TEST_CASE("walking a sparse tebibyte takes no more memory than the pool") {
  const TemporaryDirectory directory;
  const auto path = directory.file("sparse", "begin", tebibyte);
  for (const std::uint64_t offset : {tebibyte / 2, tebibyte - 5}) write_at(path, offset, "there");
  // The first pages of the process's own are paid for before the measurement.
  const MemoryFile file(path);
  CHECK(file[0] == 'b');
  const std::uint64_t before = peak_resident_bytes();
  std::uint64_t sum = 0;
  for (std::uint64_t offset = 0; offset < tebibyte; offset += tebibyte / 4096) sum += file[offset];
  for (std::uint64_t i = 0; i < 4096; ++i)
    sum += *(file.begin() + static_cast<std::int64_t>(i * (tebibyte / 4096) + 70'000));
  CHECK(sum == 'b' + 't');
  CHECK(file[tebibyte - 1] == 'e');
  CHECK(file.from_end(5) == 't');
  CHECK(file.slice(tebibyte / 2 - 1, 3)[1] == 't');
  // 8192 pages of 64 KiB were read: 512 MiB. The pool has 4 MiB of them; law 1 allows 16 MiB for all else.
  CHECK(peak_resident_bytes() - before < 16 << 20);
}
