#pragma once
// Heads that were parsed and admitted before: a client that reads a file piece by piece sends the same head over and
// over, but for the value of its Range.

#include "server/request_head.hpp"
#include "server/target.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace ranged::server {

/// One for each worker, and on its thread alone. What is the same byte by byte is not read again: parsing, admission
/// and decoding are functions of the bytes, of the way they came and of the site, and of the site's rules a table knows
/// one version (forget_all()). Only GET and HEAD with one Range and no credentials are learned, at their second time,
/// so that a head that comes once costs no more than its hash. Memory: fixed, 104 KiB and paths that have escapes. No
/// call throws.
class KnownHeads {
  struct Entry;

 public:
  static constexpr std::size_t count = 64;
  /// Longer ones are not learned: a browser's has some 700 bytes.
  static constexpr std::size_t max_head_bytes = 1024;
  /// A Range of more bytes, or of others than is_range_byte() takes, is parsed.
  static constexpr std::size_t max_range_bytes = 512;

  /// How a head came: what is admitted depends on it.
  struct Channel {
    bool over_network = false;
    bool secured = false;
    bool operator==(const Channel&) const = default;
  };

  /// Keeps what a recalled head views from being replaced, as long as it lives.
  class Use {
   public:
    Use() noexcept = default;
    Use(Use&& other) noexcept : entry_(std::exchange(other.entry_, nullptr)) {}
    Use& operator=(Use&& other) noexcept {
      std::swap(entry_, other.entry_);
      return *this;
    }
    ~Use() {
      if (entry_ != nullptr) --entry_->users;
    }
    explicit operator bool() const noexcept { return entry_ != nullptr; }

   private:
    friend class KnownHeads;
    explicit Use(Entry& entry) noexcept : entry_(&entry) { ++entry.users; }
    Entry* entry_ = nullptr;
  };

  /// When `buffer` begins with the head known at `place`, says what it says: `head` and `target` as a parser would
  /// leave them; they view the table, for as long as `use` lives, and for Range the buffer. Returns the bytes of the
  /// head; 0: it must be parsed, and nothing was written. Cost: a comparison of the head's length, and a copy of what
  /// it said.
  [[nodiscard]] std::size_t recall(std::uint8_t place, Channel channel, std::string_view buffer, Use& use,
                                   RequestHead& head, Target& target) noexcept;

  /// Takes a head that was admitted; `head` is what it said, viewing `text`. Returns the place where to look for its
  /// like, whether it was learned or not.
  [[nodiscard]] std::uint8_t learn(std::string_view text, const RequestHead& head, Channel channel) noexcept;

  /// To be called when what is admitted may be something else from now on.
  void forget_all() noexcept;

 private:
  struct Entry {
    bool known = false;
    Channel channel;
    std::uint32_t users = 0;
    std::uint64_t hash = 0;  ///< of what is known, or of what was seen last
    std::size_t range_begin = 0;
    std::size_t range_end = 0;
    std::size_t size = 0;
    RequestHead head;
    Target target;
    std::string decoded_path;
    std::array<char, max_head_bytes> bytes;

    [[nodiscard]] std::string_view before_range() const noexcept { return {bytes.data(), range_begin}; }
    [[nodiscard]] std::string_view after_range() const noexcept { return {bytes.data() + range_end, size - range_end}; }
  };

  static void fill(Entry& entry, std::string_view text);

  std::array<Entry, count> entries_;
};

}  // namespace ranged::server
