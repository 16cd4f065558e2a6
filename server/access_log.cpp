#include "server/access_log.hpp"

#include "server/log_sink.hpp"
#include "server/logging_escape.hpp"
#include "server/request_id.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <iterator>
#include <limits>
#include <type_traits>
#include <utility>

namespace ranged::server {
namespace {

constexpr std::size_t max_remote = 64;
constexpr std::size_t max_method = 32;

/// The texts of a record, in the order in which they follow its numbers in the queue.
constexpr std::array<std::pair<std::string_view AccessRecord::*, std::size_t>, 7> texts{
    {{&AccessRecord::remote, max_remote},
     {&AccessRecord::method, max_method},
     {&AccessRecord::target, AccessLog::max_target + 1},  // one more tells the writer that it was cut
     {&AccessRecord::host, AccessLog::max_text},
     {&AccessRecord::user_agent, AccessLog::max_text},
     {&AccessRecord::referer, AccessLog::max_text},
     {&AccessRecord::request_id, max_request_id}}};

/// What stands before the texts of a queued record.
struct PackedRecord {
  AccessRecord numbers;  ///< its views mean nothing here
  std::array<std::uint16_t, texts.size()> lengths;
};
static_assert(std::is_trivially_copyable_v<PackedRecord>);
static_assert(AccessLog::max_target + 1 <= std::numeric_limits<std::uint16_t>::max());

AccessRecord unpack(std::span<const char> bytes) noexcept {
  PackedRecord packed;
  std::memcpy(&packed, bytes.data(), sizeof(packed));
  const char* text = bytes.data() + sizeof(packed);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    packed.numbers.*texts[i].first = {text, packed.lengths[i]};
    text += packed.lengths[i];
  }
  return packed.numbers;
}

template <AccessLogFormat format>
void render_packed(std::span<const char> bytes, std::string& text) {
  render_access_line(format, unpack(bytes), text);
}

void append_json(std::string& line, std::string_view name, std::string_view value) {
  line += ",\"";
  line += name;
  line += "\":";
  append_json_string(line, value);
}

void append_json(std::string& line, std::string_view name, std::uint64_t value) {
  fmt::format_to(std::back_inserter(line), ",\"{}\":{}", name, value);
}

std::uint64_t microseconds(std::chrono::microseconds duration) noexcept {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(duration.count(), 0));
}

void render_json(const AccessRecord& record, std::string& line) {
  line += R"({"time":")";
  append_timestamp(line, record.time);
  line += '"';
  append_json(line, "remote", record.remote);
  append_json(line, "method", record.method);
  append_json(line, "target", cut_text(record.target, AccessLog::max_target));
  if (record.target.size() > AccessLog::max_target) line += R"(,"target_truncated":true)";
  if (!record.host.empty()) append_json(line, "host", cut_text(record.host, AccessLog::max_text));
  append_json(line, "status", std::uint64_t{record.status});
  append_json(line, "bytes", record.body_bytes);
  if (record.has_range) {
    append_json(line, "range_first", record.range_first);
    append_json(line, "range_last", record.range_last);
  }
  append_json(line, "duration_us", microseconds(record.duration));
  append_json(line, "first_byte_us", microseconds(record.time_to_first_byte));
  append_json(line, "end", to_string(record.end));
  append_json(line, "page_hits", std::uint64_t{record.page_hits});
  append_json(line, "page_misses", std::uint64_t{record.page_misses});
  append_json(line, "request_id", record.request_id);
  if (!record.user_agent.empty()) append_json(line, "user_agent", cut_text(record.user_agent, AccessLog::max_text));
  if (!record.referer.empty()) append_json(line, "referer", cut_text(record.referer, AccessLog::max_text));
  line += "}\n";
}

