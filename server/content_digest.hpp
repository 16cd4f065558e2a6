#pragma once
// Content-Digest (RFC 9530): the digest of what a response is about to send, for clients that want it.

#include "server/body_sender.hpp"

#include <ranged/http/want_digest.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace ranged::server {

/// The value of a Content-Digest field: "sha-256=:...:", the digest in base64 between colons (RFC 8941, 3.3.5). `hex`:
/// the digest as lower-case hexadecimal. Pure.
[[nodiscard]] std::string render_content_digest(http::DigestAlgorithm algorithm, std::string_view hex);

/// Reads `length` bytes from `offset` on through the pool and leaves the field's value in `field`. On the event loop,
/// 64 KiB at a time (some 50 to 200 us each) between which other connections have their turn; nothing is pinned then.
/// What is read is of the version that `context.reader` reads, as what is sent from it afterwards. Errors:
/// stale_version, those of waiting for a page and of reading.
Task<boost::system::error_code> compute_content_digest(SendContext context, std::uint64_t offset, std::uint64_t length,
                                                       http::DigestAlgorithm algorithm, std::string* field);

}  // namespace ranged::server
