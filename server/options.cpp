#include "server/options.hpp"

#include "server/config_settings.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <map>
#include <utility>

namespace ranged::server {
namespace {

using nlohmann::json;

/// A configuration larger than this is a mistake (a served file given as --config).
constexpr std::size_t largest_config_file = std::size_t{1} << 20;
/// Column at which --help explains.
constexpr std::size_t help_column = 34;

/// CLI11 takes a positional argument "[a,b]" for a list of two. Arguments that begin with a bracket are marked before
/// it reads them, and unmarked after; so are those that begin with the mark.
constexpr char literal_mark = '\x01';

constexpr std::string_view config_variable = "RANGED_CONFIG";

struct CommandLine {
  std::map<const Setting*, std::vector<std::string>> values;
  std::vector<std::string> paths;
  std::vector<std::string> config;
  std::vector<std::string> healthcheck;
  bool help = false, version = false, check_config = false, print_config = false, print_schema = false;
};

/// Origins as messages and --print-config name them: "flag --pool-size", "ranged.json:3". Absent: the default.
using Origins = std::map<const Setting*, std::string>;

struct Loaded {
  Config config;
  Origins origins;
  int exit_code = exit_code::success;
  std::string error;
  std::string file;  ///< that was read; empty when there is none
};

std::string one_line(std::string_view text) {
  std::string line(text.substr(0, text.find('\n')));
  std::replace_if(
      line.begin(), line.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, '?');
  return line;
}

/// Understands the flags; their values are looked at later. An empty error: it is understood.
std::string read_command_line(std::span<const char* const> arguments, CommandLine& command) {
  CLI::App app;
  app.set_help_flag();
  // One argument is one value: CLI11 would otherwise take "[a,b]" for a list and what follows a flag for more values of
  // it.
  const auto add = [&app](const std::string& names, std::vector<std::string>& values) {
    app.add_option(names, values)
        ->expected(1)
        ->allow_extra_args(false)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  };
  for (const Setting& setting : settings()) {
    std::string names = flag_of(setting);
    if (setting.short_flag != '\0') names.insert(names.begin(), {'-', setting.short_flag, ','});
    std::vector<std::string>& values = command.values[&setting];
    if (setting.kind == Setting::Kind::boolean) {
      app.add_flag(names, values)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    } else {
      add(names, values);
    }
  }
  add("-c,--config", command.config);
  add("--healthcheck", command.healthcheck);
  app.add_flag("-h,--help", command.help);
  app.add_flag("--version", command.version);
  app.add_flag("--check-config", command.check_config);
  app.add_flag("--print-config", command.print_config);
  app.add_flag("--print-config-schema", command.print_schema);
  app.add_option("paths", command.paths)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  std::vector<std::string> marked;  // in reverse, as App::parse() wants it, without the program's name
  for (std::size_t i = arguments.size(); i > 1; --i) {
    std::string argument(arguments[i - 1]);
    if (argument.starts_with('[') || argument.starts_with(literal_mark)) argument.insert(0, 1, literal_mark);
    marked.push_back(std::move(argument));
  }
  try {
    app.parse(std::move(marked));
  } catch (const CLI::ExtrasError&) {
    // Whatever is no flag is a path, so what is left over is flags.
    const std::vector<std::string> left = app.remaining();
    const std::string flag = left.empty() ? std::string{} : left.front().substr(0, left.front().find('='));
    const std::string_view near = nearest_key(std::string_view(flag).substr(std::min<std::size_t>(flag.size(), 2)));
    return "unknown flag " + show_value(flag) + "; " +
           (near.empty() ? std::string("one that ranged --help lists") : flag_of(*find_setting(near))) + " would do";
  } catch (const CLI::ParseError& error) {
    std::string message = error.what();
    std::erase(message, literal_mark);
    return one_line(message) + "; ranged --help lists what would do";
  }
  const auto unmark = [](std::vector<std::string>& values) {
    for (std::string& value : values) {
      if (value.starts_with(literal_mark)) value.erase(0, 1);
    }
  };
  for (auto& [setting, values] : command.values) unmark(values);
  for (auto* values : {&command.paths, &command.config, &command.healthcheck}) unmark(*values);
  for (const auto& [setting, values] : command.values) {
    if (values.size() > 1 && setting->kind != Setting::Kind::list) {
      return flag_of(*setting) + " is given " + std::to_string(values.size()) + " times; once would do";
    }
  }
  if (command.config.size() > 1) return "--config is given more than once; once would do";
  if (command.healthcheck.size() > 1) return "--healthcheck is given more than once; once would do";
  return {};
}

std::string describe(const Setting& setting, const json& value, const std::string& origin, const std::string& problem) {
  return std::string(setting.key) + ' ' + show_value(value) + " (" + origin + ") " + problem;
}

bool load_file(const std::string& path, const FileReader& read_file, Loaded& loaded) {
  const boost::system::result<std::string> text = read_file(path);
  if (!text) {
    loaded.error =
        "config " + show_value(path) + " cannot be read: " + text.error().message() + "; a readable file would do";
    return false;
  }
  const FileOutcome outcome = read_config_text(*text, loaded.config);
  if (!outcome.problem.empty()) {
    loaded.error =
        path + (outcome.line != 0 ? ':' + std::to_string(outcome.line) : std::string{}) + ": " + outcome.problem;
    return false;
  }
  for (const FileEntry& entry : outcome.entries) {
    loaded.origins[entry.setting] = path + ':' + std::to_string(entry.line);
  }
  return true;
}

std::string set_from_variable(const Setting& setting, Config& config, const std::string& value) {
  if (setting.kind != Setting::Kind::list) return set_from_text(setting, config, value);
  // An array as in the file, for members with commas; else members between commas.
  if (value.front() == '[') {
    const json list = json::parse(value, nullptr, false);
    if (list.is_array()) return set_from_json(setting, config, list);
  }
  clear_list(setting, config);
  for (std::size_t begin = 0; begin <= value.size();) {
    const std::size_t comma = std::min(value.find(',', begin), value.size());
    if (std::string problem = set_from_text(setting, config, std::string_view(value).substr(begin, comma - begin));
        !problem.empty()) {
      return problem;
    }
    begin = comma + 1;
  }
  return {};
}

bool load_environment(const Environment& environment, Loaded& loaded) {
  for (const Setting& setting : settings()) {
    const std::string name = environment_of(setting);
    const std::optional<std::string> value = environment(name);
    // Set but empty is how compose files and units leave a variable out.
    if (!value || value->empty()) continue;
    const std::string origin = "variable " + name;
    if (const std::string problem = set_from_variable(setting, loaded.config, *value); !problem.empty()) {
      loaded.error = describe(setting, *value, origin, problem);
      return false;
    }
    loaded.origins[&setting] = origin;
  }
  return true;
}

bool load_flags(const CommandLine& command, Loaded& loaded) {
  for (const Setting& setting : settings()) {
    std::vector<std::string> values = command.values.at(&setting);
    std::string origin = "flag " + flag_of(setting);
    if (setting.key == "roots" && !command.paths.empty()) {
      if (values.empty()) origin = "argument";
      values.insert(values.end(), command.paths.begin(), command.paths.end());
    }
    if (values.empty()) continue;
    clear_list(setting, loaded.config);
    for (const std::string& value : values) {
      if (const std::string problem = set_from_text(setting, loaded.config, value); !problem.empty()) {
        loaded.error = describe(setting, value, origin, problem);
        return false;
      }
    }
    loaded.origins[&setting] = origin;
  }
  return true;
}

std::string origin_of(const Origins& origins, const Setting& setting) {
  const auto found = origins.find(&setting);
  return found == origins.end() ? "default" : found->second;
}

/// Defaults, file, environment, flags, each on top of what came before; then what only the whole can tell.
Loaded load(const CommandLine& command, const Environment& environment, const FileReader& read_file,
            const Machine& machine) {
  Loaded loaded;
  loaded.exit_code = exit_code::config;
  std::optional<std::string> file;
  if (!command.config.empty()) {
    file = command.config.front();
  } else if (auto variable = environment(std::string(config_variable)); variable && !variable->empty()) {
    file = std::move(variable);
  }
  if (file) {
    if (!load_file(*file, read_file, loaded)) return loaded;
    loaded.file = *file;
  }
  if (!load_environment(environment, loaded)) return loaded;
  if (!load_flags(command, loaded)) {
    loaded.exit_code = exit_code::usage;
    return loaded;
  }
  loaded.config.resolved = resolve(loaded.config, machine);
  if (const auto impossible = find_impossible_sum(loaded.config, machine)) {
    const Setting& setting = *find_setting(impossible->key);
    loaded.error =
        describe(setting, value_of(setting, loaded.config), origin_of(loaded.origins, setting), impossible->problem);
    return loaded;
  }
  loaded.exit_code = exit_code::success;
  return loaded;
}

std::string help() {
  std::string text =
      "Usage: ranged [OPTIONS] [PATH | NAME=PATH ...]\n"
      "Serves a file or a directory (default: the current directory), however large, by HTTP range requests and as "
      "JSON,\n"
      "in memory that is fixed when it starts.\n\n";
  const auto line = [&text](std::string left, std::string_view right) {
    left = "  " + left;
    left += left.size() + 2 <= help_column ? std::string(help_column - left.size(), ' ')
                                           : '\n' + std::string(help_column, ' ');
    text += left;
    text += right;
    text += '\n';
  };
  line("-c, --config FILE", "Read settings from a file: JSON with comments (RANGED_CONFIG)");
  line("    --check-config", "Check all settings and the files that they name, then end");
  line("    --print-config", "Print all settings and where each is from, then end");
  line("    --print-config-schema", "Print the JSON Schema of the file, then end");
  line("    --healthcheck URL", "Ask a running daemon (http[s]://HOST:PORT/healthz, unix:/SOCKET); exit 0 or 1");
  line("    --version", "Print the version, then end");
  line("-h, --help", "Print this, then end");
  text +=
      "\nSettings: flags, then variables (RANGED_POOL_SIZE), then the file (\"pool_size\"), then defaults.\n"
      "Sizes: B, KiB, MiB, GiB, TiB. Times: ms, s, m, h.\n\n";
  const Config defaults;
  for (const Setting& setting : settings()) {
    std::string left =
        setting.short_flag != '\0' ? std::string{'-', setting.short_flag, ',', ' '} : std::string("    ");
    left += flag_of(setting);
    if (!setting.value_name.empty()) left += ' ' + std::string(setting.value_name);
    std::string right(setting.help);
    const json value = value_of(setting, defaults);
    if (setting.kind == Setting::Kind::list) {
      if (!value.empty()) right += " [" + value.front().get<std::string>() + ']';
    } else if (setting.kind != Setting::Kind::boolean || value.get<bool>()) {
      right += " [" + (value.is_string() ? value.get<std::string>() : value.dump()) + ']';
    }
    line(std::move(left), right);
  }
  return text + "\nA boolean is turned off by --huge-pages=false. Exit: 0, 1 failure, 2 usage, 78 configuration.\n";
}

/// What 0 stands for on this machine, for --print-config.
std::string resolved_note(const Setting& setting, const Config& config) {
  const ResolvedConfig& resolved = config.resolved;
  const std::array<std::pair<std::string_view, std::size_t>, 6> numbers{
      {{"threads", resolved.threads},
       {"disk_threads", resolved.disk_threads},
       {"max_loads", resolved.max_loads},
       {"max_connections", resolved.max_connections},
       {"max_connections_per_client", resolved.max_connections_per_client},
       {"open_files", resolved.open_files}}};
  for (const auto& [key, number] : numbers) {
    if (key == setting.key && value_of(setting, config) != number) return ", here " + std::to_string(number);
  }
  return {};
}

std::string print(const Loaded& loaded) {
  return render_config(loaded.config, [&loaded](const Setting& setting) {
    return one_line(origin_of(loaded.origins, setting)) + resolved_note(setting, loaded.config);
  });
}

}  // namespace

std::string_view version() noexcept {
  return RANGED_VERSION;
}

Environment process_environment() {
  return [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    if (value == nullptr) return std::nullopt;
    return value;
  };
}

FileReader disk_file_reader() {
  return [](const std::string& path) -> boost::system::result<std::string> {
    // Non-blocking: a FIFO given by mistake must not hang the start.
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (descriptor < 0) return boost::system::error_code(errno, boost::system::system_category());
    std::string text;
    std::array<char, 4096> buffer{};
    boost::system::error_code error;
    for (;;) {
      const ssize_t count = ::read(descriptor, buffer.data(), buffer.size());
      if (count == 0) break;
      if (count < 0) {
        if (errno == EINTR) continue;
        error.assign(errno, boost::system::system_category());
        break;
      }
      text.append(buffer.data(), static_cast<std::size_t>(count));
      if (text.size() > largest_config_file) {
        error = make_error_code(boost::system::errc::file_too_large);
        break;
      }
    }
    ::close(descriptor);
    if (error) return error;
    return text;
  };
}

ParseOutcome parse_command_line(std::span<const char* const> arguments, const Environment& environment,
                                const FileReader& read_file, const Machine& machine) {
  ParseOutcome outcome;
  CommandLine command;
  const auto fail = [&outcome](int code, const std::string& error) {
    outcome.action = Action::fail;
    outcome.exit_code = code;
    outcome.error = one_line(error);
    return std::move(outcome);
  };
  const auto show = [&outcome](Action action, std::string output) {
    outcome.action = action;
    outcome.output = std::move(output);
    return std::move(outcome);
  };
  if (std::string error = read_command_line(arguments, command); !error.empty()) return fail(exit_code::usage, error);
  if (command.help) return show(Action::print, help());
  if (command.version) return show(Action::print, "ranged " + std::string(version()) + '\n');
  if (command.print_schema) return show(Action::print, render_schema());
  if (!command.healthcheck.empty()) {
    outcome.action = Action::healthcheck;
    outcome.healthcheck_url = command.healthcheck.front();
    return outcome;
  }
  Loaded loaded = load(command, environment, read_file, machine);
  if (loaded.exit_code != exit_code::success) return fail(loaded.exit_code, loaded.error);
  if (command.print_config) return show(Action::print, print(loaded));
  outcome.config = std::move(loaded.config);
  if (command.check_config) return show(Action::check, "ranged: the configuration is in order\n");
  outcome.action = Action::serve;
  outcome.config_file = std::move(loaded.file);
  return outcome;
}

ReloadOutcome reload_config(std::span<const char* const> arguments, const Environment& environment,
                            const FileReader& read_file, const Machine& machine) {
  ParseOutcome outcome = parse_command_line(arguments, environment, read_file, machine);
  if (outcome.action != Action::serve)
    return {std::nullopt, outcome.error.empty() ? "the command line does not serve" : outcome.error};
  return {std::move(outcome.config), {}};
}

std::vector<std::string_view> keys_needing_restart(const Config& running, const Config& wanted) {
  std::vector<std::string_view> keys;
  for (const Setting& setting : settings()) {
    if (setting.needs_restart && !same_value(setting, running, wanted)) keys.push_back(setting.key);
  }
  return keys;
}

Config merge_reloadable(const Config& running, const Config& wanted) {
  Config merged = wanted;
  for (const Setting& setting : settings()) {
    if (setting.needs_restart) copy_value(setting, merged, running);
  }
  // The connection limits follow what was asked for; the rest of `resolved` is of settings that stay.
  merged.resolved = running.resolved;
  merged.resolved.max_connections = wanted.resolved.max_connections;
  merged.resolved.max_connections_per_client = wanted.resolved.max_connections_per_client;
  merged.resolved.open_files = wanted.resolved.open_files;
  return merged;
}

}  // namespace ranged::server
