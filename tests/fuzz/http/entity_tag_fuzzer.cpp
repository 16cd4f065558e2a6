// Input: the value of If-Match or If-None-Match.
#include "tests/fuzz/invariant.hpp"

#include <ranged/http/entity_tag.hpp>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

using ranged::fuzz::require;
using namespace ranged::http;

namespace {

std::string written(const EntityTag& tag) {
  return std::string(tag.weak ? "W/\"" : "\"") + std::string(tag.opaque) + "\"";
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input = ranged::fuzz::text_of(data, size);
  const auto single = parse_entity_tag(input);
  if (single) require(written(*single) == input);

  std::vector<EntityTag> tags;
  EntityTagList list(input);
  while (const auto tag = list.next()) {
    tags.push_back(*tag);
    require(tags.size() <= input.size() / 2);
    require(tag->opaque.data() > input.data() && tag->opaque.data() + tag->opaque.size() < input.data() + input.size());
    const std::string text = written(*tag);
    require(parse_entity_tag(text) == *tag);
    require(weakly_equal(*tag, *tag) && strongly_equal(*tag, *tag) == !tag->weak);
  }
  require(!list.next());
  if (single) require(list.valid() && tags.size() == 1 && tags.front() == *single);

  // The same tags, written plainly, are the same list.
  std::string again;
  for (const EntityTag& tag : tags) again += written(tag) + ", ";
  EntityTagList second(again);
  for (const EntityTag& tag : tags) require(second.next() == tag);
  require(!second.next() && second.valid());
  return 0;
}
