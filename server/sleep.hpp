#pragma once
// Waiting for time to pass.

#include "server/task.hpp"

#include <chrono>

namespace ranged::server {

/// Suspends the coroutine for that long, at least. Cost: a timer; not for the path of every request (README.md, rule
/// 5).
Task<void> sleep_for(std::chrono::milliseconds time);

}  // namespace ranged::server
