#pragma once
// Which pages to load before they are asked for: pure logic, one object for each stream.

#include <cstddef>
#include <cstdint>

namespace ranged {

/// Pages worth loading now: [first, first + count). Empty when count is 0.
struct ReadaheadWindow {
  std::uint64_t first = 0;
  std::size_t count = 0;

  bool operator==(const ReadaheadWindow&) const = default;
};

/// The readahead window of one stream. Starts at the first miss with two pages, doubles each time that the reader comes
/// to the window loaded last (the async mark), ends with the stretch that was announced, and starts anew after a jump.
/// As long as everything is had without a wait, it asks for nothing. Not thread-safe; does no I/O; each call costs a
/// few comparisons.
class Readahead {
 public:
  /// Linux starts a window with up to four times the request; two pages of 64 KiB are the same 128 KiB that it reads at
  /// most.
  static constexpr std::size_t initial_pages = 2;
  /// A MiB covers 10 ms of a disk that does 100 MB/s, and is one load of 16 pages of 64 KiB.
  static constexpr std::size_t default_max_bytes = std::size_t{1} << 20;

  /// `page_bytes` > 0. Windows grow up to `max_bytes`, but to no less than one page.
  explicit Readahead(std::size_t page_bytes, std::size_t max_bytes = default_max_bytes) noexcept;

  /// Announces that [offset, offset + length) is about to be read, in order. A stretch that goes on where the reader
  /// stands keeps the window; any other resets it.
  void begin(std::uint64_t offset, std::uint64_t length) noexcept;

  /// Says that page `page` is read now, and whether the reader had to wait for it. Returns what to load next, never
  /// beyond the end of the announced stretch and never the same page twice in a row of sequential reads.
  [[nodiscard]] ReadaheadWindow access(std::uint64_t page, bool missed) noexcept;

 private:
  [[nodiscard]] bool continues(std::uint64_t page) const noexcept { return page == last_ || page == last_ + 1; }
  void reset() noexcept;

  std::size_t page_bytes_;
  std::size_t max_pages_;
  std::uint64_t end_ = 0;                   ///< the first page behind the announced stretch
  std::uint64_t last_ = ~std::uint64_t{0};  ///< the page read last; at first so that page 0 continues it
  std::uint64_t ahead_ = 0;                 ///< the first page not asked for yet
  std::uint64_t mark_ = 0;                  ///< the page whose reading triggers the next window
  std::size_t pages_ = initial_pages;       ///< size of the next window
  bool active_ = false;                     ///< whether something was missed since the last jump
};

}  // namespace ranged
