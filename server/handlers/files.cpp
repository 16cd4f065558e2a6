#include "server/content_digest.hpp"
#include "server/disk_call.hpp"
#include "server/handlers/handlers.hpp"
#include "server/handlers/listing.hpp"
#include "server/handlers/parameters.hpp"
#include "server/reply.hpp"

#include <ranged/http/http_date.hpp>

#include <sys/random.h>

#include <algorithm>
#include <utility>

namespace ranged::server {

namespace {

/// How often a file that changed between being opened and being read is opened anew before the request is given up: a
/// file that is appended to all the time can be read, one that changes faster than it can be looked at cannot.
constexpr int attempts = 4;

http::BoundaryBits random_boundary_bits() {
  http::BoundaryBits bits{};
  // 16 bytes never come short nor are they interrupted (getrandom(2)), but for a moment after boot.
  while (::getrandom(bits.data(), sizeof bits, 0) != static_cast<ssize_t>(sizeof bits)) {
  }
  return bits;
}

/// How long a file must have been left alone before its bytes are handed over by reference: bytes in a socket's queue
/// are then still the file's own, and whoever rewrites it in place rewrites them. What is being written is changed
/// again soon, as a rule (server/README.md, rule 3).
constexpr std::int64_t quiet_seconds = 60;

bool is_quiet(const OpenFile& file, std::int64_t now) noexcept {
  const FileVersion& version = file.key.version();
  return http::floor_to_seconds(std::max(version.modified_ns, version.changed_ns)) < now - quiet_seconds;
}

/// A place among the listings that a worker makes and sends at one time.
class ListingSlot {
 public:
  explicit ListingSlot(SendScratch& scratch) noexcept : scratch_(scratch.listings == 0 ? nullptr : &scratch) {
    if (scratch_ != nullptr) --scratch_->listings;
  }
  ListingSlot(const ListingSlot&) = delete;
  ListingSlot& operator=(const ListingSlot&) = delete;
  ~ListingSlot() {
    if (scratch_ != nullptr) ++scratch_->listings;
  }
  explicit operator bool() const noexcept { return scratch_ != nullptr; }

 private:
  SendScratch* scratch_;
};

class FileHeader final : public HeaderSource {
 public:
  FileHeader(const Exchange& exchange, const http::ResponsePlan& plan, const http::Representation& representation,
             std::string_view content_digest) noexcept
      : exchange_(&exchange), plan_(&plan), representation_(&representation), content_digest_(content_digest) {}

  std::string_view render(std::span<char> room) override {
    http::HeaderWriter writer(room);
    write_common_fields(writer, *exchange_, plan_->status);
    http::write_header(*plan_, *representation_, writer);
    if (!content_digest_.empty()) writer.field("Content-Digest", content_digest_);
    // What users put there must not script the viewer's origin, whatever type it has.
    writer.append("Content-Security-Policy: sandbox\r\n\r\n");
    return writer.failed() ? std::string_view{} : writer.text();
  }

 private:
  const Exchange* exchange_;
  const http::ResponsePlan* plan_;
  const http::Representation* representation_;
  std::string_view content_digest_;  ///< empty: none
};

/// Bytes of which a digest is told at most, however large windows may be: hashing them takes an event loop some 10 to
/// 50 ms, if in slices.
constexpr std::uint64_t max_digested = std::uint64_t{16} << 20;

/// The stretch of which the client gets the digest before the bytes; empty where it does not want one or gets none. It
/// is read twice, so that it is bounded as a window is; parts of several ranges have no digest of their own.
Window digested_stretch(const Exchange& exchange, const http::ResponsePlan& plan, std::uint64_t size) noexcept {
  if (exchange.head.want_content_digest.choice() == http::DigestAlgorithm::none) return {};
  Window stretch;
  if (plan.body == http::BodyKind::whole) stretch = {0, size};
  if (plan.body == http::BodyKind::range) stretch = {plan.ranges.front().first, plan.ranges.front().length()};
  return stretch.length <= std::min(exchange.site->config->max_window, max_digested) ? stretch : Window{};
}

/// The body of a plan as the sender wants it.
class PlanContent {
 public:
  PlanContent(const http::ResponsePlan& plan, const http::Representation& representation) noexcept
      : cursor_(plan, representation) {}

