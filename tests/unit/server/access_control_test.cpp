#include "server/access_control.hpp"

#include "server/mailbox.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <doctest/doctest.h>

#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

namespace ranged::server {
namespace {

using Scheme = Credentials::Scheme;
using namespace std::chrono_literals;

TEST_CASE("credentials are read from the field") {
  const Credentials basic = read_credentials("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");  // RFC 7617, 2
  CHECK(basic.scheme == Scheme::basic);
  CHECK(basic.name == "Aladdin");
  CHECK(basic.secret == "open sesame");
  CHECK(read_credentials("bASIC  QWxhZGRpbjpvcGVuIHNlc2FtZQ").secret == "open sesame");
  CHECK(read_credentials("Basic YTpiOmM=").secret == "b:c");
  CHECK(read_credentials("Basic Og==").scheme == Scheme::basic);
  const Credentials bearer = read_credentials("BEARER abc.def");
  CHECK(bearer.scheme == Scheme::bearer);
  CHECK(bearer.secret == "abc.def");
  CHECK(read_credentials("").scheme == Scheme::none);
  for (const char* field : {"Basic", "Basic ", "Basic   ", "Bearer", "Bearer ", "Digest abc", "Basic YTpi!",
                            "Basic YWI=" /* no colon */, "Basic YTpiO" /* six bits left */,
                            "Basic YTp=" /* bits that are not zero */, "Basic YTo===", "BasicYTpi", " Basic YTpi"}) {
    CAPTURE(field);
    CHECK(read_credentials(field).scheme == Scheme::unusable);
  }
}

Config config_of(std::vector<std::string> auth_roots, bool open_metrics) {
  Config config;
  config.roots = {{"open", "/a"}, {"closed", "/b"}};
  config.auth_roots = std::move(auth_roots);
  config.auth_open_metrics = open_metrics;
  return config;
}

AccessControl control_of(const Config& config) {
  return {std::nullopt, *TokenFile::parse(std::string(32, 'a')), config};
}

TEST_CASE("all but the liveness is protected by default") {
  const AccessControl control = control_of(config_of({}, false));
  for (std::size_t i = 0; i < route_names.size(); ++i) {
    CAPTURE(route_names[i]);
    const auto route = static_cast<Route>(i);
    const bool open = route == Route::health || route == Route::ready;
    CHECK(control.protects(route, "open/x", "file=open/x", "") != open);
  }
  CHECK_FALSE(control_of(config_of({}, true)).protects(Route::metrics, "", "", ""));
}

TEST_CASE("a root that is not named needs none, and what cannot be told does") {
  const AccessControl control = control_of(config_of({"closed"}, false));
  CHECK_FALSE(control.protects(Route::files, "open/x", "", ""));
  CHECK_FALSE(control.protects(Route::listing, "open", "", ""));
  CHECK(control.protects(Route::files, "closed/x", "", ""));
  CHECK(control.protects(Route::files, "opener/x", "", ""));
  CHECK(control.protects(Route::files, "nothing/x", "", ""));
  CHECK(control.protects(Route::files, "./open/x", "", ""));
  CHECK(control.protects(Route::files, "/open/x", "", ""));
  CHECK(control.protects(Route::listing, "", "", ""));
  CHECK(control.protects(Route::metrics, "", "", ""));
  CHECK_FALSE(control.protects(Route::viewer, "", "", ""));
  CHECK_FALSE(control.protects(Route::bytes, "", "offset=0&file=open%2Fx", ""));
  CHECK(control.protects(Route::bytes, "", "file=closed/x", ""));
  CHECK(control.protects(Route::info, "", "file=open/x&file=closed/x", ""));
  CHECK(control.protects(Route::info, "", "file=%", ""));
  CHECK(control.protects(Route::info, "", "", ""));
  CHECK_FALSE(control.protects(Route::info, "", "", "open"));
}

TEST_CASE("what was verified is remembered, by its exact text, by this control alone") {
  const AccessControl control = control_of(config_of({}, false));
  const AccessControl other = control_of(config_of({}, false));
  CHECK_FALSE(control.remembers("Basic YTpi"));
  control.remember("Basic YTpi");
  CHECK(control.remembers("Basic YTpi"));
  CHECK_FALSE(control.remembers("Basic YTpj"));
  CHECK_FALSE(control.remembers("basic YTpi"));
  CHECK_FALSE(other.remembers("Basic YTpi"));
  // Bounded: the newest stays, whatever came before.
  for (int i = 0; i < 100'000; ++i) control.remember("Basic " + std::to_string(i));
  CHECK(control.remembers("Basic 99999"));
  int remembered = 0;
  for (int i = 0; i < 100'000; ++i) remembered += control.remembers("Basic " + std::to_string(i)) ? 1 : 0;
  CHECK(remembered <= 512);
}

// All of them have the password "correct horse", by the same hash.
std::string users(int first, int last) {
  std::string text;
  for (int i = first; i <= last; ++i) {
    text += "user" + std::to_string(i) + ":$2y$04$1K.IFXlgYa5cPvbh1PBiuOcZFY0uEbMn1NkXeW1J4yoSLQCTPjIyW\n";
  }
  return text;
}

TEST_CASE("what was verified by a line that a reload finds again stays remembered, and nothing else does") {
  const auto control_of_users = [](const std::string& text, const AccessControl* previous) {
    return std::make_unique<const AccessControl>(*PasswordFile::parse(text), *TokenFile::parse(std::string(32, 'a')),
                                                 Config{}, previous);
  };
  const auto first = control_of_users(users(1, 3), nullptr);
  for (const char* name : {"user1", "user2", "user3"}) first->remember(std::string("Basic ") + name, name);
  first->remember("Bearer a");
  // One is gone, and one has another password.
  auto second = control_of_users(
      users(1, 1) + "user3:$5$sF/qGFdLEZ7uF.SW$U8TpP9brwrIEBv.CnovsrL3nUoOIVvFpqM29c6Mcqp6\n" + users(4, 4),
      first.get());
  CHECK(second->remembers("Basic user1"));
  CHECK_FALSE(second->remembers("Basic user2"));
  CHECK_FALSE(second->remembers("Basic user3"));
  CHECK_FALSE(second->remembers("Bearer a"));
  // Not by way of one that did not have it, either.
  const auto third = control_of_users(users(1, 3), second.get());
  second.reset();
  CHECK(third->remembers("Basic user1"));
  CHECK_FALSE(third->remembers("Basic user2"));
  CHECK_FALSE(third->remembers("Basic user3"));
  const AccessControl tokens_only(std::nullopt, *TokenFile::parse(std::string(32, 'a')), Config{}, third.get());
  CHECK_FALSE(tokens_only.remembers("Basic user1"));
}

TEST_CASE("an address has ten failures, then one each six seconds") {
  FailureLimiter limiter;
  const FailureLimiter::Time start{1h};
  std::chrono::seconds retry{0};
  const auto fail = [&](std::string_view address, FailureLimiter::Time now) {
    CHECK(limiter.admits(address, now, retry));
    limiter.charge(address, now);
  };
  for (unsigned i = 0; i < FailureLimiter::burst; ++i) fail("192.0.2.1", start);
  CHECK_FALSE(limiter.admits("192.0.2.1", start, retry));
  CHECK(retry == 6s);
  fail("192.0.2.2", start);
  CHECK_FALSE(limiter.admits("192.0.2.1", start + 5'999ms, retry));
  CHECK(retry == 1s);
  fail("192.0.2.1", start + 6s);
  CHECK_FALSE(limiter.admits("192.0.2.1", start + 6s, retry));
  // Those that are not charged for cost nothing.
  for (int i = 0; i < 100; ++i) CHECK(limiter.admits("192.0.2.1", start + 12s, retry));
  fail("192.0.2.1", start + 12s);
  CHECK_FALSE(limiter.admits("192.0.2.1", start + 12s, retry));
  // What is owed too much is waited for.
  limiter.charge("192.0.2.1", start + 12s);
  CHECK_FALSE(limiter.admits("192.0.2.1", start + 18s, retry));
  CHECK(retry == 6s);
  // All is forgotten, and no more than all.
  for (unsigned i = 0; i < FailureLimiter::burst; ++i) fail("192.0.2.1", start + 1h);
  CHECK_FALSE(limiter.admits("192.0.2.1", start + 1h, retry));
}

TEST_CASE("however many addresses fail once, the one that fails often is not forgotten") {
  FailureLimiter limiter;
  const FailureLimiter::Time start{1h};
  std::chrono::seconds retry{0};
  for (unsigned i = 0; i < FailureLimiter::burst; ++i) limiter.charge("guilty", start);
  for (int i = 0; i < 50'000; ++i) limiter.charge("address " + std::to_string(i), start);
  CHECK_FALSE(limiter.admits("guilty", start, retry));
}

TEST_CASE("files are loaded, warned about and refused by name and line") {
  const std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("ranged-access-" + std::to_string(::getpid()));
  const std::string secret(40, 's');
  Config config;
  CHECK(AccessControl::load(config).control == nullptr);
  CHECK(AccessControl::load(config).problem.empty());
  config.auth_token_file = path.string();
  CHECK(AccessControl::load(config).problem.find("cannot be read") != std::string::npos);

  std::ofstream(path) << secret << '\n';
  std::filesystem::permissions(path, std::filesystem::perms{0600});
  AccessControl::Loaded loaded = AccessControl::load(config);
  CHECK(loaded.problem.empty());
  CHECK(loaded.warnings.empty());
  REQUIRE(loaded.control);
  CHECK(loaded.control->takes_tokens());
  CHECK_FALSE(loaded.control->takes_passwords());
  CHECK(loaded.control->verify_token(secret));
  CHECK_FALSE(loaded.control->verify_password("", ""));

  std::filesystem::permissions(path, std::filesystem::perms{0604});
  loaded = AccessControl::load(config);
  REQUIRE(loaded.warnings.size() == 1);
  CHECK(loaded.warnings[0].find("auth_token_file " + path.string()) != std::string::npos);

  std::ofstream(path) << secret << "\nno token\n";
  loaded = AccessControl::load(config);
  CHECK(loaded.control == nullptr);
  CHECK(loaded.problem.starts_with("auth_token_file " + path.string() + ": line 2 "));
  CHECK(loaded.problem.find("no token\n") == std::string::npos);
  std::filesystem::remove(path);
}

/// Keeps what is submitted, or refuses it.
class HeldExecutor final : public DiskExecutor {
 public:
  bool submit(DiskTask& task) noexcept override {
    if (refuse) return false;
    tasks[count++] = &task;
    return true;
  }
  bool refuse = false;
  std::size_t count = 0;
  std::array<DiskTask*, 8> tasks{};
};

struct Checks {
  asio::io_context context;
  Mailbox mailbox{context};
  HeldExecutor executor;
  FailureLimiter limiter;
  PasswordChecker checker{executor, limiter};
  std::shared_ptr<const AccessControl> control =
      std::make_shared<const AccessControl>(*PasswordFile::parse(users(1, 70)), std::nullopt, Config{});
  std::vector<PasswordChecker::Outcome> outcomes;
  std::chrono::seconds retry_after{0};  ///< of the last

  static Task<void> check(Checks* checks, Credentials credentials, std::string field, std::string address) {
    const PasswordChecker::Verdict verdict =
        co_await checks->checker.check(checks->control, &credentials, field, &checks->mailbox, address);
    checks->outcomes.push_back(verdict.outcome);
    checks->retry_after = verdict.retry_after;
  }
  void begin(const std::string& name, const std::string& secret, const std::string& address = "192.0.2.1") {
    std::string field = "Basic " + name + ":" + secret;
    asio::co_spawn(context, check(this, Credentials{Scheme::basic, name, secret}, std::move(field), address),
                   asio::detached);
    context.restart();
    context.poll();
  }
  void run_task(std::size_t number) {
    executor.tasks.at(number)->run();
    context.restart();
    context.poll();
  }
  [[nodiscard]] long count(PasswordChecker::Outcome outcome) const { return std::ranges::count(outcomes, outcome); }
  /// How often `address` may be wrong yet.
  unsigned left(std::string_view address) {
    const auto now = FailureLimiter::Time::clock::now();
    unsigned count = 0;
    for (; limiter.admits(address, now, retry_after); ++count) limiter.charge(address, now);
    return count;
  }
};

using enum PasswordChecker::Outcome;

TEST_CASE("passwords are checked two at a time, and equal ones once, whoever asks") {
  Checks checks;
  checks.begin("user1", "correct horse");
  for (int i = 0; i < 1000; ++i) checks.begin("user1", "correct horse", i % 2 == 0 ? "192.0.2.1" : "192.0.2.2");
  CHECK(checks.executor.count == 1);
  checks.begin("user1", "wrong");
  for (int i = 0; i < 1000; ++i) checks.begin("user1", "wrong");
  CHECK(checks.executor.count == PasswordChecker::max_running);
  CHECK(checks.outcomes.empty());
  checks.run_task(0);
  CHECK(checks.count(good) == 1001);
  CHECK(checks.count(bad) == 1001);
  checks.run_task(1);
  CHECK(checks.control->remembers("Basic user1:correct horse"));
  CHECK_FALSE(checks.control->remembers("Basic user1:wrong"));
  // A hash that failed is one failure, of the address that it was for.
  CHECK(checks.left("192.0.2.1") == FailureLimiter::burst - 1);
  CHECK(checks.left("192.0.2.2") == FailureLimiter::burst);
}

TEST_CASE("as many right passwords as can wait at once are none too many") {
  Checks checks;
  for (std::size_t i = 1; i <= PasswordChecker::max_waiting; ++i) {
    checks.begin("user" + std::to_string(i), "correct horse");
  }
  checks.run_task(0);
  checks.run_task(1);
  CHECK(checks.count(good) == PasswordChecker::max_waiting);
  CHECK(checks.left("192.0.2.1") == FailureLimiter::burst);
}

TEST_CASE("of a flood of wrong passwords no more are looked at than an address has failures") {
  Checks checks;
  for (std::size_t i = 0; i < PasswordChecker::max_waiting; ++i) checks.begin("user1", "wrong" + std::to_string(i));
  CHECK(checks.outcomes.empty());
  checks.run_task(0);
  checks.run_task(1);
  CHECK(checks.count(bad) == FailureLimiter::burst);
  CHECK(checks.count(limited) == PasswordChecker::max_waiting - FailureLimiter::burst);
  CHECK(checks.retry_after >= 1s);
  // From then on they do not even wait.
  checks.executor.count = 0;
  checks.begin("user1", "correct horse");
  CHECK(checks.outcomes.back() == limited);
  CHECK(checks.executor.count == 0);
  CHECK_FALSE(checks.control->remembers("Basic user1:correct horse"));
}

TEST_CASE("who waits for an attempt of an address that has had its share has its own looked at") {
  Checks checks;
  checks.begin("user1", "correct horse", "guilty");
  checks.begin("user1", "correct horse", "guilty");
  checks.begin("user1", "correct horse", "innocent");
  checks.begin("user2", "correct horse", "guilty");
  CHECK(checks.left("guilty") == FailureLimiter::burst);
  checks.run_task(0);
  CHECK(checks.outcomes == std::vector{limited, good, good, limited});
  checks.run_task(1);
  CHECK(checks.control->remembers("Basic user1:correct horse"));
  CHECK_FALSE(checks.control->remembers("Basic user2:correct horse"));
}

TEST_CASE("more checks than may wait are refused, and none is lost when the disk threads take no more") {
  Checks checks;
  checks.executor.refuse = true;
  checks.begin("user1", "correct horse");
  CHECK(checks.outcomes == std::vector{busy});
  checks.executor.refuse = false;
  for (std::size_t i = 1; i <= PasswordChecker::max_waiting + 1; ++i) {
    checks.begin("user" + std::to_string(i), "correct horse");
  }
  CHECK(checks.outcomes == std::vector{busy, busy});
  checks.begin("user1", "correct horse");  // which waits already
  CHECK(checks.outcomes.size() == 2);
  checks.run_task(0);
  checks.run_task(1);
  CHECK(checks.count(good) == PasswordChecker::max_waiting + 1);
  CHECK(checks.outcomes.size() == PasswordChecker::max_waiting + 3);
}

}  // namespace
}  // namespace ranged::server
