#include "server/handlers/scan_stream.hpp"

#include "server/disk_call.hpp"
#include "server/reply.hpp"
#include "server/sleep.hpp"
#include "server/thread_scheduling.hpp"

#include <ranged/storage/local_file.hpp>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <iterator>
#include <new>
#include <optional>
#include <utility>

namespace ranged::server {

namespace {

/// How often progress is told.
constexpr std::chrono::milliseconds progress_interval{250};

std::string_view render_header(const Exchange& exchange, std::string_view media_type, bool chunked,
                               std::span<char> room) noexcept {
  http::HeaderWriter writer(room);
  write_common_fields(writer, exchange, 200);
  writer.field("Content-Type", media_type);
  if (chunked) writer.append("Transfer-Encoding: chunked\r\n");
  writer.append("Cache-Control: no-store\r\n\r\n");
  return writer.failed() ? std::string_view{} : writer.text();
}

Task<boost::system::result<ScanState>> run_step(Exchange* exchange, Scan* scan, std::string* records,
                                                bool half_closed) {
  const ScanStepCall step(scan, records, &exchange->client->connection, half_closed);
  DiskExecutor* const threads = exchange->worker->services().scan_threads;
  // The scan has its own deadlines; the connection's stands still while nothing is sent.
  exchange->client->connection.set_deadline(Clock::time_point::max());
  boost::system::result<ScanState> done = co_await call_on_disk(threads, &exchange->worker->mailbox(), step);
  co_return done;
}

double seconds_since(Clock::time_point began) {
  return std::chrono::duration<double>(Clock::now() - began).count();
}

void append_progress(std::string& out, const Scan& scan, Clock::time_point began) {
  const double seconds = std::max(seconds_since(began), 1e-6);
  const double rate = static_cast<double>(scan.scanned()) / seconds;
  const double rest = static_cast<double>(scan.total() - std::min(scan.total(), scan.scanned()));
  fmt::format_to(std::back_inserter(out),
                 R"({{"type":"progress","scanned":{},"total":{},"read":{},"bytes_per_second":{:.0f},"eta_seconds":)",
                 scan.scanned(), scan.total(), scan.bytes_read(), rate);
  if (rate > 0) {
    fmt::format_to(std::back_inserter(out), "{:.3f}", rest / rate);
  } else {
    out += "null";
  }
  scan.describe_progress(out);
  out += "}\n";
}

void append_end(std::string& out, const Scan& scan, Clock::time_point began, std::string_view status) {
  fmt::format_to(std::back_inserter(out),
                 R"({{"type":"end","status":"{}","scanned":{},"total":{},"read":{},"seconds":{:.6f})", status,
                 scan.scanned(), scan.total(), scan.bytes_read(), seconds_since(began));
  scan.describe_end(out);
  out += "}\n";
}

/// Runs the scan to its end and sends its records.
Task<void> stream_scan(Exchange* exchange, const FileRequest* request, OpenFiles::Handle file, Window window,
                       std::unique_ptr<Scan> scan, std::string_view name) {
  SharedMetrics& metrics = *exchange->worker->services().shared_metrics;
  const Holding holding(exchange->client->connection, *exchange->worker->services().scans);
  RecordStream stream(exchange, "application/x-ndjson");
  bool there = co_await stream.begin();
  if (!there || exchange->is_head()) co_return;
  std::string records;
  records.reserve(ScanStep::record_limit + (std::size_t{4} << 10));
  fmt::format_to(std::back_inserter(records), R"({{"type":"begin","scan":"{}","file":)", name);
  append_quoted(records, request->name);
  fmt::format_to(std::back_inserter(records), R"(,"size":{},"etag":)", file->key.version().size);
  append_quoted(records, file->entity_tag);
  fmt::format_to(std::back_inserter(records), ",\"offset\":{},\"length\":{}}}\n", window.offset, window.length);
  there = co_await stream.send(records);

  const Clock::time_point began = Clock::now();
  Clock::time_point told = began;
  std::uint64_t read_before = 0;
  std::string_view status;
  bool half_closed = false;
  while (there && status.empty()) {
    records.clear();
    const boost::system::result<ScanState> done = co_await run_step(exchange, scan.get(), &records, half_closed);
    const PeerState peer = exchange->client->connection.peer_state();
    metrics.scan_bytes.fetch_add(scan->bytes_read() - read_before, std::memory_order_relaxed);
    read_before = scan->bytes_read();
    if (!done) {
      status = done.error() == make_error_code(StorageError::stale_version) ? "stale" : "failed";
    } else if (*done == ScanState::complete) {
      status = "complete";
    } else if (peer == PeerState::gone) {
      exchange->report.end = SendEnd::client_left;
      break;
    } else if (exchange->client->connection.interrupted()) {
      // The daemon stops; what the socket still takes tells so.
      status = "stopped";
    } else if ((peer == PeerState::finished && !half_closed) || Clock::now() - told >= progress_interval) {
      // Told at once to who sends no more: one that has closed answers with a reset, one that reads on has its answer
      // (RFC 9112, 9.6).
      half_closed = peer == PeerState::finished;
      told = Clock::now();
      append_progress(records, *scan, began);
    }
    if (!status.empty()) append_end(records, *scan, began, status);
    if (!records.empty()) there = co_await stream.send(records);
  }
  if (there && !status.empty()) co_await stream.end();
  if (status == "stale") {
    metrics.scans_stale.fetch_add(1, std::memory_order_relaxed);
    exchange->site->files->forget(request->name, file.get());
  }
  if (status.empty()) metrics.scans_abandoned.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace

boost::system::result<ScanState> ScanStepCall::operator()() {
  give_way();
  step_.deadline = Clock::now() + time;
  try {
    return scan_->work(step_);
  } catch (const std::bad_alloc&) {
    return make_error_code(boost::system::errc::not_enough_memory);  // this scan's end, nobody else's (rule 12)
  }
}

RecordStream::RecordStream(Exchange* exchange, std::string_view media_type) noexcept
    : exchange_(exchange), media_type_(media_type), chunked_(exchange->head.version >= 11) {
  // To HTTP/1.0 the end of the connection is the end of the body.
  if (!chunked_) exchange->keep_alive = false;
}

Task<bool> RecordStream::begin() {
  exchange_->status = 200;
  exchange_->report = {};
  // The longest header that there is: CORS adds a configured origin.
  std::string header(std::size_t{8} << 10, '\0');
  header.resize(render_header(*exchange_, media_type_, chunked_, header).size());
  return send_parts(std::move(header), {}, {});
}

Task<bool> RecordStream::send(std::string_view text) {
  if (!chunked_) return send_parts({}, text, {});
  return send_parts(fmt::format("{:x}\r\n", text.size()), text, "\r\n");
}

Task<bool> RecordStream::end() {
  return send_parts(chunked_ ? "0\r\n\r\n" : "", {}, {});
}

Task<bool> RecordStream::send_parts(std::string first, std::string_view second, std::string_view third) {
  Connection& connection = exchange_->client->connection;
  const SendContext context = exchange_->send_context(nullptr);
  const std::size_t total = first.size() + second.size() + third.size();
  for (std::size_t sent = 0; sent < total;) {
    std::array<iovec, 3> buffers{};
    std::size_t count = 0;
    std::size_t skip = sent;
    for (const std::string_view part : {std::string_view(first), second, third}) {
      const std::size_t skipped = std::min(skip, part.size());
      skip -= skipped;
      // sendmsg reads only.
      if (skipped < part.size()) buffers[count++] = {const_cast<char*>(part.data()) + skipped, part.size() - skipped};
    }
    const boost::system::result<std::size_t> result = connection.send(std::span(buffers).first(count), false);
    if (result) {
      sent += *result;
      exchange_->report.body_bytes += *result;
      context.metrics->response_bytes[static_cast<std::size_t>(BytePath::memory)].add(*result);
      if (exchange_->report.first_byte == Clock::time_point{}) exchange_->report.first_byte = Clock::now();
      continue;
    }
    if (result.error() != boost::system::errc::resource_unavailable_try_again) {
      exchange_->report.end = SendEnd::client_left;
      co_return false;
    }
    const bool room = co_await await_room(context);
    if (!room) {
      exchange_->report.end = SendEnd::client_stalled;
      co_return false;
    }
  }
  co_return true;
}

boost::system::result<ScanState> SequentialScan::work(const ScanStep& step) {
  for (;;) {
    const boost::system::result<ScanState> written = write_records(step);
    if (!written || *written == ScanState::paused) return written;
    if (finished_) return ScanState::complete;
    if (step.must_pause()) return ScanState::paused;
    if (piece_.at_end()) {
      const boost::system::result<ScanPiece> next = reader_.next();
      if (!next) return next.error();
      piece_ = *next;
    }
    if (!piece_.bytes.empty()) {
      const std::size_t taken = take(piece_.bytes);
      piece_.bytes = piece_.bytes.subspan(taken);
      scanned_ += taken;
    } else if (piece_.zeros > 0) {
      const std::uint64_t taken = take_zeros(piece_.zeros);
      piece_.zeros -= taken;
      scanned_ += taken;
    } else {
      finished_ = finish();
    }
  }
}

Task<ScanFrame> take_scan_frame(Exchange* exchange) {
  ScanFrame frame = exchange->worker->services().scan_frames->try_take();
  if (!frame) {
    exchange->worker->services().scans->refused(Clock::now());
    exchange->worker->services().shared_metrics->scans_refused.fetch_add(1, std::memory_order_relaxed);
    Reply reply =
        busy_reply(*exchange, problems::too_many_requests, "As many scans as run at once are running; ask again.");
    co_await send_reply(exchange, &reply);
  }
  co_return frame;
}

namespace {

/// How often a file that changes while it is waited for is opened anew: it may rest for long enough between two writes.
constexpr int changes_waited_for = 10;

/// Whether a change of the file might not show yet (law 5), now.
bool is_racily_clean_now(const OpenFile& file) {
  const std::chrono::system_clock::time_point now = std::chrono::system_clock::now();
  const FileVersion& version = file.key.version();
  // Of a time to come nothing can be waited for: the clock was set back.
  return is_racily_clean(version, now) &&
         std::max(version.modified_ns, version.changed_ns) <= now.time_since_epoch().count();
}

bool has_changed(const OpenFile& file) {
  const boost::system::result<FileVersion> now = file.source->current_version();
  return !now || *now != file.key.version();
}

/// The file as it is now, and from when on whatever changes in it shows: what is read from then on is the version's.
/// One that goes on changing is given as it was last, and its scan ends as stale.
Task<boost::system::result<OpenFiles::Handle>> open_for_scan(Exchange* exchange, std::string_view name) {
  boost::system::result<OpenFiles::Handle> opened = co_await open_served_file(exchange, name);
  for (int changes = 0; opened && !exchange->is_head();) {
    // What is served may be a second old (stale_after); a scan of it would end as it begins.
    if (changes < changes_waited_for && has_changed(**opened)) {
      ++changes;
      exchange->site->files->forget(name, opened->get());
      opened = co_await open_served_file(exchange, name);
    } else if (is_racily_clean_now(**opened)) {
      co_await sleep_for(racily_clean_span);
    } else {
      break;
    }
  }
  co_return opened;
}

}  // namespace

Task<void> answer_scan(Exchange* exchange, const FileRequest* request, ScanFrame frame, ScanFactory* factory) {
  boost::system::result<OpenFiles::Handle> opened = co_await open_for_scan(exchange, request->name);
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
  const std::uint64_t size = file->key.version().size;
  const std::string* const offset = request->query.find("offset");
  const std::string* const length = request->query.find("len");
  Window window{0, size};
  if (!factory->of_whole_file()) {
    // Both were found well-formed before the file was opened.
    const std::optional<Window> part =
        read_window(offset != nullptr ? *offset : "0", length != nullptr ? *length : fmt::to_string(size), size);
    if (part) window = *part;
  }
  const ScanTarget target{file->source, size, window, frame.bytes()};
  std::unique_ptr<Scan> scan = factory->make(target);
  const std::string_view name = factory->name();
  co_await stream_scan(exchange, request, std::move(file), window, std::move(scan), name);
}

std::optional<Reply> check_window(const QueryParameters& query) {
  const std::string* const offset = query.find("offset");
  const std::string* const length = query.find("len");
  if (offset != nullptr && !read_window(*offset, "0", 0)) {
    return bad_parameter("The offset is a number, decimal or 0x hexadecimal; with a minus it counts from the end.",
                         "offset");
  }
  if (length != nullptr && !read_number(*length)) {
    return bad_parameter("The length is a number of bytes, decimal or 0x hexadecimal.", "len");
  }
  return std::nullopt;
}

std::optional<std::uint64_t> read_bounded(const QueryParameters& query, std::string_view name, std::uint64_t minimum,
                                          std::uint64_t maximum, std::uint64_t otherwise) {
  const std::string* const text = query.find(name);
  if (text == nullptr) return otherwise;
  const std::optional<std::uint64_t> number = read_number(*text);
  if (!number || *number < minimum || *number > maximum) return std::nullopt;
  return number;
}

Reply bad_parameter(std::string_view detail, std::string_view parameter) {
  return problem_reply(problems::bad_parameter, detail, parameter);
}

void append_quoted(std::string& out, std::string_view text) {
  out += nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

void append_hex(std::string& out, std::span<const std::byte> bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  for (const std::byte byte : bytes) {
    out += digits[std::to_integer<std::size_t>(byte) >> 4];
    out += digits[std::to_integer<std::size_t>(byte) & 15];
  }
}

}  // namespace ranged::server
