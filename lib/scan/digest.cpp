#include <ranged/scan/digest.hpp>

#include <openssl/evp.h>

#include <xxhash.h>

#include <array>
#include <cstring>
#include <utility>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace ranged {
namespace {

std::string to_hex(std::span<const std::uint8_t> bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const std::uint8_t byte : bytes) {
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
  return text;
}

class OpensslDigest final : public Digest {
 public:
  static std::unique_ptr<Digest> create(const EVP_MD* algorithm) {
    std::unique_ptr<OpensslDigest> digest(new OpensslDigest);
    if (digest->context_ == nullptr || EVP_DigestInit_ex(digest->context_.get(), algorithm, nullptr) != 1)
      return nullptr;
    return digest;
  }

  void update(std::span<const std::byte> bytes) override {
    EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size());
  }
  std::string finish() override {
    std::array<std::uint8_t, EVP_MAX_MD_SIZE> bytes{};
    unsigned size = 0;
    EVP_DigestFinal_ex(context_.get(), bytes.data(), &size);
    return to_hex(std::span(bytes).first(size));
  }

 private:
  struct Deleter {
    void operator()(EVP_MD_CTX* context) const noexcept { EVP_MD_CTX_free(context); }
  };
  OpensslDigest() : context_(EVP_MD_CTX_new()) {}
  std::unique_ptr<EVP_MD_CTX, Deleter> context_;
};

class XxHashDigest final : public Digest {
 public:
  XxHashDigest() : state_(XXH3_createState()) { XXH3_64bits_reset(state_.get()); }
  void update(std::span<const std::byte> bytes) override {
    XXH3_64bits_update(state_.get(), bytes.data(), bytes.size());
  }
  std::string finish() override {
    XXH64_canonical_t canonical;
    XXH64_canonicalFromHash(&canonical, XXH3_64bits_digest(state_.get()));
    return to_hex(canonical.digest);
  }

 private:
  struct Deleter {
    void operator()(XXH3_state_t* state) const noexcept { XXH3_freeState(state); }
  };
  std::unique_ptr<XXH3_state_t, Deleter> state_;
};

class Crc32cDigest final : public Digest {
 public:
  void update(std::span<const std::byte> bytes) override { crc_ = crc32c(crc_, bytes); }
  std::string finish() override {
    std::array<std::uint8_t, 4> bytes{};
    for (unsigned i = 0; i < 4; ++i) bytes[i] = static_cast<std::uint8_t>(crc_ >> (24 - 8 * i));
    return to_hex(bytes);
  }

 private:
  std::uint32_t crc_ = 0;
};

constexpr std::array<std::uint32_t, 256> make_table() {
  constexpr std::uint32_t polynomial = 0x82f63b78;  // RFC 3720's 0x1edc6f41, lowest bit first
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ ((crc & 1) != 0 ? polynomial : 0);
    table[i] = crc;
  }
  return table;
}
constexpr std::array<std::uint32_t, 256> crc_table = make_table();

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) std::uint32_t crc32c_sse42(std::uint32_t crc,
                                                             std::span<const std::byte> bytes) noexcept {
  std::uint64_t wide = ~crc;
  std::size_t i = 0;
  for (; i + 8 <= bytes.size(); i += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data() + i, 8);
    wide = _mm_crc32_u64(wide, word);
  }
  auto narrow = static_cast<std::uint32_t>(wide);
  for (; i < bytes.size(); ++i) narrow = _mm_crc32_u8(narrow, static_cast<std::uint8_t>(bytes[i]));
  return ~narrow;
}
#endif

}  // namespace

std::unique_ptr<Digest> Digest::create(std::string_view name) {
  if (name == "sha-256") return OpensslDigest::create(EVP_sha256());
  if (name == "sha-512") return OpensslDigest::create(EVP_sha512());
  if (name == "sha-1") return OpensslDigest::create(EVP_sha1());
  if (name == "md5") return OpensslDigest::create(EVP_md5());
  if (name == "blake2b-512") return OpensslDigest::create(EVP_blake2b512());
  if (name == "crc32c") return std::make_unique<Crc32cDigest>();
  if (name == "xxh3") return std::make_unique<XxHashDigest>();
  return nullptr;
}

std::uint32_t crc32c_by_table(std::uint32_t crc, std::span<const std::byte> bytes) noexcept {
  crc = ~crc;
  for (const std::byte byte : bytes) crc = crc >> 8 ^ crc_table[(crc ^ static_cast<std::uint8_t>(byte)) & 0xff];
  return ~crc;
}

std::uint32_t crc32c(std::uint32_t crc, std::span<const std::byte> bytes) noexcept {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("sse4.2") != 0) return crc32c_sse42(crc, bytes);
#endif
  return crc32c_by_table(crc, bytes);
}

}  // namespace ranged
