#include <ranged/scan/literal_search.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <string_view>
#include <utility>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace ranged {
namespace {

/// How often a byte is met in files, as a rule: zeros and ones of padding, then text, then the rest. A guess costs only
/// speed.
unsigned commonness(std::uint8_t value, std::uint8_t mask) noexcept {
  if (mask == 0) return 1000;
  if (mask != 0xff && mask != 0xdf) return 500;  // half a byte may be any of 16
  const unsigned folded = mask == 0xdf ? 20 : 0;
  if (value == 0) return 400;
  if (value == 0xff || value == 0x20) return 300;
  constexpr std::string_view frequent = "etaoinsr";
  const char lower = static_cast<char>(value | 0x20);
  if (frequent.find(lower) != std::string_view::npos) return 200 + folded;
  if ((value >= 0x61 && value <= 0x7a) || (value >= 0x30 && value <= 0x39) || value == '\n') return 100 + folded;
  if (value < 0x10) return 90;
  if (value < 0x7f) return 50 + folded;
  return 10;
}

}  // namespace

LiteralFinder::LiteralFinder(BytePattern pattern) : pattern_(std::move(pattern)), exact_(pattern_.is_exact()) {
  const auto rank = [this](std::size_t i) { return commonness(pattern_.values()[i], pattern_.masks()[i]); };
  for (std::size_t i = 1; i < pattern_.size(); ++i) {
    if (rank(i) < rank(first_)) first_ = i;
  }
  // Another byte than the first where there is one: two equal ones are met together in runs.
  second_ = first_ == 0 ? pattern_.size() - 1 : 0;
  for (std::size_t i = 0; i < pattern_.size(); ++i) {
    const bool differs = pattern_.values()[i] != pattern_.values()[first_];
    const bool second_differs = pattern_.values()[second_] != pattern_.values()[first_];
    if (i != first_ && (differs != second_differs ? differs : rank(i) < rank(second_))) second_ = i;
  }
  for (std::size_t i = 0; i < pattern_.size(); ++i) {
    two_suffice_ = two_suffice_ && (i == first_ || i == second_ || pattern_.masks()[i] == 0);
  }
#if defined(__x86_64__)
  has_avx2_ = __builtin_cpu_supports("avx2") != 0;
#endif
}

bool LiteralFinder::matches(const std::byte* at) const noexcept {
  if (exact_) return std::memcmp(at, pattern_.values().data(), pattern_.size()) == 0;
  // By words: a long pattern that nearly matches everywhere is compared as far as it goes at every byte.
  std::size_t i = 0;
  for (; i + sizeof(std::uint64_t) <= pattern_.size(); i += sizeof(std::uint64_t)) {
    std::uint64_t word = 0;
    std::uint64_t mask = 0;
    std::uint64_t value = 0;
    std::memcpy(&word, at + i, sizeof word);
    std::memcpy(&mask, pattern_.masks().data() + i, sizeof mask);
    std::memcpy(&value, pattern_.values().data() + i, sizeof value);
    if ((word & mask) != value) return false;
  }
  for (; i < pattern_.size(); ++i) {
    if ((static_cast<std::uint8_t>(at[i]) & pattern_.masks()[i]) != pattern_.values()[i]) return false;
  }
  return true;
}

std::size_t LiteralFinder::find_scalar(const std::byte* bytes, std::size_t from, std::size_t end) const noexcept {
  for (std::size_t i = from; i < end; ++i) {
    if (matches(bytes + i)) return i;
  }
  return none;
}

#if defined(__x86_64__)

std::size_t LiteralFinder::find_sse2(const std::byte* bytes, std::size_t from, std::size_t end) const noexcept {
  const __m128i value1 = _mm_set1_epi8(static_cast<char>(pattern_.values()[first_]));
  const __m128i mask1 = _mm_set1_epi8(static_cast<char>(pattern_.masks()[first_]));
  const __m128i value2 = _mm_set1_epi8(static_cast<char>(pattern_.values()[second_]));
  const __m128i mask2 = _mm_set1_epi8(static_cast<char>(pattern_.masks()[second_]));
  std::size_t i = from;
  for (; i + 16 <= end; i += 16) {
    const __m128i a = _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes + i + first_));
    const __m128i b = _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes + i + second_));
    const __m128i both =
        _mm_and_si128(_mm_cmpeq_epi8(_mm_and_si128(a, mask1), value1), _mm_cmpeq_epi8(_mm_and_si128(b, mask2), value2));
    for (auto bits = static_cast<unsigned>(_mm_movemask_epi8(both)); bits != 0; bits &= bits - 1) {
      const std::size_t at = i + static_cast<std::size_t>(std::countr_zero(bits));
      if (matches(bytes + at)) return at;
    }
  }
  return find_scalar(bytes, i, end);
}

