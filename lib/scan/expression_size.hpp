#pragma once
// How large a regular expression is once its repetitions are written out.

#include <cstdint>
#include <string_view>

namespace ranged {

/// The positions of `expression` (PCRE syntax) with its bounded repetitions written out: `(ab{3}){2}` has 8. That is
/// what a compiler of automata makes of it, and what its time and memory grow with. Of what is no expression any
/// number; never less than of its well-formed parts. Saturates. Cost: linear in the expression; no allocation.
[[nodiscard]] std::uint64_t expression_size(std::string_view expression) noexcept;

}  // namespace ranged
