#pragma once
// A connected, non-blocking stream socket: receive, send, wait, and its deadline.

#include "server/readiness.hpp"
#include "server/scarcity.hpp"
#include "server/tls_stream.hpp"

#include <boost/system/result.hpp>

#include <sys/uio.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace ranged::server {

using Clock = std::chrono::steady_clock;

/// In order: a state is followed by later ones only.
enum class PeerState : std::uint8_t {
  there,
  /// It sends no more. It may read on (a half-closed connection), or have closed: then what it is sent next is answered
  /// by a reset, and it is gone.
  finished,
  gone,
};

class Connection {
 public:
  /// Takes over `descriptor` and registers it.
  Connection(int descriptor, Readiness& readiness) noexcept;
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// False when the socket could not be registered: it is of no use then.
  [[nodiscard]] bool valid() const noexcept { return valid_; }

  /// Makes it a TLS connection, before its first byte. Throws std::bad_alloc.
  void start_tls(const TlsContext& context) { tls_ = std::make_unique<TlsStream>(context, descriptor_); }
  /// Makes it a plain one again: what comes next goes out as it is.
  void stop_tls() noexcept { tls_.reset(); }
  /// Whether bytes go out as they are: what must be copied to be encrypted cannot be handed over by reference.
  [[nodiscard]] bool plain() const noexcept { return tls_ == nullptr; }
  /// Goes on with a handshake; never waits.
  [[nodiscard]] TlsStream::Handshake handshake() noexcept;

  /// Takes what is there, never waits. 0: the peer has ended its half. Errors: would_block, or the system's.
  [[nodiscard]] boost::system::result<std::size_t> receive(std::span<char> buffer) noexcept;
  /// Gives what the kernel takes, in one sendmsg; `more` says that other bytes follow at once (MSG_MORE). Never waits.
  [[nodiscard]] boost::system::result<std::size_t> send(std::span<iovec> buffers, bool more) noexcept;
  /// Gives file bytes without a copy through the process (sendfile). 0: the file ends at `offset`.
  [[nodiscard]] boost::system::result<std::size_t> send_file(int file, std::uint64_t offset,
                                                             std::size_t length) noexcept;

  /// Whether a receive is worth trying now.
  [[nodiscard]] bool readable() const noexcept { return watch_.readable(); }
  /// What is known of the peer, for an answer that is long in the making. Thread-safe as long as the connection lives.
  /// Cost: one system call.
  [[nodiscard]] PeerState peer_state() const noexcept;
  /// Suspends until readable(): what wait_readable() waits for, without a frame of its own.
  [[nodiscard]] auto readable_edge() noexcept { return watch_.wait_readable(); }
  /// Suspends until a receive (send) is worth trying. False: the deadline passed, or the daemon stops.
  Task<bool> wait_readable();
  Task<bool> wait_writable();

  void set_deadline(Clock::time_point deadline) noexcept {
    deadline_ = deadline;
    patience_ = {};
  }
  [[nodiscard]] Clock::time_point deadline() const noexcept { return deadline_; }
  /// A deadline that counts progress: it passes when the peer has taken not a byte for `patience`. (Room in the socket
  /// is no measure: the kernel tells of it when a good part of what it holds has gone, which takes a slow peer
  /// minutes.)
  void expect_progress(Clock::time_point now, Clock::duration patience) noexcept;
  /// What the connection holds, from now on; null: nothing. While somebody else wants it, a peer that takes nothing
  /// has stalled_scarce of patience and no more.
  void hold(const Scarcity* scarcity) noexcept { held_ = scarcity; }
  static constexpr std::chrono::seconds stalled_scarce{5};
  /// For the sweep: interrupt(), when the deadline has passed. Cost: once a second, of who waits for its peer to take
  /// something, one system call.
  void end_when_overdue(Clock::time_point now);
  /// Ends the wait of whoever waits, now and later; the coroutine then closes.
  void interrupt() { watch_.interrupt(); }
  [[nodiscard]] bool interrupted() const noexcept { return watch_.interrupted(); }

  /// How many unsent bytes the kernel may hold for the socket: the usual bound, or a wide one for a transfer that keeps
  /// up (README.md, rule 9).
  void set_wide(bool wide) noexcept;

  /// Ends our half, so that the peer sees the end after the last byte.
  void shut_down_send() noexcept;
  /// Whether something that was sent has not reached the client's machine yet (SIOCOUTQ, tcp(7)). One system call.
  [[nodiscard]] bool has_unacknowledged() const noexcept;
  /// Makes closing send a reset and drop what is unsent: the end of a cut or stalled transfer must not look like a
  /// whole one, and must free the kernel's memory at once.
  void reset_on_close() noexcept;

  /// "address:port" of the peer, or "unix".
  [[nodiscard]] std::string peer() const;

 private:
  Readiness* readiness_;
  ReadinessWatch watch_;
  int descriptor_;
  bool valid_;
  bool reset_ = false;              ///< reset_on_close() was called
  std::unique_ptr<TlsStream> tls_;  ///< null: plain
  Clock::time_point deadline_ = Clock::time_point::max();
  // Of expect_progress():
  Clock::duration patience_{};  ///< 0: the deadline counts no progress
  Clock::time_point took_at_;   ///< when the peer was last known to take something
  Clock::time_point look_at_;   ///< when it is looked at next
  int untaken_ = -1;            ///< bytes that it had not taken at the last look; -1: not looked at yet
  const Scarcity* held_ = nullptr;
};

/// Says for as long as it lives that a connection holds something scarce.
class Holding {
 public:
  Holding(Connection& connection, const Scarcity& scarcity) noexcept : connection_(&connection) {
    connection.hold(&scarcity);
  }
  Holding(const Holding&) = delete;
  Holding& operator=(const Holding&) = delete;
  ~Holding() { connection_->hold(nullptr); }

 private:
  Connection* connection_;
};

}  // namespace ranged::server
