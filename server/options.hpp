#pragma once
// From command line, environment and file to a Config, or to one line that says what is wrong and what would do.

#include "server/config.hpp"

#include <boost/system/result.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ranged::server {

/// The daemon's version: "0.1.0".
[[nodiscard]] std::string_view version() noexcept;

/// The value of an environment variable, or nothing when it is not set. A look-up and no list, because unknown RANGED_
/// variables must not be refused: container platforms set some of their own (RANGED_PORT for a service of that name).
using Environment = std::function<std::optional<std::string>(const std::string& name)>;
/// The contents of a (small) file, or the system's error.
using FileReader = std::function<boost::system::result<std::string>(const std::string& path)>;

/// The real ones. The reader refuses more than a MiB (errc::file_too_large): a configuration is small.
[[nodiscard]] Environment process_environment();
[[nodiscard]] FileReader disk_file_reader();

/// What the command line asks for.
enum class Action : std::uint8_t {
  serve,        ///< run with `config`
  print,        ///< write `output` and end: --help, --version, --print-config, --print-config-schema
  check,        ///< --check-config found nothing wrong: see whether `config`'s files can be used, write `output`, end
  healthcheck,  ///< ask `healthcheck_url` (healthcheck.hpp) and end with its answer
  fail,         ///< write `error` and end
};

/// Exit codes of the daemon.
namespace exit_code {
inline constexpr int success = 0;
inline constexpr int failure = 1;  ///< at run time: a port in use, a root that is not there
inline constexpr int usage = 2;    ///< a command line that is not understood
inline constexpr int config = 78;  ///< a configuration that cannot be used (EX_CONFIG of sysexits.h)
}  // namespace exit_code

struct ParseOutcome {
  Action action = Action::fail;
  std::optional<Config> config;        ///< engaged exactly when action is serve or check
  int exit_code = exit_code::success;  ///< for all actions but serve and healthcheck
  std::string output;                  ///< for standard output, with its line ends
  std::string error;  ///< one line for standard error, without "ranged: " and line end; empty when there is none
  std::string healthcheck_url;
  std::string config_file;  ///< that was read; empty when there is none
};

/// Reads everything: flags > environment > file > defaults. `arguments` are those of main(), the program's name
/// included. The file is that of
/// --config or RANGED_CONFIG; without one, none is read. Reads nothing but through `environment` and `read_file`; opens
/// and binds nothing. A bad value on the command line itself is a usage error (2), one in the environment or the file
/// and an impossible sum a configuration error (78). Never throws for bad input.
[[nodiscard]] ParseOutcome parse_command_line(std::span<const char* const> arguments, const Environment& environment,
                                              const FileReader& read_file, const Machine& machine);

/// The same sources again, for SIGHUP: the new configuration, or the one line that says why there is none.
struct ReloadOutcome {
  std::optional<Config> config;
  std::string error;  ///< empty exactly when config is engaged
};
[[nodiscard]] ReloadOutcome reload_config(std::span<const char* const> arguments, const Environment& environment,
                                          const FileReader& read_file, const Machine& machine);

/// The keys whose values differ and that only a restart can change (listen, pool_size, threads...). Everything else may
/// be swapped under a running daemon.
[[nodiscard]] std::vector<std::string_view> keys_needing_restart(const Config& running, const Config& wanted);

/// `running` with those settings of `wanted` that need no restart: what a reload makes current.
[[nodiscard]] Config merge_reloadable(const Config& running, const Config& wanted);

}  // namespace ranged::server
