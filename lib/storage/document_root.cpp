#include <ranged/storage/document_root.hpp>
#include <ranged/storage/file_descriptor.hpp>

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sys/syscall.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <new>
#include <optional>
#include <string>
#include <utility>

namespace ranged {
namespace {

using boost::system::error_code;
using boost::system::result;
using detail::FileDescriptor;
using detail::opening_error;

// path_resolution(7): the kernel's own limit of symbolic links in one name.
constexpr int max_links = 40;
// openat2(2), EAGAIN: a rename or mount elsewhere raced with a '..'. Each attempt fails only when it meets another one.
constexpr int max_attempts = 64;

constexpr int path_flags = O_PATH | O_CLOEXEC;

error_code system_error(int error) noexcept {
  return {error, boost::system::system_category()};
}

// README.md, rule 2: which names may be asked for at all. Whether they exist is another matter.
bool may_be_asked_for(std::string_view name, bool hidden) noexcept {
  if (name.empty() || name.size() >= PATH_MAX || name.find('\0') != name.npos) return false;
  for (std::size_t begin = 0; begin <= name.size();) {
    const std::size_t end = std::min(name.find('/', begin), name.size());
    const std::string_view component = name.substr(begin, end - begin);
    if (component.empty() || component == "." || component == "..") return false;
    if (!hidden && component.front() == '.') return false;
    begin = end + 1;
  }
  return true;
}

result<std::string> read_link(int path_only) {
  char target[PATH_MAX];
  const ssize_t length = ::readlinkat(path_only, "", target, sizeof target);
  if (length < 0) return system_error(errno);
  if (static_cast<std::size_t>(length) == sizeof target) return system_error(ENAMETOOLONG);
  return std::string(target, static_cast<std::size_t>(length));
}

// Resolution without openat2 (README.md, rule 3): one component at a time, following links itself. No '..' is ever
// given to the kernel: after one, the directory is found again from the root by the names of real directories, so
// whatever is renamed meanwhile, the walk stays beneath the root. At most four descriptors are open at a time, at any
// depth.
class Walk {
 public:
  explicit Walk(int root) noexcept : root_(root) {}

  // Opens `name` with `flags`; error codes are those of the system, as openat2 would give them.
  result<FileDescriptor> open(std::string_view name, int flags) {
    pending_.assign(name);
    for (int links = 0;;) {
      std::string component;
      if (!take_component(component)) return open_current(flags);
      if (component == ".") continue;
      if (component == "..") {
        if (current_.empty()) return system_error(EXDEV);
        current_.resize(current_.rfind('/') == current_.npos ? 0 : current_.rfind('/'));
        directory_.reset();
        continue;
      }
      const auto directory = enter_current();
      if (!directory) return directory.error();
      FileDescriptor next(::openat(*directory, component.c_str(), path_flags | O_NOFOLLOW));
      if (!next) return system_error(errno);
      const auto status = detail::status_of(next.get());
      if (!status) return status.error();
      if (S_ISLNK(status->st_mode)) {
        if (++links > max_links) return system_error(ELOOP);
        auto target = read_link(next.get());
        if (!target) return target.error();
        if (target->empty()) return system_error(ENOENT);
        if (target->front() == '/') return system_error(EXDEV);
        if (target->size() + 1 + pending_.size() >= PATH_MAX) return system_error(ENAMETOOLONG);
        // A link at the end of the name keeps the name's lack of a slash, so that it may lead to a file.
        if (!pending_.empty()) target->append("/").append(pending_);
        pending_ = std::move(*target);
        continue;
      }
      if (!S_ISDIR(status->st_mode)) {
        if (!pending_.empty()) return system_error(ENOTDIR);
        if ((flags & O_PATH) != 0) return next;
        FileDescriptor opened(::openat(*directory, component.c_str(), flags | O_NOFOLLOW));
        if (!opened) return system_error(errno);
        return opened;
      }
      if (!current_.empty()) current_ += '/';
      current_ += component;
      directory_ = std::move(next);
    }
  }

 private:
  // Takes the first component off what is left; false when nothing is. A slash at the end leaves "." behind, which only
  // a directory may be followed by.
  bool take_component(std::string& component) {
    const std::size_t begin = pending_.find_first_not_of('/');
    if (begin == pending_.npos) return false;
    const std::size_t end = std::min(pending_.find('/', begin), pending_.size());
    component = pending_.substr(begin, end - begin);
    const std::size_t rest = pending_.find_first_not_of('/', end);
    pending_ = rest != pending_.npos ? pending_.substr(rest) : end < pending_.size() ? "." : "";
    return true;
  }

  /// The descriptor of current_; it stays this object's own.
  result<int> enter_current() {
    if (directory_) return directory_->get();
    FileDescriptor directory(::openat(root_, ".", path_flags | O_DIRECTORY));
    for (std::size_t begin = 0; directory && begin < current_.size();) {
      const std::size_t end = std::min(current_.find('/', begin), current_.size());
      const std::string component = current_.substr(begin, end - begin);
      directory = FileDescriptor(::openat(directory.get(), component.c_str(), path_flags | O_DIRECTORY | O_NOFOLLOW));
      begin = end + 1;
    }
    if (!directory) return system_error(errno);
    return directory_.emplace(std::move(directory)).get();
  }

