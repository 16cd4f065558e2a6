#include <ranged/http/want_digest.hpp>

#include <doctest/doctest.h>

#include <initializer_list>
#include <string>
#include <string_view>

using namespace ranged::http;

namespace {

DigestAlgorithm wanted(std::initializer_list<std::string_view> lines) {
  WantedDigest digest;
  for (const std::string_view line : lines) digest.add(line);
  return digest.choice();
}

}  // namespace

TEST_CASE("nothing is wanted where nothing is said") {
  CHECK(wanted({}) == DigestAlgorithm::none);
  CHECK(wanted({""}) == DigestAlgorithm::none);
  CHECK(wanted({"  "}) == DigestAlgorithm::none);
}

TEST_CASE("what is wanted most is chosen") {
  CHECK(wanted({"sha-256=10"}) == DigestAlgorithm::sha_256);
  CHECK(wanted({"sha-256=1"}) == DigestAlgorithm::sha_256);
  CHECK(wanted({"sha-512=3"}) == DigestAlgorithm::sha_512);
  CHECK(wanted({"sha-256=10, sha-512=3"}) == DigestAlgorithm::sha_256);
  CHECK(wanted({"sha-256=2, sha-512=3"}) == DigestAlgorithm::sha_512);
  CHECK(wanted({"sha-512=3,sha-256=3"}) == DigestAlgorithm::sha_256);
  CHECK(wanted({"sha-512=3, sha-256=10, unixsum=0"}) == DigestAlgorithm::sha_256);
}

TEST_CASE("0 is not wanted") {
  CHECK(wanted({"sha-256=0"}) == DigestAlgorithm::none);
  CHECK(wanted({"sha-256=0, sha-512=1"}) == DigestAlgorithm::sha_512);
  CHECK(wanted({"sha-256=000"}) == DigestAlgorithm::none);
}

TEST_CASE("what we do not have is passed over") {
  CHECK(wanted({"md5=10"}) == DigestAlgorithm::none);
  CHECK(wanted({"md5=10, sha-512=1"}) == DigestAlgorithm::sha_512);
  CHECK(wanted({"*x_y-z.*=5, a=1, sha-256=1"}) == DigestAlgorithm::sha_256);
  CHECK(wanted({"sha-2567=1, sha-25=2"}) == DigestAlgorithm::none);
}

TEST_CASE("of a key that comes twice the last value counts") {
  CHECK(wanted({"sha-256=10, sha-256=0"}) == DigestAlgorithm::none);
  CHECK(wanted({"sha-256=0, sha-512=1, sha-256=1"}) == DigestAlgorithm::sha_256);
}

TEST_CASE("lines are one dictionary") {
  CHECK(wanted({"sha-256=1", "sha-512=2"}) == DigestAlgorithm::sha_512);
  CHECK(wanted({"sha-256=9", "sha-256=1, sha-512=2"}) == DigestAlgorithm::sha_512);
  CHECK(wanted({"sha-256=1", "?"}) == DigestAlgorithm::none);
  CHECK(wanted({"?", "sha-256=1"}) == DigestAlgorithm::none);
}

TEST_CASE("blanks stand where the grammar has them") {
  CHECK(wanted({" sha-256=1 "}) == DigestAlgorithm::sha_256);
  CHECK(wanted({"md5=1 \t ,\t sha-256=1"}) == DigestAlgorithm::sha_256);
  for (const std::string_view line : {"sha-256 =1", "sha-256= 1", "sha-256=1 0", "\tsha-256=1", "sha-256=1\n"}) {
    CAPTURE(line);
    CHECK(wanted({line}) == DigestAlgorithm::none);
  }
}

TEST_CASE("a fault anywhere makes the field mean nothing") {
  for (const std::string_view line : {"sha-256",
                                      "sha-256=",
                                      "sha-256=11",
                                      "sha-256=-1",
                                      "sha-256=+1",
                                      "sha-256=1.0",
                                      "sha-256=0x1",
                                      "sha-256=?1",
                                      "sha-256=\"1\"",
                                      "sha-256=1;q=1",
                                      "sha-256=(1)",
                                      "sha-256=1,",
                                      "sha-256=1, ",
                                      ",sha-256=1",
                                      "sha-256=1,,md5=1",
                                      "SHA-256=1",
                                      "sha-256=1, MD5=1",
                                      "sha-256=1 md5=1",
                                      "sha-256=1, md5",
                                      "sha-256=1, md5=x",
                                      "sha-256=1, md5=99",
                                      "sha-256=1, =1",
                                      "sha-256=1, -a=1",
                                      "sha-256=1, 1a=1",
                                      "sha-256=0000000000000001",
                                      "sha-256=1e0",
                                      "sha-256=18446744073709551617",
                                      "sha-256:1",
                                      "sha-256=1, :YQ==:",
                                      "\xffsha-256=1"}) {
    CAPTURE(line);
    CHECK(wanted({line}) == DigestAlgorithm::none);
  }
  CHECK(wanted({"sha-256=000000000000001"}) == DigestAlgorithm::sha_256);  // 15 digits are an integer
  CHECK(wanted({std::string_view("sha-256=1\0", 10)}) == DigestAlgorithm::none);
}

TEST_CASE("algorithms have the names of the registry") {
  CHECK(digest_name(DigestAlgorithm::sha_256) == "sha-256");
  CHECK(digest_name(DigestAlgorithm::sha_512) == "sha-512");
  CHECK(digest_name(DigestAlgorithm::none).empty());
}
