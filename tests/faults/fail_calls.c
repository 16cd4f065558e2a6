/* Preloaded into the daemon: lets the N-th call of one kind go wrong, once or from then on, as SQLite's tests do it with
   their own layer. The orders lie in a file that the test maps, too: FAIL_CALLS names it. Nothing happens until they say so.
   Which calls are of a kind, and what the daemon calls them for, is told by `enum kind`. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum kind {
  kind_none,
  kind_read,     /* preadv, preadv2 of a regular file */
  kind_open,     /* open, openat, openat2 */
  kind_stat,     /* fstat, fstatat, statx, lstat */
  kind_list,     /* readdir */
  kind_accept,   /* accept4 */
  kind_receive,  /* recv */
  kind_send,     /* send, sendmsg */
  kind_sendfile, /* sendfile */
  kind_watch,    /* epoll_ctl that adds */
  kind_memory,   /* malloc and its like, operator new among them */
  kind_nowait,   /* preadv2 with RWF_NOWAIT, which is of kind_read too */
  kind_look,     /* cachestat */
};

/* As the test has it: struct "<IIIiIIIIQqQ". */
struct orders {
  atomic_uint kind;     /* written last when arming, and cleared when disarming */
  atomic_uint number;   /* which call fails, from 1 */
  atomic_uint for_good; /* and all after it */
  atomic_int error;     /* errno; 0: it does half of what it could (read, send) */
  atomic_uint calls;    /* of this kind while armed */
  atomic_uint failed;   /* of those */
  atomic_uint hang;     /* `enum hang`, of files whose device is `device` */
  atomic_uint hanging;  /* how many reads wait */
  atomic_ullong device; /* a device number as stat(2) has it */
  atomic_llong jump;    /* seconds by which the wall clock is wrong */
  atomic_ullong slept;  /* calls of sendfile that waited for the disk */
};

enum hang {
  hang_not,
  hang_before, /* reads wait before the kernel knows of them */
  hang_within, /* reads have begun: as with a disk that does not answer, their pages are in the page cache, and whoever touches them waits */
};

void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);

const char* magic_buffer(void* cookie, const void* bytes, size_t length);
int magic_load(void* cookie, const char* path);

static struct orders* orders;

/* Found at the start: to look for one takes memory. */
static __typeof__(&accept4) real_accept4;
static __typeof__(&epoll_ctl) real_epoll_ctl;
static __typeof__(&fstat) real_fstat;
static __typeof__(&fstatat) real_fstatat;
static __typeof__(&lstat) real_lstat;
static __typeof__(&magic_buffer) real_magic_buffer;
static __typeof__(&magic_load) real_magic_load;
static __typeof__(&preadv2) real_preadv2;
static __typeof__(&readdir) real_readdir;
static __typeof__(&recv) real_recv;
static __typeof__(&send) real_send;
static __typeof__(&sendfile) real_sendfile;
static __typeof__(&sendmsg) real_sendmsg;
static __typeof__(&syscall) real_syscall;

