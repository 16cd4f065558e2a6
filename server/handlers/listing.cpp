#include "server/handlers/listing.hpp"

#include <ranged/http/request_conditions.hpp>

#include <boost/beast/core/string.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <new>
#include <utility>

namespace ranged::server {

namespace {

bool by_name(const DirectoryEntry& a, const DirectoryEntry& b) noexcept {
  return a.name < b.name;
}

/// Keeps the smallest `limit` names that were offered.
class SmallestNames {
 public:
  SmallestNames(std::string_view after, std::size_t limit) : after_(after), limit_(limit) {}

  void offer(const DirectoryEntry& entry) {
    if (!after_.empty() && entry.name <= after_) return;
    if (heap_.size() == limit_) {
      more_ = true;
      if (!by_name(entry, heap_.front())) return;
      std::pop_heap(heap_.begin(), heap_.end(), by_name);
      heap_.back() = entry;
    } else {
      heap_.push_back(entry);
    }
    std::push_heap(heap_.begin(), heap_.end(), by_name);
  }

  Listing take(std::string_view name) {
    std::sort_heap(heap_.begin(), heap_.end(), by_name);
    return {std::string(name), std::move(heap_), more_};
  }

 private:
  std::string_view after_;
  std::size_t limit_;
  bool more_ = false;
  std::vector<DirectoryEntry> heap_;  ///< the greatest name in front
};

void append_utf8_replacing(std::string& out, std::string_view bytes) {
  // nlohmann's dump replaces what is not UTF-8; decoding its quoted form back would be roundabout, so the same rule is
  // applied here: a byte that begins no well-formed sequence (RFC 3629) becomes U+FFFD.
  for (std::size_t i = 0; i < bytes.size();) {
    const auto lead = static_cast<unsigned char>(bytes[i]);
    const auto continuation = [&](std::size_t at, unsigned low, unsigned high) {
      return at < bytes.size() && static_cast<unsigned char>(bytes[at]) >= low &&
             static_cast<unsigned char>(bytes[at]) <= high;
    };
    std::size_t length = 0;
    if (lead < 0x80) {
      length = 1;
    } else if (lead >= 0xC2 && lead <= 0xDF && continuation(i + 1, 0x80, 0xBF)) {
      length = 2;
    } else if (lead >= 0xE0 && lead <= 0xEF &&
               continuation(i + 1, lead == 0xE0 ? 0xA0U : 0x80U, lead == 0xED ? 0x9FU : 0xBFU) &&
               continuation(i + 2, 0x80, 0xBF)) {
      length = 3;
    } else if (lead >= 0xF0 && lead <= 0xF4 &&
               continuation(i + 1, lead == 0xF0 ? 0x90U : 0x80U, lead == 0xF4 ? 0x8FU : 0xBFU) &&
               continuation(i + 2, 0x80, 0xBF) && continuation(i + 3, 0x80, 0xBF)) {
      length = 4;
    }
    if (length == 0) {
      out += "\xEF\xBF\xBD";
      ++i;
    } else {
      out.append(bytes, i, length);
      i += length;
    }
  }
}

/// For text and quoted attributes alike; control characters are shown as U+FFFD so that a name cannot break a line.
std::string escape_html(std::string_view name) {
  std::string text;
  append_utf8_replacing(text, name);
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
          out += "\xEF\xBF\xBD";
        } else {
          out += c;
        }
    }
  }
  return out;
}

/// UTC to the second, with something between date and time and after it. (Not by gmtime_r(), which reads the time
/// zone's file when it is first called.)
std::string utc_time(std::int64_t nanoseconds, std::string_view between, std::string_view after) {
  const std::chrono::sys_time<std::chrono::nanoseconds> time{std::chrono::nanoseconds(nanoseconds)};
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  const auto day = std::chrono::floor<std::chrono::days>(seconds);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(seconds - day);
  return fmt::format("{:04}-{:02}-{:02}{}{:02}:{:02}:{:02}{}", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), between,
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count(), after);
}

/// A relative link to an entry. A colon is encoded, so that it cannot be read as a scheme (RFC 3986, 4.2).
std::string link_to(const DirectoryEntry& entry) {
  std::string link = percent_encode(entry.name, false);
  if (entry.kind == DirectoryEntry::Kind::directory) link += '/';
  return link;
}

std::string link_to_next(const Listing& listing) {
  return "?after=" + percent_encode(listing.entries.back().name, false);
}

/// The quality of one media type under an Accept field, in thousandths, by the most specific range so far.
struct Quality {
  int value = 0;
  int specificity = 0;

  void consider(std::string_view range, std::string_view type, std::string_view any_subtype, int quality) noexcept {
    const int rank = boost::beast::iequals(range, type)          ? 3
                     : boost::beast::iequals(range, any_subtype) ? 2
                     : range == "*/*"                            ? 1
                                                                 : 0;
    if (rank == 0 || rank < specificity) return;
    specificity = rank;
    value = quality;
  }
};

