// Problems: any bytes give JSON that can be read back.

#include "require.hpp"
#include "server/problem.hpp"

#include <nlohmann/json.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string json = ranged::server::problem_json(400, "/problems/bad-parameter", "Bad parameter", text, text);
  const auto problem = nlohmann::json::parse(json, nullptr, false);
  REQUIRE(!problem.is_discarded());
  REQUIRE(problem["status"] == 400);
  REQUIRE(problem.contains("detail") == !text.empty());
  for (const char c : json) REQUIRE(static_cast<unsigned char>(c) >= ' ');
  return 0;
}
