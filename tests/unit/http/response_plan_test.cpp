#include <ranged/http/http_date.hpp>
#include <ranged/http/response_plan.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using ranged::http::BodyCursor;
using ranged::http::BodyKind;
using ranged::http::BodyPiece;
using ranged::http::BoundaryBits;
using ranged::http::ByteRange;
using ranged::http::HeaderWriter;
using ranged::http::plan_file_response;
using ranged::http::PlanLimits;
using ranged::http::RangeVerdict;
using ranged::http::Representation;
using ranged::http::RequestConditions;
using ranged::http::ResponsePlan;

constexpr std::uint64_t max64 = std::numeric_limits<std::uint64_t>::max();
constexpr std::int64_t now = 1'704'067'200;
constexpr std::string_view date = "Sun, 06 Nov 1994 08:49:37 GMT";

using Fields = std::vector<std::pair<std::string, std::string>>;

int boundaries_asked = 0;

BoundaryBits bits() {
  ++boundaries_asked;
  return {0x0011223344556677, 0x8899aabbccddeeff};
}

Representation file_of(std::uint64_t size) {
  return {.size = size,
          .entity_tag = "\"now\"",
          .last_modified = 784'111'777,
          .last_modified_text = date,
          .media_type = "text/plain",
          .cache_control = "no-cache"};
}

ResponsePlan plan_of(const Representation& file, const Fields& fields, bool head = false, PlanLimits limits = {},
                     std::int64_t at = now) {
  RequestConditions conditions;
  conditions.head = head;
  for (const auto& [name, value] : fields) REQUIRE(conditions.add(name, value));
  return plan_file_response(conditions, file, limits, at, &bits);
}

std::string written(const auto& write) {
  std::array<char, 2048> buffer{};
  HeaderWriter writer(buffer);
  write(writer);
  REQUIRE_FALSE(writer.failed());
  return std::string(writer.text());
}

std::vector<std::string> sorted_lines(const std::string& header) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < header.size();) {
    const std::size_t end = header.find("\r\n", at);
    REQUIRE(end != std::string::npos);
    lines.push_back(header.substr(at, end - at));
    at = end + 2;
  }
  std::ranges::sort(lines);
  return lines;
}

/// The header, which has the same lines when some of them were made before.
std::string header_of(const ResponsePlan& plan, const Representation& file) {
  const std::string standing = written([&](HeaderWriter& writer) { write_standing_lines(file, writer); });
  Representation prepared = file;
  prepared.standing_lines = standing;
  std::string header = written([&](HeaderWriter& writer) { write_header(plan, file, writer); });
  const std::string other = written([&](HeaderWriter& writer) { write_header(plan, prepared, writer); });
  CHECK(sorted_lines(header) == sorted_lines(other));
  return header;
}

std::optional<std::string> field(const std::string& header, const std::string& name) {
  const std::string lines = "\r\n" + header;
  const std::size_t begin = lines.find("\r\n" + name + ": ");
  if (begin == std::string::npos) return std::nullopt;
  REQUIRE(lines.find("\r\n" + name + ": ", begin + 1) == std::string::npos);
  const std::size_t value = begin + 2 + name.size() + 2;
  return lines.substr(value, lines.find("\r\n", value) - value);
}

/// What a client receives: the pieces put together, the file's bytes taken from `content`.
std::string body_of(const ResponsePlan& plan, const Representation& file, const std::string& content) {
  BodyCursor cursor(plan, file);
  std::string body;
  for (BodyPiece piece = cursor.next(); piece.kind != BodyPiece::Kind::end; piece = cursor.next()) {
    if (piece.kind == BodyPiece::Kind::text) {
      REQUIRE_FALSE(piece.text.empty());
      body += piece.text;
    } else {
      REQUIRE(piece.length != 0);
      REQUIRE(piece.offset + piece.length <= content.size());
      body += content.substr(piece.offset, piece.length);
    }
  }
  REQUIRE(cursor.next().kind == BodyPiece::Kind::end);
  return body;
}

std::string content_of(std::uint64_t size) {
  std::string content(size, '\0');
  for (std::uint64_t i = 0; i < size; ++i) content[i] = static_cast<char>('A' + (i * 7 + i / 26) % 26);
  return content;
}

