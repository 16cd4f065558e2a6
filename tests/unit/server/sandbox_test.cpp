#include "server/sandbox.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>

namespace {

using namespace ranged::server;

std::uint64_t rights_of(const SandboxPlan& plan, const std::filesystem::path& path) {
  const auto found = std::ranges::find(plan.rules, path, &SandboxRule::path);
  return found == plan.rules.end() ? 0 : found->rights;
}

bool contains(const std::vector<std::filesystem::path>& paths, const std::filesystem::path& path) {
  return std::ranges::find(paths, path) != paths.end();
}

class TemporaryDirectory {
 public:
  TemporaryDirectory() : path_(std::filesystem::temp_directory_path() / "ranged-sandbox-XXXXXX") {
    std::string name = path_.string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace

TEST_CASE("each ABI handles all rights that it knows") {
  // linux/landlock.h: the highest right of each ABI.
  const std::pair<int, std::uint64_t> highest[] = {{1, 12}, {2, 13}, {3, 14}, {4, 14}, {5, 15}, {6, 15}, {7, 15}};
  for (const auto& [abi, bit] : highest) {
    CAPTURE(abi);
    const SandboxPlan plan = plan_sandbox({}, abi);
    CHECK(plan.handled_files == (std::uint64_t{2} << bit) - 1);
    CHECK(plan.handled_network == (abi >= 4 ? landlock::bind_tcp | landlock::connect_tcp : 0));
    CHECK(plan.scoped == (abi >= 6 ? landlock::abstract_sockets | landlock::signals : 0));
    CHECK(plan.rules.empty());
  }
}

TEST_CASE("what is served is read and nothing more") {
  SandboxNeeds needs;
  needs.directories = {"/srv/disks"};
  needs.named_files = {"/var/images/disk.img", "here.img", "/top.img"};
  needs.files = {"/dev/null"};
  const SandboxPlan plan = plan_sandbox(needs, 7);
  CHECK(rights_of(plan, "/srv/disks") == (landlock::read_file | landlock::read_directory));
  CHECK(rights_of(plan, "/var/images") == landlock::read_file);
  CHECK(rights_of(plan, "/var/images/disk.img") == 0);  // another file may take its name
  CHECK(rights_of(plan, ".") == landlock::read_file);
  CHECK(rights_of(plan, "/") == landlock::read_file);
  CHECK(rights_of(plan, "/dev/null") == landlock::read_file);
  CHECK(plan.rules.size() == 5);
}

TEST_CASE("nothing but logs is written, nothing but socket files removed") {
  SandboxNeeds needs;
  needs.directories = {"/srv"};
  needs.logs = {"/var/log/ranged/access.log"};
  needs.devices = {"/dev/tty"};
  needs.socket_files = {"/run/ranged/socket"};
  const SandboxPlan plan = plan_sandbox(needs, 7);
  CHECK(rights_of(plan, "/var/log/ranged") == (landlock::write_file | landlock::make_regular));
  CHECK(rights_of(plan, "/var/log/ranged/access.log") == landlock::write_file);
  CHECK(rights_of(plan, "/dev/tty") == landlock::write_file);
  CHECK(rights_of(plan, "/dev") == 0);
  CHECK(rights_of(plan, "/run/ranged") == landlock::remove_file);
  CHECK(rights_of(plan, "/srv") == (landlock::read_file | landlock::read_directory));
  for (const SandboxRule& rule : plan.rules) CHECK((rule.rights & landlock::execute) == 0);
}

TEST_CASE("needs of one path add up") {
  SandboxNeeds needs;
  needs.directories = {"/data"};
  needs.logs = {"/data/access.log"};
  needs.socket_files = {"/data/socket"};
  const SandboxPlan plan = plan_sandbox(needs, 1);
  CHECK(rights_of(plan, "/data") == (landlock::read_file | landlock::read_directory | landlock::write_file |
                                     landlock::make_regular | landlock::remove_file));
  CHECK(std::ranges::count(plan.rules, std::filesystem::path("/data"), &SandboxRule::path) == 1);
}

TEST_CASE("a service manager at an abstract socket can still be told") {
  SandboxNeeds needs;
  needs.abstract_sockets = true;
  CHECK(plan_sandbox(needs, 6).scoped == landlock::signals);
}

TEST_CASE("a file takes no rights of directories") {
  const std::uint64_t rights = landlock::read_file | landlock::read_directory | landlock::write_file |
                               landlock::make_regular | landlock::remove_file;
  CHECK(rights_on(false, rights) == (landlock::read_file | landlock::write_file));
  CHECK(rights_on(true, rights) == rights);
}

TEST_CASE("needs are found in the configuration") {
  const TemporaryDirectory directory;
  const std::filesystem::path& path = directory.path();
  std::filesystem::create_directory(path / "served");
  std::filesystem::create_directory(path / "archive");
  for (const char* name : {"disk.img", "archive/certificate1.pem", "access.log"}) std::ofstream(path / name) << "x";
  std::filesystem::create_symlink(path / "archive/certificate1.pem", path / "certificate.pem");
  Config config;
  config.roots = {{"a", path / "served"}, {"b", path / "disk.img"}};
  config.tls_certificate = path / "certificate.pem";
  config.auth_token_file = path / "tokens";
  config.access_log = path / "access.log";
  const std::filesystem::path socket = path / "socket";

  const SandboxNeeds needs = find_sandbox_needs(config, path / "ranged.json", {&socket, 1});
  CHECK(contains(needs.directories, path / "served"));
  CHECK(contains(needs.directories, "/proc/self"));
  CHECK(needs.directories.size() == 2);
  for (const char* name : {"disk.img", "certificate.pem", "archive/certificate1.pem", "tokens", "ranged.json"}) {
    CAPTURE(name);
    CHECK(contains(needs.named_files, path / name));
  }
  CHECK(contains(needs.files, "/dev/null"));
  CHECK(needs.logs == std::vector<std::filesystem::path>{path / "access.log"});
  CHECK(needs.devices.empty());
  CHECK(needs.socket_files == std::vector<std::filesystem::path>{socket});

  SUBCASE("a log that is a device is not made anew") {
    config.access_log = "/dev/null";
    const SandboxNeeds found = find_sandbox_needs(config, {}, {});
    CHECK(found.logs.empty());
    CHECK(found.devices == std::vector<std::filesystem::path>{"/dev/null"});
  }
  SUBCASE("no log, or standard output, needs nothing") {
    for (const char* target : {"off", "-"}) {
      config.access_log = target;
      const SandboxNeeds found = find_sandbox_needs(config, {}, {});
      CHECK(found.logs.empty());
      CHECK(found.devices.empty());
    }
  }
}

TEST_CASE("a sandbox that was not entered refuses nothing") {
  const Sandbox sandbox;
  CHECK(sandbox.abi() == 0);
  CHECK_FALSE(sandbox.refuses("/etc/shadow"));
  Config config;
  config.roots = {{"", "/"}};
  CHECK(find_refused(sandbox, config).empty());
}
