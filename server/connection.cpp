#include "server/connection.hpp"

#include <fmt/format.h>

#include <arpa/inet.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace ranged::server {

namespace {

/// Unsent bytes that the kernel may hold for one socket (law 1): enough to keep a fast receiver busy between two turns
/// of the loop, little enough that thousands of stalled readers do not fill the machine's TCP memory.
constexpr int unsent_low_water = 256 << 10;

/// And for one that downloads at full speed: a client that takes gigabytes is woken less often (README.md, costs).
constexpr int wide_unsent_low_water = 4 << 20;

/// How often a peer that is to take something is looked at.
constexpr std::chrono::seconds look_interval{1};

boost::system::error_code last_error() noexcept {
  return {errno, boost::system::system_category()};
}

}  // namespace

Connection::Connection(int descriptor, Readiness& readiness) noexcept
    : readiness_(&readiness), descriptor_(descriptor), valid_(readiness.add(descriptor, watch_)) {
  // Both fail on Unix sockets, which have neither delayed acknowledgements nor the unsent queue.
  const int on = 1;
  ::setsockopt(descriptor_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::setsockopt(descriptor_, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent_low_water, sizeof unsent_low_water);
}

Connection::~Connection() {
  if (tls_ && !reset_) tls_->close_notify();
  readiness_->forget(watch_);
  ::close(descriptor_);
}

TlsStream::Handshake Connection::handshake() noexcept {
  const TlsStream::Handshake outcome = tls_->handshake();
  if (outcome == TlsStream::Handshake::want_read) watch_.clear_readable();
  if (outcome == TlsStream::Handshake::want_write) watch_.clear_writable();
  return outcome;
}

boost::system::result<std::size_t> Connection::receive(std::span<char> buffer) noexcept {
  if (tls_) {
    // Only would_block says that neither the socket nor OpenSSL holds more.
    const boost::system::result<std::size_t> count = tls_->receive(buffer);
    if (!count && count.error() == boost::system::errc::resource_unavailable_try_again) watch_.clear_readable();
    return count;
  }
  for (;;) {
    const ssize_t count = ::recv(descriptor_, buffer.data(), buffer.size(), 0);
    if (count >= 0) {
      // Short: nothing is left, and the next byte makes an edge. (The end makes none if it was seen already.)
      if (static_cast<std::size_t>(count) < buffer.size()) watch_.clear_readable();
      return static_cast<std::size_t>(count);
    }
    if (errno == EINTR) continue;
    if (errno == EAGAIN) watch_.clear_readable();
    return last_error();
  }
}

boost::system::result<std::size_t> Connection::send(std::span<iovec> buffers, bool more) noexcept {
  if (tls_) {
    const boost::system::result<std::size_t> count = tls_->send(buffers, more);
    if (tls_->unsent() > 0) watch_.clear_writable();
    return count;
  }
  msghdr message{};
  message.msg_iov = buffers.data();
  message.msg_iovlen = buffers.size();
  std::size_t total = 0;
  for (const iovec& buffer : buffers) total += buffer.iov_len;
  for (;;) {
    const ssize_t count = ::sendmsg(descriptor_, &message, MSG_NOSIGNAL | (more ? MSG_MORE : 0));
    if (count >= 0) {
      // Short: the socket is full, and room makes an edge.
      if (static_cast<std::size_t>(count) < total) watch_.clear_writable();
      return static_cast<std::size_t>(count);
    }
    if (errno == EINTR) continue;
    if (errno == EAGAIN) watch_.clear_writable();
    return last_error();
  }
}

boost::system::result<std::size_t> Connection::send_file(int file, std::uint64_t offset, std::size_t length) noexcept {
  auto position = static_cast<off_t>(offset);
  for (;;) {
    const ssize_t count = ::sendfile(descriptor_, file, &position, length);
    if (count >= 0) return static_cast<std::size_t>(count);
    if (errno == EINTR) continue;
    if (errno == EAGAIN) watch_.clear_writable();
    return last_error();
  }
}

PeerState Connection::peer_state() const noexcept {
  pollfd state{descriptor_, POLLRDHUP, 0};  // POLLERR and POLLHUP are always told
  if (::poll(&state, 1, 0) <= 0) return PeerState::there;
  return (state.revents & (POLLERR | POLLHUP)) != 0 ? PeerState::gone : PeerState::finished;
}

Task<bool> Connection::wait_readable() {
  if (!watch_.readable()) co_await watch_.wait_readable();
  co_return !watch_.interrupted();
}

Task<bool> Connection::wait_writable() {
  if (!watch_.writable()) co_await watch_.wait_writable();
  co_return !watch_.interrupted();
}

void Connection::expect_progress(Clock::time_point now, Clock::duration patience) noexcept {
  deadline_ = now + patience;
  patience_ = patience;
  took_at_ = look_at_ = now;
  untaken_ = -1;
}

void Connection::end_when_overdue(Clock::time_point now) {
  if (patience_ != Clock::duration{} && (now >= look_at_ || now >= deadline_)) {
    look_at_ = now + look_interval;
    int untaken = 0;
    if (::ioctl(descriptor_, SIOCOUTQ, &untaken) == 0) {
      if (untaken < untaken_) {
        took_at_ = now;
        deadline_ = now + patience_;
      }
      untaken_ = untaken;
    }
    if (held_ != nullptr && held_->wanted(now) && now - took_at_ >= stalled_scarce) deadline_ = now;
  }
  if (deadline_ <= now) interrupt();
}

void Connection::set_wide(bool wide) noexcept {
  const int bytes = wide ? wide_unsent_low_water : unsent_low_water;
  ::setsockopt(descriptor_, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bytes, sizeof bytes);
}

void Connection::shut_down_send() noexcept {
  if (tls_) tls_->close_notify();
  ::shutdown(descriptor_, SHUT_WR);
}

bool Connection::has_unacknowledged() const noexcept {
  int bytes = 0;
  return ::ioctl(descriptor_, SIOCOUTQ, &bytes) == 0 && bytes > 0;
}

void Connection::reset_on_close() noexcept {
  reset_ = true;
  const linger at_once{1, 0};
  ::setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

std::string Connection::peer() const {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  if (::getpeername(descriptor_, reinterpret_cast<sockaddr*>(&address), &length) != 0) return "unknown";
  char text[INET6_ADDRSTRLEN] = {};
  if (address.ss_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&address);
    ::inet_ntop(AF_INET, &v4->sin_addr, text, sizeof text);
    return fmt::format("{}:{}", text, ntohs(v4->sin_port));
  }
  if (address.ss_family == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&address);
    ::inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof text);
    return fmt::format("[{}]:{}", text, ntohs(v6->sin6_port));
  }
  return "unix";
}

}  // namespace ranged::server
