#include "server/reply.hpp"

#include <ranged/http/preconditions.hpp>
#include <ranged/paging/paging_error.hpp>

#include <algorithm>
#include <chrono>
#include <optional>

namespace ranged::server {

namespace {

/// The CORS origin to allow, or empty: the request's own when it is among those configured; "*" when all are, whether
/// the request names one or not, so that caches keep one answer for all.
std::string_view allowed_origin(const Exchange& exchange) noexcept {
  const std::vector<std::string>& allowed = exchange.site->config->cors_origins;
  if (std::ranges::find(allowed, "*") != allowed.end()) return "*";
  const auto found = std::ranges::find(allowed, exchange.head.origin);
  return found != allowed.end() ? std::string_view(*found) : std::string_view{};
}

std::string_view protocol_status(std::uint16_t status) noexcept {
  switch (status) {  // what nearly every response is
    case 200:
      return "HTTP/1.1 200 OK\r\n";
    case 206:
      return "HTTP/1.1 206 Partial Content\r\n";
    case 304:
      return "HTTP/1.1 304 Not Modified\r\n";
    default:
      return {};
  }
}

/// Rounded up, and no finer: what a client could tell with a clock of its own. Microseconds would tell through the
/// network's noise whether the disk was read, and so what others have asked for.
std::uint64_t whole_milliseconds(Clock::duration time) noexcept {
  return static_cast<std::uint64_t>(
      std::max<std::int64_t>(std::chrono::ceil<std::chrono::milliseconds>(time).count(), 0));
}

class ReplyHeader final : public HeaderSource {
 public:
  ReplyHeader(const Exchange& exchange, const Reply& reply) noexcept : exchange_(&exchange), reply_(&reply) {}

  std::string_view render(std::span<char> room) override {
    const Reply& reply = *reply_;
    http::HeaderWriter writer(room);
    write_common_fields(writer, *exchange_, reply.status);
    if (reply.status < 400) {  // what is refused is not to tell why by its time
      writer.append("Server-Timing: app;dur=");
      writer.append(whole_milliseconds(Clock::now() - exchange_->began));
      writer.append("\r\n");
    }
    if (reply.plan != nullptr) http::write_header(*reply.plan, *reply.representation, writer);
    const auto optional = [&writer](std::string_view name, std::string_view value) {
      if (!value.empty()) writer.field(name, value);
    };
    optional("Content-Type", reply.content_type);
    optional("Content-Encoding", reply.content_encoding);
    // RFC 9110, 8.6: none in a 204, and a 304 would have to give that of the 200.
    if (reply.status != 204 && reply.status != 304)
      writer.field("Content-Length", std::uint64_t{reply.content().size()});
    optional("ETag", reply.entity_tag);
    if (reply.plan == nullptr) optional("Cache-Control", reply.cache_control);
    optional("Vary", reply.vary);
    optional("Allow", reply.allow);
    optional("Location", reply.location);
    optional("Content-Security-Policy", reply.content_security_policy);
    if (reply.retry_after != 0) writer.field("Retry-After", std::uint64_t{reply.retry_after});
    if (reply.challenge != nullptr) {
      if (reply.challenge->takes_passwords()) {
        writer.append("WWW-Authenticate: Basic realm=\"ranged\", charset=\"UTF-8\"\r\n");
      }
      if (reply.challenge->takes_tokens()) writer.append("WWW-Authenticate: Bearer realm=\"ranged\"\r\n");
    }
    if (reply.preflight && !allowed_origin(*exchange_).empty()) {
      writer.field("Access-Control-Allow-Methods", reply.allow);
      writer.field("Access-Control-Allow-Headers",
                   exchange_->site->access != nullptr
                       ? "Authorization, Content-Type, Range, If-Range, If-Match, If-None-Match, If-Modified-Since, "
                         "Want-Content-Digest, X-Request-Id"
                       : "Content-Type, Range, If-Range, If-Match, If-None-Match, If-Modified-Since, "
                         "Want-Content-Digest, X-Request-Id");
      writer.field("Access-Control-Max-Age", "86400");
    }
    writer.append("\r\n");
    return writer.failed() ? std::string_view{} : writer.text();
  }

