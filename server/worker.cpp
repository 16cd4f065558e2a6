#include "server/worker.hpp"

#include "server/session.hpp"
#include "server/thread_scheduling.hpp"

#include <ranged/http/http_date.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <fmt/format.h>

#include <pthread.h>
#include <unistd.h>

#include <ctime>
#include <new>
#include <utility>

namespace ranged::server {

namespace {

/// The part of the connections that is kept free of idle ones: an eighth. (With fewer than that there is none to keep.)
constexpr std::size_t spare_share = 8;
/// What has been idle for so long is given up for others; before, its next request may be on its way.
constexpr std::chrono::seconds settled_idle{1};

}  // namespace

Worker::Worker(const Services& services, std::shared_ptr<const Site> site)
    : services_(&services),
      site_(std::move(site)),
      // Posts from other threads stay legal; only the reactor's own locks go (asio/detail/concurrency_hint.hpp).
      context_(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO),
      work_(asio::make_work_guard(context_)),
      readiness_(context_),
      mailbox_(context_),
      timer_(context_.get_executor()),
      scratch_(std::make_unique<SendScratch>()),
      known_heads_(std::make_unique<KnownHeads>()) {}

Worker::~Worker() {
  join();
}

void Worker::start(unsigned number) {
  last_stream_ = StreamId{number} << 48U;  // streams of different workers never share a number
  thread_ = std::thread([this, number] { run(number); });
}

void Worker::run(unsigned number) {
  ::pthread_setname_np(::pthread_self(), fmt::format("worker-{}", number).c_str());
  take_short_turns();
  const FrameCache frames;
  readiness_.start();
  sweep();
  context_.run();
}

void Worker::adopt(Accepted accepted) {
  asio::post(context_, [this, accepted = std::move(accepted), place = WorkerPlace(connections_)]() mutable {
    begin(std::move(accepted), std::move(place));
  });
}

void Worker::begin(Accepted accepted, WorkerPlace place) {
  const bool tls = accepted.tls;
  const int descriptor = accepted.descriptor;
  std::unique_ptr<Client> client;
  try {
    client = std::make_unique<Client>(std::move(accepted), std::move(place), readiness_, metrics_.connections_closed);
  } catch (const std::bad_alloc&) {
    ::close(descriptor);
    return;
  }
  try {
    client->stream = next_stream();
    metrics_.connections_accepted.add();
    if (tls) client->connection.start_tls(*site_->tls);
    if (!client->connection.valid() || stopping_) return;
    clients_.push_back(*client);
    asio::co_spawn(context_, serve_client(this, std::move(client)), asio::detached);
  } catch (const std::bad_alloc&) {
    // What there was of it has closed the connection.
    return;
  }
}

void Worker::use(std::shared_ptr<const Site> site) {
  asio::post(context_, [this, site = std::move(site)] {
    site_ = site;
    known_heads_->forget_all();
  });
}

void Worker::drain() {
  asio::post(context_, [this] {
    for (auto it = clients_.begin(); it != clients_.end();) {
      Client& client = *it++;  // an interrupted client leaves the list
      if (client.idle) client.connection.interrupt();
    }
  });
}

void Worker::interrupt_all() {
  for (auto it = clients_.begin(); it != clients_.end();) (it++)->connection.interrupt();
}

void Worker::stop() {
  asio::post(context_, [this] {
    stopping_ = true;
    // Whatever is waited for, a disk that hangs among it, is waited for no longer; sweeps go on until the last has
    // ended.
    end_waits(Clock::time_point::max());
    interrupt_all();
    readiness_.stop();
    if (clients_.empty()) timer_.cancel();
    work_.reset();
  });
}

void Worker::join() {
  if (thread_.joinable()) thread_.join();
}

void Worker::set_date() {
  const std::int64_t now = std::time(nullptr);
  if (now == date_seconds_ && date_length_ != 0) return;
  date_seconds_ = now;
  date_length_ = http::format_http_date(now, date_);
}

void Worker::end_waits(Clock::time_point now) {
  services_->pool->expire_waiters(now);
  mailbox_.expire(now);
}

std::size_t Worker::connections_too_many() const noexcept {
  const std::size_t limit = services_->shared_metrics->connection_limit.load(std::memory_order_relaxed);
  std::size_t open = 0;
  for (const auto& worker : *services_->workers) open += worker->connections();
  const std::size_t enough = limit - limit / spare_share;
  const std::size_t workers = services_->workers->size();
  return open > enough ? (open - enough + workers - 1) / workers : 0;
}

void Worker::sweep() {
  set_date();
  const Clock::time_point now = Clock::now();
  // Those who came first go first.
  std::size_t too_many = connections_too_many();
  for (auto it = clients_.begin(); it != clients_.end();) {
    Client& client = *it++;
    if (too_many > 0 && client.idle && client.idle_since <= now - settled_idle) {
      --too_many;
      client.shed = true;
      client.connection.set_deadline(now);
    }
    client.connection.end_when_overdue(now);  // and perhaps the client with it
  }
  if (stopping_) interrupt_all();
  end_waits(stopping_ ? Clock::time_point::max() : now);
  mailbox_.open_left();
  site_->files->sweep(now);
  timer_.expires_after(sweep_interval);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error && !(stopping_ && clients_.empty())) sweep();
  });
}

}  // namespace ranged::server
