#pragma once
// The daemon as a whole: builds the pool, the threads and the listeners from a configuration, runs until told to stop.

#include "server/config.hpp"
#include "server/options.hpp"

#include <functional>
#include <memory>
#include <string>

namespace ranged::server {

/// Why the daemon could not start; one line for standard error.
struct StartFailure {
  std::string message;
  int code = exit_code::failure;
};

class Runtime {
 public:
  /// Reads the configuration again, for SIGHUP.
  using Reload = std::function<ReloadOutcome()>;

  /// Opens what is served, binds the listeners, enters the sandbox, allocates the pool, starts the disk threads.
  /// `config_file`: what `reload` reads; empty when it reads none. To be called before the process has another thread,
  /// so that all of them are sandboxed. Throws nothing; on failure returns null and says in `failure` what was wrong
  /// and what would do.
  static std::unique_ptr<Runtime> create(std::shared_ptr<const Config> config, const std::string& config_file,
                                         Reload reload, StartFailure& failure);
  ~Runtime();
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  /// Serves until SIGTERM or SIGINT, then drains: finishes what is in flight within drain_timeout; a second signal ends
  /// it at once. SIGHUP reloads, SIGUSR1 only opens the access log again. Returns the exit code. Blocks the calling
  /// thread, which accepts connections and handles signals.
  int run();

 private:
  struct State;
  explicit Runtime(std::unique_ptr<State> state) noexcept;
  std::unique_ptr<State> state_;
};

}  // namespace ranged::server
