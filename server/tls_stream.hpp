#pragma once
// TLS over one non-blocking socket: records are encrypted from wherever the bytes lie and handed to the socket at once.

#include "server/tls_context.hpp"

#include <boost/system/result.hpp>

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

struct ssl_st;

namespace ranged::server {

/// Not thread-safe: lives on its connection's thread. Memory: what the kernel does not take of a record, 16 KiB and a
/// few bytes at most, is kept until it does; nothing more is encrypted meanwhile.
class TlsStream {
 public:
  /// `descriptor` stays the caller's. Throws std::bad_alloc.
  TlsStream(const TlsContext& context, int descriptor);
  ~TlsStream();
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;

  enum class Handshake : std::uint8_t {
    done,
    want_read,   ///< to be called again when the socket is readable
    want_write,  ///< ... writable
    plain_http,  ///< the peer speaks HTTP without TLS
    failed,
  };
  /// Goes as far with the handshake as it can without waiting. Cost: up to some milliseconds for the signature.
  [[nodiscard]] Handshake handshake() noexcept;

  /// As Connection::receive(). 0: the peer has ended, by close_notify or without.
  [[nodiscard]] boost::system::result<std::size_t> receive(std::span<char> buffer) noexcept;

  /// As Connection::send(): how many bytes were taken; fewer than given, or would_block: the socket is full. Of a
  /// record that the socket took in part, the last byte is not counted as taken, so that the sender waits and comes
  /// back with it; it is then known to be under way already.
  [[nodiscard]] boost::system::result<std::size_t> send(std::span<const iovec> buffers, bool more) noexcept;

  /// Tells the peer that nothing more comes (RFC 8446, 6.1), as far as the socket takes it.
  void close_notify() noexcept;

  /// Bytes encrypted that the socket has not taken.
  [[nodiscard]] std::size_t unsent() const noexcept { return unsent_.size() - unsent_begin_; }

 private:
  friend struct TlsTransport;
  struct Free {
    void operator()(ssl_st* ssl) const noexcept;
  };

  /// Hands records to the socket, keeps what it does not take. False: the socket is broken, or too much is kept.
  bool write_out(const char* data, std::size_t size) noexcept;
  /// Hands over what was kept. Error: would_block, or the system's.
  boost::system::result<void> flush() noexcept;

  int descriptor_;
  bool more_follows_ = false;   ///< another record comes at once (MSG_MORE)
  bool broken_ = false;         ///< OpenSSL must not be asked again
  bool last_withheld_ = false;  ///< the next byte to be sent was encrypted already
  std::unique_ptr<ssl_st, Free> ssl_;
  std::vector<char> unsent_;
  std::size_t unsent_begin_ = 0;
};

}  // namespace ranged::server
