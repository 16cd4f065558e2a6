#include <ranged/http/entity_tag.hpp>
#include <ranged/http/http_date.hpp>
#include <ranged/http/preconditions.hpp>

namespace ranged::http {
namespace {

using Comparison = bool (*)(const EntityTag&, const EntityTag&) noexcept;

/// Whether If-Match or If-None-Match names the current representation: `*`, or a tag equal to its own. The lines are
/// one list (5.3); a list with anything in it that is no tag names nothing (README, rule 9).
bool names_current(const FieldLines& lines, std::string_view current_text, Comparison equal) noexcept {
  if (lines.size() == 1 && lines.front() == "*") return true;
  const std::optional<EntityTag> current = parse_entity_tag(current_text);
  bool found = false;
  for (const std::string_view line : lines) {
    EntityTagList list(line);
    while (const std::optional<EntityTag> tag = list.next()) found = found || (current && equal(*tag, *current));
    if (!list.valid()) return false;
  }
  return found;
}

/// The date of a field that is no list; nullopt when it must be ignored (13.1.3, 13.1.4).
std::optional<std::int64_t> date_of(const SingleField& field, std::int64_t now) noexcept {
  if (field.lines != 1) return std::nullopt;
  return parse_http_date(field.value, now);
}

}  // namespace

Precondition evaluate_preconditions(const RequestConditions& conditions, const Validators& validators,
                                    std::int64_t now) noexcept {
  // The numbers are the steps of 13.2.2.
  if (!conditions.if_match.empty()) {  // 1
    if (!names_current(conditions.if_match, validators.entity_tag, &strongly_equal)) return Precondition::failed;
  } else if (validators.last_modified) {  // 2
    const std::optional<std::int64_t> date = date_of(conditions.if_unmodified_since, now);
    if (date && *validators.last_modified > *date) return Precondition::failed;
  }
  if (!conditions.if_none_match.empty()) {  // 3
    if (names_current(conditions.if_none_match, validators.entity_tag, &weakly_equal))
      return Precondition::not_modified;
  } else if (validators.last_modified) {  // 4
    const std::optional<std::int64_t> date = date_of(conditions.if_modified_since, now);
    if (date && *validators.last_modified <= *date) return Precondition::not_modified;
  }
  return Precondition::holds;
}

bool if_range_holds(const RequestConditions& conditions, const Validators& validators, std::int64_t now) noexcept {
  if (!conditions.if_range.present()) return true;
  if (conditions.if_range.lines != 1) return false;
  const std::string_view value = conditions.if_range.value;
  if (const std::optional<EntityTag> tag = parse_entity_tag(value)) {
    const std::optional<EntityTag> current = parse_entity_tag(validators.entity_tag);
    return current && strongly_equal(*tag, *current);
  }
  const std::optional<std::int64_t> date = parse_http_date(value, now);
  return date && validators.last_modified && *date == *validators.last_modified && *date < now;
}

}  // namespace ranged::http
