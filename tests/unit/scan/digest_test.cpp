#include <ranged/scan/digest.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

using namespace ranged;

namespace {

std::string digest_of(std::string_view algorithm, std::string_view text, std::size_t piece) {
  const std::unique_ptr<Digest> digest = Digest::create(algorithm);
  REQUIRE(digest != nullptr);
  for (std::size_t at = 0; at < text.size(); at += piece) {
    const std::string_view now = text.substr(at, piece);
    digest->update({reinterpret_cast<const std::byte*>(now.data()), now.size()});
  }
  return digest->finish();
}

struct Known {
  const char* algorithm;
  const char* text;
  const char* digest;
};

}  // namespace

TEST_CASE("the values that the standards give") {
  for (const Known& known : {
           Known{"sha-256", "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
           Known{"sha-512", "abc",
                 "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4"
                 "423643c"
                 "e80e2a9ac94fa54ca49f"},
           Known{"sha-1", "abc", "a9993e364706816aba3e25717850c26c9cd0d89d"},
           Known{"md5", "abc", "900150983cd24fb0d6963f7d28e17f72"},
           Known{"blake2b-512", "abc",
                 "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1"
                 "7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923"},
           Known{"crc32c", "123456789", "e3069283"},
           Known{"crc32c", "", "00000000"},
           Known{"xxh3", "", "2d06800538d394c2"},
       }) {
    CAPTURE(known.algorithm);
    CHECK(digest_of(known.algorithm, known.text, 100) == known.digest);
    CHECK(digest_of(known.algorithm, known.text, 2) == known.digest);
  }
}

TEST_CASE("pieces change nothing") {
  std::mt19937 random(7);
  std::string text(100'003, '\0');
  for (char& c : text) c = static_cast<char>(random());
  for (const char* const algorithm : {"sha-256", "sha-512", "sha-1", "md5", "blake2b-512", "crc32c", "xxh3"}) {
    CAPTURE(algorithm);
    CHECK(digest_of(algorithm, text, 4093) == digest_of(algorithm, text, text.size()));
  }
}

TEST_CASE("the processor's CRC-32C is that of the table") {
  std::mt19937 random(8);
  for (std::size_t size = 0; size < 70; ++size) {
    std::vector<std::byte> bytes(size);
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
    CHECK(crc32c(12345, bytes) == crc32c_by_table(12345, bytes));
  }
}

TEST_CASE("no other algorithms") {
  CHECK(Digest::create("sha-384") == nullptr);
  CHECK(Digest::create("") == nullptr);
}
