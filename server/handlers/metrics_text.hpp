#pragma once
// GET /metrics: all counters as Prometheus text exposition (version 0.0.4). Pure: from snapshots to text.

#include "server/metrics.hpp"
#include "server/process_figures.hpp"

#include <ranged/paging/buffer_pool.hpp>
#include <ranged/storage/disk_threads.hpp>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace ranged::server {

/// Where the numbers come from. Views: valid while rendering.
struct MetricsSources {
  std::span<const WorkerMetrics* const> workers;
  const SharedMetrics* shared = nullptr;
  BufferPoolStatistics pool;
  DiskThreadsStatistics disk;
  std::size_t open_files = 0;
  std::size_t scans = 0;       ///< running now
  bool path_fallback = false;  ///< openat2 was refused and names are resolved step by step
  bool draining = false;
  std::uint64_t access_log_dropped = 0;
  std::uint64_t access_log_errors = 0;
  std::int64_t started_at_seconds = 0;  ///< Unix time
  std::string_view version;
};

[[nodiscard]] std::string render_metrics(const MetricsSources& sources, const ProcessFigures& process);

}  // namespace ranged::server
