/* Preloaded into the daemon: counts what its worker threads allocate while armed, and keeps some of the call stacks.
   The figures lie in a file that the test maps, too: ALLOCATION_FIGURES names it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <execinfo.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>

enum { stacks_kept = 64, depth = 30 };

struct figures {
  atomic_uint armed;       /* set and cleared by the test */
  atomic_uint allocations; /* while armed, on threads whose name begins with "worker-" */
  uint64_t stacks[stacks_kept][depth];
};

void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);

static struct figures* shared;
/* Not allocated on first use, as thread-local storage of a library could be. */
static __thread int busy __attribute__((tls_model("initial-exec")));

__attribute__((constructor)) static void begin(void) {
  void* frames[2];
  backtrace(frames, 2); /* the first loads a library, which allocates */
  const char* const path = getenv("ALLOCATION_FIGURES");
  const int descriptor = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
  if (descriptor < 0) abort();
  void* const memory = mmap(NULL, sizeof(struct figures), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  if (memory == MAP_FAILED) abort();
  shared = memory;
}

static void count(void) {
  if (shared == NULL || busy || !atomic_load_explicit(&shared->armed, memory_order_relaxed)) return;
  busy = 1;
  char name[16] = {0};
  prctl(PR_GET_NAME, name);
  if (strncmp(name, "worker-", 7) == 0) {
    const unsigned number = atomic_fetch_add(&shared->allocations, 1);
    if (number < stacks_kept) {
      void* frames[depth] = {0};
      backtrace(frames, depth);
      for (int i = 0; i < depth; ++i) shared->stacks[number][i] = (uint64_t)frames[i];
    }
  }
  busy = 0;
}

void* malloc(size_t size) {
  count();
  return __libc_malloc(size);
}

void* calloc(size_t number, size_t size) {
  count();
  return __libc_calloc(number, size);
}

void* realloc(void* memory, size_t size) {
  count();
  return __libc_realloc(memory, size);
}

void* memalign(size_t alignment, size_t size) {
  count();
  return __libc_memalign(alignment, size);
}

void* aligned_alloc(size_t alignment, size_t size) {
  count();
  return __libc_memalign(alignment, size);
}

int posix_memalign(void** memory, size_t alignment, size_t size) {
  count();
  *memory = __libc_memalign(alignment, size);
  return *memory == NULL ? 12 : 0; /* ENOMEM */
}