std::string content_range(std::uint64_t first, std::uint64_t last, std::uint64_t size) {
  std::string text = "bytes ";
  return text.append(std::to_string(first))
      .append("-")
      .append(std::to_string(last))
      .append("/")
      .append(std::to_string(size));
}

struct Part {
  std::string media_type;
  std::string content_range;
  std::string bytes;
};

/// Takes a multipart body apart as a client does: by its boundary alone.
std::vector<Part> parts_of(const std::string& header, std::string body) {
  const std::string type = field(header, "Content-Type").value_or("");
  constexpr std::string_view prefix = "multipart/byteranges; boundary=";
  REQUIRE(type.starts_with(prefix));
  const std::string delimiter = "\r\n--" + type.substr(prefix.size());
  body.insert(0, "\r\n");
  std::vector<Part> parts;
  std::size_t at = 0;
  REQUIRE(body.starts_with(delimiter));
  while (body.substr(at + delimiter.size(), 2) == "\r\n") {
    const std::size_t next = body.find(delimiter, at + 1);
    REQUIRE(next != std::string::npos);
    const std::size_t begin = at + delimiter.size() + 2;
    const std::string part = body.substr(begin, next - begin);
    const std::size_t blank = part.find("\r\n\r\n");
    REQUIRE(blank != std::string::npos);
    const std::string head = part.substr(0, blank + 2);
    parts.push_back(
        {field(head, "Content-Type").value_or(""), field(head, "Content-Range").value_or(""), part.substr(blank + 4)});
    at = next;
  }
  CHECK(body.substr(at + delimiter.size()) == "--\r\n");
  return parts;
}

/// One row of the tables: a Range value and what it gets. `ranges`: as in Content-Range, in order; none: the whole.
struct Row {
  std::uint64_t size;
  std::string range;
  int status;
  std::vector<ByteRange> ranges;
  RangeVerdict verdict;
};

void check(const Row& row) {
  INFO(row.range << " of " << row.size);
  const Representation file = file_of(row.size);
  const std::string content = content_of(row.size);
  const ResponsePlan plan = plan_of(file, {{"Range", row.range}});
  const std::string header = header_of(plan, file);
  const std::string total = std::to_string(row.size);
  CHECK(plan.status == row.status);
  CHECK(plan.range_verdict == row.verdict);
  // The same on every answer, 416 included.
  CHECK(field(header, "ETag") == "\"now\"");
  CHECK(field(header, "Last-Modified") == std::string(date));
  CHECK(field(header, "Accept-Ranges") == "bytes");
  CHECK(field(header, "Cache-Control") == "no-cache");
  const std::string body = body_of(plan, file, content);
  if (row.status == 416) {
    CHECK(plan.body == BodyKind::none);
    CHECK(body.empty());
    CHECK(field(header, "Content-Range") == "bytes */" + total);
    CHECK_FALSE(field(header, "Content-Type"));
    CHECK_FALSE(field(header, "Content-Length"));
    return;
  }
  CHECK(field(header, "Content-Length") == std::to_string(body.size()));
  CHECK(plan.content_length == body.size());
  const auto text = [&](const ByteRange& range) { return content_range(range.first, range.last, row.size); };
  if (row.ranges.size() > 1) {
    CHECK(plan.body == BodyKind::multipart);
    CHECK_FALSE(field(header, "Content-Range"));
    const std::vector<Part> parts = parts_of(header, body);
    REQUIRE(parts.size() == row.ranges.size());
    for (std::size_t i = 0; i < parts.size(); ++i) {
      CHECK(parts[i].media_type == "text/plain");
      CHECK(parts[i].content_range == text(row.ranges[i]));
      CHECK(parts[i].bytes == content.substr(row.ranges[i].first, row.ranges[i].length()));
    }
    return;
  }
  CHECK(field(header, "Content-Type") == "text/plain");
  if (row.ranges.empty()) {
    CHECK(plan.body == BodyKind::whole);
    CHECK(body == content);
    CHECK_FALSE(field(header, "Content-Range"));
  } else {
    CHECK(plan.body == BodyKind::range);
    CHECK(body == content.substr(row.ranges[0].first, row.ranges[0].length()));
    CHECK(field(header, "Content-Range") == text(row.ranges[0]));
  }
}

}  // namespace

