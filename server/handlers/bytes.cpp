#include "server/handlers/handlers.hpp"
#include "server/handlers/parameters.hpp"
#include "server/reply.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <array>
#include <optional>
#include <string>
#include <utility>

namespace ranged::server {

namespace {

/// What `len` is when it is left out: a page of the pool at its usual size, some screens of a hex view.
constexpr std::uint64_t default_length = std::uint64_t{64} << 10;

enum class Encoding : std::uint8_t { base64, hex, raw };

std::optional<Encoding> read_encoding(const std::string* text) noexcept {
  if (text == nullptr || *text == "base64") return Encoding::base64;
  if (*text == "hex") return Encoding::hex;
  if (*text == "raw") return Encoding::raw;
  return std::nullopt;
}

class WindowHeader final : public HeaderSource {
 public:
  WindowHeader(const Exchange& exchange, const OpenFile& file, std::uint64_t length, bool raw, bool download) noexcept
      : exchange_(&exchange), file_(&file), length_(length), raw_(raw), download_(download) {}

  std::string_view render(std::span<char> room) override {
    http::HeaderWriter writer(room);
    write_common_fields(writer, *exchange_, 200);
    writer.field("Content-Type", raw_ ? "application/octet-stream" : "application/json");
    writer.field("Content-Length", length_);
    // Of the file: what a window holds follows from its address and the file's version.
    writer.field("ETag", std::string_view(file_->entity_tag));
    writer.append("Cache-Control: no-cache\r\n");
    if (raw_) writer.append("Content-Security-Policy: sandbox\r\n");
    // No file name (RFC 6266, 4.3): the link that a browser followed knows a better one.
    if (download_) writer.append("Content-Disposition: attachment\r\n");
    writer.append("\r\n");
    return writer.failed() ? std::string_view{} : writer.text();
  }

 private:
  const Exchange* exchange_;
  const OpenFile* file_;
  std::uint64_t length_;
  bool raw_;
  bool download_;
};

/// The members before "data", and the opening quote of its value.
std::string before_data(std::string_view name, const OpenFile& file, const Window& window, std::string_view encoding) {
  const std::uint64_t size = file.key.version().size;
  const auto quote = [](std::string_view text) {
    return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  };
  return fmt::format(R"({{"file":{},"size":{},"offset":{},"length":{},"eof":{},"etag":{},"encoding":"{}","data":")",
                     quote(name), size, window.offset, window.length, window.offset + window.length >= size,
                     quote(file.entity_tag), encoding);
}

/// False: the file turned out to be another version before anything was sent.
Task<bool> send_window(Exchange* exchange, OpenFiles::Handle file, std::string_view name, Window window,
                       Encoding encoding, bool download) {
  if (std::optional<Reply> reply = conditional_reply(*exchange, file->entity_tag)) {
    reply->entity_tag = file->entity_tag;
    co_await send_reply(exchange, &*reply);
    co_return true;
  }
  const bool raw = encoding == Encoding::raw;
  const WireEncoding wire = raw                         ? WireEncoding::identity
                            : encoding == Encoding::hex ? WireEncoding::hex
                                                        : WireEncoding::base64;
  const std::string before =
      raw ? std::string() : before_data(name, *file, window, encoding == Encoding::hex ? "hex" : "base64");
  const std::string_view after = raw ? std::string_view{} : std::string_view("\"}\n");
  const ContentPiece data{ContentPiece::Kind::file, wire, {}, window.offset, window.length};
  WindowHeader header(*exchange, *file, before.size() + data.wire_length() + after.size(), raw, download);
  exchange->status = 200;
  PagedReader reader(*exchange->worker->services().pool, file->source, file->key, exchange->client->stream);
  const SendContext context = exchange->send_context(&reader);
  if (exchange->is_head()) {
    exchange->report = co_await send_response(context, &header, NoContent{});
  } else {
    const FramedStretch content(before, window.offset, window.length, wire, after);
    exchange->report = co_await send_response(context, &header, content);
  }
  if (exchange->report.end != SendEnd::refused) co_return true;
  const boost::system::error_code error = exchange->report.error;
  if (error == make_error_code(PagingError::stale_version)) co_return false;
  Reply reply = file_problem(*exchange, error);
  co_await send_reply(exchange, &reply);
  co_return true;
}

Task<void> refuse_parameter(Exchange* exchange, ProblemType problem, std::string_view detail,
                            std::string_view parameter) {
  Reply reply = problem_reply(problem, detail, parameter);
  co_await send_reply(exchange, &reply);
}

}  // namespace

Task<void> answer_bytes(Exchange* exchange) {
  static constexpr std::array<std::string_view, 5> known{"file", "offset", "len", "encoding", "download"};
  /// Openings of a file that keeps changing; as for /files.
  constexpr int attempts = 4;

  FileRequest request = read_file_request(*exchange, known);
  if (request.refused) {
    co_await send_reply(exchange, &*request.refused);
    co_return;
  }
  const std::optional<Encoding> encoding = read_encoding(request.query.find("encoding"));
  if (!encoding) {
    co_await refuse_parameter(exchange, problems::bad_parameter, "The encoding is base64, hex or raw.", "encoding");
    co_return;
  }
  const std::string* const download_text = request.query.find("download");
  const bool download = download_text != nullptr && *download_text == "1";
  if (download_text != nullptr && (!download || *encoding != Encoding::raw)) {
    co_await refuse_parameter(exchange, problems::bad_parameter, "A download is 1, and its encoding raw.", "download");
    co_return;
  }
  const std::uint64_t max_window = exchange->site->config->max_window;
  const std::string* const offset_text = request.query.find("offset");
  const std::string* const length_text = request.query.find("len");
  const std::string offset = offset_text != nullptr ? *offset_text : "0";
  const std::string length =
      length_text != nullptr ? *length_text : fmt::to_string(std::min(default_length, max_window));
  if (!read_window(offset, "0", 0)) {
    co_await refuse_parameter(exchange, problems::bad_parameter,
                              "The offset is a number, decimal or 0x hexadecimal; with a minus it counts from the end.",
                              "offset");
    co_return;
  }
  const std::optional<std::uint64_t> wanted = read_number(length);
  if (!wanted) {
    co_await refuse_parameter(exchange, problems::bad_parameter,
                              "The length is a number of bytes, decimal or 0x hexadecimal.", "len");
    co_return;
  }
  // A window is answered at once; a download is streamed as a range of /files is, whatever its length. It exists
  // because a link in a page cannot carry a Range field.
  if (*wanted > max_window && !download) {
    const std::string detail = fmt::format(
        "One answer holds {} bytes at most; ask for less, or for a range of /files, which has no limit.", max_window);
    co_await refuse_parameter(exchange, problems::window_too_large, detail, "len");
    co_return;
  }
  for (int attempt = 0; attempt < attempts; ++attempt) {
    boost::system::result<OpenFiles::Handle> opened = co_await open_served_file(exchange, request.name);
    if (!opened) {
      Reply reply = file_problem(*exchange, opened.error());
      co_await send_reply(exchange, &reply);
      co_return;
    }
    OpenFiles::Handle file = std::move(*opened);
    const OpenFile* const version = file.get();
    // Both have been read above: whether they are numbers does not depend on the size.
    const Window window = read_window(offset, length, version->key.version().size).value_or(Window{});
    const bool done = co_await send_window(exchange, std::move(file), request.name, window, *encoding, download);
    if (done) co_return;
    exchange->site->files->forget(request.name, version);
  }
  Reply reply = file_problem(*exchange, make_error_code(PagingError::stale_version));
  co_await send_reply(exchange, &reply);
}

}  // namespace ranged::server
