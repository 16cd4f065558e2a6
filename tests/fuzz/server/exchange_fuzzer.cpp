// Whole exchanges, as a session has them: the bytes of a connection, parsed, admitted, routed and planned request after
// request, and the header of each answer rendered. However the bytes are cut, the answers are the same; and nothing
// behind a head whose framing two readers may see differently is ever answered.

#include "require.hpp"
#include "server/admission.hpp"
#include "server/request_parser.hpp"
#include "server/router.hpp"
#include "server/target.hpp"

#include <ranged/http/http_date.hpp>
#include <ranged/http/response_plan.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace ranged::server;
namespace http = ranged::http;
using State = ParseResult::State;

// RFC 9110, 5.6.7's example; `now` is a day later.
constexpr std::int64_t modified = 784111777;
constexpr std::int64_t now = modified + 86400;

http::BoundaryBits boundary_bits() {
  return {0x0123456789abcdef, 0xfedcba9876543210};
}

http::Representation file_of(Route route) {
  http::Representation file;
  // A size that a range of 19 digits passes, so that sums are tried near the end of 64 bits; and a small one.
  file.size = route == Route::files ? 0xffff'ffff'ffff'fff0U : 1000U;
  file.entity_tag = "\"0123456789abcdef0123456789abcdef\"";
  file.last_modified = modified;
  file.last_modified_text = "Sun, 06 Nov 1994 08:49:37 GMT";
  return file;
}

std::string render_header(const http::ResponsePlan& plan, const http::Representation& file) {
  std::array<char, 2048> room{};
  http::HeaderWriter writer(room);
  http::write_header(plan, file, writer);
  REQUIRE(!writer.failed());
  return std::string(writer.text());
}

// The one value of a field in a rendered header; empty when there is none.
std::string_view value_of(std::string_view header, std::string_view name) {
  std::string_view value;
  while (!header.empty()) {
    const std::string_view line = header.substr(0, header.find("\r\n"));
    REQUIRE(line.size() < header.size());
    REQUIRE(line.find_first_of("\r\n") == std::string_view::npos);
    header.remove_prefix(line.size() + 2);
    if (line.size() <= name.size() || !line.starts_with(name) || line[name.size()] != ':') continue;
    REQUIRE(value.empty());
    value = line.substr(name.size() + 2);
    REQUIRE(!value.empty());
  }
  return value;
}

void check_answer(const RequestHead& head, const http::Representation& file, std::string& answer) {
  const http::ResponsePlan plan = http::plan_file_response(head.conditions, file, {}, now, &boundary_bits);
  const std::string header = render_header(plan, file);
  REQUIRE(value_of(header, "ETag") == file.entity_tag);
  REQUIRE(value_of(header, "Last-Modified") == file.last_modified_text);
  REQUIRE(value_of(header, "Accept-Ranges") == "bytes");
  const std::string_view content_range = value_of(header, "Content-Range");
  const std::string size = std::to_string(file.size);
  if (plan.status == 200 || plan.status == 206) {
    REQUIRE(value_of(header, "Content-Length") == std::to_string(plan.content_length));
  }
  switch (plan.status) {
    case 206:
      for (const http::ByteRange& range : plan.ranges) REQUIRE((range.first <= range.last && range.last < file.size));
      if (plan.ranges.size() == 1) {
        REQUIRE(content_range == "bytes " + std::to_string(plan.ranges.front().first) + '-' +
                                     std::to_string(plan.ranges.front().last) + '/' + size);
        REQUIRE(plan.content_length == plan.ranges.front().last - plan.ranges.front().first + 1);
      } else {
        REQUIRE(content_range.empty());
        REQUIRE(value_of(header, "Content-Type").starts_with("multipart/byteranges; boundary="));
      }
      break;
    case 416:
      REQUIRE(content_range == "bytes */" + size);
      break;
    default:
      REQUIRE(content_range.empty());
  }
  if (head.method == Method::head) REQUIRE((plan.status != 206 && plan.status != 416));
  answer += std::to_string(plan.status) + '\n' + header;
}

