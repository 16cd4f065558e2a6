#pragma once
// What the daemon gives up before it serves, by Landlock (landlock(7)): on the file system everything but reading what
// it serves and what it must read again, TCP connections and new listeners, signals and abstract sockets of others. So
// a fault in it opens no other file and reaches no other machine.

#include "server/config.hpp"

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace ranged::server {

/// Rights of Landlock as the kernel numbers them (linux/landlock.h; Debian 12's header knows those of ABI 1 alone).
namespace landlock {
inline constexpr std::uint64_t execute = 1ULL << 0;
inline constexpr std::uint64_t write_file = 1ULL << 1;
inline constexpr std::uint64_t read_file = 1ULL << 2;
inline constexpr std::uint64_t read_directory = 1ULL << 3;
inline constexpr std::uint64_t remove_directory = 1ULL << 4;
inline constexpr std::uint64_t remove_file = 1ULL << 5;
inline constexpr std::uint64_t make_regular = 1ULL << 8;
inline constexpr std::uint64_t truncate = 1ULL << 14;        ///< from ABI 3 on
inline constexpr std::uint64_t device_control = 1ULL << 15;  ///< from ABI 5 on
inline constexpr std::uint64_t bind_tcp = 1ULL << 0;
inline constexpr std::uint64_t connect_tcp = 1ULL << 1;
inline constexpr std::uint64_t abstract_sockets = 1ULL << 0;
inline constexpr std::uint64_t signals = 1ULL << 1;
}  // namespace landlock

/// What serving needs of the file system, and of other processes.
struct SandboxNeeds {
  std::vector<std::filesystem::path> directories;  ///< listed and read, with all beneath
  /// Read by name, whatever file has it then: a rename puts another in its place, which is a file of their directory.
  std::vector<std::filesystem::path> named_files;
  std::vector<std::filesystem::path> files;         ///< read as they are
  std::vector<std::filesystem::path> logs;          ///< appended to, and made anew where they were
  std::vector<std::filesystem::path> devices;       ///< written to: logs that are no regular files
  std::vector<std::filesystem::path> socket_files;  ///< removed at the end
  bool abstract_sockets = false;                    ///< the service manager listens at one

  bool operator==(const SandboxNeeds&) const = default;
};

/// Rights on a file, or on a directory and all beneath it.
struct SandboxRule {
  std::filesystem::path path;
  std::uint64_t rights = 0;  ///< of the file system

  bool operator==(const SandboxRule&) const = default;
};

/// What is asked of the kernel: everything that is handled and that no rule allows is refused from then on.
struct SandboxPlan {
  std::uint64_t handled_files = 0;
  std::uint64_t handled_network = 0;
  std::uint64_t scoped = 0;
  std::vector<SandboxRule> rules;  ///< one for each path, in the order of paths
};

/// What a kernel of that ABI (1 and more) can be asked for. Pure.
[[nodiscard]] SandboxPlan plan_sandbox(const SandboxNeeds& needs, int abi);

/// The rights of a rule that its file takes: those of directories are no rights on a file (EINVAL). Pure.
[[nodiscard]] std::uint64_t rights_on(bool is_directory, std::uint64_t rights) noexcept;

/// Looks at what a configuration names: kinds of files, where symbolic links lead. `config_file` is empty when there is
/// none; `socket_files` are those of listeners. For start-up.
[[nodiscard]] SandboxNeeds find_sandbox_needs(const Config& config, const std::filesystem::path& config_file,
                                              std::span<const std::filesystem::path> socket_files);

/// The process's confinement. Entered once, cannot be left.
class Sandbox {
 public:
  Sandbox() noexcept = default;
  ~Sandbox();
  Sandbox(const Sandbox&) = delete;
  Sandbox& operator=(const Sandbox&) = delete;

  /// Confines the calling thread and all that it starts from then on, and tries what must be refused now. Sets
  /// no_new_privs even where the kernel has no Landlock. Returns what is wrong, or empty. To be called once, before any
  /// thread is started and after the listeners are open.
  [[nodiscard]] std::string enter(const SandboxNeeds& needs);

  /// Landlock's ABI when the process is confined, else 0.
  [[nodiscard]] int abi() const noexcept { return abi_; }

  /// Whether it is the sandbox that keeps the daemon from reading `path`, a file or directory that its user may read.
  /// Thread-safe; for reloads.
  [[nodiscard]] bool refuses(const std::filesystem::path& path) const noexcept;

 private:
  int abi_ = 0;
  /// Of /proc/self, not closed: a rule is on the inode, and of a directory of procfs that nobody holds the kernel makes
  /// another one.
  int own_process_ = -1;
};

/// The first path that a configuration reads and that the sandbox refuses, as "KEY PATH"; empty when there is none.
[[nodiscard]] std::string find_refused(const Sandbox& sandbox, const Config& config);

}  // namespace ranged::server
