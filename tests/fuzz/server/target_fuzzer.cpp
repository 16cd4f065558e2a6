// Request targets and queries: what is decoded, encoded in full and decoded again is the same.

#include "require.hpp"
#include "server/target.hpp"

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>

namespace {

using namespace ranged::server;

std::string encode(std::string_view bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    text.append({'%', digits[byte >> 4], digits[byte & 15]});
  }
  return text;
}

void check_target(std::string_view raw) {
  Target target;
  std::string decoded;
  if (!parse_target(raw, target, decoded)) {
    return;
  }
  REQUIRE(target.path.find('\0') == std::string::npos);
  REQUIRE(target.path.size() <= target.raw_path.size());
  if (raw == "*") return;
  REQUIRE(target.path.starts_with('/'));
  REQUIRE(target.raw_path.find('?') == std::string_view::npos);
  if (!target.has_query) REQUIRE(target.raw_query.empty());
  // Nothing is decoded twice.
  const std::string encoded = '/' + encode(target.path.substr(1));
  Target again;
  std::string decoded_again;
  REQUIRE(parse_target(encoded, again, decoded_again));
  REQUIRE(again.path == target.path);
}

void check_query(std::string_view raw) {
  const auto query = QueryParameters::parse(raw);
  if (query.has_error()) {
    const Refusal refusal = query.error().refusal();
    REQUIRE(refusal.status == 400);
    REQUIRE(!refusal.close);
    return;
  }
  std::set<std::string_view> names;
  std::string encoded;
  for (const QueryParameters::Parameter& parameter : query->all()) {
    REQUIRE(names.insert(parameter.name).second);
    REQUIRE(query->find(parameter.name) == &parameter.value);
    encoded += (encoded.empty() ? "" : "&") + encode(parameter.name) + '=' + encode(parameter.value);
  }
  const auto again = QueryParameters::parse(encoded);
  REQUIRE(again.has_value());
  REQUIRE(again->all().size() == query->all().size());
  for (const QueryParameters::Parameter& parameter : again->all()) {
    REQUIRE(query->find(parameter.name) != nullptr);
    REQUIRE(*query->find(parameter.name) == parameter.value);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_target(text);
  check_query(text);
  return 0;
}
