#pragma once
// One request and what becomes of it: the context that every handler gets.

#include "server/body_sender.hpp"
#include "server/known_heads.hpp"
#include "server/request_head.hpp"
#include "server/request_id.hpp"
#include "server/target.hpp"
#include "server/worker.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace ranged::server {

/// Lives in the frame of the session's coroutine from a complete head to the end of its response.
struct Exchange {
  Worker* worker = nullptr;
  Client* client = nullptr;
  std::shared_ptr<const Site> site;  ///< as it was when the request came: a reload changes nothing under it
  KnownHeads::Use known;             ///< what `head` and `target` view, but for Range, when the head was known
  RequestHead head;
  Target target;
  std::string decoded_path;   ///< of the target, where it has escapes
  std::string content_query;  ///< of a POST: what its content says, which `target` then has for its query
  RequestIdText own_id{};     ///< names the request where the client did not
  Clock::time_point began;    ///< when the head was complete
  bool keep_alive = false;    ///< whether the connection can take another request after this one

  // What became of it, for metrics and the access log.
  Route route = Route::none;
  std::uint16_t status = 0;
  SendReport report;
  bool has_range = false;  ///< a single range was answered
  std::uint64_t range_first = 0;
  std::uint64_t range_last = 0;

  /// What names the request, in the answer and in the access log.
  [[nodiscard]] std::string_view request_id() const noexcept {
    return head.request_id.empty() ? std::string_view(own_id.data(), own_id.size()) : head.request_id;
  }
  [[nodiscard]] bool is_head() const noexcept { return head.method == Method::head; }

  /// What a send needs; `reader` is null when no file is read.
  [[nodiscard]] SendContext send_context(PagedReader* reader) const noexcept {
    SendContext context;
    context.connection = &client->connection;
    context.mailbox = &worker->mailbox();
    context.scratch = &worker->scratch();
    context.metrics = &worker->metrics();
    context.reader = reader;
    context.stall_timeout = site->config->send_timeout;
    context.page_timeout = site->config->pool_wait_timeout;
    return context;
  }
};

}  // namespace ranged::server
