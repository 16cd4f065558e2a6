#include "server/process_figures.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <string_view>

namespace ranged::server {

namespace {

/// The second number of /proc/self/statm (proc(5)): resident pages. 0 when it cannot be read.
std::uint64_t resident_pages(int statm) noexcept {
  char text[128];
  const ssize_t size = ::pread(statm, text, sizeof text, 0);
  if (size <= 0) return 0;
  const std::string_view numbers(text, static_cast<std::size_t>(size));
  const std::size_t space = numbers.find(' ');
  std::uint64_t pages = 0;
  if (space != std::string_view::npos) std::from_chars(text + space + 1, text + size, pages);
  return pages;
}

}  // namespace

ProcessMonitor::ProcessMonitor() noexcept
    : directory_(::opendir("/proc/self/fd"), &::closedir), statm_(::open("/proc/self/statm", O_RDONLY | O_CLOEXEC)) {}

ProcessMonitor::~ProcessMonitor() {
  if (statm_ >= 0) ::close(statm_);
}

ProcessFigures ProcessMonitor::read() noexcept {
  ProcessFigures figures;
  figures.resident_bytes = resident_pages(statm_) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  if (directory_) {
    const std::lock_guard lock(mutex_);
    ::rewinddir(directory_.get());
    while (::readdir(directory_.get()) != nullptr) ++figures.open_descriptors;  // NOLINT(concurrency-mt-unsafe): locked
    figures.open_descriptors -= std::min<std::uint64_t>(figures.open_descriptors, 2);  // "." and ".."
  }
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) figures.max_descriptors = limit.rlim_cur;
  rusage usage{};
  if (::getrusage(RUSAGE_SELF, &usage) == 0) {
    const auto seconds = [](const timeval& time) {
      return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
    };
    figures.cpu_seconds = seconds(usage.ru_utime) + seconds(usage.ru_stime);
  }
  return figures;
}

}  // namespace ranged::server
