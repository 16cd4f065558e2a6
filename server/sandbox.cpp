#include "server/sandbox.hpp"

#include "server/handlers/file_facts.hpp"

#include <fmt/format.h>
#include <openssl/crypto.h>

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <map>
#include <string_view>
#include <system_error>
#include <utility>

namespace ranged::server {

namespace {

// linux/landlock.h as Linux 6.12 has it. The numbers of the system calls are the same for all architectures; a kernel
// takes a shorter structure than its own, and a longer one whose end is zero.
constexpr long create_ruleset_number = 444;
constexpr long add_rule_number = 445;
constexpr long restrict_self_number = 446;
constexpr unsigned create_ruleset_version = 1;  // LANDLOCK_CREATE_RULESET_VERSION
constexpr int rule_path_beneath = 1;            // LANDLOCK_RULE_PATH_BENEATH

struct RulesetAttributes {
  std::uint64_t handled_files;
  std::uint64_t handled_network;
  std::uint64_t scoped;
};

struct [[gnu::packed]] PathBeneathAttributes {
  std::uint64_t allowed_access;
  std::int32_t parent_fd;
};

/// Rights that a rule on what is no directory may have (landlock(7)).
constexpr std::uint64_t file_rights =
    landlock::execute | landlock::write_file | landlock::read_file | landlock::truncate | landlock::device_control;

constexpr std::uint64_t reading = landlock::read_file | landlock::read_directory;

/// All rights of an ABI: of 13 in the first, one more each in the second (refer), third and fifth.
constexpr std::uint64_t all_file_rights(int abi) noexcept {
  const int count = 13 + (abi >= 2 ? 1 : 0) + (abi >= 3 ? 1 : 0) + (abi >= 5 ? 1 : 0);
  return (std::uint64_t{1} << count) - 1;
}

/// A descriptor that is closed at the end of its scope.
class Descriptor {
 public:
  explicit Descriptor(int number) noexcept : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const noexcept { return number_; }
  [[nodiscard]] int release() noexcept { return std::exchange(number_, -1); }

 private:
  int number_;
};

std::string text_of(int error) {
  return std::generic_category().message(error);
}

std::filesystem::path directory_of(const std::filesystem::path& file) {
  return file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
}

/// The file with all symbolic links followed, or as it is named where that fails.
std::filesystem::path resolved(const std::filesystem::path& file) {
  std::error_code error;
  std::filesystem::path canonical = std::filesystem::canonical(file, error);
  return error ? file : canonical;
}

/// Why the kernel knows no ABI.
std::string why_none(int error) {
  switch (error) {
    case ENOSYS:
      return "this kernel has no Landlock";
    case EOPNOTSUPP:
      return "Landlock is turned off in this kernel";
    case EPERM:
      return "a filter of system calls forbids Landlock";
    default:
      return fmt::format("Landlock: {}", text_of(error));
  }
}

/// Adds the rule for what is at the path now; what is not there needs none.
std::string add_rule(int ruleset, const SandboxRule& rule) {
  const Descriptor target(::open(rule.path.c_str(), O_PATH | O_CLOEXEC));
  if (target.get() < 0) {
    if (errno == ENOENT || errno == ENOTDIR || errno == EACCES) return {};
    return fmt::format("{}: {}", rule.path.string(), text_of(errno));
  }
  struct stat status{};
  if (::fstat(target.get(), &status) != 0) return fmt::format("{}: {}", rule.path.string(), text_of(errno));
  const PathBeneathAttributes attributes{rights_on(S_ISDIR(status.st_mode), rule.rights), target.get()};
  if (attributes.allowed_access == 0) return {};
  if (::syscall(add_rule_number, ruleset, rule_path_beneath, &attributes, 0U) != 0) {
    return fmt::format("{}: {}", rule.path.string(), text_of(errno));
  }
  return {};
}

/// Tries what no rule of ours allows; only EACCES is the sandbox's answer. Neither has an effect where it is allowed.
std::string try_what_is_refused(const SandboxPlan& plan) {
  // Anybody may write to it, if it is there (proc(5)).
  const Descriptor name_of_thread(::open("/proc/self/comm", O_WRONLY | O_CLOEXEC));
  if (name_of_thread.get() >= 0) return "writing to a file that no rule covers is still allowed";
  if ((plan.handled_network & landlock::bind_tcp) == 0) return {};
  const Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (socket.get() < 0) return {};  // no IPv4 here
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
    return "listening at another port is still allowed";
  }
  return {};
}

}  // namespace

std::uint64_t rights_on(bool is_directory, std::uint64_t rights) noexcept {
  return is_directory ? rights : rights & file_rights;
}

