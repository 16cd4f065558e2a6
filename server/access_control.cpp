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

AccessControl::Loaded AccessControl::load(const Config& config, const AccessControl* previous) {
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
    loaded.control = std::make_shared<const AccessControl>(std::move(passwords), std::move(tokens), config, previous);
  }
  return loaded;
}

AccessControl::AccessControl(std::optional<PasswordFile> passwords, std::optional<TokenFile> tokens,
                             const Config& config, const AccessControl* previous)
    : passwords_(std::move(passwords)),
      tokens_(std::move(tokens)),
      open_metrics_(config.auth_open_metrics),
      cache_(cache_size) {
  if (previous != nullptr) {
    take_over(*previous);
  } else {
    fill_random(key_.data(), key_.size());
  }
  if (config.auth_roots.empty()) return;
  for (const RootConfig& root : config.roots) {
    if (std::ranges::find(config.auth_roots, root.name) == config.auth_roots.end()) open_roots_.push_back(root.name);
  }
}

AccessControl::~AccessControl() {
  OPENSSL_cleanse(key_.data(), key_.size());
}

void AccessControl::take_over(const AccessControl& previous) {
  key_ = previous.key_;  // so that the digests mean the same
  if (!passwords_) return;
  const std::lock_guard lock(previous.mutex_);
  for (std::size_t i = 0; i < cache_size; ++i) {
    const Remembered& old = previous.cache_[i];
    if (old.entry == nullptr) continue;
    const PasswordFile::Entry* const entry = passwords_->find(old.entry->first);
    if (entry != nullptr && entry->second == old.entry->second) cache_[i] = {old.digest, old.until, entry};
  }
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

void AccessControl::remember(std::string_view authorization, std::string_view name) const {
  const Digest digest = digest_of(authorization);
  const std::size_t set = digest[0] % (cache_size / cache_ways) * cache_ways;
  const PasswordFile::Entry* const entry = passwords_ ? passwords_->find(name) : nullptr;
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
  cache_[place] = {digest, now + cache_time, entry};
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

std::span<FailureLimiter::Entry> FailureLimiter::set_of(std::uint64_t tag) noexcept {
  return std::span(table_).subspan((tag >> 32U) % (table_size / ways) * ways, ways);
}

FailureLimiter::Entry& FailureLimiter::entry_of(std::uint64_t tag) {
  const std::span<Entry> set = set_of(tag);
  const auto found = std::ranges::find(set, tag, &Entry::tag);
  if (found != set.end()) return *found;
  Entry& least = *std::ranges::min_element(set, {}, &Entry::full_at);
  least = {tag, {}};
  return least;
}

bool FailureLimiter::admits(std::string_view address, Time now, std::chrono::seconds& retry_after) {
  const std::uint64_t tag = tag_of(address);
  const std::lock_guard lock(mutex_);
  const std::span<Entry> set = set_of(tag);
  const auto found = std::ranges::find(set, tag, &Entry::tag);
  if (found == set.end()) return true;
  const auto owed = std::max(found->full_at, now) + refill - now;
  if (owed <= burst * refill) return true;
  retry_after = std::chrono::ceil<std::chrono::seconds>(owed - burst * refill);
  return false;
}

void FailureLimiter::charge(std::string_view address, Time now) {
  const std::uint64_t tag = tag_of(address);
  const std::lock_guard lock(mutex_);
  Entry& entry = entry_of(tag);
  entry.full_at = std::max(entry.full_at, now) + refill;
}

struct PasswordChecker::Attempt final : Letter {
  std::shared_ptr<const AccessControl> control;
  const Credentials* credentials = nullptr;
  std::string_view authorization;
  AccessControl::Digest digest{};  ///< of authorization
  std::string_view address;
  Mailbox* mailbox = nullptr;
  Attempt* next_equal = nullptr;  ///< who waits for this one's outcome, and whose does whoever comes after it
  Verdict verdict;
  Resumption resumption;

  [[nodiscard]] bool equals(const Attempt& other) const noexcept {
    return control == other.control && digest == other.digest;
  }
  void open() override { resumption.resume(); }
};

struct PasswordChecker::Runner final : DiskTask {
  explicit Runner(PasswordChecker& checker) : owner(&checker) {}
  PasswordChecker* owner;
  bool busy = false;
  Attempt* attempt = nullptr;  ///< written by the runner alone

  void run() noexcept override { owner->run(*this); }
};

PasswordChecker::PasswordChecker(DiskExecutor& disk, FailureLimiter& limiter) : disk_(&disk), limiter_(&limiter) {
  for (auto& runner : runners_) runner = std::make_unique<Runner>(*this);
}

PasswordChecker::~PasswordChecker() {
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [this] { return std::ranges::none_of(runners_, [](const auto& runner) { return runner->busy; }); });
}

void PasswordChecker::run(Runner& runner) noexcept {
  for (;;) {
    {
      const std::lock_guard lock(mutex_);
      if (waiting_.empty()) {
        runner.busy = false;
        idle_.notify_all();
        return;
      }
      runner.attempt = waiting_.front();
      waiting_.pop_front();
    }
    judge(runner);
  }
}

void PasswordChecker::judge(Runner& runner) noexcept {
  Verdict verdict;
  try {
    const AccessControl& control = *runner.attempt->control;
    bool good = control.remembers(runner.attempt->authorization);
    if (!good) {
      // Looked at now, not only when it came: attempts that wait are not charged, so that good ones cost nothing, and
      // of many wrong ones at once no more are hashed than fail.
      while (!limiter_->admits(runner.attempt->address, Clock::now(), runner.attempt->verdict.retry_after)) {
        if (!pass_on(runner)) return;
      }
      const Attempt& attempt = *runner.attempt;
      good = control.verify_password(attempt.credentials->name, attempt.credentials->secret);
      if (good) {
        control.remember(attempt.authorization, attempt.credentials->name);
      } else {
        limiter_->charge(attempt.address, Clock::now());
      }
    }
    verdict.outcome = good ? Outcome::good : Outcome::bad;
  } catch (const std::bad_alloc&) {
    verdict.outcome = Outcome::busy;
  }
  Attempt* attempt = nullptr;
  {
    const std::lock_guard lock(mutex_);
    attempt = std::exchange(runner.attempt, nullptr);
  }
  while (attempt != nullptr) {
    Attempt* const next = attempt->next_equal;  // delivering may end the attempt's life
    attempt->verdict = verdict;
    attempt->mailbox->deliver(*attempt);
    attempt = next;
  }
}

bool PasswordChecker::pass_on(Runner& runner) noexcept {
  Attempt& refused = *runner.attempt;
  bool more = false;
  {
    const std::lock_guard lock(mutex_);
    runner.attempt = refused.next_equal;
    more = runner.attempt != nullptr;
  }
  refused.verdict.outcome = Outcome::limited;
  refused.mailbox->deliver(refused);
  return more;
}

PasswordChecker::Attempt* PasswordChecker::find_equal(const Attempt& attempt) const noexcept {
  for (const auto& runner : runners_) {
    if (runner->attempt != nullptr && runner->attempt->equals(attempt)) return runner->attempt;
  }
  const auto found = std::ranges::find_if(waiting_, [&](const Attempt* each) { return each->equals(attempt); });
  return found == waiting_.end() ? nullptr : *found;
}

Task<PasswordChecker::Verdict> PasswordChecker::check(std::shared_ptr<const AccessControl> control,
                                                      const Credentials* credentials, std::string_view authorization,
                                                      Mailbox* mailbox, std::string_view address) {
  Attempt attempt;
  attempt.digest = control->digest_of(authorization);
  attempt.control = std::move(control);
  attempt.credentials = credentials;
  attempt.authorization = authorization;
  attempt.address = address;
  attempt.mailbox = mailbox;
  if (enqueue(attempt)) co_await attempt.resumption.wait();
  co_return attempt.verdict;
}

bool PasswordChecker::enqueue(Attempt& attempt) {
  const auto is_busy = [](const auto& runner) { return runner->busy; };
  Runner* runner = nullptr;
  {
    const std::lock_guard lock(mutex_);
    // Whatever its address owes: it takes no hash, and tells nothing that another does not pay for.
    if (Attempt* const equal = find_equal(attempt)) {
      attempt.next_equal = std::exchange(equal->next_equal, &attempt);
      return true;
    }
    if (!limiter_->admits(attempt.address, Clock::now(), attempt.verdict.retry_after)) {
      attempt.verdict.outcome = Outcome::limited;
      return false;
    }
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
    while (each != nullptr) {
      Attempt* const next = each->next_equal;
      if (each == &attempt) {
        waits = false;
      } else {
        each->mailbox->deliver(*each);  // outcome: busy
      }
      each = next;
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

using Outcome = PasswordChecker::Outcome;

PasswordChecker::Verdict judge_token(FailureLimiter& limiter, const AccessControl& control, std::string_view token,
                                     std::string_view field, std::string_view address) {
  PasswordChecker::Verdict verdict;
  // Whatever others behind the same address do: a token is too long to be guessed (TokenFile::min_token_bytes), so that
  // the limiter need not keep anyone from learning that one is right.
  if (control.verify_token(token)) {
    control.remember(field);
    verdict.outcome = Outcome::good;
  } else if (!limiter.admits(address, Clock::now(), verdict.retry_after)) {
    verdict.outcome = Outcome::limited;
  } else {
    limiter.charge(address, Clock::now());
    verdict.outcome = Outcome::bad;
  }
  return verdict;
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

  const std::string address = address_of(exchange->client->connection);
  PasswordChecker::Verdict verdict;
  if (bearer) {
    verdict = judge_token(authenticator.limiter, *control, credentials.secret, field, address);
  } else {
    exchange->client->connection.set_deadline(Clock::time_point::max());  // a hash takes as long as it takes
    verdict = co_await authenticator.checker.check(control, &credentials, field, &exchange->worker->mailbox(), address);
  }
  switch (verdict.outcome) {
    case Outcome::good:
      co_return true;
    case Outcome::bad:
      log_failure(authenticator.failure_log, *exchange, credentials, "wrong credentials");
      co_await refuse_credentials(exchange, "These credentials are not good.");
      break;
    case Outcome::limited:
      log_failure(authenticator.lockout_log, *exchange, credentials, "too many wrong credentials from one address");
      co_await refuse_for_now(exchange, &problems::too_many_requests,
                              "Too many wrong credentials came from this address.", verdict.retry_after);
      break;
    case Outcome::busy:
      co_await refuse_for_now(exchange, &problems::unavailable, "Too many credentials wait to be checked; ask again.",
                              std::chrono::seconds{1});
      break;
  }
  co_return false;
}

}  // namespace ranged::server
