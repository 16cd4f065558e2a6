#include "server/handlers/scan_stream.hpp"
#include "server/reply.hpp"

#include <ranged/scan/byte_statistics.hpp>
#include <ranged/storage/extents.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

namespace ranged::server {

namespace {

constexpr std::uint64_t default_bins = 256;
constexpr std::uint64_t max_bins = 4096;  ///< more than a screen has rows
/// A sample: a page of the kernel's, the least that a disk is read for.
constexpr std::uint64_t sample_bytes = 4096;
/// Samples of all bins together: 1024 reads from a disk that takes 0.1 ms for each are a tenth of a second.
constexpr std::uint64_t sample_budget = 1024;

/// Goes over the bins twice at most: samples first, then, if asked for, every byte.
class MapScan final : public Scan {
 public:
  MapScan(const ScanTarget& target, std::uint64_t bins, bool exact)
      : source_(target.source),
        window_(target.window),
        frame_(target.frame),
        bins_(std::clamp<std::uint64_t>(target.window.length, 1, bins)),
        samples_(std::max<std::uint64_t>(1, sample_budget / bins_)),
        exact_(exact),
        reader_(target.source, target.window.offset, target.window.length, target.frame) {}

  boost::system::result<ScanState> work(const ScanStep& step) override {
    if (window_.length == 0) return ScanState::complete;
    while (sampled_bins_ < bins_) {
      if (step.records_full() || step.must_pause()) return ScanState::paused;
      const boost::system::result<void> sampled = sample(step);
      if (!sampled) return sampled.error();
    }
    if (!exact_) return ScanState::complete;
    while (counted_bins_ < bins_) {
      if (step.records_full() || step.must_pause()) return ScanState::paused;
      if (piece_.at_end()) {
        const boost::system::result<ScanPiece> next = reader_.next();
        if (!next) return next.error();
        piece_ = *next;
      }
      const std::uint64_t rest = bin_begin(counted_bins_ + 1) - position_;
      const std::uint64_t now = std::min<std::uint64_t>(rest, piece_.zeros + piece_.bytes.size());
      if (piece_.zeros > 0) {
        statistics_.take_zeros(now);
        piece_.zeros -= now;
      } else {
        statistics_.take(piece_.bytes.first(static_cast<std::size_t>(now)));
        piece_.bytes = piece_.bytes.subspan(static_cast<std::size_t>(now));
      }
      position_ += now;
      if (now == rest) {
        write_bin(step, counted_bins_++, true);
        statistics_.clear();
      }
    }
    return ScanState::complete;
  }
  [[nodiscard]] std::uint64_t scanned() const noexcept override {
    return exact_ ? position_ : bin_begin(sampled_bins_);
  }
  [[nodiscard]] std::uint64_t total() const noexcept override { return window_.length; }
  [[nodiscard]] std::uint64_t bytes_read() const noexcept override { return sampled_bytes_ + reader_.bytes_read(); }
  void describe_end(std::string& record) const override {
    const std::uint64_t seen = exact_ ? position_ : covered_;
    fmt::format_to(std::back_inserter(record), ",\"bins\":{},\"exact\":{},\"coverage\":{:.9f}", bins_, exact_,
                   window_.length == 0 ? 1.0 : static_cast<double>(seen) / static_cast<double>(window_.length));
  }

 private:
  /// Where a bin begins within the window; bins differ by a byte at most.
  [[nodiscard]] std::uint64_t bin_begin(std::uint64_t bin) const noexcept {
    const std::uint64_t each = window_.length / bins_;
    const std::uint64_t longer = window_.length % bins_;
    return bin * each + std::min(bin, longer);
  }

