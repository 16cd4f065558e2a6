#include "server/admission.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

namespace ranged::server {
namespace {

// A GET that is admitted; the tests spoil it.
RequestHead good() {
  RequestHead head;
  head.method = Method::get;
  head.method_text = "GET";
  head.target = "/files/a";
  head.host = "127.0.0.1:8080";
  head.host_lines = 1;
  head.field_count = 1;
  return head;
}

Refusal judge(const RequestHead& head, bool loopback_only = true, std::span<const std::string> allowed = {}) {
  return admit(head, {.loopback_only = loopback_only, .allowed_hosts = allowed});
}

unsigned status_for_host(std::string_view host, bool loopback_only = true, std::span<const std::string> allowed = {}) {
  RequestHead head = good();
  head.host = host;
  return judge(head, loopback_only, allowed).status;
}

TEST_CASE("a plain request is admitted") {
  const Refusal refusal = judge(good());
  CHECK_FALSE(refusal);
  CHECK(refusal.status == 0);
  RequestHead head = good();
  head.method = Method::head;
  CHECK_FALSE(judge(head));
  head.method = Method::options;
  CHECK_FALSE(judge(head));
}

TEST_CASE("any Transfer-Encoding is refused and closes") {
  RequestHead head = good();
  head.has_transfer_encoding = true;
  for (const Method method : {Method::get, Method::head, Method::post, Method::other}) {
    head.method = method;
    const Refusal refusal = judge(head);
    CHECK(refusal.status == 501);
    CHECK(refusal.type == problems::framing.type);
    CHECK(refusal.close);
  }
  head.content_length_lines = 1;
  CHECK(judge(head).status == 400);
  CHECK(judge(head).close);
  head.content_length_lines = 0;
  head.version = 10;
  CHECK(judge(head).status == 400);
  CHECK(judge(head).close);
}

TEST_CASE("credentials in two lines are refused and close") {
  RequestHead head = good();
  head.authorization_lines = 1;
  CHECK_FALSE(judge(head));
  head.authorization_lines = 2;
  CHECK(judge(head).status == 400);
  CHECK(judge(head).type == problems::bad_request.type);
  CHECK(judge(head).close);
}

TEST_CASE("content is refused and closes, none is not") {
  RequestHead head = good();
  head.content_length_lines = 1;
  CHECK_FALSE(judge(head));
  head.content_length = 1;
  for (const Method method : {Method::get, Method::head, Method::options}) {
    head.method = method;
    CHECK(judge(head).status == 413);
    CHECK(judge(head).type == problems::framing.type);
    CHECK(judge(head).close);
  }
  // Expecting to be asked for it changes nothing.
  head.expect_continue = true;
  CHECK(judge(head).status == 413);

  head = good();
  head.content_length_lines = 2;
  CHECK(judge(head).status == 400);
  CHECK(judge(head).close);
}

namespace {

RequestHead good_post() {
  RequestHead head = good();
  head.method = Method::post;
  head.method_text = "POST";
  head.target = posting_path;
  head.content_length = 100;
  head.content_length_lines = 1;
  head.content_type = "application/json";
  head.content_type_lines = 1;
  head.size = 200;
  return head;
}

}  // namespace

TEST_CASE("content is taken in a POST to one address") {
  CHECK_FALSE(judge(good_post()));
  RequestHead head = good_post();
  head.target = "http://127.0.0.1/search";
  CHECK_FALSE(judge(head));
  head = good_post();
  head.version = 10;
  CHECK_FALSE(judge(head));
  head = good_post();
  head.content_length = 0;
  CHECK_FALSE(judge(head));
  for (const std::string_view target : {"/search/", "/%73earch", "//search", "/Search", "/searches", "/", "/bytes", "*",
                                        "/files/search", "search", "/search#a", "ftp://127.0.0.1/search"}) {
    CAPTURE(target);
    head = good_post();
    head.target = target;
    CHECK(judge(head).status == 405);
    CHECK(judge(head).allow == "GET, HEAD, OPTIONS");
    CHECK(judge(head).close);
    head.content_length = 0;
    CHECK_FALSE(judge(head).close);
  }
  for (const Method method : {Method::put, Method::patch, Method::delete_}) {
    head = good_post();
    head.method = method;
    CHECK(judge(head).status == 405);
    CHECK(judge(head).allow == "GET, HEAD, POST, OPTIONS");
    CHECK(judge(head).close);
  }
  for (const Method method : {Method::get, Method::head, Method::options}) {
    head = good_post();
    head.method = method;
    CHECK(judge(head).status == 413);
    CHECK(judge(head).close);
  }
}

TEST_CASE("the length of a POST is said, and is bounded") {
  RequestHead head = good_post();
  head.content_length_lines = 0;
  head.content_length = 0;
  CHECK(judge(head).status == 411);
  CHECK(judge(head).close);
  head = good_post();
  head.content_length_lines = 2;
  CHECK(judge(head).status == 400);
  head = good_post();
  head.has_transfer_encoding = true;
  CHECK(judge(head).status == 400);
  head.content_length_lines = 0;
  head.content_length = 0;
  CHECK(judge(head).status == 501);
  head = good_post();
  head.content_length = max_content_bytes;
  CHECK_FALSE(judge(head));
  ++head.content_length;
  CHECK(judge(head).status == 413);
  CHECK(judge(head).close);
  head.content_length = ~std::uint64_t{0};
  CHECK(judge(head).status == 413);
  head = good_post();
  head.size = max_request_bytes - head.content_length;
  CHECK_FALSE(judge(head));
  ++head.size;
  CHECK(judge(head).status == 413);
  CHECK(judge(head).close);
}

TEST_CASE("the content of a POST is JSON, so that no form of another site can send it") {
  RequestHead head = good_post();
  for (const std::string_view type : {"application/json", "Application/JSON", "application/json;charset=utf-8",
                                      "application/json ; charset=\"utf-8\""}) {
    CAPTURE(type);
    head.content_type = type;
    CHECK_FALSE(judge(head));
  }
  for (const std::string_view type :
       {"", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=a", "application/jsonp",
        "application/ld+json", "application/json, text/plain", "text/plain, application/json",
        "text/plain;application/json", "*/*", "json"}) {
    CAPTURE(type);
    head.content_type = type;
    CHECK(judge(head).status == 415);
    CHECK(judge(head).type == problems::unsupported_media_type.type);
    CHECK(judge(head).close);
  }
  head = good_post();
  head.content_type_lines = 2;
  CHECK(judge(head).status == 415);
  head.content_type_lines = 0;
  CHECK(judge(head).status == 415);
  head = good_post();
  head.has_content_encoding = true;
  CHECK(judge(head).status == 415);
}

TEST_CASE("whatever is refused with content closes") {
  RequestHead head = good_post();
  head.expect_other = true;
  CHECK(judge(head).status == 417);
  CHECK(judge(head).close);
  head = good_post();
  head.host = "evil.example";
  CHECK(judge(head).status == 421);
  CHECK(judge(head).close);
  head = good_post();
  head.expect_continue = true;
  CHECK_FALSE(judge(head));
}

TEST_CASE("one Host in HTTP/1.1, at most one in 1.0") {
  RequestHead head = good();
  head.host_lines = 2;
  CHECK(judge(head).status == 400);
  CHECK(judge(head).close);
  head.version = 10;
  CHECK(judge(head).status == 400);
  head.host = {};
  head.host_lines = 0;
  CHECK_FALSE(judge(head));
  head.version = 11;
  CHECK(judge(head).status == 400);
  CHECK(judge(head).type == problems::bad_request.type);
  CHECK(judge(head).close);
  // Not even when the target names one (RFC 9112, 3.2).
  head.target = "http://127.0.0.1/files/a";
  CHECK(judge(head).status == 400);
}

TEST_CASE("a Host is host[:port]") {
  for (const std::string_view host : {"",
                                      ":80",
                                      "me@127.0.0.1",
                                      "127.0.0.1/x",
                                      "127.0.0.1 x",
                                      "127.0.0.1, localhost",
                                      "127.0.0.1:http",
                                      "127.0.0.1:80:80",
                                      "127.0.0.1:65536",
                                      "127.0.0.1:-1",
                                      "[::1",
                                      "::1",
                                      "[::1]x",
                                      "[]",
                                      "[127.0.0.1]",
                                      "[::1%lo]",
                                      "[1:2]",
                                      "a%00b",
                                      "http://127.0.0.1",
                                      "loc\xc3\xa4lhost",
                                      "a?b",
                                      "a#b",
                                      "\"a\"",
                                      "a\\b",
                                      "a,b",
                                      "a\tb"}) {
    CAPTURE(host);
    // Also where any name would do.
    CHECK(status_for_host(host) == 400);
    CHECK(status_for_host(host, false) == 400);
  }
  for (const std::string_view host :
       {"example.org", "EXAMPLE.org:80", "example.org.", "a_b-c~d", "192.0.2.1:65535", "192.0.2.1:", "[2001:db8::1]",
        "[2001:db8::1]:80", "[2001:db8::1]:", "[::ffff:192.0.2.1]"}) {
    CAPTURE(host);
    CHECK(status_for_host(host, false) == 0);
    CHECK(status_for_host(host) == 421);
  }
}

TEST_CASE("on loopback only names of loopback are admitted") {
  for (const std::string_view host :
       {"localhost", "LocalHost:8080", "localhost.", "127.0.0.1", "127.0.0.1:1", "127.0.0.1:", "127.0.0.2",
        "127.255.255.255", "[::1]", "[::1]:8080", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]"}) {
    CAPTURE(host);
    CHECK(status_for_host(host) == 0);
  }
  for (const std::string_view host : {"evil.example",
                                      "127.0.0.1.evil.example",
                                      "evil.localhost.example",
                                      "x.localhost",
                                      "localhost.evil.example",
                                      "notlocalhost",
                                      "localhost-",
                                      "192.0.2.1",
                                      "128.0.0.1",
                                      "126.255.255.255",
                                      "0.0.0.0",
                                      "127.1",
                                      "0x7f.0.0.1",
                                      "2130706433",
                                      "0177.0.0.1",
                                      "127.0.0.1.",
                                      "[::]",
                                      "[::2]",
                                      "[::ffff:128.0.0.1]",
                                      "[::127.0.0.1]"}) {
    CAPTURE(host);
    CHECK(status_for_host(host) == 421);
    CHECK(status_for_host(host, false) == 0);
  }
  RequestHead head = good();
  head.host = "evil.example";
  CHECK(judge(head).type == problems::misdirected.type);
  CHECK_FALSE(judge(head).close);
}

TEST_CASE("allowed hosts are admitted beside loopback, at any port") {
  const std::vector<std::string> allowed{"files.example", "other"};
  CHECK(status_for_host("files.example", true, allowed) == 0);
  CHECK(status_for_host("Files.Example:8080", true, allowed) == 0);
  CHECK(status_for_host("other", true, allowed) == 0);
  CHECK(status_for_host("localhost", true, allowed) == 0);
  CHECK(status_for_host("x.files.example", true, allowed) == 421);
  CHECK(status_for_host("files.example.evil", true, allowed) == 421);
  CHECK(status_for_host("othe", true, allowed) == 421);
}

TEST_CASE("an https target is for secured connections") {
  RequestHead head = good();
  head.target = "https://127.0.0.1/files/a";
  for (const bool loopback_only : {true, false}) {
    CHECK(judge(head, loopback_only).status == 421);
    CHECK_FALSE(judge(head, loopback_only).close);
  }
  head.content_length = 5;
  head.content_length_lines = 1;
  CHECK(judge(head).status == 421);
  CHECK(judge(head).close);  // its content would be read as a request
}

TEST_CASE("in the absolute form the target's host counts") {
  const auto status = [](std::string_view target, std::string_view host) {
    RequestHead head = good();
    head.target = target;
    head.host = host;
    return judge(head).status;
  };
  CHECK(status("http://127.0.0.1/a", "127.0.0.1") == 0);
  CHECK(status("HTTP://localhost:80/a", "127.0.0.1") == 0);
  CHECK(status("http://127.0.0.1/a", "evil.example") == 0);  // RFC 9112, 3.2.2
  CHECK(status("http://127.0.0.1", "127.0.0.1") == 0);
  CHECK(status("http://evil.example/a", "127.0.0.1") == 421);
  CHECK(status("http:///a", "127.0.0.1") == 400);
  CHECK(status("http://me@127.0.0.1/a", "127.0.0.1") == 400);
  CHECK(status("http://127.0.0.1:x/a", "127.0.0.1") == 400);
  CHECK(status("http://127.0.0.1/a", "not a host") == 400);
  CHECK(status("ftp://127.0.0.1/a", "127.0.0.1") == 400);
}

TEST_CASE("targets of other forms are refused and close") {
  for (const std::string_view target : {"files/a", "127.0.0.1:80", "a", "", "/a#b", "http:/a", "?a", "*x", "**"}) {
    CAPTURE(target);
    RequestHead head = good();
    head.target = target;
    CHECK(judge(head).status == 400);
    CHECK(judge(head).close);
  }
  RequestHead head = good();
  head.target = "*";
  CHECK(judge(head).status == 400);
  head.method = Method::options;
  CHECK_FALSE(judge(head));
}

TEST_CASE("methods that HTTP knows answer 405 with Allow, others 501") {
  for (const Method method :
       {Method::post, Method::put, Method::delete_, Method::patch, Method::trace, Method::connect}) {
    RequestHead head = good();
    head.method = method;
    Refusal refusal = judge(head);
    CHECK(refusal.status == 405);
    CHECK(refusal.type == problems::method_not_allowed.type);
    CHECK(refusal.allow == "GET, HEAD, OPTIONS");
    CHECK_FALSE(refusal.close);
    head.content_length = 1;
    head.content_length_lines = 1;
    refusal = judge(head);
    CHECK(refusal.status == 405);
    CHECK(refusal.close);
  }
  RequestHead head = good();
  head.method = Method::other;
  CHECK(judge(head).status == 501);
  CHECK(judge(head).type == problems::not_implemented.type);
  CHECK_FALSE(judge(head).close);
  head.content_length = 1;
  head.content_length_lines = 1;
  CHECK(judge(head).close);

  head = good();
  head.method = Method::connect;
  head.target = "127.0.0.1:80";
  CHECK(judge(head).status == 405);
}

TEST_CASE("the only expectation is 100-continue, and HTTP/1.0 has none") {
  RequestHead head = good();
  head.expect_continue = true;
  CHECK_FALSE(judge(head));
  head.expect_other = true;
  CHECK(judge(head).status == 417);
  CHECK(judge(head).type == problems::expectation_failed.type);
  CHECK_FALSE(judge(head).close);
  head.version = 10;
  CHECK_FALSE(judge(head));
}

TEST_CASE("doubt about the framing outranks all else") {
  RequestHead head = good();
  head.has_transfer_encoding = true;
  head.method = Method::post;
  head.host = "evil.example";
  head.expect_other = true;
  CHECK(judge(head).type == problems::framing.type);
  CHECK(judge(head).close);
}

}  // namespace
}  // namespace ranged::server
