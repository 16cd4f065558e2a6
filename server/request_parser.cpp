#include "server/request_parser.hpp"

#include "server/request_id.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/basic_parser.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <utility>

namespace ranged::server {
namespace {

namespace beast = boost::beast;
using boost::system::error_code;

// RFC 9112, 2.2 asks for at least one; old clients send two.
constexpr std::size_t max_empty_lines = 4;
// A longer one is none that we know, so that its end need not be waited for (RFC 9112, 3). The longest registered with
// IANA has 17 bytes.
constexpr std::size_t max_method_bytes = 32;
constexpr std::string_view version_prefix = "HTTP/";

using ByteSet = std::array<bool, 256>;

consteval ByteSet token_bytes() {  // RFC 9110, 5.6.2
  ByteSet set{};
  for (char c = '0'; c <= '9'; ++c) set[static_cast<unsigned char>(c)] = true;
  for (char c = 'A'; c <= 'Z'; ++c) set[static_cast<unsigned char>(c)] = true;
  for (char c = 'a'; c <= 'z'; ++c) set[static_cast<unsigned char>(c)] = true;
  for (const char c : std::string_view("!#$%&'*+-.^_`|~")) set[static_cast<unsigned char>(c)] = true;
  return set;
}

consteval ByteSet value_bytes() {  // RFC 9110, 5.5: SP, HTAB, VCHAR, obs-text
  ByteSet set{};
  set['\t'] = true;
  for (std::size_t c = ' '; c < set.size(); ++c) set[c] = c != 0x7f;
  return set;
}

consteval ByteSet target_bytes() {  // VCHAR; which of them make sense is split_target()'s to say
  ByteSet set{};
  for (std::size_t c = '!'; c < 0x7f; ++c) set[c] = true;
  return set;
}

constexpr ByteSet token_set = token_bytes();
constexpr ByteSet value_set = value_bytes();
constexpr ByteSet target_set = target_bytes();

std::size_t skip(const ByteSet& set, std::string_view text, std::size_t from, std::size_t end) noexcept {
  while (from < end && set[static_cast<unsigned char>(text[from])]) ++from;
  return from;
}

constexpr bool is_decimal(char c) noexcept {
  return c >= '0' && c <= '9';
}

Method method_of(std::string_view text) noexcept {
  constexpr std::pair<std::string_view, Method> known[] = {
      {"GET", Method::get},     {"HEAD", Method::head},   {"OPTIONS", Method::options},
      {"POST", Method::post},   {"PUT", Method::put},     {"DELETE", Method::delete_},
      {"PATCH", Method::patch}, {"TRACE", Method::trace}, {"CONNECT", Method::connect},
  };
  for (const auto& [name, method] : known) {
    if (text == name) return method;
  }
  return Method::other;
}

void keep_first(std::string_view& kept, std::string_view value) noexcept {
  if (kept.data() == nullptr) kept = value;
}

// Takes the first member off a list (RFC 9110, 5.6.1.2); empty ones mean nothing.
std::string_view take_member(std::string_view& list) noexcept {
  const std::string_view member = list.substr(0, list.find(','));
  list.remove_prefix(std::min(member.size() + 1, list.size()));
  return http::trim_ows(member);
}

void read_connection_options(std::string_view list, RequestHead& head) noexcept {
  while (!list.empty()) {
    const std::string_view option = take_member(list);
    if (beast::iequals(option, "close")) head.connection_close = true;
    if (beast::iequals(option, "keep-alive")) head.connection_keep_alive = true;
  }
}

void read_expectations(std::string_view list, RequestHead& head) noexcept {
  while (!list.empty()) {
    const std::string_view expectation = take_member(list);
    if (expectation.empty()) continue;
    (beast::iequals(expectation, "100-continue") ? head.expect_continue : head.expect_other) = true;
  }
}

// Beast's parser with a RequestHead instead of a message. Beast 1.81 is told nothing of bodies: it stops after the
// head, and what it makes of the framing counts only where it refuses; admit() judges the rest.
class HeadParser final : public beast::http::basic_parser<true> {
 public:
  explicit HeadParser(RequestHead& head) noexcept : head_(head) {
    // Ours are checked already; Beast's own, 8 KiB and 1 MiB, would answer for us.
    header_limit(std::numeric_limits<std::uint32_t>::max());
    body_limit(boost::none);
  }

