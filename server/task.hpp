#pragma once
// The executor and coroutine types of the daemon: concrete, so that no handler is type-erased, and the one way in which
// a coroutine waits for something that is not an Asio object.

#include "server/frame_cache.hpp"

#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <cstddef>
#include <optional>
#include <utility>

namespace ranged::server {

namespace asio = boost::asio;

using Executor = asio::io_context::executor_type;

}  // namespace ranged::server

// The frames of coroutines on this executor are the thread's cache's. (A promise of our own would be the ordinary way,
// but Asio's coroutines wait for each other only with Asio's.)
template <>
inline void* boost::asio::detail::awaitable_frame_base<ranged::server::Executor>::operator new(std::size_t size) {
  return ranged::server::FrameCache::allocate(size);
}
template <>
inline void boost::asio::detail::awaitable_frame_base<ranged::server::Executor>::operator delete(void* pointer,
                                                                                                 std::size_t size) {
  ranged::server::FrameCache::deallocate(pointer, size);
}

namespace ranged::server {

template <class T>
using Task = asio::awaitable<T, Executor>;

inline constexpr asio::use_awaitable_t<Executor> use_task{};

/// A place where one coroutine can wait to be resumed. Belongs to one thread: wait() and resume() are called on the
/// thread of the coroutine's executor. Cost: no allocation; resuming runs the coroutine inline until its next wait.
///
/// (Asio's own way, an asynchronous operation on one of its objects, costs a queue pass and a speculative system call
/// for each wait.)
class Resumption {
 public:
  Resumption() = default;
  Resumption(const Resumption&) = delete;
  Resumption& operator=(const Resumption&) = delete;

  /// To be awaited by a Task, once and at once: suspends it until resume(). Neither the call nor the await can fail,
  /// nor do they make a frame of their own, as a Task would.
  [[nodiscard]] auto wait() noexcept {
    return asio::async_initiate<const asio::deferred_t&, void()>(
        [this](Handler&& handler) noexcept { handler_.emplace(std::move(handler)); }, asio::deferred);
  }

  /// Whether a coroutine is suspended here.
  [[nodiscard]] bool waiting() const noexcept { return handler_.has_value(); }

  /// Resumes it, inline. Does nothing when none waits.
  void resume() {
    if (!handler_) return;
    Handler handler = std::move(*handler_);
    handler_.reset();
    std::move(handler)();
  }

 private:
  // What a Task waits for a deferred operation with.
  using Handler = asio::detail::awaitable_async_op_handler<void(), Executor>;
  std::optional<Handler> handler_;
};

}  // namespace ranged::server
