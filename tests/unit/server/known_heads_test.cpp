#include "server/known_heads.hpp"

#include "server/request_parser.hpp"

#include <doctest/doctest.h>

#include <array>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

using namespace ranged::server;

namespace {

constexpr KnownHeads::Channel network{.over_network = true, .secured = false};

/// What a parser and a reader of targets make of a text.
struct Read {
  explicit Read(std::string_view bytes) : text(bytes) {
    RequestParser parser;
    result = parser.parse(text, head, {});
    is_target = parse_target(head.target, target, decoded);
  }
  Read(const Read&) = delete;
  Read& operator=(const Read&) = delete;

  std::string text;
  ParseResult result;
  RequestHead head;
  Target target;
  std::string decoded;
  bool is_target = false;
};

/// What is recalled of a text; `size` is 0 when nothing is.
struct Recalled {
  Recalled(KnownHeads& heads, std::uint8_t place, std::string_view bytes, KnownHeads::Channel channel = network)
      : text(bytes), size(heads.recall(place, channel, text, use, head, target)) {}
  Recalled(const Recalled&) = delete;
  Recalled& operator=(const Recalled&) = delete;

  std::string text;
  KnownHeads::Use use;
  RequestHead head;
  Target target;
  std::size_t size;
};

/// Lets the table see a text as often as it takes to learn it.
std::uint8_t learn(KnownHeads& heads, std::string_view text, KnownHeads::Channel channel = network) {
  const Read read(text);
  REQUIRE(read.result.state == ParseResult::State::complete);
  (void)heads.learn(std::string_view(read.text).substr(0, read.result.consumed), read.head, channel);
  return heads.learn(std::string_view(read.text).substr(0, read.result.consumed), read.head, channel);
}

void check_same(const RequestHead& a, const RequestHead& b) {
  CHECK(a.method == b.method);
  CHECK(a.method_text == b.method_text);
  CHECK(a.target == b.target);
  CHECK(a.version == b.version);
  CHECK(a.host == b.host);
  CHECK(a.host_lines == b.host_lines);
  CHECK(a.content_length == b.content_length);
  CHECK(a.content_length_lines == b.content_length_lines);
  CHECK(a.has_transfer_encoding == b.has_transfer_encoding);
  CHECK(a.content_type == b.content_type);
  CHECK(a.content_type_lines == b.content_type_lines);
  CHECK(a.has_content_encoding == b.has_content_encoding);
  CHECK(a.connection_close == b.connection_close);
  CHECK(a.connection_keep_alive == b.connection_keep_alive);
  CHECK(a.expect_continue == b.expect_continue);
  CHECK(a.expect_other == b.expect_other);
  CHECK(a.want_content_digest.choice() == b.want_content_digest.choice());
  CHECK(a.conditions.head == b.conditions.head);
  CHECK(a.conditions.range.value == b.conditions.range.value);
  CHECK(a.conditions.range.lines == b.conditions.range.lines);
  CHECK(a.conditions.if_range.value == b.conditions.if_range.value);
  CHECK(a.conditions.if_range.lines == b.conditions.if_range.lines);
  CHECK(a.conditions.if_modified_since.value == b.conditions.if_modified_since.value);
  CHECK(a.conditions.if_unmodified_since.value == b.conditions.if_unmodified_since.value);
  CHECK(a.conditions.if_match == b.conditions.if_match);
  CHECK(a.conditions.if_none_match == b.conditions.if_none_match);
  CHECK(a.accept == b.accept);
  CHECK(a.accept_encoding == b.accept_encoding);
  CHECK(a.access_control_request_headers == b.access_control_request_headers);
  CHECK(a.access_control_request_method == b.access_control_request_method);
  CHECK(a.authorization == b.authorization);
  CHECK(a.authorization_lines == b.authorization_lines);
  CHECK(a.forwarded_for == b.forwarded_for);
  CHECK(a.origin == b.origin);
  CHECK(a.referer == b.referer);
  CHECK(a.request_id == b.request_id);
  CHECK(a.user_agent == b.user_agent);
  CHECK(a.field_count == b.field_count);
  CHECK(a.size == b.size);
}

void check_as_parsed(const Recalled& recalled) {
  const Read read(recalled.text);
  REQUIRE(read.result.state == ParseResult::State::complete);
  CHECK(recalled.size == read.result.consumed);
  check_same(recalled.head, read.head);
  CHECK(read.is_target);
  CHECK(recalled.target.path == read.target.path);
  CHECK(recalled.target.raw_path == read.target.raw_path);
  CHECK(recalled.target.raw_query == read.target.raw_query);
  CHECK(recalled.target.has_query == read.target.has_query);
}

std::string request(std::string_view range, std::string_view target = "/files/disk.img") {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: localhost\r\nRange: " + std::string(range) +
         "\r\nUser-Agent: a client\r\nIf-None-Match: \"a\", \"b\"\r\nIf-None-Match: \"c\"\r\n\r\n";
}

}  // namespace

