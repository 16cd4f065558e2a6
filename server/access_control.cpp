#include "server/access_control.hpp"

#include "server/exchange.hpp"
#include "server/mailbox.hpp"
#include "server/options.hpp"
#include "server/reply.hpp"
#include "server/target.hpp"

#include <boost/asio/ip/address.hpp>
#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <stdexcept>
#include <utility>

namespace ranged::server {

namespace {

bool equals_ignoring_case(std::string_view text, std::string_view lower_case) noexcept {
  return std::ranges::equal(text, lower_case,
                            [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + ('a' - 'A') : a) == b; });
}

int base64_value(char c) noexcept {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  if (c == '/') return 63;
  return -1;
}

/// RFC 4648, 4. Padding may be missing; bits that are left over must be zero, so that one text has one form.
bool decode_base64(std::string_view text, std::string& out) {
  for (int i = 0; i < 2 && text.ends_with('='); ++i) text.remove_suffix(1);
  unsigned bits = 0;
  int count = 0;
  for (const char c : text) {
    const int value = base64_value(c);
    if (value < 0) return false;
    bits = bits << 6U | static_cast<unsigned>(value);
    count += 6;
    if (count >= 8) {
      count -= 8;
      out.push_back(static_cast<char>(bits >> static_cast<unsigned>(count) & 0xffU));
    }
  }
  return count < 6 && (bits & ((1U << static_cast<unsigned>(count)) - 1)) == 0;
}

void fill_random(void* place, std::size_t size) {
  if (::RAND_bytes(static_cast<unsigned char*>(place), static_cast<int>(size)) != 1) {
    throw std::runtime_error("the system gives no random bytes");
  }
}

/// Whom a failure counts against: an IPv4 address, an IPv6 /64 network, which is what one subscriber gets (RFC 6177),
/// or all of a Unix socket's clients.
std::string address_of(const Connection& connection) {
  std::string peer = connection.peer();
  const std::size_t colon = peer.rfind(':');
  if (colon == std::string::npos) return peer;
  peer.resize(colon);
  if (!peer.starts_with('[')) return peer;
  boost::system::error_code error;
  const auto address = boost::asio::ip::make_address_v6(peer.substr(1, peer.size() - 2), error);
  if (error) return peer;
  if (address.is_v4_mapped()) {
    return boost::asio::ip::make_address_v4(boost::asio::ip::v4_mapped, address).to_string();
  }
  const auto bytes = address.to_bytes();
  return {reinterpret_cast<const char*>(bytes.data()), 8};
}

/// Reads a file of secrets and parses it. Empty: `problem` says why.
template <class File>
std::optional<File> load_file(std::string_view key, const std::string& path, AccessControl::Loaded& loaded) {
  auto text = disk_file_reader()(path);
  if (!text) {
    loaded.problem =
        fmt::format("{} {} cannot be read: {}; name a file that this user may read", key, path, text.error().message());
    return std::nullopt;
  }
  auto parsed = File::parse(*text);
  OPENSSL_cleanse(text->data(), text->size());
  if (!parsed) {
    const SecretFileError error = parsed.error();
    loaded.problem = error.line == 0 ? fmt::format("{} {} {}", key, path, error.reason)
                                     : fmt::format("{} {}: line {} {}", key, path, error.line, error.reason);
    return std::nullopt;
  }
  if (others_may_read(path)) {
    loaded.warnings.push_back(fmt::format("every user of this machine may read {} {}; chmod o-r would do", key, path));
  }
  return std::move(*parsed);
}

}  // namespace

bool others_may_read(const std::string& path) noexcept {
  struct stat status{};
  return ::stat(path.c_str(), &status) == 0 && (status.st_mode & S_IROTH) != 0;
}

Credentials read_credentials(std::string_view field) {
  Credentials credentials;
  if (field.empty()) return credentials;
  credentials.scheme = Credentials::Scheme::unusable;
  const std::size_t space = field.find(' ');
  if (space == std::string_view::npos) return credentials;
  const std::string_view scheme = field.substr(0, space);
  const std::size_t begin = field.find_first_not_of(' ', space);
  if (begin == std::string_view::npos) return credentials;
  const std::string_view rest = field.substr(begin);
  if (equals_ignoring_case(scheme, "bearer")) {
    credentials.scheme = Credentials::Scheme::bearer;
    credentials.secret = rest;
  } else if (equals_ignoring_case(scheme, "basic")) {
    std::string pair;
    if (!decode_base64(rest, pair)) return credentials;
    const std::size_t colon = pair.find(':');
    if (colon == std::string::npos) return credentials;
    credentials.scheme = Credentials::Scheme::basic;
    credentials.name = pair.substr(0, colon);
    credentials.secret = pair.substr(colon + 1);
  }
  return credentials;
}

