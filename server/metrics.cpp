#include "server/metrics.hpp"

#include <algorithm>

namespace ranged::server {

void WorkerMetrics::count_request(MethodLabel method, Route route, unsigned status,
                                  std::uint64_t microseconds) noexcept {
  const auto code = std::find(status_codes.begin(), status_codes.end() - 1, status);
  requests[static_cast<std::size_t>(method)][static_cast<std::size_t>(route)]
          [static_cast<std::size_t>(code - status_codes.begin())]
              .add();
  const double seconds = static_cast<double>(microseconds) * 1e-6;
  const auto bound = std::lower_bound(duration_bounds.begin(), duration_bounds.end(), seconds);
  durations[static_cast<std::size_t>(bound - duration_bounds.begin())].add();
  duration_microseconds.add(microseconds);
}

}  // namespace ranged::server
