#pragma once
// One thread of the daemon: its io_context, its connections, its clock, its counters.

#include "server/body_sender.hpp"
#include "server/client_limits.hpp"
#include "server/connection.hpp"
#include "server/input_buffer.hpp"
#include "server/known_heads.hpp"
#include "server/mailbox.hpp"
#include "server/metrics.hpp"
#include "server/readiness.hpp"
#include "server/request_id.hpp"
#include "server/request_parser.hpp"
#include "server/scarcity.hpp"
#include "server/site.hpp"
#include "server/task.hpp"

#include <ranged/scan/scan_frames.hpp>

#include <boost/asio/steady_timer.hpp>
#include <boost/intrusive/list.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace ranged::server {

class AccessLog;
class ProcessMonitor;
class Worker;

/// What all workers share. Built by the runtime, outlives them.
struct Services {
  BufferPool* pool = nullptr;
  DiskThreads* disk = nullptr;
  DiskThreads* scan_threads = nullptr;  ///< for scans alone: they give way to what the disk threads do
  ScanFrames* scan_frames = nullptr;
  Scarcity* scans = nullptr;        ///< of scan frames
  AccessLog* access_log = nullptr;  ///< null when off
  Authenticator* authenticator = nullptr;
  SharedMetrics* shared_metrics = nullptr;
  ProcessMonitor* process = nullptr;
  const std::vector<std::unique_ptr<Worker>>* workers = nullptr;
  std::atomic<bool>* draining = nullptr;  ///< written by the runtime, read by all: a flag that orders nothing, relaxed
  std::int64_t started_at_seconds = 0;
  RequestIdKeys request_id_keys;
};

/// A connection as the runtime hands it over.
struct Accepted {
  int descriptor = -1;
  bool over_network = true;
  bool tls = false;
  ClientSlot slot;
};

/// A connection's place among those of its worker, from the day it is accepted. Gives it back when destroyed.
class WorkerPlace {
 public:
  WorkerPlace() noexcept = default;
  explicit WorkerPlace(std::atomic<std::size_t>& connections) noexcept : connections_(&connections) {
    connections.fetch_add(1, std::memory_order_acq_rel);
  }
  WorkerPlace(WorkerPlace&& other) noexcept : connections_(std::exchange(other.connections_, nullptr)) {}
  WorkerPlace& operator=(WorkerPlace&&) = delete;
  ~WorkerPlace() {
    if (connections_ != nullptr) connections_->fetch_sub(1, std::memory_order_acq_rel);
  }

 private:
  std::atomic<std::size_t>* connections_ = nullptr;
};

/// A connection in a worker's list.
struct Client : boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
  Client(Accepted accepted, WorkerPlace worker_place, Readiness& readiness, Counter& closed_connections)
      : place(std::move(worker_place)),
        closed(&closed_connections),
        connection(accepted.descriptor, readiness),
        over_network(accepted.over_network),
        slot(std::move(accepted.slot)) {}
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client() { closed->add(); }
  WorkerPlace place;  ///< given back last
  Counter* closed;
  Connection connection;
  RequestParser parser;
  std::uint8_t known_head = 0;  ///< the place in the worker's KnownHeads where its last head would be
  InputBuffer input;
  StreamId stream = 0;                                      ///< names the connection to the pool
  bool idle = true;                                         ///< between two requests: closed at once when draining
  Clock::time_point idle_since = Clock::time_point::max();  ///< of one that waits for a request
  bool shed = false;                                        ///< idle, and ended for the sake of others
  bool over_network =
      true;  ///< came by TCP; a page of another site cannot reach a Unix socket, so that no Host rule is needed there
  ClientSlot slot;  ///< its place among the connections of its address
};

class Worker {
 public:
  Worker(const Services& services, std::shared_ptr<const Site> site);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// Starts the thread.
  void start(unsigned number);
  /// From any thread: takes over an accepted, non-blocking descriptor. Throws std::bad_alloc, and then the descriptor
  /// stays the caller's.
  void adopt(Accepted accepted);
  /// From any thread: answers new requests from `site`.
  void use(std::shared_ptr<const Site> site);
  /// From any thread: closes idle connections, and the others as they finish.
  void drain();
  /// From any thread: interrupts all connections; the thread ends when the last is gone.
  void stop();
  void join();

  /// Connections now; read by the runtime to place new ones and to see the end of a drain.
  [[nodiscard]] std::size_t connections() const noexcept { return connections_.load(std::memory_order_acquire); }
  [[nodiscard]] const WorkerMetrics& metrics() const noexcept { return metrics_; }

  // Below: on the worker's own thread.
  [[nodiscard]] const Services& services() const noexcept { return *services_; }
  [[nodiscard]] const std::shared_ptr<const Site>& site() const noexcept { return site_; }
  [[nodiscard]] Mailbox& mailbox() noexcept { return mailbox_; }
  [[nodiscard]] SendScratch& scratch() noexcept { return *scratch_; }
  [[nodiscard]] KnownHeads& known_heads() noexcept { return *known_heads_; }
  [[nodiscard]] WorkerMetrics& metrics() noexcept { return metrics_; }
  [[nodiscard]] bool draining() const noexcept { return services_->draining->load(std::memory_order_relaxed); }
  /// IMF-fixdate of now, at most one sweep old.
  [[nodiscard]] std::string_view date() const noexcept { return {date_, date_length_}; }
  /// Unix time of date().
  [[nodiscard]] std::int64_t date_seconds() const noexcept { return date_seconds_; }
  [[nodiscard]] StreamId next_stream() noexcept { return ++last_stream_; }
  /// An id that no other request of this process has.
  [[nodiscard]] RequestIdText next_request_id() noexcept {
    return make_request_id(next_stream(), services_->request_id_keys);
  }

 private:
  friend Task<void> serve_client(Worker* worker, std::unique_ptr<Client> client);

  /// How often deadlines are looked at: a coarse sweep, because a timer for each operation costs a fifth of a small
  /// request.
  static constexpr std::chrono::milliseconds sweep_interval{250};

  void run(unsigned number);
  void begin(Accepted accepted, WorkerPlace place);
  void sweep();
  void set_date();
  void interrupt_all();
  void end_waits(Clock::time_point now);
  /// How many idle connections of this worker are to go so that there is room for others (README.md, rule 14).
  [[nodiscard]] std::size_t connections_too_many() const noexcept;

  const Services* services_;
  std::shared_ptr<const Site> site_;
  asio::io_context context_;
  asio::executor_work_guard<Executor> work_;
  Readiness readiness_;
  Mailbox mailbox_;
  asio::basic_waitable_timer<Clock, asio::wait_traits<Clock>, Executor> timer_;
  std::unique_ptr<SendScratch> scratch_;
  std::unique_ptr<KnownHeads> known_heads_;  ///< of site_: what another admits may not be admitted by this one
  WorkerMetrics metrics_;
  boost::intrusive::list<Client, boost::intrusive::constant_time_size<false>> clients_;
  std::atomic<std::size_t> connections_{
      0};  ///< written by this worker and by adopt(); acquire/release with the runtime's reads
  StreamId last_stream_ = 0;
  bool stopping_ = false;
  char date_[32] = {};
  std::size_t date_length_ = 0;
  std::int64_t date_seconds_ = 0;
  std::thread thread_;
};

}  // namespace ranged::server