AccessControl::Loaded AccessControl::load(const Config& config) {
  Loaded loaded;
  std::optional<PasswordFile> passwords;
  std::optional<TokenFile> tokens;
  if (!config.auth_basic_file.empty()) {
    passwords = load_file<PasswordFile>("auth_basic_file", config.auth_basic_file, loaded);
    if (!passwords) return loaded;
  }
  if (!config.auth_token_file.empty()) {
    tokens = load_file<TokenFile>("auth_token_file", config.auth_token_file, loaded);
    if (!tokens) return loaded;
  }
  if (passwords || tokens) {
    loaded.control = std::make_shared<const AccessControl>(std::move(passwords), std::move(tokens), config);
  }
  return loaded;
}

AccessControl::AccessControl(std::optional<PasswordFile> passwords, std::optional<TokenFile> tokens,
                             const Config& config)
    : passwords_(std::move(passwords)),
      tokens_(std::move(tokens)),
      open_metrics_(config.auth_open_metrics),
      cache_(cache_size) {
  fill_random(key_.data(), key_.size());
  if (config.auth_roots.empty()) return;
  for (const RootConfig& root : config.roots) {
    if (std::ranges::find(config.auth_roots, root.name) == config.auth_roots.end()) open_roots_.push_back(root.name);
  }
}

AccessControl::~AccessControl() {
  OPENSSL_cleanse(key_.data(), key_.size());
}

bool AccessControl::is_open_name(std::string_view name) const noexcept {
  return std::ranges::find(open_roots_, name.substr(0, name.find('/'))) != open_roots_.end();
}

bool AccessControl::protects(Route route, std::string_view name, std::string_view raw_query,
                             std::string_view only_name) const {
  switch (route) {
    case Route::health:
    case Route::ready:
      return false;
    case Route::metrics:
      return !open_metrics_;
    // None of these looks at a file.
    case Route::viewer:
    case Route::asset:
    case Route::openapi:
    case Route::none:
      return open_roots_.empty();
    case Route::files:
    case Route::listing:
      return !is_open_name(name);
    default:
      break;
  }
  if (open_roots_.empty()) return true;
  const auto query = QueryParameters::parse(raw_query);
  if (!query) return true;
  const std::string* const file = query->find("file");
  return !is_open_name(file != nullptr ? std::string_view(*file) : only_name);
}

AccessControl::Digest AccessControl::digest_of(std::string_view authorization) const {
  Digest digest{};
  ::HMAC(::EVP_sha256(), key_.data(), static_cast<int>(key_.size()),
         reinterpret_cast<const unsigned char*>(authorization.data()), authorization.size(), digest.data(), nullptr);
  return digest;
}

bool AccessControl::remembers(std::string_view authorization) const {
  const Digest digest = digest_of(authorization);
  const std::size_t set = digest[0] % (cache_size / cache_ways) * cache_ways;
  const auto now = std::chrono::steady_clock::now();
  const std::lock_guard lock(mutex_);
  bool found = false;
  for (std::size_t i = set; i < set + cache_ways; ++i) {
    const Remembered& entry = cache_[i];
    found = (CRYPTO_memcmp(entry.digest.data(), digest.data(), digest.size()) == 0 && entry.until > now) || found;
  }
  return found;
}

void AccessControl::remember(std::string_view authorization) const {
  const Digest digest = digest_of(authorization);
  const std::size_t set = digest[0] % (cache_size / cache_ways) * cache_ways;
  const auto now = std::chrono::steady_clock::now();
  const std::lock_guard lock(mutex_);
  std::size_t place = set;
  for (std::size_t i = set; i < set + cache_ways; ++i) {
    if (cache_[i].digest == digest) {
      place = i;
      break;
    }
    if (cache_[i].until < cache_[place].until) place = i;
  }
  cache_[place] = {digest, now + cache_time};
}

FailureLimiter::FailureLimiter() : table_(table_size) {
  fill_random(&key_, sizeof key_);
}