namespace {

/// The two rare bytes: value and mask of each.
using Probe = std::array<std::uint8_t, 4>;

Probe probe_of(const BytePattern& pattern, std::size_t first, std::size_t second) noexcept {
  return {pattern.values()[first], pattern.masks()[first], pattern.values()[second], pattern.masks()[second]};
}

/// Where both rare bytes match: 32 bits for as many positions.
template <bool masked>
__attribute__((target("avx2"), always_inline)) inline __m256i candidates(const std::byte* at1, const std::byte* at2,
                                                                         __m256i value1, __m256i mask1, __m256i value2,
                                                                         __m256i mask2) noexcept {
  __m256i a = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at1));
  __m256i b = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at2));
  if constexpr (masked) {
    a = _mm256_and_si256(a, mask1);
    b = _mm256_and_si256(b, mask2);
  }
  return _mm256_and_si256(_mm256_cmpeq_epi8(a, value1), _mm256_cmpeq_epi8(b, value2));
}

/// The first block of 64 positions from `from` on that has candidates, which `bits` tells; `end` or less than 64 before
/// it: there is none. A function of its own, without a call in it, so that the loop lives in registers: with one it
/// takes twice as long.
template <bool masked>
__attribute__((target("avx2"), noinline)) std::size_t next_block(const std::byte* at1, const std::byte* at2,
                                                                 std::size_t from, std::size_t end, Probe probe,
                                                                 std::uint64_t& bits) noexcept {
  const __m256i value1 = _mm256_set1_epi8(static_cast<char>(probe[0]));
  const __m256i mask1 = _mm256_set1_epi8(static_cast<char>(probe[1]));
  const __m256i value2 = _mm256_set1_epi8(static_cast<char>(probe[2]));
  const __m256i mask2 = _mm256_set1_epi8(static_cast<char>(probe[3]));
  const auto look = [&](std::size_t i) __attribute__((target("avx2"), always_inline)) {
    return candidates<masked>(at1 + i, at2 + i, value1, mask1, value2, mask2);
  };
  std::size_t i = from;
  // One branch for 128 positions.
  for (; i + 128 <= end; i += 128) {
    const __m256i first = _mm256_or_si256(look(i), look(i + 32));
    const __m256i second = _mm256_or_si256(look(i + 64), look(i + 96));
    if (_mm256_movemask_epi8(_mm256_or_si256(first, second)) != 0) break;
  }
  for (; i + 64 <= end; i += 64) {
    const auto low = static_cast<std::uint32_t>(_mm256_movemask_epi8(look(i)));
    const auto high = static_cast<std::uint32_t>(_mm256_movemask_epi8(look(i + 32)));
    bits = low | static_cast<std::uint64_t>(high) << 32;
    if (bits != 0) return i;
  }
  return i;
}

auto next_block_of(const Probe& probe) noexcept {
  return probe[1] != 0xff || probe[3] != 0xff ? next_block<true> : next_block<false>;
}

}  // namespace

std::size_t LiteralFinder::find_avx2(const std::byte* bytes, std::size_t from, std::size_t end) const noexcept {
  const Probe probe = probe_of(pattern_, first_, second_);
  const auto next = next_block_of(probe);
  std::uint64_t bits = 0;
  for (std::size_t i = from;; i += 64, bits = 0) {
    i = next(bytes + first_, bytes + second_, i, end, probe, bits);
    if (bits == 0) return find_sse2(bytes, i, end);
    for (; bits != 0; bits &= bits - 1) {
      const std::size_t at = i + static_cast<std::size_t>(std::countr_zero(bits));
      if (matches(bytes + at)) return at;
    }
  }
}

std::size_t LiteralFinder::count_avx2(const std::byte* bytes, std::size_t from, std::size_t end) const noexcept {
  const Probe probe = probe_of(pattern_, first_, second_);
  const auto next = next_block_of(probe);
  std::size_t total = 0;
  std::size_t i = from;
  for (;; i += 64) {
    std::uint64_t bits = 0;
    i = next(bytes + first_, bytes + second_, i, end, probe, bits);
    if (bits == 0) break;
    if (two_suffice_) {
      total += static_cast<std::size_t>(std::popcount(bits));
      continue;
    }
    for (; bits != 0; bits &= bits - 1) {
      if (matches(bytes + i + static_cast<std::size_t>(std::countr_zero(bits)))) ++total;
    }
  }
  for (; i < end; ++i) {
    if (matches(bytes + i)) ++total;
  }
  return total;
}

