#include "server/listener.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <utility>

namespace ranged::server {

namespace {

/// Connections that wait to be accepted: more than the kernel's own bound (net.core.somaxconn, 4096) it does not take.
constexpr int backlog = 4096;

/// SD_LISTEN_FDS_START of sd-daemon.h.
constexpr int first_inherited_descriptor = 3;

boost::system::error_code last_error() noexcept {
  return {errno, boost::system::system_category()};
}

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;

  [[nodiscard]] const sockaddr* get() const noexcept { return reinterpret_cast<const sockaddr*>(&storage); }
};

SocketAddress to_system(const ListenAddress& address) noexcept {
  SocketAddress result;
  switch (address.kind) {
    case ListenAddress::Kind::tcp4: {
      auto& v4 = reinterpret_cast<sockaddr_in&>(result.storage);
      v4.sin_family = AF_INET;
      v4.sin_port = htons(address.port);
      ::inet_pton(AF_INET, address.host.c_str(), &v4.sin_addr);
      result.length = sizeof v4;
      break;
    }
    case ListenAddress::Kind::tcp6: {
      auto& v6 = reinterpret_cast<sockaddr_in6&>(result.storage);
      v6.sin6_family = AF_INET6;
      v6.sin6_port = htons(address.port);
      ::inet_pton(AF_INET6, address.host.c_str(), &v6.sin6_addr);
      result.length = sizeof v6;
      break;
    }
    case ListenAddress::Kind::unix_socket: {
      auto& local = reinterpret_cast<sockaddr_un&>(result.storage);
      local.sun_family = AF_UNIX;
      std::memcpy(local.sun_path, address.path.data(), std::min(address.path.size(), sizeof local.sun_path - 1));
      result.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address.path.size() + 1);
      break;
    }
  }
  return result;
}

ListenAddress from_system(const sockaddr_storage& storage) {
  ListenAddress address;
  char text[INET6_ADDRSTRLEN] = {};
  if (storage.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(storage);
    address.kind = ListenAddress::Kind::tcp4;
    address.host = ::inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
    address.port = ntohs(v4.sin_port);
  } else if (storage.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(storage);
    address.kind = ListenAddress::Kind::tcp6;
    address.host = ::inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
    address.port = ntohs(v6.sin6_port);
  } else {
    const auto& local = reinterpret_cast<const sockaddr_un&>(storage);
    address.kind = ListenAddress::Kind::unix_socket;
    address.host.clear();
    address.port = 0;
    address.path = local.sun_path;
  }
  return address;
}

/// Removes a socket's file when nobody accepts behind it: what a daemon that was killed leaves behind. Anything else
/// stays.
void remove_stale_socket(const ListenAddress& address) noexcept {
  struct stat status{};
  if (::lstat(address.path.c_str(), &status) != 0 || !S_ISSOCK(status.st_mode)) return;
  const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (probe < 0) return;
  const SocketAddress target = to_system(address);
  if (::connect(probe, target.get(), target.length) != 0 && errno == ECONNREFUSED) ::unlink(address.path.c_str());
  ::close(probe);
}

}  // namespace

boost::system::result<Listener> Listener::bind(const ListenAddress& address) {
  const bool local = address.kind == ListenAddress::Kind::unix_socket;
  const SocketAddress system_address = to_system(address);
  const int descriptor = ::socket(system_address.get()->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (descriptor < 0) return last_error();
  Listener listener(descriptor, address, {});
  const int on = 1;
  if (local) {
    remove_stale_socket(address);
  } else {
    // A restart must not wait for the last connections' TIME_WAIT.
    ::setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (address.kind == ListenAddress::Kind::tcp6) ::setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  }
  if (::bind(descriptor, system_address.get(), system_address.length) != 0) return last_error();
  if (local) listener.socket_file_ = address.path;
  if (::listen(descriptor, backlog) != 0) return last_error();
  if (!local) {
    sockaddr_storage bound{};
    socklen_t length = sizeof bound;
    if (::getsockname(descriptor, reinterpret_cast<sockaddr*>(&bound), &length) != 0) return last_error();
    listener.address_ = from_system(bound);
    listener.address_.tls = address.tls;
  }
  return listener;
}

boost::system::result<Listener> Listener::adopt(int descriptor, bool tls) {
  int accepts = 0;
  socklen_t length = sizeof accepts;
  if (::getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &length) != 0) return last_error();
  if (accepts == 0) return boost::system::errc::make_error_code(boost::system::errc::invalid_argument);
  sockaddr_storage bound{};
  length = sizeof bound;
  if (::getsockname(descriptor, reinterpret_cast<sockaddr*>(&bound), &length) != 0) return last_error();
  ::fcntl(descriptor, F_SETFD, FD_CLOEXEC);
  ::fcntl(descriptor, F_SETFL, ::fcntl(descriptor, F_GETFL) | O_NONBLOCK);
  ListenAddress address = from_system(bound);
  address.tls = tls;
  return Listener(descriptor, std::move(address), {});
}

