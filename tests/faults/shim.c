// Preloaded into a release dxtd: counts the calls that change what others can see and
// ends the process before or after the n-th of them. README.md lists the variables that
// steer it.
//
// Every wrapper makes the system call itself, so it needs no second copy of libc and
// works from the first instruction of the first constructor on. Only files below the
// watched prefixes and sockets to the watched server are counted; everything else passes
// untouched.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "power.h"
#include "raw.h"

enum { kMaxWatches = 16, kMaxDescriptors = 65536, kFrames = 40 };

typedef struct {
  char kind[16];
  char prefix[1024];
  size_t length;
} Watch;

static Watch watches[kMaxWatches];
static int watch_count;
static int watched_port;

/// Per descriptor: 0 = not ours, else 1 + the index of its watch.
static _Atomic unsigned char owner_of[kMaxDescriptors];
static _Atomic bool written[kMaxDescriptors];
/// A COMMIT was sent on this socket and its answer has not been read yet.
static _Atomic bool committing[kMaxDescriptors];
static char postgres_kind[] = "postgres";

static bool active;
static const char* trace_path;
static long strike_at;
static bool strike_after;
static int strike_signal = SIGKILL;
static atomic_long calls;
static uintptr_t image_begin, image_end;

static long Call(long number, long a, long b, long c, long d, long e, long f) {
  const long result = Raw(number, a, b, c, d, e, f);
  if (result < 0 && result > -4096) {
    errno = (int)-result;
    return -1;
  }
  return result;
}

static int OnImage(struct dl_phdr_info* info, size_t size, void* data) {
  (void)size;
  (void)data;
  image_begin = info->dlpi_addr;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    if (info->dlpi_phdr[i].p_type != PT_LOAD) continue;
    const uintptr_t end = info->dlpi_phdr[i].p_vaddr + info->dlpi_phdr[i].p_memsz;
    if (image_begin + end > image_end) image_end = image_begin + end;
  }
  return 1;  // The first one is the program itself.
}

static void ReadWatches(const char* text) {
  while (text && *text && watch_count < kMaxWatches) {
    const char* equals = strchr(text, '=');
    const char* end = strchrnul(text, '\n');
    if (!equals || equals > end) return;
    Watch* watch = &watches[watch_count++];
    snprintf(watch->kind, sizeof watch->kind, "%.*s", (int)(equals - text), text);
    snprintf(watch->prefix, sizeof watch->prefix, "%.*s", (int)(end - equals - 1),
             equals + 1);
    watch->length = strlen(watch->prefix);
    text = *end ? end + 1 : end;
  }
}

/// Beside the trace, for who waits until this process has stopped.
static void WriteProcessId(void) {
  char path[1100], text[32];
  snprintf(path, sizeof path, "%s.pid", trace_path);
  const int length = snprintf(text, sizeof text, "%d\n", getpid());
  const long file = Raw(SYS_openat, AT_FDCWD, (long)path,
                        O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644, 0, 0);
  Raw(SYS_write, file, (long)text, length, 0, 0, 0);
  Raw(SYS_close, file, 0, 0, 0, 0, 0);
}

__attribute__((constructor)) static void Start(void) {
  trace_path = getenv("DXT_FAULTS_TRACE");
  const char* program = getenv("DXT_FAULTS_PROGRAM");
  if (!trace_path ||
      strcmp(program_invocation_short_name, program ? program : "dxtd") != 0)
    return;
  ReadWatches(getenv("DXT_FAULTS_WATCH"));
  const char* port = getenv("DXT_FAULTS_PORT");
  watched_port = port ? atoi(port) : 0;
  const char* at = getenv("DXT_FAULTS_AT");
  strike_at = at ? atol(at) : 0;
  const char* when = getenv("DXT_FAULTS_WHEN");
  strike_after = when && strcmp(when, "after") == 0;
  const char* with = getenv("DXT_FAULTS_SIGNAL");
  if (with) strike_signal = atoi(with);
  dl_iterate_phdr(OnImage, NULL);
  void* warm[2];
  backtrace(warm, 2);  // Loads what it needs, outside of any counted call.
  const char* trash = getenv("DXT_FAULTS_POWER");
  if (trash) PowerWatch(trash);
  const char* tear = getenv("DXT_FAULTS_TEAR");
  if (tear) PowerTear(strtoul(tear, NULL, 10));
  WriteProcessId();
  active = true;
}