__attribute__((constructor)) static void begin(void) {
  real_accept4 = (__typeof__(&accept4))dlsym(RTLD_NEXT, "accept4");
  real_epoll_ctl = (__typeof__(&epoll_ctl))dlsym(RTLD_NEXT, "epoll_ctl");
  real_fstat = (__typeof__(&fstat))dlsym(RTLD_NEXT, "fstat");
  real_fstatat = (__typeof__(&fstatat))dlsym(RTLD_NEXT, "fstatat");
  real_lstat = (__typeof__(&lstat))dlsym(RTLD_NEXT, "lstat");
  real_magic_buffer = (__typeof__(&magic_buffer))dlsym(RTLD_NEXT, "magic_buffer");
  real_magic_load = (__typeof__(&magic_load))dlsym(RTLD_NEXT, "magic_load");
  real_preadv2 = (__typeof__(&preadv2))dlsym(RTLD_NEXT, "preadv2");
  real_readdir = (__typeof__(&readdir))dlsym(RTLD_NEXT, "readdir");
  real_recv = (__typeof__(&recv))dlsym(RTLD_NEXT, "recv");
  real_send = (__typeof__(&send))dlsym(RTLD_NEXT, "send");
  real_sendfile = (__typeof__(&sendfile))dlsym(RTLD_NEXT, "sendfile");
  real_sendmsg = (__typeof__(&sendmsg))dlsym(RTLD_NEXT, "sendmsg");
  real_syscall = (__typeof__(&syscall))dlsym(RTLD_NEXT, "syscall");
  const char* const path = getenv("FAIL_CALLS");
  const int descriptor = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
  if (descriptor < 0) return; /* a process that the daemon's test started for something else */
  void* const memory = mmap(NULL, sizeof(struct orders), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  if (memory == MAP_FAILED) abort();
  close(descriptor);
  orders = memory;
}

/* Whether this call is to go wrong. */
static int fails(enum kind kind) {
  if (orders == NULL || atomic_load_explicit(&orders->kind, memory_order_acquire) != kind) return 0;
  const unsigned number = atomic_fetch_add(&orders->calls, 1) + 1;
  const unsigned wanted = atomic_load(&orders->number);
  if (number != wanted && !(number > wanted && atomic_load(&orders->for_good))) return 0;
  atomic_fetch_add(&orders->failed, 1);
  return 1;
}

static int error_of(void) {
  errno = atomic_load(&orders->error);
  return -1;
}

static int is_of_disk(int file) {
  struct stat status;
  return syscall(SYS_newfstatat, file, "", &status, AT_EMPTY_PATH) == 0 && status.st_dev == atomic_load(&orders->device);
}

static enum hang hang_of(int file) {
  if (orders == NULL) return hang_not;
  const enum hang hang = (enum hang)atomic_load(&orders->hang);
  return hang != hang_not && is_of_disk(file) ? hang : hang_not;
}

static void wait_for_disk(void) {
  while (atomic_load(&orders->hang)) nanosleep(&(struct timespec){0, 1000000}, NULL);
}

/* Pages of the one file on the disk that hangs, whose reads have begun. */
enum { page_bytes = 4096, pages_of_file = 4096, pages_read_ahead = 32 };
static atomic_uchar begun[pages_of_file];
static atomic_uint has_begun;

static void begin_reading(off_t offset, size_t length) {
  atomic_store(&has_begun, 1);
  const size_t first = (size_t)offset / page_bytes, last = ((size_t)offset + length - 1) / page_bytes;
  for (size_t page = first; page <= last && page < pages_of_file; ++page) atomic_store(&begun[page], 1);
}

/* Whether the disk has hung and has answered since, and by that has brought these bytes into memory. */
static int was_read(int file, off_t offset, size_t length) {
  if (!atomic_load(&has_begun) || !is_of_disk(file)) return 0;
  const size_t first = (size_t)offset / page_bytes, last = ((size_t)offset + length - 1) / page_bytes;
  for (size_t page = first; page <= last; ++page) {
    if (page >= pages_of_file || !atomic_load(&begun[page])) return 0;
  }
  return 1;
}

static size_t length_of(const struct iovec* vector, int count) {
  size_t length = 0;
  for (int i = 0; i < count; ++i) length += vector[i].iov_len;
  return length;
}

static void hang_while_told(int file, off_t offset, size_t length) {
  const enum hang hang = hang_of(file);
  if (hang == hang_not) return;
  if (hang == hang_within) begin_reading(offset, length);
  atomic_fetch_add(&orders->hanging, 1);
  wait_for_disk();
  atomic_fetch_sub(&orders->hanging, 1);
}

/* Half of a vector: what a signal, or a disk that is short of something, leaves of a read. */
static ssize_t half(ssize_t (*call)(int, const struct iovec*, int, off_t, int), int file, const struct iovec* vector, off_t offset, int flags) {
  const struct iovec first = {vector[0].iov_base, vector[0].iov_len > 1 ? vector[0].iov_len / 2 : vector[0].iov_len};
  return call(file, &first, 1, offset, flags);
}

ssize_t preadv2(int file, const struct iovec* vector, int count, off_t offset, int flags) {
  const int waits = (flags & 8 /* RWF_NOWAIT */) == 0;
  if (waits) hang_while_told(file, offset, length_of(vector, count));
  if (!waits && fails(kind_nowait)) return error_of();
  if (!waits && hang_of(file) == hang_within) {
    begin_reading(offset, pages_read_ahead * page_bytes); /* what is not there is read ahead */
    errno = EAGAIN;
    return -1;
  }
  /* The disk is a tmpfs in truth, which need not know RWF_NOWAIT. */
  if (!waits && was_read(file, offset, length_of(vector, count))) flags &= ~8;
  if (fails(kind_read)) return atomic_load(&orders->error) != 0 ? error_of() : half(real_preadv2, file, vector, offset, flags);
  return real_preadv2(file, vector, count, offset, flags);
}

ssize_t preadv(int file, const struct iovec* vector, int count, off_t offset) {
  hang_while_told(file, offset, length_of(vector, count));
  if (fails(kind_read)) return atomic_load(&orders->error) != 0 ? error_of() : half(real_preadv2, file, vector, offset, 0);
  return real_preadv2(file, vector, count, offset, 0);
}

static mode_t mode_of(int flags, va_list list) {
  return (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(list, mode_t) : 0;
}

int open(const char* path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  const mode_t mode = mode_of(flags, list);
  va_end(list);
  if (fails(kind_open)) return error_of();
  return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int openat(int directory, const char* path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  const mode_t mode = mode_of(flags, list);
  va_end(list);
  if (fails(kind_open)) return error_of();
  return (int)syscall(SYS_openat, directory, path, flags, mode);
}

/* What cachestat tells of the disk that hangs: a page is cached from the moment that its read begins. */
static long look_at_begun(const uint64_t range[2], uint64_t figures[5]) {
  memset(figures, 0, 5 * sizeof figures[0]);
  const size_t first = range[0] / page_bytes, last = (range[0] + range[1] - 1) / page_bytes;
  for (size_t page = first; page <= last && page < pages_of_file; ++page) figures[0] += atomic_load(&begun[page]);
  return 0;
}

/* openat2 and cachestat have no functions of their own. */
long syscall(long number, ...) {
  va_list list;
  va_start(list, number);
  long a[6];
  for (int i = 0; i < 6; ++i) a[i] = va_arg(list, long);
  va_end(list);
  if (number == 437 /* openat2 */ && fails(kind_open)) return error_of();
  if (number == 451 /* cachestat */) {
    if (fails(kind_look)) return error_of();
    if (hang_of((int)a[0]) == hang_within) return look_at_begun((const uint64_t*)a[1], (uint64_t*)a[2]);
  }
  return real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

int fstat(int file, struct stat* status) {
  return fails(kind_stat) ? error_of() : real_fstat(file, status);
}

int fstatat(int directory, const char* restrict path, struct stat* restrict status, int flags) {
  return fails(kind_stat) ? error_of() : real_fstatat(directory, path, status, flags);
}

int lstat(const char* restrict path, struct stat* restrict status) {
  return fails(kind_stat) ? error_of() : real_lstat(path, status);
}

struct dirent* readdir(DIR* directory) {
  if (!fails(kind_list)) return real_readdir(directory);
  error_of();
  return NULL;
}

int accept4(int listener, struct sockaddr* restrict address, socklen_t* restrict length, int flags) {
  return fails(kind_accept) ? error_of() : real_accept4(listener, address, length, flags);
}

ssize_t recv(int socket, void* buffer, size_t length, int flags) {
  if (fails(kind_receive)) {
    if (atomic_load(&orders->error) != 0) return error_of();
    length = 1;
  }
  return real_recv(socket, buffer, length, flags);
}

ssize_t send(int socket, const void* buffer, size_t length, int flags) {
  if (fails(kind_send)) return error_of();
  return real_send(socket, buffer, length, flags);
}

ssize_t sendmsg(int socket, const struct msghdr* message, int flags) {
  if (fails(kind_send)) return error_of();
  return real_sendmsg(socket, message, flags);
}

ssize_t sendfile(int socket, int file, off_t* offset, size_t length) {
  if (fails(kind_sendfile)) {
    if (atomic_load(&orders->error) != 0) return error_of();
    length = (length + 1) / 2;
  }
  if (hang_of(file) == hang_within) {
    atomic_fetch_add(&orders->slept, 1);
    wait_for_disk();
  }
  return real_sendfile(socket, file, offset, length);
}

int epoll_ctl(int set, int operation, int file, struct epoll_event* event) {
  if (operation == EPOLL_CTL_ADD && fails(kind_watch)) return error_of();
  return real_epoll_ctl(set, operation, file, event);
}

/* libmagic frees twice when it runs out of memory: what it asks for it gets. */
static __thread int in_libmagic __attribute__((tls_model("initial-exec")));

const char* magic_buffer(void* cookie, const void* bytes, size_t length) {
  ++in_libmagic;
  const char* const answer = real_magic_buffer(cookie, bytes, length);
  --in_libmagic;
  return answer;
}

int magic_load(void* cookie, const char* path) {
  ++in_libmagic;
  const int result = real_magic_load(cookie, path);
  --in_libmagic;
  return result;
}

#ifndef WITHOUT_MEMORY /* a sanitizer has a malloc of its own */
static int out_of_memory(void) {
  if (in_libmagic || !fails(kind_memory)) return 0;
  errno = ENOMEM;
  return 1;
}

void* malloc(size_t size) { return out_of_memory() ? NULL : __libc_malloc(size); }

void* calloc(size_t number, size_t size) { return out_of_memory() ? NULL : __libc_calloc(number, size); }

void* realloc(void* memory, size_t size) { return out_of_memory() ? NULL : __libc_realloc(memory, size); }

void* memalign(size_t alignment, size_t size) { return out_of_memory() ? NULL : __libc_memalign(alignment, size); }

void* aligned_alloc(size_t alignment, size_t size) { return out_of_memory() ? NULL : __libc_memalign(alignment, size); }

int posix_memalign(void** memory, size_t alignment, size_t size) {
  if (out_of_memory()) return ENOMEM;
  *memory = __libc_memalign(alignment, size);
  return *memory == NULL ? ENOMEM : 0;
}

#endif

/* The wall clock. The steady one, by which the daemon measures time, stays right. */
int clock_gettime(clockid_t clock, struct timespec* now) {
  const int result = (int)syscall(SYS_clock_gettime, clock, now);
  if (orders != NULL && clock == CLOCK_REALTIME) now->tv_sec += atomic_load(&orders->jump);
  return result;
}

time_t time(time_t* place) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (place != NULL) *place = now.tv_sec;
  return now.tv_sec;
}
