// Sizes, durations, addresses and roots as people write them. Input: one of them.

#include "require.hpp"
#include "server/config_settings.hpp"
#include "server/size.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <string>
#include <string_view>

namespace {

using namespace ranged::server;

// A size once more, as simply as can be, in twice the width.
bool plain_size(std::string_view text, unsigned __int128& size) {
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  if (digits == 0) return false;
  size = 0;
  for (const char c : text.substr(0, digits)) {
    size = std::min<unsigned __int128>(size * 10 + static_cast<unsigned>(c - '0'), static_cast<unsigned __int128>(1)
                                                                                       << 80);
  }
  constexpr std::string_view units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  const std::string_view unit = text.substr(digits);
  if (unit.empty()) return true;
  const auto* const found = std::ranges::find(units, unit);
  if (found == std::ranges::end(units)) return false;
  size <<= 10 * (found - std::ranges::begin(units));
  return true;
}

void check_size(std::string_view text) {
  unsigned __int128 plain = 0;
  const bool is_size = plain_size(text, plain) && plain <= std::numeric_limits<std::uint64_t>::max();
  const auto size = parse_size(text);
  REQUIRE(size.has_value() == is_size);
  if (!size) return;
  REQUIRE(*size == plain);
  const auto again = parse_size(format_size(*size));
  REQUIRE((again && *again == *size));
}

void check_duration(std::string_view text) {
  const auto duration = parse_duration(text);
  if (!duration) return;
  REQUIRE((duration->count() >= 0 && *duration <= std::chrono::hours(24 * 366)));
  const auto again = parse_duration(format_duration(*duration));
  REQUIRE((again && *again == *duration));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_size(text);
  check_duration(text);
  std::string problem;
  if (!parse_listen_address(text, problem)) REQUIRE(!problem.empty());
  problem.clear();
  if (!parse_root(text, problem)) REQUIRE(!problem.empty());
  // Each setting takes a text or says in a line why not; what it took is kept as a value that it takes again.
  for (const Setting& setting : settings()) {
    Config config;
    const std::string fault = set_from_text(setting, config, text);
    REQUIRE(fault.find('\n') == std::string::npos);
    if (!fault.empty()) continue;
    Config again;
    REQUIRE(set_from_json(setting, again, value_of(setting, config)).empty());
    REQUIRE(same_value(setting, config, again));
  }
  return 0;
}
