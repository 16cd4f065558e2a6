#pragma once
// Which connections of a worker can be read from or written to: one epoll set, each socket registered once for its
// whole life (edge-triggered), and that set itself waited for by the worker's io_context.
//
// Why not Asio's sockets: each wait on one costs an epoll_ctl or a receive that fails, which is 3 to 5 % of a 4 KiB
// request.

#include "server/task.hpp"

#include <boost/asio/posix/basic_stream_descriptor.hpp>

#include <chrono>
#include <cstdint>

namespace ranged::server {

/// One registered socket. Not thread-safe: lives on its worker's thread.
class ReadinessWatch {
 public:
  ReadinessWatch() = default;
  ReadinessWatch(const ReadinessWatch&) = delete;
  ReadinessWatch& operator=(const ReadinessWatch&) = delete;

  /// Whether a receive (send) is worth trying: an edge was seen since the last one that would have blocked.
  [[nodiscard]] bool readable() const noexcept { return readable_ || interrupted_; }
  [[nodiscard]] bool writable() const noexcept { return writable_ || interrupted_; }
  /// Suspends until the socket is readable, has ended or failed, or until interrupt(). Only when !readable(); a
  /// connection waits for one of the two at a time.
  [[nodiscard]] auto wait_readable() noexcept { return reader_.wait(); }
  /// The same for writing.
  [[nodiscard]] auto wait_writable() noexcept { return writer_.wait(); }
  /// To be called when a receive (send) took all there was (room for): from here on the next edge counts. A peer that
  /// has ended stays readable, because its end makes no second edge.
  void clear_readable() noexcept { readable_ = ended_; }
  void clear_writable() noexcept { writable_ = false; }

  /// Wakes whoever waits, now and for ever after. For deadlines and shutdown.
  void interrupt();
  [[nodiscard]] bool interrupted() const noexcept { return interrupted_; }

 private:
  friend class Readiness;
  Resumption reader_;
  Resumption writer_;
  bool readable_ = true;
  bool writable_ = true;
  bool ended_ = false;
  bool interrupted_ = false;
};

class Readiness {
 public:
  /// Throws std::system_error when no epoll set can be had (start-up only).
  explicit Readiness(asio::io_context& context);

  /// Registers `descriptor` with `watch`, which must stay where it is until the descriptor is closed (closing it
  /// unregisters it) and forget(watch) was called. False when the kernel refuses.
  [[nodiscard]] bool add(int descriptor, ReadinessWatch& watch) noexcept;
  /// Says that `watch` is about to be destroyed: events of the batch being dispatched will not reach it.
  void forget(const ReadinessWatch& watch) noexcept;

  /// Dispatches until stopped: to be spawned once on the worker's io_context.
  void start();
  void stop();

 private:
  void arm();
  /// Takes one batch and resumes whoever waits for it. How many events it had.
  int dispatch();

  /// Batches in a row before posts of other threads get their turn. On a busy worker there is a next batch, and a way
  /// round the io_context costs three system calls.
  static constexpr int batches_in_a_row = 4;
  /// Events taken from the kernel at once; the same as Asio's reactor.
  static constexpr int batch_size = 128;
  asio::posix::basic_stream_descriptor<Executor> epoll_;
  struct Event {
    ReadinessWatch* watch;
    std::uint32_t events;
  };
  Event batch_[batch_size];
  int batch_count_ = 0;
  bool stopped_ = false;  ///< a wait that was over before stop() must not be followed by another
};

}  // namespace ranged::server