TEST_CASE("a head that came twice is recalled with any Range, and says what a parser says") {
  const auto heads = std::make_unique<KnownHeads>();
  const std::uint8_t place = learn(*heads, request("bytes=0-0", "/files/a%20name?query=1"));
  for (const char* range : {"bytes=0-0", "bytes=1099511627776-1099511631871", "bytes=-1", "bytes=5-", "bytes=1-2,4-5",
                            "lines=1-2", "bytes", "x"}) {
    CAPTURE(range);
    const Recalled recalled(*heads, place, request(range, "/files/a%20name?query=1") + "GET / HTTP");
    CHECK(recalled.size > 0);
    CHECK(recalled.use);
    CHECK(recalled.target.path == "/files/a name");
    CHECK(recalled.head.conditions.range.value == range);
    // What it says of Range is the buffer's own.
    CHECK(recalled.head.conditions.range.value.data() > recalled.text.data());
    CHECK(recalled.head.conditions.range.value.data() < recalled.text.data() + recalled.text.size());
    check_as_parsed(recalled);
  }
}

TEST_CASE("once is not enough, and what was not asked for is not known") {
  const auto heads = std::make_unique<KnownHeads>();
  const Read read(request("bytes=0-0"));
  const std::uint8_t place = heads->learn(read.text, read.head, network);
  CHECK(Recalled(*heads, place, read.text).size == 0);
  CHECK(heads->learn(read.text, read.head, network) == place);
  CHECK(Recalled(*heads, place, read.text).size == read.text.size());
  CHECK(Recalled(*heads, static_cast<std::uint8_t>((place + 1) % KnownHeads::count), read.text).size == 0);
  CHECK(Recalled(*heads, 255, "").size == 0);
}

TEST_CASE("a head that differs in one byte, or is not whole, is parsed") {
  const auto heads = std::make_unique<KnownHeads>();
  const std::string text = request("bytes=0-4095");
  const std::uint8_t place = learn(*heads, text);
  const std::size_t range = text.find("bytes=");
  for (std::size_t at = 0; at < text.size(); ++at) {
    CAPTURE(at);
    CHECK(Recalled(*heads, place, std::string_view(text).substr(0, at)).size == 0);
    for (const char c : {'\0', '\t', '\n', '\r', ' ', ',', '0', ':', 'A', 'a', '\x7f', '\xff'}) {
      std::string other = text;
      if (other[at] == c) continue;
      other[at] = c;
      const Recalled recalled(*heads, place, other);
      if (recalled.size != 0) check_as_parsed(recalled);
      const bool in_range = at >= range && at < text.find("\r\n", range);
      if (!in_range) CHECK(recalled.size == 0);
    }
  }
}

TEST_CASE("whatever is done to a known head, it is parsed or says what a parser says") {
  const auto heads = std::make_unique<KnownHeads>();
  std::mt19937 random(7);  // NOLINT(*-msc32-c,*-msc51-cpp): the same each time
  const std::vector<std::string_view> pieces{
      "\r\n", "\r",       "\n", " ",    "\t",    "Range: bytes=1-2\r\n", "bytes=", "1", "-",
      ",",    "\r\n\r\n", ":",  "GET ", "Range", "range: x\r\n",         "\0"};
  const std::string text = request("bytes=0-4095");
  const std::uint8_t place = learn(*heads, text);
  std::size_t recalled_count = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string other = text;
    for (unsigned change = 0, changes = 1 + random() % 2; change < changes; ++change) {
      const std::size_t near_range = text.find("bytes=") - 4 + random() % 24;
      const std::size_t at = std::min(random() % 2 == 0 ? near_range : random() % other.size(), other.size());
      if (random() % 2 == 0) other.erase(at, random() % 4);
      other.insert(std::min(at, other.size()), pieces[random() % pieces.size()]);
    }
    const Recalled recalled(*heads, place, other);
    if (recalled.size == 0) continue;
    ++recalled_count;
    CAPTURE(other);
    check_as_parsed(recalled);
  }
  CHECK(recalled_count > 100);  // else nothing was shown
}

