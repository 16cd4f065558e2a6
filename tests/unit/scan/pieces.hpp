#pragma once
// Feeding a search in pieces, as scans do.

#include <ranged/scan/match.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <string_view>
#include <vector>

namespace ranged::testing {

inline std::span<const std::byte> bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

inline void drain(MatchQueue& queue, std::vector<Match>& out) {
  for (; !queue.empty(); queue.pop()) out.push_back(queue.front());
}

/// Gives `search` all of `bytes` in pieces of random length, and emptied queues whenever it asks for them. Runs of
/// zeros of at least `hole` bytes come as holes.
template <class Search>
std::vector<Match> feed(Search& search, std::span<const std::byte> bytes, std::size_t max_piece, std::size_t capacity,
                        std::mt19937& random, std::size_t hole = ~std::size_t{0}) {
  MatchQueue queue(capacity, ~std::uint64_t{0});
  std::vector<Match> found;
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t zeros =
        static_cast<std::size_t>(std::find_if(bytes.begin() + static_cast<std::ptrdiff_t>(at), bytes.end(),
                                              [](std::byte byte) { return byte != std::byte{0}; }) -
                                 (bytes.begin() + static_cast<std::ptrdiff_t>(at)));
    if (zeros >= hole) {
      for (std::size_t done = 0; done < zeros; drain(queue, found)) {
        done += static_cast<std::size_t>(search.take_zeros(zeros - done, queue));
      }
      at += zeros;
      continue;
    }
    std::size_t length = std::uniform_int_distribution<std::size_t>(1, max_piece)(random);
    length = std::min(length, bytes.size() - at);
    for (std::size_t done = 0; done < length; drain(queue, found)) {
      done += search.take(bytes.subspan(at + done, length - done), queue);
    }
    drain(queue, found);
    at += length;
  }
  drain(queue, found);
  return found;
}

}  // namespace ranged::testing
