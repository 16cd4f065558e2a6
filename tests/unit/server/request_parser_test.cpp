#include "server/request_parser.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

namespace ranged::server {
namespace {

using State = ParseResult::State;
using namespace std::string_literals;

constexpr std::string_view kept[] = {"Host: 127.0.0.1:8080"};

// The whole of what parsing gave, as text that holds no views.
std::string describe(const ParseResult& result, const RequestHead& head) {
  if (result.state == State::need_more) return "need more";
  if (result.state == State::refused) {
    return "refused " + std::to_string(result.refusal.status) + ' ' + std::string(result.refusal.type) + ' ' +
           std::string(result.refusal.detail) + (result.refusal.close ? "" : " keeps the connection");
  }
  std::string text = "consumed " + std::to_string(result.consumed);
  const auto add = [&text](std::string_view name, std::string_view value) {
    text.append(" | ").append(name).append("=").append(value);
  };
  add("method", head.method_text);
  add("target", head.target);
  add("version", std::to_string(head.version));
  add("host", head.host);
  add("lines", std::to_string(head.host_lines));
  add("length", std::to_string(head.content_length));
  add("lines", std::to_string(head.content_length_lines));
  add("coding", head.has_transfer_encoding ? "1" : "0");
  add("close", head.connection_close ? "1" : "0");
  add("keep-alive", head.connection_keep_alive ? "1" : "0");
  add("continue", head.expect_continue ? "1" : "0");
  add("expect", head.expect_other ? "1" : "0");
  add("fields", std::to_string(head.field_count));
  for (const std::string_view line : head.accept.lines()) add("accept", line);
  add("origin", head.origin);
  add("agent", head.user_agent);
  add("range", head.conditions.range.value);
  add("if-range", head.conditions.if_range.value);
  for (const std::string_view line : head.conditions.if_match) add("if-match", line);
  for (const std::string_view line : head.conditions.if_none_match) add("if-none-match", line);
  return text;
}

// Parses all of it in one call.
std::string parse_whole(std::string_view text, const RequestLimits& limits = {}) {
  RequestParser parser;
  RequestHead head;
  const ParseResult result = parser.parse(text, head, limits);
  return describe(result, head);
}

// Parses the first `split` bytes, then all, each from a buffer of exactly that size, so that a byte read beyond it is
// an error to the address sanitizer. What the first call decides, the second is not asked.
std::string parse_split(std::string_view text, std::size_t split, const RequestLimits& limits = {}) {
  RequestParser parser;
  RequestHead head;
  const std::vector<char> first(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(split));
  ParseResult result = parser.parse({first.data(), first.size()}, head, limits);
  if (result.state != State::need_more) return describe(result, head);
  const std::vector<char> all(text.begin(), text.end());
  result = parser.parse({all.data(), all.size()}, head, limits);
  return describe(result, head);
}

std::string parse_bytewise(std::string_view text, const RequestLimits& limits = {}) {
  RequestParser parser;
  RequestHead head;
  for (std::size_t size = 1; size <= text.size(); ++size) {
    const std::vector<char> buffer(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(size));
    const ParseResult result = parser.parse({buffer.data(), size}, head, limits);
    if (result.state != State::need_more) return describe(result, head);
  }
  return "need more";
}

std::string head_of(std::initializer_list<std::string_view> lines) {
  std::string text;
  for (const std::string_view line : lines) text.append(line).append("\r\n");
  return text + "\r\n";
}

struct Refused {
  const char* what;
  std::string text;
  unsigned status;
  std::string_view type = problems::bad_request.type;
};

std::vector<Refused> refused_requests() {
  constexpr std::string_view get = "GET /a HTTP/1.1";
  constexpr std::string_view host = kept[0];
  return {
      {"nothing but NUL", "\0\0\0\0"s, 400},
      {"a TLS ClientHello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"s, 400},
      {"the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, problems::version_not_supported.type},
      {"HTTP/3.0", head_of({"GET /a HTTP/3.0", host}), 505, problems::version_not_supported.type},
      {"HTTP/0.9", head_of({"GET /a HTTP/0.9", host}), 505, problems::version_not_supported.type},
      {"no version", "GET /a\r\n\r\n", 400},
      {"an empty version", "GET /a \r\n\r\n", 400},
      {"lower-case http", head_of({"GET /a http/1.1", host}), 400},
      {"two digits", head_of({"GET /a HTTP/1.10", host}), 400},
      {"two digits before", head_of({"GET /a HTTP/11.1", host}), 400},
      {"no minor version", head_of({"GET /a HTTP/1", host}), 400},
      {"a comma for the dot", head_of({"GET /a HTTP/1,1", host}), 400},
      {"another protocol", head_of({"GET /a ICY/1.1", host}), 400},
      {"a space after the version", head_of({"GET /a HTTP/1.1 ", host}), 400},
      {"two spaces after the method", head_of({"GET  /a HTTP/1.1", host}), 400},
      {"two spaces before the version", head_of({"GET /a  HTTP/1.1", host}), 400},
      {"a tab for a space", head_of({"GET\t/a HTTP/1.1", host}), 400},
      {"a space before the method", head_of({" GET /a HTTP/1.1", host}), 400},
      {"a space in the target", head_of({"GET /a b HTTP/1.1", host}), 400},
      {"no target", head_of({"GET HTTP/1.1", host}), 400},
      {"a separator in the method", head_of({"G(T /a HTTP/1.1", host}), 400},
      {"a long method", std::string(33, 'X'), 501, problems::not_implemented.type},
      {"a bare CR in the target", head_of({"GET /a\rb HTTP/1.1", host}), 400},
      {"NUL in the target", head_of({"GET /a\0b HTTP/1.1"s, host}), 400},
      {"DEL in the target", head_of({"GET /a\x7f HTTP/1.1", host}), 400},
      {"a byte above 127 in the target", head_of({"GET /\xc3\xa9 HTTP/1.1", host}), 400},
      {"a bare LF after the request line", "GET /a HTTP/1.1\nHost: a\r\n\r\n", 400},
      {"bare LFs everywhere", "GET /a HTTP/1.1\nHost: a\n\n", 400},
      {"CR CR LF", "GET /a HTTP/1.1\r\r\nHost: a\r\n\r\n", 400},
      {"LF before the request", "\nGET /a HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"a bare CR before the request", "\rGET /a HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"five empty lines", "\r\n\r\n\r\n\r\n\r\nGET /a HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"a space before the colon", head_of({get, host, "X : y"}), 400},
      {"a tab before the colon", head_of({get, host, "X\t: y"}), 400},
      {"a line without colon", head_of({get, host, "nothing"}), 400},
      {"an empty name", head_of({get, host, ": y"}), 400},
      {"a separator in a name", head_of({get, host, "X(y: z"}), 400},
      {"a byte above 127 in a name", head_of({get, host, "X\xe9: z"}), 400},
      {"NUL in a name", head_of({get, host, "X\0: z"s}), 400},
      {"obs-fold", head_of({get, host, "X: y", " z"}), 400},
      {"obs-fold with a tab", head_of({get, host, "X: y", "\tz"}), 400},
      {"a line of a space", head_of({get, host, " "}), 400},
      {"a folded first line", head_of({get, " Host: a"}), 400},
      {"NUL in a value", head_of({get, host, "X: y\0z"s}), 400},
      {"a control byte in a value", head_of({get, host, "X: y\x01z"}), 400},
      {"DEL in a value", head_of({get, host, "X: y\x7fz"}), 400},
      {"a bare CR in a value", head_of({get, host, "X: y\rz"}), 400},
      {"a bare LF in a value", head_of({get, host, "X: y\nz"}), 400},
      {"a bare LF between fields", "GET /a HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", 400},
      {"a bare LF at the end", "GET /a HTTP/1.1\r\nHost: a\r\n\n", 400},
      {"a bare CR at the end", "GET /a HTTP/1.1\r\nHost: a\r\n\rX", 400},
      {"a negative length", head_of({get, host, "Content-Length: -1"}), 400, problems::framing.type},
      {"a signed length", head_of({get, host, "Content-Length: +1"}), 400, problems::framing.type},
      {"a hexadecimal length", head_of({get, host, "Content-Length: 0x1"}), 400, problems::framing.type},
      {"an empty length", head_of({get, host, "Content-Length:"}), 400, problems::framing.type},
      {"a length with a space", head_of({get, host, "Content-Length: 1 0"}), 400, problems::framing.type},
      {"a list of equal lengths", head_of({get, host, "Content-Length: 1, 1"}), 400, problems::framing.type},
      {"a list with an empty member", head_of({get, host, "Content-Length: 1,"}), 400, problems::framing.type},
      {"a length with a fraction", head_of({get, host, "Content-Length: 1.0"}), 400, problems::framing.type},
      {"2^64", head_of({get, host, "Content-Length: 18446744073709551616"}), 400, problems::framing.type},
      {"two different lengths", head_of({get, host, "Content-Length: 1", "Content-Length: 2"}), 400,
       problems::framing.type},
      {"length, then chunked", head_of({get, host, "Content-Length: 1", "Transfer-Encoding: chunked"}), 400,
       problems::framing.type},
      {"chunked, then length", head_of({get, host, "Transfer-Encoding: chunked", "Content-Length: 1"}), 400,
       problems::framing.type},
      {"chunked twice", head_of({get, host, "Transfer-Encoding: chunked", "Transfer-Encoding: chunked"}), 400,
       problems::framing.type},
      {"options that are none", head_of({get, host, "Connection: a;b"}), 400},
  };
}

std::vector<std::string> accepted_requests() {
  constexpr std::string_view get = "GET /a HTTP/1.1";
  constexpr std::string_view host = kept[0];
  return {
      head_of({get, host}),
      "\r\n" + head_of({get, host}),
      "\r\n\r\n\r\n\r\n" + head_of({get, host}),
      head_of({get}),
      head_of({"HEAD /a?b=c HTTP/1.0", host}),
      head_of({"GET /a HTTP/1.9", host, "X: y"}),
      head_of({"FROBNICATE http://a/b HTTP/1.1", host}),
      head_of({get, host, "Range: bytes=0-1,5-", "If-Range: \"a\"", "If-Match: \"a\"", "If-Match: \"b\", \"c\"",
               "If-None-Match: *", "User-Agent:test", "Accept: \t text/html \t ", "Origin: null"}),
      head_of({"POST /a HTTP/1.1", host, "Content-Length: 5"}) + "hello",
      head_of({"POST /a HTTP/1.1", host, "Content-Length: 18446744073709551615"}),
      head_of({get, host, "Transfer-Encoding: cow"}) + "5\r\nhello\r\n0\r\n\r\n",
      head_of({get, host, "transfer-encoding: chunked"}) + "5\r\nhello\r\n0\r\n\r\n",
      head_of({get, "Host: a", "hOST: b"}),
      head_of({get, host, "Connection: x, close", "Connection: Keep-Alive", "Expect: 100-Continue", "Expect: y"}),
      head_of({get, host, "X:", "Y: caf\xc3\xa9", "Z: a\tb", "!#$%&'*+-.^_`|~09azAZ: token"}),
      head_of({get, host}) + head_of({"GET /b HTTP/1.1", host}),
  };
}

TEST_CASE("a request head is taken apart") {
  const std::string text =
      head_of({"HEAD /files/a%20b?x=1 HTTP/1.1", "Host: localhost:8080", "Range: bytes=0-9", "Accept: application/json",
               "Accept-Encoding: gzip", "Origin: http://o", "Access-Control-Request-Method: GET",
               "Access-Control-Request-Headers: Range", "Authorization: Basic eA==", "User-Agent: ua",
               "Referer: http://r", "X-Forwarded-For: 192.0.2.1", "If-None-Match: \"t\""});
  RequestParser parser;
  RequestHead head;
  const ParseResult result = parser.parse(text, head, {});
  REQUIRE(result.state == State::complete);
  CHECK(result.consumed == text.size());
  CHECK(head.method == Method::head);
  CHECK(head.method_text == "HEAD");
  CHECK(head.target == "/files/a%20b?x=1");
  CHECK(head.version == 11);
  CHECK(head.host == "localhost:8080");
  CHECK(head.host_lines == 1);
  CHECK(head.content_length_lines == 0);
  CHECK(head.conditions.head);
  CHECK(head.conditions.range.value == "bytes=0-9");
  CHECK(head.conditions.if_none_match.size() == 1);
  REQUIRE(head.accept.lines().size() == 1);
  CHECK(head.accept.lines()[0] == "application/json");
  REQUIRE(head.accept_encoding.lines().size() == 1);
  CHECK(head.accept_encoding.lines()[0] == "gzip");
  CHECK(head.origin == "http://o");
  CHECK(head.access_control_request_method == "GET");
  CHECK(head.access_control_request_headers == "Range");
  CHECK(head.authorization == "Basic eA==");
  CHECK(head.authorization_lines == 1);
  CHECK(head.user_agent == "ua");
  CHECK(head.referer == "http://r");
  CHECK(head.forwarded_for == "192.0.2.1");
  CHECK(head.field_count == 12);
  // Views into the buffer, not copies.
  CHECK(head.target.data() >= text.data());
  CHECK(head.user_agent.data() < text.data() + text.size());
}

TEST_CASE("methods are told apart by their exact names") {
  const std::pair<std::string_view, Method> methods[] = {
      {"GET", Method::get},     {"HEAD", Method::head},   {"OPTIONS", Method::options},
      {"POST", Method::post},   {"PUT", Method::put},     {"DELETE", Method::delete_},
      {"PATCH", Method::patch}, {"TRACE", Method::trace}, {"CONNECT", Method::connect},
      {"get", Method::other},   {"GETS", Method::other},  {"PROPFIND", Method::other},
  };
  for (const auto& [name, method] : methods) {
    RequestParser parser;
    RequestHead head;
    const std::string text = head_of({std::string(name) + " / HTTP/1.1"});
    REQUIRE(parser.parse(text, head, {}).state == State::complete);
    CHECK(head.method == method);
    CHECK(head.method_text == name);
  }
}

TEST_CASE("versions 1.2 to 1.9 are taken as 1.1, with their fields") {
  for (char minor = '0'; minor <= '9'; ++minor) {
    CAPTURE(minor);
    RequestParser parser;
    RequestHead head;
    const std::string text = head_of({"GET /a HTTP/1." + std::string(1, minor), "Host: a", "Range: bytes=1-"});
    const ParseResult result = parser.parse(text, head, {});
    REQUIRE(result.state == State::complete);
    CHECK(result.consumed == text.size());
    CHECK(head.version == (minor == '0' ? 10 : 11));
    CHECK(head.target == "/a");
    CHECK(head.host == "a");
    CHECK(head.conditions.range.value == "bytes=1-");
    CHECK(head.field_count == 2);
  }
}

TEST_CASE("the connection is kept as the version and the options say") {
  const auto keeps = [](std::string_view version, std::initializer_list<std::string_view> options) {
    std::string text = "GET / HTTP/" + std::string(version) + "\r\n";
    for (const std::string_view option : options) text.append("Connection: ").append(option).append("\r\n");
    text += "\r\n";
    RequestParser parser;
    RequestHead head;
    REQUIRE(parser.parse(text, head, {}).state == State::complete);
    return head.keep_alive();
  };
  CHECK(keeps("1.1", {}));
  CHECK(keeps("1.1", {"closed"}));
  CHECK(keeps("1.1", {"TE, x-foo"}));
  CHECK(keeps("1.1", {""}));
  CHECK_FALSE(keeps("1.1", {"close"}));
  CHECK_FALSE(keeps("1.1", {"CLOSE"}));
  CHECK_FALSE(keeps("1.1", {"x-foo ,\tclose"}));
  CHECK_FALSE(keeps("1.1", {"x-foo", "close"}));
  CHECK_FALSE(keeps("1.1", {"keep-alive, close"}));
  CHECK_FALSE(keeps("1.0", {}));
  CHECK(keeps("1.0", {"Keep-Alive"}));
  CHECK_FALSE(keeps("1.0", {"keep-alive", "close"}));
}

TEST_CASE("expectations are told apart") {
  RequestHead head;
  std::string text = head_of({"GET / HTTP/1.1", "Expect: 100-CONTINUE"});
  REQUIRE(RequestParser().parse(text, head, {}).state == State::complete);
  CHECK(head.expect_continue);
  CHECK_FALSE(head.expect_other);
  // A list (RFC 9110, 10.1.1), with empty members as lists have them.
  for (const std::string_view line :
       {"Expect: 100-continue, x", "Expect: x=\"y\" ,\t100-Continue,", "Expect:x,,100-continue"}) {
    CAPTURE(line);
    text = head_of({"GET / HTTP/1.1", line});
    REQUIRE(RequestParser().parse(text, head, {}).state == State::complete);
    CHECK(head.expect_continue);
    CHECK(head.expect_other);
  }
  for (const std::string_view line :
       {"Expect: ,100-continue", "Expect: 100-continue ,", "Expect:\t,, 100-continue\t"}) {
    CAPTURE(line);
    text = head_of({"GET / HTTP/1.1", line});
    REQUIRE(RequestParser().parse(text, head, {}).state == State::complete);
    CHECK(head.expect_continue);
    CHECK_FALSE(head.expect_other);
  }
  for (const std::string_view line : {"Expect:", "Expect: ,", "Expect: \t"}) {
    CAPTURE(line);
    text = head_of({"GET / HTTP/1.1", line});
    REQUIRE(RequestParser().parse(text, head, {}).state == State::complete);
    CHECK_FALSE(head.expect_continue);
    CHECK_FALSE(head.expect_other);
  }
}

TEST_CASE("the lines of a list are kept in order, four of them") {
  RequestHead head;
  const std::string text = head_of({"GET / HTTP/1.1", "Host: a", "Accept: 1", "Accept: 2", "Accept-Encoding: x",
                                    "Accept: 3", "Accept: 4", "Accept: 5", "Accept-Encoding: y"});
  REQUIRE(RequestParser().parse(text, head, {}).state == State::complete);
  REQUIRE(head.accept.lines().size() == 4);
  CHECK(head.accept.lines()[0] == "1");
  CHECK(head.accept.lines()[3] == "4");
  REQUIRE(head.accept_encoding.lines().size() == 2);
  CHECK(head.accept_encoding.lines()[1] == "y");
}

TEST_CASE("an empty value is not an absent one, and the first line of a field is kept") {
  RequestHead head;
  const std::string text = head_of({"GET / HTTP/1.1", "Accept:", "Accept: text/html", "Origin: a", "Origin: b",
                                    "Host:", "Host: c", "Authorization: Basic eA==", "authorization:"});
  REQUIRE(RequestParser().parse(text, head, {}).state == State::complete);
  CHECK(head.accept.lines().size() == 2);
  CHECK(head.origin == "a");
  CHECK(head.host.empty());
  CHECK(head.host_lines == 2);
  CHECK(head.authorization == "Basic eA==");
  CHECK(head.authorization_lines == 2);
  CHECK(head.referer.data() == nullptr);
}

TEST_CASE("Transfer-Encoding and Content-Length are recorded and their content left alone") {
  RequestHead head;
  const std::string chunked = head_of({"POST / HTTP/1.1", "Transfer-Encoding: chunked"});
  ParseResult result = RequestParser().parse(chunked + "5\r\nhello\r\n0\r\n\r\n", head, {});
  REQUIRE(result.state == State::complete);
  CHECK(result.consumed == chunked.size());
  CHECK(head.has_transfer_encoding);

  const std::string sized = head_of({"POST / HTTP/1.1", "Content-Length: 0000005"});
  result = RequestParser().parse(sized + "hello", head, {});
  REQUIRE(result.state == State::complete);
  CHECK(result.consumed == sized.size());
  CHECK_FALSE(head.has_transfer_encoding);
  CHECK(head.content_length == 5);
  CHECK(head.content_length_lines == 1);

  // More than the megabyte that Beast stops at by itself.
  const std::string huge = head_of({"POST / HTTP/1.1", "Content-Length: 18446744073709551615"});
  REQUIRE(RequestParser().parse(huge, head, {}).state == State::complete);
  CHECK(head.content_length == 18446744073709551615u);
}

TEST_CASE("what is no HTTP/1.x is refused and the connection closed") {
  for (const Refused& request : refused_requests()) {
    CAPTURE(request.what);
    RequestParser parser;
    RequestHead head;
    const ParseResult result = parser.parse(request.text, head, {});
    REQUIRE(result.state == State::refused);
    CHECK(result.refusal.status == request.status);
    CHECK(result.refusal.type == request.type);
    CHECK(result.refusal.close);
    CHECK_FALSE(result.refusal.title.empty());
    CHECK_FALSE(result.refusal.detail.empty());
  }
}

TEST_CASE("each byte from 0 to 255 in a method, target, name and value") {
  for (int byte = 0; byte < 256; ++byte) {
    CAPTURE(byte);
    const std::string c(1, static_cast<char>(byte));
    const bool alphanumeric =
        (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z');
    const bool token = alphanumeric || (byte != 0 && "!#$%&'*+-.^_`|~"s.find(c) != std::string::npos);
    const bool visible = byte > 32 && byte < 127;
    const auto complete = [](const std::string& text) { return parse_whole(text).starts_with("consumed"); };
    CHECK(complete("G" + c + "T / HTTP/1.1\r\n\r\n") == token);
    CHECK(complete("GET /" + c + "a HTTP/1.1\r\n\r\n") == visible);
    // A colon ends the name, so the line is a field all the same.
    CHECK(complete("GET / HTTP/1.1\r\nA" + c + "b: c\r\n\r\n") == (token || byte == ':'));
    CHECK(complete("GET / HTTP/1.1\r\nA: b" + c + "c\r\n\r\n") ==
          (byte == '\t' || byte == ' ' || visible || byte > 127));
  }
}

TEST_CASE("however a request is split, the result is the same") {
  std::vector<std::string> requests = accepted_requests();
  for (Refused& request : refused_requests()) requests.push_back(std::move(request.text));
  for (const std::string& text : requests) {
    CAPTURE(text);
    const std::string whole = parse_whole(text);
    CHECK(parse_bytewise(text) == whole);
    for (std::size_t split = 0; split <= text.size(); ++split) {
      CAPTURE(split);
      CHECK(parse_split(text, split) == whole);
    }
  }
  for (const std::string& text : accepted_requests()) CHECK(parse_whole(text).starts_with("consumed"));
}

TEST_CASE("a head is complete at its last byte and not before, and what follows is not looked at") {
  for (const std::string& text : accepted_requests()) {
    CAPTURE(text);
    const std::size_t size = text.find("\r\n\r\n", text.find("HTTP/1.")) + 4;
    RequestParser parser;
    RequestHead head;
    CHECK(parser.parse({text.data(), size - 1}, head, {}).state == State::need_more);
    const ParseResult result = parser.parse(text + "\0\n garbage"s, head, {});
    CHECK(result.state == State::complete);
    CHECK(result.consumed == size);
  }
}

TEST_CASE("garbage is refused at its first byte") {
  // The last byte of each is the first that is wrong.
  const std::string garbage[] = {
      "\x16",
      "\0"s,
      "GET /a\n",
      "GET /a HTTP/1.1\n",
      "GET /a HTTP/1.1\r\nHost: a\n",
      "GET /a HTTP/1.1\r\nHost ",
      "GET /a HTTP/1.1\r\n ",
      "GET /a HTTP/1.1\r\nX: y\r\n ",
      "GET /a HTTP/1.1\r\nX: \0"s,
      "GET /a HTTP/1.1\r\n\r ",
      "GET /a HTTP/2.0\r",
  };
  for (const std::string& text : garbage) {
    CAPTURE(text);
    CHECK(parse_whole(std::string_view(text).substr(0, text.size() - 1)) == "need more");
    CHECK(parse_whole(text).starts_with("refused"));
  }
}

TEST_CASE("the head is bounded to the byte") {
  const auto head_with = [](std::size_t size) {
    const std::string bare = head_of({"GET / HTTP/1.1", "X: "});
    return head_of({"GET / HTTP/1.1", "X: " + std::string(size - bare.size(), 'y')});
  };
  const RequestLimits limits{.head_bytes = 256, .fields = 4, .target_bytes = 64};
  REQUIRE(head_with(256).size() == 256);
  CHECK(parse_whole(head_with(256), limits).starts_with("consumed 256"));
  CHECK(parse_whole("\r\n" + head_with(256), limits).starts_with("consumed 258"));
  CHECK(parse_whole(head_with(257), limits).starts_with("refused 431 /problems/header-too-large"));
  CHECK(parse_bytewise(head_with(256), limits).starts_with("consumed 256"));
  CHECK(parse_bytewise(head_with(257), limits).starts_with("refused 431"));
  // No need to wait for the end of it.
  CHECK(parse_whole(std::string_view(head_with(300)).substr(0, 256), limits).starts_with("refused 431"));
  CHECK(parse_whole(std::string_view(head_with(300)).substr(0, 255), limits) == "need more");
  for (std::size_t split = 0; split <= 257; ++split) {
    CHECK(parse_split(head_with(256), split, limits).starts_with("consumed 256"));
    CHECK(parse_split(head_with(257), split, limits).starts_with("refused 431"));
  }
  CHECK(parse_whole(head_with(16384)).starts_with("consumed"));
  CHECK(parse_whole(head_with(16385)).starts_with("refused 431"));
}

TEST_CASE("fields are counted, whatever their names") {
  const auto with_fields = [](std::size_t count) {
    std::string text = "GET / HTTP/1.1\r\n";
    for (std::size_t i = 0; i < count; ++i) text += "X: y\r\n";
    return text + "\r\n";
  };
  CHECK(parse_whole(with_fields(100)).starts_with("consumed"));
  CHECK(parse_whole(with_fields(101)).starts_with("refused 431 /problems/header-too-large"));
  CHECK(parse_bytewise(with_fields(100)).starts_with("consumed"));
  CHECK(parse_bytewise(with_fields(101)).starts_with("refused 431"));
}

TEST_CASE("the target is bounded to the byte") {
  const auto with_target = [](std::size_t size) { return "GET /" + std::string(size - 1, 'x') + " HTTP/1.1\r\n\r\n"; };
  CHECK(parse_whole(with_target(8192)).starts_with("consumed"));
  CHECK(parse_whole(with_target(8193)).starts_with("refused 414 /problems/target-too-long"));
  CHECK(parse_whole(with_target(100000)).starts_with("refused 414"));
  CHECK(parse_whole("GET /" + std::string(8192, 'x')).starts_with("refused 414"));
  CHECK(parse_whole("GET /" + std::string(8191, 'x')) == "need more");
}

TEST_CASE("a parser takes one request after the other") {
  const std::string text = head_of({"GET /a HTTP/1.0", "Host: a", "Range: bytes=0-0", "Connection: keep-alive"}) +
                           "\r\n" + head_of({"GET /b HTTP/1.1"});
  RequestParser parser;
  RequestHead head;
  ParseResult result = parser.parse(text, head, {});
  REQUIRE(result.state == State::complete);
  CHECK(head.target == "/a");
  parser.reset();
  result = parser.parse(std::string_view(text).substr(result.consumed), head, {});
  REQUIRE(result.state == State::complete);
  CHECK(head.target == "/b");
  CHECK(head.version == 11);
  CHECK(head.host_lines == 0);
  CHECK_FALSE(head.conditions.range.present());
  CHECK_FALSE(head.connection_keep_alive);
  CHECK(head.field_count == 0);
}

TEST_CASE("a request has begun with its first byte, not with empty lines") {
  RequestParser parser;
  RequestHead head;
  CHECK_FALSE(parser.begun());
  CHECK(parser.parse("\r\n\r\n", head, {}).state == State::need_more);
  CHECK_FALSE(parser.begun());
  CHECK(parser.parse("\r\n\r\nG", head, {}).state == State::need_more);
  CHECK(parser.begun());
  parser.reset();
  CHECK_FALSE(parser.begun());
}

TEST_CASE("what was understood of a refused request is there for the log") {
  RequestHead head;
  const std::string text = head_of({"GET /a HTTP/1.1", "X : y"});
  CHECK(RequestParser().parse(text, head, {}).state == State::refused);
  CHECK(head.method_text == "GET");
  CHECK(head.target == "/a");
  // Not to give a body to a HEAD, even to one with such a target.
  const std::string head_request = "HEAD /" + std::string(9000, 'x');
  CHECK(RequestParser().parse(head_request, head, {}).state == State::refused);
  CHECK(head.method == Method::head);
  CHECK(head.target.empty());
  CHECK(RequestParser().parse("\x16\x03\x01", head, {}).state == State::refused);
  CHECK(head.method == Method::other);
  CHECK(head.method_text.empty());
  CHECK(head.target.empty());
}

}  // namespace
}  // namespace ranged::server
