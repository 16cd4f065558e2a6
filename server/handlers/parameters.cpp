#include "server/handlers/parameters.hpp"

#include <algorithm>
#include <limits>

namespace ranged::server {

FileRequest read_file_request(const Exchange& exchange, std::span<const std::string_view> known) {
  FileRequest request;
  auto query = QueryParameters::parse(exchange.target.raw_query);
  if (!query) {
    request.refused = problem_reply(query.error().refusal(), query.error().name);
    return request;
  }
  request.query = std::move(*query);
  if (const auto* const unknown = request.query.first_unknown(known)) {
    request.refused =
        problem_reply(problems::unknown_parameter,
                      "This address takes no such parameter; /openapi.json lists those that it takes.", unknown->name);
    return request;
  }
  if (const std::string* const file = request.query.find("file")) {
    request.name = *file;
  } else {
    request.name = exchange.site->files->roots().only_file();
    if (request.name.empty()) {
      request.refused =
          problem_reply(problems::bad_parameter, "Several files are served here: say which, as after /files/.", "file");
    }
  }
  return request;
}

std::optional<std::uint64_t> read_number(std::string_view text) noexcept {
  constexpr std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t base = 10;
  if (text.starts_with("0x") || text.starts_with("0X")) {
    base = 16;
    text.remove_prefix(2);
  }
  if (text.empty()) return std::nullopt;
  std::uint64_t number = 0;
  for (const char c : text) {
    std::uint64_t digit = 0;
    if (c >= '0' && c <= '9') {
      digit = static_cast<std::uint64_t>(c - '0');
    } else if (base == 16 && c >= 'a' && c <= 'f') {
      digit = static_cast<std::uint64_t>(c - 'a') + 10;
    } else if (base == 16 && c >= 'A' && c <= 'F') {
      digit = static_cast<std::uint64_t>(c - 'A') + 10;
    } else {
      return std::nullopt;
    }
    number = number > (most - digit) / base ? most : number * base + digit;
  }
  return number;
}

std::optional<Window> read_window(std::string_view offset, std::string_view length, std::uint64_t size) noexcept {
  const bool from_end = offset.starts_with('-');
  const std::optional<std::uint64_t> distance = read_number(from_end ? offset.substr(1) : offset);
  const std::optional<std::uint64_t> wanted = read_number(length);
  if (!distance || !wanted) return std::nullopt;
  const std::uint64_t start = from_end ? size - std::min(size, *distance) : *distance;
  if (start >= size) return Window{start, 0};
  return Window{start, std::min(*wanted, size - start)};
}

}  // namespace ranged::server