SandboxPlan plan_sandbox(const SandboxNeeds& needs, int abi) {
  SandboxPlan plan;
  plan.handled_files = all_file_rights(abi);
  if (abi >= 4) plan.handled_network = landlock::bind_tcp | landlock::connect_tcp;
  if (abi >= 6) plan.scoped = landlock::signals | (needs.abstract_sockets ? 0 : landlock::abstract_sockets);
  std::map<std::filesystem::path, std::uint64_t> rights;
  for (const auto& path : needs.directories) rights[path] |= reading;
  for (const auto& path : needs.named_files) rights[directory_of(path)] |= landlock::read_file;
  for (const auto& path : needs.files) rights[path] |= landlock::read_file;
  for (const auto& path : needs.logs) {
    rights[path] |= landlock::write_file;  // where a link leads, as long as it does
    rights[directory_of(path)] |= landlock::write_file | landlock::make_regular;
  }
  for (const auto& path : needs.devices) rights[path] |= landlock::write_file;
  for (const auto& path : needs.socket_files) rights[directory_of(path)] |= landlock::remove_file;
  for (const auto& [path, allowed] : rights) plan.rules.push_back({path, allowed & plan.handled_files});
  return plan;
}

SandboxNeeds find_sandbox_needs(const Config& config, const std::filesystem::path& config_file,
                                std::span<const std::filesystem::path> socket_files) {
  SandboxNeeds needs;
  // Files are opened by way of it.
  needs.directories.emplace_back("/proc/self");
  const auto add_named = [&needs](const std::filesystem::path& file) {
    if (file.empty()) return;
    needs.named_files.push_back(file);
    // Certificates are renewed behind a link that stays where it is.
    if (std::filesystem::path target = resolved(file); target != file) needs.named_files.push_back(std::move(target));
  };
  std::error_code ignored;
  for (const RootConfig& root : config.roots) {
    if (std::filesystem::is_directory(root.path, ignored)) {
      needs.directories.emplace_back(root.path);
    } else {
      add_named(root.path);
    }
  }
  add_named(config_file);
  for (const std::string* file :
       {&config.auth_basic_file, &config.auth_token_file, &config.tls_certificate, &config.tls_key}) {
    add_named(*file);
  }
  needs.files = magic_files();
  needs.files.emplace_back("/dev/null");  // the acceptor's spare descriptor
  if (config.access_log != "off" && config.access_log != "-") {
    const std::filesystem::path log = config.access_log;
    const bool is_device = std::filesystem::exists(log, ignored) && !std::filesystem::is_regular_file(log, ignored);
    (is_device ? needs.devices : needs.logs).push_back(log);
  }
  needs.socket_files.assign(socket_files.begin(), socket_files.end());
  const char* const manager = std::getenv("NOTIFY_SOCKET");  // NOLINT(concurrency-mt-unsafe): before the first thread
  needs.abstract_sockets = manager != nullptr && manager[0] == '@';
  return needs;
}

Sandbox::~Sandbox() {
  if (own_process_ >= 0) ::close(own_process_);
}

std::string Sandbox::enter(const SandboxNeeds& needs) {
  // OpenSSL reads its configuration when it is first used, which may be long after.
  ::OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, nullptr);
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return fmt::format("no_new_privs: {}", text_of(errno));
  const long abi = ::syscall(create_ruleset_number, nullptr, std::size_t{0}, create_ruleset_version);
  if (abi < 1) return why_none(abi < 0 ? errno : ENOSYS);
  const SandboxPlan plan = plan_sandbox(needs, static_cast<int>(abi));
  const RulesetAttributes attributes{plan.handled_files, plan.handled_network, plan.scoped};
  const Descriptor ruleset(static_cast<int>(::syscall(create_ruleset_number, &attributes, sizeof attributes, 0U)));
  if (ruleset.get() < 0) return fmt::format("Landlock: {}", text_of(errno));
  Descriptor own_process(::open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC));
  for (const SandboxRule& rule : plan.rules) {
    if (std::string problem = add_rule(ruleset.get(), rule); !problem.empty()) return problem;
  }
  if (::syscall(restrict_self_number, ruleset.get(), 0U) != 0) return fmt::format("Landlock: {}", text_of(errno));
  own_process_ = own_process.release();
  abi_ = static_cast<int>(abi);
  return try_what_is_refused(plan);
}

bool Sandbox::refuses(const std::filesystem::path& path) const noexcept {
  struct stat status{};
  if (abi_ == 0 || ::stat(path.c_str(), &status) != 0) return false;
  // To open a device may do something.
  if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) return false;
  const Descriptor opened(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  // access(2) is not Landlock's: it tells what the user might read.
  return opened.get() < 0 && errno == EACCES && ::access(path.c_str(), R_OK) == 0;
}

std::string find_refused(const Sandbox& sandbox, const Config& config) {
  const auto refused = [&sandbox](const std::string& path) { return !path.empty() && sandbox.refuses(path); };
  for (const RootConfig& root : config.roots) {
    if (refused(root.path)) return fmt::format("roots {}", root.path);
  }
  const std::pair<std::string_view, const std::string*> files[] = {{"auth_basic_file", &config.auth_basic_file},
                                                                   {"auth_token_file", &config.auth_token_file},
                                                                   {"tls_certificate", &config.tls_certificate},
                                                                   {"tls_key", &config.tls_key}};
  for (const auto& [key, path] : files) {
    if (refused(*path)) return fmt::format("{} {}", key, *path);
  }
  return {};
}

}  // namespace ranged::server
