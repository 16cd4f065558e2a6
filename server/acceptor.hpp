#pragma once
// Accepts connections on all listeners and hands each to the worker that has the fewest; keeps the limits on how many
// there are.

#include "server/client_limits.hpp"
#include "server/listener.hpp"
#include "server/logging.hpp"
#include "server/metrics.hpp"
#include "server/worker.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace ranged::server {

struct AcceptorLimits {
  std::size_t connections = 0;             ///< all together
  std::size_t connections_per_client = 0;  ///< of one address
  std::chrono::seconds retry_after{1};     ///< what one more is told to wait
};

/// Lives on the control thread's io_context.
class Acceptor {
 public:
  Acceptor(asio::io_context& context, std::vector<Listener> listeners,
           const std::vector<std::unique_ptr<Worker>>& workers, const AcceptorLimits& limits, SharedMetrics& metrics);
  ~Acceptor();
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

  void start();
  /// Limits from now on. Those who are there stay; there are no more until they are few enough.
  void use(const AcceptorLimits& limits);
  /// Closes the listeners: nobody is accepted from here on.
  void stop();

  [[nodiscard]] std::size_t connections() const noexcept;

 private:
  /// What lasts is said once in it, however many connections it costs.
  static constexpr std::chrono::minutes log_interval{1};

  struct Waiting {
    Listener listener;
    asio::posix::stream_descriptor readiness;  ///< of a duplicate of the listener's descriptor
    bool paused = false;                       ///< waits for the end of the pause, which is all listeners' together
  };

  void wait(Waiting& waiting);
  void accept_all(Waiting& waiting);
  void place(const Listener::Peer& peer, bool tls);
  /// Lets a listener rest that cannot accept, so that it does not spin.
  void pause(Waiting& waiting);
  /// Out of descriptors: takes the connection with the spare one and closes it, so that the client learns.
  void shed(const Listener& listener);
  void warn_of_error(const boost::system::error_code& error);
  void warn_of_full();

  std::vector<std::unique_ptr<Waiting>> waiting_;
  const std::vector<std::unique_ptr<Worker>>* workers_;
  AcceptorLimits limits_;
  std::string full_response_;  ///< made ahead: it is sent where memory may be lacking
  SharedMetrics* metrics_;
  ClientLimits clients_;
  asio::steady_timer pause_;
  bool pausing_ = false;
  int spare_descriptor_;
  LogLimiter error_log_{1, log_interval};  ///< connections that cannot be accepted
  LogLimiter full_log_{1, log_interval};   ///< refused because there are as many as may be
  bool stopped_ = false;                   ///< a pause that had ended already must not wait for a listener that is gone
};

}  // namespace ranged::server
