#include "server/config_settings.hpp"

#include "server/size.hpp"

#include <nlohmann/json.hpp>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <limits>
#include <set>
#include <type_traits>

namespace ranged::server {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

// One type stands for both in SettingMember.
static_assert(std::is_same_v<std::size_t, std::uint64_t>, "ranged is built for 64-bit machines");

/// Descriptors that are neither connections nor served files: standard streams, listeners, epoll, logs, and some to
/// spare.
constexpr std::size_t descriptors_beside_connections = 32;
/// A refusal is one line: long values are cut.
constexpr std::size_t longest_shown_value = 80;

constexpr std::uint64_t operator""_KiB(unsigned long long number) {
  return std::uint64_t{number} << 10;
}
constexpr std::uint64_t operator""_MiB(unsigned long long number) {
  return std::uint64_t{number} << 20;
}
constexpr std::uint64_t operator""_GiB(unsigned long long number) {
  return std::uint64_t{number} << 30;
}
constexpr std::uint64_t operator""_TiB(unsigned long long number) {
  return std::uint64_t{number} << 40;
}
constexpr std::uint64_t operator""_s(unsigned long long number) {
  return std::uint64_t{number} * 1'000;
}
constexpr std::uint64_t operator""_h(unsigned long long number) {
  return std::uint64_t{number} * 3'600'000;
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}
bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

std::string check_root(std::string_view text) {
  std::string problem;
  static_cast<void>(parse_root(text, problem));
  return problem;
}

std::string check_listen_address(std::string_view text) {
  std::string problem;
  static_cast<void>(parse_listen_address(text, problem));
  return problem;
}

std::string check_host(std::string_view text) {
  const bool valid = !text.empty() && text.size() <= 253 && text.front() != '.' &&
                     std::all_of(text.begin(), text.end(),
                                 [](char c) { return is_lower(c) || is_digit(c) || c == '-' || c == '.' || c == '_'; });
  return valid ? std::string{} : "is not a host name without a port; \"files.example.org\" would do";
}

std::string check_origin(std::string_view text) {
  if (text == "*") return {};
  const std::size_t colon = text.find("://");
  const auto is_scheme = [](char c) { return is_lower(c) || is_digit(c) || c == '+' || c == '.' || c == '-'; };
  const auto is_authority = [](char c) {
    return is_lower(c) || is_digit(c) || c == '-' || c == '.' || c == '_' || c == ':' || c == '[' || c == ']';
  };
  const bool valid = colon != std::string_view::npos && colon > 0 && is_lower(text.front()) &&
                     std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(colon), is_scheme) &&
                     text.size() > colon + 3 &&
                     std::all_of(text.begin() + static_cast<std::ptrdiff_t>(colon) + 3, text.end(), is_authority);
  return valid ? std::string{} : "is not an origin; \"https://viewer.example.org\" or \"*\" would do";
}

std::string check_field_value(std::string_view text) {
  const bool valid = text.size() <= 256 &&
                     std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; }) &&
                     (text.empty() || (text.front() != ' ' && text.back() != ' '));
  return valid ? std::string{} : "is not a field value of printable ASCII; \"no-cache\" would do";
}

std::string check_path(std::string_view text) {
  return text.find('\0') == std::string_view::npos ? std::string{} : "has a NUL in it; a path without one would do";
}

std::string check_log_target(std::string_view text) {
  if (text.empty()) return "is empty; \"off\", \"-\" or the path of a file would do";
  if (text.find('\0') != std::string_view::npos) return "has a NUL in it; a path without one would do";
  return {};
}

constexpr std::array<std::string_view, 6> log_level_names{"trace", "debug", "info", "warning", "error", "off"};
constexpr std::array<std::string_view, 2> log_format_names{"text", "json"};
constexpr std::array<std::string_view, 2> access_log_format_names{"json", "combined"};
constexpr std::array<std::string_view, 3> sandbox_mode_names{"auto", "on", "off"};

using Kind = Setting::Kind;

