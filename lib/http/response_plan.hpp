#pragma once
// Plan first, bytes later: a request and a file become a status, header fields and the bytes to send, as plain data.

#include <ranged/http/header_writer.hpp>
#include <ranged/http/multipart.hpp>
#include <ranged/http/preconditions.hpp>
#include <ranged/http/range_header.hpp>
#include <ranged/http/request_conditions.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace ranged::http {

/// One state of a file, as a response tells of it. Views: what they view outlives the plan, its header and its body.
struct Representation {
  std::uint64_t size = 0;               ///< bytes
  std::string_view entity_tag;          ///< with its quotes; empty: no ETag
  std::int64_t last_modified = 0;       ///< seconds since the Unix epoch
  std::string_view last_modified_text;  ///< the same as IMF-fixdate; empty: no Last-Modified
  std::string_view media_type = "application/octet-stream";
  std::string_view cache_control = "no-cache";  ///< empty: no Cache-Control
  /// What write_standing_lines() made of the fields above, where it was kept; empty: it is made anew for each header.
  std::string_view standing_lines = {};
};

/// Appends the field lines that every response with the file's own type and date has: Content-Type, ETag,
/// Last-Modified, Accept-Ranges. For whoever answers from one state of a file many times.
void write_standing_lines(const Representation& representation, HeaderWriter& writer) noexcept;

struct PlanLimits {
  std::size_t max_ranges = default_max_ranges;  ///< at least 1
};

enum class BodyKind : std::uint8_t {
  none,       ///< HEAD, 304; also 412 and 416, whose content is the caller's
  whole,      ///< every byte of the file
  range,      ///< ranges[0]
  multipart,  ///< each of ranges, framed
};

/// What became of the Range field, for counters and for whoever wonders.
enum class RangeVerdict : std::uint8_t {
  absent,                 ///< no Range, or a precondition decided first
  served,                 ///< 206
  ignored_on_head,        ///< 200: Range is defined for GET alone (14.2)
  ignored_if_range,       ///< 200: If-Range did not match
  ignored_empty_file,     ///< 200: no byte to be asked for
  ignored_unit,           ///< 200: no range of bytes
  ignored_length,         ///< 200: a multipart body of 2^64 bytes or more
  refused_lines,          ///< 416: several Range lines
  refused_malformed,      ///< 416
  refused_too_many,       ///< 416
  refused_unsatisfiable,  ///< 416
};

/// A response, but for the bytes. Copyable; no allocation for four ranges or fewer.
struct ResponsePlan {
  std::uint16_t status = 200;  ///< 200, 206, 304, 412 or 416
  BodyKind body = BodyKind::none;
  RangeVerdict range_verdict = RangeVerdict::absent;
  RangeSet ranges;  ///< what is sent, in order: one for BodyKind::range, two or more for multipart, else none
  /// The value of Content-Length: bytes of the body, and on HEAD the bytes that GET would have. Meaningful for 200 and
  /// 206.
  std::uint64_t content_length = 0;
  std::int64_t last_modified = 0;  ///< what Last-Modified says: the file's, or now if that is earlier (8.8.2.1)
  Boundary boundary;               ///< of multipart
};

/// Where the bits of a multipart boundary come from; called once for a multipart response and for no other.
using BoundaryBitsSource = BoundaryBits (*)();

/// Plans the response to a GET or HEAD of a file that exists (README, rule 14): preconditions, then Range under
/// If-Range, else the whole. `now`: seconds since the Unix epoch, the value of the response's Date. Pure but for
/// `boundary_bits`; thread-safe. Throws std::bad_alloc alone, and not for four ranges or fewer.
[[nodiscard]] ResponsePlan plan_file_response(const RequestConditions& conditions, const Representation& representation,
                                              const PlanLimits& limits, std::int64_t now,
                                              BoundaryBitsSource boundary_bits);

/// Appends the field lines that belong to the plan; no status line, no Date, no empty line at the end. 200 and 206:
/// Content-Type, Content-Length and, for one range, Content-Range. 304: neither (15.4.5). 416: Content-Range with the
/// size alone. 412 and 416 have content of the caller's making, who therefore writes its Content-Type and
/// Content-Length. All: ETag, Last-Modified, Accept-Ranges, Cache-Control. The order of the lines means nothing. Takes
/// at most 512 bytes and the lengths of the representation's texts.
void write_header(const ResponsePlan& plan, const Representation& representation, HeaderWriter& writer) noexcept;

/// A piece of a body.
struct BodyPiece {
  enum class Kind : std::uint8_t { end, text, file };
  Kind kind = Kind::end;
  std::string_view
      text;  ///< of text: never empty, valid until the cursor that gave it is asked again, assigned to or destroyed
  std::uint64_t offset = 0;  ///< of a file stretch, bytes
  std::uint64_t length = 0;  ///< of a file stretch, bytes, never 0
};

/// Walks the pieces of a plan's body in order; their lengths add up to content_length. Views the plan and the
/// representation's media type, which must outlive it. Copyable (a copy goes on from the same place), under 512 bytes,
/// no allocation, whatever the number of ranges.
class BodyCursor {
 public:
  BodyCursor(const ResponsePlan& plan, const Representation& representation) noexcept;
  BodyCursor(ResponsePlan&&, const Representation&) = delete;  // it would outlive the plan

  /// The next piece; of kind end after the last, and ever after.
  [[nodiscard]] BodyPiece next() noexcept;

 private:
  enum class Step : std::uint8_t { part_head, part_bytes, end };

  const ResponsePlan* plan_;
  std::uint64_t size_;
  std::string_view media_type_;
  std::size_t index_ = 0;
  Step step_;
  std::array<char, max_part_head_length> text_{};  // of the last text piece
};

static_assert(sizeof(BodyCursor) < 512);

}  // namespace ranged::http
