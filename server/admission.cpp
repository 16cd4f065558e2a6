#include "server/admission.hpp"

#include "server/target.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace ranged::server {
namespace {

constexpr bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}
constexpr char to_lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

bool equals_ignoring_case(std::string_view a, std::string_view b) noexcept {
  return std::ranges::equal(a, b, [](char x, char y) { return to_lower(x) == to_lower(y); });
}

// RFC 3986, 3.2.2, less the sub-delims and escapes that no name of a host has: a comma would make lists look like
// names.
constexpr bool is_name_byte(char c) noexcept {
  return is_digit(c) || (to_lower(c) >= 'a' && to_lower(c) <= 'z') || c == '-' || c == '.' || c == '_' || c == '~';
}

// inet_pton() wants text that ends in NUL; 45 bytes are the longest address.
template <class Address>
bool parse_address(int family, std::string_view text, Address& out) noexcept {
  std::array<char, INET6_ADDRSTRLEN> terminated{};
  if (text.size() >= terminated.size()) return false;
  std::ranges::copy(text, terminated.begin());
  return inet_pton(family, terminated.data(), &out) == 1;
}

struct HostParts {
  bool valid = false;
  bool bracketed = false;
  std::string_view name;  // without port and brackets
};

// host [ ":" port ] (RFC 9110, 7.2); the port may be empty (RFC 3986, 3.2.3).
HostParts split_host(std::string_view text) noexcept {
  HostParts host;
  std::string_view rest;
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == std::string_view::npos) return host;
    host.bracketed = true;
    host.name = text.substr(1, end - 1);
    rest = text.substr(end + 1);
    in6_addr address;
    if (!parse_address(AF_INET6, host.name, address)) return host;
  } else {
    const auto end = std::min(text.find(':'), text.size());
    host.name = text.substr(0, end);
    rest = text.substr(end);
    if (host.name.empty() || !std::ranges::all_of(host.name, is_name_byte)) return host;
  }
  if (!rest.empty()) {
    if (rest.front() != ':') return host;
    rest.remove_prefix(1);
    std::uint16_t port = 0;
    if (!std::ranges::all_of(rest, is_digit)) return host;
    if (!rest.empty() && std::from_chars(rest.data(), rest.data() + rest.size(), port).ec != std::errc()) return host;
  }
  host.valid = true;
  return host;
}

bool is_loopback(const HostParts& host) noexcept {
  if (host.bracketed) {
    in6_addr address;
    if (!parse_address(AF_INET6, host.name, address)) return false;
    return IN6_IS_ADDR_LOOPBACK(&address) || (IN6_IS_ADDR_V4MAPPED(&address) && address.s6_addr[12] == IN_LOOPBACKNET);
  }
  in_addr address;
  if (parse_address(AF_INET, host.name, address)) return ntohl(address.s_addr) >> IN_CLASSA_NSHIFT == IN_LOOPBACKNET;
  // Not the names below localhost: resolvers may ask the network for them, and so an attacker.
  return equals_ignoring_case(host.name, "localhost") || equals_ignoring_case(host.name, "localhost.");
}

bool is_allowed(const HostParts& host, std::span<const std::string> allowed) noexcept {
  return std::ranges::any_of(allowed, [&](const std::string& name) { return equals_ignoring_case(name, host.name); });
}

// The type without its parameters, of which JSON has none that mean something (RFC 8259, 11).
bool is_json(std::string_view content_type) noexcept {
  return equals_ignoring_case(http::trim_ows(content_type.substr(0, content_type.find(';'))), "application/json");
}

Refusal refuse_with_status(std::uint16_t status, const ProblemType& problem, std::string_view detail) noexcept {
  Refusal refusal = refuse(problem, detail);
  refusal.status = status;
  return refusal;
}

}  // namespace

