#include "server/healthcheck.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <system_error>
#include <utility>

namespace ranged::server {
namespace {

using Clock = std::chrono::steady_clock;

struct Url {
  bool tls = false;
  std::string socket_path;  ///< of unix:, else empty
  std::string host;         ///< without brackets
  std::string port = "80";
  std::string host_field;  ///< for the Host field
  std::string path = "/healthz";
};

/// RFC 3986's characters of a path and query, so that nothing given here can end the request line.
bool is_target(std::string_view text) noexcept {
  return text.starts_with('/') &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f && c != '#'; });
}

std::optional<Url> parse(std::string_view text) {
  constexpr std::string_view http = "http://";
  constexpr std::string_view https = "https://";
  constexpr std::string_view unix_socket = "unix:";
  Url url;
  if (text.starts_with(unix_socket)) {
    text.remove_prefix(unix_socket.size());
    if (const std::size_t colon = text.find(":/"); colon != std::string_view::npos) {
      url.path = text.substr(colon + 1);
      text = text.substr(0, colon);
    }
    if (text.empty() || text.size() >= sizeof(sockaddr_un::sun_path) || !is_target(url.path)) return std::nullopt;
    url.socket_path = text;
    url.host_field = "localhost";
    return url;
  }
  url.tls = text.starts_with(https);
  if (!url.tls && !text.starts_with(http)) return std::nullopt;
  if (url.tls) url.port = "443";
  text.remove_prefix(url.tls ? https.size() : http.size());
  const std::size_t slash = std::min(text.find('/'), text.size());
  if (slash < text.size()) url.path = text.substr(slash);
  std::string_view authority = text.substr(0, slash);
  url.host_field = authority;
  if (authority.starts_with('[')) {
    const std::size_t bracket = authority.find(']');
    if (bracket == std::string_view::npos) return std::nullopt;
    url.host = authority.substr(1, bracket - 1);
    authority.remove_prefix(bracket + 1);
  } else {
    const std::size_t colon = std::min(authority.find(':'), authority.size());
    url.host = authority.substr(0, colon);
    authority.remove_prefix(colon);
  }
  if (authority.starts_with(':')) {
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(authority.data() + 1, authority.data() + authority.size(), port);
    if (error != std::errc{} || end != authority.data() + authority.size() || port == 0) return std::nullopt;
    url.port = std::to_string(port);
  } else if (!authority.empty()) {
    return std::nullopt;
  }
  const bool host_is_sound = !url.host.empty() && std::all_of(url.host.begin(), url.host.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
           c == '_' || c == ':';
  });
  if (!host_is_sound || !is_target(url.path)) return std::nullopt;
  return url;
}

class Socket {
 public:
  explicit Socket(int family) noexcept : descriptor_(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {}
  ~Socket() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  [[nodiscard]] int get() const noexcept { return descriptor_; }

  /// 0, or the error; ETIMEDOUT at the deadline.
  [[nodiscard]] int wait(short events, Clock::time_point deadline) const noexcept {
    for (;;) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
      pollfd polled{descriptor_, events, 0};
      const int ready = ::poll(&polled, 1, static_cast<int>(std::clamp<std::int64_t>(left, 0, 3'600'000)));
      if (ready > 0) return 0;
      if (ready == 0) return ETIMEDOUT;
      if (errno != EINTR) return errno;
    }
  }

  [[nodiscard]] int connect(const sockaddr* address, socklen_t length, Clock::time_point deadline) const noexcept {
    if (descriptor_ < 0) return errno;
    if (::connect(descriptor_, address, length) == 0) return 0;
    if (errno != EINPROGRESS && errno != EINTR) return errno;
    if (const int error = wait(POLLOUT, deadline); error != 0) return error;
    int error = 0;
    socklen_t size = sizeof(error);
    if (::getsockopt(descriptor_, SOL_SOCKET, SO_ERROR, &error, &size) != 0) return errno;
    return error;
  }

 private:
  int descriptor_;
};

