// Reads options and configuration, starts the runtime, waits for signals.

#include "server/healthcheck.hpp"
#include "server/logging.hpp"
#include "server/options.hpp"
#include "server/runtime.hpp"
#include "server/site_files.hpp"

#include <malloc.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace {

using namespace ranged::server;

void write_line(std::FILE* stream, const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stream);
  std::fflush(stream);
}

int fail(const std::string& message, int code) {
  write_line(stderr, "ranged: " + message + "\n");
  return code;
}

/// The end when an exception leaves a thread or a function that must not fail. In practice it is memory that was
/// lacking where nothing could go on without: then the daemon ends in good order, to be started anew, rather than half
/// alive. Allocates nothing.
[[noreturn]] void end_at_once() noexcept {
  std::string_view line = "ranged: an unexpected error ended the daemon\n";
  bool memory = false;
  if (const std::exception_ptr error = std::current_exception()) {
    try {
      std::rethrow_exception(error);
    } catch (const std::bad_alloc&) {
      memory = true;
      line = "ranged: out of memory; a smaller --pool-size, or a higher limit for the process, would do\n";
    } catch (...) {
      memory = false;
    }
  }
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
  if (memory) ::_exit(exit_code::failure);
  std::abort();
}

int serve(std::span<const char* const> arguments, const Machine& machine, Config config,
          const std::string& config_file) {
  configure_logging(config.log_level, config.log_format);
  // The machine as it was: what tells of it (/sys) is out of reach once the daemon is sandboxed.
  const auto reload = [arguments, machine] {
    return reload_config(arguments, process_environment(), disk_file_reader(), machine);
  };
  StartFailure failure;
  const std::unique_ptr<Runtime> runtime =
      Runtime::create(std::make_shared<const Config>(std::move(config)), config_file, reload, failure);
  if (!runtime) return fail(failure.message, failure.code);
  return runtime->run();
}

}  // namespace

int main(int argc, char** argv) try {
  std::set_terminate(&end_at_once);
  // glibc gives each thread an arena of its own, up to eight for each core (mallopt(3)), and each keeps what its
  // largest user once needed: with a libmagic in every disk thread, megabytes more than law 1 has. A request that is
  // answered from the pool allocates nothing, so that two are enough.
  ::mallopt(M_ARENA_MAX, 2);
  // A write to a client that has gone is an error value, not a signal.
  std::signal(SIGPIPE, SIG_IGN);
  const std::span<const char* const> arguments(argv, static_cast<std::size_t>(argc));
  const Machine machine = this_machine();
  ParseOutcome outcome = parse_command_line(arguments, process_environment(), disk_file_reader(), machine);
  switch (outcome.action) {
    case Action::serve:
      if (outcome.config) return serve(arguments, machine, std::move(*outcome.config), outcome.config_file);
      break;
    case Action::check:
      if (outcome.config) {
        if (const SiteFiles files = open_site_files(*outcome.config); !files.problem.empty()) {
          return fail(files.problem, exit_code::config);
        }
      }
      write_line(stdout, outcome.output);
      return outcome.exit_code;
    case Action::print:
      write_line(stdout, outcome.output);
      return outcome.exit_code;
    case Action::healthcheck: {
      const HealthcheckOutcome health = healthcheck(outcome.healthcheck_url);
      write_line(health.healthy ? stdout : stderr, (health.healthy ? "" : "ranged: ") + health.detail + "\n");
      return health.healthy ? exit_code::success : exit_code::failure;
    }
    case Action::fail:
      break;
  }
  return fail(outcome.error, outcome.exit_code);
} catch (const std::bad_alloc&) {
  end_at_once();
} catch (const std::exception& error) {
  std::fprintf(stderr, "ranged: cannot start: %s\n", error.what());
  return ranged::server::exit_code::failure;
}
