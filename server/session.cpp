#include "server/session.hpp"

#include "server/access_control.hpp"
#include "server/access_log.hpp"
#include "server/admission.hpp"
#include "server/exchange.hpp"
#include "server/handlers/handlers.hpp"
#include "server/json_query.hpp"
#include "server/reply.hpp"
#include "server/request_parser.hpp"
#include "server/router.hpp"
#include "server/sleep.hpp"
#include "server/worker.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <exception>
#include <optional>
#include <string>
#include <utility>

namespace ranged::server {

namespace {

constexpr RequestLimits request_limits{};

/// More than a head may take, so that the parser sees the byte that is too many; and not much more, so that pipelined
/// requests wait in the socket.
constexpr std::size_t input_limit = request_limits.head_bytes + 1024;

/// How long a closing connection is read from after its last response, and how much, so that what the client still
/// sends does not make the kernel reset the connection and take the response back (RFC 9112, 9.6).
constexpr std::chrono::seconds linger_time{2};
constexpr std::size_t linger_bytes = std::size_t{1} << 20;

/// Requests of one connection answered in a row without a wait, before others get their turn.
constexpr unsigned requests_in_a_row = 32;

enum class HeadEnd : std::uint8_t { complete, refused, nothing, incomplete, closed, timed_out };

KnownHeads::Channel channel_of(const Client& client) noexcept {
  return {client.over_network, !client.connection.plain()};
}

/// Receives what is there, until the head is complete or refused. `nothing`: not a byte came after all; `incomplete`:
/// more must be waited for.
HeadEnd receive_head(Exchange& exchange, ParseResult& result) {
  Client& client = *exchange.client;
  for (;;) {
    if (!client.input.empty()) {
      if (client.parser.untouched()) {
        result.consumed = exchange.worker->known_heads().recall(
            client.known_head, channel_of(client), client.input.view(), exchange.known, exchange.head, exchange.target);
        if (result.consumed != 0) return HeadEnd::complete;
      }
      result = client.parser.parse(client.input.view(), exchange.head, request_limits);
      if (result.state == ParseResult::State::complete) return HeadEnd::complete;
      if (result.state == ParseResult::State::refused) return HeadEnd::refused;
    }
    const boost::system::result<std::size_t> received = client.connection.receive(client.input.room(input_limit));
    if (received && *received == 0) return HeadEnd::closed;
    if (received) {
      client.input.commit(*received);
      continue;
    }
    if (received.error() != boost::system::errc::resource_unavailable_try_again) return HeadEnd::closed;
    return client.parser.begun() || !client.input.empty() ? HeadEnd::incomplete : HeadEnd::nothing;
  }
}

/// Waits for the rest of a head that has begun.
Task<HeadEnd> await_head(Exchange* exchange, ParseResult* result) {
  Connection& connection = exchange->client->connection;
  connection.set_deadline(Clock::now() + exchange->site->config->header_timeout);
  HeadEnd end = HeadEnd::incomplete;
  while (end == HeadEnd::incomplete) {
    const bool readable = co_await connection.wait_readable();
    if (!readable) co_return HeadEnd::timed_out;
    end = receive_head(*exchange, *result);
  }
  co_return end;
}

enum class ContentEnd : std::uint8_t { complete, closed, timed_out };

/// Tells a client that waits with its content to send it (RFC 9110, 10.1.1). False: the client has gone.
Task<bool> send_continue(Connection* connection) {
  static constexpr std::string_view interim = "HTTP/1.1 100 Continue\r\n\r\n";
  for (std::size_t sent = 0; sent < interim.size();) {
    iovec rest{const_cast<char*>(interim.data()) + sent, interim.size() - sent};  // sendmsg reads only
    const boost::system::result<std::size_t> taken = connection->send({&rest, 1}, false);
    if (taken) {
      sent += *taken;
      continue;
    }
    if (taken.error() != boost::system::errc::resource_unavailable_try_again) co_return false;
    const bool writable = co_await connection->wait_writable();
    if (!writable) co_return false;
  }
  co_return true;
}

/// Receives until `total` bytes of the request are in the buffer, which may move. `timeout` is for all of them: it is
/// no more than a head.
Task<ContentEnd> read_content(Client* client, std::size_t total, std::chrono::milliseconds timeout) {
  Connection& connection = client->connection;
  connection.set_deadline(Clock::now() + timeout);
  while (client->input.view().size() < total) {
    const boost::system::result<std::size_t> received = connection.receive(client->input.room(input_limit));
    if (received && *received == 0) co_return ContentEnd::closed;
    if (received) {
      client->input.commit(*received);
      continue;
    }
    if (received.error() != boost::system::errc::resource_unavailable_try_again) co_return ContentEnd::closed;
    const bool readable = co_await connection.wait_readable();
    if (!readable) co_return ContentEnd::timed_out;
  }
  co_return ContentEnd::complete;
}

/// Whether a head is to be answered as it wishes, and what it is about.
Refusal judge(Exchange& exchange) {
  const Client& client = *exchange.client;
  const AdmissionRules rules{exchange.site->loopback_only && client.over_network, exchange.site->config->allowed_hosts,
                             !client.connection.plain()};
  const Refusal refusal = admit(exchange.head, rules);
  if (refusal || parse_target(exchange.head.target, exchange.target, exchange.decoded_path)) return refusal;
  return refuse(problems::bad_request, "The request target has an escape that is none, or a NUL.", false);
}

/// Makes the content of a POST the query of its target.
Refusal take_content(Exchange& exchange, std::string_view content) {
  if (!exchange.target.raw_query.empty()) {
    return refuse(problems::bad_parameter, "The parameters of a POST are in its content, not in its target.", false);
  }
  std::optional<std::string> query = query_of_json(content);
  if (!query) return refuse(problems::bad_parameter, "The content is no JSON object of texts and numbers.", false);
  exchange.content_query = std::move(*query);
  exchange.target.raw_query = exchange.content_query;
  return {};
}

MethodLabel label_of(Method method) noexcept {
  switch (method) {
    case Method::get:
      return MethodLabel::get;
    case Method::head:
      return MethodLabel::head;
    case Method::options:
      return MethodLabel::options;
    default:
      return MethodLabel::other;
  }
}

AccessEnd access_end(const Exchange& exchange) noexcept {
  switch (exchange.report.end) {
    case SendEnd::complete:
      return AccessEnd::complete;
    case SendEnd::refused:
    case SendEnd::cut:
      return AccessEnd::cut;
    case SendEnd::client_left:
      return AccessEnd::left;
    case SendEnd::client_stalled:
      break;
  }
  return exchange.worker->draining() ? AccessEnd::drained : AccessEnd::stalled;
}

/// Counts the request and writes it down.
void account_for(const Exchange& exchange) {
  Worker& worker = *exchange.worker;
  const SendReport& report = exchange.report;
  const auto microseconds = [began = exchange.began](Clock::time_point until) {
    return std::chrono::duration_cast<std::chrono::microseconds>(std::max(until, began) - began);
  };
  const std::chrono::microseconds duration = microseconds(Clock::now());
  worker.metrics().count_request(label_of(exchange.head.method), exchange.route, exchange.status,
                                 static_cast<std::uint64_t>(duration.count()));
  switch (report.end) {
    case SendEnd::complete:
      break;
    case SendEnd::refused:
    case SendEnd::cut:
      worker.metrics().requests_cut.add();
      if (report.error == make_error_code(PagingError::stale_version)) worker.metrics().stale_cuts.add();
      break;
    case SendEnd::client_left:
      worker.metrics().requests_cut.add();
      worker.metrics().client_aborts.add();
      break;
    case SendEnd::client_stalled:
      worker.metrics().requests_cut.add();
      worker.metrics().send_timeouts.add();
      break;
  }
  AccessLog* const log = worker.services().access_log;
  if (log == nullptr) return;
  const std::string remote = exchange.client->connection.peer();
  AccessRecord record;
  record.time = std::chrono::system_clock::now() - duration;
  record.remote = remote;
  record.method = exchange.head.method_text;
  record.target = exchange.head.target;
  record.host = exchange.head.host;
  record.user_agent = exchange.head.user_agent;
  record.referer = exchange.head.referer;
  record.version = static_cast<std::uint8_t>(exchange.head.version);
  record.status = exchange.status;
  record.end = access_end(exchange);
  record.has_range = exchange.has_range;
  record.range_first = exchange.range_first;
  record.range_last = exchange.range_last;
  record.body_bytes = report.body_bytes;
  record.duration = duration;
  record.time_to_first_byte = microseconds(report.first_byte);
  record.request_id = exchange.request_id();
  record.page_hits = report.page_hits;
  record.page_misses = report.page_misses;
  log->append(record);
}

/// OPTIONS: what is allowed here, and to which pages of other origins.
Task<void> answer_options(Exchange* exchange) {
  Reply reply;
  reply.status = 204;
  reply.allow = allowed_methods(exchange->target.path);
  reply.cache_control = {};
  reply.preflight = !exchange->head.access_control_request_method.empty();
  co_await send_reply(exchange, &reply);
}

Task<void> answer_nothing(Exchange* exchange) {
  Reply reply = problem_reply(problems::not_found, "Nothing is served at this address; files are below /files/.");
  co_await send_reply(exchange, &reply);
}

Task<void> refuse_request(Exchange* exchange, Refusal refusal) {
  Reply reply = problem_reply(refusal);
  co_await send_reply(exchange, &reply);
}

/// A head, or content, that has not come in time. The connection has been interrupted, so that nothing can be waited
/// for any more: what the socket takes now is sent, the rest is not.
Task<void> refuse_slow_head(Exchange* exchange) {
  Reply reply = problem_reply(problems::request_timeout, "The request did not come whole in time; send it again.");
  co_await send_reply(exchange, &reply);
}

/// Whether a path holds an encoded slash. Decoded, it would separate components that the client did not separate; no
/// file's name has one.
bool has_encoded_slash(const Target& target) noexcept {
  if (target.path.size() == target.raw_path.size()) return false;  // nothing is encoded
  return target.raw_path.find("%2f") != std::string_view::npos || target.raw_path.find("%2F") != std::string_view::npos;
}

/// A query where no parameter is known; these answers do not depend on any. An empty one is none.
Task<void> refuse_query(Exchange* exchange) {
  const auto query = QueryParameters::parse(exchange->target.raw_query);
  Reply reply =
      query ? problem_reply(problems::unknown_parameter, "This address takes no parameters.", query->all().front().name)
            : problem_reply(query.error().refusal(), query.error().name);
  co_await send_reply(exchange, &reply);
}

bool takes_no_query(Route route) noexcept {
  return route == Route::health || route == Route::ready || route == Route::metrics || route == Route::openapi;
}

Routed route_of(const Target& target) noexcept {
  return has_encoded_slash(target) ? Routed{} : route(target.path);
}

/// Whether the answer needs credentials. A preflight brings none (Fetch, 4.8), and OPTIONS tells nothing.
bool is_protected(const Exchange& exchange, const Routed& routed) {
  if (exchange.site->access == nullptr || exchange.head.method == Method::options) return false;
  return exchange.site->access->protects(routed.route, routed.name, exchange.target.raw_query,
                                         exchange.site->files->roots().only_file());
}

Task<void> dispatch(Exchange* exchange, Routed routed) {
  if (exchange->head.method == Method::options) return answer_options(exchange);
  if (takes_no_query(routed.route) && exchange->target.raw_query.find_first_not_of('&') != std::string_view::npos) {
    return refuse_query(exchange);
  }
  switch (routed.route) {
    case Route::viewer:
    case Route::asset:
      return answer_asset(exchange, routed.name);
    case Route::files:
      return answer_file(exchange, routed.name);
    case Route::listing:
      return routed.redirect ? redirect_to_directory(exchange) : answer_listing(exchange, routed.name);
    case Route::bytes:
      return answer_bytes(exchange);
    case Route::info:
      return answer_info(exchange);
    case Route::search:
      return answer_search(exchange);
    case Route::map:
      return answer_map(exchange);
    case Route::extents:
      return answer_extents(exchange);
    case Route::digest:
      return answer_digest(exchange);
    case Route::strings:
      return answer_strings(exchange);
    case Route::watch:
      return answer_watch(exchange);
    case Route::health:
      return answer_health(exchange);
    case Route::ready:
      return answer_ready(exchange);
    case Route::metrics:
      return answer_metrics(exchange);
    case Route::openapi:
      return answer_openapi(exchange);
    case Route::none:
      break;
  }
  return answer_nothing(exchange);
}

/// Ends our half and waits for the client's end, so that it gets all of the response.
Task<void> linger(Connection* connection) {
  connection->shut_down_send();
  connection->set_deadline(Clock::now() + linger_time);
  std::array<char, 512> discarded;
  for (std::size_t total = 0; total < linger_bytes;) {
    const boost::system::result<std::size_t> received = connection->receive(discarded);
    if (received) {
      if (*received == 0) co_return;
      total += *received;
      continue;
    }
    if (received.error() != boost::system::errc::resource_unavailable_try_again) co_return;
    const bool readable = co_await connection->wait_readable();
    if (!readable) co_return;
  }
}

/// Gives what was sent of a response that is cut a moment to arrive: a reset throws away what the kernel still holds,
/// and may overtake what it has sent, so that the client would not even see the head of what was cut. A moment only: a
/// client that takes nothing is no reason to keep a connection.
Task<void> let_arrive(Connection* connection) {
  constexpr int patience = 20;
  for (int i = 0; i < patience && connection->has_unacknowledged() && !connection->interrupted(); ++i) {
    co_await sleep_for(std::chrono::milliseconds(1));
  }
}

/// Reads one request and answers it. False: the connection has had its last.
Task<bool> serve_request(Worker* worker, Client* client) {
  Exchange exchange;
  exchange.worker = worker;
  exchange.client = client;
  exchange.site = worker->site();
  client->parser.reset();
  ParseResult parsed;
  HeadEnd end = receive_head(exchange, parsed);
  if (end == HeadEnd::incomplete) {
    end = co_await await_head(&exchange, &parsed);
    exchange.site = worker->site();  // README.md, rule 7
  }
  if (end == HeadEnd::nothing) co_return true;
  if (end == HeadEnd::closed) co_return false;
  exchange.own_id = worker->next_request_id();
  exchange.began = Clock::now();
  if (end == HeadEnd::timed_out) {
    if (worker->draining()) co_return false;
    worker->metrics().header_timeouts.add();
    co_await refuse_slow_head(&exchange);
    account_for(exchange);
    co_return false;
  }

  Refusal refusal;
  if (end == HeadEnd::refused) {
    worker->metrics().malformed_requests.add();
    refusal = parsed.refusal;
  } else if (!exchange.known) {
    refusal = judge(exchange);
    if (!refusal) {
      client->known_head = worker->known_heads().learn(client->input.view().substr(0, parsed.consumed), exchange.head,
                                                       channel_of(*client));
    }
  }
  std::size_t request_bytes = parsed.consumed;
  if (!refusal && exchange.head.method == Method::post) {
    const auto content_length = static_cast<std::size_t>(exchange.head.content_length);
    request_bytes += content_length;
    // Unless it comes unasked (RFC 9110, 10.1.1).
    if (exchange.head.expect_continue && exchange.head.version >= 11 &&
        client->input.view().size() == parsed.consumed && content_length > 0) {
      const bool there = co_await send_continue(&client->connection);
      if (!there) co_return false;
    }
    const ContentEnd content_end = co_await read_content(client, request_bytes, exchange.site->config->header_timeout);
    // The buffer may have moved: the same bytes, read again where they are.
    client->parser.reset();
    parsed = client->parser.parse(client->input.view(), exchange.head, request_limits);
    (void)parse_target(exchange.head.target, exchange.target, exchange.decoded_path);
    if (content_end != ContentEnd::complete) {
      if (content_end == ContentEnd::closed || worker->draining()) co_return false;
      worker->metrics().header_timeouts.add();
      co_await refuse_slow_head(&exchange);
      account_for(exchange);
      co_return false;
    }
    refusal = take_content(exchange, client->input.view().substr(parsed.consumed, content_length));
  }
  exchange.keep_alive = !(refusal && refusal.close) && exchange.head.keep_alive() && !worker->draining();
  if (refusal) {
    co_await refuse_request(&exchange, refusal);
  } else {
    const Routed routed = route_of(exchange.target);
    exchange.route = routed.route;
    bool granted = true;
    if (is_protected(exchange, routed)) granted = co_await authorize(&exchange);
    if (granted) co_await dispatch(&exchange, routed);
  }
  account_for(exchange);

  if (exchange.report.end != SendEnd::complete) {
    if (exchange.report.end == SendEnd::cut) co_await let_arrive(&client->connection);
    // An end that looks whole would be taken for the whole; and what is unsent is the kernel's memory (law 1).
    client->connection.reset_on_close();
    co_return false;
  }
  if (!exchange.keep_alive) {
    co_await linger(&client->connection);
    co_return false;
  }
  client->input.consume(request_bytes);
  co_return true;
}

/// What HTTP without TLS gets on a port that wants it.
constexpr std::string_view plain_http_response =
    "HTTP/1.1 400 Bad Request\r\nServer: ranged\r\nContent-Type: application/problem+json\r\nContent-Length: 115\r\n"
    "Connection: close\r\n\r\n"
    "{\"type\":\"/problems/bad-request\",\"title\":\"Malformed request\",\"status\":400,\"detail\":\"This port "
    "speaks https alone.\"}\n";
constexpr std::string_view plain_http_body = plain_http_response.substr(plain_http_response.find("\r\n\r\n") + 4);
static_assert(plain_http_body.size() == 115, "Content-Length of plain_http_response");

/// The handshake, in the time that a head may take. False: there is nobody to serve.
Task<bool> secure(Worker* worker, Client* client) {
  Connection& connection = client->connection;
  connection.set_deadline(Clock::now() + worker->site()->config->header_timeout);
  for (;;) {
    bool ready = true;
    switch (connection.handshake()) {
      case TlsStream::Handshake::done:
        co_return true;
      case TlsStream::Handshake::want_read:
        ready = co_await connection.wait_readable();
        break;
      case TlsStream::Handshake::want_write:
        ready = co_await connection.wait_writable();
        break;
      case TlsStream::Handshake::plain_http: {
        worker->metrics().malformed_requests.add();
        connection.stop_tls();
        // The socket is new, so that its buffer takes all of it.
        iovec text{const_cast<char*>(plain_http_response.data()), plain_http_response.size()};
        (void)connection.send({&text, 1}, false);
        co_await linger(&connection);
        co_return false;
      }
      case TlsStream::Handshake::failed:
        worker->metrics().malformed_requests.add();
        connection.stop_tls();
        co_await linger(&connection);  // so that the alert that says why arrives
        co_return false;
    }
    if (!ready) {
      if (!worker->draining()) worker->metrics().header_timeouts.add();
      co_return false;
    }
  }
}

}  // namespace

Task<void> serve_client(Worker* worker, std::unique_ptr<Client> client) {
  if (!client->connection.plain()) {
    const bool secured = co_await secure(worker, client.get());
    if (!secured) co_return;
  }
  unsigned in_a_row = 0;
  for (;;) {
    if (client->input.empty()) {
      client->idle = true;
      if (worker->draining()) co_return;
      client->idle_since = Clock::now();
      client->connection.set_deadline(client->idle_since + worker->site()->config->idle_timeout);
      if (!client->connection.readable()) {
        in_a_row = 0;
        co_await client->connection.readable_edge();
      }
      if (client->connection.interrupted()) {
        WorkerMetrics& metrics = worker->metrics();
        if (!worker->draining()) (client->shed ? metrics.connections_shed : metrics.idle_timeouts).add();
        co_return;
      }
      client->idle = false;
    }
    bool again = false;
    try {
      again = co_await serve_request(worker, client.get());
    } catch (const std::exception&) {
      // Out of memory, in whatever state the response was: it ends here, and not as if it were whole.
      worker->metrics().requests_cut.add();
      client->connection.reset_on_close();
    }
    if (!again) co_return;
    if (++in_a_row % requests_in_a_row == 0) co_await yield_turn();
  }
}

}  // namespace ranged::server
