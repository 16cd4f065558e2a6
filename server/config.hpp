#pragma once
// The daemon's configuration as plain data. Built once by parse_command_line() (options.hpp), then immutable and
// shared.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ranged::server {

/// A directory or file to serve. The only root may have no name; several all have one ("/files/NAME/...").
struct RootConfig {
  std::string name;  ///< empty, or valid UTF-8 without '/', '=' and control bytes, not beginning with a dot
  std::string path;  ///< as written; relative to the working directory
  bool operator==(const RootConfig&) const = default;
};

/// Where to listen. Numeric addresses only: nothing is looked up.
struct ListenAddress {
  enum class Kind : std::uint8_t { tcp4, tcp6, unix_socket };
  Kind kind = Kind::tcp4;
  std::string host = "127.0.0.1";  ///< numeric, without brackets; empty for a Unix socket
  std::uint16_t port = 8080;       ///< 0: any free one
  std::string path;                ///< of a Unix socket, at most 107 bytes
  bool tls = false;                ///< encrypted, with the configured certificate
  bool operator==(const ListenAddress&) const = default;

  /// True for 127.0.0.0/8, ::1, ::ffff:127.0.0.0/104 and Unix sockets: nobody else's machine can connect.
  [[nodiscard]] bool is_loopback() const noexcept;
  /// As it is written: "127.0.0.1:8080", "[::1]:8080", "unix:/path", "tls:127.0.0.1:8443".
  [[nodiscard]] std::string to_string() const;
};

enum class LogLevel : std::uint8_t { trace, debug, info, warning, error, off };
enum class LogFormat : std::uint8_t { text, json };
enum class AccessLogFormat : std::uint8_t { json, combined };
enum class SandboxMode : std::uint8_t { automatic, on, off };

/// The names of the enumerators above, in their order, as configuration and logs spell them.
[[nodiscard]] std::string_view to_string(LogLevel level) noexcept;
[[nodiscard]] std::string_view to_string(LogFormat format) noexcept;
[[nodiscard]] std::string_view to_string(AccessLogFormat format) noexcept;
[[nodiscard]] std::string_view to_string(SandboxMode mode) noexcept;

/// What the machine allows, as far as a configuration must fit it.
struct Machine {
  unsigned cores = 1;              ///< that this process may run on
  std::size_t descriptors = 1024;  ///< file descriptors that this process may have (the hard limit)
  std::uint64_t memory_limit = 0;  ///< bytes, of the control group; 0: none known
  std::uint64_t core_cache = 0;    ///< bytes of a core's second-level cache; 0: not known
};

/// The machine as it is. Never fails: what cannot be found out stays at its default. Reads /proc and /sys; for
/// start-up.
[[nodiscard]] Machine this_machine();

/// What the settings come to on this machine, where they leave the choice (0) to the daemon.
struct ResolvedConfig {
  unsigned threads = 1;                        ///< event loops
  unsigned disk_threads = 1;                   ///< threads that may wait for a disk
  std::size_t frames = 0;                      ///< pool_size / page_size
  std::size_t scan_frame_bytes = 0;            ///< of each scan's own frame
  unsigned scan_threads = 1;                   ///< threads that scan
  std::size_t max_loads = 0;                   ///< page loads in flight at most
  std::size_t max_connections = 0;             ///< all listeners together
  std::size_t max_connections_per_client = 0;  ///< from one address
  std::size_t open_files = 0;                  ///< a quarter of the descriptors at most
  bool operator==(const ResolvedConfig&) const = default;
};

