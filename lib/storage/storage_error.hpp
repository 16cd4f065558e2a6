#pragma once
// Error codes of storage, beside those of the system category.

#include <boost/system/error_code.hpp>

namespace ranged {

enum class StorageError {
  would_block = 1,       ///< the bytes are not in memory; a disk thread has to read them
  nowait_unsupported,    ///< this filesystem or kernel refuses RWF_NOWAIT
  stale_version,         ///< the file is no longer the version that was opened
  not_found,             ///< no such name beneath the root, or one that the root's rules hide
  not_a_regular_file,    ///< a FIFO, socket or device
  is_a_directory,        ///< a directory where a file was asked for
  not_a_directory,       ///< a file where a directory was asked for
  permission_denied,     ///< the process may not open it
  too_many_descriptors,  ///< EMFILE or ENFILE: try again later
  queue_full,            ///< the disk threads' queue is full, or they are stopping
};

const boost::system::error_category& storage_category() noexcept;
boost::system::error_code make_error_code(StorageError error) noexcept;

}  // namespace ranged

template <>
struct boost::system::is_error_code_enum<ranged::StorageError> : std::true_type {};