TEST_CASE("Range on GET, the cases of the policy and of other servers' tests") {
  using enum RangeVerdict;
  const std::vector<Row> rows = {
      {11, "bytes=0-4", 206, {{0, 4}}, served},
      {11, "bytes=2-", 206, {{2, 10}}, served},
      {11, "bytes=-5", 206, {{6, 10}}, served},
      {11, "bytes=0-10", 206, {{0, 10}}, served},
      {11, "bytes=0-11", 206, {{0, 10}}, served},
      {11, "bytes=10-11", 206, {{10, 10}}, served},
      {11, "bytes=0-18446744073709551615", 206, {{0, 10}}, served},
      {11, "bytes=0-99999999999999999999999999", 206, {{0, 10}}, served},
      {11, "bytes=0-1", 206, {{0, 1}}, served},
      {11, "bytes=0-0,-2", 206, {{0, 0}, {9, 10}}, served},
      {11, "bytes=0-1,5-8", 206, {{0, 1}, {5, 8}}, served},
      {11, "bytes=5-8, 0-1", 206, {{5, 8}, {0, 1}}, served},
      {11, "bytes=0-1,2-3", 206, {{0, 1}, {2, 3}}, served},
      {11, "bytes=0-,1-,2-,3-,4-", 206, {{0, 10}}, served},
      {11, "bytes=,0-1 ,, 5-8,", 206, {{0, 1}, {5, 8}}, served},
      {11, "bytes=0-6,20-30", 206, {{0, 6}}, served},
      {11, "Bytes=0-4", 206, {{0, 4}}, served},
      {11, "bytes=11-", 416, {}, refused_unsatisfiable},
      {11, "bytes=11-12", 416, {}, refused_unsatisfiable},
      {11, "bytes=-0", 416, {}, refused_unsatisfiable},
      {11, "bytes=99999999999999999999999-", 416, {}, refused_unsatisfiable},
      {11, "bytes=5-3", 416, {}, refused_malformed},
      {11, "bytes=5-3,0-1", 416, {}, refused_malformed},
      {11, "bytes=", 416, {}, refused_malformed},
      {11, "bytes=,", 416, {}, refused_malformed},
      {11, "bytes=--5", 416, {}, refused_malformed},
      {11, "bytes=7", 416, {}, refused_malformed},
      {11, "lines=0-4", 200, {}, ignored_unit},
      {11, "foo", 200, {}, ignored_unit},
      {11, "", 200, {}, ignored_unit},
      {0, "bytes=0-", 200, {}, ignored_empty_file},
      {0, "bytes=0-128", 200, {}, ignored_empty_file},
      {0, "bytes=-5", 200, {}, ignored_empty_file},
      {0, "bytes=-0", 200, {}, ignored_empty_file},
      {0, "bytes=5-3", 200, {}, ignored_empty_file},
      {1, "bytes=0-", 206, {{0, 0}}, served},
      {1000, "bytes=0-9, -10, 10-19", 206, {{0, 9}, {990, 999}, {10, 19}}, served},
      {1000, "bytes=0-9, -10, 100000-, 10-19", 206, {{0, 9}, {990, 999}, {10, 19}}, served},
      {8000, "bytes=0-100,70-100,1000-1001,5-6", 206, {{0, 100}, {1000, 1001}}, served},
      {8000, "bytes=3000-,100-200,2000-2200", 206, {{3000, 7999}, {100, 200}, {2000, 2200}}, served},
  };
  for (const Row& row : rows) check(row);
}

TEST_CASE("no Range: the whole, and a cursor that gives it in one piece") {
  for (const std::uint64_t size : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{100}}) {
    const Representation file = file_of(size);
    const ResponsePlan plan = plan_of(file, {});
    CHECK(plan.status == 200);
    CHECK(plan.range_verdict == RangeVerdict::absent);
    CHECK(plan.content_length == size);
    CHECK(body_of(plan, file, content_of(size)) == content_of(size));
    CHECK(header_of(plan, file) == "Content-Type: text/plain\r\nContent-Length: " + std::to_string(size) +
                                       "\r\nETag: \"now\"\r\nLast-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
                                       "Accept-Ranges: bytes\r\nCache-Control: no-cache\r\n");
  }
}

