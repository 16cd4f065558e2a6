#include "server/access_log.hpp"
#include "server/handlers/handlers.hpp"
#include "server/handlers/metrics_text.hpp"
#include "server/handlers/openapi.hpp"
#include "server/options.hpp"
#include "server/reply.hpp"

#include <vector>

namespace ranged::server {

Task<void> answer_health(Exchange* exchange) {
  Reply reply;
  reply.content_type = "application/json";
  reply.static_body = "{\"status\":\"ok\"}\n";
  reply.cache_control = "no-store";
  co_await send_reply(exchange, &reply);
}

Task<void> answer_ready(Exchange* exchange) {
  Reply reply;
  if (exchange->worker->draining()) {
    reply = problem_reply(problems::unavailable, "The daemon is stopping.");
    reply.retry_after = 1;
  } else {
    reply.content_type = "application/json";
    reply.static_body = "{\"status\":\"ready\"}\n";
    reply.cache_control = "no-store";
  }
  co_await send_reply(exchange, &reply);
}

Task<void> answer_metrics(Exchange* exchange) {
  const Services& services = exchange->worker->services();
  std::vector<const WorkerMetrics*> workers;
  for (const auto& worker : *services.workers) workers.push_back(&std::as_const(*worker).metrics());
  MetricsSources sources;
  sources.workers = workers;
  sources.shared = services.shared_metrics;
  sources.pool = services.pool->statistics();
  sources.disk = services.disk->statistics();
  sources.open_files = exchange->site->files->size();
  sources.scans = services.scan_frames->taken();
  for (const Root& root : exchange->site->files->roots().all()) {
    sources.path_fallback = sources.path_fallback || root.documents->uses_fallback();
  }
  sources.draining = exchange->worker->draining();
  if (services.access_log != nullptr) {
    sources.access_log_dropped = services.access_log->dropped();
    sources.access_log_errors = services.access_log->errors();
  }
  sources.started_at_seconds = services.started_at_seconds;
  sources.version = version();
  Reply reply;
  reply.content_type = "text/plain; version=0.0.4; charset=utf-8";
  reply.body = render_metrics(sources, services.process->read());
  reply.cache_control = "no-store";
  co_await send_reply(exchange, &reply);
}

Task<void> answer_openapi(Exchange* exchange) {
  Reply reply;
  reply.content_type = "application/json";
  reply.static_body = openapi_document();
  co_await send_reply(exchange, &reply);
}

}  // namespace ranged::server
