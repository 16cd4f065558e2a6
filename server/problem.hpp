#pragma once
// Errors as RFC 9457 describes them: `application/problem+json`, each with a stable type.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace ranged::server {

/// One kind of error: its usual status, its type (a URI reference that never changes, for programs) and its title (for
/// people; the same for every occurrence, RFC 9457, 3.1.3).
struct ProblemType {
  std::uint16_t status;
  std::string_view type;
  std::string_view title;
};

/// All kinds of error that the daemon answers with.
namespace problems {
/// Not HTTP/1.x syntax: request line, field lines, target, Host. (RFC 9112, 2.2, 3, 5)
inline constexpr ProblemType bad_request{400, "/problems/bad-request", "Malformed request"};
/// Where the request ends cannot be told beyond doubt, or a body came that nobody wants: 400, 413 or 501. (RFC 9112, 6)
inline constexpr ProblemType framing{400, "/problems/framing", "Unacceptable message framing"};
/// A query parameter whose value is no such value.
inline constexpr ProblemType bad_parameter{400, "/problems/bad-parameter", "Bad parameter"};
/// A query parameter that this address does not know.
inline constexpr ProblemType unknown_parameter{400, "/problems/unknown-parameter", "Unknown parameter"};
/// A query parameter that came twice.
inline constexpr ProblemType repeated_parameter{400, "/problems/repeated-parameter", "Repeated parameter"};
/// More bytes asked for than one answer holds (`max_window`).
inline constexpr ProblemType window_too_large{400, "/problems/window-too-large", "Window too large"};
/// No credentials, or wrong ones; comes with WWW-Authenticate. (RFC 9110, 15.5.2)
inline constexpr ProblemType unauthorized{401, "/problems/unauthorized", "Unauthorized"};
/// The file may not be read by the daemon, or the origin may not ask.
inline constexpr ProblemType permission{403, "/problems/permission", "Not permitted"};
/// Nothing by that name, or nothing that is served.
inline constexpr ProblemType not_found{404, "/problems/not-found", "Not found"};
/// A method that HTTP knows and this resource does not take; comes with Allow. (RFC 9110, 15.5.6)
inline constexpr ProblemType method_not_allowed{405, "/problems/method-not-allowed", "Method not allowed"};
/// The request did not come whole in time; closes the connection. (RFC 9110, 15.5.9)
inline constexpr ProblemType request_timeout{408, "/problems/request-timeout", "Request timeout"};
/// The file is not the version that the request demands. (RFC 9110, 15.5.13)
inline constexpr ProblemType precondition_failed{412, "/problems/precondition-failed", "Precondition failed"};
/// The target is longer than is read. (RFC 9110, 15.5.15)
inline constexpr ProblemType target_too_long{414, "/problems/target-too-long", "Request target too long"};
/// Content of another media type than is taken. (RFC 9110, 15.5.16)
inline constexpr ProblemType unsupported_media_type{415, "/problems/unsupported-media-type", "Unsupported media type"};
/// No byte of the file is in the range. (RFC 9110, 15.5.17)
inline constexpr ProblemType range_not_satisfiable{416, "/problems/range-not-satisfiable", "Range not satisfiable"};
/// An expectation other than 100-continue. (RFC 9110, 15.5.18)
inline constexpr ProblemType expectation_failed{417, "/problems/expectation-failed", "Expectation failed"};
/// A Host that is not this daemon's: DNS rebinding, or a wrong address. (RFC 9110, 15.5.20)
inline constexpr ProblemType misdirected{421, "/problems/misdirected", "Misdirected request"};
/// More requests than are taken at once from this client.
inline constexpr ProblemType too_many_requests{429, "/problems/too-many-requests", "Too many requests"};
/// More field lines, or more bytes of them, than are read. (RFC 6585, 5)
inline constexpr ProblemType header_too_large{431, "/problems/header-too-large", "Request header too large"};
/// A fault of the daemon or its disk.
inline constexpr ProblemType internal{500, "/problems/internal", "Internal error"};
/// A method that the daemon does not know. (RFC 9110, 15.6.2)
inline constexpr ProblemType not_implemented{501, "/problems/not-implemented", "Not implemented"};
/// Busy beyond the deadline, or stopping; comes with Retry-After. (RFC 9110, 15.6.4)
inline constexpr ProblemType unavailable{503, "/problems/unavailable", "Unavailable"};
/// A major version other than HTTP/1. (RFC 9110, 15.6.6)
inline constexpr ProblemType version_not_supported{505, "/problems/version-not-supported",
                                                   "HTTP version not supported"};

inline constexpr std::array all{bad_request,
                                framing,
                                bad_parameter,
                                unknown_parameter,
                                repeated_parameter,
                                window_too_large,
                                unauthorized,
                                permission,
                                not_found,
                                method_not_allowed,
                                precondition_failed,
                                target_too_long,
                                unsupported_media_type,
                                range_not_satisfiable,
                                expectation_failed,
                                misdirected,
                                too_many_requests,
                                header_too_large,
                                internal,
                                not_implemented,
                                unavailable,
                                version_not_supported};
}  // namespace problems

/// The media type of problem_json().
inline constexpr std::string_view problem_media_type = "application/problem+json";

/// A problem as JSON text: type, title, status, and, where not empty, detail and `parameter` (our extension member: the
/// query parameter at fault). Valid UTF-8 whatever the texts hold: bytes that are not are replaced by U+FFFD.
/// Thread-safe. Allocates. `detail` must not hold errno texts or paths of the server's disk.
[[nodiscard]] std::string problem_json(std::uint16_t status, std::string_view type, std::string_view title,
                                       std::string_view detail, std::string_view parameter = {});

/// The reason phrase of a status as the IANA registry has it; empty for a status that it does not name. No allocation.
[[nodiscard]] std::string_view reason_phrase(unsigned status) noexcept;

}  // namespace ranged::server