std::uint64_t FailureLimiter::tag_of(std::string_view address) const noexcept {
  // The finalizer of SplitMix64 over FNV-1a, begun with the key: tags need spread, not secrecy.
  std::uint64_t hash = key_;
  for (const char c : address) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  hash = (hash ^ hash >> 30U) * 0xbf58476d1ce4e5b9U;
  hash = (hash ^ hash >> 27U) * 0x94d049bb133111ebU;
  hash ^= hash >> 31U;
  return hash | 1U;  // 0 is an empty entry
}

FailureLimiter::Entry& FailureLimiter::entry_of(std::uint64_t tag) {
  const auto set = table_.begin() + static_cast<std::ptrdiff_t>((tag >> 32U) % (table_size / ways) * ways);
  const auto end = set + ways;
  const auto found = std::find_if(set, end, [tag](const Entry& entry) { return entry.tag == tag; });
  if (found != end) return *found;
  Entry& least = *std::min_element(set, end, [](const Entry& a, const Entry& b) { return a.full_at < b.full_at; });
  least = {tag, {}};
  return least;
}

bool FailureLimiter::charge(std::string_view address, Time now, std::chrono::seconds& retry_after) {
  const std::uint64_t tag = tag_of(address);
  const std::lock_guard lock(mutex_);
  Entry& entry = entry_of(tag);
  const Time full_at = std::max(entry.full_at, now) + refill;
  const auto owed = full_at - now;
  if (owed > burst * refill) {
    retry_after = std::chrono::ceil<std::chrono::seconds>(owed - burst * refill);
    return false;
  }
  entry.full_at = full_at;
  return true;
}

void FailureLimiter::refund(std::string_view address, Time now) {
  const std::uint64_t tag = tag_of(address);
  const std::lock_guard lock(mutex_);
  Entry& entry = entry_of(tag);
  entry.full_at = std::max(entry.full_at - refill, now);
}

struct PasswordChecker::Attempt final : Letter {
  std::shared_ptr<const AccessControl> control;
  const Credentials* credentials = nullptr;
  std::string_view authorization;
  Mailbox* mailbox = nullptr;
  Outcome outcome = Outcome::busy;
  Resumption resumption;

  void open() override { resumption.resume(); }
};

struct PasswordChecker::Runner final : DiskTask {
  explicit Runner(PasswordChecker& checker) : owner(&checker) {}
  PasswordChecker* owner;
  bool busy = false;

  void run() noexcept override { owner->run(*this); }
};

PasswordChecker::PasswordChecker(DiskExecutor& disk) : disk_(&disk) {
  for (auto& runner : runners_) runner = std::make_unique<Runner>(*this);
}

PasswordChecker::~PasswordChecker() {
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [this] { return std::ranges::none_of(runners_, [](const auto& runner) { return runner->busy; }); });
}

void PasswordChecker::run(Runner& runner) noexcept {
  for (;;) {
    Attempt* attempt = nullptr;
    {
      const std::lock_guard lock(mutex_);
      if (waiting_.empty()) {
        runner.busy = false;
        idle_.notify_all();
        return;
      }
      attempt = waiting_.front();
      waiting_.pop_front();
    }
    try {
      const AccessControl& control = *attempt->control;
      const bool known = control.remembers(attempt->authorization);
      const bool good = known || control.verify_password(attempt->credentials->name, attempt->credentials->secret);
      if (good && !known) control.remember(attempt->authorization);
      attempt->outcome = good ? Outcome::good : Outcome::bad;
    } catch (const std::bad_alloc&) {
      attempt->outcome = Outcome::busy;
    }
    attempt->mailbox->deliver(*attempt);
  }
}

Task<PasswordChecker::Outcome> PasswordChecker::check(std::shared_ptr<const AccessControl> control,
                                                      const Credentials* credentials, std::string_view authorization,
                                                      Mailbox* mailbox) {
  Attempt attempt;
  attempt.control = std::move(control);
  attempt.credentials = credentials;
  attempt.authorization = authorization;
  attempt.mailbox = mailbox;
  if (!enqueue(attempt)) co_return Outcome::busy;
  co_await attempt.resumption.wait();
  co_return attempt.outcome;
}