Refusal admit(const RequestHead& head, const AdmissionRules& rules) noexcept {
  if (head.has_transfer_encoding) {
    if (head.content_length_lines > 0) {
      return refuse(problems::framing, "Both Transfer-Encoding and Content-Length.");  // RFC 9112, 6.1
    }
    if (head.version < 11) return refuse(problems::framing, "Transfer-Encoding in HTTP/1.0.");
    return refuse_with_status(501, problems::framing, "Requests with Transfer-Encoding are not taken.");
  }
  // Identical ones could be taken as one (RFC 9112, 6.3), but no honest client sends them.
  if (head.content_length_lines > 1) return refuse(problems::framing, "More than one Content-Length.");

  if (head.host_lines > 1) return refuse(problems::bad_request, "More than one Host.");  // RFC 9112, 3.2
  if (head.host_lines == 0 && head.version >= 11) return refuse(problems::bad_request, "No Host.");
  HostParts host;
  if (head.host_lines == 1) {
    host = split_host(head.host);
    if (!host.valid) return refuse(problems::bad_request, "Host is not of the form host[:port].");
  }
  // Whoever stands before this daemon may have judged the other one.
  if (head.authorization_lines > 1) return refuse(problems::bad_request, "More than one Authorization.");

  const bool has_content = head.content_length > 0;
  const bool is_post = head.method == Method::post;
  const TargetParts target = split_target(head.target);
  switch (head.method) {
    case Method::get:
    case Method::head:
    case Method::options:
      break;
    case Method::other:
      return refuse(problems::not_implemented, "Unknown method.", has_content);
    default: {
      if (is_post && target.path == posting_path) break;
      Refusal refusal =
          refuse(problems::method_not_allowed,
                 target.path == posting_path ? "Only GET, HEAD, POST and OPTIONS." : "Only GET, HEAD and OPTIONS.",
                 has_content);
      refusal.allow = allowed_methods(target.path);
      return refusal;
    }
  }

  switch (target.form) {
    case TargetParts::Form::origin:
      break;
    case TargetParts::Form::absolute:
      host = split_host(target.authority);
      if (!host.valid) return refuse(problems::bad_request, "The target's authority is not of the form host[:port].");
      if (target.secured && !rules.secured) {
        // RFC 9110, 7.4: an https resource is for secured connections alone. Gateways that secure them for this daemon
        // send the origin form.
        return refuse(problems::misdirected, "An https target on a connection that is not secured.", has_content);
      }
      break;
    case TargetParts::Form::asterisk:
      if (head.method != Method::options) return refuse(problems::bad_request, "The target * is for OPTIONS alone.");
      break;
    case TargetParts::Form::malformed:
      return refuse(problems::bad_request, "The target is neither a path nor an http URI.");
  }

  // Closing, because content that is not read would be taken for the next request.
  if (!is_post && has_content) {
    return refuse_with_status(413, problems::framing, "Content is taken in a POST to /search alone.");
  }
  if (is_post) {
    if (head.content_length_lines == 0) {
      return refuse_with_status(411, problems::framing, "POST without Content-Length.");
    }
    if (head.content_type_lines != 1 || !is_json(head.content_type) || head.has_content_encoding) {
      return refuse(problems::unsupported_media_type, "The content of a POST is application/json, not encoded.");
    }
    if (head.content_length > max_content_bytes || head.size + head.content_length > max_request_bytes) {
      return refuse_with_status(413, problems::framing, "The content is larger than 8 KiB, or with its head than 16.");
    }
  }

  // HTTP/1.0 knows no expectations (RFC 9110, 10.1.1).
  if (head.expect_other && head.version >= 11) {
    return refuse(problems::expectation_failed, "The only expectation that is met is 100-continue.", has_content);
  }

  // Without a host (HTTP/1.0) no browser speaks, so nothing was rebound.
  if (rules.loopback_only && host.valid && !is_loopback(host) && !is_allowed(host, rules.allowed_hosts)) {
    return refuse(problems::misdirected, "The Host is not one of this server's.", has_content);
  }
  return {};
}

}  // namespace ranged::server