 private:
  const Exchange* exchange_;
  const Reply* reply_;
};

/// What the request's conditions say of a representation of that tag. To who does more than read, 304 is no answer:
/// If-None-Match fails then (RFC 9110, 13.1.2).
http::Precondition evaluate_conditions(const Exchange& exchange, std::string_view entity_tag) noexcept {
  const http::Precondition outcome = http::evaluate_preconditions(exchange.head.conditions, {entity_tag, std::nullopt},
                                                                  exchange.worker->date_seconds());
  const bool reads = exchange.head.method == Method::get || exchange.head.method == Method::head;
  return outcome == http::Precondition::not_modified && !reads ? http::Precondition::failed : outcome;
}

/// Every success is conditional (RFC 9110, 13.2.1). Where there is no tag, `*` alone names what is there.
void apply_preconditions(const Exchange& exchange, Reply& reply) {
  if (reply.status != 200) return;
  switch (evaluate_conditions(exchange, reply.entity_tag)) {
    case http::Precondition::holds:
      break;
    case http::Precondition::not_modified:
      reply.status = 304;
      reply.content_type = {};
      reply.content_encoding = {};
      break;
    case http::Precondition::failed: {
      const std::string_view entity_tag = reply.entity_tag;
      reply = problem_reply(problems::precondition_failed, "What is there is not what the request wants.");
      reply.entity_tag = entity_tag;
      break;
    }
  }
}

}  // namespace

std::optional<Reply> conditional_reply(const Exchange& exchange, std::string_view entity_tag) {
  switch (evaluate_conditions(exchange, entity_tag)) {
    case http::Precondition::holds:
      break;
    case http::Precondition::not_modified: {
      Reply reply;
      reply.status = 304;
      return reply;
    }
    case http::Precondition::failed:
      return problem_reply(problems::precondition_failed, "The file is another version than the request wants.");
  }
  return std::nullopt;
}

void write_common_fields(http::HeaderWriter& writer, const Exchange& exchange, std::uint16_t status) noexcept {
  if (const std::string_view line = protocol_status(status); !line.empty()) {
    writer.append(line);
  } else {
    writer.append("HTTP/1.1 ");
    writer.append(std::uint64_t{status});
    writer.append(" ");
    writer.append(reason_phrase(status));
    writer.append("\r\n");
  }
  writer.append("Server: ranged\r\nDate: ");
  writer.append(exchange.worker->date());
  writer.append("\r\nX-Content-Type-Options: nosniff\r\nX-Request-Id: ");
  writer.append(exchange.request_id());
  writer.append("\r\n");
  if (!exchange.keep_alive) {
    writer.append("Connection: close\r\n");
  } else if (exchange.head.version == 10) {
    writer.append("Connection: keep-alive\r\n");  // RFC 9112, 9.3: it cannot assume it
  }
  if (!exchange.site->config->cors_origins.empty()) {
    const std::string_view origin = allowed_origin(exchange);
    if (origin != "*") writer.append("Vary: Origin\r\n");
    if (!origin.empty()) {
      writer.field("Access-Control-Allow-Origin", origin);
      writer.field("Timing-Allow-Origin", origin);
      writer.append(
          "Access-Control-Expose-Headers: Content-Range, Accept-Ranges, Content-Length, ETag, Last-Modified, "
          "Content-Digest, X-Request-Id, Server-Timing\r\n");
    }
  }
}

Task<void> send_reply(Exchange* exchange, Reply* reply) {
  apply_preconditions(*exchange, *reply);
  ReplyHeader header(*exchange, *reply);
  exchange->status = reply->status;
  const bool without_content = exchange->is_head() || reply->status == 204 || reply->status == 304;
  const FramedStretch content(without_content ? std::string_view{} : reply->content(), 0, 0, WireEncoding::identity,
                              {});
  const SendContext context = exchange->send_context(nullptr);
  exchange->report = co_await send_response(context, &header, content);
}

Reply problem_reply(const ProblemType& problem, std::string_view detail, std::string_view parameter) {
  return problem_reply(refuse(problem, detail, false), parameter);
}

Reply problem_reply(const Refusal& refusal, std::string_view parameter) {
  Reply reply;
  reply.status = refusal.status;
  reply.content_type = problem_media_type;
  reply.body = problem_json(refusal.status, refusal.type, refusal.title, refusal.detail, parameter);
  reply.cache_control = "no-store";
  reply.allow = refusal.allow;
  return reply;
}

Reply busy_reply(const Exchange& exchange, const ProblemType& problem, std::string_view detail) {
  Reply reply = problem_reply(problem, detail);
  reply.retry_after = static_cast<std::uint32_t>(retry_after_seconds(*exchange.site->config).count());
  return reply;
}

Reply file_problem(const Exchange& exchange, const boost::system::error_code& error) {
  if (error.category() == storage_category()) {
    switch (static_cast<StorageError>(error.value())) {
      case StorageError::not_found:
      case StorageError::not_a_regular_file:
      case StorageError::is_a_directory:
      case StorageError::not_a_directory:
        return problem_reply(problems::not_found, "No file by that name is served here.");
      case StorageError::permission_denied:
        return problem_reply(problems::permission, "The daemon may not read this file; its owner can allow it.");
      case StorageError::too_many_descriptors:
      case StorageError::queue_full:
      case StorageError::stale_version:
        return busy_reply(exchange, problems::unavailable, "Too much is being asked for at once; ask again.");
      case StorageError::would_block:
      case StorageError::nowait_unsupported:
        break;
    }
  }
  if (error.category() == paging_category()) {
    const bool changed = error == make_error_code(PagingError::stale_version);
    return busy_reply(exchange, problems::unavailable,
                      changed ? "The file keeps changing while it is read; ask again."
                              : "Neither memory nor the disk was to be had in time; ask again.");
  }
  return problem_reply(problems::internal, "The file could not be read.");
}

}  // namespace ranged::server
