#include "server/healthcheck.hpp"

#include <fcntl.h>
#include <netdb.h>
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
#include <system_error>
#include <utility>

namespace ranged::server {
namespace {

using Clock = std::chrono::steady_clock;

struct Url {
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
  if (!text.starts_with(http)) return std::nullopt;
  text.remove_prefix(http.size());
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

/// Sends the request and reads the status line.
HealthcheckOutcome ask(const Socket& socket, const Url& url, Clock::time_point deadline) {
  const std::string request = "GET " + url.path + " HTTP/1.1\r\nHost: " + url.host_field +
                              "\r\nUser-Agent: ranged-healthcheck\r\nConnection: close\r\n\r\n";
  for (std::string_view left = request; !left.empty();) {
    const ssize_t sent = ::send(socket.get(), left.data(), left.size(), MSG_NOSIGNAL);
    if (sent >= 0) {
      left.remove_prefix(static_cast<std::size_t>(sent));
    } else if (errno == EAGAIN) {
      if (const int error = socket.wait(POLLOUT, deadline); error != 0) return failed("sending", error);
    } else if (errno != EINTR) {
      return failed("sending", errno);
    }
  }
  // RFC 9112, 4: "HTTP/1.1 200 " are 13 characters; the status stands at the tenth.
  std::array<char, 13> line{};
  std::size_t have = 0;
  while (have < line.size()) {
    const ssize_t count = ::recv(socket.get(), line.data() + have, line.size() - have, 0);
    if (count > 0) {
      have += static_cast<std::size_t>(count);
    } else if (count == 0) {
      break;
    } else if (errno == EAGAIN) {
      if (const int error = socket.wait(POLLIN, deadline); error != 0) return failed("receiving", error);
    } else if (errno != EINTR) {
      return failed("receiving", errno);
    }
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
  if (!url) return {false, "the URL is neither http://HOST[:PORT][/PATH] nor unix:/SOCKET[:/PATH]"};
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
