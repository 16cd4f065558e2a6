#include "server/handlers/handlers.hpp"
#include "server/reply.hpp"
#include "server/web_assets.hpp"

#include <ranged/http/preconditions.hpp>

#include <algorithm>

namespace ranged::server {

namespace {

/// Nothing but our own files may run, load or frame the viewer. Inline styles are not allowed either: the viewer styles
/// elements through the object model, which is no inline style. Svelte's templates are the one HTML that is parsed.
constexpr std::string_view viewer_policy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
    "trusted-types svelte-trusted-html";

const WebAsset* find_asset(std::string_view path) noexcept {
  const auto assets = web_assets();
  const auto found =
      std::lower_bound(assets.begin(), assets.end(), path,
                       [](const WebAsset& asset, std::string_view wanted) { return asset.path < wanted; });
  return found != assets.end() && found->path == path ? &*found : nullptr;
}

/// Whether a line of Accept-Encoding names `coding` with a quality above 0. ("*" does not say that a client knows a
/// coding.)
bool accepts_coding(std::string_view field, std::string_view coding) noexcept {
  while (!field.empty()) {
    const std::size_t comma = field.find(',');
    const std::string_view member = field.substr(0, comma);
    field = comma == std::string_view::npos ? std::string_view{} : field.substr(comma + 1);
    const std::size_t semicolon = member.find(';');
    if (http::trim_ows(member.substr(0, semicolon)) != coding) continue;
    if (semicolon == std::string_view::npos) return true;
    const std::string_view weight = http::trim_ows(member.substr(semicolon + 1));
    return !weight.starts_with("q=0") || weight.find_first_of("123456789") != std::string_view::npos;
  }
  return false;
}

bool accepts(const Exchange& exchange, std::string_view coding) noexcept {
  const auto lines = exchange.head.accept_encoding.lines();
  return std::any_of(lines.begin(), lines.end(), [&](std::string_view line) { return accepts_coding(line, coding); });
}

std::string_view as_text(std::span<const unsigned char> bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

Task<void> answer_asset(Exchange* exchange, std::string_view path) {
  const WebAsset* const asset = find_asset(path.empty() ? "/index.html" : path);
  if (asset == nullptr) {
    Reply reply =
        problem_reply(problems::not_found, "This daemon was built without the viewer; files are below /files/.");
    co_await send_reply(exchange, &reply);
    co_return;
  }
  Reply reply;
  reply.content_type = asset->media_type;
  reply.cache_control = asset->immutable ? "public, max-age=31536000, immutable" : "no-cache";
  reply.content_security_policy = viewer_policy;
  reply.vary = "Accept-Encoding";
  std::string tag(asset->etag);
  reply.static_body = as_text(asset->identity);
  // Another coding is another representation, and has another tag (RFC 9110, 8.8.3.3).
  if (!asset->brotli.empty() && accepts(*exchange, "br")) {
    reply.static_body = as_text(asset->brotli);
    reply.content_encoding = "br";
    tag.insert(tag.size() - 1, "-br");
  } else if (!asset->gzip.empty() && accepts(*exchange, "gzip")) {
    reply.static_body = as_text(asset->gzip);
    reply.content_encoding = "gzip";
    tag.insert(tag.size() - 1, "-gz");
  }
  reply.entity_tag = tag;
  const http::Validators validators{tag, std::nullopt};
  switch (http::evaluate_preconditions(exchange->head.conditions, validators, exchange->worker->date_seconds())) {
    case http::Precondition::holds:
      break;
    case http::Precondition::not_modified:
      reply.status = 304;
      reply.content_type = {};
      reply.content_encoding = {};
      break;
    case http::Precondition::failed:
      reply = problem_reply(problems::precondition_failed, "The viewer is another version.");
      break;
  }
  co_await send_reply(exchange, &reply);
}

}  // namespace ranged::server
