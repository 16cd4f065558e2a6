#include <ranged/paging/buffer_pool.hpp>
#include <ranged/paging/page_guard.hpp>

namespace ranged {

void PageGuard::unpin() noexcept {
  bytes_ = {};
  std::exchange(pool_, nullptr)->unpin(*std::exchange(frame_, nullptr));
}

}  // namespace ranged
