#pragma once
// Who may read: which requests need credentials (HTTP Basic, RFC 7617; Bearer, RFC 6750), whether those given are good,
// and how often a client may be wrong. All of it before any look at the file that a request names.

#include "server/config.hpp"
#include "server/logging.hpp"
#include "server/metrics.hpp"
#include "server/password_file.hpp"
#include "server/task.hpp"
#include "server/token_file.hpp"

#include <ranged/storage/disk_threads.hpp>

#include <array>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ranged::server {

class Mailbox;
struct Exchange;

/// Credentials as they stand in an Authorization field.
struct Credentials {
  enum class Scheme : std::uint8_t { none, basic, bearer, unusable };
  Scheme scheme = Scheme::none;  ///< none: no field; unusable: another scheme, or malformed
  std::string name;              ///< of Basic
  std::string secret;            ///< the password or token
};

/// Reads the value of an Authorization field; schemes in any case (RFC 9110, 11.1). Pure.
[[nodiscard]] Credentials read_credentials(std::string_view field);

/// Whether every user of the machine may read that file. Blocking.
[[nodiscard]] bool others_may_read(const std::string& path) noexcept;

/// The rules and secrets of one configuration. Immutable but for its cache of verified credentials, which is bounded
/// and ends with it, so that a reload revokes at once. Thread-safe.
class AccessControl {
 public:
  /// What access control is to be like; null in `control` when none is configured.
  struct Loaded {
    std::shared_ptr<const AccessControl> control;
    std::string problem;                ///< not empty: a file cannot be used, why, and what would do
    std::vector<std::string> warnings;  ///< one line each
  };
  /// Reads the files that `config` names. Blocking; for start and reload.
  [[nodiscard]] static Loaded load(const Config& config);

  AccessControl(std::optional<PasswordFile> passwords, std::optional<TokenFile> tokens, const Config& config);
  ~AccessControl();
  AccessControl(const AccessControl&) = delete;
  AccessControl& operator=(const AccessControl&) = delete;

  [[nodiscard]] bool takes_passwords() const noexcept { return passwords_.has_value(); }
  [[nodiscard]] bool takes_tokens() const noexcept { return tokens_.has_value(); }

  /// Whether a request for that route needs credentials. `name` is the routed name of /files (decoded); elsewhere the
  /// query's `file` says which. What cannot be told needs them. `only_name`: the name that a missing `file` means, may
  /// be empty.
  [[nodiscard]] bool protects(Route route, std::string_view name, std::string_view raw_query,
                              std::string_view only_name) const;

  /// Whether exactly this field's value was verified not long ago. Cost: one HMAC-SHA-256 (about 1 us) and a look-up.
  [[nodiscard]] bool remembers(std::string_view authorization) const;
  void remember(std::string_view authorization) const;

  /// Whether a token is good; see TokenFile::verify().
  [[nodiscard]] bool verify_token(std::string_view token) const noexcept { return tokens_ && tokens_->verify(token); }
  /// Whether a password is good. Blocks for a hash; see PasswordFile::verify().
  [[nodiscard]] bool verify_password(std::string_view name, std::string_view password) const {
    return passwords_ && passwords_->verify(name, password);
  }
  [[nodiscard]] bool has_name(std::string_view name) const { return passwords_ && passwords_->contains(name); }

 private:
  using Digest = std::array<unsigned char, 32>;
  struct Remembered {
    Digest digest{};
    std::chrono::steady_clock::time_point until{};
  };
  /// More than the people and programs that use one daemon at a time; 20 KiB.
  static constexpr std::size_t cache_size = 512;
  static constexpr std::size_t cache_ways = 8;
  /// A hash an hour for each user costs nothing; a secret in use is not kept for longer than that.
  static constexpr std::chrono::minutes cache_time{60};

  [[nodiscard]] Digest digest_of(std::string_view authorization) const;
  [[nodiscard]] bool is_open_name(std::string_view name) const noexcept;

