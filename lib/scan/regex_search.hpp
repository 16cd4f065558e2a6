#pragma once
// Finds a regular expression in bytes that come in order.

#include <ranged/scan/match.hpp>

#include <boost/system/result.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace ranged {

/// Why an expression cannot be searched for, in words.
struct RegexError {
  std::string message;
};

/// A search for a regular expression (PCRE syntax as far as Hyperscan takes it: no back-references, no look-around) in
/// a sequence of bytes. `.` matches every byte but a newline (every byte after `(?s)`), `^` and `$` at lines. Of the
/// matches that end at one offset the longest counts, wherever it begins; of those that begin at one offset the
/// longest; and one that overlaps its predecessor does not count, nor does a shorter one that ends with it. Empty
/// matches are not found. What may be longer than max_match is left out and counted (left_out()), for the automaton has
/// forgotten where it began.
///
/// Memory: the automaton and its state, bounded by max_expression, max_size and max_state; nothing grows with the
/// bytes. The compiler takes some 10 MiB at most beside, in one thread at a time. Not thread-safe.
class RegexSearch {
 public:
  static constexpr std::size_t max_expression = 1024;                  ///< bytes of an expression
  static constexpr std::uint64_t max_size = 1024;                      ///< of it, as expression_size() has it
  static constexpr std::size_t max_state = std::size_t{256} << 10;     ///< bytes of state between two calls
  static constexpr std::uint64_t max_match = std::uint64_t{32} << 10;  ///< what the small horizon is sure of
  /// Bytes taken at one time while matches are kept: each of them ends one match at most, and there is room for all.
  static constexpr std::size_t piece = 8192;

  /// Whether the library that this program runs with finds what it is asked for on this processor. (Vectorscan 5.4.9,
  /// which is Debian 12's, loses matches and makes some up where there is AVX-512; Hyperscan does not.) Cost: a
  /// millisecond, once.
  [[nodiscard]] static bool is_sound();

  /// Compiles `expression`, UTF-8 or bytes as they are; takes 0.2 s at most. The first byte will come at offset
  /// 0. Thread-safe; one compiles at a time.
  [[nodiscard]] static boost::system::result<std::unique_ptr<RegexSearch>, RegexError> create(
      std::string_view expression, bool fold_case);
  ~RegexSearch();
  RegexSearch(const RegexSearch&) = delete;
  RegexSearch& operator=(const RegexSearch&) = delete;

  /// Says at which offset the first byte will come; before any has.
  void begin(std::uint64_t offset) noexcept;
  /// As LiteralSearch::take().
  std::size_t take(std::span<const std::byte> bytes, MatchQueue& matches);
  /// As LiteralSearch::take_zeros(), but at the speed of bytes where the expression matches zeros.
  std::uint64_t take_zeros(std::uint64_t count, MatchQueue& matches);
  /// Says that no more bytes come; false: `matches` is full, call it again.
  bool finish(MatchQueue& matches);
  /// Ends of what may be longer than max_match.
  [[nodiscard]] std::uint64_t left_out() const noexcept;

 private:
  struct State;
  explicit RegexSearch(std::unique_ptr<State> state) noexcept;
  std::unique_ptr<State> state_;
};

}  // namespace ranged
