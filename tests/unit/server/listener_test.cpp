#include "server/listener.hpp"

#include <doctest/doctest.h>

#include <optional>
#include <vector>

using ranged::server::inherited_tls;
using ranged::server::InheritedSocket;
using ranged::server::ListenAddress;

namespace {

std::vector<ListenAddress> addresses(std::initializer_list<bool> tls) {
  std::vector<ListenAddress> listen;
  for (const bool each : tls) listen.emplace_back().tls = each;
  return listen;
}

}  // namespace

TEST_CASE("a socket that systemd passes speaks TLS if its name says so, or if all that is configured does") {
  const std::vector<InheritedSocket> unnamed{{3, "ranged.socket"}, {4, ""}};
  CHECK(inherited_tls(unnamed, addresses({false})) == std::vector<bool>{false, false});
  CHECK(inherited_tls(unnamed, addresses({true, true})) == std::vector<bool>{true, true});
  const std::vector<InheritedSocket> named{{3, "http"}, {4, "tls"}};
  CHECK(inherited_tls(named, addresses({false})) == std::vector<bool>{false, true});
  CHECK(inherited_tls(named, addresses({true, false})) == std::vector<bool>{false, true});
}

TEST_CASE("sockets that nothing tells apart are refused, where some were to speak TLS") {
  CHECK(inherited_tls({{3, "ranged.socket"}}, addresses({true, false})) == std::nullopt);
  // Nothing was passed: what is configured is listened at.
  CHECK(inherited_tls({}, addresses({true, false})) == std::vector<bool>{});
}
