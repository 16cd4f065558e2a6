#pragma once
// One connection from its acceptance to its end: read a head, admit it, route it, answer it, again.

#include "server/task.hpp"

#include <memory>

namespace ranged::server {

class Worker;
struct Client;

/// Serves one connection; returns when it is closed. While it waits for a request it holds nothing but itself and
/// `client`.
Task<void> serve_client(Worker* worker, std::unique_ptr<Client> client);

}  // namespace ranged::server
