#pragma once
// What of a request head the daemon looks at.

#include <ranged/http/request_conditions.hpp>
#include <ranged/http/want_digest.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace ranged::server {

/// The methods of RFC 9110, 9.3 and RFC 5789. Methods are case-sensitive: "get" is `other`.
enum class Method : std::uint8_t { get, head, options, post, put, delete_, patch, trace, connect, other };

/// The lines of a field that is a list, in order: together they are one list (RFC 9110, 5.3). More than a client sends
/// of Accept or the like are left out, which such a field may be in whole (12.5).
class FieldLines {
 public:
  void add(std::string_view line) noexcept {
    if (count_ < lines_.size()) lines_[count_++] = line;
  }
  [[nodiscard]] std::span<const std::string_view> lines() const noexcept { return {lines_.data(), count_}; }
  friend bool operator==(const FieldLines&, const FieldLines&) noexcept = default;

 private:
  std::array<std::string_view, 4> lines_;
  std::size_t count_ = 0;
};

/// The parts of a request head. All views are into the buffer that was parsed and live as long as it is neither moved
/// nor overwritten; of a head that was known, into its KnownHeads but for Range. Of a field that came in several lines,
/// the first is kept where nothing else is said.
struct RequestHead {
  Method method = Method::other;
  std::string_view method_text;
  std::string_view target;  ///< the request-target as received, visible US-ASCII
  unsigned version = 11;    ///< 10 or 11; a later HTTP/1.x is read as 1.1 (RFC 9110, 2.5)

  std::string_view host;
  unsigned host_lines = 0;
  std::uint64_t content_length = 0;
  unsigned content_length_lines = 0;
  bool has_transfer_encoding = false;
  std::string_view content_type;
  unsigned content_type_lines = 0;
  bool has_content_encoding = false;
  bool connection_close = false;       ///< `close` in any Connection line
  bool connection_keep_alive = false;  ///< `keep-alive` in any Connection line
  bool expect_continue = false;
  bool expect_other = false;  ///< an expectation that is not 100-continue

  http::WantedDigest want_content_digest;
  http::RequestConditions conditions;  ///< Range and the If-... fields; `head` is set for HEAD

  FieldLines accept;
  FieldLines accept_encoding;
  std::string_view access_control_request_headers;
  std::string_view access_control_request_method;
  std::string_view authorization;
  unsigned authorization_lines = 0;
  std::string_view forwarded_for;  ///< X-Forwarded-For
  std::string_view origin;
  std::string_view referer;
  std::string_view request_id;  ///< X-Request-Id where it is one (is_request_id()), else empty
  std::string_view user_agent;
  unsigned field_count = 0;  ///< field lines, of any name
  std::size_t size = 0;      ///< bytes of the head, with the empty lines before it; set when it is complete

  /// Whether the client wants the connection kept (RFC 9112, 9.3): 1.1 unless it says close, 1.0 only by keep-alive.
  [[nodiscard]] bool keep_alive() const noexcept {
    return !connection_close && (version >= 11 || connection_keep_alive);
  }
};

}  // namespace ranged::server
