#pragma once
// How much a regular expression is for who compiles it.

#include <cstdint>
#include <string_view>

namespace ranged {

/// The positions of `expression` (PCRE syntax) with its bounded repetitions written out: `(ab{3}){2}` has 8; and five
/// more for each `?`, `*` and `+`, by which positions follow on others that are far: a compiler of automata takes more
/// than linear time and memory for those. Of what is no expression any number. Saturates. Cost: linear in the
/// expression; no allocation.
[[nodiscard]] std::uint64_t expression_size(std::string_view expression) noexcept;

}  // namespace ranged
