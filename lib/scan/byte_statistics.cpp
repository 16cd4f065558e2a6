#include <ranged/scan/byte_statistics.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

namespace ranged {

void ByteStatistics::take(std::span<const std::byte> bytes) noexcept {
  // Four tables, so that a run of one value does not wait for its own counter; 32 bits each, cleared before they can
  // overflow.
  constexpr std::size_t most = std::size_t{1} << 30;
  while (!bytes.empty()) {
    const std::span<const std::byte> now = bytes.first(std::min(bytes.size(), most));
    std::array<std::array<std::uint32_t, 256>, 4> tables{};
    std::size_t i = 0;
    for (; i + 8 <= now.size(); i += 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, now.data() + i, 8);
      for (unsigned j = 0; j < 8; ++j) ++tables[j % 4][word >> (8 * j) & 0xff];
    }
    for (; i < now.size(); ++i) ++tables[0][static_cast<std::uint8_t>(now[i])];
    for (std::size_t value = 0; value < 256; ++value) {
      for (const auto& table : tables) counts_[value] += table[value];
    }
    bytes = bytes.subspan(now.size());
  }
}

std::uint64_t ByteStatistics::total() const noexcept {
  return std::accumulate(counts_.begin(), counts_.end(), std::uint64_t{0});
}

double ByteStatistics::entropy() const noexcept {
  const auto all = static_cast<double>(total());
  double bits = 0;
  for (const std::uint64_t count : counts_) {
    if (count == 0) continue;
    const double share = static_cast<double>(count) / all;
    bits -= share * std::log2(share);
  }
  return std::clamp(bits, 0.0, 8.0);
}

ByteStatistics::Classes ByteStatistics::classes() const noexcept {
  Classes classes;
  classes.zero = counts_[0];
  classes.ones = counts_[255];
  for (std::size_t value = 1; value < 255; ++value) {
    const bool space = value == '\t' || value == '\n' || value == '\r';
    if (value >= 0x80) {
      classes.high += counts_[value];
    } else if ((value >= 0x20 && value < 0x7f) || space) {
      classes.printable += counts_[value];
    } else {
      classes.control += counts_[value];
    }
  }
  return classes;
}

unsigned ByteStatistics::min() const noexcept {
  for (unsigned value = 0; value < 256; ++value) {
    if (counts_[value] != 0) return value;
  }
  return 0;
}

unsigned ByteStatistics::max() const noexcept {
  for (unsigned value = 255; value > 0; --value) {
    if (counts_[value] != 0) return value;
  }
  return 0;
}

}  // namespace ranged