// One connection: the answers to what came in pieces of `step` bytes.
struct Connection {
  Connection(std::string_view input, std::size_t step) {
    RequestParser parser;
    std::size_t received = 0;
    while (true) {
      const std::vector<char> buffer(input.begin() + static_cast<std::ptrdiff_t>(consumed),
                                     input.begin() + static_cast<std::ptrdiff_t>(received));
      RequestHead head;
      ParseResult result;
      if (!buffer.empty()) result = parser.parse({buffer.data(), buffer.size()}, head, {});
      if (result.state == State::need_more) {
        if (received == input.size()) return;
        received = std::min(received + step, input.size());
        continue;
      }
      // Content is waited for only where it is taken.
      const std::size_t wanted = content_of(result, head);
      if (buffer.size() < result.consumed + wanted && received < input.size()) {
        received = std::min(received + step, input.size());
        parser.reset();
        continue;
      }
      if (buffer.size() < result.consumed + wanted) return;
      if (!answer(result, head)) return;
      heads += input.substr(consumed, result.consumed);
      consumed += result.consumed + wanted;
      parser.reset();
    }
  }

  // The length of the content that belongs to an admitted request.
  static std::size_t content_of(const ParseResult& result, const RequestHead& head) {
    if (result.refusal || admit(head, {.loopback_only = true, .allowed_hosts = {}})) return 0;
    REQUIRE((head.content_length == 0 || head.method == Method::post));
    REQUIRE(head.content_length <= max_content_bytes);
    REQUIRE((head.content_length == 0 || result.consumed + head.content_length <= max_request_bytes));
    return static_cast<std::size_t>(head.content_length);
  }

  // False: the connection closes.
  bool answer(const ParseResult& result, const RequestHead& head) {
    std::string text;
    Refusal refusal = result.refusal;
    Target target;
    std::string decoded;
    if (!refusal) refusal = admit(head, {.loopback_only = true, .allowed_hosts = {}});
    if (!refusal && !parse_target(head.target, target, decoded))
      refusal = refuse(problems::bad_request, "target", false);
    if (refusal) {
      REQUIRE((refusal.status >= 400 && refusal.status < 600));
      REQUIRE(!reason_phrase(refusal.status).empty());
      text = std::to_string(refusal.status) + '\n' + std::string(refusal.detail);
    } else {
      const Routed routed = route(target.path);
      const bool below_files = target.path == "/files" || target.path.starts_with("/files/");
      REQUIRE(below_files == (routed.route == Route::files || routed.route == Route::listing));
      check_answer(head, file_of(routed.route), text);
    }
    const bool keep_alive = !(refusal && refusal.close) && head.keep_alive();
    // What another reader may take for the length of this request's content (RFC 9112, 6.3 and 11.2).
    const bool is_post = head.method == Method::post && target.path == posting_path;
    const bool has_framing = head.has_transfer_encoding || (head.content_length > 0 && (refusal || !is_post)) ||
                             head.content_length_lines > 1;
    if (has_framing) REQUIRE((refusal && !keep_alive));
    if (head.host_lines > 1 || head.authorization_lines > 1) REQUIRE((refusal && !keep_alive));
    answers.push_back(text);
    return keep_alive;
  }

  std::vector<std::string> answers;
  std::string heads;  // that were gone past
  std::size_t consumed = 0;
};

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const Connection whole(input, std::max<std::size_t>(size, 1));
  REQUIRE(whole.answers == Connection(input, 1).answers);
  REQUIRE(whole.answers == Connection(input, 13).answers);

  // What was gone past is heads, and content that was announced; no head says a word of transfer codings.
  std::string passed = whole.heads;
  std::ranges::transform(passed, passed.begin(), lower);
  REQUIRE(passed.find("\ntransfer-encoding:") == std::string::npos);
  REQUIRE((passed.empty() || passed.ends_with("\r\n\r\n")));
  for (std::size_t i = 0; i < passed.size(); ++i) {
    if (passed[i] == '\n') REQUIRE((i > 0 && passed[i - 1] == '\r'));
    if (passed[i] == '\r') REQUIRE((i + 1 < passed.size() && passed[i + 1] == '\n'));
  }
  return 0;
}
