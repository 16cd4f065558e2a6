#include <ranged/storage/storage_error.hpp>

#include <string>

namespace ranged {
namespace {

// The messages may reach a client: they name no path and no errno.
class StorageCategory final : public boost::system::error_category {
 public:
  const char* name() const noexcept override { return "ranged.storage"; }

  // The buffer form allocates nothing, so that logging an error of the data path does not either.
  const char* message(int value, char*, std::size_t) const noexcept override {
    switch (static_cast<StorageError>(value)) {
      case StorageError::would_block:
        return "the bytes are not in memory";
      case StorageError::nowait_unsupported:
        return "reads that do not wait are not supported here";
      case StorageError::stale_version:
        return "the file has changed since it was opened";
      case StorageError::not_found:
        return "not found";
      case StorageError::not_a_regular_file:
        return "not a regular file";
      case StorageError::is_a_directory:
        return "is a directory";
      case StorageError::not_a_directory:
        return "not a directory";
      case StorageError::permission_denied:
        return "permission denied";
      case StorageError::too_many_descriptors:
        return "too many open files";
      case StorageError::queue_full:
        return "the queue of disk reads is full";
    }
    return "unknown storage error";
  }

  std::string message(int value) const override { return message(value, nullptr, 0); }
};

}  // namespace

const boost::system::error_category& storage_category() noexcept {
  static const StorageCategory category;
  return category;
}

boost::system::error_code make_error_code(StorageError error) noexcept {
  return {static_cast<int>(error), storage_category()};
}

}  // namespace ranged