std::span<const Setting> table() noexcept {
  // Bounds: wide enough for any machine, narrow enough that a slip of the pen is seen.
  static const Setting settings[] = {
      {.key = "roots",
       .kind = Kind::list,
       .value_name = "PATH|NAME=PATH",
       .help = "Directory or file to serve; several need names",
       .member = &Config::roots,
       .check = check_root},
      {.key = "hidden",
       .kind = Kind::boolean,
       .help = "Serve and list names that begin with a dot",
       .member = &Config::hidden},
      {.key = "stale_after",
       .kind = Kind::duration,
       .value_name = "TIME",
       .help = "Look at a served file again when the last look is this old; 0s: for every request",
       .member = &Config::stale_after,
       .maximum = 1_h},
      {.key = "open_files",
       .kind = Kind::number,
       .value_name = "N",
       .help = "Files kept open beyond those in use",
       .member = &Config::open_files,
       .minimum = 1,
       .maximum = 1'000'000},
      {.key = "listen",
       .kind = Kind::list,
       .value_name = "ADDR",
       .help = "Address to listen on: 127.0.0.1:8080, [::1]:8080 or unix:/path, each also as tls:ADDR; repeatable",
       .member = &Config::listen,
       .check = check_listen_address,
       .needs_restart = true,
       .short_flag = 'l'},
      {.key = "allowed_hosts",
       .kind = Kind::list,
       .value_name = "NAME",
       .help = "Name that a Host field may hold beside loopback ones when listening on loopback only; repeatable",
       .member = &Config::allowed_hosts,
       .check = check_host,
       .pattern = "^[A-Za-z0-9_-][A-Za-z0-9._-]*$",
       .lower_case = true},
      {.key = "cors_origins",
       .kind = Kind::list,
       .value_name = "ORIGIN",
       .help = "Origin whose pages may read what is served, or * for all; repeatable",
       .member = &Config::cors_origins,
       .check = check_origin,
       .pattern = "^([*]|[A-Za-z][A-Za-z0-9+.-]*://[A-Za-z0-9._:\\[\\]-]+)$",
       .lower_case = true},
      {.key = "sendfile",
       .kind = Kind::boolean,
       .help = "Hand large parts of files that were left alone for a minute to the kernel; false: copy every byte",
       .member = &Config::sendfile},
      {.key = "cache_control",
       .kind = Kind::text,
       .value_name = "TEXT",
       .help = "Cache-Control field of file responses; empty: none",
       .member = &Config::cache_control,
       .check = check_field_value,
       .pattern = "^([!-~]([ -~]{0,254}[!-~])?)?$"},
      {.key = "auth_basic_file",
       .kind = Kind::text,
       .value_name = "FILE",
       .help = "File of names and bcrypt or SHA-crypt hashes (htpasswd -B) of who may read; empty: none",
       .member = &Config::auth_basic_file,
       .check = check_path,
       .pattern = "^[^\\u0000]*$"},
      {.key = "auth_token_file",
       .kind = Kind::text,
       .value_name = "FILE",
       .help = "File of bearer tokens, one a line, with which one may read; empty: none",
       .member = &Config::auth_token_file,
       .check = check_path,
       .pattern = "^[^\\u0000]*$"},
      {.key = "auth_roots",
       .kind = Kind::list,
       .value_name = "NAME",
       .help = "Root that needs credentials, by its name; none: all do; repeatable",
       .member = &Config::auth_roots},
      {.key = "auth_open_metrics",
       .kind = Kind::boolean,
       .help = "Let /metrics be read without credentials, as /healthz and /readyz are",
       .member = &Config::auth_open_metrics},
      {.key = "tls_certificate",
       .kind = Kind::text,
       .value_name = "FILE",
       .help = "PEM file of the certificate, and its chain, of tls: addresses; empty: none",
       .member = &Config::tls_certificate,
       .check = check_path,
       .pattern = "^[^\\u0000]*$"},
      {.key = "tls_key",
       .kind = Kind::text,
       .value_name = "FILE",
       .help = "PEM file of the certificate's private key; empty: it is in the certificate's file",
       .member = &Config::tls_key,
       .check = check_path,
       .pattern = "^[^\\u0000]*$"},
      {.key = "pool_size",
       .kind = Kind::size,
       .value_name = "SIZE",
       .help = "Memory for file contents, all of it, allocated at the start",
       .member = &Config::pool_size,
       .minimum = 64_KiB,
       .maximum = 16_TiB,
       .needs_restart = true},
      {.key = "page_size",
       .kind = Kind::size,
       .value_name = "SIZE",
       .help = "Unit in which files are read and kept, a power of two",
       .member = &Config::page_size,
       .minimum = 4_KiB,
       .maximum = 4_MiB,
       .needs_restart = true,
       .power_of_two = true},
      {.key = "huge_pages",
       .kind = Kind::boolean,
       .help = "Ask the kernel for huge pages for the pool",
       .member = &Config::huge_pages,
       .needs_restart = true},
      {.key = "threads",
       .kind = Kind::number,
       .value_name = "N",
       .help = "Event loops; 0: one for each core, as far as the pool holds their windows",
       .member = &Config::threads,
       .maximum = 1'024,
       .needs_restart = true},
      {.key = "disk_threads",
       .kind = Kind::number,
       .value_name = "N",
       .help = "Threads that may wait for a disk; 0: four for each event loop, 8 to 64",
       .member = &Config::disk_threads,
       .maximum = 1'024,
       .needs_restart = true},
      {.key = "disk_queue",
       .kind = Kind::number,
       .value_name = "N",
       .help = "Reads and opens that wait for a disk thread at most",
       .member = &Config::disk_queue,
       .minimum = 16,
       .maximum = 1'000'000,
       .needs_restart = true},
      {.key = "max_loads",
       .kind = Kind::number,
       .value_name = "N",
       .help = "Page loads in flight at most; 0: a sixteenth of the pool's pages, 32 at most",
       .member = &Config::max_loads,
       .maximum = 4'096,
       .needs_restart = true},
      {.key = "max_waiters",
       .kind = Kind::number,
       .value_name = "N",
       .help = "Requests that wait for a page at most; one more is answered 503",
       .member = &Config::max_waiters,
       .minimum = 1,
       .maximum = 10'000'000,
       .needs_restart = true},
      {.key = "max_scans",
       .kind = Kind::number,
       .value_name = "N",
       .help = "Searches, maps, digests and the like at once at most; more are answered 429",
       .member = &Config::max_scans,
       .minimum = 1,
       .maximum = 64,
       .needs_restart = true},
      {.key = "max_window",
       .kind = Kind::size,
       .value_name = "SIZE",
       .help = "Length of a /bytes window at most",
       .member = &Config::max_window,
       .minimum = 1,
       .maximum = 1_GiB},
      {.key = "max_ranges",
       .kind = Kind::number,
       .value_name = "N",
       .help = "Ranges of one request at most; more are answered 416",
       .member = &Config::max_ranges,
       .minimum = 1,
       .maximum = 1'024},
      {.key = "max_connections",
       .kind = Kind::number,
       .value_name = "N",
       .help = "Connections at most; 0: half of the descriptors",
       .member = &Config::max_connections,
       .maximum = 1'000'000},
      {.key = "max_connections_per_client",
       .kind = Kind::number,
       .value_name = "N",
       .help = "Connections from one address at most; 0: all on loopback, else a quarter, at least 64",
       .member = &Config::max_connections_per_client,
       .maximum = 1'000'000},
      {.key = "header_timeout",
       .kind = Kind::duration,
       .value_name = "TIME",
       .help = "Time for the whole head of a request, from its first byte",
       .member = &Config::header_timeout,
       .minimum = 100,
       .maximum = 1_h},
      {.key = "idle_timeout",
       .kind = Kind::duration,
       .value_name = "TIME",
       .help = "Time for the next request on a connection",
       .member = &Config::idle_timeout,
       .minimum = 100,
       .maximum = 24_h},
      {.key = "send_timeout",
       .kind = Kind::duration,
       .value_name = "TIME",
       .help = "Time in which a client may take no byte of its response",
       .member = &Config::send_timeout,
       .minimum = 100,
       .maximum = 24_h},
      {.key = "pool_wait_timeout",
       .kind = Kind::duration,
       .value_name = "TIME",
       .help = "Time for a page or a free frame; then 503, or a cut when the response has begun",
       .member = &Config::pool_wait_timeout,
       .minimum = 100,
       .maximum = 1_h},
      {.key = "retry_after",
       .kind = Kind::duration,
       .value_name = "TIME",
       .help = "Time that a 503 asks to wait for (Retry-After), in whole seconds",
       .member = &Config::retry_after,
       .minimum = 1_s,
       .maximum = 1_h},
      {.key = "drain_timeout",
       .kind = Kind::duration,
       .value_name = "TIME",
       .help = "Time for what is in flight when the daemon is told to stop",
       .member = &Config::drain_timeout,
       .maximum = 24_h},
      {.key = "log_level",
       .kind = Kind::choice,
       .value_name = "LEVEL",
       .help = "Least severe events that are logged, on standard error",
       .member = &Config::log_level,
       .choices = log_level_names},
      {.key = "log_format",
       .kind = Kind::choice,
       .value_name = "FORMAT",
       .help = "Form of the log",
       .member = &Config::log_format,
       .choices = log_format_names},
      {.key = "access_log",
       .kind = Kind::text,
       .value_name = "FILE",
       .help = "One line for each request: off, - for standard output, or a file",
       .member = &Config::access_log,
       .check = check_log_target,
       .pattern = "^[^\\u0000]+$",
       .needs_restart = true},
      {.key = "access_log_format",
       .kind = Kind::choice,
       .value_name = "FORMAT",
       .help = "Form of the access log",
       .member = &Config::access_log_format,
       .choices = access_log_format_names,
       .needs_restart = true},
      {.key = "sandbox",
       .kind = Kind::choice,
       .value_name = "WHEN",
       .help = "Give up by Landlock all that serving does not need; auto: where the kernel can; on: or do not start",
       .member = &Config::sandbox,
       .choices = sandbox_mode_names,
       .needs_restart = true},
  };
  return settings;
}

std::string bounds(const Setting& setting) {
  const auto show = [&setting](std::uint64_t value) {
    if (setting.kind == Kind::size) return format_size(value);
    if (setting.kind == Kind::duration)
      return format_duration(std::chrono::milliseconds{static_cast<std::int64_t>(value)});
    return std::to_string(value);
  };
  return show(setting.minimum) + " to " + show(setting.maximum);
}

std::string list_choices(const Setting& setting) {
  std::string text;
  for (std::size_t i = 0; i < setting.choices.size(); ++i) {
    if (i > 0) text += i + 1 == setting.choices.size() ? " or " : ", ";
    text += setting.choices[i];
  }
  return text;
}

std::string wrong_form(const Setting& setting) {
  switch (setting.kind) {
    case Kind::boolean:
      return "is neither true nor false; one of them would do";
    case Kind::number:
      return "is not a whole number; " + bounds(setting) + " would do";
    case Kind::size:
      return "is not a size (B, KiB, MiB, GiB, TiB); " + bounds(setting) + " would do";
    case Kind::duration:
      return "is not a duration (ms, s, m, h); " + bounds(setting) + " would do";
    case Kind::choice:
      return "is not a known one; " + list_choices(setting) + " would do";
    case Kind::text:
      return "is not a text; one in quotes would do";
    case Kind::list:
      return "is not a list of texts; an array of them would do";
  }
  return {};
}

std::string out_of_bounds(const Setting& setting) {
  return "is out of bounds; " + bounds(setting) + " would do";
}

/// Sets a number, a size or a duration that is already in the setting's unit.
std::string set_magnitude(const Setting& setting, Config& config, std::uint64_t value) {
  if (value < setting.minimum || value > setting.maximum) return out_of_bounds(setting);
  if (setting.power_of_two && !std::has_single_bit(value)) {
    return "is not a power of two; " + format_size(std::bit_floor(value)) + " or " + format_size(std::bit_ceil(value)) +
           " would do";
  }
  std::visit(
      [&config, value]<class Value>(Value Config::* member) {
        if constexpr (std::is_same_v<Value, unsigned> || std::is_same_v<Value, std::size_t>) {
          config.*member = static_cast<Value>(value);
        } else if constexpr (std::is_same_v<Value, std::chrono::milliseconds>) {
          config.*member = std::chrono::milliseconds{static_cast<std::int64_t>(value)};
        }
      },
      setting.member);
  return {};
}

std::string lowered(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

std::string set_string(const Setting& setting, Config& config, std::string_view given) {
  const std::string text = setting.lower_case ? lowered(given) : std::string(given);
  if (setting.check != nullptr) {
    if (std::string problem = setting.check(text); !problem.empty()) return problem;
  }
  std::string problem;
  std::visit(
      [&]<class Value>(Value Config::* member) {
        if constexpr (std::is_same_v<Value, std::string>) {
          config.*member = text;
        } else if constexpr (std::is_same_v<Value, std::vector<std::string>>) {
          (config.*member).push_back(text);
        } else if constexpr (std::is_same_v<Value, std::vector<RootConfig>>) {
          if (auto root = parse_root(text, problem)) (config.*member).push_back(std::move(*root));
        } else if constexpr (std::is_same_v<Value, std::vector<ListenAddress>>) {
          if (auto address = parse_listen_address(text, problem)) (config.*member).push_back(std::move(*address));
        }
      },
      setting.member);
  return problem;
}

std::string set_choice(const Setting& setting, Config& config, std::string_view text) {
  const auto found = std::find(setting.choices.begin(), setting.choices.end(), text);
  if (found == setting.choices.end()) return wrong_form(setting);
  const auto index = found - setting.choices.begin();
  std::visit(
      [&config, index]<class Value>(Value Config::* member) {
        if constexpr (std::is_enum_v<Value>) config.*member = static_cast<Value>(index);
      },
      setting.member);
  return {};
}

std::string set_boolean(const Setting& setting, Config& config, bool value) {
  config.*std::get<bool Config::*>(setting.member) = value;
  return {};
}

/// Whether bytes are UTF-8 (RFC 3629) without control characters.
bool is_readable_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    if (lead < 0x80) {
      if (is_control(text[i])) return false;
      ++i;
      continue;
    }
    const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || text.size() - i < length) return false;
    const auto second = static_cast<unsigned char>(text[i + 1]);
    if ((lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f) || (lead == 0xf0 && second < 0x90) ||
        (lead == 0xf4 && second > 0x8f)) {
      return false;
    }
    for (std::size_t k = 1; k < length; ++k) {
      if ((static_cast<unsigned char>(text[i + k]) & 0xc0) != 0x80) return false;
    }
    i += length;
  }
  return true;
}