  result<FileDescriptor> open_current(int flags) {
    const auto directory = enter_current();
    if (!directory) return directory.error();
    FileDescriptor opened(::openat(*directory, ".", flags));
    if (!opened) return system_error(errno);
    return opened;
  }

  int root_;
  std::string pending_;                      // what is still to be resolved
  std::string current_;                      // where the walk is, by the names of real directories from the root
  std::optional<FileDescriptor> directory_;  // current_, open; none after a '..'
};

class DirectoryRoot final : public DocumentRoot {
 public:
  DirectoryRoot(FileDescriptor root, std::uint64_t device, const DocumentRootOptions& options) noexcept
      : root_(std::move(root)), device_(device), hidden_(options.hidden), fallback_(!options.use_openat2) {}

  result<std::unique_ptr<LocalFile>> open_file(std::string_view name) const noexcept override try {
    if (!may_be_asked_for(name, hidden_)) return StorageError::not_found;
    const std::string path(name);
    // Look before opening: a device may do something when opened (README.md, rule 5).
    const auto path_only = resolve(path, path_flags);
    if (!path_only) return opening_error(path_only.error());
    const auto status = detail::status_of(path_only->get());
    if (!status) return status.error();
    if (const auto regular = detail::require_regular(*status); !regular) return regular.error();
    auto opened = detail::reopen_for_reading(path_only->get());
    if (!opened && opened.error() == StorageError::not_found) {
      opened = resolve(path, detail::reading_flags());
      if (!opened) return opening_error(opened.error());
    }
    if (!opened) return opened.error();
    return LocalFile::adopt(opened->release());
  } catch (const std::bad_alloc&) {
    return system_error(ENOMEM);
  }

  result<void> list(std::string_view name, const std::function<bool(const DirectoryEntry&)>& visit) const override {
    if (!name.empty() && !may_be_asked_for(name, hidden_)) return StorageError::not_found;
    std::string path(name.empty() ? "." : name);
    const auto path_only = resolve(path, path_flags);
    if (!path_only) return opening_error(path_only.error());
    const auto status = detail::status_of(path_only->get());
    if (!status) return status.error();
    if (!S_ISDIR(status->st_mode)) return StorageError::not_a_directory;
    int descriptor = -1;
    do {
      descriptor = ::openat(path_only->get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    } while (descriptor < 0 && errno == EINTR);
    if (descriptor < 0) return opening_error(errno);
    FileDescriptor readable(descriptor);
    const std::unique_ptr<DIR, int (*)(DIR*)> directory(::fdopendir(readable.get()), ::closedir);
    if (directory == nullptr) return opening_error(errno);
    static_cast<void>(readable.release());  // closedir closes it

    const std::size_t prefix = name.empty() ? 0 : path.append("/").size();
    DirectoryEntry entry;
    for (;;) {
      errno = 0;
      const dirent* const found = ::readdir(directory.get());
      if (found == nullptr) {
        if (errno != 0) return system_error(errno);
        return {};
      }
      const std::string_view entry_name(found->d_name);
      if (entry_name == "." || entry_name == ".." || (!hidden_ && entry_name.front() == '.')) continue;
      struct stat entry_status;
      if (::fstatat(::dirfd(directory.get()), found->d_name, &entry_status, AT_SYMLINK_NOFOLLOW) != 0) continue;
      if (S_ISLNK(entry_status.st_mode)) {
        path.resize(prefix);
        path.append(entry_name);
        const auto target = resolve(path, path_flags);
        if (!target) {
          const error_code error = opening_error(target.error());
          // A list that leaves out what it had no descriptor for would be wrong, not short.
          if (error == StorageError::too_many_descriptors) return error;
          continue;
        }
        const auto target_status = detail::status_of(target->get());
        if (!target_status) continue;
        entry_status = *target_status;
      }
      if (S_ISREG(entry_status.st_mode)) {
        entry.kind = DirectoryEntry::Kind::file;
        entry.size = detail::version_of(entry_status).size;
      } else if (S_ISDIR(entry_status.st_mode)) {
        entry.kind = DirectoryEntry::Kind::directory;
        entry.size = 0;
      } else {
        continue;
      }
      entry.name = entry_name;
      entry.modified_ns = detail::nanoseconds(entry_status.st_mtim);
      if (!visit(entry)) return {};
    }
  }

  std::uint64_t device() const noexcept override { return device_; }
  std::string_view single_file() const noexcept override { return {}; }
  bool uses_fallback() const noexcept override { return fallback_.load(std::memory_order_relaxed); }

  // Whether openat2 works here is found out when the root is opened, so that the answer is known before the first
  // request.
  result<void> probe() const {
    const auto probed = resolve(".", path_flags);
    if (!probed) return opening_error(probed.error());
    return {};
  }

 private:
  static error_code opening_error(const error_code& error) noexcept { return detail::opening_error(error.value()); }
  static error_code opening_error(int error) noexcept { return detail::opening_error(error); }

  // The file at `path` beneath the root; errors are those of the system.
  result<FileDescriptor> resolve(const std::string& path, int flags) const {
    if (!fallback_.load(std::memory_order_relaxed)) {
      struct open_how how;
      std::memset(&how, 0, sizeof how);  // openat2(2): to be zero-filled, so that later fields mean nothing
      how.flags = static_cast<unsigned>(flags);
      how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
      int error = EAGAIN;
      for (int attempt = 0; attempt < max_attempts && (error == EAGAIN || error == EINTR); ++attempt) {
        const long descriptor = ::syscall(SYS_openat2, root_.get(), path.c_str(), &how, sizeof how);
        if (descriptor >= 0) return FileDescriptor(static_cast<int>(descriptor));
        error = errno;
      }
      // An old kernel, a seccomp filter, or flags that it does not know: none of them will change.
      if (error != ENOSYS && error != EPERM && error != EINVAL) return system_error(error);
      fallback_.store(true, std::memory_order_relaxed);
    }
    return Walk(root_.get()).open(path, flags);
  }

  const FileDescriptor root_;
  const std::uint64_t device_;
  const bool hidden_;
  mutable std::atomic<bool> fallback_;  // pairs with nothing: both ways of resolving are right at any time
};

// One file that was named by the operator. It is found again by name each time, so that a file put in its place by
// rename is served; the links and dots in its name are the operator's own.
class SingleFileRoot final : public DocumentRoot {
 public:
  SingleFileRoot(FileDescriptor parent, std::string name, std::uint64_t device) noexcept
      : parent_(std::move(parent)), name_(std::move(name)), device_(device) {}