TEST_CASE("files of every size up to 2^64 - 1") {
  for (const std::uint64_t size : {std::uint64_t{1} << 31, std::uint64_t{1} << 32, (std::uint64_t{1} << 40) + 1,
                                   (std::uint64_t{1} << 63) - 1, std::uint64_t{1} << 63, max64}) {
    const Representation file = file_of(size);
    const std::string n = std::to_string(size);

    const ResponsePlan whole = plan_of(file, {});
    CHECK(field(header_of(whole, file), "Content-Length") == n);
    BodyCursor cursor(whole, file);
    const BodyPiece piece = cursor.next();
    CHECK(piece.kind == BodyPiece::Kind::file);
    CHECK(piece.offset == 0);
    CHECK(piece.length == size);
    CHECK(cursor.next().kind == BodyPiece::Kind::end);

    const ResponsePlan tail = plan_of(file, {{"Range", "bytes=-1"}});
    CHECK(tail.content_length == 1);
    CHECK(field(header_of(tail, file), "Content-Range") == content_range(size - 1, size - 1, size));

    const ResponsePlan all = plan_of(file, {{"Range", "bytes=0-18446744073709551615"}});
    CHECK(field(header_of(all, file), "Content-Range") == content_range(0, size - 1, size));
    CHECK(all.content_length == size);

    const ResponsePlan beyond = plan_of(file, {{"Range", "bytes=" + n + "-"}});
    CHECK(beyond.status == 416);
    CHECK(field(header_of(beyond, file), "Content-Range") == "bytes */" + n);
  }
}

TEST_CASE("a multipart body of 2^64 bytes or more is not sent: the whole is") {
  const Representation file = file_of(max64);
  const ResponsePlan plan = plan_of(file, {{"Range", "bytes=0-0,1-"}});
  CHECK(plan.status == 200);
  CHECK(plan.range_verdict == RangeVerdict::ignored_length);
  CHECK(plan.body == BodyKind::whole);
  CHECK(plan.content_length == max64);
  CHECK(plan.ranges.empty());
  const Representation largest = file_of((std::uint64_t{1} << 63) - 1);
  CHECK(plan_of(largest, {{"Range", "bytes=0-0,1-"}}).range_verdict == RangeVerdict::served);
}

TEST_CASE("HEAD: Range ignored, the header of the 200, no body") {
  const Representation file = file_of(1000);
  for (const char* range : {"bytes=0-0", "bytes=0-0,5-6", "bytes=5000-", "bytes=x"}) {
    const ResponsePlan plan = plan_of(file, {{"Range", range}}, true);
    CHECK(plan.status == 200);
    CHECK(plan.range_verdict == RangeVerdict::ignored_on_head);
    CHECK(plan.body == BodyKind::none);
    CHECK(header_of(plan, file) == header_of(plan_of(file, {}), file));
    CHECK(body_of(plan, file, content_of(1000)).empty());
  }
  CHECK(plan_of(file, {}, true).range_verdict == RangeVerdict::absent);
}

TEST_CASE("304 and 412 come before Range, and carry the validators but nothing about content") {
  struct Case {
    const char* name;
    const char* value;
    int status;
  };
  constexpr std::array<Case, 5> cases = {{{"If-None-Match", "\"now\"", 304},
                                          {"If-None-Match", "*", 304},
                                          {"If-Modified-Since", "Sun, 06 Nov 1994 08:49:37 GMT", 304},
                                          {"If-Match", "\"old\"", 412},
                                          {"If-Unmodified-Since", "Sun, 06 Nov 1994 08:49:36 GMT", 412}}};
  const Representation file = file_of(1000);
  for (const bool head : {false, true}) {
    for (const Case& item : cases) {
      for (const char* range : {"bytes=0-0", "bytes=5000-", "bytes=x"}) {
        const ResponsePlan plan = plan_of(file, {{item.name, item.value}, {"Range", range}}, head);
        CHECK(plan.status == item.status);
        CHECK(plan.body == BodyKind::none);
        CHECK(plan.range_verdict == RangeVerdict::absent);
        CHECK(header_of(plan, file) ==
              "ETag: \"now\"\r\nLast-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\nAccept-Ranges: bytes\r\n"
              "Cache-Control: no-cache\r\n");
        CHECK(body_of(plan, file, content_of(1000)).empty());
      }
    }
  }
  CHECK(plan_of(file, {{"If-None-Match", "\"old\""}, {"Range", "bytes=0-0"}}).status == 206);
  CHECK(plan_of(file, {{"If-Match", "\"now\""}, {"Range", "bytes=0-0"}}).status == 206);
}