static atomic_bool dark;

static void Strike(void) {
  if (PowerWatched()) {
    dark = true;
    PowerLoss();
  }
  Raw(SYS_kill, getpid(), strike_signal, 0, 0, 0, 0);
  if (strike_signal != SIGKILL) return;
  for (;;) pause();
}

/// Writes one line of the trace: number, kind, call, detail, frames within the program.
static void Note(long number, const char* kind, const char* name, const char* detail) {
  char line[2048];
  void* frames[kFrames];
  int length =
      snprintf(line, sizeof line, "%ld\t%s\t%s\t%.200s\t", number, kind, name, detail);
  const int depth = backtrace(frames, kFrames);
  for (int i = 0; i < depth; ++i) {
    const uintptr_t address = (uintptr_t)frames[i];
    if (address < image_begin || address >= image_end) continue;
    if (length > (int)sizeof line - 32) break;
    length += snprintf(line + length, sizeof line - length, "%lx ",
                       (unsigned long)(address - image_begin));
  }
  line[length++] = '\n';
  // Opened anew each time: dxtd closes all descriptors that it finds when it starts.
  const long trace = Raw(SYS_openat, AT_FDCWD, (long)trace_path,
                         O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644, 0, 0);
  Raw(SYS_write, trace, (long)line, length, 0, 0, 0);
  Raw(SYS_close, trace, 0, 0, 0, 0, 0);
}

/// Counts a call about to be made; ends the process if it is the one to die before.
static long Before(const char* kind, const char* name, const char* detail) {
  while (dark) pause();
  const int kept = errno;
  const long number = atomic_fetch_add(&calls, 1) + 1;
  Note(number, kind, name, detail);
  if (number == strike_at && !strike_after) Strike();
  errno = kept;
  return number;
}

static void After(long number) {
  if (number != strike_at || !strike_after) return;
  const int kept = errno;
  Strike();
  errno = kept;
}

/// Index + 1 of the watch whose prefix the path has; the first that fits wins.
static int WatchOf(const char* path) {
  if (!active || !path) return 0;
  for (int i = 0; i < watch_count; ++i) {
    if (strncmp(path, watches[i].prefix, watches[i].length) == 0) return i + 1;
  }
  return 0;
}

/// The same for a path relative to a folder's descriptor; `full` gets the whole path.
static int WatchAt(int folder, const char* path, char* full, size_t size) {
  if (!active || !path) return 0;
  if (path[0] == '/') {
    snprintf(full, size, "%s", path);
    return WatchOf(full);
  }
  char link[64];
  if (folder == AT_FDCWD) {
    snprintf(link, sizeof link, "/proc/self/cwd");
  } else {
    snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
  }
  char base[1024];
  const long length =
      Raw(SYS_readlinkat, AT_FDCWD, (long)link, (long)base, sizeof base - 1, 0, 0);
  if (length < 0) return 0;
  base[length] = 0;
  snprintf(full, size, "%s/%s", base, path);
  return WatchOf(full);
}

static int OwnerOf(int fd) {
  return active && fd >= 0 && fd < kMaxDescriptors ? owner_of[fd] : 0;
}

static const char* KindOf(int owner) {
  return owner > watch_count ? postgres_kind : watches[owner - 1].kind;
}