  std::optional<PasswordFile> passwords_;
  std::optional<TokenFile> tokens_;
  std::vector<std::string> open_roots_;  ///< names of roots that need no credentials; empty: all need them
  bool open_metrics_;
  std::array<unsigned char, 32> key_{};  ///< of the digests; random, so that they tell nothing elsewhere
  mutable std::mutex mutex_;             ///< guards cache_; held for a look at cache_ways entries
  mutable std::vector<Remembered> cache_;
};

/// How often each client address may give wrong credentials. Memory is fixed: 4096 addresses, of which the least guilty
/// makes room. Thread-safe.
class FailureLimiter {
 public:
  static constexpr unsigned burst = 10;                      ///< failures in a row
  static constexpr std::chrono::milliseconds refill{6'000};  ///< for each one more: 10 a minute
  using Time = std::chrono::steady_clock::time_point;

  FailureLimiter();

  /// Charges `address` for an attempt before it is judged. False: it has had its share; `retry_after` says how long to
  /// wait.
  [[nodiscard]] bool charge(std::string_view address, Time now, std::chrono::seconds& retry_after);
  /// Takes a charge back: the attempt was good.
  void refund(std::string_view address, Time now);

 private:
  static constexpr std::size_t table_size = 4096;
  static constexpr std::size_t ways = 8;
  struct Entry {
    std::uint64_t tag = 0;
    Time full_at{};  ///< when nothing will be owed any more
  };

  [[nodiscard]] std::uint64_t tag_of(std::string_view address) const noexcept;
  /// The entry of `tag`, or the one that makes room for it.
  Entry& entry_of(std::uint64_t tag);

  std::uint64_t key_;  ///< random, so that nobody can choose addresses that share a set
  std::mutex mutex_;   ///< guards table_
  std::vector<Entry> table_;
};

/// Checks passwords on the disk threads, few at a time, so that guessing neither blocks the event loop nor keeps the
/// disk threads from reading. One for the process; outlives the workers. Thread-safe.
class PasswordChecker {
 public:
  static constexpr std::size_t max_running = 2;
  static constexpr std::size_t max_waiting = 64;

  explicit PasswordChecker(DiskExecutor& disk);
  ~PasswordChecker();
  PasswordChecker(const PasswordChecker&) = delete;
  PasswordChecker& operator=(const PasswordChecker&) = delete;

  enum class Outcome : std::uint8_t { good, bad, busy };
  /// Checks `credentials` (Basic) and has `control` remember a good `authorization`, so that equal ones that wait are
  /// not hashed again. busy: too many wait. All arguments outlive the wait.
  Task<Outcome> check(std::shared_ptr<const AccessControl> control, const Credentials* credentials,
                      std::string_view authorization, Mailbox* mailbox);

 private:
  // Both are final where they are defined.
  struct Attempt;  // NOLINT(cppcoreguidelines-virtual-class-destructor)
  struct Runner;   // NOLINT(cppcoreguidelines-virtual-class-destructor)
  void run(Runner& runner) noexcept;
  /// Has a runner take `attempt`; false: nobody will.
  [[nodiscard]] bool enqueue(Attempt& attempt);

  DiskExecutor* disk_;
  std::mutex mutex_;              ///< guards waiting_ and the runners' busy flags
  std::condition_variable idle_;  ///< a runner is no longer busy
  std::deque<Attempt*> waiting_;
  std::array<std::unique_ptr<Runner>, max_running> runners_;
};

/// What the process keeps across reloads.
struct Authenticator {
  explicit Authenticator(DiskExecutor& disk) : checker(disk) {}
  FailureLimiter limiter;
  PasswordChecker checker;
  LogLimiter failure_log;  ///< wrong credentials
  LogLimiter lockout_log;  ///< addresses that had their share: told also when the failures before took up their lines
};

/// Whether the request may be answered; when not, it has been answered (401, 429 or 503). Runs on the worker's thread.
Task<bool> authorize(Exchange* exchange);

}  // namespace ranged::server
