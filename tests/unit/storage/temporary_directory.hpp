#pragma once
// What the tests of storage share: a directory that goes away, and a check that no descriptor stays open.

#include <doctest/doctest.h>

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <string>
#include <string_view>
#include <system_error>

namespace ranged::testing {

/// An empty directory, removed with its contents at the end.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "ranged-storage-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::system_error(errno, std::generic_category(), "mkdtemp");
    path_ = pattern;
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] std::filesystem::path operator/(std::string_view name) const { return path_ / name; }

  /// Makes a file with `contents`, then, when `size` is larger, extends it with a hole.
  std::filesystem::path file(std::string_view name, std::string_view contents, std::uint64_t size = 0) const {
    const std::filesystem::path path = path_ / name;
    const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    REQUIRE(descriptor >= 0);
    REQUIRE(::write(descriptor, contents.data(), contents.size()) == static_cast<ssize_t>(contents.size()));
    if (size > contents.size()) REQUIRE(::ftruncate(descriptor, static_cast<off_t>(size)) == 0);
    ::close(descriptor);
    return path;
  }

 private:
  std::filesystem::path path_;
};

inline std::ptrdiff_t open_descriptors() {
  const std::filesystem::directory_iterator open("/proc/self/fd");
  return std::distance(begin(open), end(open));
}

/// Checks at its end that as many descriptors are open as at its start.
class DescriptorLeakCheck {
 public:
  DescriptorLeakCheck() : before_(open_descriptors()) {}
  ~DescriptorLeakCheck() { CHECK(open_descriptors() == before_); }
  DescriptorLeakCheck(const DescriptorLeakCheck&) = delete;
  DescriptorLeakCheck& operator=(const DescriptorLeakCheck&) = delete;

 private:
  std::ptrdiff_t before_;
};

/// While it lives, no descriptor can be opened beyond `spare` more than are open now.
class DescriptorShortage {
 public:
  explicit DescriptorShortage(int spare) {
    // The limit is on the number of the next descriptor, so the free numbers below the highest are what counts.
    const int lowest = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    REQUIRE(lowest >= 0);
    ::close(lowest);
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &before_) == 0);
    const rlimit scarce{static_cast<rlim_t>(lowest + spare), before_.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &scarce) == 0);
  }
  ~DescriptorShortage() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  DescriptorShortage(const DescriptorShortage&) = delete;
  DescriptorShortage& operator=(const DescriptorShortage&) = delete;

 private:
  rlimit before_{};
};

/// While it lives, a process of root's is somebody without privileges, so that file modes mean something.
class WithoutPrivileges {
 public:
  WithoutPrivileges() : user_(::geteuid()) {
    if (user_ == 0) REQUIRE(::seteuid(65534) == 0);
  }
  ~WithoutPrivileges() {
    if (user_ == 0) static_cast<void>(::seteuid(user_) == 0);
  }
  WithoutPrivileges(const WithoutPrivileges&) = delete;
  WithoutPrivileges& operator=(const WithoutPrivileges&) = delete;

 private:
  uid_t user_;
};

}  // namespace ranged::testing
