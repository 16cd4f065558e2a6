#pragma once
// The executor and coroutine types of the daemon: concrete, so that no handler is type-erased, and the one way in which
// a coroutine waits for something that is not an Asio object.

#include "server/frame_cache.hpp"

#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
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

  /// Suspends until resume(). The call makes a frame, which can fail for want of memory; the await cannot. So who is to
  /// be resumed by another thread calls first, gives that thread a pointer to itself, and then awaits.
  Task<void> wait() {
    return asio::async_initiate<const asio::use_awaitable_t<Executor>, void()>(
        [this](Handler&& handler) { handler_.emplace(std::move(handler)); }, use_task);
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
  using Handler = typename asio::async_result<asio::use_awaitable_t<Executor>, void()>::handler_type;
  std::optional<Handler> handler_;
};

}  // namespace ranged::server
