#pragma once
// What the daemon counts. Each worker has counters of its own, written by it alone and read by whoever renders
// /metrics.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace ranged::server {

/// A counter with one writer: the increment is a plain load and store, relaxed, because a reader needs a recent value
/// of this one number and no order between numbers.
class Counter {
 public:
  void add(std::uint64_t amount = 1) noexcept {
    value_.store(value_.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t value() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

/// What a request was about: a bounded label, never the path.
enum class Route : std::uint8_t {
  viewer,
  asset,
  files,
  listing,
  bytes,
  info,
  search,
  map,
  extents,
  digest,
  strings,
  watch,
  health,
  ready,
  metrics,
  openapi,
  none
};
inline constexpr std::array<std::string_view, 17> route_names{
    "viewer", "asset",   "files", "listing", "bytes", "info",    "search",  "map", "extents",
    "digest", "strings", "watch", "health",  "ready", "metrics", "openapi", "none"};

/// The method label; all that the daemon does not serve is one.
enum class MethodLabel : std::uint8_t { get, head, options, other };
inline constexpr std::array<std::string_view, 4> method_names{"GET", "HEAD", "OPTIONS", "_OTHER"};

/// The status codes that the daemon sends, as labels; anything else (there is none) counts under the last.
inline constexpr std::array<std::uint16_t, 25> status_codes{200, 204, 206, 304, 308, 400, 401, 403, 404,
                                                            405, 408, 412, 413, 414, 416, 417, 421, 426,
                                                            429, 431, 500, 501, 503, 505, 0};

/// How a byte of a response went: copied from a page of the pool, from a transit frame, handed over by sendfile, or
/// made in memory.
enum class BytePath : std::uint8_t { pool, transit, sendfile, memory };
inline constexpr std::array<std::string_view, 4> byte_path_names{"pool", "transit", "sendfile", "memory"};

/// What reading bytes through said of whether they may be handed over (README.md, rule 4).
enum class HandOverCheck : std::uint8_t { in_memory, not_in_memory };
inline constexpr std::array<std::string_view, 2> hand_over_check_names{"in_memory", "not_in_memory"};

/// Upper bounds of the duration histogram, seconds: those of the OpenTelemetry HTTP conventions.
inline constexpr std::array<double, 14> duration_bounds{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25,
                                                        0.5,   0.75, 1,     2.5,  5,     7.5, 10};

struct WorkerMetrics {
  std::array<std::array<std::array<Counter, status_codes.size()>, route_names.size()>, method_names.size()> requests;
  std::array<Counter, byte_path_names.size()> response_bytes;
  std::array<Counter, hand_over_check_names.size()> hand_over_checks;
  Counter hand_over_check_bytes;   ///< copied for those, and for nothing else
  Counter hand_overs_unsupported;  ///< not made, because nobody can tell what of the file is in the page cache
  std::array<Counter, duration_bounds.size() + 1> durations;
  Counter duration_microseconds;
  Counter connections_accepted;
  Counter connections_closed;
  Counter requests_cut;   ///< responses ended before their promised length
  Counter stale_cuts;     ///< of those: because the file changed
  Counter client_aborts;  ///< of those: because the client went away
  Counter header_timeouts;
  Counter connections_shed;  ///< idle ones, for the sake of others
  Counter idle_timeouts;
  Counter send_timeouts;
  Counter malformed_requests;

  void count_request(MethodLabel method, Route route, unsigned status, std::uint64_t microseconds) noexcept;
};

/// Counters of what is not a worker's: written by several threads, all relaxed for the same reason.
struct SharedMetrics {
  std::atomic<std::uint64_t> connection_limit{0};  ///< connections at most; written by the acceptor
  std::atomic<std::uint64_t> connections_refused{0};
  std::atomic<std::uint64_t> accept_errors{0};
  std::atomic<std::uint64_t> accept_pauses{0};
  std::atomic<std::uint64_t> file_opens{0};
  std::atomic<std::uint64_t> file_open_errors{0};
  std::atomic<std::uint64_t> racily_clean_opens{0};
  std::atomic<std::uint64_t> scan_bytes{0};       ///< read by scans
  std::atomic<std::uint64_t> scans_refused{0};    ///< because as many as may were running
  std::atomic<std::uint64_t> scans_stale{0};      ///< ended because the file changed
  std::atomic<std::uint64_t> scans_abandoned{0};  ///< ended because the client went away
  std::atomic<std::uint64_t> watchers{0};         ///< clients that watch a file now
  std::atomic<std::uint64_t> reloads{0};
  std::atomic<std::uint64_t> reload_failures{0};
  std::atomic<std::uint64_t> sandbox_abi{0};  ///< Landlock's; 0: not sandboxed
};

}  // namespace ranged::server
