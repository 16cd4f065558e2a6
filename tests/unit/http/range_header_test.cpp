#include <ranged/http/range_header.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <random>
#include <regex>
#include <set>
#include <string>
#include <vector>

namespace {

using ranged::http::ByteRange;
using ranged::http::parse_range;
using ranged::http::ParsedRange;
using ranged::http::RangeOutcome;

constexpr std::uint64_t max64 = std::numeric_limits<std::uint64_t>::max();

std::vector<ByteRange> as_vector(const ParsedRange& parsed) {
  return {parsed.ranges.begin(), parsed.ranges.end()};
}

std::string show(const std::vector<ByteRange>& ranges) {
  std::string text;
  for (const ByteRange& range : ranges) text += std::to_string(range.first) + "-" + std::to_string(range.last) + " ";
  return text;
}

void check_served(const std::string& value, std::uint64_t size, const std::vector<ByteRange>& expected) {
  INFO(value << " of " << size);
  const ParsedRange parsed = parse_range(value, size);
  CHECK(parsed.outcome == RangeOutcome::satisfiable);
  CHECK(show(as_vector(parsed)) == show(expected));
}

void check_outcome(const std::string& value, std::uint64_t size, RangeOutcome expected) {
  INFO(value << " of " << size);
  const ParsedRange parsed = parse_range(value, size);
  CHECK(parsed.outcome == expected);
  CHECK(parsed.ranges.empty());
}

/// A range-spec as numbers, from which both the field's text and the model's answer are made.
struct Spec {
  std::optional<std::uint64_t> first;  // none: a suffix of `last` bytes
  std::optional<std::uint64_t> last;   // none: to the end

  [[nodiscard]] std::string text() const {
    return (first ? std::to_string(*first) : "") + "-" + (last ? std::to_string(*last) : "");
  }
  /// By the words of 14.1.2, one byte at a time.
  [[nodiscard]] bool has(std::uint64_t position, std::uint64_t size) const {
    if (!first) return position + last.value_or(0) >= size;
    return position >= *first && (!last || position <= *last);
  }
};

/// Groups of specs that share a byte, directly or through others, in the order of their first members: by sets of
/// bytes, until nothing changes.
std::vector<std::set<std::uint64_t>> model(const std::vector<Spec>& specs, std::uint64_t size) {
  std::vector<std::set<std::uint64_t>> groups;
  for (const Spec& spec : specs) {
    std::set<std::uint64_t> bytes;
    for (std::uint64_t position = 0; position < size; ++position) {
      if (spec.has(position, size)) bytes.insert(position);
    }
    if (!bytes.empty()) groups.push_back(bytes);
  }
  for (bool changed = true; changed;) {
    changed = false;
    for (std::size_t i = 0; i < groups.size() && !changed; ++i) {
      for (std::size_t j = i + 1; j < groups.size() && !changed; ++j) {
        changed = std::ranges::any_of(groups[j], [&](std::uint64_t byte) { return groups[i].contains(byte); });
        if (!changed) continue;
        groups[i].merge(groups[j]);
        groups.erase(groups.begin() + static_cast<std::ptrdiff_t>(j));
      }
    }
  }
  return groups;
}

}  // namespace

TEST_CASE("one range") {
  check_served("bytes=0-4", 11, {{0, 4}});
  check_served("bytes=2-", 11, {{2, 10}});
  check_served("bytes=-5", 11, {{6, 10}});
  check_served("bytes=3-7", 11, {{3, 7}});
  check_served("bytes=0-0", 11, {{0, 0}});
  check_served("bytes=0-0", 1, {{0, 0}});
  check_served("bytes=-1", 1, {{0, 0}});
  check_served("bytes=0-", 1, {{0, 0}});
  check_served("bytes=0-10", 11, {{0, 10}});
  check_served("bytes=10-", 11, {{10, 10}});
}

