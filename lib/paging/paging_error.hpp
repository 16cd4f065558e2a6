#pragma once
// Error codes of paging, beside those of storage and of the system category.

#include <boost/system/error_code.hpp>

namespace ranged {

enum class PagingError {
  would_block = 1,  ///< the page needs a disk thread, or a frame that is not free now
  overloaded,       ///< too many waiters, or the disk queue is full: 503
  deadline,         ///< no frame or page in time: 503
  stale_version,    ///< the file is no longer the version that was asked for
  shutting_down,    ///< the pool is being destroyed
  invalid_options,  ///< BufferPoolOptions that cannot work together
};

const boost::system::error_category& paging_category() noexcept;
boost::system::error_code make_error_code(PagingError error) noexcept;

}  // namespace ranged

template <>
struct boost::system::is_error_code_enum<ranged::PagingError> : std::true_type {};
