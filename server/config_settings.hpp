#pragma once
// The one table of settings. Flags, environment variables, keys of the file, validation, --print-config, the JSON
// Schema and the example file are all made from it.

#include "server/config.hpp"

#include <nlohmann/json_fwd.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace ranged::server {

using SettingMember =
    std::variant<bool Config::*, unsigned Config::*, std::size_t Config::*, std::chrono::milliseconds Config::*,
                 std::string Config::*, std::vector<std::string> Config::*, std::vector<RootConfig> Config::*,
                 std::vector<ListenAddress> Config::*, LogLevel Config::*, LogFormat Config::*,
                 AccessLogFormat Config::*, SandboxMode Config::*>;

struct Setting {
  enum class Kind : std::uint8_t {
    boolean,   ///< true or false
    number,    ///< an integer
    size,      ///< parse_size()
    duration,  ///< parse_duration()
    choice,    ///< one of `choices`
    text,
    list,  ///< texts
  };

  std::string_view key;  ///< snake_case; the member of Config has the same name
  Kind kind = Kind::text;
  std::string_view value_name{};  ///< what --help calls the value
  std::string_view help;          ///< one phrase, without a full stop
  SettingMember member;
  std::uint64_t minimum = 0;  ///< inclusive: a number, bytes, or milliseconds
  std::uint64_t maximum = 0;  ///< inclusive
  std::span<const std::string_view> choices{};
  /// Of a text or of each member of a list: what is wrong with it and what would do, or empty.
  std::string (*check)(std::string_view text) = nullptr;
  std::string_view pattern{};  ///< the schema's regular expression for texts, as far as one can say it
  bool needs_restart = false;
  bool power_of_two = false;  ///< of a size
  bool lower_case = false;    ///< of texts: names without case, kept in lower case
  char short_flag = '\0';
};

/// All settings, in the order in which they are shown.
[[nodiscard]] std::span<const Setting> settings() noexcept;
/// The setting of that key, or null.
[[nodiscard]] const Setting* find_setting(std::string_view key) noexcept;
/// The key most like `key` that exists, or empty when none is near.
[[nodiscard]] std::string_view nearest_key(std::string_view key);

[[nodiscard]] std::string flag_of(const Setting& setting);         ///< "--pool-size"
[[nodiscard]] std::string environment_of(const Setting& setting);  ///< "RANGED_POOL_SIZE"

/// Sets the member of `config` from a text. Returns what is wrong and what would do ("is not a size; 64MiB would do"),
/// or empty when it is set. For a list the text is one member, which is added.
[[nodiscard]] std::string set_from_text(const Setting& setting, Config& config, std::string_view text);
/// The same from a JSON value: sizes may be numbers too; lists are arrays and replace what is there.
[[nodiscard]] std::string set_from_json(const Setting& setting, Config& config, const nlohmann::json& value);
/// Empties a list before its members are added; nothing for other kinds.
void clear_list(const Setting& setting, Config& config);
/// The member as JSON, in the form that set_from_json() reads back.
[[nodiscard]] nlohmann::json value_of(const Setting& setting, const Config& config);
[[nodiscard]] bool same_value(const Setting& setting, const Config& left, const Config& right);
/// Copies the member.
void copy_value(const Setting& setting, Config& to, const Config& from);

/// A combination of settings that cannot be.
struct ImpossibleSum {
  std::string_view key;  ///< the setting to change
  std::string problem;   ///< what is wrong and what would do
};
/// Checks what no setting can tell by itself. Expects `config.resolved` to be set. Pure.
[[nodiscard]] std::optional<ImpossibleSum> find_impossible_sum(const Config& config, const Machine& machine);

/// One key of a configuration file's text.
struct FileEntry {
  const Setting* setting = nullptr;
  std::size_t line = 0;  ///< counted from 1
};
/// A configuration file, read into `config` on top of what is there. `entries` are the keys that it set. On failure
/// `problem` says what is wrong (and `config` is in parts changed): the key and value when there is one, `line` where
/// (0: unknown).
struct FileOutcome {
  std::vector<FileEntry> entries;
  std::string problem;  ///< empty: all is well
  std::size_t line = 0;
};
/// JSON (RFC 8259) with // and /* */ comments, an object of the settings' keys. Unknown and repeated keys are refused.
/// "$schema" is allowed and ignored. Any bytes may come in.
[[nodiscard]] FileOutcome read_config_text(std::string_view text, Config& config);

/// All settings as a configuration file; `note` (may be null) gives each key a comment at its line's end.
[[nodiscard]] std::string render_config(const Config& config, const std::function<std::string(const Setting&)>& note);
/// config/ranged.json: every key at its default, explained.
[[nodiscard]] std::string render_example();
/// config/ranged.schema.json: JSON Schema 2020-12 of the file.
[[nodiscard]] std::string render_schema();
/// The value as a refusal shows it: JSON, on one line, at most 80 bytes.
[[nodiscard]] std::string show_value(const nlohmann::json& value);

// The forms of values that are more than a number or a name.
/// "PATH" or "NAME=PATH" (a name has no slash: "./a=b" is a path). Empty optional: `problem` says why.
[[nodiscard]] std::optional<RootConfig> parse_root(std::string_view text, std::string& problem);
/// "127.0.0.1:8080", "localhost:8080", "[::1]:8080", "unix:/path"; before each "tls:".
[[nodiscard]] std::optional<ListenAddress> parse_listen_address(std::string_view text, std::string& problem);

}  // namespace ranged::server
