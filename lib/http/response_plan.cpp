#include <ranged/http/http_date.hpp>
#include <ranged/http/media_type.hpp>
#include <ranged/http/response_plan.hpp>

#include <algorithm>
#include <optional>
#include <utility>

namespace ranged::http {
namespace {

/// The media type that goes out: a whole response and its parts must agree on it, for the length is told beforehand.
std::string_view sent_media_type(const Representation& representation) noexcept {
  const std::string_view type = representation.media_type;
  const bool sendable =
      !type.empty() && type.size() <= max_media_type_length &&
      std::none_of(type.begin(), type.end(), [](char c) { return c == '\r' || c == '\n' || c == '\0'; });
  return sendable ? type : default_media_type;
}

/// ETag, Last-Modified (`last_modified`, empty: none) and Accept-Ranges.
void write_validators(const Representation& representation, std::string_view last_modified,
                      HeaderWriter& writer) noexcept {
  if (!representation.entity_tag.empty()) writer.field("ETag", representation.entity_tag);
  if (!last_modified.empty()) writer.field("Last-Modified", last_modified);
  writer.append("Accept-Ranges: bytes\r\n");
}

void plan_whole(ResponsePlan& plan, const RequestConditions& conditions, std::uint64_t size, RangeVerdict verdict) {
  plan.status = 200;
  plan.body = conditions.head ? BodyKind::none : BodyKind::whole;
  plan.range_verdict = verdict;
  plan.content_length = size;
}

void plan_refusal(ResponsePlan& plan, RangeVerdict verdict) {
  plan.status = 416;
  plan.range_verdict = verdict;
}

/// 206, or 200 when the body's length cannot be said.
void plan_ranges(ResponsePlan& plan, RangeSet&& ranges, const RequestConditions& conditions,
                 const Representation& representation, BoundaryBitsSource boundary_bits) {
  if (ranges.size() == 1) {
    plan.body = BodyKind::range;
    plan.content_length = ranges.front().length();
  } else {
    const std::optional<std::uint64_t> length =
        multipart_length({ranges.data(), ranges.size()}, representation.size, sent_media_type(representation));
    if (!length) {
      plan_whole(plan, conditions, representation.size, RangeVerdict::ignored_length);
      return;
    }
    plan.body = BodyKind::multipart;
    plan.content_length = *length;
    plan.boundary = make_boundary(boundary_bits());
  }
  plan.status = 206;
  plan.range_verdict = RangeVerdict::served;
  plan.ranges = std::move(ranges);
}

}  // namespace

ResponsePlan plan_file_response(const RequestConditions& conditions, const Representation& representation,
                                const PlanLimits& limits, std::int64_t now, BoundaryBitsSource boundary_bits) {
  ResponsePlan plan;
  // 8.8.2.1: no Last-Modified later than Date; nor one that no HTTP-date can say.
  plan.last_modified = std::min(std::max(representation.last_modified, min_http_date), std::min(now, max_http_date));
  Validators validators{.entity_tag = representation.entity_tag, .last_modified = std::nullopt};
  if (!representation.last_modified_text.empty()) validators.last_modified = plan.last_modified;

  switch (evaluate_preconditions(conditions, validators, now)) {
    case Precondition::not_modified:
      plan.status = 304;
      return plan;
    case Precondition::failed:
      plan.status = 412;
      return plan;
    case Precondition::holds:
      break;
  }

  // 13.2.2, step 5, and 14.2. Whatever lets the field be ignored comes before what refuses it.
  const std::uint64_t size = representation.size;
  const auto whole = [&](RangeVerdict verdict) { plan_whole(plan, conditions, size, verdict); };
  const auto refuse = [&](RangeVerdict verdict) { plan_refusal(plan, verdict); };
  if (!conditions.range.present()) {
    whole(RangeVerdict::absent);
  } else if (conditions.head) {
    whole(RangeVerdict::ignored_on_head);
  } else if (!if_range_holds(conditions, validators, now)) {
    whole(RangeVerdict::ignored_if_range);
  } else if (size == 0) {
    whole(RangeVerdict::ignored_empty_file);
  } else if (conditions.range.lines > 1) {
    refuse(RangeVerdict::refused_lines);
  } else {
    ParsedRange parsed = parse_range(conditions.range.value, size, limits.max_ranges);
    switch (parsed.outcome) {
      case RangeOutcome::satisfiable:
        plan_ranges(plan, std::move(parsed.ranges), conditions, representation, boundary_bits);
        break;
      case RangeOutcome::ignored:
        whole(RangeVerdict::ignored_unit);
        break;
      case RangeOutcome::malformed:
        refuse(RangeVerdict::refused_malformed);
        break;
      case RangeOutcome::too_many:
        refuse(RangeVerdict::refused_too_many);
        break;
      case RangeOutcome::unsatisfiable:
        refuse(RangeVerdict::refused_unsatisfiable);
        break;
    }
  }
  return plan;
}

void write_standing_lines(const Representation& representation, HeaderWriter& writer) noexcept {
  writer.field("Content-Type", sent_media_type(representation));
  write_validators(representation, representation.last_modified_text, writer);
}

void write_header(const ResponsePlan& plan, const Representation& representation, HeaderWriter& writer) noexcept {
  // Of nearly every response these lines are known before (half the time that a header takes).
  const bool standing = !representation.standing_lines.empty() && plan.last_modified == representation.last_modified &&
                        (plan.status == 200 || plan.body == BodyKind::range);
  if (standing) writer.append(representation.standing_lines);
  if (plan.status == 200 || plan.status == 206) {
    if (plan.body == BodyKind::multipart) {
      // 15.3.7.2: the ranges are told by the parts, and by no Content-Range up here.
      writer.append("Content-Type: multipart/byteranges; boundary=");
      writer.append(plan.boundary.view());
      writer.append("\r\n");
    } else if (!standing) {
      writer.field("Content-Type", sent_media_type(representation));
    }
    writer.field("Content-Length", plan.content_length);
    if (plan.body == BodyKind::range) {
      const ByteRange& range = plan.ranges.front();
      writer.append("Content-Range: bytes ");
      writer.append(range.first);
      writer.append("-");
      writer.append(range.last);
      writer.append("/");
      writer.append(representation.size);
      writer.append("\r\n");
    }
  } else if (plan.status == 416) {
    writer.append("Content-Range: bytes */");
    writer.append(representation.size);
    writer.append("\r\n");
  }
  if (!standing) {
    if (plan.last_modified == representation.last_modified || representation.last_modified_text.empty()) {
      write_validators(representation, representation.last_modified_text, writer);
    } else {
      write_validators(representation, format_http_date(plan.last_modified), writer);
    }
  }
  if (!representation.cache_control.empty()) writer.field("Cache-Control", representation.cache_control);
}

BodyCursor::BodyCursor(const ResponsePlan& plan, const Representation& representation) noexcept
    : plan_(&plan), size_(representation.size), media_type_(sent_media_type(representation)), step_(Step::end) {
  if (plan.body == BodyKind::multipart) {
    step_ = Step::part_head;
  } else if (plan.body == BodyKind::range || (plan.body == BodyKind::whole && size_ != 0)) {
    step_ = Step::part_bytes;
  }
}

BodyPiece BodyCursor::next() noexcept {
  BodyPiece piece;
  const bool multipart = plan_->body == BodyKind::multipart;
  switch (step_) {
    case Step::part_head: {
      std::size_t length = 0;
      if (index_ < plan_->ranges.size()) {
        length = write_part_head(text_, plan_->boundary, index_ == 0, plan_->ranges[index_], size_, media_type_);
        step_ = Step::part_bytes;
      } else {
        length = write_multipart_end(std::span(text_).first<multipart_end_length>(), plan_->boundary);
        step_ = Step::end;
      }
      piece.kind = BodyPiece::Kind::text;
      piece.text = {text_.data(), length};
      break;
    }
    case Step::part_bytes: {
      const ByteRange range = plan_->body == BodyKind::whole ? ByteRange{0, size_ - 1} : plan_->ranges[index_];
      piece.kind = BodyPiece::Kind::file;
      piece.offset = range.first;
      piece.length = range.length();
      ++index_;
      step_ = multipart ? Step::part_head : Step::end;
      break;
    }
    case Step::end:
      break;
  }
  return piece;
}

}  // namespace ranged::http
