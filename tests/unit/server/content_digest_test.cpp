#include "server/content_digest.hpp"

#include <doctest/doctest.h>

using namespace ranged::server;
using ranged::http::DigestAlgorithm;

TEST_CASE("a digest is written as RFC 9530 writes it") {
  // RFC 9530, B.1: of {"hello": "world"} and a line feed.
  CHECK(render_content_digest(DigestAlgorithm::sha_256,
                              "44aff4ab2d7c3250525675a08f0cfa9591168cffe51791c5f5bbc417c15a6c38") ==
        "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:");
  CHECK(render_content_digest(DigestAlgorithm::sha_512,
                              "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2"
                              "877eec2f63b931bd47417a81a538327af927da3e") ==
        "sha-512=:z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==:");
}
