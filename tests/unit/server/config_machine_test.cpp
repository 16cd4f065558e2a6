#include "server/config_machine.hpp"

#include "server/config.hpp"

#include <doctest/doctest.h>

#include <stdlib.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>

namespace ranged::server {
namespace {

/// A folder that stands for "/".
class FakeRoot {
 public:
  FakeRoot() {
    std::string name = (std::filesystem::temp_directory_path() / "ranged-machine-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~FakeRoot() { std::filesystem::remove_all(path_); }
  FakeRoot(const FakeRoot&) = delete;
  FakeRoot& operator=(const FakeRoot&) = delete;

  void write(const std::filesystem::path& name, const std::string& text) const {
    std::filesystem::create_directories((path_ / name).parent_path());
    std::ofstream(path_ / name) << text;
  }
  [[nodiscard]] ControlGroupLimits limits() const { return read_control_group_limits(path_); }

 private:
  std::filesystem::path path_;
};

TEST_CASE("without control groups there is no limit") {
  const FakeRoot root;
  CHECK(root.limits().memory == 0);
  CHECK(root.limits().cores == 0);
}

TEST_CASE("version 2: the tightest limit on the way up counts") {
  const FakeRoot root;
  root.write("proc/self/cgroup", "0::/system.slice/ranged.service\n");
  root.write("sys/fs/cgroup/system.slice/memory.max", "134217728\n");
  root.write("sys/fs/cgroup/system.slice/ranged.service/memory.max", "268435456\n");
  root.write("sys/fs/cgroup/system.slice/cpu.max", "max 100000\n");
  root.write("sys/fs/cgroup/system.slice/ranged.service/cpu.max", "150000 100000\n");
  CHECK(root.limits().memory == 134217728);
  CHECK(root.limits().cores == 2);
}

TEST_CASE("version 2 in a container: the mount itself is the group") {
  const FakeRoot root;
  root.write("proc/self/cgroup", "0::/\n");
  root.write("sys/fs/cgroup/memory.max", "max\n");
  root.write("sys/fs/cgroup/cpu.max", "400000 100000\n");
  CHECK(root.limits().memory == 0);
  CHECK(root.limits().cores == 4);
}

TEST_CASE("a group above the mount is looked for nowhere else") {
  const FakeRoot root;
  root.write("proc/self/cgroup", "0::/../outside\n");
  root.write("sys/fs/cgroup/memory.max", "1048576\n");
  root.write("sys/fs/outside/memory.max", "1\n");
  CHECK(root.limits().memory == 1048576);
}

TEST_CASE("version 1: each controller has a tree of its own") {
  const FakeRoot root;
  root.write("proc/self/cgroup", "5:cpu,cpuacct:/a\n4:memory:/a/b\n3:devices:/\nnonsense\n");
  root.write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  root.write("sys/fs/cgroup/memory/a/memory.limit_in_bytes", "1073741824\n");
  root.write("sys/fs/cgroup/memory/a/b/memory.limit_in_bytes", "536870912\n");
  root.write("sys/fs/cgroup/cpu/a/cpu.cfs_quota_us", "-1\n");
  root.write("sys/fs/cgroup/cpu/a/cpu.cfs_period_us", "100000\n");
  CHECK(root.limits().memory == 536870912);
  CHECK(root.limits().cores == 0);
  root.write("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "50000\n");
  root.write("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  CHECK(root.limits().cores == 1);
}

TEST_CASE("files that make no sense are no limit") {
  const FakeRoot root;
  root.write("proc/self/cgroup", "0::/\n::::\n");
  root.write("sys/fs/cgroup/memory.max", "-5 or so\n");
  root.write("sys/fs/cgroup/cpu.max", "100000\n");
  CHECK(root.limits().memory == 0);
  CHECK(root.limits().cores == 0);
}

TEST_CASE("this machine has a core and descriptors") {
  const Machine machine = this_machine();
  CHECK(machine.cores >= 1);
  CHECK(machine.descriptors >= 16);
  CHECK(machine.core_cache < (std::uint64_t{1} << 40));
}

}  // namespace
}  // namespace ranged::server
