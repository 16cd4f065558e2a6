#include <ranged/scan/expression_size.hpp>

#include <doctest/doctest.h>

#include <string>

using ranged::expression_size;

TEST_CASE("repetitions are written out, one within the other") {
  CHECK(expression_size("") == 0);
  CHECK(expression_size("abc") == 3);
  CHECK(expression_size("a{3}") == 3);
  CHECK(expression_size("a{3,}") == 3);
  CHECK(expression_size("a{3,7}b") == 8);
  CHECK(expression_size("a{0}") == 1);
  CHECK(expression_size("(ab{3}){2}") == 8);
  CHECK(expression_size("x(ab){2}{3}") == 13);
  CHECK(expression_size("((((a{1,9}){1,9}){1,9}){1,9}){1,9}") == 59049);
}

TEST_CASE("what is optional or repeats for ever counts for more, each time that it is repeated") {
  CHECK(expression_size("a?") == 6);
  CHECK(expression_size("a+b*") == 12);
  CHECK(expression_size("(x+){10}") == 60);
  CHECK(expression_size("(a|b)*") == 8);
  CHECK(expression_size("\\?[?*+]") == 2);
}

TEST_CASE("what is escaped or in a class is one position, whatever it looks like") {
  CHECK(expression_size("\\{3}") == 3);
  CHECK(expression_size("\\x{41}{5}") == 5);
  CHECK(expression_size("\\p{Lu}{5}") == 5);
  CHECK(expression_size("[(){9}]{4}") == 4);
  CHECK(expression_size("[]a]{4}") == 4);
  CHECK(expression_size("[^]a]{4}") == 4);
  CHECK(expression_size("[[:alpha:]]{4}") == 4);
  CHECK(expression_size("[\\]]{4}") == 4);
  CHECK(expression_size("\\Q(a{9}\\E{2}") == 6);
}

TEST_CASE("a brace that begins no repetition stands for itself") {
  CHECK(expression_size("a{") == 2);
  CHECK(expression_size("a{x}") == 4);
  CHECK(expression_size("a{,3}") == 5);
}

TEST_CASE("what is not well-formed has some size, too, and no number wraps") {
  CHECK(expression_size("(a{4}") == 4);
  CHECK(expression_size("a)b") == 2);
  CHECK(expression_size("[a") == 1);
  CHECK(expression_size("\\") == 0);
  CHECK(expression_size("a{99999999999999999999}") > 1'000'000);
  CHECK(expression_size("(((a{60000}){60000}){60000}){60000}") > 1'000'000);
  CHECK(expression_size(std::string(1000, '(') + "a" + std::string(1000, ')')) > 1'000'000);
}