TEST_CASE("a last position beyond the end and a suffix longer than the file are clipped") {
  check_served("bytes=0-11", 11, {{0, 10}});
  check_served("bytes=10-11", 11, {{10, 10}});
  check_served("bytes=5-1000", 11, {{5, 10}});
  check_served("bytes=-11", 11, {{0, 10}});
  check_served("bytes=-12", 11, {{0, 10}});
  check_served("bytes=990-1990", 1000, {{990, 999}});
}

TEST_CASE("nothing satisfiable") {
  for (const char* value :
       {"bytes=11-", "bytes=11-12", "bytes=12-12", "bytes=11-100", "bytes=100-", "bytes=-0", "bytes=-000",
        "bytes=11-,-0", "bytes=100000-110000,200000-", "bytes=99999999999999999999999-"}) {
    check_outcome(value, 11, RangeOutcome::unsatisfiable);
  }
  for (const char* value : {"bytes=0-", "bytes=0-0", "bytes=-1", "bytes=-0", "bytes=0-128"}) {
    check_outcome(value, 0, RangeOutcome::unsatisfiable);
  }
}

TEST_CASE("malformed sets, one bad member included") {
  for (const char* value : {"bytes=",          "bytes=,",          "bytes=, ,",
                            "bytes=-",         "bytes=--5",        "bytes=5-3",
                            "bytes=5-3,0-1",   "bytes=0-1,5-3",    "bytes=A-",
                            "bytes=0x01-0x02", "bytes=7",          "bytes=1 - 2",
                            "bytes= 0-1",      "bytes=0 -1",       "bytes=0- 1",
                            "bytes=- 1",       "bytes=0-1 2-3",    "bytes=0-1;2-3",
                            "bytes==1-10",     "bytes=1-10-",      "bytes=1--10",
                            "bytes=-1-10",     "bytes=0-+3",       "bytes=+3-+5",
                            "bytes=10-alpha",  "bytes=10-11 12-",  "bytes=0--",
                            "bytes=-2-3",      "bytes=1-4,x",      "bytes=0-1,\n2-3",
                            "bytes=0.5-1",     "bytes=0-1,2-3,-,", "bytes=0-1\xc2\xb2",
                            "bytes=0-1/11",    "bytes=*",          "bytes=0-*",
                            "bytes=\t0-1",     "bytes=0-1\v",      "bytes=100000-110000,5-2"}) {
    check_outcome(value, 11, RangeOutcome::malformed);
    check_outcome(value, 0, RangeOutcome::malformed);
  }
  check_outcome(std::string("bytes=0-1\0", 10), 11, RangeOutcome::malformed);
  check_outcome("bytes=18446744073709551616-18446744073709551615", 11, RangeOutcome::malformed);
  check_outcome("bytes=100000000000000000000000000000-99999999999999999999999999999", max64, RangeOutcome::malformed);
}

TEST_CASE("other units are ignored") {
  for (const char* value : {"", "foo", "lines=0-4", "byte=0-4", "bytes", "bytes 0-4", "bytes =0-4", "xbytes=0-4",
                            "none", "items=", "0-4", "=0-4", "bytes:0-4"}) {
    check_outcome(value, 11, RangeOutcome::ignored);
  }
}

TEST_CASE("the unit in any case, white space around the field") {
  check_served("Bytes=0-4", 11, {{0, 4}});
  check_served("BYTES=0-4", 11, {{0, 4}});
  check_served(" \tbytes=0-4\t ", 11, {{0, 4}});
}

TEST_CASE("several ranges in the order asked, with the list grammar of RFC 9110, 5.6.1.2") {
  check_served("bytes=0-0,-2", 11, {{0, 0}, {9, 10}});
  check_served("bytes=-2,0-0", 11, {{9, 10}, {0, 0}});
  check_served("bytes=0-1, 3-4", 11, {{0, 1}, {3, 4}});
  check_served("bytes=0-1 ,\t3-4", 11, {{0, 1}, {3, 4}});
  check_served("bytes=,0-1,,3-4,", 11, {{0, 1}, {3, 4}});
  check_served("bytes= , 0-1 , , 3-4 , ", 11, {{0, 1}, {3, 4}});
  check_served("bytes=0-9, -10, 10-19", 1000, {{0, 9}, {990, 999}, {10, 19}});
  check_served("bytes=0-9, -10, 100000-, 10-19", 1000, {{0, 9}, {990, 999}, {10, 19}});
  check_served("bytes=100000-110000,1000-2000", 40000, {{1000, 2000}});
  check_served("bytes=0-6,20-30", 18, {{0, 6}});
  check_served("bytes=1000-1100,100-200,2000-2200", 8000, {{1000, 1100}, {100, 200}, {2000, 2200}});
}