static const char* NameOf(const char* path) {
  const char* slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

static void Own(int fd, int owner) {
  if (fd < 0 || fd >= kMaxDescriptors) return;
  owner_of[fd] = (unsigned char)owner;
  written[fd] = false;
  committing[fd] = false;
}

// --- files

static int OpenAt(int folder, const char* path, int flags, mode_t mode) {
  char full[2048];
  const int owner = WatchAt(folder, path, full, sizeof full);
  long number = 0;
  bool there = true;
  if (owner && (flags & (O_CREAT | O_TRUNC))) {
    struct stat info;
    there = Raw(SYS_newfstatat, folder, (long)path, (long)&info, 0, 0, 0) == 0;
    if (!there || (flags & O_TRUNC)) number = Before(KindOf(owner), "open", NameOf(full));
    if (there && (flags & O_TRUNC) && PowerWatched()) {
      const long old = Raw(SYS_openat, AT_FDCWD, (long)full, O_RDONLY, 0, 0, 0);
      PowerTruncate((int)old, 0);
      Raw(SYS_close, old, 0, 0, 0, 0, 0);
    }
  }
  const int fd = (int)Call(SYS_openat, folder, (long)path, flags, mode, 0, 0);
  if (active && fd >= 0) Own(fd, owner);
  if (fd >= 0 && !there) PowerMade(full, false);
  if (number) After(number);
  return fd;
}

static mode_t ModeOf(int flags, va_list arguments) {
  return (flags & (O_CREAT | __O_TMPFILE)) ? (mode_t)va_arg(arguments, int) : 0;
}

#define OPEN(name)                                \
  int name(const char* path, int flags, ...) {    \
    va_list arguments;                            \
    va_start(arguments, flags);                   \
    const mode_t mode = ModeOf(flags, arguments); \
    va_end(arguments);                            \
    return OpenAt(AT_FDCWD, path, flags, mode);   \
  }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                       \
  int name(int folder, const char* path, int flags, ...) { \
    va_list arguments;                                     \
    va_start(arguments, flags);                            \
    const mode_t mode = ModeOf(flags, arguments);          \
    va_end(arguments);                                     \
    return OpenAt(folder, path, flags, mode);              \
  }
OPENAT(openat)
OPENAT(openat64)

/// What is sent to PostgreSQL, for the trace: the first message's type and SQL.
static const char* Message(const void* bytes, size_t size, char* text, size_t space) {
  const char* at = bytes;
  size_t used = 0;
  for (size_t i = 0; i < size && i < 60 && used + 1 < space; ++i) {
    const char c = at[i];
    if (c >= ' ' && c < 127) text[used++] = c;
  }
  text[used] = 0;
  return text;
}

static long Transfer(int fd, const char* name, long number_of_call, long a, long b,
                     long c, long d, long e, long f, const void* bytes, size_t size) {
  const int owner = OwnerOf(fd);
  if (!owner) return Call(number_of_call, a, b, c, d, e, f);
  const bool server = owner > watch_count;
  char text[64] = "";
  const bool commit = server && bytes && memmem(bytes, size, "COMMIT", 6);
  if (server && bytes) Message(bytes, size, text, sizeof text);
  const long number = Before(KindOf(owner), name, commit ? "COMMIT" : text);
  written[fd] = true;
  // The third argument of all of them is the size, pwrite's fourth the place.
  if (!server) PowerWrite(fd, number_of_call == SYS_pwrite64 ? d : -1, (size_t)c);
  const long result = Call(number_of_call, a, b, c, d, e, f);
  if (commit) committing[fd] = true;
  After(number);
  return result;
}

ssize_t write(int fd, const void* bytes, size_t size) {
  return Transfer(fd, "write", SYS_write, fd, (long)bytes, size, 0, 0, 0, bytes, size);
}

#define PWRITE(name)                                                                    \
  ssize_t name(int fd, const void* bytes, size_t size, off_t at) {                      \
    return Transfer(fd, "pwrite", SYS_pwrite64, fd, (long)bytes, size, at, 0, 0, 0, 0); \
  }
PWRITE(pwrite)
PWRITE(pwrite64)

ssize_t writev(int fd, const struct iovec* parts, int count) {
  return Transfer(fd, "writev", SYS_writev, fd, (long)parts, count, 0, 0, 0,
                  count > 0 ? parts[0].iov_base : 0, count > 0 ? parts[0].iov_len : 0);
}

ssize_t send(int fd, const void* bytes, size_t size, int flags) {
  return Transfer(fd, "send", SYS_sendto, fd, (long)bytes, size, flags, 0, 0, bytes,
                  size);
}

ssize_t sendto(int fd, const void* bytes, size_t size, int flags,
               const struct sockaddr* to, socklen_t length) {
  return Transfer(fd, "send", SYS_sendto, fd, (long)bytes, size, flags, (long)to, length,
                  bytes, size);
}

ssize_t sendmsg(int fd, const struct msghdr* message, int flags) {
  return Transfer(fd, "send", SYS_sendmsg, fd, (long)message, flags, 0, 0, 0, 0, 0);
}

/// Of what a server says, the answer to a COMMIT is the one thing that counts.
ssize_t recv(int fd, void* bytes, size_t size, int flags) {
  const bool answer = OwnerOf(fd) && committing[fd];
  const ssize_t result = Call(SYS_recvfrom, fd, (long)bytes, (long)size, flags, 0, 0);
  if (!answer || result <= 0) return result;
  committing[fd] = false;
  After(Before(postgres_kind, "recv", "answer to COMMIT"));
  return result;
}

#define ON_DESCRIPTOR(name, number, second)                        \
  do {                                                             \
    const int owner = OwnerOf(fd);                                 \
    if (!owner) {                                                  \
      const int other = (int)Call(number, fd, second, 0, 0, 0, 0); \
      /* A folder above the watched names, perhaps. */             \
      if (number != SYS_ftruncate && other == 0) PowerSynced(fd);  \
      return other;                                                \
    }                                                              \
    const long counted = Before(KindOf(owner), name, "");          \
    written[fd] = true;                                            \
    if (number == SYS_ftruncate) PowerTruncate(fd, second);        \
    const int result = (int)Call(number, fd, second, 0, 0, 0, 0);  \
    if (number != SYS_ftruncate && result == 0) PowerSynced(fd);   \
    After(counted);                                                \
    return result;                                                 \
  } while (0)

int fsync(int fd) { ON_DESCRIPTOR("fsync", SYS_fsync, 0); }
int fdatasync(int fd) { ON_DESCRIPTOR("fdatasync", SYS_fdatasync, 0); }
int ftruncate(int fd, off_t size) { ON_DESCRIPTOR("ftruncate", SYS_ftruncate, size); }
int ftruncate64(int fd, off_t size) { ON_DESCRIPTOR("ftruncate", SYS_ftruncate, size); }

#define FALLOCATE(name)                                                    \
  int name(int fd, int mode, off_t at, off_t size) {                       \
    const int owner = OwnerOf(fd);                                         \
    const long counted = owner ? Before(KindOf(owner), #name, "") : 0;     \
    const int result = (int)Call(SYS_fallocate, fd, mode, at, size, 0, 0); \
    if (counted) After(counted);                                           \
    return result;                                                         \
  }
FALLOCATE(fallocate)
FALLOCATE(fallocate64)

int close(int fd) {
  const int owner = OwnerOf(fd);
  const bool counted = owner && written[fd];
  const long number = counted ? Before(KindOf(owner), "close", "") : 0;
  if (owner) Own(fd, 0);
  const int result = (int)Call(SYS_close, fd, 0, 0, 0, 0, 0);
  if (number) After(number);
  return result;
}

// --- names

/// `from`: the old name, for a call that gives a new one to what has one already.
static int OnName(const char* name, int folder, const char* path, int from_folder,
                  const char* from, long number, long a, long b, long c, long d, long e) {
  char full[2048], old[2048] = "";
  const int owner = WatchAt(folder, path, full, sizeof full);
  if (!owner) return (int)Call(number, a, b, c, d, e, 0);
  if (from) WatchAt(from_folder, from, old, sizeof old);
  const bool exchanged = number == SYS_renameat2 && (e & RENAME_EXCHANGE);
  const bool renamed = strcmp(name, "rename") == 0;
  const bool is_folder = number == SYS_rmdir || number == SYS_mkdir ||
                         (number == SYS_unlinkat && (c & AT_REMOVEDIR));
  const bool removed = strcmp(name, "unlink") == 0 || strcmp(name, "rmdir") == 0;
  const long counted = Before(KindOf(owner), name, NameOf(full));
  if ((renamed && !exchanged) || (removed && !is_folder)) PowerKeep(full);
  const int result = (int)Call(number, a, b, c, d, e, 0);
  if (result == 0 && removed) PowerRemoved(full, is_folder);
  if (result == 0 && renamed) PowerRenamed(old, full, exchanged);
  if (result == 0 && !removed && !renamed) PowerMade(full, is_folder);
  After(counted);
  return result;
}

int unlink(const char* path) {
  return OnName("unlink", AT_FDCWD, path, 0, NULL, SYS_unlink, (long)path, 0, 0, 0, 0);
}
int unlinkat(int folder, const char* path, int flags) {
  return OnName("unlink", folder, path, 0, NULL, SYS_unlinkat, folder, (long)path, flags,
                0, 0);
}
int rmdir(const char* path) {
  return OnName("rmdir", AT_FDCWD, path, 0, NULL, SYS_rmdir, (long)path, 0, 0, 0, 0);
}
int remove(const char* path) {
  const int removed = unlink(path);
  return removed != 0 && errno == EISDIR ? rmdir(path) : removed;
}
int mkdir(const char* path, mode_t mode) {
  struct stat info;
  // Making what is there already changes nothing.
  if (Raw(SYS_stat, (long)path, (long)&info, 0, 0, 0, 0) == 0) {
    return (int)Call(SYS_mkdir, (long)path, mode, 0, 0, 0, 0);
  }
  return OnName("mkdir", AT_FDCWD, path, 0, NULL, SYS_mkdir, (long)path, mode, 0, 0, 0);
}
int rename(const char* from, const char* to) {
  return OnName("rename", AT_FDCWD, to, AT_FDCWD, from, SYS_rename, (long)from, (long)to,
                0, 0, 0);
}
int renameat(int from_folder, const char* from, int to_folder, const char* to) {
  return OnName("rename", to_folder, to, from_folder, from, SYS_renameat, from_folder,
                (long)from, to_folder, (long)to, 0);
}
int renameat2(int from_folder, const char* from, int to_folder, const char* to,
              unsigned flags) {
  return OnName("rename", to_folder, to, from_folder, from, SYS_renameat2, from_folder,
                (long)from, to_folder, (long)to, flags);
}
int link(const char* from, const char* to) {
  return OnName("link", AT_FDCWD, to, 0, NULL, SYS_link, (long)from, (long)to, 0, 0, 0);
}

int linkat(int from_folder, const char* from, int to_folder, const char* to, int flags) {
  return OnName("link", to_folder, to, 0, NULL, SYS_linkat, from_folder, (long)from,
                to_folder, (long)to, flags);
}

long syscall(long number, ...) {
  va_list arguments;
  va_start(arguments, number);
  long values[6];
  for (int i = 0; i < 6; ++i) values[i] = va_arg(arguments, long);
  va_end(arguments);
  if (active && number == SYS_renameat2) {
    return renameat2((int)values[0], (const char*)values[1], (int)values[2],
                     (const char*)values[3], (unsigned)values[4]);
  }
  return Call(number, values[0], values[1], values[2], values[3], values[4], values[5]);
}

// --- sockets

int connect(int fd, const struct sockaddr* to, socklen_t length) {
  if (active && watched_port && to) {
    const bool inet = to->sa_family == AF_INET &&
                      ntohs(((const struct sockaddr_in*)to)->sin_port) == watched_port;
    const bool inet6 = to->sa_family == AF_INET6 &&
                       ntohs(((const struct sockaddr_in6*)to)->sin6_port) == watched_port;
    if (inet || inet6) Own(fd, kMaxWatches + 1);
  }
  return (int)Call(SYS_connect, fd, (long)to, length, 0, 0, 0);
}
