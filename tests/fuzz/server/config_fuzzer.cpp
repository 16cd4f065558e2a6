// Configuration files: any bytes either are refused with a reason of one line, or become settings that are written out
// and read back as the same.

#include "require.hpp"
#include "server/config_settings.hpp"

#include <nlohmann/json.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

using namespace ranged::server;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  Config config;
  const FileOutcome outcome = read_config_text(text, config);
  if (!outcome.problem.empty()) {
    REQUIRE(outcome.problem.find_first_of("\r\n\0") == std::string::npos);
    REQUIRE(outcome.problem.size() < 1024);
    return 0;
  }
  for (const FileEntry& entry : outcome.entries) REQUIRE(entry.setting != nullptr);
  const std::string rendered = render_config(config, nullptr);
  Config again;
  const FileOutcome reread = read_config_text(rendered, again);
  REQUIRE(reread.problem.empty());
  for (const Setting& setting : settings()) REQUIRE(same_value(setting, config, again));
  REQUIRE(render_config(again, nullptr) == rendered);
  return 0;
}