bool PasswordChecker::enqueue(Attempt& attempt) {
  const auto is_busy = [](const auto& runner) { return runner->busy; };
  Runner* runner = nullptr;
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.size() >= max_waiting) return false;
    waiting_.push_back(&attempt);
    const auto idle = std::ranges::find_if_not(runners_, is_busy);
    if (idle == runners_.end()) return true;
    runner = idle->get();
    runner->busy = true;
  }
  if (disk_->submit(*runner)) return true;
  const std::lock_guard lock(mutex_);
  runner->busy = false;
  idle_.notify_all();
  // Another one that runs takes them all; else nobody would.
  if (std::ranges::any_of(runners_, is_busy)) return true;
  bool waits = true;
  for (Attempt* each : waiting_) {
    if (each == &attempt) {
      waits = false;
    } else {
      each->mailbox->deliver(*each);  // outcome: busy
    }
  }
  waiting_.clear();
  return waits;
}

namespace {

Task<void> refuse_credentials(Exchange* exchange, std::string_view detail) {
  Reply reply = problem_reply(problems::unauthorized, detail);
  reply.challenge = exchange->site->access.get();
  co_await send_reply(exchange, &reply);
}

Task<void> refuse_for_now(Exchange* exchange, const ProblemType* problem, std::string_view detail,
                          std::chrono::seconds retry_after) {
  Reply reply = problem_reply(*problem, detail);
  reply.retry_after = static_cast<std::uint32_t>(std::max<std::int64_t>(retry_after.count(), 1));
  co_await send_reply(exchange, &reply);
}

void log_failure(LogLimiter& limiter, const Exchange& exchange, const Credentials& credentials,
                 std::string_view message) {
  std::uint64_t suppressed = 0;
  if (!limiter.admit(Clock::now(), suppressed)) return;
  const bool basic = credentials.scheme == Credentials::Scheme::basic;
  // A name that nobody has may be a password typed into the wrong field.
  const bool known = basic && exchange.site->access->has_name(credentials.name);
  log(LogLevel::warning, message,
      {{"remote", exchange.client->connection.peer()},
       {"scheme", basic ? "Basic" : "Bearer"},
       {"name", known ? std::string_view(credentials.name) : std::string_view(basic ? "unknown" : "")},
       {"suppressed", suppressed}});
}

}  // namespace

Task<bool> authorize(Exchange* exchange) {
  constexpr std::string_view needed = "Reading this needs credentials.";
  const std::shared_ptr<const AccessControl> control = exchange->site->access;
  Authenticator& authenticator = *exchange->worker->services().authenticator;
  const std::string_view field = exchange->head.authorization;
  if (!field.empty() && control->remembers(field)) co_return true;
  const Credentials credentials = read_credentials(field);
  const bool basic = credentials.scheme == Credentials::Scheme::basic && control->takes_passwords();
  const bool bearer = credentials.scheme == Credentials::Scheme::bearer && control->takes_tokens();
  if (!basic && !bearer) {
    co_await refuse_credentials(exchange, needed);
    co_return false;
  }

  // Charged before it is judged: who has had his share learns nothing more, not even that he is right.
  const std::string address = address_of(exchange->client->connection);
  std::chrono::seconds retry_after{0};
  if (!authenticator.limiter.charge(address, Clock::now(), retry_after)) {
    log_failure(authenticator.lockout_log, *exchange, credentials, "too many wrong credentials from one address");
    co_await refuse_for_now(exchange, &problems::too_many_requests,
                            "Too many wrong credentials came from this address.", retry_after);
    co_return false;
  }
  auto outcome = PasswordChecker::Outcome::bad;
  if (bearer) {
    if (control->verify_token(credentials.secret)) {
      control->remember(field);
      outcome = PasswordChecker::Outcome::good;
    }
  } else {
    exchange->client->connection.set_deadline(Clock::time_point::max());  // a hash takes as long as it takes
    outcome = co_await authenticator.checker.check(control, &credentials, field, &exchange->worker->mailbox());
  }
  if (outcome == PasswordChecker::Outcome::bad) {
    log_failure(authenticator.failure_log, *exchange, credentials, "wrong credentials");
    co_await refuse_credentials(exchange, "These credentials are not good.");
    co_return false;
  }
  authenticator.limiter.refund(address, Clock::now());
  if (outcome == PasswordChecker::Outcome::busy) {
    co_await refuse_for_now(exchange, &problems::unavailable, "Too many credentials wait to be checked; ask again.",
                            std::chrono::seconds{1});
    co_return false;
  }
  co_return true;
}

}  // namespace ranged::server
