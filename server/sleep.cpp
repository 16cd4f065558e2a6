#include "server/sleep.hpp"

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/this_coro.hpp>

namespace ranged::server {

Task<void> sleep_for(std::chrono::milliseconds time) {
  using Clock = std::chrono::steady_clock;
  const Executor executor = co_await asio::this_coro::executor;
  asio::basic_waitable_timer<Clock, asio::wait_traits<Clock>, Executor> timer(executor);
  timer.expires_after(time);
  co_await timer.async_wait(use_task);
}

}  // namespace ranged::server