TEST_CASE("If-Range decides before Range can be refused") {
  const Representation file = file_of(1000);
  for (const char* range : {"bytes=0-0", "bytes=5000-", "bytes=x", "bytes=0-0,5-6"}) {
    const ResponsePlan plan = plan_of(file, {{"Range", range}, {"If-Range", "\"old\""}});
    CHECK(plan.status == 200);
    CHECK(plan.range_verdict == RangeVerdict::ignored_if_range);
    CHECK(plan.content_length == 1000);
  }
  CHECK(plan_of(file, {{"Range", "bytes=0-0"}, {"If-Range", "\"now\""}}).status == 206);
  CHECK(plan_of(file, {{"Range", "bytes=0-0"}, {"If-Range", std::string(date)}}).status == 206);
  CHECK(plan_of(file, {{"Range", "bytes=5000-"}, {"If-Range", "\"now\""}}).status == 416);
  // Without Range it means nothing.
  CHECK(plan_of(file, {{"If-Range", "\"old\""}}).range_verdict == RangeVerdict::absent);
}

TEST_CASE("several Range lines and too many ranges are refused") {
  const Representation file = file_of(1000);
  const ResponsePlan lines = plan_of(file, {{"Range", "bytes=0-3"}, {"Range", "bytes=0-3"}});
  CHECK(lines.status == 416);
  CHECK(lines.range_verdict == RangeVerdict::refused_lines);
  CHECK(plan_of(file, {{"Range", "bytes=0-1,3-4"}}, false, {.max_ranges = 2}).status == 206);
  const ResponsePlan many = plan_of(file, {{"Range", "bytes=0-1,3-4,6-7"}}, false, {.max_ranges = 2});
  CHECK(many.status == 416);
  CHECK(many.range_verdict == RangeVerdict::refused_too_many);
}

TEST_CASE("no Last-Modified later than Date, none without one, no ETag without one") {
  Representation file = file_of(10);
  file.last_modified = now + 100;
  const std::string future = std::string(ranged::http::format_http_date(now + 100));
  file.last_modified_text = future;
  const ResponsePlan plan = plan_of(file, {});
  CHECK(plan.last_modified == now);
  CHECK(field(header_of(plan, file), "Last-Modified") == "Mon, 01 Jan 2024 00:00:00 GMT");
  // What was said is what is compared; the second is not over, so If-Range with it does not hold.
  CHECK(plan_of(file, {{"If-Modified-Since", "Mon, 01 Jan 2024 00:00:00 GMT"}}).status == 304);
  CHECK(plan_of(file, {{"Range", "bytes=0-0"}, {"If-Range", "Mon, 01 Jan 2024 00:00:00 GMT"}}).status == 200);

  file.last_modified_text = {};
  file.entity_tag = {};
  file.cache_control = {};
  CHECK(header_of(plan_of(file, {}), file) ==
        "Content-Type: text/plain\r\nContent-Length: 10\r\nAccept-Ranges: bytes\r\n");
  CHECK(plan_of(file, {{"If-Modified-Since", "Fri, 31 Dec 9999 23:59:59 GMT"}}).status == 200);
  CHECK(plan_of(file, {{"If-None-Match", "\"\""}}).status == 200);

  // A time that no HTTP-date can say.
  for (const std::int64_t seconds : {std::numeric_limits<std::int64_t>::min(), ranged::http::min_http_date - 1}) {
    file = file_of(10);
    file.last_modified = seconds;
    file.last_modified_text = "Sat, 01 Jan 0000 00:00:00 GMT";
    CHECK(plan_of(file, {}).last_modified == ranged::http::min_http_date);
    CHECK(field(header_of(plan_of(file, {}), file), "Last-Modified") == "Sat, 01 Jan 0000 00:00:00 GMT");
  }
}

