#include "server/runtime.hpp"

#include "server/acceptor.hpp"
#include "server/access_log.hpp"
#include "server/listener.hpp"
#include "server/logging.hpp"
#include "server/notify.hpp"
#include "server/process_figures.hpp"
#include "server/sandbox.hpp"
#include "server/site.hpp"
#include "server/site_files.hpp"
#include "server/worker.hpp"

#include <ranged/paging/buffer_pool.hpp>
#include <ranged/storage/disk_threads.hpp>

#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fmt/format.h>

#include <sys/random.h>
#include <sys/resource.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace ranged::server {

namespace {

/// How often a drain looks whether the last connection is gone.
constexpr std::chrono::milliseconds drain_interval{20};

/// The hard limit is what the configuration was checked against (Machine::descriptors).
void raise_descriptor_limit() noexcept {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

RequestIdKeys random_request_id_keys() noexcept {
  RequestIdKeys keys;
  // 16 bytes never come short nor are they interrupted (getrandom(2)), but for a moment after boot.
  while (::getrandom(&keys, sizeof keys, 0) != static_cast<ssize_t>(sizeof keys)) {
  }
  return keys;
}

std::string why(const boost::system::error_code& error) {
  return error.message();
}

std::string listen_problem(const ListenAddress& address, const boost::system::error_code& error) {
  if (error == boost::system::errc::address_in_use) {
    return fmt::format(
        "cannot listen on {}: another process does already; stop it, or choose another address with --listen",
        address.to_string());
  }
  if (error == boost::system::errc::permission_denied) {
    return fmt::format("cannot listen on {}: not permitted; ports below 1024 need the capability CAP_NET_BIND_SERVICE",
                       address.to_string());
  }
  return fmt::format("cannot listen on {}: {}", address.to_string(), why(error));
}

std::optional<std::vector<Listener>> open_listeners(const Config& config, StartFailure& failure) {
  std::vector<Listener> listeners;
  std::string& problem = failure.message;
  const std::vector<InheritedSocket> inherited = inherited_sockets();
  const std::optional<std::vector<bool>> speak_tls = inherited_tls(inherited, config.listen);
  if (!speak_tls) {
    failure = {
        "listen has tls: addresses and others, and systemd passed sockets in their place, none of which is "
        "named tls; FileDescriptorName=tls in the socket unit of those that are to speak TLS would do",
        exit_code::config};
    return std::nullopt;
  }
  for (std::size_t i = 0; i < inherited.size(); ++i) {
    auto listener = Listener::adopt(inherited[i].descriptor, (*speak_tls)[i]);
    if (!listener) {
      problem = fmt::format(
          "cannot use the socket that systemd passed as descriptor {}: {}; it must be a listening stream socket",
          inherited[i].descriptor, why(listener.error()));
      return std::nullopt;
    }
    if ((*speak_tls)[i] && config.tls_certificate.empty()) {
      failure = {
          "systemd passed a socket that is named tls, and tls_certificate is empty; the file of a certificate "
          "would do, or another FileDescriptorName=",
          exit_code::config};
      return std::nullopt;
    }
    listeners.push_back(std::move(*listener));
  }
  if (!listeners.empty()) return listeners;
  for (const ListenAddress& address : config.listen) {
    auto listener = Listener::bind(address);
    if (!listener) {
      problem = listen_problem(address, listener.error());
      return std::nullopt;
    }
    listeners.push_back(std::move(*listener));
  }
  return listeners;
}

/// How many connections a configuration allows, given where the daemon listens in fact.
AcceptorLimits limits_of(const Site& site) noexcept {
  const Config& config = *site.config;
  return {config.resolved.max_connections,
          connections_per_client(config, config.resolved.max_connections, site.loopback_only),
          retry_after_seconds(config)};
}

/// Enters the sandbox and returns what is wrong with it, or empty.
std::string enter_sandbox(Sandbox& sandbox, const Config& config, const std::string& config_file,
                          const std::vector<Listener>& listeners) {
  std::vector<std::filesystem::path> socket_files;
  for (const Listener& listener : listeners) {
    if (!listener.socket_file().empty()) socket_files.emplace_back(listener.socket_file());
  }
  return sandbox.enter(find_sandbox_needs(config, config_file, socket_files));
}

void report_sandbox(const Sandbox& sandbox, const std::string& problem) {
  if (sandbox.abi() == 0) {
    log(LogLevel::warning, "not sandboxed", {{"reason", problem}});
  } else if (!problem.empty()) {
    log(LogLevel::warning, "sandboxed, but it does not hold", {{"abi", sandbox.abi()}, {"reason", problem}});
  } else {
    log(LogLevel::info, "sandboxed by Landlock", {{"abi", sandbox.abi()}});
  }
}

/// Whether a listener lets what it sends be read on the way.
bool is_exposed(const ListenAddress& address) noexcept {
  return !address.tls && !address.is_loopback();
}

/// An exception that leaves a handler ends the process where it is thrown (main.cpp), not after a drain by halves.
void run_control(asio::io_context& context) noexcept {
  context.run();
}

/// How long the end waits for what a disk does not answer.
constexpr std::chrono::seconds end_patience{2};

/// Looks until `condition` holds, for at most end_patience. For the very end, when there is nothing else to do.
template <class Condition>
bool wait_for(Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + end_patience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

bool is_idle(const DiskThreads& threads) noexcept {
  const DiskThreadsStatistics now = threads.statistics();
  return now.running == 0 && now.queued == 0;
}

bool all_loopback(const std::vector<Listener>& listeners) noexcept {
  return std::all_of(listeners.begin(), listeners.end(),
                     [](const Listener& listener) { return listener.address().is_loopback(); });
}

}  // namespace

struct Runtime::State {
  // In the order of dependence: what comes later uses what comes before, and is destroyed first.
  Reload reload;
  Sandbox sandbox;
  std::string sandbox_problem;
  SharedMetrics metrics;
  ProcessMonitor process;
  std::atomic<bool> draining{false};
  std::unique_ptr<DiskThreads> disk;
  std::unique_ptr<DiskThreads> scan_threads;
  std::unique_ptr<ScanFrames> scan_frames;
  Scarcity scans;
  std::unique_ptr<Authenticator> authenticator;
  std::unique_ptr<BufferPool> pool;
  std::unique_ptr<AccessLog> access_log;
  std::shared_ptr<const Site> site;
  Services services;
  std::vector<std::unique_ptr<Worker>> workers;
  asio::io_context context{1};
  std::unique_ptr<Acceptor> acceptor;
  asio::signal_set signals{context};
  asio::steady_timer drain_timer{context};
  std::vector<std::string> addresses;
  bool exposed = false;  ///< a listener beyond loopback is not encrypted
  std::chrono::steady_clock::time_point drain_deadline;
  bool stopped = false;
  std::unique_ptr<BackgroundLogging> background_logging;  ///< while it runs

  std::shared_ptr<const Site> make_site(std::shared_ptr<const Config> config, SiteFiles files, bool loopback_only) {
    auto made = std::make_shared<Site>();
    OpenFilesOptions options;
    options.stale_after = config->stale_after;
    options.capacity = config->resolved.open_files;
    made->files = std::make_shared<OpenFiles>(std::move(files.roots), options, *disk, metrics);
    made->config = std::move(config);
    made->access = std::move(files.access);
    made->tls = std::move(files.tls);
    made->loopback_only = loopback_only;
    return made;
  }

  void wait_for_signal() {
    signals.async_wait([this](const boost::system::error_code& error, int number) {
      if (error) return;
      if (number == SIGHUP) {
        reload_now();
      } else if (number == SIGUSR1) {
        if (access_log) access_log->reopen();
        log(LogLevel::info, "logs opened again");
      } else if (!draining.load(std::memory_order_relaxed)) {
        begin_drain(number);
      } else {
        log(LogLevel::warning, "told to stop again: stopping at once");
        stop();
      }
      if (!stopped) wait_for_signal();
    });
  }

  void warn_of_exposure() const {
    if (site->access != nullptr && exposed) {
      log(LogLevel::warning, "credentials cross the network unencrypted: whoever can listen there can use them");
    } else if (site->access == nullptr && !site->loopback_only) {
      log(LogLevel::warning,
          "reachable from other machines without access control: whoever can connect can read what is served");
    }
  }

  void reload_now() {
    notify_service_manager(fmt::format(
        "RELOADING=1\nMONOTONIC_USEC={}",
        std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now().time_since_epoch())
            .count()));
    // Rotation must work even when the new configuration is no good.
    if (access_log) access_log->reopen();
    ReloadOutcome outcome = reload();
    std::string problem = outcome.error;
    if (outcome.config) {
      const std::shared_ptr<const Config> running = site->config;
      auto merged = std::make_shared<const Config>(merge_reloadable(*running, *outcome.config));
      if (const std::string refused = find_refused(sandbox, *merged); !refused.empty()) {
        problem = refused + ": the sandbox was entered without it; a restart would do";
      }
      SiteFiles files = open_site_files(*merged, site->access.get());
      if (problem.empty()) problem = files.problem;
      // The listeners stay what they are, also when the new configuration has none that is encrypted.
      if (merged->tls_certificate.empty()) files.tls = site->tls;
      if (problem.empty()) {
        for (const std::string_view key : keys_needing_restart(*running, *outcome.config)) {
          log(LogLevel::warning, "a changed setting takes effect only after a restart", {{"key", key}});
        }
        configure_logging(merged->log_level, merged->log_format);
        for (const std::string& warning : files.warnings) log(LogLevel::warning, warning);
        const bool had_access_control = site->access != nullptr;
        site = make_site(merged, std::move(files), site->loopback_only);
        for (const auto& worker : workers) worker->use(site);
        acceptor->use(limits_of(*site));
        metrics.reloads.fetch_add(1, std::memory_order_relaxed);
        // Said once for each of the two: a reload that leaves it as it was says nothing new.
        if (had_access_control != (site->access != nullptr)) warn_of_exposure();
        log(LogLevel::info, "configuration reloaded");
        notify_service_manager("READY=1");
        return;
      }
    }
    metrics.reload_failures.fetch_add(1, std::memory_order_relaxed);
    log(LogLevel::error, "configuration not reloaded, the running one stays", {{"reason", problem}});
    notify_service_manager("READY=1");
  }

  void begin_drain(int number) {
    const std::size_t in_flight = acceptor->connections();
    notify_service_manager("STOPPING=1");
    draining.store(true, std::memory_order_relaxed);
    acceptor->stop();
    for (const auto& worker : workers) worker->drain();
    // When it is so: who reads this finds nobody listening, and /readyz at 503.
    log(LogLevel::info, "stopping: finishing what is in flight",
        {{"signal", number == SIGTERM ? "SIGTERM" : "SIGINT"}, {"connections", in_flight}});
    drain_deadline = std::chrono::steady_clock::now() + site->config->drain_timeout;
    watch_drain();
  }

  void watch_drain() {
    if (acceptor->connections() == 0) {
      stop();
      return;
    }
    if (std::chrono::steady_clock::now() >= drain_deadline) {
      log(LogLevel::warning, "connections cut at the end of drain_timeout", {{"connections", acceptor->connections()}});
      stop();
      return;
    }
    drain_timer.expires_after(drain_interval);
    drain_timer.async_wait([this](const boost::system::error_code& error) {
      if (!error) watch_drain();
    });
  }

  /// A disk does not answer, and threads cannot be taken away from it: the process ends with them.
  [[noreturn]] void leave_at_once() {
    log(LogLevel::warning, "stopped without waiting for a disk that does not answer");
    constexpr std::chrono::seconds log_patience{1};
    if (access_log) access_log->flush(log_patience);
    background_logging.reset();
    std::_Exit(exit_code::success);
  }

  void stop() {
    stopped = true;
    drain_timer.cancel();
    signals.cancel();
    acceptor->stop();
    for (const auto& worker : workers) worker->stop();
  }
};

Runtime::Runtime(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}

Runtime::~Runtime() {
  for (const auto& worker : state_->workers) worker->stop();
  for (const auto& worker : state_->workers) worker->join();
}

std::unique_ptr<Runtime> Runtime::create(std::shared_ptr<const Config> config, const std::string& config_file,
                                         Reload reload, StartFailure& failure) try {
  raise_descriptor_limit();
  auto state = std::make_unique<State>();
  state->reload = std::move(reload);
  const ResolvedConfig& resolved = config->resolved;

  SiteFiles files = open_site_files(*config);
  if (!files.problem.empty()) {
    // A disk may be there when the daemon is started again; a file that is no good does not become better by that.
    failure = {std::move(files.problem), files.root_is_missing ? exit_code::failure : exit_code::config};
    return nullptr;
  }
  for (const std::string& warning : files.warnings) log(LogLevel::warning, warning);
  auto listeners = open_listeners(*config, failure);
  if (!listeners) return nullptr;

  // From here on threads are started, each of which is confined as the one that starts it.
  if (config->sandbox != SandboxMode::off) {
    state->sandbox_problem = enter_sandbox(state->sandbox, *config, config_file, *listeners);
    if (!state->sandbox_problem.empty() && config->sandbox == SandboxMode::on) {
      failure.message = fmt::format("cannot enter the sandbox: {}; --sandbox auto would do", state->sandbox_problem);
      return nullptr;
    }
  }
  state->metrics.sandbox_abi.store(static_cast<std::uint64_t>(state->sandbox.abi()), std::memory_order_relaxed);
  state->disk = std::make_unique<DiskThreads>(resolved.disk_threads, config->disk_queue);
  state->authenticator = std::make_unique<Authenticator>(*state->disk);
  BufferPoolOptions pool_options;
  // The frames of scans are part of pool_size; of a pool too small for that they are a few KiB beside it.
  const std::size_t for_scans = config->max_scans * resolved.scan_frame_bytes;
  pool_options.pool_bytes = config->pool_size - (for_scans <= config->pool_size / 8 ? for_scans : 0);
  pool_options.page_bytes = config->page_size;
  pool_options.max_loads = resolved.max_loads;
  pool_options.max_waiters = config->max_waiters;
  pool_options.huge_pages = config->huge_pages;
  auto pool = BufferPool::create(pool_options, *state->disk);
  if (!pool) {
    failure.message = fmt::format("cannot allocate the pool of {} bytes: {}; a smaller --pool-size would do",
                                  config->pool_size, why(pool.error()));
    return nullptr;
  }
  state->pool = std::move(*pool);
  auto scan_frames = ScanFrames::create(config->max_scans, resolved.scan_frame_bytes);
  if (!scan_frames) {
    failure.message = fmt::format("cannot allocate {} frames for scans: {}; a smaller --max-scans would do",
                                  config->max_scans, why(scan_frames.error()));
    return nullptr;
  }
  state->scan_frames = std::move(*scan_frames);
  // Each scan has one step queued or running at most.
  state->scan_threads = std::make_unique<DiskThreads>(resolved.scan_threads, ScanFrames::max_count);

  if (config->access_log != "off") {
    auto access_log = AccessLog::open(config->access_log, config->access_log_format);
    if (!access_log) {
      failure.message =
          fmt::format("cannot write the access log {}: {}; name a file in a directory that this user may write",
                      config->access_log, why(access_log.error()));
      return nullptr;
    }
    state->access_log = std::move(*access_log);
  }

  const bool loopback_only = all_loopback(*listeners);
  state->site = state->make_site(std::move(config), std::move(files), loopback_only);
  state->services.pool = state->pool.get();
  state->services.disk = state->disk.get();
  state->services.scan_threads = state->scan_threads.get();
  state->services.scan_frames = state->scan_frames.get();
  state->services.scans = &state->scans;
  state->services.authenticator = state->authenticator.get();
  state->services.access_log = state->access_log.get();
  state->services.shared_metrics = &state->metrics;
  state->services.process = &state->process;
  state->services.workers = &state->workers;
  state->services.draining = &state->draining;
  state->services.started_at_seconds = std::time(nullptr);
  state->services.request_id_keys = random_request_id_keys();
  for (unsigned i = 0; i < resolved.threads; ++i) {
    state->workers.push_back(std::make_unique<Worker>(state->services, state->site));
  }
  for (const Listener& listener : *listeners) {
    state->addresses.push_back(listener.address().to_string());
    state->exposed = state->exposed || is_exposed(listener.address());
  }
  const AcceptorLimits limits = limits_of(*state->site);
  state->acceptor =
      std::make_unique<Acceptor>(state->context, std::move(*listeners), state->workers, limits, state->metrics);
  state->signals.add(SIGTERM);
  state->signals.add(SIGINT);
  state->signals.add(SIGHUP);
  state->signals.add(SIGUSR1);
  return std::unique_ptr<Runtime>(new Runtime(std::move(state)));
} catch (const std::exception& error) {
  failure.message = fmt::format("cannot start: {}", error.what());
  return nullptr;
}

int Runtime::run() {
  State& state = *state_;
  const Config& config = *state.site->config;
  state.background_logging = std::make_unique<BackgroundLogging>();
  for (unsigned i = 0; i < state.workers.size(); ++i) state.workers[i]->start(i + 1);
  state.acceptor->start();
  state.wait_for_signal();
  for (const std::string& address : state.addresses) log(LogLevel::info, "listening", {{"address", address}});
  if (config.sandbox != SandboxMode::off) report_sandbox(state.sandbox, state.sandbox_problem);
  state.warn_of_exposure();
  log(LogLevel::info, "ready",
      {{"roots", config.roots.size()},
       {"pool_bytes", state.pool->statistics().frames * config.page_size},
       {"page_bytes", config.page_size},
       {"threads", state.workers.size()},
       {"disk_threads", config.resolved.disk_threads},
       {"max_connections", config.resolved.max_connections}});
  notify_service_manager("READY=1");
  run_control(state.context);
  if (!wait_for([&state] { return state.acceptor->connections() == 0; })) state.leave_at_once();
  for (const auto& worker : state.workers) worker->join();
  if (!wait_for([&state] { return is_idle(*state.disk) && is_idle(*state.scan_threads); })) state.leave_at_once();
  log(LogLevel::info, "stopped");
  state.background_logging.reset();
  return exit_code::success;
}

}  // namespace ranged::server
