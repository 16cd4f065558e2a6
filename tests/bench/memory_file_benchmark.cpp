// MemoryFile against mmap, std::ifstream and a loop of pread: every byte in order, and single bytes here and there. The
// file is in the page cache, so what is measured is the way to the bytes, not the disk.

#include <ranged/paging/memory_file.hpp>

#include <benchmark/benchmark.h>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <system_error>
#include <vector>

namespace {

// Larger than the caches of a processor and than the pool, small enough for any machine's page cache.
constexpr std::uint64_t file_bytes = std::uint64_t{256} << 20;
constexpr std::size_t buffer_bytes = std::size_t{64} << 10;
constexpr int random_reads = 10'000;

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

// A file of bytes that no two pages share, removed at the end.
class Sample {
 public:
  Sample() {
    const int descriptor = ::mkstemp(path_.data());
    if (descriptor < 0) fail("mkstemp");
    std::vector<unsigned char> buffer(buffer_bytes);
    std::uint64_t state = 1;
    for (std::uint64_t written = 0; written < file_bytes; written += buffer.size()) {
      for (unsigned char& byte : buffer) {
        state = state * 6364136223846793005U + 1442695040888963407U;  // Knuth's MMIX generator
        byte = static_cast<unsigned char>(state >> 56);
      }
      if (::write(descriptor, buffer.data(), buffer.size()) != static_cast<ssize_t>(buffer.size())) fail("write");
    }
    ::close(descriptor);
  }
  ~Sample() { ::unlink(path_.c_str()); }
  Sample(const Sample&) = delete;
  Sample& operator=(const Sample&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_ = "/var/tmp/ranged-benchmark-XXXXXX";
};

const std::string& sample() {
  static const Sample file;
  return file.path();
}

class Mapping {
 public:
  Mapping() {
    const int descriptor = ::open(sample().c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) fail("open");
    void* const start = ::mmap(nullptr, file_bytes, PROT_READ, MAP_SHARED, descriptor, 0);
    if (start == MAP_FAILED) fail("mmap");
    ::close(descriptor);
    bytes_ = {static_cast<const unsigned char*>(start), file_bytes};
  }
  ~Mapping() { ::munmap(const_cast<unsigned char*>(bytes_.data()), bytes_.size()); }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  [[nodiscard]] std::span<const unsigned char> bytes() const { return bytes_; }