/// The q parameter among `parameters` (";a=b;q=0.5"), in thousandths; 1000 when there is none.
int quality_of(std::string_view parameters) noexcept {
  while (!parameters.empty()) {
    parameters.remove_prefix(1);  // the semicolon
    const std::size_t semicolon = parameters.find(';');
    const std::string_view parameter = http::trim_ows(parameters.substr(0, semicolon));
    parameters = semicolon == std::string_view::npos ? std::string_view{} : parameters.substr(semicolon);
    if (parameter.size() < 3 || (parameter[0] != 'q' && parameter[0] != 'Q') || parameter[1] != '=') continue;
    int thousandths = parameter[2] == '1' ? 1000 : 0;
    if (parameter.size() > 3 && parameter[3] == '.' && thousandths == 0) {
      int unit = 100;
      for (const char digit : parameter.substr(4, 3)) {
        if (digit < '0' || digit > '9') break;
        thousandths += (digit - '0') * unit;
        unit /= 10;
      }
    }
    return thousandths;
  }
  return 1000;
}

}  // namespace

bool prefers_json(std::span<const std::string_view> accept) noexcept {
  Quality json;
  Quality html;
  for (std::string_view line : accept) {
    while (!line.empty()) {
      const std::size_t comma = line.find(',');
      const std::string_view member = line.substr(0, comma);
      line = comma == std::string_view::npos ? std::string_view{} : line.substr(comma + 1);
      const std::size_t semicolon = member.find(';');
      const std::string_view range = http::trim_ows(member.substr(0, semicolon));
      const int quality = semicolon == std::string_view::npos ? 1000 : quality_of(member.substr(semicolon));
      json.consider(range, "application/json", "application/*", quality);
      html.consider(range, "text/html", "text/*", quality);
    }
  }
  return json.value > html.value || (json.value == html.value && json.value > 0 && json.specificity > html.specificity);
}

std::string percent_encode(std::string_view text, bool keep_slashes) {
  static constexpr std::string_view digits = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool unreserved = (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
                            (byte >= '0' && byte <= '9') || byte == '-' || byte == '.' || byte == '_' || byte == '~';
    if (unreserved || (keep_slashes && byte == '/')) {
      out += c;
    } else {
      out += '%';
      out += digits[byte >> 4U];
      out += digits[byte & 0x0FU];
    }
  }
  return out;
}

boost::system::result<Listing> collect_listing(const Roots& roots, std::string_view name, std::string_view after,
                                               std::size_t limit) noexcept {
  try {
    SmallestNames names(after, limit);
    const ResolvedName resolved = roots.resolve(name);
    if (resolved.documents == nullptr) {
      if (!name.empty()) return make_error_code(StorageError::not_found);
      for (const Root& root : roots.all()) {
        DirectoryEntry entry{root.name, DirectoryEntry::Kind::directory, 0, 0};
        if (const std::string_view file = root.documents->single_file(); !file.empty()) {
          const auto opened = root.documents->open_file(file);
          if (!opened) continue;
          entry.kind = DirectoryEntry::Kind::file;
          entry.size = (*opened)->version().size;
          entry.modified_ns = (*opened)->version().modified_ns;
        }
        names.offer(entry);
      }
    } else {
      const auto listed = resolved.documents->list(resolved.rest, [&names](const DirectoryEntry& entry) {
        names.offer(entry);
        return true;
      });
      if (!listed) return listed.error();
    }
    return names.take(name);
  } catch (const std::bad_alloc&) {
    return make_error_code(StorageError::queue_full);
  }
}

std::string render_listing_html(const Listing& listing) {
  const std::string title = escape_html("/files/" + listing.name + (listing.name.empty() ? "" : "/"));
  std::string out = fmt::format(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width\">\n<meta name=\"color-scheme\" content=\"light dark\">\n"
      "<title>{0}</title>\n</head>\n<body>\n<h1>{0}</h1>\n<table>\n"
      "<thead><tr><th align=\"left\">Name</th><th align=\"right\">Size</th><th align=\"left\">Modified "
      "(UTC)</th></tr></thead>\n<tbody>\n",
      title);
  if (!listing.name.empty()) out += "<tr><td><a href=\"../\">../</a></td><td></td><td></td></tr>\n";
  for (const DirectoryEntry& entry : listing.entries) {
    const bool directory = entry.kind == DirectoryEntry::Kind::directory;
    out += fmt::format("<tr><td><a href=\"{}\">{}{}</a></td><td align=\"right\">{}</td><td>{}</td></tr>\n",
                       link_to(entry), escape_html(entry.name), directory ? "/" : "",
                       directory ? std::string() : fmt::to_string(entry.size),
                       entry.modified_ns == 0 ? std::string() : utc_time(entry.modified_ns, " ", ""));
  }
  out += "</tbody>\n</table>\n";
  if (listing.more) out += fmt::format("<p><a rel=\"next\" href=\"{}\">More</a></p>\n", link_to_next(listing));
  out += "</body>\n</html>\n";
  return out;
}

std::string render_listing_json(const Listing& listing) {
  nlohmann::ordered_json entries = nlohmann::ordered_json::array();
  for (const DirectoryEntry& entry : listing.entries) {
    const bool directory = entry.kind == DirectoryEntry::Kind::directory;
    nlohmann::ordered_json item{{"name", entry.name}, {"kind", directory ? "directory" : "file"}};
    if (!directory) item["size"] = entry.size;
    if (entry.modified_ns != 0) item["modified"] = utc_time(entry.modified_ns, "T", "Z");
    item["href"] = link_to(entry);
    entries.push_back(std::move(item));
  }
  nlohmann::ordered_json body{{"path", "/files/" + listing.name + (listing.name.empty() ? "" : "/")},
                              {"entries", std::move(entries)}};
  body["next"] = listing.more ? nlohmann::ordered_json(link_to_next(listing)) : nlohmann::ordered_json(nullptr);
  return body.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace ranged::server