HealthcheckOutcome failed(std::string_view what, int error) {
  return {false, std::string(what) + ": " + std::system_category().message(error)};
}

/// What a call on a connection that does not wait came to.
struct Step {
  ssize_t count = 0;  ///< bytes that were sent or received; 0: the end
  short wait = 0;     ///< not 0: nothing, until poll() says this
  int error = 0;      ///< not 0: it failed; the system's number, or not_of_the_system
};
constexpr int not_of_the_system = -1;

/// A connection, plain or encrypted. Whose certificate it is is not looked at: who asks for the health of a daemon of
/// its own learns nothing that another could make use of, and sends no secret.
class Channel {
 public:
  explicit Channel(const Socket& socket) noexcept : socket_(&socket) {}

  /// Makes it an encrypted one. Returns what is wrong, or empty.
  [[nodiscard]] std::string begin_tls(const Url& url, Clock::time_point deadline) {
    context_.reset(::SSL_CTX_new(::TLS_client_method()));
    if (context_ == nullptr) return "TLS cannot be set up";
    session_.reset(::SSL_new(context_.get()));
    if (session_ == nullptr || ::SSL_set_fd(session_.get(), socket_->get()) != 1) return "TLS cannot be set up";
    in6_addr literal{};
    // RFC 6066, 3: names alone, no addresses.
    if (::inet_pton(AF_INET, url.host.c_str(), &literal) != 1 &&
        ::inet_pton(AF_INET6, url.host.c_str(), &literal) != 1) {
      // SSL_set_tlsext_host_name() as it is defined, without its casts.
      std::string name = url.host;
      ::SSL_ctrl(session_.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name.data());
    }
    ::SSL_set_connect_state(session_.get());
    for (;;) {
      ::ERR_clear_error();
      const Step step = outcome_of(::SSL_do_handshake(session_.get()));
      if (step.error != 0) return "the TLS handshake: " + describe(step.error);
      if (step.wait == 0) return step.count > 0 ? std::string{} : "the TLS handshake: the connection ended";
      if (const int error = socket_->wait(step.wait, deadline); error != 0) {
        return "the TLS handshake: " + describe(error);
      }
    }
  }

  [[nodiscard]] Step send(std::string_view data) {
    if (session_ != nullptr) {
      ::ERR_clear_error();
      return outcome_of(::SSL_write(session_.get(), data.data(), static_cast<int>(data.size())));
    }
    return outcome_of(::send(socket_->get(), data.data(), data.size(), MSG_NOSIGNAL), POLLOUT);
  }

  [[nodiscard]] Step receive(std::span<char> room) {
    if (session_ != nullptr) {
      ::ERR_clear_error();
      return outcome_of(::SSL_read(session_.get(), room.data(), static_cast<int>(room.size())));
    }
    return outcome_of(::recv(socket_->get(), room.data(), room.size(), 0), POLLIN);
  }

  [[nodiscard]] int wait(short events, Clock::time_point deadline) const noexcept {
    return socket_->wait(events, deadline);
  }

  [[nodiscard]] static std::string describe(int error) {
    if (error != not_of_the_system) return std::system_category().message(error);
    const char* const reason = ::ERR_reason_error_string(::ERR_peek_error());
    return reason != nullptr ? reason : "it is not understood";
  }

 private:
  /// Of a system call.
  static Step outcome_of(ssize_t count, short events) noexcept {
    if (count >= 0) return {count, 0, 0};
    if (errno == EAGAIN) return {0, events, 0};
    return errno == EINTR ? Step{0, static_cast<short>(POLLIN | POLLOUT), 0} : Step{0, 0, errno};
  }

  /// Of a call of OpenSSL.
  [[nodiscard]] Step outcome_of(int result) const noexcept {
    const int system_error = errno;
    switch (::SSL_get_error(session_.get(), result)) {
      case SSL_ERROR_NONE:
        return {result, 0, 0};
      case SSL_ERROR_WANT_READ:
        return {0, POLLIN, 0};
      case SSL_ERROR_WANT_WRITE:
        return {0, POLLOUT, 0};
      case SSL_ERROR_ZERO_RETURN:
        return {};
      case SSL_ERROR_SYSCALL:
        return {0, 0, system_error};  // 0: an end without a close_notify
      default:
        return {0, 0, not_of_the_system};
    }
  }