  [[nodiscard]] ContentPiece next() noexcept {
    const http::BodyPiece piece = cursor_.next();
    switch (piece.kind) {
      case http::BodyPiece::Kind::text:
        return {ContentPiece::Kind::text, WireEncoding::identity, piece.text, 0, 0};
      case http::BodyPiece::Kind::file:
        return {ContentPiece::Kind::file, WireEncoding::identity, {}, piece.offset, piece.length};
      case http::BodyPiece::Kind::end:
        break;
    }
    return {};
  }

 private:
  http::BodyCursor cursor_;
};

/// 412 and 416: a problem with the fields that the file's response would have.
Task<void> send_refused_plan(Exchange* exchange, const http::ResponsePlan* plan,
                             const http::Representation* representation) {
  std::string_view detail = "The file is not in the state that the request demands.";
  switch (plan->range_verdict) {
    case http::RangeVerdict::refused_lines:
      detail = "There are several Range fields; one may list several ranges.";
      break;
    case http::RangeVerdict::refused_malformed:
      detail = "The Range field is no list of byte ranges; bytes=0-99 would be one.";
      break;
    case http::RangeVerdict::refused_too_many:
      detail = "More ranges are asked for than are answered at once.";
      break;
    case http::RangeVerdict::refused_unsatisfiable:
      detail = "The file ends before the range begins; Content-Range says where.";
      break;
    default:
      break;
  }
  Reply reply =
      problem_reply(plan->status == 416 ? problems::range_not_satisfiable : problems::precondition_failed, detail);
  reply.plan = plan;
  reply.representation = representation;
  co_await send_reply(exchange, &reply);
}

/// Sends the file's bytes as planned. False: the file turned out to be another version before anything was sent.
Task<bool> send_file(Exchange* exchange, OpenFiles::Handle file) {
  http::Representation representation = file->representation();
  representation.cache_control = exchange->site->config->cache_control;
  const http::PlanLimits limits{exchange->site->config->max_ranges};
  const http::ResponsePlan plan = http::plan_file_response(exchange->head.conditions, representation, limits,
                                                           exchange->worker->date_seconds(), &random_boundary_bits);
  if (plan.status == 412 || plan.status == 416) {
    co_await send_refused_plan(exchange, &plan, &representation);
    co_return true;
  }
  std::string content_digest;
  if (const Window stretch = digested_stretch(*exchange, plan, representation.size); stretch.length > 0) {
    PagedReader reader(*exchange->worker->services().pool, file->source, file->key, exchange->client->stream);
    const SendContext context = exchange->send_context(&reader);
    const http::DigestAlgorithm algorithm = exchange->head.want_content_digest.choice();
    const boost::system::error_code error =
        co_await compute_content_digest(context, stretch.offset, stretch.length, algorithm, &content_digest);
    if (error == make_error_code(PagingError::stale_version)) co_return false;
    if (error) {
      Reply reply = file_problem(*exchange, error);
      co_await send_reply(exchange, &reply);
      co_return true;
    }
  }
  FileHeader header(*exchange, plan, representation, content_digest);
  exchange->status = plan.status;
  PagedReader reader(*exchange->worker->services().pool, file->source, file->key, exchange->client->stream);
  SendContext context = exchange->send_context(&reader);
  // What has a digest is copied: handed over by reference, a rewritten file could show through (README.md, rule 3).
  context.may_hand_over = content_digest.empty() && exchange->site->config->sendfile &&
                          exchange->client->connection.plain() && file->source->descriptor() >= 0 &&
                          is_quiet(*file, exchange->worker->date_seconds());
  switch (plan.body) {
    case http::BodyKind::none:
      exchange->report = co_await send_response(context, &header, NoContent{});
      break;
    case http::BodyKind::whole: {
      const FramedStretch content({}, 0, representation.size, WireEncoding::identity, {});
      exchange->report = co_await send_response(context, &header, content);
      break;
    }
    case http::BodyKind::range: {
      exchange->has_range = true;
      exchange->range_first = plan.ranges.front().first;
      exchange->range_last = plan.ranges.front().last;
      const FramedStretch content({}, exchange->range_first, plan.ranges.front().length(), WireEncoding::identity, {});
      exchange->report = co_await send_response(context, &header, content);
      break;
    }
    case http::BodyKind::multipart: {
      const PlanContent content(plan, representation);
      exchange->report = co_await send_response(context, &header, content);
      break;
    }
  }
  if (exchange->report.end != SendEnd::refused) co_return true;
  const boost::system::error_code error = exchange->report.error;
  if (error == make_error_code(PagingError::stale_version)) co_return false;
  exchange->has_range = false;
  Reply reply = file_problem(*exchange, error);
  co_await send_reply(exchange, &reply);
  co_return true;
}

/// A file that is not open, or was not looked at lately.
Task<boost::system::result<OpenFiles::Handle>> look_at_file(Exchange* exchange, std::string_view name) {
  return exchange->site->files->open(std::string(name), &exchange->worker->mailbox(),
                                     Clock::now() + exchange->site->config->pool_wait_timeout);
}

}  // namespace

Task<boost::system::result<OpenFiles::Handle>> open_served_file(Exchange* exchange, std::string_view name) {
  if (OpenFiles::Handle file = exchange->site->files->find(name, Clock::now())) co_return file;
  boost::system::result<OpenFiles::Handle> opened = co_await look_at_file(exchange, name);
  co_return opened;
}

Task<void> redirect_to_directory(Exchange* exchange) {
  Reply reply;
  reply.status = 308;
  reply.location = percent_encode(exchange->target.path, true) + "/";
  if (exchange->target.has_query) {
    reply.location += '?';
    reply.location += exchange->target.raw_query;
  }
  co_await send_reply(exchange, &reply);
}

Task<void> answer_file(Exchange* exchange, std::string_view name) {
  for (int attempt = 0; attempt < attempts; ++attempt) {
    // The open one without a coroutine: what nearly every request is about.
    boost::system::result<OpenFiles::Handle> opened = exchange->site->files->find(name, exchange->began);
    if (!*opened) opened = co_await look_at_file(exchange, name);
    if (!opened) {
      if (opened.error() == make_error_code(StorageError::is_a_directory)) {
        exchange->route = Route::listing;
        co_await redirect_to_directory(exchange);
      } else {
        Reply reply = file_problem(*exchange, opened.error());
        co_await send_reply(exchange, &reply);
      }
      co_return;
    }
    OpenFiles::Handle file = std::move(*opened);
    const OpenFile* const version = file.get();
    const bool done = co_await send_file(exchange, std::move(file));
    if (done) co_return;
    exchange->site->files->forget(name, version);
  }
  Reply reply = file_problem(*exchange, make_error_code(PagingError::stale_version));
  co_await send_reply(exchange, &reply);
}

Task<void> answer_listing(Exchange* exchange, std::string_view name) {
  // Law 1: a listing is made whole in memory, and a client that does not take it keeps it there.
  SendScratch& scratch = exchange->worker->scratch();
  const ListingSlot slot(scratch);
  if (!slot) {
    scratch.listings_scarce.refused(Clock::now());
    Reply busy =
        busy_reply(*exchange, problems::unavailable, "Too many directories are being listed at once; ask again.");
    co_await send_reply(exchange, &busy);
    co_return;
  }
  const Holding holding(exchange->client->connection, scratch.listings_scarce);
  // /files ignores its query but for `after`, which continues a long listing.
  std::string after;
  if (exchange->target.has_query) {
    if (const auto query = QueryParameters::parse(exchange->target.raw_query)) {
      if (const std::string* const value = query->find("after")) after = *value;
    }
  }
  const bool json = prefers_json(exchange->head.accept.lines());
  const std::shared_ptr<OpenFiles> files = exchange->site->files;
  auto collect = [files, directory = std::string(name), after = std::move(after)]() -> boost::system::result<Listing> {
    return collect_listing(files->roots(), directory, after, max_listed_entries);
  };
  DiskExecutor* const disk = exchange->worker->services().disk;
  const boost::system::result<Listing> listing = co_await call_on_disk_until(
      disk, &exchange->worker->mailbox(), std::move(collect), files->roots().device_of(name),
      Clock::now() + exchange->site->config->pool_wait_timeout);
  Reply reply;
  if (!listing) {
    reply = file_problem(*exchange, listing.error());
  } else if (json) {
    reply.body = render_listing_json(*listing);
    reply.content_type = "application/json";
  } else {
    reply.body = render_listing_html(*listing);
    reply.content_type = "text/html; charset=utf-8";
    // Links and text alone; names are the users'.
    reply.content_security_policy =
        "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox allow-same-origin "
        "allow-top-navigation";
  }
  reply.vary = "Accept";
  co_await send_reply(exchange, &reply);
}

}  // namespace ranged::server