  /// Looks at some of the next bin, or at all of it where that is not more.
  boost::system::result<void> sample(const ScanStep& step) {
    const std::uint64_t begin = bin_begin(sampled_bins_);
    const std::uint64_t length = bin_begin(sampled_bins_ + 1) - begin;
    const std::uint64_t offset = window_.offset + begin;
    statistics_.clear();
    const boost::system::result<Extent> extent = find_extent(source_->descriptor(), offset, offset + length);
    if (!extent) return extent.error();
    if (!extent->data && extent->length == length) {
      statistics_.take_zeros(length);
    } else if (length <= samples_ * sample_bytes) {
      for (std::uint64_t done = 0; done < length; done += sample_bytes) {
        if (const auto read = take_sample(offset + done, std::min(sample_bytes, length - done)); !read) return read;
      }
    } else {
      for (std::uint64_t i = 0; i < samples_; ++i) {
        // Evenly: the middles of as many parts.
        const std::uint64_t part = length / samples_;
        const std::uint64_t at = offset + i * part + (part - sample_bytes) / 2;
        if (const auto read = take_sample(at, sample_bytes); !read) return read;
      }
    }
    covered_ += statistics_.total();
    write_bin(step, sampled_bins_++, statistics_.total() == length);
    statistics_.clear();
    return {};
  }

  boost::system::result<void> take_sample(std::uint64_t offset, std::uint64_t length) {
    const std::span<std::byte> room = frame_.first(static_cast<std::size_t>(length));
    const boost::system::result<void> read = read_exactly(*source_, offset, room);
    if (!read) return read;
    sampled_bytes_ += length;
    statistics_.take(room);
    return {};
  }

  void write_bin(const ScanStep& step, std::uint64_t bin, bool exact) const {
    const ByteStatistics::Classes classes = statistics_.classes();
    const std::uint64_t begin = bin_begin(bin);
    fmt::format_to(
        std::back_inserter(*step.records),
        "{{\"type\":\"bin\",\"bin\":{},\"offset\":{},\"length\":{},\"exact\":{},\"counted\":{},\"entropy\":{:.4f},"
        "\"zero\":{},\"printable\":{},\"control\":{},\"high\":{},\"ones\":{},\"min\":{},\"max\":{}}}\n",
        bin, window_.offset + begin, bin_begin(bin + 1) - begin, exact, statistics_.total(), statistics_.entropy(),
        classes.zero, classes.printable, classes.control, classes.high, classes.ones, statistics_.min(),
        statistics_.max());
  }

  std::shared_ptr<LocalFile> source_;
  Window window_;
  std::span<std::byte> frame_;
  std::uint64_t bins_;
  std::uint64_t samples_;  ///< of each bin
  bool exact_;
  ByteStatistics statistics_;
  std::uint64_t sampled_bins_ = 0;
  std::uint64_t sampled_bytes_ = 0;
  std::uint64_t covered_ = 0;  ///< bytes that the samples tell of, holes among them
  ScanReader reader_;
  ScanPiece piece_;
  std::uint64_t position_ = 0;  ///< of the second pass, within the window
  std::uint64_t counted_bins_ = 0;
};

class MapFactory final : public ScanFactory {
 public:
  MapFactory(std::uint64_t bins, bool exact) noexcept : bins_(bins), exact_(exact) {}
  std::unique_ptr<Scan> make(const ScanTarget& target) override {
    return std::make_unique<MapScan>(target, bins_, exact_);
  }
  [[nodiscard]] std::string_view name() const noexcept override { return "map"; }

 private:
  std::uint64_t bins_;
  bool exact_;
};

}  // namespace

Task<void> answer_map(Exchange* exchange) {
  static constexpr std::array<std::string_view, 5> known{"file", "offset", "len", "bins", "exact"};
  FileRequest request = read_file_request(*exchange, known);
  if (!request.refused) request.refused = check_window(request.query);
  const auto bins = read_bounded(request.query, "bins", 1, max_bins, default_bins);
  const auto exact = read_bounded(request.query, "exact", 0, 1, 0);
  if (!request.refused && !bins) request.refused = bad_parameter("There are 1 to 4096 bins.", "bins");
  if (!request.refused && !exact) {
    request.refused = bad_parameter("Exact is 1 for every byte, or 0 for samples.", "exact");
  }
  if (request.refused) {
    co_await send_reply(exchange, &*request.refused);
    co_return;
  }
  ScanFrame frame = co_await take_scan_frame(exchange);
  if (!frame) co_return;
  MapFactory factory(*bins, *exact == 1);
  co_await answer_scan(exchange, &request, std::move(frame), &factory);
}

}  // namespace ranged::server