  const Socket* socket_;
  std::unique_ptr<SSL_CTX, decltype(&::SSL_CTX_free)> context_{nullptr, &::SSL_CTX_free};
  std::unique_ptr<SSL, decltype(&::SSL_free)> session_{nullptr, &::SSL_free};
};

/// Sends the request and reads the status line.
HealthcheckOutcome ask(const Socket& socket, const Url& url, Clock::time_point deadline) {
  Channel channel(socket);
  if (url.tls) {
    if (std::string problem = channel.begin_tls(url, deadline); !problem.empty()) return {false, std::move(problem)};
  }
  const std::string request = "GET " + url.path + " HTTP/1.1\r\nHost: " + url.host_field +
                              "\r\nUser-Agent: ranged-healthcheck\r\nConnection: close\r\n\r\n";
  for (std::string_view left = request; !left.empty();) {
    const Step step = channel.send(left);
    if (step.error != 0) return {false, "sending: " + Channel::describe(step.error)};
    if (step.wait != 0) {
      if (const int error = channel.wait(step.wait, deadline); error != 0) return failed("sending", error);
    } else if (step.count == 0) {
      return {false, "sending: the connection ended"};
    }
    left.remove_prefix(static_cast<std::size_t>(step.count));
  }
  // RFC 9112, 4: "HTTP/1.1 200 " are 13 characters; the status stands at the tenth.
  std::array<char, 13> line{};
  std::size_t have = 0;
  while (have < line.size()) {
    const Step step = channel.receive(std::span(line).subspan(have));
    if (step.error != 0) return {false, "receiving: " + Channel::describe(step.error)};
    if (step.wait != 0) {
      if (const int error = channel.wait(step.wait, deadline); error != 0) return failed("receiving", error);
    } else if (step.count == 0) {
      break;
    }
    have += static_cast<std::size_t>(step.count);
  }
  const std::string_view text(line.data(), have);
  const std::string_view status = text.size() == line.size() ? text.substr(9, 3) : std::string_view{};
  const bool is_http = text.starts_with("HTTP/1.") && text.size() == line.size() && text[8] == ' ' &&
                       std::all_of(status.begin(), status.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!is_http) return {false, "the answer is not HTTP/1.1"};
  return {status.front() == '2', std::string(status)};
}

}  // namespace

HealthcheckOutcome healthcheck(std::string_view text, std::chrono::milliseconds timeout) {
  const Clock::time_point deadline = Clock::now() + timeout;
  const std::optional<Url> url = parse(text);
  if (!url)
    return {false, "the URL is none of http://HOST[:PORT][/PATH], https://HOST[:PORT][/PATH] and unix:/SOCKET[:/PATH]"};
  if (!url->socket_path.empty()) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, url->socket_path.data(), url->socket_path.size());
    const Socket socket(AF_UNIX);
    if (const int error = socket.connect(reinterpret_cast<const sockaddr*>(&address), sizeof(address), deadline);
        error != 0) {
      return failed("connecting", error);
    }
    return ask(socket, *url, deadline);
  }
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int error = ::getaddrinfo(url->host.c_str(), url->port.c_str(), &hints, &found); error != 0) {
    return {false, std::string("looking up the host: ") + ::gai_strerror(error)};
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses(found, &::freeaddrinfo);
  int error = EADDRNOTAVAIL;
  for (const addrinfo* address = addresses.get(); address != nullptr; address = address->ai_next) {
    const Socket socket(address->ai_family);
    error = socket.connect(address->ai_addr, address->ai_addrlen, deadline);
    if (error == 0) return ask(socket, *url, deadline);
  }
  return failed("connecting", error);
}

}  // namespace ranged::server