TEST_CASE("ranges that share a byte merge into the place of the first; those that touch stay apart") {
  check_served("bytes=0-,1-,2-,3-,4-", 11, {{0, 10}});
  check_served("bytes=0-100,70-100,1000-1001", 8000, {{0, 100}, {1000, 1001}});
  check_served("bytes=1-70,0-100,1000-1001", 8000, {{0, 100}, {1000, 1001}});
  check_served("bytes=1-70,71-100", 8000, {{1, 70}, {71, 100}});
  check_served("bytes=5-10,1-4", 8000, {{5, 10}, {1, 4}});
  check_served("bytes=5-10,1-5", 8000, {{1, 10}});
  check_served("bytes=10-19,50-59,0-100", 8000, {{0, 100}});
  check_served("bytes=500-,20-29,10-25", 8000, {{500, 7999}, {10, 29}});
  check_served("bytes=20-29,500-,10-25,0-0", 8000, {{10, 29}, {500, 7999}, {0, 0}});
  check_served("bytes=0-11,6-17", 18, {{0, 17}});
  check_served("bytes=3-3,3-3,3-3", 18, {{3, 3}});
}

TEST_CASE("numbers at the edges") {
  const std::vector<std::uint64_t> edges = {1,          2,          (1ULL << 31) - 1, 1ULL << 31, (1ULL << 32) - 1,
                                            1ULL << 32, 1ULL << 40, (1ULL << 63) - 1, 1ULL << 63, max64};
  for (const std::uint64_t size : edges) {
    const std::string n = std::to_string(size);
    const std::string last = std::to_string(size - 1);
    check_served("bytes=" + last + "-", size, {{size - 1, size - 1}});
    check_served(std::string("bytes=").append(last).append("-").append(last), size, {{size - 1, size - 1}});
    check_served("bytes=0-" + last, size, {{0, size - 1}});
    check_served("bytes=0-" + n, size, {{0, size - 1}});
    check_served("bytes=-" + n, size, {{0, size - 1}});
    check_served("bytes=-1", size, {{size - 1, size - 1}});
    check_served("bytes=0-18446744073709551615", size, {{0, size - 1}});
    check_served("bytes=0-18446744073709551616", size, {{0, size - 1}});
    check_served("bytes=0-999999999999999999999999999999", size, {{0, size - 1}});
    check_served("bytes=-999999999999999999999999999999", size, {{0, size - 1}});
    check_served("bytes=000000000000000000000000000000-000000000000000000000000000000", size, {{0, 0}});
    check_outcome("bytes=" + n + "-", size, RangeOutcome::unsatisfiable);
    check_outcome(std::string("bytes=").append(n).append("-").append(n), size, RangeOutcome::unsatisfiable);
    check_outcome("bytes=18446744073709551615-", size, RangeOutcome::unsatisfiable);
    check_outcome("bytes=18446744073709551616-", size, RangeOutcome::unsatisfiable);
    check_outcome("bytes=999999999999999999999999999999-", size, RangeOutcome::unsatisfiable);
    check_outcome("bytes=36893488147419103232-36893488147419103233", size, RangeOutcome::unsatisfiable);
  }
  check_served("bytes=18446744073709551613-18446744073709551615,-1", max64, {{max64 - 2, max64 - 1}});
}