 private:
  std::span<const unsigned char> bytes_;
};

class Descriptor {
 public:
  Descriptor() : descriptor_(::open(sample().c_str(), O_RDONLY | O_CLOEXEC)) {
    if (descriptor_ < 0) fail("open");
  }
  ~Descriptor() { ::close(descriptor_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  std::size_t read(std::uint64_t offset, std::span<unsigned char> bytes) const {
    const ssize_t count = ::pread(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (count < 0) fail("pread");
    return static_cast<std::size_t>(count);
  }

 private:
  int descriptor_;
};

// FNV-1a: a little work on each byte that depends on the one before, so that no way of reading is vectorised away.
class Hash {
 public:
  void add(unsigned char byte) { value_ = (value_ ^ byte) * 1099511628211U; }
  [[nodiscard]] std::uint64_t value() const { return value_; }

 private:
  std::uint64_t value_ = 14695981039346656037U;
};

// Hash or Sum: the second is what a compiler vectorises where it sees a plain array, the worst case for everybody else.
class Sum {
 public:
  void add(unsigned char byte) { value_ += byte; }
  [[nodiscard]] std::uint64_t value() const { return value_; }

 private:
  std::uint64_t value_ = 0;
};

// The same pseudo-random offsets for all.
template <typename At>
void read_at_random(benchmark::State& state, At at) {
  std::uint64_t random = 1;
  for (auto _ : state) {
    std::uint64_t sum = 0;
    for (int i = 0; i < random_reads; ++i) {
      random = random * 6364136223846793005U + 1442695040888963407U;
      sum += at((random >> 20) % file_bytes);
    }
    benchmark::DoNotOptimize(sum);
  }
  state.SetItemsProcessed(state.iterations() * random_reads);
}

template <typename Fold, typename Go>
void read_in_order(benchmark::State& state, Go go) {
  for (auto _ : state) {
    Fold fold;
    go(fold);
    benchmark::DoNotOptimize(fold.value());
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(file_bytes));
}

template <typename Fold>
void in_order_memory_file_iterator(benchmark::State& state) {
  const ranged::MemoryFile file(sample());
  read_in_order<Fold>(state, [&file](Fold& fold) {
    for (const unsigned char byte : file) fold.add(byte);
  });
}

template <typename Fold>
void in_order_memory_file_index(benchmark::State& state) {
  const ranged::MemoryFile file(sample());
  read_in_order<Fold>(state, [&file](Fold& fold) {
    for (std::uint64_t i = 0; i < file.size(); ++i) fold.add(file[i]);
  });
}

template <typename Fold>
void in_order_memory_file_read(benchmark::State& state) {
  const ranged::MemoryFile file(sample());
  std::vector<unsigned char> buffer(buffer_bytes);
  read_in_order<Fold>(state, [&](Fold& fold) {
    for (std::uint64_t offset = 0; offset < file.size(); offset += buffer.size()) {
      const std::size_t count = file.read(offset, std::as_writable_bytes(std::span(buffer)));
      for (std::size_t i = 0; i < count; ++i) fold.add(buffer[i]);
    }
  });
}

template <typename Fold>
void in_order_mmap(benchmark::State& state) {
  // Mapped anew each time, as for a file that is read once: the faults are the cost of mmap.
  read_in_order<Fold>(state, [](Fold& fold) {
    const Mapping mapping;
    for (const unsigned char byte : mapping.bytes()) fold.add(byte);
  });
}

template <typename Fold>
void in_order_mmap_resident(benchmark::State& state) {
  // All of the file is mapped already: nothing is left to pay but the loads.
  const Mapping mapping;
  read_in_order<Fold>(state, [&mapping](Fold& fold) {
    for (const unsigned char byte : mapping.bytes()) fold.add(byte);
  });
}

template <typename Fold>
void in_order_ifstream(benchmark::State& state) {
  read_in_order<Fold>(state, [](Fold& fold) {
    std::ifstream stream(sample(), std::ios::binary);
    for (std::istreambuf_iterator<char> i(stream), end; i != end; ++i) fold.add(static_cast<unsigned char>(*i));
  });
}

template <typename Fold>
void in_order_pread(benchmark::State& state) {
  const Descriptor file;
  std::vector<unsigned char> buffer(buffer_bytes);
  read_in_order<Fold>(state, [&](Fold& fold) {
    std::uint64_t offset = 0;
    while (const std::size_t count = file.read(offset, buffer)) {
      for (std::size_t i = 0; i < count; ++i) fold.add(buffer[i]);
      offset += count;
    }
  });
}

void random_memory_file(benchmark::State& state) {
  const ranged::MemoryFile file(sample());
  read_at_random(state, [&file](std::uint64_t offset) { return file[offset]; });
}

void random_memory_file_small_pages(benchmark::State& state) {
  const ranged::MemoryFile file(sample(), {.page_bytes = 4096, .pages = 1024});
  read_at_random(state, [&file](std::uint64_t offset) { return file[offset]; });
}

// The pool holds all of the file: what a hit costs.
void random_memory_file_resident(benchmark::State& state) {
  const ranged::MemoryFile file(sample(), {.pages = 2 * file_bytes / (64 << 10)});
  std::uint64_t sum = 0;
  for (std::uint64_t offset = 0; offset < file_bytes; offset += 64 << 10) sum += file[offset];
  benchmark::DoNotOptimize(sum);
  read_at_random(state, [&file](std::uint64_t offset) { return file[offset]; });
}

void random_mmap(benchmark::State& state) {
  const Mapping mapping;
  read_at_random(state, [&mapping](std::uint64_t offset) { return mapping.bytes()[offset]; });
}

void random_ifstream(benchmark::State& state) {
  std::ifstream stream(sample(), std::ios::binary);
  read_at_random(state, [&stream](std::uint64_t offset) {
    stream.seekg(static_cast<std::streamoff>(offset));
    return static_cast<unsigned char>(stream.get());
  });
}

void random_pread(benchmark::State& state) {
  const Descriptor file;
  read_at_random(state, [&file](std::uint64_t offset) {
    unsigned char byte = 0;
    file.read(offset, {&byte, 1});
    return byte;
  });
}

BENCHMARK(in_order_memory_file_iterator<Hash>)->Unit(benchmark::kMillisecond);
BENCHMARK(in_order_memory_file_index<Hash>)->Unit(benchmark::kMillisecond);
BENCHMARK(in_order_memory_file_read<Hash>)->Unit(benchmark::kMillisecond);
BENCHMARK(in_order_mmap<Hash>)->Unit(benchmark::kMillisecond);
BENCHMARK(in_order_mmap_resident<Hash>)->Unit(benchmark::kMillisecond);
BENCHMARK(in_order_ifstream<Hash>)->Unit(benchmark::kMillisecond);
BENCHMARK(in_order_pread<Hash>)->Unit(benchmark::kMillisecond);
BENCHMARK(in_order_memory_file_iterator<Sum>)->Unit(benchmark::kMillisecond);
BENCHMARK(in_order_memory_file_read<Sum>)->Unit(benchmark::kMillisecond);
BENCHMARK(in_order_mmap<Sum>)->Unit(benchmark::kMillisecond);
BENCHMARK(in_order_mmap_resident<Sum>)->Unit(benchmark::kMillisecond);
BENCHMARK(in_order_pread<Sum>)->Unit(benchmark::kMillisecond);
BENCHMARK(random_memory_file)->Unit(benchmark::kMicrosecond);
BENCHMARK(random_memory_file_small_pages)->Unit(benchmark::kMicrosecond);
BENCHMARK(random_memory_file_resident)->Unit(benchmark::kMicrosecond);
BENCHMARK(random_mmap)->Unit(benchmark::kMicrosecond);
BENCHMARK(random_ifstream)->Unit(benchmark::kMicrosecond);
BENCHMARK(random_pread)->Unit(benchmark::kMicrosecond);

}  // namespace

BENCHMARK_MAIN();
