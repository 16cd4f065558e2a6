#pragma once
// The served files that are open now, each looked at again at most `stale_after` later (law 5), always on a disk thread
// (law 6).

#include "server/mailbox.hpp"
#include "server/metrics.hpp"
#include "server/roots.hpp"

#include <ranged/http/response_plan.hpp>
#include <ranged/paging/page_id.hpp>
#include <ranged/storage/disk_threads.hpp>

#include <boost/system/result.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

namespace ranged::server {

/// One version of a served file, and what every response about it says. Immutable, shared by all who answer from it;
/// the descriptor is closed with the last.
struct OpenFile {
  std::shared_ptr<LocalFile> source;
  FileKey key;
  std::string entity_tag;             ///< strong, with its quotes
  std::string last_modified;          ///< IMF-fixdate
  std::int64_t modified_seconds = 0;  ///< the same, Unix time
  std::string_view media_type;
  std::string standing_lines;  ///< http::write_standing_lines() of all this

  /// What a response says of it. Views this object.
  [[nodiscard]] http::Representation representation() const noexcept;
};

struct OpenFilesOptions {
  std::chrono::milliseconds stale_after{1000};  ///< 0: looked at for every request
  std::size_t capacity = 1024;                  ///< files kept open beyond those in use
};

/// Made as a shared_ptr only: a look in progress keeps it alive.
class OpenFiles : public std::enable_shared_from_this<OpenFiles> {
 public:
  OpenFiles(std::shared_ptr<const Roots> roots, const OpenFilesOptions& options, DiskExecutor& executor,
            SharedMetrics& metrics) noexcept;
  ~OpenFiles();
  OpenFiles(const OpenFiles&) = delete;
  OpenFiles& operator=(const OpenFiles&) = delete;

  using Handle = std::shared_ptr<const OpenFile>;

  /// The file if it was looked at within stale_after, else null. Past half of that time a look in the background is
  /// started, so that a file in steady use is never waited for. Thread-safe; cost: one lock and one hash.
  [[nodiscard]] Handle find(std::string_view name, std::chrono::steady_clock::time_point now);

  /// The file, opened or looked at again. Those who ask for one name at the same time share one look. Errors: as
  /// DocumentRoot::open_file, queue_full; PagingError::deadline when the disk has not answered by then. (The look goes
  /// on, and others may have its result.)
  Task<boost::system::result<Handle>> open(std::string name, Mailbox* mailbox,
                                           std::chrono::steady_clock::time_point deadline);

  /// Forgets that `name` is `file`, if it still is: reading showed that it has changed. The next open() looks again.
  void forget(std::string_view name, const OpenFile* file);

  /// Closes what was not asked for lately. To be called now and then.
  void sweep(std::chrono::steady_clock::time_point now);

  /// Files kept open now.
  [[nodiscard]] std::size_t size() const;
  [[nodiscard]] const Roots& roots() const noexcept { return *roots_; }

 private:
  // Both are final where they are defined.
  struct Opening;  // NOLINT(cppcoreguidelines-virtual-class-destructor)
  struct Waiter;   // NOLINT(cppcoreguidelines-virtual-class-destructor)
  struct Entry {
    Handle file;
    std::chrono::steady_clock::time_point checked_at{};
    std::chrono::steady_clock::time_point used_at{};
    std::shared_ptr<Opening> opening;  ///< the look in progress, if one is
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>{}(text); }
  };

  boost::system::result<Handle> look(const std::string& name, const Handle& known) const;
  void finish(Opening& opening, boost::system::result<Handle> result, std::chrono::steady_clock::time_point looked_at);
  bool start(const std::shared_ptr<Opening>& opening);
  void make_room(std::chrono::steady_clock::time_point now);

  const std::shared_ptr<const Roots> roots_;
  const OpenFilesOptions options_;
  DiskExecutor* const executor_;
  SharedMetrics* const metrics_;
  mutable std::mutex mutex_;  ///< guards entries_ and the waiters of every Opening; never held during I/O
  std::unordered_map<std::string, Entry, Hash, std::equal_to<>> entries_;
};

}  // namespace ranged::server