TEST_CASE("the limit counts what was asked, satisfiable or not") {
  const auto outcome = [](const char* value, std::size_t limit) { return parse_range(value, 1000, limit).outcome; };
  CHECK(outcome("bytes=0-9", 1) == RangeOutcome::satisfiable);
  CHECK(outcome("bytes=0-9,", 1) == RangeOutcome::satisfiable);
  CHECK(outcome("bytes=0-9,20-29", 1) == RangeOutcome::too_many);
  CHECK(outcome("bytes=0-9,-10", 2) == RangeOutcome::satisfiable);
  CHECK(outcome("bytes=0-9,-10,10-19", 2) == RangeOutcome::too_many);
  CHECK(outcome("bytes=5000-,6000-,7000-", 2) == RangeOutcome::too_many);
  CHECK(outcome("bytes=0-9,0-9,0-9", 2) == RangeOutcome::too_many);

  std::string value = "bytes=0-0";
  for (int i = 1; i < 256; ++i) value += "," + std::to_string(i * 2) + "-" + std::to_string(i * 2);
  CHECK(parse_range(value, 1000).outcome == RangeOutcome::satisfiable);
  CHECK(parse_range(value, 1000).ranges.size() == 256);
  CHECK(parse_range(value + ",700-", 1000).outcome == RangeOutcome::too_many);
}

TEST_CASE("random sets against sets of bytes") {
  std::mt19937_64 random(1);
  const auto below = [&](std::uint64_t end) { return random() % end; };
  for (int round = 0; round < 4000; ++round) {
    const std::uint64_t size = below(40);
    std::vector<Spec> specs(1 + below(below(8) == 0 ? 12 : 4));
    std::string value = "bytes=";
    for (Spec& spec : specs) {
      switch (below(6)) {
        case 0:
          spec.last = below(45);
          break;
        case 1:
          spec.first = below(45);
          break;
        default:
          spec.first = below(45);
          spec.last = *spec.first + below(8);
      }
      value += (value.back() == '=' ? "" : below(2) != 0 ? "," : " , ") + spec.text();
    }
    const std::vector<std::set<std::uint64_t>> expected = model(specs, size);
    const ParsedRange parsed = parse_range(value, size);
    INFO(value << " of " << size << ": " << show(as_vector(parsed)));
    REQUIRE(parsed.outcome == (expected.empty() ? RangeOutcome::unsatisfiable : RangeOutcome::satisfiable));
    REQUIRE(parsed.ranges.size() == expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
      REQUIRE(parsed.ranges[i].first == *expected[i].begin());
      REQUIRE(parsed.ranges[i].last == *expected[i].rbegin());
      REQUIRE(parsed.ranges[i].length() == expected[i].size());
    }
  }
}

TEST_CASE("every short text of the grammar's characters against the grammar as a regular expression") {
  const std::regex set(R"((?:\d*-\d*)?(?:[ \t]*,[ \t]*(?:\d*-\d*)?)*)");
  const std::regex spec(R"((\d*)-(\d*))");
  const auto is_valid = [&](const std::string& text) {
    if (!std::regex_match(text, set)) return false;
    int members = 0;
    for (std::sregex_iterator match(text.begin(), text.end(), spec); match != std::sregex_iterator(); ++match) {
      const std::string first = (*match)[1];
      const std::string last = (*match)[2];
      if (first.empty() && last.empty()) return false;
      if (!first.empty() && !last.empty() && std::stoi(first) > std::stoi(last)) return false;
      ++members;
    }
    return members != 0;
  };
  constexpr std::string_view alphabet = "01-, ";
  for (std::size_t length = 0, count = 1; length <= 6; ++length, count *= alphabet.size()) {
    for (std::size_t number = 0; number < count; ++number) {
      std::string text;
      for (std::size_t i = 0, rest = number; i < length; ++i, rest /= alphabet.size()) {
        text += alphabet[rest % alphabet.size()];
      }
      if (text.ends_with(' ')) continue;  // white space around the field is not the set's
      INFO("'" << text << "'");
      REQUIRE((parse_range("bytes=" + text, 3).outcome != RangeOutcome::malformed) == is_valid(text));
    }
  }
}
