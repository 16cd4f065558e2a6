#include "server/target.hpp"

#include <algorithm>

namespace ranged::server {
namespace {

constexpr int hex_value(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Decodes once. False for an escape that is none and for NUL, which no name of a file can hold and which would end one
// early where it is handed to the kernel.
bool decode(std::string_view raw, bool plus_is_space, std::string& out) {
  out.clear();
  out.reserve(raw.size());
  for (std::size_t i = 0; i < raw.size(); ++i) {
    char c = raw[i];
    if (c == '%') {
      if (raw.size() - i < 3) return false;
      const int high = hex_value(raw[i + 1]);
      const int low = hex_value(raw[i + 2]);
      if (high < 0 || low < 0) return false;
      c = static_cast<char>(high << 4 | low);
      i += 2;
    } else if (c == '+' && plus_is_space) {
      c = ' ';
    }
    if (c == '\0') return false;
    out.push_back(c);
  }
  return true;
}

bool skip_ignoring_case(std::string_view& text, std::string_view lower_case_prefix) noexcept {
  if (text.size() < lower_case_prefix.size()) return false;
  for (std::size_t i = 0; i < lower_case_prefix.size(); ++i) {
    const char c = text[i];
    if ((c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c) != lower_case_prefix[i]) return false;
  }
  text.remove_prefix(lower_case_prefix.size());
  return true;
}

}  // namespace

TargetParts split_target(std::string_view raw) noexcept {
  TargetParts parts;
  if (!std::ranges::all_of(raw, [](char c) { return c > ' ' && c < '\x7f' && c != '#'; })) return parts;
  if (raw == "*") {
    parts.form = TargetParts::Form::asterisk;
    parts.path = raw;
    return parts;
  }
  std::string_view rest = raw;
  TargetParts::Form form = TargetParts::Form::origin;
  if (!rest.starts_with('/')) {
    parts.secured = skip_ignoring_case(rest, "https://");
    if (!parts.secured && !skip_ignoring_case(rest, "http://")) return parts;
    form = TargetParts::Form::absolute;
    parts.authority = rest.substr(0, rest.find_first_of("/?"));
    rest.remove_prefix(parts.authority.size());
  }
  const auto question_mark = rest.find('?');
  parts.path = rest.substr(0, question_mark);
  // RFC 9110, 4.2.3: an empty path of http is the same as "/".
  if (parts.path.empty()) parts.path = "/";
  if (question_mark != std::string_view::npos) {
    parts.has_query = true;
    parts.query = rest.substr(question_mark + 1);
  }
  parts.form = form;
  return parts;
}

bool parse_target(std::string_view raw, Target& out, std::string& decoded) {
  const TargetParts parts = split_target(raw);
  out.path = parts.path;
  out.raw_path = parts.path;
  out.raw_query = parts.query;
  out.has_query = parts.has_query;
  if (parts.form == TargetParts::Form::malformed) return false;
  if (parts.path.find('%') == std::string_view::npos) return true;
  if (!decode(parts.path, false, decoded)) return false;
  out.path = decoded;
  return true;
}

Refusal QueryError::refusal() const noexcept {
  switch (kind) {
    case Kind::bad_escape:
      return refuse(problems::bad_parameter, "The parameter is not properly percent-encoded.", false);
    case Kind::repeated:
      return refuse(problems::repeated_parameter, "The parameter is given twice.", false);
    case Kind::too_many:
      break;
  }
  return refuse(problems::unknown_parameter, "More parameters than any address has.", false);
}

boost::system::result<QueryParameters, QueryError> QueryParameters::parse(std::string_view raw_query) {
  QueryParameters query;
  while (!raw_query.empty()) {
    const std::string_view pair = raw_query.substr(0, raw_query.find('&'));
    raw_query.remove_prefix(std::min(pair.size() + 1, raw_query.size()));
    if (pair.empty()) continue;

    const auto equals = pair.find('=');
    const std::string_view raw_name = pair.substr(0, equals);
    const std::string_view raw_value = equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1);
    Parameter parameter;
    if (!decode(raw_name, true, parameter.name)) return QueryError{QueryError::Kind::bad_escape, std::string(raw_name)};
    if (!decode(raw_value, true, parameter.value)) {
      return QueryError{QueryError::Kind::bad_escape, std::move(parameter.name)};
    }
    if (query.find(parameter.name) != nullptr) {
      return QueryError{QueryError::Kind::repeated, std::move(parameter.name)};
    }
    if (query.parameters_.size() == max_count) return QueryError{QueryError::Kind::too_many, {}};
    query.parameters_.push_back(std::move(parameter));
  }
  return query;
}

const std::string* QueryParameters::find(std::string_view name) const noexcept {
  const auto found = std::ranges::find(parameters_, name, &Parameter::name);
  return found == parameters_.end() ? nullptr : &found->value;
}

const QueryParameters::Parameter* QueryParameters::first_unknown(
    std::span<const std::string_view> known) const noexcept {
  const auto found = std::ranges::find_if(parameters_, [known](const Parameter& parameter) {
    return std::ranges::find(known, parameter.name) == known.end();
  });
  return found == parameters_.end() ? nullptr : &*found;
}

}  // namespace ranged::server
