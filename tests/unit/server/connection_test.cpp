#include "server/connection.hpp"

#include <doctest/doctest.h>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <vector>

using ranged::server::Clock;
using ranged::server::Connection;
using ranged::server::Holding;
using ranged::server::Readiness;
using ranged::server::Scarcity;

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// A connection whose peer has not taken what fills the socket.
struct Fixture {
  Fixture() {
    std::array<int, 2> pair{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair.data()) == 0);
    peer = pair[1];
    connection.emplace(pair[0], readiness);
    std::vector<char> bytes(std::size_t{4} << 10);
    iovec buffer{bytes.data(), bytes.size()};
    while (connection->send({&buffer, 1}, false)) buffer = {bytes.data(), bytes.size()};
  }
  ~Fixture() {
    if (peer >= 0) ::close(peer);
  }

  void take_something() const {
    std::vector<char> room(std::size_t{4} << 10);
    REQUIRE(::recv(peer, room.data(), room.size(), 0) > 0);
  }
  /// Sweeps every quarter of a second from `from` until before `until`; whether the connection is interrupted then.
  bool interrupted_within(Clock::duration from, Clock::duration until) {
    for (Clock::duration at = from; at < until; at += milliseconds(250)) connection->end_when_overdue(begin + at);
    return connection->interrupted();
  }

  boost::asio::io_context context{BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO};
  Readiness readiness{context};
  std::optional<Connection> connection;
  int peer = -1;
  Clock::time_point begin = Clock::now();
};

}  // namespace

TEST_CASE("a peer that takes nothing is ended when its patience is over") {
  Fixture test;
  test.connection->expect_progress(test.begin, seconds(60));
  CHECK_FALSE(test.interrupted_within(seconds(0), seconds(60)));
  CHECK(test.interrupted_within(seconds(60), seconds(61)));
}

TEST_CASE("a peer that takes something has its patience anew, though there is no room in the socket yet") {
  Fixture test;
  test.connection->expect_progress(test.begin, seconds(60));
  CHECK_FALSE(test.interrupted_within(seconds(0), seconds(59)));
  test.take_something();
  CHECK_FALSE(test.interrupted_within(seconds(59), seconds(119)));
  CHECK(test.interrupted_within(seconds(119), seconds(122)));
}

TEST_CASE("what a peer took before a wait is no progress of that wait") {
  Fixture test;
  test.connection->expect_progress(test.begin, seconds(60));
  CHECK_FALSE(test.interrupted_within(seconds(0), seconds(10)));
  test.take_something();
  test.connection->expect_progress(test.begin + seconds(10), seconds(60));
  CHECK_FALSE(test.interrupted_within(seconds(10), seconds(70)));
  CHECK(test.interrupted_within(seconds(70), seconds(71)));
}

TEST_CASE("a deadline that counts no progress passes whatever the peer takes") {
  Fixture test;
  test.connection->expect_progress(test.begin, seconds(60));
  test.connection->set_deadline(test.begin + seconds(10));
  CHECK_FALSE(test.interrupted_within(seconds(0), seconds(5)));
  test.take_something();
  CHECK_FALSE(test.interrupted_within(seconds(5), seconds(10)));
  CHECK(test.interrupted_within(seconds(10), seconds(11)));
}

TEST_CASE("a stalled peer that holds something scarce is ended early, when somebody goes without it") {
  Fixture test;
  Scarcity scarcity;
  const Holding holding(*test.connection, scarcity);
  test.connection->expect_progress(test.begin, seconds(60));
  CHECK_FALSE(test.interrupted_within(seconds(0), seconds(20)));
  scarcity.refused(test.begin + seconds(20));
  CHECK(test.interrupted_within(seconds(20), seconds(22)));
}

TEST_CASE("a peer that takes something keeps what it holds, and so does one that nobody waits for any more") {
  Fixture test;
  Scarcity scarcity;
  std::optional<Holding> holding;
  holding.emplace(*test.connection, scarcity);
  test.connection->expect_progress(test.begin, seconds(60));
  scarcity.refused(test.begin);
  for (int second = 0; second < 30; second += 3) {
    test.take_something();
    scarcity.refused(test.begin + seconds(second));
    CHECK_FALSE(test.interrupted_within(seconds(second), seconds(second + 3)));
  }
  // From here on the peer stalls: those who were refused have not come again.
  scarcity.refused(test.begin + seconds(18));
  CHECK_FALSE(test.interrupted_within(seconds(30), seconds(60)));
  // And one that has given it back may stall as others may.
  holding.reset();
  scarcity.refused(test.begin + seconds(60));
  CHECK_FALSE(test.interrupted_within(seconds(60), seconds(80)));
}

TEST_CASE("a scarcity is wanted for a while after somebody was refused") {
  const Clock::time_point begin = Clock::now();
  Scarcity scarcity;
  CHECK_FALSE(scarcity.wanted(begin));
  scarcity.refused(begin);
  CHECK(scarcity.wanted(begin));
  CHECK(scarcity.wanted(begin + seconds(9)));
  CHECK_FALSE(scarcity.wanted(begin + seconds(10)));
}
