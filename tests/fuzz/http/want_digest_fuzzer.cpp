// Input: the lines of a Want-Content-Digest field, each ended by a line feed.
#include "tests/fuzz/invariant.hpp"

#include <ranged/http/want_digest.hpp>

#include <algorithm>
#include <string>
#include <string_view>

using ranged::fuzz::require;
using namespace ranged::http;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input = ranged::fuzz::text_of(data, size);
  WantedDigest lines;
  std::string joined;
  bool unlike = false;
  while (!input.empty()) {
    const std::string_view line = input.substr(0, input.find('\n'));
    input.remove_prefix(std::min(line.size() + 1, input.size()));
    lines.add(line);
    unlike = unlike || line.find_first_not_of(" ") == std::string_view::npos || line.front() == '\t';
    joined += (joined.empty() ? "" : ",") + std::string(line);
  }
  // What is chosen was named, with a preference.
  const DigestAlgorithm choice = lines.choice();
  if (choice != DigestAlgorithm::none) {
    require(joined.find(std::string(digest_name(choice)) + "=") != std::string::npos);
  }
  // RFC 9110, 5.3: one line with commas between says the same. (Empty lines make empty members, of which a dictionary
  // has none; a tab may stand behind a comma and not at the start.)
  WantedDigest line;
  line.add(joined);
  if (!unlike) require(line.choice() == choice);
  // A fault stays.
  WantedDigest faulty = lines;
  faulty.add("?");
  require(faulty.choice() == DigestAlgorithm::none);
  // What is no longer wanted is not chosen.
  WantedDigest refused = lines;
  refused.add("sha-256=0, sha-512=0");
  require(refused.choice() == DigestAlgorithm::none);
  return 0;
}