struct KeyPosition {
  std::string key;
  std::size_t line = 0;
};

/// The keys of the outermost object, repeated ones too, with their lines. `text` is known to be valid JSON with
/// comments: so this need only tell strings, comments and nesting apart.
std::vector<KeyPosition> find_keys(std::string_view text) {
  std::vector<KeyPosition> keys;
  std::size_t line = 1;
  std::size_t depth = 0;
  std::string last_string;
  std::size_t last_line = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    switch (text[i]) {
      case '\n':
        ++line;
        break;
      case '{':
      case '[':
        ++depth;
        break;
      case '}':
      case ']':
        --depth;
        break;
      case ':':
        if (depth == 1) keys.push_back({last_string, last_line});
        break;
      case '/': {
        const bool block = text.substr(i).starts_with("/*");
        // A lone carriage return ends a comment, too: the parser has it so.
        const std::size_t end = block ? text.find("*/", i + 2) : text.find_first_of("\r\n", i);
        const std::size_t stop = end == std::string_view::npos ? text.size() : end;
        line += static_cast<std::size_t>(std::count(text.begin() + static_cast<std::ptrdiff_t>(i),
                                                    text.begin() + static_cast<std::ptrdiff_t>(stop), '\n'));
        // The line's end is looked at again, the comment's is not.
        i = block ? std::min(stop + 1, text.size()) : stop - 1;
        break;
      }
      case '"': {
        std::size_t end = i + 1;
        while (end < text.size() && text[end] != '"') end += text[end] == '\\' ? 2U : 1U;
        if (depth == 1) {
          last_string = json::parse(text.substr(i, end + 1 - i)).get<std::string>();
          last_line = line;
        }
        i = end;
        break;
      }
      default:
        break;
    }
  }
  return keys;
}

