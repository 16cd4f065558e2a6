#include <ranged/http/preconditions.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace {

using ranged::http::evaluate_preconditions;
using ranged::http::if_range_holds;
using ranged::http::Precondition;
using ranged::http::RequestConditions;
using ranged::http::Validators;

constexpr std::int64_t modified = 784'111'777;
constexpr std::int64_t now = 1'704'067'200;
constexpr const char* date = "Sun, 06 Nov 1994 08:49:37 GMT";
constexpr const char* date_rfc850 = "Sunday, 06-Nov-94 08:49:37 GMT";
constexpr const char* date_asctime = "Sun Nov  6 08:49:37 1994";
constexpr const char* second_before = "Sun, 06 Nov 1994 08:49:36 GMT";
constexpr const char* second_after = "Sun, 06 Nov 1994 08:49:38 GMT";
constexpr const char* far_future = "Fri, 31 Dec 9999 23:59:59 GMT";

/// Lines of a tag list, and what the RFC says of them when the file has the strong tag "now".
struct TagCase {
  std::vector<std::string> lines;
  bool strong_match;
  bool weak_match;
  bool without_tag = false;  ///< matches a file that has no tag at all
};

const std::vector<TagCase> tag_cases = {
    {{}, false, false},
    {{"*"}, true, true, true},
    {{R"("now")"}, true, true},
    {{R"(W/"now")"}, false, true},
    {{R"("old")"}, false, false},
    {{R"("old", "now")"}, true, true},
    {{R"("old")", R"(, "now",)"}, true, true},
    {{R"("old")", R"(W/"now")", R"("older")"}, false, true},
    {{R"("now,old")"}, false, false},
    {{"now"}, false, false},
    {{R"("now", *)"}, false, false},
    {{"*", R"("now")"}, false, false},
    {{R"("now")", "*"}, false, false},
    {{R"("now" x)"}, false, false},
    {{R"("NOW")"}, false, false},
    {{""}, false, false},
};

/// Lines of a date field, and the date they name, if they count.
struct DateCase {
  std::vector<std::string> lines;
  std::optional<std::int64_t> seconds;
};

const std::vector<DateCase> date_cases = {
    {{}, std::nullopt},
    {{date}, modified},
    {{date_rfc850}, modified},
    {{date_asctime}, modified},
    {{second_before}, modified - 1},
    {{second_after}, modified + 1},
    {{far_future}, 253'402'300'799},
    {{"yesterday"}, std::nullopt},
    {{""}, std::nullopt},
    {{date, date}, std::nullopt},
};

void add(RequestConditions& conditions, const char* name, const std::vector<std::string>& lines) {
  for (const std::string& line : lines) conditions.add(name, line);
}

/// RFC 9110, 13.2.2, step by step, on what the cases say of themselves.
Precondition model(const TagCase& if_match, const DateCase& if_unmodified_since, const TagCase& if_none_match,
                   const DateCase& if_modified_since, bool has_tag, bool has_date) {
  // 1. When recipient is the origin server and If-Match is present
  if (!if_match.lines.empty()) {
    const bool matches = has_tag ? if_match.strong_match : if_match.without_tag;
    if (!matches) return Precondition::failed;
  } else if (if_unmodified_since.seconds && has_date) {  // 2.
    if (modified > *if_unmodified_since.seconds) return Precondition::failed;
  }
  // 3.
  if (!if_none_match.lines.empty()) {
    const bool matches = has_tag ? if_none_match.weak_match : if_none_match.without_tag;
    if (matches) return Precondition::not_modified;
  } else if (if_modified_since.seconds && has_date) {  // 4. (GET or HEAD)
    if (modified <= *if_modified_since.seconds) return Precondition::not_modified;
  }
  return Precondition::holds;
}

}  // namespace

