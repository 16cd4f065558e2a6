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
#include <span>
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

/// The rules and secrets of one configuration. Immutable but for its cache of verified credentials, which is bounded. A
/// reload takes over what was verified by a line that is the same in the new file, and nothing else, so that it revokes
/// at once and yet has nobody's password hashed anew. Thread-safe.
class AccessControl {
 public:
  /// What access control is to be like; null in `control` when none is configured.
  struct Loaded {
    std::shared_ptr<const AccessControl> control;
    std::string problem;                ///< not empty: a file cannot be used, why, and what would do
    std::vector<std::string> warnings;  ///< one line each
  };
  /// Reads the files that `config` names. `previous`: the control that is replaced, of which is taken over what was
  /// verified and still holds; may be null. Blocking; for start and reload.
  [[nodiscard]] static Loaded load(const Config& config, const AccessControl* previous = nullptr);

  AccessControl(std::optional<PasswordFile> passwords, std::optional<TokenFile> tokens, const Config& config,
                const AccessControl* previous = nullptr);
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
  /// `name`: whose password it holds; of a token, which costs no hash to verify anew, empty.
  void remember(std::string_view authorization, std::string_view name = {}) const;

  using Digest = std::array<unsigned char, 32>;
  /// What stands for a field's value where it is compared, so that the time tells nothing of the value.
  [[nodiscard]] Digest digest_of(std::string_view authorization) const;

  /// Whether a token is good; see TokenFile::verify().
  [[nodiscard]] bool verify_token(std::string_view token) const noexcept { return tokens_ && tokens_->verify(token); }
  /// Whether a password is good. Blocks for a hash; see PasswordFile::verify().
  [[nodiscard]] bool verify_password(std::string_view name, std::string_view password) const {
    return passwords_ && passwords_->verify(name, password);
  }
  [[nodiscard]] bool has_name(std::string_view name) const { return passwords_ && passwords_->contains(name); }

 private:
  struct Remembered {
    Digest digest{};
    std::chrono::steady_clock::time_point until{};
    const PasswordFile::Entry* entry = nullptr;  ///< the line that it was verified by; null: a token
  };
  /// More than the people and programs that use one daemon at a time; 24 KiB.
  static constexpr std::size_t cache_size = 512;
  static constexpr std::size_t cache_ways = 8;
  /// A hash an hour for each user costs nothing; a secret in use is not kept for longer than that.
  static constexpr std::chrono::minutes cache_time{60};

  void take_over(const AccessControl& previous);
  [[nodiscard]] bool is_open_name(std::string_view name) const noexcept;

  std::optional<PasswordFile> passwords_;
  std::optional<TokenFile> tokens_;
  std::vector<std::string> open_roots_;  ///< names of roots that need no credentials; empty: all need them
  bool open_metrics_;
  std::array<unsigned char, 32> key_{};  ///< of the digests; random, so that they tell nothing elsewhere
  mutable std::mutex mutex_;             ///< guards cache_; held for a look at cache_ways entries
  mutable std::vector<Remembered> cache_;
};