/// The line on which byte `offset` (from 1, as the parser counts) stands.
std::size_t line_of(std::string_view text, std::size_t offset) {
  const auto end = text.begin() + static_cast<std::ptrdiff_t>(std::min(offset == 0 ? 0 : offset - 1, text.size()));
  return static_cast<std::size_t>(std::count(text.begin(), end, '\n')) + 1;
}

std::size_t edit_distance(std::string_view left, std::string_view right) {
  // Wagner and Fischer 1974, one row at a time.
  std::vector<std::size_t> row(right.size() + 1);
  for (std::size_t j = 0; j <= right.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= left.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= right.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (left[i - 1] == right[j - 1] ? 0U : 1U)});
      diagonal = above;
    }
  }
  return row.back();
}

std::string to_line(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace

std::span<const Setting> settings() noexcept {
  return table();
}

const Setting* find_setting(std::string_view key) noexcept {
  const auto found = std::find_if(table().begin(), table().end(), [key](const Setting& s) { return s.key == key; });
  return found == table().end() ? nullptr : &*found;
}

std::string_view nearest_key(std::string_view key) {
  if (key.size() > 64) return {};
  std::string normal = lowered(key);
  std::replace(normal.begin(), normal.end(), '-', '_');
  std::string_view best;
  std::size_t best_distance = std::max<std::size_t>(key.size() / 3, 1) + 1;
  for (const Setting& setting : table()) {
    const std::size_t distance = edit_distance(normal, setting.key);
    if (distance < best_distance) {
      best_distance = distance;
      best = setting.key;
    }
  }
  return best;
}

std::string flag_of(const Setting& setting) {
  std::string flag = "--";
  for (const char c : setting.key) flag += c == '_' ? '-' : c;
  return flag;
}

std::string environment_of(const Setting& setting) {
  std::string name = "RANGED_";
  for (const char c : setting.key) name += is_lower(c) ? static_cast<char>(c - 'a' + 'A') : c;
  return name;
}

std::string set_from_text(const Setting& setting, Config& config, std::string_view text) {
  switch (setting.kind) {
    case Kind::boolean:
      if (text == "true" || text == "false") return set_boolean(setting, config, text == "true");
      return wrong_form(setting);
    case Kind::number: {
      std::uint64_t value = 0;
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
      if (end != text.data() + text.size() || error == std::errc::invalid_argument) return wrong_form(setting);
      if (error != std::errc{}) return out_of_bounds(setting);
      return set_magnitude(setting, config, value);
    }
    case Kind::size: {
      const boost::system::result<std::uint64_t> bytes = parse_size(text);
      if (bytes) return set_magnitude(setting, config, *bytes);
      return bytes.error() == boost::system::errc::value_too_large ? out_of_bounds(setting) : wrong_form(setting);
    }
    case Kind::duration: {
      const boost::system::result<std::chrono::milliseconds> duration = parse_duration(text);
      if (duration) return set_magnitude(setting, config, static_cast<std::uint64_t>(duration->count()));
      return duration.error() == boost::system::errc::value_too_large ? out_of_bounds(setting) : wrong_form(setting);
    }
    case Kind::choice:
      return set_choice(setting, config, text);
    case Kind::text:
    case Kind::list:
      return set_string(setting, config, text);
  }
  return {};
}

std::string set_from_json(const Setting& setting, Config& config, const json& value) {
  switch (setting.kind) {
    case Kind::boolean:
      return value.is_boolean() ? set_boolean(setting, config, value.get<bool>()) : wrong_form(setting);
    case Kind::number:
    case Kind::size:
      if (value.is_number_unsigned()) return set_magnitude(setting, config, value.get<std::uint64_t>());
      if (value.is_number_integer()) return out_of_bounds(setting);
      if (setting.kind == Kind::size && value.is_string()) {
        return set_from_text(setting, config, value.get_ref<const std::string&>());
      }
      return wrong_form(setting);
    case Kind::list:
      if (!value.is_array()) return wrong_form(setting);
      clear_list(setting, config);
      for (const json& member : value) {
        if (!member.is_string()) return wrong_form(setting);
        if (std::string problem = set_string(setting, config, member.get_ref<const std::string&>()); !problem.empty()) {
          return value.size() == 1 ? problem : show_value(member) + ' ' + problem;
        }
      }
      return {};
    case Kind::duration:
    case Kind::choice:
    case Kind::text:
      return value.is_string() ? set_from_text(setting, config, value.get_ref<const std::string&>())
                               : wrong_form(setting);
  }
  return {};
}

void clear_list(const Setting& setting, Config& config) {
  std::visit(
      [&config]<class Value>(Value Config::* member) {
        if constexpr (requires { (config.*member).push_back({}); } && !std::is_same_v<Value, std::string>) {
          (config.*member).clear();
        }
      },
      setting.member);
}

json value_of(const Setting& setting, const Config& config) {
  return std::visit(
      [&]<class Value>(Value Config::* member) -> json {
        const Value& value = config.*member;
        if constexpr (std::is_enum_v<Value>) {
          return std::string(to_string(value));
        } else if constexpr (std::is_same_v<Value, std::chrono::milliseconds>) {
          return format_duration(value);
        } else if constexpr (std::is_same_v<Value, std::vector<RootConfig>>) {
          json list = json::array();
          for (const RootConfig& root : value)
            list.push_back(root.name.empty() ? root.path : root.name + '=' + root.path);
          return list;
        } else if constexpr (std::is_same_v<Value, std::vector<ListenAddress>>) {
          json list = json::array();
          for (const ListenAddress& address : value) list.push_back(address.to_string());
          return list;
        } else if constexpr (std::is_same_v<Value, std::size_t>) {
          return setting.kind == Kind::size ? json(format_size(value)) : json(value);
        } else {
          return value;
        }
      },
      setting.member);
}

bool same_value(const Setting& setting, const Config& left, const Config& right) {
  return std::visit([&](auto member) { return left.*member == right.*member; }, setting.member);
}

void copy_value(const Setting& setting, Config& to, const Config& from) {
  std::visit([&](auto member) { to.*member = from.*member; }, setting.member);
}

std::optional<ImpossibleSum> find_impossible_sum(const Config& config, const Machine& machine) {
  const ResolvedConfig& resolved = config.resolved;

  if (config.roots.empty()) return ImpossibleSum{"roots", "is empty; [\".\"] would do"};
  std::set<std::string_view> names;
  for (const RootConfig& root : config.roots) {
    if (config.roots.size() == 1) break;
    if (root.name.empty()) {
      return ImpossibleSum{"roots", "has several members, and " + show_value(root.path) +
                                        " has no name; \"NAME=" + root.path + "\" would do"};
    }
    if (!names.insert(root.name).second) {
      return ImpossibleSum{"roots", "has the name " + show_value(root.name) + " twice; another name would do"};
    }
  }

  for (const std::string& name : config.auth_roots) {
    if (!config.has_access_control()) {
      return ImpossibleSum{"auth_roots",
                           "is of no use without auth_basic_file or auth_token_file; one of them would do"};
    }
    if (name.empty() || std::ranges::find(config.roots, name, &RootConfig::name) == config.roots.end()) {
      return ImpossibleSum{
          "auth_roots", "has " + show_value(name) + ", which is no root's name; a NAME of roots' NAME=PATH would do"};
    }
  }

  if (config.listen.empty()) return ImpossibleSum{"listen", "is empty; [\"127.0.0.1:8080\"] would do"};
  const bool any_tls = std::ranges::any_of(config.listen, &ListenAddress::tls);
  if (any_tls && config.tls_certificate.empty()) {
    return ImpossibleSum{"tls_certificate", "is empty, and a tls: address needs one; a PEM file would do"};
  }
  if (!config.tls_key.empty() && config.tls_certificate.empty()) {
    return ImpossibleSum{"tls_key", "is of no use without tls_certificate; both would do"};
  }
  for (auto address = config.listen.begin(); address != config.listen.end(); ++address) {
    const bool fixed = address->kind == ListenAddress::Kind::unix_socket || address->port != 0;
    if (fixed && std::find(config.listen.begin(), address, *address) != address) {
      return ImpossibleSum{"listen", "has " + address->to_string() + " twice; once would do"};
    }
  }

  // A pool that is only just larger than what is pinned and being loaded would evict what it has just read.
  const std::size_t window = window_frames(config.page_size);
  const std::size_t needed = 4 * (resolved.threads * window + resolved.max_loads);
  if (resolved.frames < needed) {
    std::string remedy = "pool_size " + format_size(((needed * config.page_size + 1_MiB - 1) / 1_MiB) * 1_MiB);
    if (resolved.frames / 4 > resolved.max_loads && (resolved.frames / 4 - resolved.max_loads) / window >= 1) {
      remedy += " or threads " + std::to_string((resolved.frames / 4 - resolved.max_loads) / window);
    } else if (resolved.frames / 4 > resolved.threads * window) {
      remedy += " or max_loads " + std::to_string(resolved.frames / 4 - resolved.threads * window);
    }
    return ImpossibleSum{"pool_size", "holds " + std::to_string(resolved.frames) + " pages of " +
                                          format_size(config.page_size) + ", too few for threads " +
                                          std::to_string(resolved.threads) + ", each with " + std::to_string(window) +
                                          " pages pinned, and max_loads " + std::to_string(resolved.max_loads) +
                                          " (4 times their sum); " + remedy + " would do"};
  }
  if (machine.memory_limit != 0 &&
      config.pool_size > machine.memory_limit - std::min(machine.memory_limit, memory_beside_pool)) {
    const std::uint64_t room = machine.memory_limit - std::min(machine.memory_limit, memory_beside_pool);
    return ImpossibleSum{
        "pool_size",
        "and 16MiB beside it exceed the control group's memory limit of " + format_size(machine.memory_limit) + "; " +
            (room >= 1_MiB ? format_size(room / 1_MiB * 1_MiB) + " or a higher limit" : std::string("a higher limit")) +
            " would do"};
  }
  if (config.disk_queue < resolved.max_loads) {
    return ImpossibleSum{"disk_queue", "is shorter than the " + std::to_string(resolved.max_loads) +
                                           " page loads that may be in flight; " + std::to_string(resolved.max_loads) +
                                           " or more would do"};
  }
  if (config.max_connections != 0 &&
      config.max_connections > machine.descriptors - std::min(machine.descriptors, descriptors_beside_connections)) {
    const std::size_t room = machine.descriptors - std::min(machine.descriptors, descriptors_beside_connections);
    return ImpossibleSum{
        "max_connections",
        "is more than the limit of " + std::to_string(machine.descriptors) + " descriptors (ulimit -Hn) allows; " +
            (room > 0 ? std::to_string(room) + " or a higher limit" : std::string("a higher limit")) + " would do"};
  }
  return std::nullopt;
}

FileOutcome read_config_text(std::string_view text, Config& config) {
  FileOutcome outcome;
  // The parser takes a NUL for the end of the text, and would not look at what follows it.
  if (const std::size_t nul = text.find('\0'); nul != std::string_view::npos) {
    outcome.line = line_of(text, nul + 1);
    outcome.problem = "is not JSON at this place, which holds a NUL; a text file would do";
    return outcome;
  }
  json document;
  try {
    document = json::parse(text, nullptr, true, true);
  } catch (const json::parse_error& error) {
    outcome.line = line_of(text, error.byte);
    outcome.problem =
        "is not JSON at this place; a comma, quote or bracket that is missing or one too many would be usual";
    return outcome;
  } catch (const json::exception&) {
    outcome.problem = "holds a number that is out of all bounds; a smaller one would do";
    return outcome;
  }
  if (!document.is_object()) {
    outcome.line = 1;
    outcome.problem = "is not a JSON object; {} would do";
    return outcome;
  }
  for (const KeyPosition& position : find_keys(text)) {
    outcome.line = position.line;
    if (position.key == "$schema") continue;
    const Setting* setting = find_setting(position.key);
    if (setting == nullptr) {
      const std::string_view near = nearest_key(position.key);
      outcome.problem = "unknown key " + show_value(position.key) + "; " +
                        (near.empty() ? std::string("one that ranged --help names") : show_value(std::string(near))) +
                        " would do";
      return outcome;
    }
    if (std::any_of(outcome.entries.begin(), outcome.entries.end(),
                    [setting](const FileEntry& entry) { return entry.setting == setting; })) {
      outcome.problem = std::string(setting->key) + " is given twice; once would do";
      return outcome;
    }
    const json& value = document[position.key];
    if (const std::string problem = set_from_json(*setting, config, value); !problem.empty()) {
      outcome.problem = std::string(setting->key) + ' ' + show_value(value) + ' ' + problem;
      return outcome;
    }
    outcome.entries.push_back({setting, position.line});
  }
  outcome.line = 0;
  return outcome;
}

std::string render_config(const Config& config, const std::function<std::string(const Setting&)>& note) {
  std::string text = "{\n";
  for (const Setting& setting : table()) {
    text += "  \"" + std::string(setting.key) + "\": " + to_line(value_of(setting, config));
    if (&setting != &table().back()) text += ',';
    if (note) text += "  // " + note(setting);
    text += '\n';
  }
  return text + "}\n";
}

std::string render_example() {
  std::string text =
      "// The configuration of ranged: every key, at its default. Keys may be left out; comments may stay. Flags and\n"
      "// RANGED_ variables of the same names come first. Check with: ranged --config FILE --check-config\n"
      "{\n";
  const Config defaults;
  for (const Setting& setting : table()) {
    text += "  // " + std::string(setting.help);
    if (setting.kind == Kind::number || setting.kind == Kind::size || setting.kind == Kind::duration) {
      text += " (" + bounds(setting) + ')';
    } else if (setting.kind == Kind::choice) {
      text += " (" + list_choices(setting) + ')';
    }
    text += setting.needs_restart ? ". Changed by a restart only.\n" : ".\n";
    text += "  \"" + std::string(setting.key) + "\": " + to_line(value_of(setting, defaults));
    text += &setting != &table().back() ? ",\n" : "\n";
  }
  return text + "}\n";
}

std::string render_schema() {
  ordered_json properties = ordered_json::object();
  properties["$schema"] = {{"type", "string"}};
  const Config defaults;
  for (const Setting& setting : table()) {
    ordered_json property;
    property["description"] = setting.help;
    switch (setting.kind) {
      case Kind::boolean:
        property["type"] = "boolean";
        break;
      case Kind::number:
        property["type"] = "integer";
        property["minimum"] = setting.minimum;
        property["maximum"] = setting.maximum;
        break;
      case Kind::size:
        property["type"] = {"string", "integer"};
        property["pattern"] = "^[0-9]+(B|KiB|MiB|GiB|TiB)?$";
        property["minimum"] = setting.minimum;
        property["maximum"] = setting.maximum;
        break;
      case Kind::duration:
        property["type"] = "string";
        property["pattern"] = "^(0|[0-9]+(ms|s|m|h))$";
        break;
      case Kind::choice:
        property["enum"] = std::vector<std::string>(setting.choices.begin(), setting.choices.end());
        break;
      case Kind::text:
        property["type"] = "string";
        if (!setting.pattern.empty()) property["pattern"] = setting.pattern;
        break;
      case Kind::list:
        property["type"] = "array";
        property["items"] = {{"type", "string"}};
        if (!setting.pattern.empty()) property["items"]["pattern"] = setting.pattern;
        if (setting.key == "roots" || setting.key == "listen") property["minItems"] = 1;
        break;
    }
    property["default"] = ordered_json::parse(to_line(value_of(setting, defaults)));
    properties[std::string(setting.key)] = std::move(property);
  }
  ordered_json schema;
  schema["$schema"] = "https://json-schema.org/draft/2020-12/schema";
  schema["title"] = "ranged configuration";
  schema["description"] = "The file that ranged --config reads: JSON with // and /* */ comments.";
  schema["type"] = "object";
  schema["additionalProperties"] = false;
  schema["properties"] = std::move(properties);
  return schema.dump(2) + '\n';
}

std::string show_value(const json& value) {
  std::string text = to_line(value);
  if (text.size() <= longest_shown_value) return text;
  std::size_t end = longest_shown_value - 3;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return text.substr(0, end) + "...";
}

std::optional<RootConfig> parse_root(std::string_view text, std::string& problem) {
  // "NAME=PATH" when what stands before the first '=' could be a name, that is, has no slash.
  const std::size_t equals = text.find('=');
  const bool named = equals != std::string_view::npos && text.substr(0, equals).find('/') == std::string_view::npos;
  const std::string_view name = named ? text.substr(0, equals) : std::string_view{};
  const std::string_view path = named ? text.substr(equals + 1) : text;
  if (named && (name.empty() || name.size() > 255 || name.front() == '.' || !is_readable_utf8(name))) {
    problem = "has a name that cannot be one; NAME=PATH, or ./PATH when it is a path, would do";
    return std::nullopt;
  }
  if (path.empty() || path.find('\0') != std::string_view::npos) {
    problem = "has no path; PATH or NAME=PATH would do";
    return std::nullopt;
  }
  return RootConfig{std::string(name), std::string(path)};
}

std::optional<ListenAddress> parse_listen_address(std::string_view text, std::string& problem) {
  constexpr std::string_view tls_prefix = "tls:";
  if (text.starts_with(tls_prefix)) {
    const std::string_view rest = text.substr(tls_prefix.size());
    if (rest.starts_with(tls_prefix)) {
      problem = "has the prefix tls: twice; once would do";
      return std::nullopt;
    }
    std::optional<ListenAddress> address = parse_listen_address(rest, problem);
    if (address) address->tls = true;
    return address;
  }
  constexpr std::string_view unix_prefix = "unix:";
  if (text.starts_with(unix_prefix)) {
    const std::string_view path = text.substr(unix_prefix.size());
    // unix(7): sun_path holds the path and a NUL.
    if (path.empty() || path.size() >= sizeof(sockaddr_un::sun_path) || path.find('\0') != std::string_view::npos) {
      problem = "is not a path of 1 to 107 bytes; unix:/run/ranged/ranged.sock would do";
      return std::nullopt;
    }
    return ListenAddress{ListenAddress::Kind::unix_socket, "", 0, std::string(path), false};
  }
  problem = "is not an address to listen on; 127.0.0.1:8080, [::1]:8080 or unix:/path would do";
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const std::string_view port_text = text.substr(colon + 1);
  std::string_view host = text.substr(0, colon);
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(port_text.data(), port_text.data() + port_text.size(), port);
  if (error != std::errc{} || end != port_text.data() + port_text.size()) return std::nullopt;

  ListenAddress address{ListenAddress::Kind::tcp4, "", port, "", false};
  std::array<char, INET6_ADDRSTRLEN> normal{};
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    address.kind = ListenAddress::Kind::tcp6;
    in6_addr number{};
    const std::string inner(host.substr(1, host.size() - 2));
    if (inner.find('\0') != std::string::npos || ::inet_pton(AF_INET6, inner.c_str(), &number) != 1)
      return std::nullopt;
    ::inet_ntop(AF_INET6, &number, normal.data(), normal.size());
  } else {
    if (host == "localhost") host = "127.0.0.1";
    in_addr number{};
    const std::string inner(host);
    if (inner.find('\0') != std::string::npos || ::inet_pton(AF_INET, inner.c_str(), &number) != 1) return std::nullopt;
    ::inet_ntop(AF_INET, &number, normal.data(), normal.size());
  }
  // The kernel's own spelling, so that equal addresses compare equal.
  address.host = normal.data();
  problem.clear();
  return address;
}

}  // namespace ranged::server
