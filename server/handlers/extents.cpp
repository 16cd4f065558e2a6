#include "server/handlers/scan_stream.hpp"
#include "server/reply.hpp"

#include <ranged/storage/extents.hpp>

#include <fmt/format.h>

#include <array>
#include <iterator>
#include <utility>

namespace ranged::server {

namespace {

class ExtentsScan final : public Scan {
 public:
  explicit ExtentsScan(const ScanTarget& target)
      : source_(target.source),
        begin_(target.window.offset),
        end_(target.window.offset + target.window.length),
        position_(begin_) {}

  boost::system::result<ScanState> work(const ScanStep& step) override {
    while (position_ < end_) {
      // A look costs little: only every so often is the clock looked at, and the client.
      constexpr unsigned looks_in_a_row = 64;
      if (step.records_full() || (++looks_ % looks_in_a_row == 0 && step.must_pause())) return ScanState::paused;
      const boost::system::result<Extent> extent = find_extent(source_->descriptor(), position_, end_);
      if (!extent) return extent.error();
      const boost::system::result<FileVersion> version = source_->current_version();
      if (!version) return version.error();
      if (*version != source_->version()) return make_error_code(StorageError::stale_version);
      fmt::format_to(std::back_inserter(*step.records),
                     "{{\"type\":\"extent\",\"kind\":\"{}\",\"offset\":{},\"length\":{}}}\n",
                     extent->data ? "data" : "hole", extent->offset, extent->length);
      (extent->data ? data_ : holes_) += extent->length;
      position_ += extent->length;
    }
    return ScanState::complete;
  }
  [[nodiscard]] std::uint64_t scanned() const noexcept override { return position_ - begin_; }
  [[nodiscard]] std::uint64_t total() const noexcept override { return end_ - begin_; }
  [[nodiscard]] std::uint64_t bytes_read() const noexcept override { return 0; }
  void describe_end(std::string& record) const override {
    fmt::format_to(std::back_inserter(record), ",\"data\":{},\"holes\":{}", data_, holes_);
  }

 private:
  std::shared_ptr<LocalFile> source_;
  std::uint64_t begin_;
  std::uint64_t end_;
  std::uint64_t position_;
  std::uint64_t data_ = 0;
  std::uint64_t holes_ = 0;
  unsigned looks_ = 0;
};

class ExtentsFactory final : public ScanFactory {
 public:
  std::unique_ptr<Scan> make(const ScanTarget& target) override { return std::make_unique<ExtentsScan>(target); }
  [[nodiscard]] std::string_view name() const noexcept override { return "extents"; }
};

}  // namespace

Task<void> answer_extents(Exchange* exchange) {
  static constexpr std::array<std::string_view, 3> known{"file", "offset", "len"};
  FileRequest request = read_file_request(*exchange, known);
  if (!request.refused) request.refused = check_window(request.query);
  if (request.refused) {
    co_await send_reply(exchange, &*request.refused);
    co_return;
  }
  ScanFrame frame = co_await take_scan_frame(exchange);
  if (!frame) co_return;
  ExtentsFactory factory;
  co_await answer_scan(exchange, &request, std::move(frame), &factory);
}

}  // namespace ranged::server
