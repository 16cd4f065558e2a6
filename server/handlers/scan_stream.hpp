#pragma once
// Answers that come from reading all of a file, or a long stretch of it: work in steps on the scan threads, and a
// stream of records (NDJSON) that is sent as they come.
//
//   {"type":"begin","scan":...,"file":...,"size":...,"etag":...,"offset":...,"length":...}
//   {"type":"match"|"string"|"bin"|"extent"|"result",...}            what was found, in the order of the scan
//   {"type":"progress","scanned":...,"total":...,"read":...,"bytes_per_second":...,"eta_seconds":...}
//   {"type":"end","status":"complete"|"stale"|"failed"|"stopped","scanned":...,"read":...,"seconds":...}

#include "server/handlers/handlers.hpp"
#include "server/handlers/parameters.hpp"

#include <ranged/scan/scan_frames.hpp>
#include <ranged/scan/scan_reader.hpp>

#include <boost/system/result.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace ranged::server {

/// What a step of a scan has of its surroundings.
struct ScanStep {
  /// Text of records after which a step ends; a record is 4 KiB at most, and the buffer holds it too.
  static constexpr std::size_t record_limit = std::size_t{28} << 10;

  std::string* records = nullptr;          ///< lines; allocated once for each scan
  Clock::time_point deadline;              ///< when the step is to end
  const Connection* connection = nullptr;  ///< the client's
  bool half_closed = false;                ///< the client is known to have sent its last

  [[nodiscard]] bool records_full() const noexcept { return records->size() >= record_limit; }
  /// Whether the step is to end now: time is up, or the client has closed, which only what it is sent can tell from
  /// half of it. To be asked for each frame that is read. Cost: one system call.
  [[nodiscard]] bool must_pause() const noexcept {
    return Clock::now() >= deadline ||
           connection->peer_state() > (half_closed ? PeerState::finished : PeerState::there);
  }
};

/// How a step ended.
enum class ScanState : std::uint8_t { paused, complete };

/// One scan in progress. Called on scan threads, by one at a time.
class Scan {
 public:
  virtual ~Scan() = default;
  /// Goes on until it is complete, or the step ends. Errors end the scan.
  virtual boost::system::result<ScanState> work(const ScanStep& step) = 0;
  /// Bytes gone over so far, of total().
  [[nodiscard]] virtual std::uint64_t scanned() const noexcept = 0;
  [[nodiscard]] virtual std::uint64_t total() const noexcept = 0;
  /// Bytes read from the file for it.
  [[nodiscard]] virtual std::uint64_t bytes_read() const noexcept = 0;
  /// Appends members of a progress record, each with a comma before it.
  virtual void describe_progress(std::string& record) const { static_cast<void>(record); }
  /// Appends members of the end record, each with a comma before it.
  virtual void describe_end(std::string& record) const { static_cast<void>(record); }
};

/// One step, to be run on a scan thread. Its time begins when it runs, whenever it was made: one that had waited for
/// its turn longer than that would give it up for nothing, again and again.
class ScanStepCall {
 public:
  /// How long a step works before its records are sent and others of the scan threads have their turn: short beside the
  /// 100 ms in which a first match is to be seen.
  static constexpr std::chrono::milliseconds time{20};

  ScanStepCall(Scan* scan, std::string* records, const Connection* connection, bool half_closed) noexcept
      : scan_(scan), step_{records, {}, connection, half_closed} {}
  /// What the step gave; not_enough_memory when there was too little for it.
  boost::system::result<ScanState> operator()();

 private:
  Scan* scan_;
  ScanStep step_;
};

/// What a scan is made for.
struct ScanTarget {
  std::shared_ptr<LocalFile> source;
  std::uint64_t size = 0;  ///< of the file
  Window window;           ///< what of it
  std::span<std::byte> frame;
};

/// A scan that goes over its window once, in order. The frame's last context_bytes are for others.
class SequentialScan : public Scan {
 public:
  static constexpr std::size_t context_bytes = 4096;

  explicit SequentialScan(const ScanTarget& target)
      : reader_(target.source, target.window.offset, target.window.length,
                target.frame.first(target.frame.size() - context_bytes)),
        total_(target.window.length) {}

  boost::system::result<ScanState> work(const ScanStep& step) final;
  [[nodiscard]] std::uint64_t scanned() const noexcept final { return scanned_; }
  [[nodiscard]] std::uint64_t total() const noexcept final { return total_; }
  [[nodiscard]] std::uint64_t bytes_read() const noexcept final { return reader_.bytes_read(); }

 protected:
  /// Takes bytes, or zeros, that follow; returns how many: fewer when records must be written first.
  virtual std::size_t take(std::span<const std::byte> bytes) = 0;
  virtual std::uint64_t take_zeros(std::uint64_t count) = 0;
  /// Says that no more come; false: records must be written first, and it is to be called again.
  virtual bool finish() = 0;
  /// Writes down what was found; paused: there was no room for all.
  virtual boost::system::result<ScanState> write_records(const ScanStep& step) = 0;

 private:
  ScanReader reader_;
  std::uint64_t total_;
  std::uint64_t scanned_ = 0;
  ScanPiece piece_;
  bool finished_ = false;
};

/// Makes the scan that a request asks for, once its file is open.
class ScanFactory {
 public:
  [[nodiscard]] virtual std::unique_ptr<Scan> make(const ScanTarget& target) = 0;
  /// What the begin record calls it.
  [[nodiscard]] virtual std::string_view name() const noexcept = 0;
  /// A scan of the whole file, whatever the window.
  [[nodiscard]] virtual bool of_whole_file() const noexcept { return false; }

 protected:
  ~ScanFactory() = default;
};

/// Takes the frame that a scan needs, or sends 429 (empty): so many scans run at once and no more.
Task<ScanFrame> take_scan_frame(Exchange* exchange);

/// Opens the file, runs the scan over the window that `offset` and `len` of the query name (default: all), and sends
/// its records. The window's syntax has been checked (check_window()).
Task<void> answer_scan(Exchange* exchange, const FileRequest* request, ScanFrame frame, ScanFactory* factory);

/// 400 for an `offset` or `len` that is none.
[[nodiscard]] std::optional<Reply> check_window(const QueryParameters& query);

/// A number of the query between bounds, or `otherwise` where it is absent. nullopt: no such number.
[[nodiscard]] std::optional<std::uint64_t> read_bounded(const QueryParameters& query, std::string_view name,
                                                        std::uint64_t minimum, std::uint64_t maximum,
                                                        std::uint64_t otherwise);

[[nodiscard]] Reply bad_parameter(std::string_view detail, std::string_view parameter);

/// Appends text as a JSON string with its quotes; bytes that are not UTF-8 become U+FFFD.
void append_quoted(std::string& out, std::string_view text);
/// Appends bytes as lower-case hexadecimal digits.
void append_hex(std::string& out, std::span<const std::byte> bytes);

/// The response header of a stream, and its chunks (RFC 9112, 7.1), or, to HTTP/1.0, bytes until the connection closes.
class RecordStream {
 public:
  RecordStream(Exchange* exchange, std::string_view media_type) noexcept;

  /// Sends the header. False: the client has gone; the exchange's report says so, here and below.
  Task<bool> begin();
  /// Sends text, and waits until the kernel has taken it.
  Task<bool> send(std::string_view text);
  /// Says that all was sent.
  Task<bool> end();

 private:
  Task<bool> send_parts(std::string first, std::string_view second, std::string_view third);

  Exchange* exchange_;
  std::string_view media_type_;
  bool chunked_;
};

}  // namespace ranged::server