TEST_CASE("what is not a read of one plain Range, brings a secret, or is much to copy, is never learned") {
  const auto heads = std::make_unique<KnownHeads>();
  const std::string field = "X-Long: " + std::string(KnownHeads::max_head_bytes, 'x') + "\r\n";
  for (const std::string& text :
       {std::string("GET /files/a HTTP/1.1\r\nHost: a\r\n\r\n"),
        std::string("GET /files/a HTTP/1.1\r\nHost: a\r\nRange: bytes=0-1\r\nRange: bytes=0-1\r\n\r\n"),
        std::string("GET /files/a HTTP/1.1\r\nHost: a\r\nRange:\r\n\r\n"),
        std::string("GET /files/a HTTP/1.1\r\nHost: a\r\nRange: bytes=0-1 \r\n\r\n"),
        std::string("GET /files/a HTTP/1.1\r\nHost: a\r\nRange: bytes=0-1, 3-4\r\n\r\n"),
        std::string("GET /files/a HTTP/1.1\r\nHost: a\r\nIf-Match: \"a\"\r\nIf-Match: \"b\"\r\nIf-Match: \"c\"\r\n"
                    "Range: bytes=0-1\r\n\r\n"),
        std::string("GET /files/a HTTP/1.1\r\nHost: a\r\nAuthorization: Basic YTpi\r\nRange: bytes=0-1\r\n\r\n"),
        std::string("OPTIONS /files/a HTTP/1.1\r\nHost: a\r\nRange: bytes=0-1\r\n\r\n"),
        "GET /files/a HTTP/1.1\r\nHost: a\r\n" + field + "Range: bytes=0-1\r\n\r\n"}) {
    CAPTURE(text);
    const std::uint8_t place = learn(*heads, text);
    CHECK(Recalled(*heads, place, text).size == 0);
  }
}

TEST_CASE("a Range of more bytes than one has is parsed") {
  const auto heads = std::make_unique<KnownHeads>();
  const std::uint8_t place = learn(*heads, request("bytes=0-0"));
  const std::string longest(KnownHeads::max_range_bytes, '1');
  CHECK(Recalled(*heads, place, request(longest)).size > 0);
  CHECK(Recalled(*heads, place, request(longest + '1')).size == 0);
  CHECK(Recalled(*heads, place, request("")).size == 0);
}

TEST_CASE("a head is known for the way it came alone") {
  const auto heads = std::make_unique<KnownHeads>();
  const std::string text = request("bytes=0-0");
  const std::uint8_t place = learn(*heads, text);
  CHECK(Recalled(*heads, place, text, {.over_network = false, .secured = false}).size == 0);
  CHECK(Recalled(*heads, place, text, {.over_network = true, .secured = true}).size == 0);
  CHECK(Recalled(*heads, place, text).size > 0);
}

TEST_CASE("when the rules change all is forgotten, but for what is being answered") {
  const auto heads = std::make_unique<KnownHeads>();
  const std::string text = request("bytes=0-0");
  const std::uint8_t place = learn(*heads, text);
  {
    const Recalled answered(*heads, place, text);
    REQUIRE(answered.size > 0);
    heads->forget_all();
    CHECK(Recalled(*heads, place, text).size == 0);
    CHECK(learn(*heads, text) == place);  // its place is taken
    CHECK(Recalled(*heads, place, text).size == 0);
    check_as_parsed(answered);
  }
  CHECK(learn(*heads, text) == place);
  CHECK(Recalled(*heads, place, text).size > 0);
}

TEST_CASE("more heads than there are places: each answer is its own head's") {
  const auto heads = std::make_unique<KnownHeads>();
  std::array<std::uint8_t, 4 * KnownHeads::count> places{};
  const auto text_of = [](std::size_t number) { return request("bytes=1-2", "/files/" + std::to_string(number)); };
  for (int round = 0; round < 3; ++round) {
    for (std::size_t number = 0; number < places.size(); ++number) {
      const Recalled recalled(*heads, places[number], text_of(number));
      if (recalled.size != 0) {
        check_as_parsed(recalled);
      } else {
        places[number] = learn(*heads, text_of(number));
      }
    }
  }
}

TEST_CASE("what is recalled stays while others are learned in its place") {
  const auto heads = std::make_unique<KnownHeads>();
  const std::string text = request("bytes=0-0");
  const std::uint8_t place = learn(*heads, text);
  const Recalled answered(*heads, place, text);
  REQUIRE(answered.size > 0);
  bool same_place = false;
  for (int number = 0; number < 1000; ++number) {
    same_place = learn(*heads, request("bytes=1-2", "/files/" + std::to_string(number))) == place || same_place;
  }
  CHECK(same_place);
  check_as_parsed(answered);
}
