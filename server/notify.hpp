#pragma once
// Telling systemd how the daemon is (sd_notify(3)), without its library.

#include <string_view>

namespace ranged::server {

/// Sends `state` ("READY=1", "STOPPING=1", "RELOADING=1\nMONOTONIC_USEC=...") to the socket in NOTIFY_SOCKET; nothing
/// when there is none. Never waits, never fails.
void notify_service_manager(std::string_view state) noexcept;

}  // namespace ranged::server
