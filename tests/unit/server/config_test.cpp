#include "server/config.hpp"

#include <doctest/doctest.h>

#include <cstdint>

namespace ranged::server {
namespace {

using Kind = ListenAddress::Kind;

constexpr std::uint64_t kib = 1024;
constexpr std::uint64_t mib = 1024 * kib;

Machine machine(unsigned cores, std::size_t descriptors = 20'000) {
  return {cores, descriptors, 0, 0};
}

TEST_CASE("loopback is what no other machine can reach") {
  for (const char* host : {"127.0.0.1", "127.0.0.2", "127.255.255.254"})
    CHECK(ListenAddress{Kind::tcp4, host, 1, ""}.is_loopback());
  for (const char* host : {"0.0.0.0", "126.255.255.255", "128.0.0.1", "10.0.0.1", "not an address"}) {
    CHECK_FALSE(ListenAddress{Kind::tcp4, host, 1, ""}.is_loopback());
  }
  for (const char* host : {"::1", "::ffff:127.0.0.1"}) CHECK(ListenAddress{Kind::tcp6, host, 1, ""}.is_loopback());
  for (const char* host : {"::", "::2", "fe80::1", "::ffff:10.0.0.1", "::127.0.0.1", "not an address"}) {
    CHECK_FALSE(ListenAddress{Kind::tcp6, host, 1, ""}.is_loopback());
  }
  CHECK(ListenAddress{Kind::unix_socket, "", 0, "/run/x"}.is_loopback());
}

TEST_CASE("a configuration is on loopback only when all its listeners are") {
  Config config;
  CHECK(config.loopback_only());
  config.listen.push_back({Kind::unix_socket, "", 0, "/run/x"});
  CHECK(config.loopback_only());
  config.listen.push_back({Kind::tcp6, "::", 80, ""});
  CHECK_FALSE(config.loopback_only());
}

TEST_CASE("addresses are written as they are read") {
  CHECK(ListenAddress{}.to_string() == "127.0.0.1:8080");
  CHECK(ListenAddress{Kind::tcp6, "::1", 0, ""}.to_string() == "[::1]:0");
  CHECK(ListenAddress{Kind::unix_socket, "", 0, "/a b"}.to_string() == "unix:/a b");
}

TEST_CASE("a window is a batch and one page, sixteen at most") {
  CHECK(window_frames(4 * kib) == 16);
  CHECK(window_frames(16 * kib) == 16);
  CHECK(window_frames(32 * kib) == 9);
  CHECK(window_frames(64 * kib) == 5);
  CHECK(window_frames(256 * kib) == 2);
  CHECK(window_frames(4 * mib) == 2);
  CHECK(window_frames(0) == 16);
}

TEST_CASE("zeros become what the machine can do") {
  const Config config;
  const ResolvedConfig two = resolve(config, machine(2));
  CHECK(two.threads == 2);
  CHECK(two.disk_threads == 8);
  CHECK(two.frames == 1024);
  CHECK(two.max_loads == 32);
  CHECK(two.max_connections == 10'000);
  CHECK(two.max_connections_per_client == 10'000);
  CHECK(two.open_files == 1024);

  const ResolvedConfig eight = resolve(config, machine(8));
  CHECK(eight.threads == 8);
  CHECK(eight.disk_threads == 32);

  // 1024 frames hold (1024 / 4 - 32) / 5 windows.
  const ResolvedConfig many = resolve(config, machine(256));
  CHECK(many.threads == 44);
  CHECK(many.disk_threads == 64);

  CHECK(resolve(config, machine(0)).threads == 1);
}

TEST_CASE("a scan's frame is half of a core's cache, within bounds, and all of them an eighth of the pool") {
  Config config;
  const auto frame = [&config](std::uint64_t core_cache) {
    return resolve(config, {2, 20'000, 0, core_cache}).scan_frame_bytes;
  };
  CHECK(frame(0) == 256 * kib);  // not known
  CHECK(frame(256 * kib) == 256 * kib);
  CHECK(frame(768 * kib) == 384 * kib);
  CHECK(frame(1 * mib) == 512 * kib);
  CHECK(frame(16 * mib) == 512 * kib);
  config.max_scans = 32;
  CHECK(frame(1 * mib) == 256 * kib);
  config.pool_size = 1 * mib;
  CHECK(frame(1 * mib) == 8 * kib);
}

TEST_CASE("numbers that are given are kept") {
  Config config;
  config.threads = 3;
  config.disk_threads = 5;
  config.max_loads = 7;
  config.max_connections = 11;
  config.max_connections_per_client = 6;
  const ResolvedConfig resolved = resolve(config, machine(64));
  CHECK(resolved.threads == 3);
  CHECK(resolved.disk_threads == 5);
  CHECK(resolved.max_loads == 7);
  CHECK(resolved.max_connections == 11);
  CHECK(resolved.max_connections_per_client == 6);
  config.max_connections_per_client = 100;
  CHECK(resolve(config, machine(64)).max_connections_per_client == 11);
}

TEST_CASE("a client from another machine gets a quarter, and never too few for a browser") {
  Config config;
  config.listen = {{Kind::tcp4, "0.0.0.0", 80, ""}};
  CHECK(resolve(config, machine(2)).max_connections_per_client == 2'500);
  CHECK(resolve(config, machine(2, 200)).max_connections_per_client == 64);
  CHECK(resolve(config, machine(2, 100)).max_connections_per_client == 50);
}

TEST_CASE("as many connections as the control group's memory has room for, unless told otherwise") {
  Config config;
  Machine limited = machine(2);
  const std::size_t unlimited = resolve(config, limited).max_connections;
  limited.memory_limit = std::uint64_t{256} << 20;
  const std::uint64_t room = (256 - 64 - 16) << 20;
  CHECK(resolve(config, limited).max_connections == room / connection_memory);
  CHECK(resolve(config, limited).max_connections < unlimited);
  config.listen.front().tls = true;
  CHECK(resolve(config, limited).max_connections == room / tls_connection_memory);
  limited.memory_limit = std::uint64_t{80} << 20;  // the pool and what is beside it, and no more
  CHECK(resolve(config, limited).max_connections == 64);
  config.max_connections = 5000;
  CHECK(resolve(config, limited).max_connections == 5000);
  limited.memory_limit = std::uint64_t{1} << 40;
  config.max_connections = 0;
  CHECK(resolve(config, limited).max_connections == unlimited);
}

TEST_CASE("a small machine and a small pool still give something to run with") {
  Config config;
  const ResolvedConfig few = resolve(config, machine(1, 1));
  CHECK(few.max_connections == 1);
  CHECK(few.open_files == 1);
  CHECK(resolve(config, machine(1, 64)).max_connections == 32);
  CHECK(resolve(config, machine(1, 64)).open_files == 16);
  config.pool_size = 48 * mib;
  config.page_size = 4 * mib;
  const ResolvedConfig coarse = resolve(config, machine(16));
  CHECK(coarse.frames == 12);
  CHECK(coarse.max_loads == 1);
  CHECK(coarse.threads == 1);
  config.pool_size = 0;
  config.page_size = 0;
  CHECK(resolve(config, machine(4)).threads == 1);
  CHECK(resolve(config, machine(4)).max_loads == 1);
}

}  // namespace
}  // namespace ranged::server