TEST_CASE("a media type that cannot go out becomes octet-stream, alone and in parts") {
  Representation file = file_of(100);
  const std::string longest = "a/" + std::string(253, 'b');
  const std::string too_long = longest + "b";
  for (const auto& [type, sent] : std::initializer_list<std::pair<std::string_view, std::string_view>>{
           {longest, longest},
           {too_long, "application/octet-stream"},
           {"", "application/octet-stream"},
           {"a/b\r\nX: y", "application/octet-stream"}}) {
    file.media_type = type;
    CHECK(field(header_of(plan_of(file, {}), file), "Content-Type") == std::string(sent));
    const ResponsePlan plan = plan_of(file, {{"Range", "bytes=0-0,5-6"}});
    const std::string body = body_of(plan, file, content_of(100));
    CHECK(plan.content_length == body.size());
    for (const Part& part : parts_of(header_of(plan, file), body)) CHECK(part.media_type == sent);
  }
}

TEST_CASE("the header takes at most 512 bytes and the representation's texts") {
  const std::string tag = "\"" + std::string(500, 't') + "\"";
  const std::string control(500, 'c');
  Representation file = file_of(max64);
  file.entity_tag = tag;
  file.cache_control = control;
  const std::size_t texts = tag.size() + date.size() + file.media_type.size() + control.size();
  for (const char* range : {"bytes=18446744073709551613-18446744073709551614", "bytes=0-0,2-2",
                            "bytes=18446744073709551615-", "bytes=0-", "none"}) {
    CHECK(header_of(plan_of(file, {{"Range", range}}), file).size() <= 512 + texts);
  }
}

TEST_CASE("boundary bits are asked for once for a multipart body, and for no other") {
  const Representation file = file_of(1000);
  const auto asked = [&](const Fields& fields) {
    boundaries_asked = 0;
    static_cast<void>(plan_of(file, fields));
    return boundaries_asked;
  };
  CHECK(asked({}) == 0);
  CHECK(asked({{"Range", "bytes=0-0"}}) == 0);
  CHECK(asked({{"Range", "bytes=0-1,1-2"}}) == 0);
  CHECK(asked({{"Range", "bytes=5000-"}}) == 0);
  CHECK(asked({{"Range", "bytes=0-0,2-2"}, {"If-None-Match", "*"}}) == 0);
  CHECK(asked({{"Range", "bytes=0-0,2-2"}}) == 1);
}

TEST_CASE("a copy of a cursor goes on from the same place") {
  const Representation file = file_of(1000);
  const ResponsePlan plan = plan_of(file, {{"Range", "bytes=0-0,2-2,4-4"}});
  for (int steps = 0; steps <= 8; ++steps) {
    BodyCursor cursor(plan, file);
    for (int i = 0; i < steps; ++i) static_cast<void>(cursor.next());
    BodyCursor copy = cursor;
    for (int i = 0; i < 9; ++i) {
      const BodyPiece left = cursor.next();
      const BodyPiece right = copy.next();
      CHECK(left.kind == right.kind);
      CHECK(left.text == right.text);
      CHECK(left.offset == right.offset);
      CHECK(left.length == right.length);
    }
  }
}

TEST_CASE("random sets: what is told is what is sent, and parts are the file's bytes") {
  std::mt19937_64 random(5);
  int multipart = 0;
  for (int round = 0; round < 2000; ++round) {
    const std::uint64_t size = 1 + random() % 300;
    const std::string content = content_of(size);
    const Representation file = file_of(size);
    std::string range = "bytes=";
    const std::size_t count = 1 + random() % 12;
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint64_t first = random() % (size + 20);
      range += (i == 0 ? "" : ",") + std::to_string(first) + "-" + std::to_string(first + random() % 30);
    }
    INFO(range << " of " << size);
    const ResponsePlan plan = plan_of(file, {{"Range", range}});
    if (plan.status == 416) continue;
    REQUIRE(plan.status == 206);
    const std::string body = body_of(plan, file, content);
    REQUIRE(body.size() == plan.content_length);
    if (plan.body != BodyKind::multipart) continue;
    ++multipart;
    const std::vector<Part> parts = parts_of(header_of(plan, file), body);
    REQUIRE(parts.size() == plan.ranges.size());
    for (std::size_t i = 0; i < parts.size(); ++i) {
      REQUIRE(parts[i].bytes == content.substr(plan.ranges[i].first, plan.ranges[i].length()));
    }
  }
  CHECK(multipart > 1000);
}