/// The address without the port: "127.0.0.1:80" and "[::1]:80".
std::string_view address_of(std::string_view remote) noexcept {
  const std::size_t colon = remote.rfind(':');
  if (colon == std::string_view::npos) return remote;
  std::string_view address = remote.substr(0, colon);
  if (address.size() >= 2 && address.front() == '[' && address.back() == ']')
    address = address.substr(1, address.size() - 2);
  return address;
}

void append_quoted(std::string& line, std::string_view text) {
  line += '"';
  if (text.empty()) {
    line += '-';
  } else {
    append_hex_escaped(line, text);
  }
  line += '"';
}

void render_combined(const AccessRecord& record, std::string& line) {
  static constexpr std::array<std::string_view, 12> months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                           "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto seconds = std::chrono::floor<std::chrono::seconds>(record.time);
  const auto day = std::chrono::floor<std::chrono::days>(seconds);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(seconds - day);
  append_hex_escaped(line, record.remote.empty() ? std::string_view("-") : address_of(record.remote));
  fmt::format_to(std::back_inserter(line), " - - [{:02}/{}/{:04}:{:02}:{:02}:{:02} +0000] \"",
                 static_cast<unsigned>(date.day()), months[static_cast<unsigned>(date.month()) - 1],
                 static_cast<int>(date.year()), clock.hours().count(), clock.minutes().count(),
                 clock.seconds().count());
  if (record.method.empty()) {
    line += '-';
  } else {
    append_hex_escaped(line, record.method);
    line += ' ';
    append_hex_escaped(line, cut_text(record.target, AccessLog::max_target));
    line += record.version == 10 ? " HTTP/1.0" : " HTTP/1.1";
  }
  fmt::format_to(std::back_inserter(line), "\" {} {} ", record.status, record.body_bytes);
  append_quoted(line, cut_text(record.referer, AccessLog::max_text));
  line += ' ';
  append_quoted(line, cut_text(record.user_agent, AccessLog::max_text));
  line += '\n';
}

}  // namespace

std::string_view to_string(AccessEnd end) noexcept {
  static constexpr std::array<std::string_view, 5> names{"complete", "cut", "left", "stalled", "drained"};
  return names[static_cast<std::size_t>(end)];
}

void render_access_line(AccessLogFormat format, const AccessRecord& record, std::string& line) {
  if (format == AccessLogFormat::json) {
    render_json(record, line);
  } else {
    render_combined(record, line);
  }
}

boost::system::result<std::unique_ptr<AccessLog>> AccessLog::open(const std::string& target, AccessLogFormat format) {
  boost::system::result<std::unique_ptr<LogSink>> sink =
      LogSink::open(target, queue_bytes,
                    format == AccessLogFormat::json ? &render_packed<AccessLogFormat::json>
                                                    : &render_packed<AccessLogFormat::combined>);
  if (!sink) return sink.error();
  return std::unique_ptr<AccessLog>(new AccessLog(std::move(*sink)));
}

AccessLog::AccessLog(std::unique_ptr<LogSink> sink) noexcept : sink_(std::move(sink)) {}
AccessLog::~AccessLog() = default;

void AccessLog::append(const AccessRecord& record) noexcept {
  PackedRecord packed{record, {}};
  std::array<std::string_view, texts.size() + 1> parts;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const auto& [member, limit] = texts[i];
    parts[i + 1] = (record.*member).substr(0, limit);
    packed.lengths[i] = static_cast<std::uint16_t>(parts[i + 1].size());
  }
  parts[0] = {reinterpret_cast<const char*>(&packed), sizeof(packed)};
  sink_->append(parts);
}

void AccessLog::reopen() noexcept {
  sink_->reopen();
}
bool AccessLog::flush(std::chrono::milliseconds timeout) noexcept {
  return sink_->flush(timeout);
}
std::uint64_t AccessLog::dropped() const noexcept {
  return sink_->dropped();
}
std::uint64_t AccessLog::errors() const noexcept {
  return sink_->errors();
}

}  // namespace ranged::server
