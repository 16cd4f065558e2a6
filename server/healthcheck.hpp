#pragma once
// `ranged --healthcheck URL`: asks a running daemon, for containers that have no curl.

#include <chrono>
#include <string>
#include <string_view>

namespace ranged::server {

struct HealthcheckOutcome {
  bool healthy = false;  ///< the answer's status was 2xx
  std::string detail;    ///< one line: "200", or what went wrong
};

/// GETs `url` and looks at the status alone. Forms: http://HOST[:PORT][/PATH] (a name is looked up; path default
/// /healthz), https:// (any certificate will do: it is a machine's question to itself) and unix:/SOCKET[:/PATH].
/// Blocks, at most `timeout` altogether (but for the look-up of a name).
[[nodiscard]] HealthcheckOutcome healthcheck(std::string_view url,
                                             std::chrono::milliseconds timeout = std::chrono::seconds{5});

}  // namespace ranged::server
