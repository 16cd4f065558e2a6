#include <ranged/paging/paging_error.hpp>

#include <doctest/doctest.h>

#include <set>
#include <string>

TEST_CASE("each paging error has a message of its own") {
  std::set<std::string> messages;
  for (int value = 1; value <= 6; ++value) {
    messages.insert(make_error_code(static_cast<ranged::PagingError>(value)).message());
  }
  CHECK(messages.size() == 6);
  CHECK(boost::system::error_code(ranged::PagingError::deadline) == ranged::PagingError::deadline);
  CHECK(boost::system::error_code(ranged::PagingError::deadline) != ranged::PagingError::overloaded);
  CHECK(ranged::paging_category().message(99).find("99") != std::string::npos);
}
