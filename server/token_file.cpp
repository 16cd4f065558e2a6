#include "server/token_file.hpp"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <algorithm>

namespace ranged::server {

namespace {

bool is_b64token(std::string_view text) noexcept {
  while (text.ends_with('=')) text.remove_suffix(1);
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_' || c == '~' || c == '+' || c == '/';
  });
}

std::array<unsigned char, 32> digest_of(std::string_view token) noexcept {
  std::array<unsigned char, 32> digest;
  ::SHA256(reinterpret_cast<const unsigned char*>(token.data()), token.size(), digest.data());
  return digest;
}

}  // namespace

boost::system::result<TokenFile, SecretFileError> TokenFile::parse(std::string_view text) {
  TokenFile file;
  for (std::size_t line_number = 1; !text.empty(); ++line_number) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line.front() == '#') continue;
    const std::size_t colon = line.find(':');
    const std::string_view token = colon == std::string_view::npos ? line : line.substr(colon + 1);
    if (!is_b64token(token)) {
      return SecretFileError{line_number,
                             "holds no token; TOKEN or NAME:TOKEN, as openssl rand -hex 32 makes, would do"};
    }
    if (token.size() < min_token_bytes || token.size() > max_token_bytes) {
      return SecretFileError{line_number,
                             "holds a token that is not of 22 to 512 characters; openssl rand -hex 32 makes one"};
    }
    const Digest digest = digest_of(token);
    if (std::ranges::find(file.digests_, digest) != file.digests_.end()) {
      return SecretFileError{line_number, "holds a token that has come before; once would do"};
    }
    file.digests_.push_back(digest);
  }
  if (file.digests_.empty()) return SecretFileError{0, "holds no token; openssl rand -hex 32 makes one"};
  return file;
}

bool TokenFile::verify(std::string_view token) const noexcept {
  if (token.size() > max_token_bytes) return false;
  const Digest digest = digest_of(token);
  bool found = false;
  for (const Digest& each : digests_) found = (CRYPTO_memcmp(each.data(), digest.data(), digest.size()) == 0) || found;
  return found;
}

}  // namespace ranged::server