/// How often each client address may give wrong credentials. An address may be many clients: all of a Unix socket, or
/// of a proxy. So nobody is kept out by it whose credentials can be told to be right without a hash. Memory is fixed:
/// 4096 addresses, of which the least guilty makes room. Thread-safe.
class FailureLimiter {
 public:
  static constexpr unsigned burst = 10;                      ///< failures in a row
  static constexpr std::chrono::milliseconds refill{6'000};  ///< for each one more: 10 a minute
  using Time = std::chrono::steady_clock::time_point;

  FailureLimiter();

  /// Whether `address` may be wrong once more. False: it has had its share; `retry_after` says how long to wait.
  [[nodiscard]] bool admits(std::string_view address, Time now, std::chrono::seconds& retry_after);
  /// Charges `address` for a failure. Those that were admitted while others were still judged may together be more than
  /// its share: what it owes too much, it waits for.
  void charge(std::string_view address, Time now);

 private:
  static constexpr std::size_t table_size = 4096;
  static constexpr std::size_t ways = 8;
  struct Entry {
    std::uint64_t tag = 0;
    Time full_at{};  ///< when nothing will be owed any more
  };

  [[nodiscard]] std::uint64_t tag_of(std::string_view address) const noexcept;
  [[nodiscard]] std::span<Entry> set_of(std::uint64_t tag) noexcept;
  /// The entry of `tag`, or the one that makes room for it.
  Entry& entry_of(std::uint64_t tag);

  std::uint64_t key_;  ///< random, so that nobody can choose addresses that share a set
  std::mutex mutex_;   ///< guards table_
  std::vector<Entry> table_;
};

/// Checks passwords on the disk threads, few at a time, so that guessing neither blocks the event loop nor keeps the
/// disk threads from reading. What equals an attempt under way waits for that one's outcome: it is hashed once, and the
/// address that it is hashed for is charged once, when it fails. One for the process; outlives the workers.
/// Thread-safe.
class PasswordChecker {
 public:
  static constexpr std::size_t max_running = 2;
  static constexpr std::size_t max_waiting = 64;  ///< different ones

  /// Both outlive it.
  PasswordChecker(DiskExecutor& disk, FailureLimiter& limiter);
  ~PasswordChecker();
  PasswordChecker(const PasswordChecker&) = delete;
  PasswordChecker& operator=(const PasswordChecker&) = delete;

  enum class Outcome : std::uint8_t { good, bad, busy, limited };
  struct Verdict {
    Outcome outcome = Outcome::busy;
    std::chrono::seconds retry_after{0};  ///< when limited
  };
  /// Checks `credentials` (Basic) and has `control` remember a good `authorization`. busy: too many wait; limited: too
  /// many of `address` failed, and this one was not looked at. All arguments outlive the wait.
  Task<Verdict> check(std::shared_ptr<const AccessControl> control, const Credentials* credentials,
                      std::string_view authorization, Mailbox* mailbox, std::string_view address);

 private:
  // Both are final where they are defined.
  struct Attempt;  // NOLINT(cppcoreguidelines-virtual-class-destructor)
  struct Runner;   // NOLINT(cppcoreguidelines-virtual-class-destructor)
  void run(Runner& runner) noexcept;
  /// Gives an outcome to the runner's attempt and to all that equal it.
  void judge(Runner& runner) noexcept;
  /// Makes of the next that is equal the runner's attempt, when the one that it has may not be looked at. False: there
  /// is none.
  bool pass_on(Runner& runner) noexcept;
  /// The attempt under way that `attempt` equals, or null. Under the mutex.
  [[nodiscard]] Attempt* find_equal(const Attempt& attempt) const noexcept;
  /// Has a runner take `attempt`; false: nobody will, and its verdict says why.
  [[nodiscard]] bool enqueue(Attempt& attempt);

  DiskExecutor* disk_;
  FailureLimiter* limiter_;
  std::mutex mutex_;              ///< guards waiting_, what the runners have, and the lists of equal ones
  std::condition_variable idle_;  ///< a runner is no longer busy
  std::deque<Attempt*> waiting_;  ///< no two are equal
  std::array<std::unique_ptr<Runner>, max_running> runners_;
};

/// What the process keeps across reloads.
struct Authenticator {
  explicit Authenticator(DiskExecutor& disk) : checker(disk, limiter) {}
  FailureLimiter limiter;
  PasswordChecker checker;
  LogLimiter failure_log;  ///< wrong credentials
  LogLimiter lockout_log;  ///< addresses that had their share: told also when the failures before took up their lines
};

/// Whether the request may be answered; when not, it has been answered (401, 429 or 503). Runs on the worker's thread.
Task<bool> authorize(Exchange* exchange);

}  // namespace ranged::server
