#pragma once
// config/openapi.json, embedded at build time.

#include <string_view>

namespace ranged::server {

/// The API's description in OpenAPI 3.1. Lives as long as the program.
[[nodiscard]] std::string_view openapi_document() noexcept;

}  // namespace ranged::server