TEST_CASE("every combination of the four fields against RFC 9110, 13.2.2") {
  int counts[3] = {};
  for (const TagCase& if_match : tag_cases) {
    for (const DateCase& if_unmodified_since : date_cases) {
      for (const TagCase& if_none_match : tag_cases) {
        for (const DateCase& if_modified_since : date_cases) {
          RequestConditions conditions;
          add(conditions, "If-Match", if_match.lines);
          add(conditions, "If-Unmodified-Since", if_unmodified_since.lines);
          add(conditions, "If-None-Match", if_none_match.lines);
          add(conditions, "If-Modified-Since", if_modified_since.lines);
          for (const bool has_tag : {false, true}) {
            for (const bool has_date : {false, true}) {
              Validators validators;
              if (has_tag) validators.entity_tag = "\"now\"";
              if (has_date) validators.last_modified = modified;
              const Precondition expected =
                  model(if_match, if_unmodified_since, if_none_match, if_modified_since, has_tag, has_date);
              ++counts[static_cast<std::size_t>(expected)];
              if (evaluate_preconditions(conditions, validators, now) != expected) {
                FAIL("If-Match case ", &if_match - tag_cases.data(), ", If-Unmodified-Since case ",
                     &if_unmodified_since - date_cases.data(), ", If-None-Match case ",
                     &if_none_match - tag_cases.data(), ", If-Modified-Since case ",
                     &if_modified_since - date_cases.data(), ", tag ", has_tag, ", date ", has_date);
              }
            }
          }
        }
      }
    }
  }
  for (const int count : counts) CHECK(count > 1000);
}

TEST_CASE("a weak tag of the file never matches strongly, and does weakly") {
  const Validators weak{.entity_tag = "W/\"now\"", .last_modified = std::nullopt};
  for (const char* tag : {"\"now\"", "W/\"now\""}) {
    RequestConditions match;
    match.add("If-Match", tag);
    CHECK(evaluate_preconditions(match, weak, now) == Precondition::failed);
    RequestConditions none_match;
    none_match.add("If-None-Match", tag);
    CHECK(evaluate_preconditions(none_match, weak, now) == Precondition::not_modified);
  }
}

TEST_CASE("If-Range") {
  const auto holds = [](const std::vector<std::string>& lines, const Validators& validators, std::int64_t at = now) {
    RequestConditions conditions;
    add(conditions, "If-Range", lines);
    return if_range_holds(conditions, validators, at);
  };
  const Validators strong{.entity_tag = "\"now\"", .last_modified = modified};
  const Validators weak{.entity_tag = "W/\"now\"", .last_modified = modified};
  const Validators undated{.entity_tag = "\"now\"", .last_modified = std::nullopt};
  const Validators untagged{.entity_tag = {}, .last_modified = modified};

  CHECK(holds({}, strong));
  CHECK(holds({}, Validators{}));

  CHECK(holds({"\"now\""}, strong));
  CHECK(holds({"\"now\""}, undated));
  CHECK_FALSE(holds({"\"old\""}, strong));
  CHECK_FALSE(holds({"W/\"now\""}, strong));
  CHECK_FALSE(holds({"W/\"now\""}, weak));
  CHECK_FALSE(holds({"\"now\""}, weak));
  CHECK_FALSE(holds({"\"now\""}, untagged));
  CHECK_FALSE(holds({"\"now\", \"now\""}, strong));
  CHECK_FALSE(holds({"*"}, strong));
  CHECK_FALSE(holds({"now"}, strong));
  CHECK_FALSE(holds({""}, strong));
  CHECK_FALSE(holds({"\"now\"", "\"now\""}, strong));
  CHECK_FALSE(holds({"\"\""}, untagged));

  for (const char* text : {date, date_rfc850, date_asctime}) {
    CHECK(holds({text}, strong));
    CHECK(holds({text}, untagged));
    CHECK_FALSE(holds({text}, undated));
  }
  CHECK_FALSE(holds({second_before}, strong));
  CHECK_FALSE(holds({second_after}, strong));
  CHECK_FALSE(holds({far_future}, strong));
  CHECK_FALSE(holds({date, date}, strong));
  // The date is a strong validator only once its second is over (8.8.2.2).
  CHECK_FALSE(holds({date}, strong, modified));
  CHECK(holds({date}, strong, modified + 1));
}
