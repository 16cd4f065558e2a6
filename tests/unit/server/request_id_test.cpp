#include "server/request_id.hpp"

#include <doctest/doctest.h>

#include <set>
#include <string>

using namespace ranged::server;

namespace {

std::string made(std::uint64_t number, const RequestIdKeys& keys) {
  const RequestIdText text = make_request_id(number, keys);
  return {text.data(), text.size()};
}

}  // namespace

TEST_CASE("ids that clients use are taken") {
  for (const std::string_view id :
       {"a", "0", "7d444840-9dc0-11d1-b245-5ffdce74fad2", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "Root=1:5759e988", "aGVsbG8+/w==", "a.b_c~d"}) {
    CAPTURE(id);
    CHECK(is_request_id(id));
  }
  CHECK(is_request_id(std::string(max_request_id, 'a')));
}

TEST_CASE("ids that could be taken for something else are not") {
  for (const std::string_view id :
       {"",      " ",        "a b",   "a,b",  "a;b", "a\"b", "a\\b", "<a>", "a\tb", "a\r\nb",
        "a\x7f", "\xc3\xa4", "a%20b", "$(a)", "`a`", "{a}",  "a&b",  "a?b", "a#b",  "a'b"}) {
    CAPTURE(id);
    CHECK_FALSE(is_request_id(id));
  }
  CHECK_FALSE(is_request_id(std::string_view("a\0b", 3)));
  CHECK_FALSE(is_request_id(std::string(max_request_id + 1, 'a')));
}

TEST_CASE("made ids are ids, and no two numbers have the same") {
  const RequestIdKeys keys{0x0123456789abcdef, 0xfedcba9876543210};
  std::set<std::string> seen;
  for (std::uint64_t worker = 0; worker < 4; ++worker) {
    for (std::uint64_t number = 0; number < 10'000; ++number) {
      const std::string id = made(worker << 48U | number, keys);
      CHECK(id.size() == 16);
      CHECK(id.find_first_not_of("0123456789abcdef") == std::string::npos);
      CHECK(seen.insert(id).second);
    }
  }
  CHECK(is_request_id(*seen.begin()));
}

TEST_CASE("both keys count") {
  const RequestIdKeys keys{1, 2};
  CHECK(made(5, keys) == made(5, keys));
  CHECK(made(5, keys) != made(5, {3, 2}));
  CHECK(made(5, keys) != made(5, {1, 3}));
}
