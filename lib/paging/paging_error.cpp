#include <ranged/paging/paging_error.hpp>

#include <string>

namespace ranged {
namespace {

class PagingCategory final : public boost::system::error_category {
 public:
  const char* name() const noexcept override { return "ranged.paging"; }

  std::string message(int value) const override {
    switch (static_cast<PagingError>(value)) {
      case PagingError::would_block:
        return "the page cannot be had without waiting";
      case PagingError::overloaded:
        return "too many wait for pages";
      case PagingError::deadline:
        return "the page did not come in time";
      case PagingError::stale_version:
        return "the file has changed since it was opened";
      case PagingError::shutting_down:
        return "the buffer pool is shutting down";
      case PagingError::invalid_options:
        return "the sizes of the buffer pool do not fit each other";
    }
    return "unknown paging error " + std::to_string(value);
  }
};

}  // namespace

const boost::system::error_category& paging_category() noexcept {
  static const PagingCategory category;
  return category;
}

boost::system::error_code make_error_code(PagingError error) noexcept {
  return {static_cast<int>(error), paging_category()};
}

}  // namespace ranged
