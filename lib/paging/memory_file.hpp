#pragma once
// A file of any size as a read-only array of bytes, in memory of a fixed size.

#include <ranged/paging/paging_error.hpp>
#include <ranged/storage/storage_error.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <iterator>
#include <memory>
#include <ranges>
#include <span>

namespace ranged {

class BufferPool;

namespace detail {

class MemoryFileState;

/// A page pinned for an iterator and its copies. Bytes [begin, begin + length) of the file are at `data`.
struct IteratorPage {
  std::uint64_t begin = 0;
  std::uint64_t length = 0;
  const unsigned char* data = nullptr;
  std::shared_ptr<const void> pin;
};

[[nodiscard]] IteratorPage pin_page(const MemoryFileState& state, std::uint64_t offset);
[[nodiscard]] unsigned char byte_at(const MemoryFileState& state, std::uint64_t offset);
[[nodiscard]] std::size_t read_bytes(const MemoryFileState& state, std::uint64_t offset, std::span<std::byte> bytes);
[[noreturn]] void throw_out_of_range();

}  // namespace detail

/// A random-access iterator over a file's bytes; dereferencing gives a byte by value. It keeps the page that it was
/// last dereferenced in pinned and shares that pin with its copies, so going through a page costs a compare and a load
/// for each byte. Copying costs an atomic increment once a page is pinned. Each page pinned by an iterator is one page
/// less for everything else in the pool. Dereferencing changes what the iterator caches: one iterator belongs to one
/// thread, its copies may go to others. Dereferencing throws as MemoryFile::operator[] does. Harmless when destroyed
/// after its file.
class MemoryFileIterator {
 public:
  using iterator_concept = std::random_access_iterator_tag;
  // By the letter of C++17 an iterator without true references is an input iterator only; then std::distance would step
  // through terabytes. std::vector<bool> takes the same liberty.
  using iterator_category = std::random_access_iterator_tag;
  using value_type = unsigned char;
  using difference_type = std::int64_t;
  using reference = unsigned char;
  using pointer = void;

  MemoryFileIterator() noexcept = default;

  [[nodiscard]] unsigned char operator*() const {
    if (offset_ - page_.begin >= page_.length) load();
    return page_.data[offset_ - page_.begin];
  }
  [[nodiscard]] unsigned char operator[](difference_type n) const {
    const std::uint64_t offset = offset_ + static_cast<std::uint64_t>(n);
    if (offset - page_.begin < page_.length) return page_.data[offset - page_.begin];
    return detail::byte_at(*file_, offset);
  }

  MemoryFileIterator& operator++() noexcept { return *this += 1; }
  MemoryFileIterator& operator--() noexcept { return *this -= 1; }
  MemoryFileIterator operator++(int) noexcept {
    MemoryFileIterator before = *this;
    ++*this;
    return before;
  }
  MemoryFileIterator operator--(int) noexcept {
    MemoryFileIterator before = *this;
    --*this;
    return before;
  }
  MemoryFileIterator& operator+=(difference_type n) noexcept {
    offset_ += static_cast<std::uint64_t>(n);
    return *this;
  }
  MemoryFileIterator& operator-=(difference_type n) noexcept {
    offset_ -= static_cast<std::uint64_t>(n);
    return *this;
  }
  [[nodiscard]] friend MemoryFileIterator operator+(MemoryFileIterator i, difference_type n) noexcept { return i += n; }
  [[nodiscard]] friend MemoryFileIterator operator+(difference_type n, MemoryFileIterator i) noexcept { return i += n; }
  [[nodiscard]] friend MemoryFileIterator operator-(MemoryFileIterator i, difference_type n) noexcept { return i -= n; }
  [[nodiscard]] friend difference_type operator-(const MemoryFileIterator& a, const MemoryFileIterator& b) noexcept {
    return static_cast<difference_type>(a.offset_ - b.offset_);
  }
  [[nodiscard]] friend bool operator==(const MemoryFileIterator& a, const MemoryFileIterator& b) noexcept {
    return a.offset_ == b.offset_;
  }
  [[nodiscard]] friend auto operator<=>(const MemoryFileIterator& a, const MemoryFileIterator& b) noexcept {
    return a.offset_ <=> b.offset_;
  }

  /// The offset in the file, in bytes from its beginning, also for an iterator of a slice.
  [[nodiscard]] std::uint64_t offset() const noexcept { return offset_; }

 private:
  friend class MemoryFileSlice;
  MemoryFileIterator(const detail::MemoryFileState* file, std::uint64_t offset) noexcept
      : file_(file), offset_(offset) {}

  // Its own pin goes first: whoever waits for a page holds none (law 2).
  void load() const {
    page_ = {};
    page_ = detail::pin_page(*file_, offset_);
  }

  const detail::MemoryFileState* file_ = nullptr;
  std::uint64_t offset_ = 0;
  mutable detail::IteratorPage page_;
};

/// A part of a MemoryFile, or all of it: a view, valid as long as the file is neither destroyed nor refreshed. Cheap to
/// copy. All functions are safe from several threads at once.
class MemoryFileSlice : public std::ranges::view_base {
 public:
  using value_type = unsigned char;
  using iterator = MemoryFileIterator;

  /// Bytes in the slice.
  [[nodiscard]] std::uint64_t size() const noexcept { return length_; }
  [[nodiscard]] bool empty() const noexcept { return length_ == 0; }
  /// Where the slice begins in the file, in bytes.
  [[nodiscard]] std::uint64_t offset() const noexcept { return offset_; }

