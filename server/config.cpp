#include "server/config.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace ranged::server {
namespace {

/// What a worker gathers for one send (SendContext::batch_bytes).
constexpr std::uint64_t batch_bytes = std::uint64_t{256} << 10;
/// PinnedWindow::max_pages.
constexpr std::size_t most_window_pages = 16;
/// More loads in flight than a disk array has queues gain nothing and cost frames.
constexpr std::size_t most_automatic_loads = 32;
/// Disk threads sleep in reads: a few for each event loop hide the latency of a disk, 64 fill the queue of an SSD.
constexpr unsigned disk_threads_per_loop = 4;
constexpr unsigned least_disk_threads = 8;
constexpr unsigned most_disk_threads = 64;
/// Bytes of the frame that a scan reads into: half of a core's second-level cache, so that bytes are looked at where
/// they were copied to, within these bounds; and the least, half of it for reading and half for what is shown around a
/// match.
constexpr std::uint64_t usual_scan_frame = std::uint64_t{256} << 10;
constexpr std::uint64_t most_scan_frame = std::uint64_t{512} << 10;
constexpr std::uint64_t least_scan_frame = std::uint64_t{8} << 10;
/// So that a browser or a parallel downloader is never cut short, however few connections there are.
constexpr std::size_t least_connections_per_client = 64;

}  // namespace

bool ListenAddress::is_loopback() const noexcept {
  switch (kind) {
    case Kind::unix_socket:
      return true;
    case Kind::tcp4: {
      in_addr address{};
      return ::inet_pton(AF_INET, host.c_str(), &address) == 1 && (ntohl(address.s_addr) >> 24) == 127;
    }
    case Kind::tcp6: {
      in6_addr address{};
      if (::inet_pton(AF_INET6, host.c_str(), &address) != 1) return false;
      if (IN6_IS_ADDR_LOOPBACK(&address)) return true;
      return IN6_IS_ADDR_V4MAPPED(&address) && address.s6_addr[12] == 127;
    }
  }
  return false;
}

std::string ListenAddress::to_string() const {
  const std::string prefix = tls ? "tls:" : "";
  switch (kind) {
    case Kind::unix_socket:
      return prefix + "unix:" + path;
    case Kind::tcp4:
      return prefix + host + ':' + std::to_string(port);
    case Kind::tcp6:
      return prefix + '[' + host + "]:" + std::to_string(port);
  }
  return {};
}

bool Config::loopback_only() const noexcept {
  return std::all_of(listen.begin(), listen.end(), [](const ListenAddress& address) { return address.is_loopback(); });
}

std::string_view to_string(LogLevel level) noexcept {
  static constexpr std::array<std::string_view, 6> names{"trace", "debug", "info", "warning", "error", "off"};
  return names[static_cast<std::size_t>(level)];
}

std::string_view to_string(LogFormat format) noexcept {
  return format == LogFormat::text ? "text" : "json";
}

std::string_view to_string(AccessLogFormat format) noexcept {
  return format == AccessLogFormat::json ? "json" : "combined";
}

std::string_view to_string(SandboxMode mode) noexcept {
  static constexpr std::array<std::string_view, 3> names{"auto", "on", "off"};
  return names[static_cast<std::size_t>(mode)];
}

std::size_t window_frames(std::uint64_t page_size) noexcept {
  const std::uint64_t pages = (batch_bytes + page_size - 1) / std::max<std::uint64_t>(page_size, 1) + 1;
  return static_cast<std::size_t>(std::min<std::uint64_t>(pages, most_window_pages));
}

std::chrono::seconds retry_after_seconds(const Config& config) noexcept {
  return std::max(std::chrono::ceil<std::chrono::seconds>(config.retry_after), std::chrono::seconds(1));
}

std::size_t connections_per_client(const Config& config, std::size_t connections, bool loopback_only) noexcept {
  if (config.max_connections_per_client != 0) return std::min(config.max_connections_per_client, connections);
  if (loopback_only) return connections;
  return std::min(std::max(connections / 4, least_connections_per_client), connections);
}

namespace {

/// Half of the descriptors, or what fits into the control group's memory beside the pool.
std::size_t automatic_connections(const Config& config, const Machine& machine) noexcept {
  const std::size_t for_descriptors = std::max<std::size_t>(machine.descriptors / 2, 1);
  if (machine.memory_limit == 0) return for_descriptors;
  const std::uint64_t beside = config.pool_size + memory_beside_pool;
  const std::uint64_t room = machine.memory_limit - std::min(machine.memory_limit, beside);
  const bool tls = std::ranges::any_of(config.listen, &ListenAddress::tls);
  const std::uint64_t for_memory = room / (tls ? tls_connection_memory : connection_memory);
  return static_cast<std::size_t>(
      std::clamp<std::uint64_t>(for_memory, std::min<std::size_t>(64, for_descriptors), for_descriptors));
}

}  // namespace

ResolvedConfig resolve(const Config& config, const Machine& machine) noexcept {
  ResolvedConfig resolved;
  resolved.frames = static_cast<std::size_t>(config.pool_size / std::max<std::uint64_t>(config.page_size, 1));
  resolved.max_loads =
      config.max_loads != 0 ? config.max_loads : std::clamp<std::size_t>(resolved.frames / 16, 1, most_automatic_loads);
  if (config.threads != 0) {
    resolved.threads = config.threads;
  } else {
    // As many loops as there are cores, but never more than the pool holds windows for (find_impossible_sum's rule).
    const std::size_t quarter = resolved.frames / 4;
    const std::size_t for_windows = quarter > resolved.max_loads ? quarter - resolved.max_loads : 0;
    const std::size_t held = std::max<std::size_t>(for_windows / window_frames(config.page_size), 1);
    resolved.threads = static_cast<unsigned>(std::min<std::size_t>(std::max(machine.cores, 1U), held));
  }
  resolved.disk_threads =
      config.disk_threads != 0
          ? config.disk_threads
          : static_cast<unsigned>(std::clamp<std::size_t>(std::size_t{disk_threads_per_loop} * resolved.threads,
                                                          least_disk_threads, most_disk_threads));
  const std::uint64_t scans = std::max<std::size_t>(config.max_scans, 1);
  const std::uint64_t cached_frame = std::clamp(machine.core_cache / 2, usual_scan_frame, most_scan_frame);
  resolved.scan_frame_bytes = static_cast<std::size_t>(
      std::clamp(config.pool_size / 8 / scans, least_scan_frame, cached_frame) / least_scan_frame * least_scan_frame);
  resolved.scan_threads = static_cast<unsigned>(std::min<std::uint64_t>(scans, std::max(machine.cores, 1U)));
  resolved.max_connections =
      config.max_connections != 0 ? config.max_connections : automatic_connections(config, machine);
  resolved.max_connections_per_client =
      connections_per_client(config, resolved.max_connections, config.loopback_only());
  resolved.open_files =
      std::clamp<std::size_t>(config.open_files, 1, std::max<std::size_t>(machine.descriptors / 4, 1));
  return resolved;
}

}  // namespace ranged::server
