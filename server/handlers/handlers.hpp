#pragma once
// What answers each route. All run on the worker's thread, send one response and leave the outcome in the exchange.

#include "server/exchange.hpp"

#include <string>
#include <string_view>

namespace ranged::server {

/// GET, HEAD /files/NAME: the bytes of a file, by range; a directory redirects to its listing.
Task<void> answer_file(Exchange* exchange, std::string_view name);
/// GET, HEAD /files/NAME/: a directory, as HTML or JSON.
Task<void> answer_listing(Exchange* exchange, std::string_view name);
/// /files, and a directory without its slash: 308 to the address that it has.
Task<void> redirect_to_directory(Exchange* exchange);
/// GET, HEAD /bytes: a window of a file.
Task<void> answer_bytes(Exchange* exchange);
/// GET, HEAD /info: facts about a file.
Task<void> answer_info(Exchange* exchange);
/// What is found by reading all of a file, or a stretch of it, as a stream of records (scan_stream.hpp): matches, a map
/// of bins, data and holes, a checksum, printable text.
Task<void> answer_search(Exchange* exchange);
Task<void> answer_map(Exchange* exchange);
Task<void> answer_extents(Exchange* exchange);
Task<void> answer_digest(Exchange* exchange);
Task<void> answer_strings(Exchange* exchange);
/// GET, HEAD /watch: an event whenever a file is another version, until either side has enough.
Task<void> answer_watch(Exchange* exchange);
/// The viewer's page and the files that it loads; `path` is empty for the page.
Task<void> answer_asset(Exchange* exchange, std::string_view path);
/// /healthz, /readyz, /metrics, /openapi.json: what the daemon says of itself.
Task<void> answer_health(Exchange* exchange);
Task<void> answer_ready(Exchange* exchange);
Task<void> answer_metrics(Exchange* exchange);
Task<void> answer_openapi(Exchange* exchange);

/// Opens the file of that name: the open one, or a fresh look on the disk threads.
Task<boost::system::result<OpenFiles::Handle>> open_served_file(Exchange* exchange, std::string_view name);

}  // namespace ranged::server
