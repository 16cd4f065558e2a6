#pragma once
// Listening sockets: binding them, taking them over from systemd, accepting without waiting.

#include "server/config.hpp"

#include <boost/asio/ip/address.hpp>
#include <boost/system/result.hpp>

#include <optional>
#include <string>
#include <vector>

namespace ranged::server {

/// A listening, non-blocking stream socket. Move-only; closes it, and removes the file of a Unix socket that it made.
class Listener {
 public:
  /// Binds and listens. Errors: the system's (address_in_use among them). A Unix socket's file that nobody listens
  /// behind is replaced.
  static boost::system::result<Listener> bind(const ListenAddress& address);
  /// Takes over a socket that is bound and listens already (systemd). Errors: not_a_socket when it is nothing of the
  /// kind. `tls`: what it is to speak.
  static boost::system::result<Listener> adopt(int descriptor, bool tls);

  Listener(Listener&& other) noexcept;
  Listener& operator=(Listener&& other) noexcept;
  ~Listener();

  /// The address that it listens at, with the port that the kernel chose.
  [[nodiscard]] const ListenAddress& address() const noexcept { return address_; }
  [[nodiscard]] int descriptor() const noexcept { return descriptor_; }

  /// The file of a Unix socket that is to be removed at the end; empty when there is none.
  [[nodiscard]] const std::string& socket_file() const noexcept { return socket_file_; }

  struct Peer {
    int descriptor = -1;
    bool over_network = true;
    boost::asio::ip::address address;  ///< of TCP
  };
  /// The next connection, non-blocking and closed on exec; never waits. Errors: would_block when there is none, the
  /// system's.
  [[nodiscard]] boost::system::result<Peer> accept() const noexcept;

 private:
  Listener(int descriptor, ListenAddress address, std::string socket_file) noexcept;
  void close() noexcept;

  int descriptor_;
  ListenAddress address_;
  std::string socket_file_;  ///< to be removed at the end; empty for what is not ours
};

/// A descriptor that systemd passed, and the name that its unit gives it (FileDescriptorName=).
struct InheritedSocket {
  int descriptor = -1;
  std::string name;
};

/// The descriptors that systemd passed to this process (sd_listen_fds_with_names(3)), in order. Clears the variables,
/// so that no child takes them for its own.
[[nodiscard]] std::vector<InheritedSocket> inherited_sockets();

/// What each of the sockets that systemd passed in place of `listen` is to speak: TLS if its name is "tls", or all of
/// `listen` is. nullopt: `listen` has both kinds, and no name tells which socket is which.
[[nodiscard]] std::optional<std::vector<bool>> inherited_tls(const std::vector<InheritedSocket>& sockets,
                                                             const std::vector<ListenAddress>& listen);

}  // namespace ranged::server
