#include "server/handlers/metrics_text.hpp"

#include <fmt/format.h>

#include <iterator>

namespace ranged::server {

namespace {

class Exposition {
 public:
  void family(std::string_view name, std::string_view type, std::string_view help) {
    name_ = name;
    fmt::format_to(std::back_inserter(text_), "# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
  }
  template <class Value>
  void sample(std::string_view labels, Value value) {
    fmt::format_to(std::back_inserter(text_), "{}{} {}\n", name_, labels, value);
  }
  template <class Value>
  void suffixed(std::string_view suffix, std::string_view labels, Value value) {
    fmt::format_to(std::back_inserter(text_), "{}{}{} {}\n", name_, suffix, labels, value);
  }
  template <class Value>
  void single(std::string_view name, std::string_view type, std::string_view help, Value value) {
    family(name, type, help);
    sample("", value);
  }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
  std::string_view name_;
};

template <class Member>
std::uint64_t sum(std::span<const WorkerMetrics* const> workers, Member member) {
  std::uint64_t total = 0;
  for (const WorkerMetrics* worker : workers) total += (worker->*member).value();
  return total;
}

void render_requests(Exposition& out, std::span<const WorkerMetrics* const> workers) {
  out.family("ranged_http_requests_total", "counter", "Requests answered, by method, route and status code.");
  for (std::size_t method = 0; method < method_names.size(); ++method) {
    for (std::size_t route = 0; route < route_names.size(); ++route) {
      for (std::size_t code = 0; code < status_codes.size(); ++code) {
        std::uint64_t total = 0;
        for (const WorkerMetrics* worker : workers) total += worker->requests[method][route][code].value();
        if (total == 0) continue;
        out.sample(fmt::format(R"({{method="{}",route="{}",code="{}"}})", method_names[method], route_names[route],
                               status_codes[code]),
                   total);
      }
    }
  }

  out.family("ranged_http_request_duration_seconds", "histogram",
             "From the end of a request's head to the end of its response.");
  std::uint64_t cumulative = 0;
  for (std::size_t i = 0; i <= duration_bounds.size(); ++i) {
    for (const WorkerMetrics* worker : workers) cumulative += worker->durations[i].value();
    const std::string bound = i < duration_bounds.size() ? fmt::format("{}", duration_bounds[i]) : "+Inf";
    out.suffixed("_bucket", fmt::format(R"({{le="{}"}})", bound), cumulative);
  }
  out.suffixed("_sum", "", static_cast<double>(sum(workers, &WorkerMetrics::duration_microseconds)) * 1e-6);
  out.suffixed("_count", "", cumulative);

  out.family("ranged_http_response_bytes_total", "counter", "Bytes of response bodies, by the way they went.");
  for (std::size_t path = 0; path < byte_path_names.size(); ++path) {
    std::uint64_t total = 0;
    for (const WorkerMetrics* worker : workers) total += worker->response_bytes[path].value();
    out.sample(fmt::format(R"({{path="{}"}})", byte_path_names[path]), total);
  }

  out.single("ranged_hand_overs_unsupported_total", "counter",
             "Times that bytes were copied because it cannot be told whether they are in the page cache.",
             sum(workers, &WorkerMetrics::hand_overs_unsupported));
  out.family(
      "ranged_hand_over_checks_total", "counter",
      "Times that bytes were read before they were handed over, because their disk may be reading them, by outcome.");
  for (std::size_t outcome = 0; outcome < hand_over_check_names.size(); ++outcome) {
    std::uint64_t total = 0;
    for (const WorkerMetrics* worker : workers) total += worker->hand_over_checks[outcome].value();
    out.sample(fmt::format(R"({{result="{}"}})", hand_over_check_names[outcome]), total);
  }
  out.single("ranged_hand_over_check_bytes_total", "counter", "Bytes copied for that.",
             sum(workers, &WorkerMetrics::hand_over_check_bytes));

  out.single("ranged_http_responses_cut_total", "counter", "Responses ended before their promised length.",
             sum(workers, &WorkerMetrics::requests_cut));
  out.family("ranged_http_responses_cut_reason_total", "counter", "Responses ended early, by reason.");
  out.sample(R"({reason="file_changed"})", sum(workers, &WorkerMetrics::stale_cuts));
  out.sample(R"({reason="client_left"})", sum(workers, &WorkerMetrics::client_aborts));
  out.sample(R"({reason="client_stalled"})", sum(workers, &WorkerMetrics::send_timeouts));
  out.single("ranged_http_malformed_requests_total", "counter", "Request heads refused before they were routed.",
             sum(workers, &WorkerMetrics::malformed_requests));
}

void render_connections(Exposition& out, const MetricsSources& sources) {
  const std::uint64_t accepted = sum(sources.workers, &WorkerMetrics::connections_accepted);
  const std::uint64_t closed = sum(sources.workers, &WorkerMetrics::connections_closed);
  out.family("ranged_connections", "gauge", "Connections now.");
  out.sample(R"({state="open"})", accepted - std::min(closed, accepted));
  out.single("ranged_connections_accepted_total", "counter", "Connections accepted.", accepted);
  out.single("ranged_connections_refused_total", "counter", "Connections turned away because there were too many.",
             sources.shared->connections_refused.load(std::memory_order_relaxed));
  out.single("ranged_connections_limit", "gauge", "Connections that may be open at once.",
             sources.shared->connection_limit.load(std::memory_order_relaxed));
  out.single("ranged_connections_shed_total", "counter",
             "Idle connections closed early because nearly as many were open as may be.",
             sum(sources.workers, &WorkerMetrics::connections_shed));
  out.single("ranged_accept_errors_total", "counter", "Failed accepts, out of descriptors among them.",
             sources.shared->accept_errors.load(std::memory_order_relaxed));
  out.single("ranged_accept_pauses_total", "counter", "Times that accepting paused for lack of descriptors.",
             sources.shared->accept_pauses.load(std::memory_order_relaxed));
  out.family("ranged_connection_timeouts_total", "counter", "Connections closed because nothing came or went.");
  out.sample(R"({phase="header"})", sum(sources.workers, &WorkerMetrics::header_timeouts));
  out.sample(R"({phase="idle"})", sum(sources.workers, &WorkerMetrics::idle_timeouts));
  out.sample(R"({phase="send"})", sum(sources.workers, &WorkerMetrics::send_timeouts));
}

void render_pool(Exposition& out, const BufferPoolStatistics& pool) {
  out.family("ranged_pool_pages", "gauge", "Frames of the pool, by state; a pinned one is resident too.");
  out.sample(R"({state="free"})", pool.free_frames);
  out.sample(R"({state="resident"})", pool.resident_frames);
  out.sample(R"({state="loading"})", pool.loading_frames);
  out.sample(R"({state="pinned"})", pool.pinned_frames);
  out.single("ranged_pool_bytes", "gauge", "Bytes of all frames.", pool.frames * pool.page_bytes);
  out.single("ranged_pool_page_bytes", "gauge", "Bytes of one frame.", pool.page_bytes);
  out.family("ranged_pool_lookups_total", "counter", "Pages asked for: resident, not, or being loaded already.");
  out.sample(R"({result="hit"})", pool.hits);
  out.sample(R"({result="miss"})", pool.misses);
  out.sample(R"({result="joined"})", pool.joined);
  out.single("ranged_pool_waiters", "gauge", "Requests that wait for a page now.", pool.waiters);
  out.family("ranged_pool_waits_failed_total", "counter", "Requests that waited in vain, by reason.");
  out.sample(R"({reason="deadline"})", pool.waits_expired);
  out.sample(R"({reason="refused"})", pool.waits_refused);
  out.single("ranged_pool_waits_held_total", "counter",
             "Waits for a page that were put off because its disk had its share of the loads.", pool.waits_held);
  out.single("ranged_pool_evictions_total", "counter", "Pages evicted.", pool.evictions);
  out.single("ranged_pool_ghost_hits_total", "counter", "Misses of pages that were evicted or passed through lately.",
             pool.ghost_hits);
  out.single("ranged_page_loads_total", "counter", "Page loads begun.", pool.loads);
  out.single("ranged_page_loads_in_flight", "gauge", "Page loads now.", pool.loads_in_flight);
  out.single("ranged_page_load_bytes_total", "counter", "Bytes read into pages.", pool.load_bytes);
  out.single("ranged_page_load_errors_total", "counter", "Page loads that failed.", pool.load_errors);
  out.single("ranged_page_loads_stale_total", "counter", "Page loads that found the file changed.", pool.stale_loads);
  out.family("ranged_nowait_reads_total", "counter", "Reads tried without waiting for a disk, by outcome.");
  out.sample(R"({result="hit"})", pool.nowait_loads + pool.transit_reads);
  out.sample(R"({result="would_block"})", pool.nowait_would_block);
  out.sample(R"({result="unsupported"})", pool.nowait_unsupported);
  out.single("ranged_transit_reads_total", "counter", "Reads passed through without becoming a page.",
             pool.transit_reads);
  out.single("ranged_transit_read_bytes_total", "counter", "Bytes of those.", pool.transit_bytes);
  out.single("ranged_populate_reads_total", "counter", "Reads of the disk threads into the page cache alone.",
             pool.populates);
  out.single("ranged_populate_read_bytes_total", "counter", "Bytes of those.", pool.populate_bytes);
  out.family("ranged_populate_reads_failed_total", "counter",
             "Reads into the page cache alone that could not be made, by what was lacking.");
  out.sample(R"({reason="no_load"})", pool.populates_forgone);
  out.sample(R"({reason="queue_full"})", pool.populates_refused);
  out.sample(R"({reason="no_frame"})", pool.populates_frameless);
  out.family("ranged_prefetches_total", "counter", "Pages of readahead, by outcome.");
  out.sample(R"({result="started"})", pool.prefetches);
  out.sample(R"({result="dropped"})", pool.prefetches_dropped);
  out.sample(R"({result="used"})", pool.prefetches_used);
}

void render_storage(Exposition& out, const MetricsSources& sources) {
  out.family("ranged_disk_backend", "gauge", "How blocking reads are made.");
  out.sample(R"({kind="threads"})", 1);
  out.single("ranged_disk_threads", "gauge", "Disk threads.", sources.disk.threads);
  out.single("ranged_disk_tasks_queued", "gauge", "Disk tasks that wait now.", sources.disk.queued);
  out.single("ranged_disk_tasks_running", "gauge", "Disk tasks that run now.", sources.disk.running);
  out.single("ranged_disk_tasks_total", "counter", "Disk tasks done.", sources.disk.completed);
  out.single("ranged_disk_tasks_refused_total", "counter", "Disk tasks refused because the queue was full.",
             sources.disk.refused);
  out.single("ranged_open_files", "gauge", "Served files kept open.", sources.open_files);
  out.single("ranged_file_opens_total", "counter", "Looks at served files.",
             sources.shared->file_opens.load(std::memory_order_relaxed));
  out.single("ranged_file_open_errors_total", "counter", "Looks that failed, unknown names among them.",
             sources.shared->file_open_errors.load(std::memory_order_relaxed));
  out.single("ranged_file_opens_racily_clean_total", "counter",
             "Files opened so soon after a change that their pages are not shared.",
             sources.shared->racily_clean_opens.load(std::memory_order_relaxed));
  out.single("ranged_scans", "gauge", "Searches, maps, digests and the like that run now.", sources.scans);
  out.single("ranged_scan_read_bytes_total", "counter", "Bytes read for them.",
             sources.shared->scan_bytes.load(std::memory_order_relaxed));
  out.single("ranged_scans_refused_total", "counter", "Scans refused because as many as may were running.",
             sources.shared->scans_refused.load(std::memory_order_relaxed));
  out.single("ranged_scans_stale_total", "counter", "Scans ended because the file changed.",
             sources.shared->scans_stale.load(std::memory_order_relaxed));
  out.single("ranged_scans_abandoned_total", "counter", "Scans ended because the client went away.",
             sources.shared->scans_abandoned.load(std::memory_order_relaxed));
  out.single("ranged_watchers", "gauge", "Clients that watch a file now.",
             sources.shared->watchers.load(std::memory_order_relaxed));
  out.single("ranged_path_fallback", "gauge", "1 when openat2 is refused and names are resolved step by step.",
             sources.path_fallback ? 1 : 0);
  out.single("ranged_sandbox_abi", "gauge", "ABI of Landlock by which the daemon is sandboxed; 0: it is not.",
             sources.shared->sandbox_abi.load(std::memory_order_relaxed));
}

}  // namespace

std::string render_metrics(const MetricsSources& sources, const ProcessFigures& process) {
  Exposition out;
  out.family("ranged_build_info", "gauge", "The version that runs, as a label.");
  out.sample(fmt::format(R"({{version="{}"}})", sources.version), 1);
  out.single("ranged_draining", "gauge", "1 while the daemon finishes what is in flight before it stops.",
             sources.draining ? 1 : 0);
  render_requests(out, sources.workers);
  render_connections(out, sources);
  render_pool(out, sources.pool);
  render_storage(out, sources);
  out.single("ranged_access_log_dropped_total", "counter",
             "Lines of the access log dropped because its queue was full.", sources.access_log_dropped);
  out.single("ranged_access_log_errors_total", "counter", "Writes of the access log that failed.",
             sources.access_log_errors);
  out.single("ranged_config_reloads_total", "counter", "Configurations taken over while running.",
             sources.shared->reloads.load(std::memory_order_relaxed));
  out.single("ranged_config_reload_failures_total", "counter", "Configurations refused while running.",
             sources.shared->reload_failures.load(std::memory_order_relaxed));
  out.single("process_resident_memory_bytes", "gauge", "Resident memory.", process.resident_bytes);
  out.single("process_open_fds", "gauge", "Open descriptors.", process.open_descriptors);
  out.single("process_max_fds", "gauge", "Descriptors at most.", process.max_descriptors);
  out.single("process_cpu_seconds_total", "counter", "Processor time used.", process.cpu_seconds);
  out.single("process_start_time_seconds", "gauge", "When the process started, Unix time.", sources.started_at_seconds);
  return out.take();
}

}  // namespace ranged::server
