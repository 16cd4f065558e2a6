#pragma once
// Which requests are answered at all: the framing rules that Beast 1.81 leaves open (RFC 9112, 6), Host, methods,
// expectations. What is refused here can be neither smuggled past this daemon nor aimed at it by DNS rebinding.

#include "server/problem.hpp"
#include "server/request_head.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace ranged::server {

/// Why a request is not answered as it wishes; true in a condition when there is a reason. The texts are constants.
struct Refusal {
  std::uint16_t status = 0;  ///< 0: not refused
  std::string_view type;
  std::string_view title;
  std::string_view detail;
  bool close = true;       ///< the connection must close after the answer: where the next request begins is in doubt
  std::string_view allow;  ///< the value of Allow; empty: none

  explicit operator bool() const noexcept { return status != 0; }
};

/// A refusal with the status, type and title of a problem. `detail` must outlive it.
[[nodiscard]] constexpr Refusal refuse(const ProblemType& problem, std::string_view detail,
                                       bool close = true) noexcept {
  return {problem.status, problem.type, problem.title, detail, close, {}};
}

/// The one address that takes content, in a POST; exactly so written.
inline constexpr std::string_view posting_path = "/search";
/// Content at most: what a target may say, content may.
inline constexpr std::size_t max_content_bytes = 8192;
/// Head and content together at most: what a connection may buffer (law 1).
inline constexpr std::size_t max_request_bytes = 16384;

/// The methods of the resource at a path, as the value of Allow.
[[nodiscard]] constexpr std::string_view allowed_methods(std::string_view path) noexcept {
  return path == posting_path ? "GET, HEAD, POST, OPTIONS" : "GET, HEAD, OPTIONS";
}

struct AdmissionRules {
  bool loopback_only = true;                   ///< every TCP listener is on loopback: the Host must be of this machine
  std::span<const std::string> allowed_hosts;  ///< names that are also taken then; no port, any case
  bool secured = false;                        ///< the connection is encrypted
};

/// Judges a request head that was parsed. The rules in order, the first that is broken counts:
///  1. Transfer-Encoding: 400 with Content-Length or in HTTP/1.0, else 501. Content-Length in two lines: 400.
///  2. Host: in HTTP/1.1 exactly one line, in 1.0 at most one, of the form host[:port]; else 400. Authorization in two
///     lines: 400.
///  3. the method: 501 when unknown, 405 with Allow when not allowed (with content it closes the connection). POST is
///     for posting_path alone.
///  4. the target: origin-form, absolute-form with http or https and a host, `*` for OPTIONS alone; else 400. With
///  https: 421 (RFC 9110, 7.4) unless `secured`.
///  5. content (Content-Length > 0): 413, but in a POST. There: 411 without a Content-Length; 415 unless one
///  Content-Type
///     says application/json and nothing is encoded, so that no form of another site can post here without being
///     allowed to (Fetch, 3.2.2); 413 beyond max_content_bytes, or max_request_bytes with its head.
///  6. Expect other than 100-continue: 417.
///  7. the host, that of the target before that of the field (RFC 9112, 3.2.2): 421 when `loopback_only` and it is
///     neither `localhost`, nor a loopback address, nor allowed.
/// What is refused with content closes the connection: that is not read, and would be taken for the next request.
/// Percent-escapes of the target are parse_target()'s to check. Pure, thread-safe, no allocation.
[[nodiscard]] Refusal admit(const RequestHead& head, const AdmissionRules& rules) noexcept;

}  // namespace ranged::server
