#include "server/disk_call.hpp"
#include "server/handlers/file_facts.hpp"
#include "server/handlers/handlers.hpp"
#include "server/handlers/parameters.hpp"
#include "server/reply.hpp"

#include <nlohmann/json.hpp>

#include <array>
#include <memory>
#include <utility>

namespace ranged::server {

namespace {

/// Looks at a page that was resident a moment ago, on a disk thread. One that has been evicted meanwhile is read again
/// if that takes no wait; would_block when it does.
struct FirstPageLook {
  BufferPool* pool;
  std::shared_ptr<ByteSource> source;
  PageId page;
  StreamId stream;
  boost::system::result<ContentFacts> operator()() const {
    const boost::system::result<PageGuard> guard = pool->try_load(source, page, stream, AccessHint::point);
    if (!guard) return guard.error();
    return facts_of_content(guard->bytes());
  }
};

/// The first page's facts: waits for the page, then looks at it on a disk thread, because libmagic takes milliseconds.
/// It is pinned there, for as long as that takes, and not while a thread is waited for (law 2): else a thousand who ask
/// at once would hold a thousand frames.
Task<boost::system::result<ContentFacts>> look_at_first_page(Exchange* exchange, OpenFiles::Handle file) {
  /// Before a thread has come to it, a page may have been evicted; that often in a row only where all is.
  constexpr int attempts = 4;

  if (file->key.version().size == 0) co_return facts_of_content({});
  BufferPool* const pool = exchange->worker->services().pool;
  const Clock::time_point deadline = Clock::now() + exchange->site->config->pool_wait_timeout;
  PagedReader reader(*pool, file->source, file->key, exchange->client->stream);
  const FirstPageLook look{pool, file->source, PageId{file->key, 0}, exchange->client->stream};
  for (int attempt = 0; attempt < attempts; ++attempt) {
    const boost::system::error_code error =
        co_await wait_until_resident(&reader, &exchange->worker->mailbox(), 0, deadline);
    if (error) co_return error;
    DiskExecutor* const disk = exchange->worker->services().disk;
    boost::system::result<ContentFacts> facts = co_await call_on_disk(disk, &exchange->worker->mailbox(), look);
    if (facts || facts.error() != make_error_code(PagingError::would_block)) co_return facts;
  }
  co_return make_error_code(PagingError::overloaded);
}

std::string render_info(std::string_view name, const OpenFile& file, const ContentFacts& facts) {
  const FileVersion& version = file.key.version();
  nlohmann::ordered_json body{{"file", name},
                              {"size", version.size},
                              {"modified", format_timestamp(version.modified_ns)},
                              {"changed", format_timestamp(version.changed_ns)},
                              {"etag", file.entity_tag},
                              {"media_type", facts.media_type}};
  if (!facts.description.empty()) body["description"] = facts.description;
  body["allocated"] = file.source->allocated_bytes();
  body["sparse"] = file.source->allocated_bytes() < version.size;
  return body.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace

Task<void> answer_info(Exchange* exchange) {
  static constexpr std::array<std::string_view, 1> known{"file"};
  FileRequest request = read_file_request(*exchange, known);
  if (request.refused) {
    co_await send_reply(exchange, &*request.refused);
    co_return;
  }
  boost::system::result<OpenFiles::Handle> opened = co_await open_served_file(exchange, request.name);
  if (!opened) {
    Reply reply = file_problem(*exchange, opened.error());
    co_await send_reply(exchange, &reply);
    co_return;
  }
  OpenFiles::Handle file = *opened;
  const boost::system::result<ContentFacts> facts = co_await look_at_first_page(exchange, std::move(file));
  if (!facts) {
    if (facts.error() == make_error_code(PagingError::stale_version)) {
      exchange->site->files->forget(request.name, opened->get());
    }
    Reply reply = file_problem(*exchange, facts.error());
    co_await send_reply(exchange, &reply);
    co_return;
  }
  Reply reply;
  reply.content_type = "application/json";
  reply.body = render_info(request.name, **opened, *facts);
  co_await send_reply(exchange, &reply);
}

}  // namespace ranged::server