Listener::Listener(int descriptor, ListenAddress address, std::string socket_file) noexcept
    : descriptor_(descriptor), address_(std::move(address)), socket_file_(std::move(socket_file)) {}

Listener::Listener(Listener&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      address_(std::move(other.address_)),
      socket_file_(std::exchange(other.socket_file_, {})) {}

Listener& Listener::operator=(Listener&& other) noexcept {
  if (this != &other) {
    close();
    descriptor_ = std::exchange(other.descriptor_, -1);
    address_ = std::move(other.address_);
    socket_file_ = std::exchange(other.socket_file_, {});
  }
  return *this;
}

Listener::~Listener() {
  close();
}

void Listener::close() noexcept {
  if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
  if (!socket_file_.empty()) ::unlink(std::exchange(socket_file_, {}).c_str());
}

boost::system::result<Listener::Peer> Listener::accept() const noexcept {
  for (;;) {
    sockaddr_storage storage{};
    socklen_t length = sizeof storage;
    const int descriptor =
        ::accept4(descriptor_, reinterpret_cast<sockaddr*>(&storage), &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (descriptor < 0) {
      // These are of the one connection that was to be accepted and is gone (accept(2)): the next may be well.
      if (errno == EINTR || errno == ECONNABORTED || errno == EPROTO) continue;
      return last_error();
    }
    Peer peer;
    peer.descriptor = descriptor;
    if (storage.ss_family == AF_INET) {
      peer.address = boost::asio::ip::address_v4(ntohl(reinterpret_cast<const sockaddr_in&>(storage).sin_addr.s_addr));
    } else if (storage.ss_family == AF_INET6) {
      boost::asio::ip::address_v6::bytes_type bytes;
      std::memcpy(bytes.data(), &reinterpret_cast<const sockaddr_in6&>(storage).sin6_addr, bytes.size());
      peer.address = boost::asio::ip::address_v6(bytes);
    } else {
      peer.over_network = false;
    }
    return peer;
  }
}

std::vector<InheritedSocket> inherited_sockets() {
  std::vector<InheritedSocket> sockets;
  // Before the first thread.
  const auto variable = [](const char* name) -> std::string_view {
    const char* const text = std::getenv(name);  // NOLINT(concurrency-mt-unsafe)
    return text != nullptr ? text : "";
  };
  const auto number_of = [&](const char* name) {
    const std::string_view text = variable(name);
    int number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
  };
  if (number_of("LISTEN_PID") == ::getpid()) {
    std::string_view names = variable("LISTEN_FDNAMES");
    const int count = number_of("LISTEN_FDS");
    for (int i = 0; i < count; ++i) {
      const std::size_t end = std::min(names.find(':'), names.size());
      sockets.push_back({first_inherited_descriptor + i, std::string(names.substr(0, end))});
      names.remove_prefix(std::min(end + 1, names.size()));
    }
  }
  for (const char* const name : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}) {
    ::unsetenv(name);  // NOLINT(concurrency-mt-unsafe): before the first thread
  }
  return sockets;
}

std::optional<std::vector<bool>> inherited_tls(const std::vector<InheritedSocket>& sockets,
                                               const std::vector<ListenAddress>& listen) {
  const bool all = std::ranges::all_of(listen, &ListenAddress::tls);
  const bool any = std::ranges::any_of(listen, &ListenAddress::tls);
  std::vector<bool> speak;
  bool named = false;
  for (const InheritedSocket& socket : sockets) {
    named = named || socket.name == "tls";
    speak.push_back(all || socket.name == "tls");
  }
  if (!sockets.empty() && any && !all && !named) return std::nullopt;
  return speak;
}

}  // namespace ranged::server
