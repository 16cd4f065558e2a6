#pragma once
// Names and password hashes as htpasswd writes them: bcrypt and SHA-crypt, checked by libxcrypt.

#include <boost/system/result.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

namespace ranged::server {

/// What is wrong with a file of secrets. Never holds any of its text.
struct SecretFileError {
  std::size_t line = 0;     ///< counted from 1; 0: the file as a whole
  std::string_view reason;  ///< what is wrong and what would do
};

/// Immutable once parsed; thread-safe.
class PasswordFile {
 public:
  /// Passwords longer than this are refused unhashed: SHA-crypt's cost grows with their length.
  static constexpr std::size_t max_password_bytes = 256;

  /// Reads lines NAME:HASH; empty ones and those that begin with # are skipped. Hashes: bcrypt ($2a$, $2b$, $2y$; a
  /// cost of 14 at most) and SHA-crypt ($5$, $6$; 1,000,000 rounds at most). Others are refused: they are either too
  /// weak to keep a password or need more memory than this daemon takes.
  [[nodiscard]] static boost::system::result<PasswordFile, SecretFileError> parse(std::string_view text);

  /// Whether `name` has that password. Takes as long for a name that is not there; see setting_of(). Blocks the calling
  /// thread for a hash (1 ms to 1 s): for a disk thread.
  [[nodiscard]] bool verify(std::string_view name, std::string_view password) const;

  /// The hash with whose kind, cost and salt a password of `name` is hashed: its own or, for a name that is not there,
  /// that of another, so that names that are not there are of all kinds that there are, as those that are. Which one is
  /// a secret of the process and stays the same, also when lines come and go, unless it is of one that goes or there is
  /// one that comes. Cost: a look at each line, whatever the name.
  [[nodiscard]] std::string_view setting_of(std::string_view name) const;

  struct Line {
    std::string hash;
    std::uint64_t tag = 0;  ///< of the name; secret
    bool operator==(const Line&) const = default;
  };
  using Entry = std::pair<const std::string, Line>;  ///< a name and what it has
  /// The line of `name`; null when there is none. Lives as long as the file, wherever that is moved.
  [[nodiscard]] const Entry* find(std::string_view name) const {
    const auto found = lines_.find(name);
    return found == lines_.end() ? nullptr : &*found;
  }
  [[nodiscard]] bool contains(std::string_view name) const { return find(name) != nullptr; }
  [[nodiscard]] std::size_t size() const noexcept { return lines_.size(); }

 private:
  std::map<std::string, Line, std::less<>> lines_;
};

}  // namespace ranged::server
