#include "server/handlers/scan_stream.hpp"
#include "server/reply.hpp"

#include <ranged/scan/digest.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

namespace ranged::server {

namespace {

class DigestScan final : public SequentialScan {
 public:
  DigestScan(const ScanTarget& target, std::string_view algorithm, std::unique_ptr<Digest> digest)
      : SequentialScan(target), algorithm_(algorithm), digest_(std::move(digest)) {}

 protected:
  std::size_t take(std::span<const std::byte> bytes) override {
    digest_->update(bytes);
    return bytes.size();
  }
  std::uint64_t take_zeros(std::uint64_t count) override {
    // Holes are not read, but their zeros count like others.
    static constexpr std::array<std::byte, std::size_t{32} << 10> zeros{};
    const auto now = static_cast<std::size_t>(std::min<std::uint64_t>(count, zeros.size()));
    digest_->update(std::span(zeros).first(now));
    return now;
  }
  bool finish() override {
    result_ = digest_->finish();
    return true;
  }
  boost::system::result<ScanState> write_records(const ScanStep& step) override {
    if (result_.empty()) return ScanState::complete;
    fmt::format_to(std::back_inserter(*step.records),
                   "{{\"type\":\"result\",\"algorithm\":\"{}\",\"digest\":\"{}\"}}\n", algorithm_, result_);
    result_.clear();
    return ScanState::complete;
  }

 private:
  std::string_view algorithm_;
  std::unique_ptr<Digest> digest_;
  std::string result_;
};

class DigestFactory final : public ScanFactory {
 public:
  DigestFactory(std::string_view algorithm, std::unique_ptr<Digest> digest)
      : algorithm_(algorithm), digest_(std::move(digest)) {}
  std::unique_ptr<Scan> make(const ScanTarget& target) override {
    return std::make_unique<DigestScan>(target, algorithm_, std::move(digest_));
  }
  [[nodiscard]] std::string_view name() const noexcept override { return "digest"; }

 private:
  std::string_view algorithm_;
  std::unique_ptr<Digest> digest_;
};

}  // namespace

Task<void> answer_digest(Exchange* exchange) {
  static constexpr std::array<std::string_view, 4> known{"file", "offset", "len", "algorithm"};
  FileRequest request = read_file_request(*exchange, known);
  if (!request.refused) request.refused = check_window(request.query);
  const std::string* const wanted = request.query.find("algorithm");
  const std::string_view algorithm = wanted != nullptr ? std::string_view(*wanted) : "sha-256";
  std::unique_ptr<Digest> digest = Digest::create(algorithm);
  if (!request.refused && digest == nullptr) {
    request.refused =
        bad_parameter("The algorithm is sha-256, sha-512, sha-1, md5, blake2b-512, crc32c or xxh3.", "algorithm");
  }
  if (request.refused) {
    co_await send_reply(exchange, &*request.refused);
    co_return;
  }
  ScanFrame frame = co_await take_scan_frame(exchange);
  if (!frame) co_return;
  DigestFactory factory(algorithm, std::move(digest));
  co_await answer_scan(exchange, &request, std::move(frame), &factory);
}

}  // namespace ranged::server