/// Every member but `resolved` is one setting of the same name: a key of the file, a flag (--pool-size), an environment
/// variable (RANGED_POOL_SIZE). The table of them, with their bounds, is in config_settings.hpp; the defaults are here
/// and nowhere else.
struct Config {
  // What is served
  std::vector<RootConfig> roots{{"", "."}};
  bool hidden = false;                           ///< serve names that begin with a dot
  std::chrono::milliseconds stale_after{1'000};  ///< a served file is at most this old (0: looked at for every request)
  std::size_t open_files = 1'024;                ///< files kept open beyond those in use

  // Where, and to whom
  std::vector<ListenAddress> listen{ListenAddress{}};
  std::vector<std::string>
      allowed_hosts;  ///< names accepted in Host beside loopback ones when listening on loopback only; lower case
  std::vector<std::string> cors_origins;   ///< origins whose pages may read what is served; "*" is all
  bool sendfile = true;                    ///< large stretches of files left alone for a minute go by sendfile
  std::string cache_control = "no-cache";  ///< the Cache-Control field of file responses; empty: none
  std::string auth_basic_file;             ///< names and password hashes (htpasswd); empty: none
  std::string auth_token_file;             ///< bearer tokens; empty: none
  std::vector<std::string> auth_roots;     ///< names of the roots that need credentials; empty: all
  bool auth_open_metrics = false;          ///< /metrics needs none
  std::string tls_certificate;             ///< PEM file of the certificate and its chain; empty: none
  std::string tls_key;                     ///< PEM file of its key; empty: in the certificate's file

  // Memory and threads
  std::uint64_t pool_size = std::uint64_t{64} << 20;  ///< bytes of all frames together
  std::uint64_t page_size = std::uint64_t{64} << 10;  ///< bytes; a power of two
  bool huge_pages = true;                             ///< ask for them where they can be had
  unsigned threads = 0;              ///< event loops; 0: one for each core, as far as the pool holds their windows
  unsigned disk_threads = 0;         ///< 0: 4 for each event loop, 8 to 64
  std::size_t disk_queue = 1'024;    ///< reads that wait for a disk thread at most
  std::size_t max_loads = 0;         ///< page loads in flight at most; 0: a sixteenth of the frames, 32 at most
  std::size_t max_waiters = 16'384;  ///< requests that wait for a page at most
  std::size_t max_scans = 4;         ///< searches, maps, digests and the like at once at most; more are answered 429

  // Limits of requests
  std::uint64_t max_window = std::uint64_t{1} << 20;  ///< bytes of one /bytes answer at most
  std::size_t max_ranges = 256;                       ///< ranges of one request at most
  std::size_t max_connections = 0;                    ///< 0: half of the descriptors
  std::size_t max_connections_per_client = 0;         ///< 0: all of them on loopback, else a quarter, at least 64

  // Deadlines: they count progress, never total time
  std::chrono::milliseconds header_timeout{10'000};     ///< for a request's head, from its first byte
  std::chrono::milliseconds idle_timeout{60'000};       ///< between two requests
  std::chrono::milliseconds send_timeout{60'000};       ///< without a byte being taken
  std::chrono::milliseconds pool_wait_timeout{10'000};  ///< for a page or a frame: then 503, or a cut
  std::chrono::milliseconds retry_after{1'000};         ///< in the Retry-After of a 503, rounded up to seconds
  std::chrono::milliseconds drain_timeout{30'000};      ///< for what is in flight when told to stop

  // Logs
  LogLevel log_level = LogLevel::info;
  LogFormat log_format = LogFormat::text;
  std::string access_log = "off";  ///< "off", "-" (standard output) or a file
  AccessLogFormat access_log_format = AccessLogFormat::json;

  SandboxMode sandbox = SandboxMode::automatic;  ///< Landlock

  /// Filled in by resolve(); what the daemon is to use instead of the settings that may be 0.
  ResolvedConfig resolved;

  bool operator==(const Config&) const = default;

  /// True when reading needs credentials.
  [[nodiscard]] bool has_access_control() const noexcept {
    return !auth_basic_file.empty() || !auth_token_file.empty();
  }
  /// True when every listener is_loopback().
  [[nodiscard]] bool loopback_only() const noexcept;
};

/// Frames that one event loop pins at most at one time: a 256 KiB batch, one page more because it need not begin at a
/// page's start, never more than the 16 pages of a PinnedWindow.
[[nodiscard]] std::size_t window_frames(std::uint64_t page_size) noexcept;

/// What the daemon needs beside the pool at least (law 1: peak RSS <= pool + 16 MiB + connections).
constexpr std::uint64_t memory_beside_pool = std::uint64_t{16} << 20;
/// What a connection may come to at its most, as the allocator has it (measured with thousands: 20 KiB with an
/// unfinished head of 16 KiB; by TLS 68 KiB within a handshake).
constexpr std::uint64_t connection_memory = std::uint64_t{20} << 10;
constexpr std::uint64_t tls_connection_memory = std::uint64_t{72} << 10;

/// How many of `connections` one address may have. `loopback_only`: nobody can connect from elsewhere.
[[nodiscard]] std::size_t connections_per_client(const Config& config, std::size_t connections,
                                                 bool loopback_only) noexcept;

/// What who is refused for now is told to wait (Retry-After): whole seconds, one at least.
[[nodiscard]] std::chrono::seconds retry_after_seconds(const Config& config) noexcept;

/// What `config` comes to on `machine`. Pure. Total: also for configurations that validation refuses.
[[nodiscard]] ResolvedConfig resolve(const Config& config, const Machine& machine) noexcept;

}  // namespace ranged::server
