#include <ranged/storage/storage_error.hpp>

#include <doctest/doctest.h>

#include <set>
#include <string>

TEST_CASE("storage errors have distinct messages that tell nothing of the machine") {
  std::set<std::string> messages;
  constexpr int first = static_cast<int>(ranged::StorageError::would_block);
  constexpr int last = static_cast<int>(ranged::StorageError::queue_full);
  for (int value = first; value <= last; ++value) {
    const boost::system::error_code error = static_cast<ranged::StorageError>(value);
    CHECK(error.failed());
    CHECK(error.category() == ranged::storage_category());
    CHECK(error.message().find('/') == std::string::npos);
    CHECK(error.message() != "unknown storage error");
    messages.insert(error.message());
  }
  CHECK(messages.size() == last - first + 1);
  CHECK(ranged::storage_category().message(last + 1) == "unknown storage error");
  CHECK(std::string(ranged::storage_category().name()) == "ranged.storage");
}

TEST_CASE("a storage error is no errno") {
  const boost::system::error_code error = ranged::StorageError::would_block;
  CHECK(error != boost::system::error_code(error.value(), boost::system::system_category()));
}