 private:
  void on_request_impl(beast::http::verb, beast::string_view, beast::string_view, int, error_code&) override {}
  void on_response_impl(int, beast::string_view, int, error_code&) override {}
  void on_field_impl(beast::http::field id, beast::string_view name, beast::string_view value,
                     error_code& error) override;
  void on_header_impl(error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  std::size_t on_body_impl(beast::string_view, error_code&) override { return 0; }
  void on_chunk_header_impl(std::uint64_t, beast::string_view, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, beast::string_view, error_code&) override { return 0; }
  void on_finish_impl(error_code&) override {}

  RequestHead& head_;
};

void HeadParser::on_field_impl(beast::http::field id, beast::string_view beast_name, beast::string_view beast_value,
                               error_code& error) {
  using beast::http::field;
  const std::string_view name(beast_name.data(), beast_name.size());
  // Never null, so that an empty value is told from an absent one.
  const std::string_view value(beast_value.data() != nullptr ? beast_value.data() : name.data(), beast_value.size());
  ++head_.field_count;
  switch (id) {
    case field::host:
      if (head_.host_lines++ == 0) head_.host = value;
      return;
    case field::content_length: {
      // Beast also takes lists (RFC 9112, 6.3 lets it); that is where parsers differ, so digits alone.
      const char* begin = value.data();
      const char* end = begin + value.size();
      const bool digits = !value.empty() && std::ranges::all_of(value, is_decimal);
      const auto [last, fault] = std::from_chars(begin, end, head_.content_length);
      if (!digits || fault != std::errc() || last != end) error = beast::http::error::bad_content_length;
      ++head_.content_length_lines;
      return;
    }
    case field::transfer_encoding:
      head_.has_transfer_encoding = true;
      return;
    case field::content_type:
      if (head_.content_type_lines++ == 0) head_.content_type = value;
      return;
    case field::content_encoding:
      head_.has_content_encoding = true;
      return;
    case field::connection:
      read_connection_options(value, head_);
      return;
    case field::expect:
      read_expectations(value, head_);
      return;
    case field::accept:
      return head_.accept.add(value);
    case field::accept_encoding:
      return head_.accept_encoding.add(value);
    case field::access_control_request_headers:
      return keep_first(head_.access_control_request_headers, value);
    case field::access_control_request_method:
      return keep_first(head_.access_control_request_method, value);
    case field::authorization:
      if (head_.authorization_lines++ == 0) head_.authorization = value;
      return;
    case field::origin:
      return keep_first(head_.origin, value);
    case field::referer:
      return keep_first(head_.referer, value);
    case field::user_agent:
      return keep_first(head_.user_agent, value);
    case field::unknown:
      if (beast::iequals(beast_name, "x-forwarded-for")) keep_first(head_.forwarded_for, value);
      if (beast::iequals(beast_name, "x-request-id") && is_request_id(value)) keep_first(head_.request_id, value);
      if (beast::iequals(beast_name, "want-content-digest")) head_.want_content_digest.add(value);
      return;
    default:
      head_.conditions.add(name, value);
      return;
  }
}

Refusal refusal_of(const error_code& code) noexcept {
  using beast::http::error;
  if (code == error::bad_content_length || code == error::multiple_content_length) {
    return refuse(problems::framing, "Content-Length is not one decimal number.");
  }
  if (code == error::bad_transfer_encoding) {
    return refuse(problems::framing, "Transfer-Encoding twice or with Content-Length.");
  }
  return refuse(problems::bad_request, "A field value is malformed.");
}

Refusal refuse_line_end(std::string_view detail) noexcept {
  return refuse(problems::bad_request, detail);
}

}  // namespace

Refusal RequestParser::scan(std::string_view buffer, const RequestLimits& limits) noexcept {
  constexpr std::string_view bare_cr = "A carriage return without a line feed.";
  constexpr std::string_view bad_request_line = "The request line is not of the form METHOD TARGET HTTP/1.1.";
  std::size_t at = scanned_;
  std::size_t end = buffer.size();
  // Until the request has begun, its empty lines are bounded below.
  if (begun()) end = std::min(end, begin_ + limits.head_bytes);

  while (at < end && lexeme_ != Lexeme::complete) {
    const char c = buffer[at];
    switch (lexeme_) {
      case Lexeme::start:
        if (c == '\r') {
          if (at >= 2 * max_empty_lines) return refuse(problems::bad_request, "Empty lines instead of a request.");
          lexeme_ = Lexeme::empty_line_lf;
          ++at;
          break;
        }
        begin_ = static_cast<std::uint32_t>(at);
        end = std::min(buffer.size(), at + limits.head_bytes);
        lexeme_ = Lexeme::method;
        break;

      case Lexeme::empty_line_lf:
        if (c != '\n') return refuse_line_end(bare_cr);
        lexeme_ = Lexeme::start;
        ++at;
        break;

      case Lexeme::method:
        at = skip(token_set, buffer, at, end);
        if (at - begin_ > max_method_bytes) return refuse(problems::not_implemented, "Unknown method.");
        if (at == end) break;
        if (buffer[at] != ' ' || at == begin_) return refuse(problems::bad_request, bad_request_line);
        target_begin_ = static_cast<std::uint32_t>(++at);
        lexeme_ = Lexeme::target;
        break;

      case Lexeme::target:
        at = skip(target_set, buffer, at, end);
        if (at - target_begin_ > limits.target_bytes) {
          return refuse(problems::target_too_long, "The request target is too long.");
        }
        if (at == end) break;
        if (buffer[at] != ' ' || at == target_begin_) return refuse(problems::bad_request, bad_request_line);
        target_end_ = static_cast<std::uint32_t>(at++);
        lexeme_ = Lexeme::version;
        break;

      case Lexeme::version: {  // HTTP-version = "HTTP/" DIGIT "." DIGIT
        const std::size_t place = at - target_end_ - 1;
        const std::size_t major = version_prefix.size();
        const bool fits = place < major        ? c == version_prefix[place]
                          : place == major + 1 ? c == '.'
                          : place == major + 3 ? c == '\r'
                                               : is_decimal(c);
        if (!fits) return refuse(problems::bad_request, bad_request_line);
        if (place == major + 2) minor_version_ = c;
        if (place == major + 3) {
          if (buffer[target_end_ + 1 + major] != '1') {
            return refuse(problems::version_not_supported, "Only HTTP/1.1 and HTTP/1.0 are spoken here.");
          }
          fields_begin_ = static_cast<std::uint32_t>(at + 2);
          lexeme_ = Lexeme::line_lf;
        }
        ++at;
        break;
      }

      case Lexeme::line_lf:
        if (c != '\n') return refuse_line_end(bare_cr);
        lexeme_ = Lexeme::line_start;
        ++at;
        break;

      case Lexeme::line_start:
        if (c == '\r') {
          lexeme_ = Lexeme::end_lf;
          ++at;
          break;
        }
        if (c == ' ' || c == '\t') {  // obs-fold (RFC 9112, 5.2), or white space before the first field (2.2)
          return refuse(problems::bad_request, "A line that begins with white space.");
        }
        if (!token_set[static_cast<unsigned char>(c)]) {
          return refuse(problems::bad_request, "A field line without a field name.");
        }
        if (++fields_ > limits.fields) return refuse(problems::header_too_large, "Too many header fields.");
        lexeme_ = Lexeme::name;
        break;

      case Lexeme::name:
        at = skip(token_set, buffer, at, end);
        if (at == end) break;
        // RFC 9112, 5.1: white space before the colon must be refused.
        if (buffer[at] != ':') return refuse(problems::bad_request, "A field name with a byte that none may have.");
        ++at;
        lexeme_ = Lexeme::value;
        break;

      case Lexeme::value:
        at = skip(value_set, buffer, at, end);
        if (at == end) break;
        if (buffer[at] != '\r') {
          return refuse(problems::bad_request,
                        "A field value with a control byte, or a line feed without a carriage "
                        "return.");
        }
        ++at;
        lexeme_ = Lexeme::line_lf;
        break;

      case Lexeme::end_lf:
        if (c != '\n') return refuse_line_end(bare_cr);
        lexeme_ = Lexeme::complete;
        ++at;
        break;

      case Lexeme::complete:
        break;
    }
  }
  scanned_ = static_cast<std::uint32_t>(at);
  if (lexeme_ != Lexeme::complete && begun() && at - begin_ >= limits.head_bytes) {
    return refuse(problems::header_too_large, "The request header is too large.");
  }
  return {};
}

ParseResult RequestParser::parse(std::string_view buffer, RequestHead& out, const RequestLimits& limits) {
  ParseResult result;
  result.refusal = scan(buffer, limits);
  const bool complete = lexeme_ == Lexeme::complete;
  if (!complete && !result.refusal) return result;

  out = RequestHead();
  if (target_begin_ != 0) {
    out.method_text = buffer.substr(begin_, target_begin_ - 1 - begin_);
    out.method = method_of(out.method_text);
    out.conditions.head = out.method == Method::head;
  }
  if (target_end_ != 0) {
    out.target = buffer.substr(target_begin_, target_end_ - target_begin_);
    out.version = minor_version_ == '0' ? 10 : 11;
  }
  if (!result.refusal) {
    HeadParser parser(out);
    error_code error;
    std::size_t from = begin_;
    if (minor_version_ > '1') {
      // Beast refuses the later minor versions, which are to be taken as 1.1 (RFC 9110, 2.5). It sees that instead.
      constexpr std::string_view request_line = "GET / HTTP/1.1\r\n";
      parser.put(boost::asio::buffer(request_line), error);  // needs more: the fields
      from = fields_begin_;
    }
    parser.put(boost::asio::buffer(buffer.data() + from, scanned_ - from), error);
    if (error) result.refusal = refusal_of(error);
  }
  if (result.refusal) {
    result.state = ParseResult::State::refused;
    return result;
  }
  result.state = ParseResult::State::complete;
  result.consumed = scanned_;
  out.size = scanned_;
  return result;
}

}  // namespace ranged::server
