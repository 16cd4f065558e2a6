#include "server/handlers/scan_stream.hpp"
#include "server/reply.hpp"
#include "server/sleep.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <iterator>
#include <utility>

namespace ranged::server {

namespace {

/// How often a watched file is looked at. All who watch one file share its looks (OpenFiles).
constexpr std::chrono::milliseconds watch_interval{1000};
/// How often something is sent when nothing changes, so that whoever keeps idle connections from being cut sees life.
constexpr std::chrono::seconds heartbeat_interval{15};
/// Watchers of all files together: each holds a connection for long.
constexpr std::uint64_t max_watchers = 256;

/// A place among the watchers.
class WatchSlot {
 public:
  explicit WatchSlot(std::atomic<std::uint64_t>& watchers) noexcept
      : watchers_(&watchers), granted_(watchers.fetch_add(1, std::memory_order_relaxed) < max_watchers) {}
  ~WatchSlot() { watchers_->fetch_sub(1, std::memory_order_relaxed); }
  WatchSlot(const WatchSlot&) = delete;
  WatchSlot& operator=(const WatchSlot&) = delete;
  [[nodiscard]] bool granted() const noexcept { return granted_; }

 private:
  std::atomic<std::uint64_t>* watchers_;  ///< relaxed: a count that orders nothing
  bool granted_;
};

/// Whether a reload may have taken from the client what it was granted. Where nobody needs credentials, before or
/// after, there is nothing to take.
bool judged_by_the_past(const Exchange& exchange) noexcept {
  const std::shared_ptr<const Site>& now = exchange.worker->site();
  return now != exchange.site && (now->access != nullptr || exchange.site->access != nullptr);
}

/// An event as the HTML standard has it (server-sent events): its name, and one line of JSON.
std::string version_event(std::string_view event, std::string_view name, const OpenFile& file) {
  std::string text = fmt::format("event: {}\ndata: {{\"file\":", event);
  append_quoted(text, name);
  const FileVersion& version = file.key.version();
  fmt::format_to(std::back_inserter(text), ",\"size\":{},\"modified_ns\":{},\"etag\":", version.size,
                 version.modified_ns);
  append_quoted(text, file.entity_tag);
  text += "}\n\n";
  return text;
}

}  // namespace

Task<void> answer_watch(Exchange* exchange) {
  static constexpr std::array<std::string_view, 1> known{"file"};
  FileRequest request = read_file_request(*exchange, known);
  if (request.refused) {
    co_await send_reply(exchange, &*request.refused);
    co_return;
  }
  const WatchSlot slot(exchange->worker->services().shared_metrics->watchers);
  if (!slot.granted()) {
    Reply reply =
        busy_reply(*exchange, problems::too_many_requests, "As many files are watched as can be at once; ask again.");
    co_await send_reply(exchange, &reply);
    co_return;
  }
  boost::system::result<OpenFiles::Handle> opened = co_await open_served_file(exchange, request.name);
  if (!opened) {
    Reply reply = file_problem(*exchange, opened.error());
    co_await send_reply(exchange, &reply);
    co_return;
  }
  OpenFiles::Handle file = std::move(*opened);
  if (std::optional<Reply> reply = conditional_reply(*exchange, file->entity_tag)) {
    reply->cache_control = "no-store";  // as of the stream itself
    co_await send_reply(exchange, &*reply);
    co_return;
  }
  exchange->keep_alive = false;  // it ends only when either side has enough
  RecordStream stream(exchange, "text/event-stream");
  bool there = co_await stream.begin();
  if (!there || exchange->is_head()) co_return;
  const std::string first = version_event("version", request.name, *file);
  there = co_await stream.send(first);
  Connection& connection = exchange->client->connection;
  Clock::time_point told = Clock::now();
  bool half_closed = false;  // and was sent something since
  while (there && !exchange->worker->draining() && !connection.interrupted()) {
    connection.set_deadline(Clock::time_point::max());
    co_await sleep_for(watch_interval);
    const PeerState peer = connection.peer_state();
    if (peer == PeerState::gone) {
      exchange->report.end = SendEnd::client_left;
      co_return;
    }
    // What it is sent tells one that has closed from one that reads on (connection.hpp).
    const bool tell_apart = peer == PeerState::finished && !half_closed;
    boost::system::result<OpenFiles::Handle> looked = co_await open_served_file(exchange, request.name);
    if (judged_by_the_past(*exchange)) break;  // whoever comes again (EventSource does) is judged anew
    std::string event;
    if (!looked) {
      // Gone, or not to be had just now: only the former is news, and the last.
      if (looked.error() != make_error_code(StorageError::not_found)) continue;
      event = "event: gone\ndata: {}\n\n";
    } else if ((*looked)->key.version() != file->key.version()) {
      file = std::move(*looked);
      event = version_event("change", request.name, *file);
    } else if (tell_apart || Clock::now() - told >= heartbeat_interval) {
      event = ": nothing new\n\n";
    }
    if (event.empty()) continue;
    told = Clock::now();
    half_closed = peer == PeerState::finished;
    const bool gone = !looked;
    there = co_await stream.send(event);
    if (gone) break;
  }
  if (there) co_await stream.end();
}

}  // namespace ranged::server
