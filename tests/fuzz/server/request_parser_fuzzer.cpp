// Request heads. Whatever the bytes and however they are split: one result, views into the buffer, and the fields that
// a plain reading of the lines finds. What is admitted besides has no content and one Host of this machine.

#include "require.hpp"
#include "server/admission.hpp"
#include "server/request_parser.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace ranged::server;
using State = ParseResult::State;

struct Outcome {
  ParseResult result;
  RequestHead head;
};

// Parses prefixes of `text`, each longer by `step`, each in a buffer of exactly its size.
struct Run {
  Run(std::string_view text, std::size_t step) {
    RequestParser parser;
    for (std::size_t size = std::min(step, text.size());; size = std::min(size + step, text.size())) {
      buffer.assign(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(size));
      outcome.result = parser.parse({buffer.data(), buffer.size()}, outcome.head, {});
      if (outcome.result.state != State::need_more || size == text.size()) return;
    }
  }

  std::vector<char> buffer;
  Outcome outcome;
};

void require_same(const Outcome& a, const Outcome& b) {
  REQUIRE(a.result.state == b.result.state);
  REQUIRE(a.result.consumed == b.result.consumed);
  REQUIRE(a.result.refusal.status == b.result.refusal.status);
  REQUIRE(a.result.refusal.detail == b.result.refusal.detail);
  REQUIRE(a.head.method_text == b.head.method_text);
  REQUIRE(a.head.target == b.head.target);
  REQUIRE(a.head.host == b.head.host);
  REQUIRE(a.head.field_count == b.head.field_count);
}

bool same_name(std::string_view name, std::string_view lower_case) {
  return std::ranges::equal(name, lower_case, [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + 32 : a) == b; });
}

// The head once more by its lines, as simply as can be.
void require_plain_reading(std::string_view text, const RequestHead& head) {
  REQUIRE(text.ends_with("\r\n\r\n"));
  REQUIRE(text.find('\0') == std::string_view::npos);
  while (text.starts_with("\r\n")) text.remove_prefix(2);
  REQUIRE(text.find("\r\n\r\n") == text.size() - 4);
  REQUIRE(text.size() <= RequestLimits().head_bytes);
  text.remove_suffix(2);
  const std::string request_line = std::string(head.method_text) + ' ' + std::string(head.target) + " HTTP/1.";
  REQUIRE(text.starts_with(request_line));
  text.remove_prefix(text.find("\r\n") + 2);
  unsigned fields = 0, hosts = 0, lengths = 0, authorizations = 0;
  bool coding = false;
  while (!text.empty()) {
    const std::size_t end = text.find("\r\n");
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 2);
    REQUIRE(line.find_first_of("\r\n") == std::string_view::npos);
    const std::size_t colon = line.find(':');
    REQUIRE(colon != std::string_view::npos);
    REQUIRE(colon > 0);
    const std::string_view name = line.substr(0, colon);
    REQUIRE(name.find_first_of(" \t") == std::string_view::npos);
    ++fields;
    if (same_name(name, "host")) ++hosts;
    if (same_name(name, "content-length")) ++lengths;
    if (same_name(name, "authorization")) ++authorizations;
    if (same_name(name, "transfer-encoding")) coding = true;
    if (same_name(name, "host") && hosts == 1) REQUIRE(ranged::http::trim_ows(line.substr(colon + 1)) == head.host);
  }
  REQUIRE(fields == head.field_count);
  REQUIRE(fields <= RequestLimits().fields);
  REQUIRE(hosts == head.host_lines);
  REQUIRE(lengths == head.content_length_lines);
  REQUIRE(authorizations == head.authorization_lines);
  REQUIRE(coding == head.has_transfer_encoding);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const Run whole(text, std::max<std::size_t>(size, 1));
  const Run bytewise(text, 1);
  require_same(whole.outcome, bytewise.outcome);
  require_same(whole.outcome, Run(text, 7).outcome);

  const ParseResult& result = whole.outcome.result;
  const RequestHead& head = whole.outcome.head;
  REQUIRE((result.state == State::refused) == static_cast<bool>(result.refusal));
  if (result.state == State::refused) REQUIRE(result.refusal.close);
  if (result.state != State::complete) return 0;

  // It was known as soon as its last byte was there.
  REQUIRE(bytewise.buffer.size() == result.consumed);
  const char* const begin = whole.buffer.data();
  const auto require_within = [&](std::string_view view) {
    if (view.data() != nullptr) REQUIRE((view.data() >= begin && view.data() + view.size() <= begin + result.consumed));
  };
  for (const std::string_view view : {head.target, head.host, head.origin, head.user_agent, head.conditions.range.value,
                                      head.conditions.if_range.value}) {
    require_within(view);
  }
  for (const FieldLines& field : {head.accept, head.accept_encoding}) {
    for (const std::string_view line : field.lines()) require_within(line);
  }
  REQUIRE(head.target.size() <= RequestLimits().target_bytes);
  require_plain_reading(text.substr(0, result.consumed), head);

  if (admit(head, {.loopback_only = true, .allowed_hosts = {}})) return 0;
  REQUIRE(!head.has_transfer_encoding);
  REQUIRE(head.content_length == 0);
  REQUIRE(head.content_length_lines <= 1);
  REQUIRE((head.host_lines == 1 || (head.host_lines == 0 && head.version == 10)));
  REQUIRE((head.method == Method::get || head.method == Method::head || head.method == Method::options));
  if (head.target.starts_with('/') && head.host_lines == 1) {
    REQUIRE((same_name(head.host.substr(0, 9), "localhost") || head.host.starts_with("127.") ||
             head.host.starts_with('[')));
  }
  return 0;
}
