#include "server/readiness.hpp"

#include <sys/epoll.h>

#include <cerrno>
#include <system_error>

namespace ranged::server {

void ReadinessWatch::interrupt() {
  interrupted_ = true;
  // A resumed coroutine may end and take this object with it, so only one of the two may be resumed from here: a
  // connection never waits for both.
  if (reader_.waiting()) {
    reader_.resume();
  } else {
    writer_.resume();
  }
}

namespace {
int make_epoll() {
  const int descriptor = ::epoll_create1(EPOLL_CLOEXEC);
  if (descriptor < 0) throw std::system_error(errno, std::system_category(), "epoll_create1");
  return descriptor;
}
}  // namespace

Readiness::Readiness(asio::io_context& context) : epoll_(context.get_executor(), make_epoll()) {}

bool Readiness::add(int descriptor, ReadinessWatch& watch) noexcept {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.ptr = &watch;
  return ::epoll_ctl(epoll_.native_handle(), EPOLL_CTL_ADD, descriptor, &event) == 0;
}

void Readiness::forget(const ReadinessWatch& watch) noexcept {
  for (int i = 0; i < batch_count_; ++i) {
    if (batch_[i].watch == &watch) batch_[i].watch = nullptr;
  }
}

void Readiness::start() {
  arm();
}

void Readiness::stop() {
  stopped_ = true;
  boost::system::error_code ignored;
  epoll_.cancel(ignored);
}

void Readiness::arm() {
  epoll_.async_wait(asio::posix::descriptor_base::wait_read, [this](const boost::system::error_code& error) {
    if (error || stopped_) return;
    for (int i = 0; i < batches_in_a_row && !stopped_ && dispatch() > 0; ++i) {
    }
    if (!stopped_) arm();
  });
}

int Readiness::dispatch() {
  epoll_event events[batch_size];
  const int count = ::epoll_wait(epoll_.native_handle(), events, batch_size, 0);
  if (count <= 0) return 0;
  for (int i = 0; i < count; ++i) {
    batch_[i] = {static_cast<ReadinessWatch*>(events[i].data.ptr), events[i].events};
  }
  batch_count_ = count;
  for (int i = 0; i < count; ++i) {
    ReadinessWatch* watch = batch_[i].watch;
    if (watch == nullptr) continue;
    const std::uint32_t events_seen = batch_[i].events;
    const bool ended = (events_seen & (EPOLLHUP | EPOLLERR)) != 0;
    const bool read_edge = ended || (events_seen & (EPOLLIN | EPOLLRDHUP)) != 0;
    const bool write_edge = ended || (events_seen & EPOLLOUT) != 0;
    if ((events_seen & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) watch->ended_ = true;
    if (read_edge) watch->readable_ = true;
    if (write_edge) watch->writable_ = true;
    // One of the two at most is waited for; after a resumption the watch may be gone.
    if (read_edge && watch->reader_.waiting()) {
      watch->reader_.resume();
    } else if (write_edge && watch->writer_.waiting()) {
      watch->writer_.resume();
    }
  }
  batch_count_ = 0;
  return count;
}

}  // namespace ranged::server
