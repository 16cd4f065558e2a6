#include "server/healthcheck.hpp"

#include <doctest/doctest.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <string>
#include <thread>

namespace ranged::server {
namespace {

using namespace std::chrono_literals;

/// A listener that answers one connection with a fixed text and keeps what it was asked.
class Answerer {
 public:
  explicit Answerer(std::string answer) : answer_(std::move(answer)), listener_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    begin(reinterpret_cast<const sockaddr*>(&address), sizeof(address));
    socklen_t length = sizeof(address);
    REQUIRE(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length) == 0);
    port = ntohs(address.sin_port);
  }
  Answerer(std::string answer, const std::string& path)
      : answer_(std::move(answer)), listener_(::socket(AF_UNIX, SOCK_STREAM, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    REQUIRE(path.size() < sizeof(address.sun_path));
    std::memcpy(address.sun_path, path.data(), path.size());
    begin(reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  }
  ~Answerer() { finish(); }
  Answerer(const Answerer&) = delete;
  Answerer& operator=(const Answerer&) = delete;

  std::string finish() {
    if (thread_.joinable()) {
      thread_.join();
      ::close(listener_);
    }
    return request_;
  }
  [[nodiscard]] std::string url(const std::string& path) const {
    return "http://127.0.0.1:" + std::to_string(port) + path;
  }

  int port = 0;

 private:
  void begin(const sockaddr* address, socklen_t length) {
    REQUIRE(::bind(listener_, address, length) == 0);
    REQUIRE(::listen(listener_, 1) == 0);
    thread_ = std::thread([this] {
      const int connection = ::accept(listener_, nullptr, nullptr);
      std::array<char, 1024> buffer{};
      while (request_.find("\r\n\r\n") == std::string::npos) {
        const ssize_t count = ::recv(connection, buffer.data(), buffer.size(), 0);
        if (count <= 0) break;
        request_.append(buffer.data(), static_cast<std::size_t>(count));
      }
      // In two parts, so that one receive is not enough.
      const std::size_t half = answer_.size() / 2;
      static_cast<void>(!::send(connection, answer_.data(), half, MSG_NOSIGNAL));
      static_cast<void>(!::send(connection, answer_.data() + half, answer_.size() - half, MSG_NOSIGNAL));
      if (answer_.empty()) {
        // Silence: until the client leaves.
        while (::recv(connection, buffer.data(), buffer.size(), 0) > 0) continue;
      }
      ::close(connection);
    });
  }

  std::string answer_;
  std::string request_;
  int listener_;
  std::thread thread_;
};

TEST_CASE("2xx is healthy, the rest is not") {
  Answerer good("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  const HealthcheckOutcome healthy = healthcheck(good.url("/healthz"), 60s);
  CHECK(healthy.healthy);
  CHECK(healthy.detail == "200");
  CHECK(good.finish() == "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(good.port) +
                             "\r\nUser-Agent: ranged-healthcheck\r\nConnection: close\r\n\r\n");
  Answerer bad("HTTP/1.1 503 Service Unavailable\r\n\r\n");
  const HealthcheckOutcome unhealthy = healthcheck(bad.url("/readyz?x=1"), 60s);
  CHECK_FALSE(unhealthy.healthy);
  CHECK(unhealthy.detail == "503");
  CHECK(bad.finish().starts_with("GET /readyz?x=1 HTTP/1.1\r\n"));
  Answerer plain("HTTP/1.0 204 No Content\r\n\r\n");
  CHECK(healthcheck(plain.url(""), 60s).healthy);
  CHECK(plain.finish().starts_with("GET /healthz "));
}

TEST_CASE("answers that are not HTTP") {
  for (const char* answer : {"SSH-2.0-OpenSSH_9.2\r\n", "HTTP/1.1 2", "HTTP/2.0 200 OK\r\n\r\n", "HTTP/1.1x200 OK\r\n",
                             "HTTP/1.1 2x0 OK\r\n"}) {
    CAPTURE(answer);
    Answerer other(answer);
    const HealthcheckOutcome outcome = healthcheck(other.url("/"), 60s);
    CHECK_FALSE(outcome.healthy);
    CHECK(outcome.detail == "the answer is not HTTP/1.1");
  }
}

TEST_CASE("a daemon that says nothing is not healthy") {
  Answerer silent("");
  const HealthcheckOutcome outcome = healthcheck(silent.url("/"), 50ms);
  CHECK_FALSE(outcome.healthy);
  CHECK(outcome.detail == "receiving: Connection timed out");
}

TEST_CASE("a handshake that is not answered") {
  Answerer silent("");
  const HealthcheckOutcome outcome = healthcheck("https" + silent.url("/").substr(4), 50ms);
  CHECK_FALSE(outcome.healthy);
  CHECK(outcome.detail == "the TLS handshake: Connection timed out");
}

TEST_CASE("nobody there") {
  // A port that was free a moment ago.
  const int probe = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(address);
  REQUIRE(::bind(probe, reinterpret_cast<const sockaddr*>(&address), length) == 0);
  REQUIRE(::getsockname(probe, reinterpret_cast<sockaddr*>(&address), &length) == 0);
  // Bound and not listening: refused, and nobody else gets it.
  const HealthcheckOutcome outcome = healthcheck("http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)), 60s);
  ::close(probe);
  CHECK_FALSE(outcome.healthy);
  CHECK(outcome.detail == "connecting: Connection refused");
  CHECK(healthcheck("unix:/no/such/socket", 60s).detail == "connecting: No such file or directory");
}

TEST_CASE("a Unix socket") {
  std::string folder = (std::filesystem::temp_directory_path() / "ranged-health-XXXXXX").string();
  REQUIRE(::mkdtemp(folder.data()) != nullptr);
  const std::string path = folder + "/s";
  for (const auto& [url, target] :
       {std::pair<std::string, std::string>{"unix:" + path, "/healthz"}, {"unix:" + path + ":/readyz", "/readyz"}}) {
    std::filesystem::remove(path);
    Answerer daemon("HTTP/1.1 200 OK\r\n\r\n", path);
    CHECK(healthcheck(url, 60s).healthy);
    CHECK(daemon.finish().starts_with("GET " + target + " HTTP/1.1\r\nHost: localhost\r\n"));
  }
  std::filesystem::remove_all(folder);
}

TEST_CASE("what is no URL of ours") {
  for (const char* url : {"",
                          "http://",
                          "https://",
                          "https://127.0.0.1:0/",
                          "httpss://127.0.0.1/",
                          "127.0.0.1:8080",
                          "http://:80/",
                          "http://127.0.0.1:0/",
                          "http://127.0.0.1:x/",
                          "http://127.0.0.1:65536/",
                          "http://[::1/",
                          "http://[::1]x/",
                          "http://a b/",
                          "http://a/b c",
                          "http://a/\r\nX: y",
                          "http://a\r\n/",
                          "unix:",
                          "unix::/x",
                          "http://user@host/",
                          "http://a/#b"}) {
    CAPTURE(url);
    const HealthcheckOutcome outcome = healthcheck(url, 60s);
    CHECK_FALSE(outcome.healthy);
    CHECK(outcome.detail ==
          "the URL is none of http://HOST[:PORT][/PATH], https://HOST[:PORT][/PATH] and unix:/SOCKET[:/PATH]");
  }
}

}  // namespace
}  // namespace ranged::server
