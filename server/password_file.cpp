#include "server/password_file.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <crypt.h>
#include <sys/random.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <memory>
#include <utility>

namespace ranged::server {

namespace {

/// crypt(5): each step doubles the time; 14 is about a second.
constexpr unsigned most_bcrypt_cost = 14;
/// crypt(5) allows 999,999,999, which is minutes.
constexpr unsigned most_sha_rounds = 1'000'000;

bool all_of_hash_alphabet(std::string_view text) noexcept {
  return std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '/';
  });
}

/// "$2y$12$" and 53 characters: 22 of salt and 31 of hash (crypt(5)).
std::string_view check_bcrypt(std::string_view hash) noexcept {
  constexpr std::string_view malformed = "holds a damaged bcrypt hash; htpasswd -B makes one";
  if (hash.size() != 60 || hash[6] != '$' || !all_of_hash_alphabet(hash.substr(7))) return malformed;
  unsigned cost = 0;
  const auto [end, error] = std::from_chars(hash.data() + 4, hash.data() + 6, cost);
  if (error != std::errc{} || end != hash.data() + 6 || cost < 4) return malformed;
  return cost > most_bcrypt_cost ? "holds a bcrypt hash that costs more than a second; a cost of 14 or less would do"
                                 : std::string_view{};
}

/// "$6$[rounds=N$]SALT$HASH", the hash 43 (SHA-256) or 86 (SHA-512) characters (crypt(5)).
std::string_view check_sha_crypt(std::string_view hash) noexcept {
  constexpr std::string_view malformed = "holds a damaged SHA-crypt hash; openssl passwd -6 makes one";
  constexpr std::string_view rounds_prefix = "rounds=";
  const std::size_t digest_size = hash[1] == '5' ? 43 : 86;
  std::string_view rest = hash.substr(3);
  if (rest.starts_with(rounds_prefix)) {
    const std::size_t dollar = rest.find('$');
    if (dollar == std::string_view::npos) return malformed;
    unsigned rounds = 0;
    const auto [end, error] = std::from_chars(rest.data() + rounds_prefix.size(), rest.data() + dollar, rounds);
    if (end != rest.data() + dollar) return malformed;
    if (error != std::errc{} || rounds > most_sha_rounds) {
      return "holds a SHA-crypt hash of more than 1000000 rounds; fewer would do";
    }
    rest.remove_prefix(dollar + 1);
  }
  const std::size_t dollar = rest.find('$');
  if (dollar > 16 || rest.size() - dollar - 1 != digest_size || !all_of_hash_alphabet(rest.substr(dollar + 1))) {
    return malformed;
  }
  return {};
}

std::string_view check_hash(std::string_view hash) noexcept {
  if (hash.starts_with("$2a$") || hash.starts_with("$2b$") || hash.starts_with("$2y$")) return check_bcrypt(hash);
  if (hash.starts_with("$5$") || hash.starts_with("$6$")) return check_sha_crypt(hash);
  return "holds a hash that is neither bcrypt nor SHA-crypt; htpasswd -B makes one";
}

std::array<unsigned char, 32> random_key() noexcept {
  std::array<unsigned char, 32> key;
  // So few bytes never come short nor are they interrupted (getrandom(2)), but for a moment after boot.
  while (::getrandom(key.data(), key.size(), 0) != static_cast<ssize_t>(key.size())) {
  }
  return key;
}

/// What stands for a name where it must not be foreseen; of the process, so that a reload does not change it.
std::uint64_t tag_of(std::string_view name) {
  static const std::array<unsigned char, 32> key = random_key();
  std::array<unsigned char, 32> digest;
  ::HMAC(::EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(name.data()),
         name.size(), digest.data(), nullptr);
  std::uint64_t tag = 0;
  std::memcpy(&tag, digest.data(), sizeof tag);
  return tag;
}

/// The finalizer of SplitMix64.
std::uint64_t mix(std::uint64_t value) noexcept {
  value = (value ^ value >> 30U) * 0xbf58476d1ce4e5b9U;
  value = (value ^ value >> 27U) * 0x94d049bb133111ebU;
  return value ^ value >> 31U;
}

}  // namespace

boost::system::result<PasswordFile, SecretFileError> PasswordFile::parse(std::string_view text) {
  PasswordFile file;
  for (std::size_t line_number = 1; !text.empty(); ++line_number) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line.front() == '#') continue;
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0 || colon > 255) {
      return SecretFileError{line_number, "is not of the form NAME:HASH; htpasswd -B makes such lines"};
    }
    const std::string_view hash = line.substr(colon + 1);
    if (const std::string_view reason = check_hash(hash); !reason.empty()) return SecretFileError{line_number, reason};
    const std::string_view name = line.substr(0, colon);
    if (!file.lines_.emplace(name, Line{std::string(hash), tag_of(name)}).second) {
      return SecretFileError{line_number, "holds a name that has come before; once would do"};
    }
  }
  if (file.lines_.empty()) return SecretFileError{0, "holds no name; htpasswd -B -c makes a file of one"};
  return file;
}

std::string_view PasswordFile::setting_of(std::string_view name) const {
  // Whoever is nearest to the name: what comes or goes changes nothing between the others (rendezvous hashing). Sought
  // for those that are there as well, which take as long so.
  const std::uint64_t tag = tag_of(name);
  const Entry* nearest = nullptr;
  std::uint64_t greatest = 0;
  for (const Entry& entry : lines_) {
    const std::uint64_t score = mix(tag ^ entry.second.tag);
    if (nearest == nullptr || score > greatest) {
      nearest = &entry;
      greatest = score;
    }
  }
  const Entry* const own = find(name);
  return (own != nullptr ? own : nearest)->second.hash;
}

bool PasswordFile::verify(std::string_view name, std::string_view password) const {
  if (password.size() > max_password_bytes || password.find('\0') != std::string_view::npos) return false;
  // A name that is not there costs a hash too, or the time would tell which names are.
  const std::string hash(setting_of(name));
  const auto data = std::make_unique<crypt_data>();
  std::string phrase(password);
  const char* const computed = ::crypt_rn(phrase.c_str(), hash.c_str(), data.get(), sizeof *data);
  const bool equal = computed != nullptr && std::string_view(computed).size() == hash.size() &&
                     CRYPTO_memcmp(computed, hash.data(), hash.size()) == 0;
  OPENSSL_cleanse(phrase.data(), phrase.size());
  OPENSSL_cleanse(data.get(), sizeof *data);
  return equal && contains(name);
}

}  // namespace ranged::server
