#pragma once
// What the control group allows this process, version 1 and 2.

#include <cstdint>
#include <filesystem>

namespace ranged::server {

struct ControlGroupLimits {
  std::uint64_t memory = 0;  ///< bytes; 0: no limit
  unsigned cores = 0;        ///< CPU quota, rounded up; 0: no limit
};

/// Reads /proc/self/cgroup and what it points to beneath /sys/fs/cgroup; the tightest limit on the way up counts.
/// `root` stands for "/" (tests). Never fails: what cannot be read is no limit.
[[nodiscard]] ControlGroupLimits read_control_group_limits(const std::filesystem::path& root = "/");

}  // namespace ranged::server
