#pragma once
// Invariants of fuzzers.

#include <cstdlib>
#include <iostream>

/// Ends the run with a message when an invariant does not hold; libFuzzer keeps the input.
#define REQUIRE(condition)                                                         \
  do {                                                                             \
    if (!(condition)) {                                                            \
      std::cerr << __FILE__ << ':' << __LINE__ << ": " << #condition << std::endl; \
      std::abort();                                                                \
    }                                                                              \
  } while (false)
