#include "server/open_files.hpp"

#include <ranged/http/entity_tag.hpp>
#include <ranged/http/http_date.hpp>
#include <ranged/http/media_type.hpp>
#include <ranged/paging/paging_error.hpp>

#include <array>
#include <new>
#include <utility>

namespace ranged::server {

using std::chrono::steady_clock;

/// A coroutine that waits for a look in progress.
struct OpenFiles::Waiter final : Letter, LetterDeadline {
  Waiter(OpenFiles& files, Mailbox& box) noexcept : owner(&files), mailbox(&box) {}
  void open() override { resumption.resume(); }
  void expire() override;

  OpenFiles* owner;
  Mailbox* mailbox;
  std::shared_ptr<Opening> opening;  ///< what is waited for
  Resumption resumption;
  boost::system::result<Handle> result{make_error_code(StorageError::queue_full)};
  Waiter* next = nullptr;
};

/// One look at one name on a disk thread.
struct OpenFiles::Opening final : DiskTask {
  Opening(std::shared_ptr<OpenFiles> files, std::string file_name, Handle known_file)
      : owner(std::move(files)), name(std::move(file_name)), known(std::move(known_file)) {}

  void run() noexcept override {
    // The name was looked at no earlier than this, whatever the disk took.
    const auto looked_at = steady_clock::now();
    const std::shared_ptr<OpenFiles> files = owner;  // finish() may destroy this object
    boost::system::result<Handle> result = looked_up();
    files->finish(*this, std::move(result), looked_at);
  }

  boost::system::result<Handle> looked_up() const noexcept try {
    return owner->look(name, known);
  } catch (const std::bad_alloc&) {
    return make_error_code(boost::system::errc::not_enough_memory);
  }

  std::shared_ptr<OpenFiles> owner;  ///< a reload may have replaced it meanwhile
  std::string name;
  Handle known;
  Waiter* waiters = nullptr;
  std::shared_ptr<Opening> self;  ///< keeps it alive while it is with the executor
};

void OpenFiles::Waiter::expire() {
  {
    const std::lock_guard lock(owner->mutex_);
    Waiter** place = &opening->waiters;
    while (*place != nullptr && *place != this) place = &(*place)->next;
    if (*place == nullptr) return;  // it has its result: the letter is on its way
    *place = next;
  }
  result = make_error_code(PagingError::deadline);
  resumption.resume();
}

http::Representation OpenFile::representation() const noexcept {
  http::Representation representation;
  representation.size = key.version().size;
  representation.entity_tag = entity_tag;
  representation.last_modified = modified_seconds;
  representation.last_modified_text = last_modified;
  representation.media_type = media_type;
  representation.standing_lines = standing_lines;
  return representation;
}

OpenFiles::OpenFiles(std::shared_ptr<const Roots> roots, const OpenFilesOptions& options, DiskExecutor& executor,
                     SharedMetrics& metrics) noexcept
    : roots_(std::move(roots)), options_(options), executor_(&executor), metrics_(&metrics) {}

OpenFiles::~OpenFiles() = default;

OpenFiles::Handle OpenFiles::find(std::string_view name, steady_clock::time_point now) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(name);
  if (found == entries_.end() || !found->second.file) return nullptr;
  Entry& entry = found->second;
  const auto age = now - entry.checked_at;
  if (age >= options_.stale_after) return nullptr;
  entry.used_at = now;
  if (age >= options_.stale_after / 2 && !entry.opening) {
    entry.opening = std::make_shared<Opening>(shared_from_this(), found->first, entry.file);
    if (!start(entry.opening)) entry.opening.reset();
  }
  return entry.file;
}

Task<boost::system::result<OpenFiles::Handle>> OpenFiles::open(std::string name, Mailbox* mailbox,
                                                               steady_clock::time_point deadline) {
  const std::shared_ptr<OpenFiles> self = shared_from_this();
  Waiter waiter(*this, *mailbox);
  {
    const std::lock_guard lock(mutex_);
    std::shared_ptr<Opening> opening;
    if (options_.stale_after.count() == 0) {
      // Nothing may be older than the request itself, so a look that has begun is of no use to it.
      opening = std::make_shared<Opening>(shared_from_this(), std::move(name), nullptr);
    } else {
      Entry& entry = entries_[name];
      entry.used_at = steady_clock::now();
      if (entry.opening) {
        waiter.opening = entry.opening;
        waiter.next = std::exchange(entry.opening->waiters, &waiter);
      } else {
        opening = std::make_shared<Opening>(shared_from_this(), std::move(name), entry.file);
        entry.opening = opening;
      }
    }
    if (opening) {
      waiter.opening = opening;
      opening->waiters = &waiter;
      if (!start(opening)) {
        if (const auto found = entries_.find(opening->name);
            found != entries_.end() && found->second.opening == opening) {
          found->second.opening.reset();
          if (!found->second.file) entries_.erase(found);
        }
        co_return make_error_code(StorageError::queue_full);
      }
    }
  }
  mailbox->expire_at(waiter, deadline);
  co_await waiter.resumption.wait();
  co_return std::move(waiter.result);
}

