#pragma once
// Responses that are made in memory: problems, JSON, listings, pages of the viewer; and the header fields that all
// responses share.

#include "server/admission.hpp"
#include "server/exchange.hpp"
#include "server/problem.hpp"

#include <ranged/http/header_writer.hpp>
#include <ranged/http/response_plan.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ranged::server {

/// A response as data. What it views outlives the sending.
struct Reply {
  std::uint16_t status = 200;
  std::string_view content_type;
  std::string body;              ///< sent unless static_body is set
  std::string_view static_body;  ///< content that outlives the reply
  std::string_view cache_control = "no-cache";
  std::string_view entity_tag;
  std::string_view content_encoding;
  std::string_view vary;
  std::string_view allow;  ///< of 405 and OPTIONS
  std::string location;    ///< of a redirect
  std::string_view content_security_policy;
  std::uint32_t retry_after = 0;             ///< seconds; 0: no such field
  bool preflight = false;                    ///< answer to a CORS preflight
  const AccessControl* challenge = nullptr;  ///< of 401: what it takes (WWW-Authenticate)
  /// Of 412 and 416: the validators and the Content-Range that the file's response would have.
  const http::ResponsePlan* plan = nullptr;
  const http::Representation* representation = nullptr;

  [[nodiscard]] std::string_view content() const noexcept {
    return static_body.empty() ? std::string_view(body) : static_body;
  }
};

/// Appends status line and the fields of every response: Server, Date, Connection where it says something, nosniff,
/// CORS.
void write_common_fields(http::HeaderWriter& writer, const Exchange& exchange, std::uint16_t status) noexcept;

/// Sends `reply` and keeps status and outcome in `exchange`.
Task<void> send_reply(Exchange* exchange, Reply* reply);

/// A problem of RFC 9457 as a reply; `parameter` names the query parameter at fault.
[[nodiscard]] Reply problem_reply(const ProblemType& problem, std::string_view detail, std::string_view parameter = {});
[[nodiscard]] Reply problem_reply(const Refusal& refusal, std::string_view parameter = {});

/// A problem that asking again later may cure: with Retry-After as configured, in whole seconds, one at least.
[[nodiscard]] Reply busy_reply(const Exchange& exchange, const ProblemType& problem, std::string_view detail);

/// The answer when a precondition decides it (RFC 9110, 13.2): 304 or 412, for a file of that tag; else nothing.
[[nodiscard]] std::optional<Reply> conditional_reply(const Exchange& exchange, std::string_view entity_tag);

/// What a failed open or read of a file is to the client: 404, 403, 503 or 500, never telling an errno or a path.
[[nodiscard]] Reply file_problem(const Exchange& exchange, const boost::system::error_code& error);

}  // namespace ranged::server