#endif

std::size_t LiteralFinder::find(std::span<const std::byte> bytes, std::size_t from) const noexcept {
  if (bytes.size() < pattern_.size() || from > bytes.size() - pattern_.size()) return none;
  // Positions at which the pattern still fits: reading at either rare byte of any of them stays within.
  const std::size_t end = bytes.size() - pattern_.size() + 1;
#if defined(__x86_64__)
  return has_avx2_ ? find_avx2(bytes.data(), from, end) : find_sse2(bytes.data(), from, end);
#else
  return find_scalar(bytes.data(), from, end);
#endif
}

std::size_t LiteralFinder::count(std::span<const std::byte> bytes, std::size_t from) const noexcept {
  if (bytes.size() < pattern_.size() || from > bytes.size() - pattern_.size()) return 0;
#if defined(__x86_64__)
  if (has_avx2_) return count_avx2(bytes.data(), from, bytes.size() - pattern_.size() + 1);
#endif
  std::size_t total = 0;
  for (std::size_t at = find(bytes, from); at != none; at = find(bytes, at + 1)) ++total;
  return total;
}

void LiteralSearch::keep_tail(std::span<const std::byte> taken) noexcept {
  if (overlap() == 0) return;
  if (taken.size() >= overlap()) {
    tail_size_ = overlap();
    std::memcpy(tail_.data(), taken.data() + (taken.size() - tail_size_), tail_size_);
    return;
  }
  const std::size_t kept = std::min(tail_size_, overlap() - taken.size());
  std::memmove(tail_.data(), tail_.data() + (tail_size_ - kept), kept);
  if (!taken.empty()) std::memcpy(tail_.data() + kept, taken.data(), taken.size());
  tail_size_ = kept + taken.size();
}

std::size_t LiteralSearch::take(std::span<const std::byte> bytes, MatchQueue& matches) noexcept {
  const std::size_t length = finder_->pattern().size();
  if (tail_size_ > 0 && !bytes.empty()) {
    // Matches that begin in the tail: they end within the first overlap() bytes.
    std::array<std::byte, 2 * BytePattern::max_size> edge;
    const std::size_t more = std::min(bytes.size(), overlap());
    std::memcpy(edge.data(), tail_.data(), tail_size_);
    std::memcpy(edge.data() + tail_size_, bytes.data(), more);
    const std::span<const std::byte> both(edge.data(), tail_size_ + more);
    for (std::size_t at = finder_->find(both, 0); at < tail_size_; at = finder_->find(both, at + 1)) {
      if (matches.full()) {
        // What lies before is done with; the tail begins with this match when the bytes come again.
        std::memmove(tail_.data(), tail_.data() + at, tail_size_ - at);
        tail_size_ -= at;
        return 0;
      }
      matches.push({next_ - tail_size_ + at, length});
    }
  }
  for (std::size_t at = finder_->find(bytes, 0); at != LiteralFinder::none; at = finder_->find(bytes, at + 1)) {
    if (!matches.keeping()) {
      matches.count(finder_->count(bytes, at));
      break;
    }
    if (matches.full()) {
      // As if the bytes ended just before this match does: it begins in the tail, and is found again there.
      const std::size_t taken = at + overlap();
      tail_size_ = 0;
      keep_tail(bytes.subspan(at, overlap()));
      next_ += taken;
      return taken;
    }
    matches.push({next_ + at, length});
  }
  keep_tail(bytes);
  next_ += bytes.size();
  return bytes.size();
}

std::uint64_t LiteralSearch::take_zeros(std::uint64_t count, MatchQueue& matches) noexcept {
  static constexpr std::array<std::byte, 4096> zeros{};
  std::uint64_t taken = 0;
  // As many as make the tail zeros alone; from then on every position is like the one before.
  while (taken < count && taken < overlap()) {
    const std::size_t wanted = static_cast<std::size_t>(std::min<std::uint64_t>(overlap() - taken, count - taken));
    const std::size_t now = take(std::span(zeros).first(std::min(wanted, zeros.size())), matches);
    if (now == 0) return taken;
    taken += now;
  }
  if (taken == count) return taken;
  if (!finder_->pattern().matches_zeros()) {
    next_ += count - taken;
    return count;
  }
  while (taken < count && matches.keeping()) {
    if (matches.full()) return taken;
    // The match that the next zero completes.
    matches.push({next_ - overlap(), finder_->pattern().size()});
    ++next_;
    ++taken;
  }
  matches.count(count - taken);
  next_ += count - taken;
  return count;
}

}  // namespace ranged