  /// As MemoryFile::operator[], at() and from_end(), relative to the slice.
  [[nodiscard]] unsigned char operator[](std::uint64_t index) const { return at(index); }
  [[nodiscard]] unsigned char at(std::uint64_t index) const {
    if (index >= length_) detail::throw_out_of_range();
    return detail::byte_at(*file_, offset_ + index);
  }
  [[nodiscard]] unsigned char from_end(std::uint64_t distance) const {
    if (distance > length_) detail::throw_out_of_range();
    return at(length_ - distance);
  }

  [[nodiscard]] MemoryFileIterator begin() const noexcept { return {file_, offset_}; }
  [[nodiscard]] MemoryFileIterator end() const noexcept { return {file_, offset_ + length_}; }

  /// Up to `length` bytes from `offset` on: what there is of them. Throws std::out_of_range when `offset` > size().
  [[nodiscard]] MemoryFileSlice slice(std::uint64_t offset, std::uint64_t length) const {
    if (offset > length_) detail::throw_out_of_range();
    return {file_, offset_ + offset, length < length_ - offset ? length : length_ - offset};
  }

  /// Copies the bytes from `offset` on into `bytes`, as many as there are; returns how many, 0 at or beyond the end.
  std::size_t read(std::uint64_t offset, std::span<std::byte> bytes) const {
    if (offset >= length_) return 0;
    if (bytes.size() > length_ - offset) bytes = bytes.first(static_cast<std::size_t>(length_ - offset));
    return detail::read_bytes(*file_, offset_ + offset, bytes);
  }

 private:
  friend class MemoryFile;
  MemoryFileSlice(const detail::MemoryFileState* file, std::uint64_t offset, std::uint64_t length) noexcept
      : file_(file), offset_(offset), length_(length) {}

  const detail::MemoryFileState* file_;
  std::uint64_t offset_;
  std::uint64_t length_;
};

/// How long a read waits for a page: longer than a disk takes to answer, short enough that a program which pins every
/// page learns of it.
inline constexpr std::chrono::milliseconds longest_page_wait{10'000};

struct MemoryFileOptions {
  std::size_t page_bytes = std::size_t{64} << 10;  ///< a power of two, 4 KiB to 4 MiB
  std::size_t pages = 64;  ///< all that is ever in memory; each iterator in use pins one of them
  std::chrono::milliseconds longest_wait = longest_page_wait;
};

/// A file that is read as if it were an array in memory. What is read is one version of the file: when the file
/// changes, the pages that are not in memory yet cannot be had any more, and reading them throws, until refresh()
/// adopts the new version.
///
/// Const functions are safe from several threads at once; refresh(), assigning and destroying are not, as with the
/// standard containers. A read blocks in the calling thread. No read waits for a page longer than ten seconds (all
/// pages pinned by iterators): then it throws PagingError::deadline.
///
/// Reading throws std::out_of_range beyond the end, and std::system_error otherwise: PagingError::stale_version when
/// the file is no longer the version that was opened, or the error of the read.
class MemoryFile {
 public:
  using value_type = unsigned char;
  using size_type = std::uint64_t;
  using difference_type = std::int64_t;
  using iterator = MemoryFileIterator;
  using const_iterator = MemoryFileIterator;

  /// Opens `path` with a pool of its own, allocated now. Throws std::system_error: StorageError,
  /// PagingError::invalid_options or the system's.
  explicit MemoryFile(std::filesystem::path path, const MemoryFileOptions& options = {});
  /// Opens `path`, its pages in `pool`, which may serve other files too and must outlive the file and its iterators.
  /// The file keeps one page pinned, each iterator in use another: not for a pool that serves connections with few
  /// frames.
  MemoryFile(std::filesystem::path path, BufferPool& pool);
  MemoryFile(MemoryFile&&) noexcept;
  MemoryFile& operator=(MemoryFile&&) noexcept;
  ~MemoryFile();

  /// Bytes in the version that is open.
  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }

  /// The byte at `index`. Cost: an uncontended lock in the page of the last call, else the pool's lock, else a read.
  /// Iterators and read() are for many bytes.
  [[nodiscard]] unsigned char operator[](std::uint64_t index) const { return detail::byte_at(*state_, index); }
  /// The same: beyond the end both throw.
  [[nodiscard]] unsigned char at(std::uint64_t index) const { return detail::byte_at(*state_, index); }
  /// The byte `distance` before the end: 1 is the last one.
  [[nodiscard]] unsigned char from_end(std::uint64_t distance) const { return all().from_end(distance); }

  [[nodiscard]] MemoryFileIterator begin() const noexcept { return all().begin(); }
  [[nodiscard]] MemoryFileIterator end() const noexcept { return all().end(); }

  /// As MemoryFileSlice::slice and read.
  [[nodiscard]] MemoryFileSlice slice(std::uint64_t offset, std::uint64_t length) const {
    return all().slice(offset, length);
  }
  std::size_t read(std::uint64_t offset, std::span<std::byte> bytes) const { return all().read(offset, bytes); }

  /// Opens the path again and adopts what is there now. True when that may differ from what was open; then iterators
  /// and slices are invalid. Throws as the constructor; the file is then as it was before.
  bool refresh();

  [[nodiscard]] const std::filesystem::path& path() const noexcept;

 private:
  [[nodiscard]] MemoryFileSlice all() const noexcept { return {state_.get(), 0, size_}; }

  std::shared_ptr<detail::MemoryFileState> state_;
  std::uint64_t size_ = 0;
};

}  // namespace ranged

template <>
inline constexpr bool std::ranges::enable_borrowed_range<ranged::MemoryFileSlice> = true;
