#include <ranged/http/request_conditions.hpp>

#include <algorithm>

namespace ranged::http {
namespace {

/// Equal without regard to case, when `lower` is in lower case and both are of one length. Field names are tokens (RFC
/// 9110, 5.1), so ASCII is all there is.
bool equals_lower(std::string_view name, std::string_view lower) noexcept {
  return std::equal(name.begin(), name.end(), lower.begin(),
                    [](char c, char l) { return (c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c) == l; });
}

bool add_single(SingleField& field, std::string_view value) noexcept {
  if (field.lines++ == 0) field.value = trim_ows(value);
  return true;
}

bool add_line(FieldLines& lines, std::string_view value) {
  lines.push_back(trim_ows(value));
  return true;
}

}  // namespace

std::string_view trim_ows(std::string_view text) noexcept {
  // (Not find_first_not_of: that is a call of memchr for each byte it looks at.)
  const auto is_blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

bool RequestConditions::add(std::string_view name, std::string_view value) {
  switch (name.size()) {
    case 5:
      return equals_lower(name, "range") && add_single(range, value);
    case 8:
      if (equals_lower(name, "if-match")) return add_line(if_match, value);
      return equals_lower(name, "if-range") && add_single(if_range, value);
    case 13:
      return equals_lower(name, "if-none-match") && add_line(if_none_match, value);
    case 17:
      return equals_lower(name, "if-modified-since") && add_single(if_modified_since, value);
    case 19:
      return equals_lower(name, "if-unmodified-since") && add_single(if_unmodified_since, value);
    default:
      return false;
  }
}

}  // namespace ranged::http
