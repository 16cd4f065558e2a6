#pragma once
// The process's own figures, from /proc/self.

#include <dirent.h>

#include <cstdint>
#include <memory>
#include <mutex>

namespace ranged::server {

/// Zeros where /proc is not to be had.
struct ProcessFigures {
  std::uint64_t resident_bytes = 0;
  std::uint64_t open_descriptors = 0;
  std::uint64_t max_descriptors = 0;
  double cpu_seconds = 0;
};

/// Keeps what it reads from open, so that it has figures when they matter most: without a descriptor left. Thread-safe.
class ProcessMonitor {
 public:
  /// To be made at the start, while there are descriptors.
  ProcessMonitor() noexcept;
  ~ProcessMonitor();
  ProcessMonitor(const ProcessMonitor&) = delete;
  ProcessMonitor& operator=(const ProcessMonitor&) = delete;

  [[nodiscard]] ProcessFigures read() noexcept;

 private:
  std::mutex mutex_;  ///< guards the position in directory_
  std::unique_ptr<DIR, int (*)(DIR*)> directory_;
  int statm_;
};

}  // namespace ranged::server
