#include "server/acceptor.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <string_view>
#include <system_error>
#include <utility>

namespace ranged::server {

namespace {

/// Connections accepted from one listener before the others, and signals, get their turn.
constexpr int accepts_in_a_row = 64;

/// How long accepting rests when the process has no descriptor left, or the kernel another objection; until then some
/// may have been closed.
constexpr std::chrono::milliseconds pause_time{100};

/// What a client gets for which there is no place; the head of its request is not waited for.
std::string make_full_response(std::chrono::seconds retry_after) {
  constexpr std::string_view body =
      "{\"type\":\"/problems/unavailable\",\"title\":\"Unavailable\",\"status\":503,\"detail\":\"Too many connections "
      "are open.\"}\n";
  return fmt::format(
      "HTTP/1.1 503 Service Unavailable\r\nServer: ranged\r\nContent-Type: application/problem+json\r\n"
      "Content-Length: {}\r\nRetry-After: {}\r\nConnection: close\r\n\r\n{}",
      body.size(), retry_after.count(), body);
}

int open_spare() noexcept {
  return ::open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/// Whether it is that error of the system. By its number: a condition is compared by virtual calls, which the
/// sanitizers cannot check without a descriptor.
bool is(const boost::system::error_code& error, int number) noexcept {
  return error == boost::system::error_code(number, boost::system::system_category());
}

bool out_of_descriptors(const boost::system::error_code& error) noexcept {
  return is(error, EMFILE) || is(error, ENFILE) || is(error, ENOBUFS) || is(error, ENOMEM);
}

void turn_away(int descriptor, bool tls, std::string_view response) noexcept {
  if (tls) {  // a handshake is more than there is place for
    ::close(descriptor);
    return;
  }
  // The socket is new, so that its buffer takes all of it; what the client has sent by now is dropped, so that closing
  // does not reset.
  (void)::send(descriptor, response.data(), response.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  ::shutdown(descriptor, SHUT_WR);
  char discarded[4096];
  (void)::recv(descriptor, discarded, sizeof discarded, MSG_DONTWAIT);
  ::close(descriptor);
}

}  // namespace

Acceptor::Acceptor(asio::io_context& context, std::vector<Listener> listeners,
                   const std::vector<std::unique_ptr<Worker>>& workers, const AcceptorLimits& limits,
                   SharedMetrics& metrics)
    : workers_(&workers),
      limits_(limits),
      metrics_(&metrics),
      clients_(limits.connections_per_client),
      pause_(context),
      spare_descriptor_(open_spare()) {
  use(limits);
  for (Listener& listener : listeners) {
    const int duplicate = ::fcntl(listener.descriptor(), F_DUPFD_CLOEXEC, 0);
    if (duplicate < 0) throw std::system_error(errno, std::system_category(), "no descriptor left to listen with");
    asio::posix::stream_descriptor readiness(context, duplicate);
    waiting_.push_back(std::make_unique<Waiting>(Waiting{std::move(listener), std::move(readiness), false}));
  }
}

Acceptor::~Acceptor() {
  if (spare_descriptor_ >= 0) ::close(spare_descriptor_);
}

void Acceptor::start() {
  for (const auto& waiting : waiting_) wait(*waiting);
}

void Acceptor::use(const AcceptorLimits& limits) {
  limits_ = limits;
  full_response_ = make_full_response(limits.retry_after);
  clients_.use(limits.connections_per_client);
  metrics_->connection_limit.store(limits.connections, std::memory_order_relaxed);
}

void Acceptor::stop() {
  stopped_ = true;
  pause_.cancel();
  waiting_.clear();
}

std::size_t Acceptor::connections() const noexcept {
  std::size_t total = 0;
  for (const auto& worker : *workers_) total += worker->connections();
  return total;
}

void Acceptor::wait(Waiting& waiting) {
  waiting.readiness.async_wait(asio::posix::stream_descriptor::wait_read,
                               [this, &waiting](const boost::system::error_code& error) {
                                 if (!error && !stopped_) accept_all(waiting);
                               });
}

void Acceptor::accept_all(Waiting& waiting) {
  for (int i = 0; i < accepts_in_a_row; ++i) {
    boost::system::result<Listener::Peer> peer = waiting.listener.accept();
    if (peer) {
      place(*peer, waiting.listener.address().tls);
      continue;
    }
    if (is(peer.error(), EAGAIN)) break;
    metrics_->accept_errors.fetch_add(1, std::memory_order_relaxed);
    warn_of_error(peer.error());
    if (out_of_descriptors(peer.error())) shed(waiting.listener);
    pause(waiting);
    return;
  }
  wait(waiting);
}

void Acceptor::pause(Waiting& waiting) {
  metrics_->accept_pauses.fetch_add(1, std::memory_order_relaxed);
  waiting.paused = true;
  // To set the timer anew would end the pause of the listener that has set it.
  if (std::exchange(pausing_, true)) return;
  pause_.expires_after(pause_time);
  pause_.async_wait([this](const boost::system::error_code& error) {
    pausing_ = false;
    if (error || stopped_) return;
    for (const auto& each : waiting_) {
      if (std::exchange(each->paused, false)) wait(*each);
    }
  });
}

void Acceptor::shed(const Listener& listener) {
  if (spare_descriptor_ < 0) return;
  ::close(std::exchange(spare_descriptor_, -1));
  if (const boost::system::result<Listener::Peer> peer = listener.accept()) {
    metrics_->connections_refused.fetch_add(1, std::memory_order_relaxed);
    turn_away(peer->descriptor, listener.address().tls, full_response_);
  }
  spare_descriptor_ = open_spare();
}

void Acceptor::warn_of_error(const boost::system::error_code& error) {
  std::uint64_t suppressed = 0;
  if (!error_log_.admit(std::chrono::steady_clock::now(), suppressed)) return;
  const std::string_view remedy = is(error, EMFILE) ? "LimitNOFILE= or ulimit -Hn, or a lower max_connections" : "";
  const char* const reason = ::strerrordesc_np(error.value());
  log(LogLevel::warning, "connections cannot be accepted",
      {{"reason", reason != nullptr ? reason : "unknown"}, {"would_do", remedy}, {"suppressed", suppressed}});
}

void Acceptor::warn_of_full() {
  std::uint64_t suppressed = 0;
  if (!full_log_.admit(std::chrono::steady_clock::now(), suppressed)) return;
  log(LogLevel::warning, "connections are refused: there are as many as may be",
      {{"max_connections", limits_.connections}, {"suppressed", suppressed}});
}

void Acceptor::place(const Listener::Peer& peer, bool tls) {
  Accepted accepted;
  accepted.descriptor = peer.descriptor;
  accepted.over_network = peer.over_network;
  accepted.tls = tls;
  const auto fewest = std::min_element(workers_->begin(), workers_->end(), [](const auto& a, const auto& b) {
    return a->connections() < b->connections();
  });
  bool placed = false;
  const bool full = connections() >= limits_.connections;
  if (full) warn_of_full();
  try {
    // Counted also where one address may have all: a reload may change that, and then those who are there count.
    if (!full && (!peer.over_network || clients_.take(peer.address, accepted.slot))) {
      (*fewest)->adopt(std::move(accepted));
      placed = true;
    }
  } catch (const std::bad_alloc&) {
    placed = false;  // There is no room for it, either.
  }
  if (placed) return;
  metrics_->connections_refused.fetch_add(1, std::memory_order_relaxed);
  turn_away(peer.descriptor, tls, full_response_);
}

}  // namespace ranged::server
