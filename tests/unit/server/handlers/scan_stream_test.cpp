#include "server/handlers/scan_stream.hpp"

#include <doctest/doctest.h>

#include <new>
#include <string>
#include <thread>

namespace ranged::server {
namespace {

/// Notes what a step gives it, and does what it is told.
class RecordingScan final : public Scan {
 public:
  enum class End { paused, complete, failed, out_of_memory };

  boost::system::result<ScanState> work(const ScanStep& step) override {
    begun = Clock::now();
    seen = step;
    switch (end) {
      case End::paused:
        return ScanState::paused;
      case End::complete:
        return ScanState::complete;
      case End::failed:
        return make_error_code(boost::system::errc::io_error);
      case End::out_of_memory:
        break;
    }
    throw std::bad_alloc();
  }
  [[nodiscard]] std::uint64_t scanned() const noexcept override { return 0; }
  [[nodiscard]] std::uint64_t total() const noexcept override { return 0; }
  [[nodiscard]] std::uint64_t bytes_read() const noexcept override { return 0; }

  End end = End::paused;
  Clock::time_point begun;
  ScanStep seen;
};

/// Runs the step as a scan thread would: it gives way to all others from then on, which this thread is not to.
boost::system::result<ScanState> run(ScanStepCall& call) {
  boost::system::result<ScanState> done = ScanState::paused;
  std::thread([&] { done = call(); }).join();
  return done;
}

TEST_CASE("the time of a step begins when it runs, however long it has waited for its turn") {
  RecordingScan scan;
  std::string records;
  ScanStepCall call(&scan, &records, nullptr, true);
  for (int turn = 0; turn < 3; ++turn) {
    const Clock::time_point before = Clock::now();
    REQUIRE(run(call).value() == ScanState::paused);
    // It has all of its time, though it was made, and may have run, before.
    CHECK(scan.seen.deadline > before + ScanStepCall::time);
    CHECK(scan.seen.deadline <= scan.begun + ScanStepCall::time);
  }
  CHECK(scan.seen.records == &records);
  CHECK(scan.seen.half_closed);
}

TEST_CASE("a step gives what the scan gave, and its lack of memory as an error") {
  RecordingScan scan;
  std::string records;
  ScanStepCall call(&scan, &records, nullptr, false);
  scan.end = RecordingScan::End::complete;
  CHECK(run(call).value() == ScanState::complete);
  scan.end = RecordingScan::End::failed;
  CHECK(run(call).error() == boost::system::errc::io_error);
  scan.end = RecordingScan::End::out_of_memory;
  CHECK(run(call).error() == boost::system::errc::not_enough_memory);
}

}  // namespace
}  // namespace ranged::server
