#include "server/config_machine.hpp"

#include "server/config.hpp"

#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ranged::server {
namespace {

/// Version 1 says "no limit" with the largest multiple of a page below 2^63.
constexpr std::uint64_t unlimited = std::uint64_t{1} << 62;

std::optional<std::string> first_line(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  return line;
}

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// The group's folder and those above it, up to the mount. In a container the path may lead above what is mounted: then
/// only the mount.
std::vector<std::filesystem::path> folders(const std::filesystem::path& mount, std::string_view group) {
  std::vector<std::filesystem::path> found{mount};
  std::filesystem::path folder = mount;
  for (const std::filesystem::path& part : std::filesystem::path(group).relative_path()) {
    if (part == "..") return {mount};
    folder /= part;
    found.push_back(folder);
  }
  return found;
}

void tighten(std::uint64_t& limit, std::uint64_t value) {
  if (value < unlimited && value > 0) limit = limit == 0 ? value : std::min(limit, value);
}

void tighten_cores(unsigned& limit, std::uint64_t quota, std::uint64_t period) {
  if (quota == 0 || period == 0) return;
  const std::uint64_t cores =
      std::min<std::uint64_t>((quota + period - 1) / period, std::numeric_limits<unsigned>::max());
  limit = limit == 0 ? static_cast<unsigned>(cores) : std::min(limit, static_cast<unsigned>(cores));
}

bool has_controller(std::string_view list, std::string_view name) {
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    if (list.substr(0, comma) == name) return true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

}  // namespace

ControlGroupLimits read_control_group_limits(const std::filesystem::path& root) {
  ControlGroupLimits limits;
  const std::filesystem::path mounts = root / "sys/fs/cgroup";
  std::ifstream groups(root / "proc/self/cgroup");
  std::string line;
  // cgroups(7): "ID:CONTROLLERS:PATH"; version 2 has ID 0 and no controllers.
  while (std::getline(groups, line)) {
    const std::string_view text = line;
    const std::size_t first = text.find(':');
    const std::size_t second = first == std::string_view::npos ? first : text.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    const std::string_view controllers = text.substr(first + 1, second - first - 1);
    const std::string_view group = text.substr(second + 1);
    if (controllers.empty()) {
      for (const std::filesystem::path& folder : folders(mounts, group)) {
        if (const auto memory = first_line(folder / "memory.max")) tighten(limits.memory, number(*memory).value_or(0));
        if (const auto cpu = first_line(folder / "cpu.max")) {
          const std::size_t space = cpu->find(' ');
          if (space == std::string::npos) continue;
          tighten_cores(limits.cores, number(std::string_view(*cpu).substr(0, space)).value_or(0),
                        number(std::string_view(*cpu).substr(space + 1)).value_or(0));
        }
      }
    }
    if (has_controller(controllers, "memory")) {
      for (const std::filesystem::path& folder : folders(mounts / "memory", group)) {
        if (const auto memory = first_line(folder / "memory.limit_in_bytes")) {
          tighten(limits.memory, number(*memory).value_or(0));
        }
      }
    }
    if (has_controller(controllers, "cpu")) {
      for (const std::filesystem::path& folder : folders(mounts / "cpu", group)) {
        const auto quota = first_line(folder / "cpu.cfs_quota_us");
        const auto period = first_line(folder / "cpu.cfs_period_us");
        if (quota && period) tighten_cores(limits.cores, number(*quota).value_or(0), number(*period).value_or(0));
      }
    }
  }
  return limits;
}

Machine this_machine() {
  Machine machine;
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  if (::sched_getaffinity(0, sizeof(cpus), &cpus) == 0)
    machine.cores = static_cast<unsigned>(std::max(CPU_COUNT(&cpus), 1));
  rlimit descriptors{};
  if (::getrlimit(RLIMIT_NOFILE, &descriptors) == 0) {
    // An infinite limit still ends somewhere; a million is what Linux gives at most by default (fs.nr_open).
    constexpr rlim_t most = 1'048'576;
    machine.descriptors = static_cast<std::size_t>(std::min(descriptors.rlim_max, most));
  }
  const long cache = ::sysconf(_SC_LEVEL2_CACHE_SIZE);  // 0 or -1 where the processor does not say
  if (cache > 0) machine.core_cache = static_cast<std::uint64_t>(cache);
  const ControlGroupLimits limits = read_control_group_limits();
  machine.memory_limit = limits.memory;
  if (limits.cores != 0) machine.cores = std::min(machine.cores, limits.cores);
  return machine;
}

}  // namespace ranged::server