bool OpenFiles::start(const std::shared_ptr<Opening>& opening) {
  opening->self = opening;
  opening->set_disk(opening->known ? opening->known->key.version().device : roots_->device_of(opening->name));
  if (executor_->submit(*opening)) return true;
  opening->self.reset();
  return false;
}

boost::system::result<OpenFiles::Handle> OpenFiles::look(const std::string& name, const Handle& known) const {
  boost::system::result<std::unique_ptr<LocalFile>> opened = roots_->open_file(name);
  if (!opened) return opened.error();
  const FileVersion version = (*opened)->version();
  if (known && known->key.instance() == 0 && known->key.version() == version) return known;

  auto file = std::make_shared<OpenFile>();
  const bool racy = is_racily_clean(version, std::chrono::system_clock::now());
  file->key = FileKey(version, racy ? next_file_instance() : 0);
  file->source = std::move(*opened);
  file->entity_tag =
      http::make_entity_tag(version.device, version.inode, version.size, version.modified_ns, version.changed_ns);
  file->modified_seconds = http::floor_to_seconds(version.modified_ns);
  file->last_modified = http::format_http_date(file->modified_seconds);
  file->media_type = http::media_type_for(name);
  std::array<char, 512> room;
  http::HeaderWriter writer(room);
  http::write_standing_lines(file->representation(), writer);
  if (!writer.failed()) file->standing_lines = writer.text();
  return Handle(std::move(file));
}

void OpenFiles::finish(Opening& opening, boost::system::result<Handle> result, steady_clock::time_point looked_at) {
  (result ? metrics_->file_opens : metrics_->file_open_errors).fetch_add(1, std::memory_order_relaxed);
  const bool racy = result && (*result)->key.instance() != 0;
  if (racy) metrics_->racily_clean_opens.fetch_add(1, std::memory_order_relaxed);

  Waiter* waiters = nullptr;
  std::shared_ptr<Opening> self = std::move(opening.self);  // freed after the lock
  Handle replaced;
  {
    const std::lock_guard lock(mutex_);
    waiters = std::exchange(opening.waiters, nullptr);
    const auto found = entries_.find(opening.name);
    if (found != entries_.end() && found->second.opening == self) {
      found->second.opening.reset();
      // What is racily clean is not kept: the next request looks again (law 5).
      if (result && !racy) {
        replaced = std::exchange(found->second.file, *result);
        found->second.checked_at = looked_at;
        if (entries_.size() > options_.capacity) make_room(looked_at);
      } else {
        replaced = std::move(found->second.file);
        entries_.erase(found);
      }
    }
  }
  while (waiters != nullptr) {
    Waiter* const waiter = waiters;
    waiters = waiter->next;
    waiter->result = result;
    waiter->mailbox->deliver(*waiter);  // may end its life at once
  }
}

void OpenFiles::forget(std::string_view name, const OpenFile* file) {
  Handle forgotten;  // freed after the lock
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(name);
  if (found == entries_.end() || found->second.file.get() != file) return;
  if (found->second.opening) {
    forgotten = std::move(found->second.file);
  } else {
    forgotten = std::move(found->second.file);
    entries_.erase(found);
  }
}

void OpenFiles::make_room(steady_clock::time_point now) {
  // Called with mutex_ held. Takes the least lately used of a few: entries are many only when clients walk many files.
  auto victim = entries_.end();
  int looked_at = 0;
  for (auto it = entries_.begin(); it != entries_.end() && looked_at < 64; ++it) {
    if (it->second.opening) continue;
    ++looked_at;
    if (now - it->second.used_at < options_.stale_after && victim != entries_.end()) continue;
    if (victim == entries_.end() || it->second.used_at < victim->second.used_at) victim = it;
  }
  if (victim != entries_.end()) entries_.erase(victim);
}

void OpenFiles::sweep(steady_clock::time_point now) {
  // Descriptors are closed after the lock. A sweep takes what it has room for; the next one goes on.
  std::array<Handle, 256> closed;
  std::size_t count = 0;
  const std::lock_guard lock(mutex_);
  for (auto it = entries_.begin(); it != entries_.end() && count < closed.size();) {
    const auto next = std::next(it);
    if (!it->second.opening && now - it->second.used_at > 2 * options_.stale_after) {
      closed[count++] = std::move(it->second.file);
      entries_.erase(it);
    }
    it = next;
  }
}

std::size_t OpenFiles::size() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

}  // namespace ranged::server