  result<std::unique_ptr<LocalFile>> open_file(std::string_view name) const noexcept override {
    if (name != name_) return StorageError::not_found;
    const FileDescriptor path_only(::openat(parent_.get(), name_.c_str(), path_flags));
    if (!path_only) return opening_error(errno);
    const auto status = detail::status_of(path_only.get());
    if (!status) return status.error();
    if (const auto regular = detail::require_regular(*status); !regular) return regular.error();
    auto opened = detail::reopen_for_reading(path_only.get());
    if (!opened && opened.error() == StorageError::not_found) {
      const int descriptor = ::openat(parent_.get(), name_.c_str(), detail::reading_flags());
      if (descriptor < 0) return opening_error(errno);
      return LocalFile::adopt(descriptor);
    }
    if (!opened) return opened.error();
    return LocalFile::adopt(opened->release());
  }

  result<void> list(std::string_view name, const std::function<bool(const DirectoryEntry&)>& visit) const override {
    if (name == name_) return StorageError::not_a_directory;
    if (!name.empty()) return StorageError::not_found;
    struct stat status;
    if (::fstatat(parent_.get(), name_.c_str(), &status, 0) != 0) {
      if (errno == ENOENT) return {};
      return opening_error(errno);
    }
    if (!S_ISREG(status.st_mode)) return {};
    visit({.name = name_,
           .kind = DirectoryEntry::Kind::file,
           .size = detail::version_of(status).size,
           .modified_ns = detail::nanoseconds(status.st_mtim)});
    return {};
  }

  std::uint64_t device() const noexcept override { return device_; }
  std::string_view single_file() const noexcept override { return name_; }
  bool uses_fallback() const noexcept override { return false; }

 private:
  const FileDescriptor parent_;
  const std::string name_;
  const std::uint64_t device_;
};

}  // namespace

result<std::unique_ptr<DocumentRoot>> DocumentRoot::open(const std::filesystem::path& path,
                                                         const DocumentRootOptions& options) noexcept try {
  FileDescriptor root(::open(path.c_str(), path_flags));
  if (!root) return opening_error(errno);
  const auto status = detail::status_of(root.get());
  if (!status) return status.error();
  if (S_ISDIR(status->st_mode)) {
    auto directory = std::make_unique<DirectoryRoot>(std::move(root), status->st_dev, options);
    if (const auto probed = directory->probe(); !probed) return probed.error();
    return std::unique_ptr<DocumentRoot>(std::move(directory));
  }
  if (!S_ISREG(status->st_mode)) return StorageError::not_a_regular_file;
  const std::filesystem::path parent = path.has_parent_path() ? path.parent_path() : ".";
  FileDescriptor directory(::open(parent.c_str(), path_flags | O_DIRECTORY));
  if (!directory) return opening_error(errno);
  return std::unique_ptr<DocumentRoot>(
      std::make_unique<SingleFileRoot>(std::move(directory), path.filename().string(), status->st_dev));
} catch (const std::bad_alloc&) {
  return system_error(ENOMEM);
}

}  // namespace ranged
