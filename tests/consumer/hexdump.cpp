// Prints part of a file of any size: hexdump FILE [OFFSET [LENGTH]]; a negative offset counts from the end.
#include <ranged/paging/memory_file.hpp>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>

int main(int argc, char** argv) try {
  const ranged::MemoryFile file(argc > 1 ? argv[1] : "");
  std::int64_t offset = argc > 2 ? std::atoll(argv[2]) : 0;
  if (offset < 0) offset += file.size();
  const auto slice = file.slice(offset, argc > 3 ? std::atoll(argv[3]) : 256);

  int column = 0;
  for (auto byte = slice.begin(); byte != slice.end(); ++byte) {
    if (column == 0) std::printf("%012jx ", std::uintmax_t{byte.offset()});
    std::printf(" %02x", *byte);
    column = (column + 1) % 16;
    if (column == 0) std::puts("");
  }
  if (column != 0) std::puts("");
} catch (const std::exception& error) {
  std::fprintf(stderr, "hexdump: %s\n", error.what());
  return 1;
}
