#include "server/handlers/file_facts.hpp"

#include <ranged/http/media_type.hpp>

#include <fmt/format.h>
#include <magic.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <mutex>
#include <string_view>

namespace ranged::server {

namespace {

/// libmagic looks no further than this for most types, and its time grows with what it is given.
constexpr std::size_t magic_bytes = std::size_t{64} << 10;
constexpr std::size_t max_description = 255;

struct MagicDeleter {
  void operator()(magic_set* cookie) const noexcept { ::magic_close(cookie); }
};

/// One database for the process: it takes some megabytes of memory, and law 1 has 16 MiB for everything beside the
/// pool. A cookie serves one call at a time, hence the lock.
class Magic {
 public:
  Magic() noexcept : cookie_(::magic_open(MAGIC_NO_CHECK_COMPRESS | MAGIC_NO_CHECK_TAR | MAGIC_NO_CHECK_ELF)) {
    if (cookie_ && ::magic_load(cookie_.get(), nullptr) != 0) cookie_.reset();
  }

  ContentFacts look(std::span<const std::byte> bytes) {
    ContentFacts facts{std::string(http::default_media_type), {}};
    const std::lock_guard lock(mutex_);
    if (!cookie_) return facts;
    if (const std::string_view type = ask(bytes, MAGIC_MIME_TYPE); type.find('/') != std::string_view::npos) {
      facts.media_type = type;
    }
    facts.description = ask(bytes, MAGIC_NONE).substr(0, max_description);
    return facts;
  }

 private:
  std::string_view ask(std::span<const std::byte> bytes, int what) {
    ::magic_setflags(cookie_.get(), what | MAGIC_NO_CHECK_COMPRESS | MAGIC_NO_CHECK_TAR);
    const char* const answer = ::magic_buffer(cookie_.get(), bytes.data(), bytes.size());
    return answer == nullptr ? std::string_view{} : std::string_view(answer);
  }

  std::mutex mutex_;  ///< guards cookie_ and the texts that it returns
  std::unique_ptr<magic_set, MagicDeleter> cookie_;
};

}  // namespace

ContentFacts facts_of_content(std::span<const std::byte> first_page) noexcept try {
  // Loaded on first use, because most daemons are never asked; function-local, because libmagic's database is a
  // constant of the machine.
  static Magic magic;
  return magic.look(first_page.first(std::min(first_page.size(), magic_bytes)));
} catch (const std::exception&) {
  return {std::string(http::default_media_type), {}};
}

std::vector<std::filesystem::path> magic_files() {
  // libmagic(3): names between colons, of each of which the compiled form (.mgc) is preferred.
  std::vector<std::filesystem::path> files;
  const char* const names = ::magic_getpath(nullptr, 0);
  std::string_view rest = names != nullptr ? names : "";
  while (!rest.empty()) {
    const std::string name(rest.substr(0, rest.find(':')));
    rest.remove_prefix(std::min(name.size() + 1, rest.size()));
    if (name.empty()) continue;
    files.emplace_back(name);
    files.emplace_back(name + ".mgc");
  }
  return files;
}

std::string format_timestamp(std::int64_t nanoseconds) {
  // Not gmtime_r(), which reads the time zone's file when it is first called.
  const std::chrono::sys_time<std::chrono::nanoseconds> time{std::chrono::nanoseconds(nanoseconds)};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:09}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(),
                     clock.minutes().count(), clock.seconds().count(), clock.subseconds().count());
}

}  // namespace ranged::server
