#define _GNU_SOURCE
#include "power.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

// Plain system calls: the library's functions of these names are the shim's own.
#include "raw.h"

typedef enum { kBytes, kSize, kMade, kRemoved, kRenamed, kExchanged } Kind;

typedef struct Change {
  Kind kind;
  bool synced, folder;
  dev_t device;
  ino_t inode;
  char path[1024], from[1024], kept[1024];
  off_t at, size;
  size_t length;
  void* bytes;
  size_t wrote;  // How much was written; 0 when the file was cut.
  size_t torn;   // How much of that stays.
  bool counted;
  struct Change* before;
} Change;

static const char* trash_folder;
static Change* newest;
static unsigned long kept_count;
static char kept_last[1024];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static unsigned long tear_seed;

void PowerWatch(const char* trash) { trash_folder = trash; }
void PowerTear(unsigned long seed) { tear_seed = seed; }
bool PowerWatched(void) { return trash_folder != NULL; }

static Change* Note(Kind kind) {
  Change* change = calloc(1, sizeof *change);
  if (!change) abort();
  change->kind = kind;
  change->before = newest;
  newest = change;
  return change;
}

static bool Identify(int fd, struct stat* info, char* path, size_t size) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const long length =
      Raw(SYS_readlinkat, AT_FDCWD, (long)link, (long)path, size - 1, 0, 0);
  if (length < 0) return false;
  path[length] = 0;
  return Raw(SYS_fstat, fd, (long)info, 0, 0, 0, 0) == 0;
}

static void NoteBytes(int fd, off_t at, size_t size, size_t wrote) {
  struct stat info;
  char path[1024];
  if (!trash_folder || !Identify(fd, &info, path, sizeof path)) return;
  if (at < 0) {
    const long flags = Raw(SYS_fcntl, fd, F_GETFL, 0, 0, 0, 0);
    at = (flags & O_APPEND) ? info.st_size : Raw(SYS_lseek, fd, 0, SEEK_CUR, 0, 0, 0);
  }
  pthread_mutex_lock(&mutex);
  Change* change = Note(kBytes);
  change->device = info.st_dev;
  change->inode = info.st_ino;
  memcpy(change->path, path, sizeof path);
  change->at = at;
  change->size = info.st_size;
  change->wrote = wrote;
  if (at < info.st_size) {
    const size_t there = (size_t)(info.st_size - at);
    change->length = there < size ? there : size;
    change->bytes = malloc(change->length);
    // The descriptor may be for writing only.
    const long reader =
        Raw(SYS_openat, AT_FDCWD, (long)path, O_RDONLY | O_CLOEXEC, 0, 0, 0);
    const long got =
        Raw(SYS_pread64, reader, (long)change->bytes, (long)change->length, at, 0, 0);
    change->length = got > 0 ? (size_t)got : 0;
    Raw(SYS_close, reader, 0, 0, 0, 0, 0);
  }
  pthread_mutex_unlock(&mutex);
}

void PowerWrite(int fd, off_t at, size_t size) { NoteBytes(fd, at, size, size); }

void PowerTruncate(int fd, off_t size) {
  struct stat info;
  if (!trash_folder || Raw(SYS_fstat, fd, (long)&info, 0, 0, 0, 0) != 0) return;
  if (size < info.st_size)
    NoteBytes(fd, size, (size_t)(info.st_size - size), 0);
  else
    NoteBytes(fd, info.st_size, 0, 0);
}

void PowerMade(const char* path, bool folder) {
  struct stat info;
  if (!trash_folder) return;
  if (Raw(SYS_newfstatat, AT_FDCWD, (long)path, (long)&info, AT_SYMLINK_NOFOLLOW, 0, 0) !=
      0)
    return;
  pthread_mutex_lock(&mutex);
  Change* change = Note(kMade);
  snprintf(change->path, sizeof change->path, "%s", path);
  change->folder = folder;
  change->device = info.st_dev;
  change->inode = info.st_ino;
  pthread_mutex_unlock(&mutex);
}

void PowerKeep(const char* path) {
  if (!trash_folder) return;
  pthread_mutex_lock(&mutex);
  snprintf(kept_last, sizeof kept_last, "%s/%lu", trash_folder, ++kept_count);
  if (Raw(SYS_link, (long)path, (long)kept_last, 0, 0, 0, 0) != 0) kept_last[0] = 0;
  pthread_mutex_unlock(&mutex);
}

static void Named(Kind kind, const char* from, const char* path, bool folder) {
  if (!trash_folder) return;
  pthread_mutex_lock(&mutex);
  Change* change = Note(kind);
  snprintf(change->path, sizeof change->path, "%s", path);
  snprintf(change->from, sizeof change->from, "%s", from);
  snprintf(change->kept, sizeof change->kept, "%s", kept_last);
  kept_last[0] = 0;
  change->folder = folder;
  pthread_mutex_unlock(&mutex);
}

void PowerRemoved(const char* path, bool folder) { Named(kRemoved, "", path, folder); }

void PowerRenamed(const char* from, const char* to, bool exchanged) {
  Named(exchanged ? kExchanged : kRenamed, from, to, false);
}

/// Does the path stand in that folder itself?
static bool In(const char* path, const char* folder, size_t length) {
  return strncmp(path, folder, length) == 0 && path[length] == '/' &&
         strchr(path + length + 1, '/') == NULL;
}

void PowerSynced(int fd) {
  struct stat info;
  char path[1024];
  if (!trash_folder || !Identify(fd, &info, path, sizeof path)) return;
  const size_t length = strlen(path);
  pthread_mutex_lock(&mutex);
  for (Change* change = newest; change; change = change->before) {
    if (S_ISDIR(info.st_mode)) {
      if (change->kind >= kMade &&
          (In(change->path, path, length) || In(change->from, path, length)))
        change->synced = true;
    } else if (change->kind <= kMade && change->device == info.st_dev &&
               change->inode == info.st_ino) {
      change->synced = true;
    }
  }
  pthread_mutex_unlock(&mutex);
}

/// Follows one durable change of names.
static void Follow(const Change* rename, char* path, size_t size) {
  const size_t length = strlen(rename->from);
  if (strncmp(path, rename->from, length) != 0) return;
  if (path[length] != 0 && path[length] != '/') return;
  char rest[1024];
  snprintf(rest, sizeof rest, "%s", path + length);
  snprintf(path, size, "%s%s", rename->path, rest);
}

/// Where the file of a change is now that all later changes but the durable ones are
/// taken back.
static void PathOf(const Change* change, char* path, size_t size) {
  size_t later = 0;
  for (const Change* at = newest; at != change; at = at->before) ++later;
  snprintf(path, size, "%s", change->path);
  for (; later > 0; --later) {
    const Change* at = newest;
    for (size_t i = 1; i < later; ++i) at = at->before;
    if (at->kind == kRenamed && at->synced) Follow(at, path, size);
  }
}

/// Does a name stand for something again, now that all later changes but the durable ones
/// are taken back? Then its removal is durable too: a name is one entry of its folder.
static bool Stands(const char* path) {
  struct stat info;
  return Raw(SYS_newfstatat, AT_FDCWD, (long)path, (long)&info, AT_SYMLINK_NOFOLLOW, 0,
             0) == 0;
}

static void TakeBack(const Change* change) {
  if (change->kind == kRemoved && Stands(change->path)) return;
  if (change->kind == kRenamed && Stands(change->from)) return;
  switch (change->kind) {
    case kBytes:
    case kSize: {
      char path[2048];
      PathOf(change, path, sizeof path);
      const long fd =
          Raw(SYS_openat, AT_FDCWD, (long)path, O_WRONLY | O_CLOEXEC, 0, 0, 0);
      if (fd < 0) return;
      if (change->length > change->torn)
        Raw(SYS_pwrite64, fd, (long)change->bytes + (long)change->torn,
            (long)(change->length - change->torn), change->at + (off_t)change->torn, 0,
            0);
      const off_t kept = change->torn > 0 ? change->at + (off_t)change->torn : 0;
      Raw(SYS_ftruncate, fd, kept > change->size ? kept : change->size, 0, 0, 0, 0);
      Raw(SYS_close, fd, 0, 0, 0, 0, 0);
      return;
    }
    case kMade:
      Raw(SYS_unlinkat, AT_FDCWD, (long)change->path, change->folder ? AT_REMOVEDIR : 0,
          0, 0, 0);
      return;
    case kRemoved:
      if (change->folder) Raw(SYS_mkdir, (long)change->path, 0755, 0, 0, 0, 0);
      if (change->kept[0])
        Raw(SYS_rename, (long)change->kept, (long)change->path, 0, 0, 0, 0);
      return;
    case kRenamed:
      Raw(SYS_rename, (long)change->path, (long)change->from, 0, 0, 0, 0);
      if (change->kept[0])
        Raw(SYS_rename, (long)change->kept, (long)change->path, 0, 0, 0, 0);
      return;
    case kExchanged:
      Raw(SYS_renameat2, AT_FDCWD, (long)change->path, AT_FDCWD, (long)change->from,
          RENAME_EXCHANGE, 0);
      return;
  }
}

static unsigned long Mix(unsigned long value) {
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9UL;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebUL;
  return value ^ (value >> 31);
}

static bool SameBytes(const Change* change, const Change* other) {
  return change->kind == kBytes && !change->synced && change->device == other->device &&
         change->inode == other->inode;
}

/// Of the file whose newest write that is: the oldest writes stay, one is torn, and what
/// came after it goes.
static void TearFile(Change* last) {
  unsigned long writes = 0;
  for (const Change* change = last; change; change = change->before)
    writes += SameBytes(change, last);
  const unsigned long stay = Mix(tear_seed ^ last->inode) % (writes + 1);
  unsigned long place = writes;
  const Change file = *last;
  for (Change* change = last; change; change = change->before) {
    if (!SameBytes(change, &file)) continue;
    change->counted = true;
    --place;
    if (place == stay) change->torn = Mix(tear_seed + place) % (change->wrote + 1);
    if (place < stay) change->synced = true;
  }
}

void PowerLoss(void) {
  if (!trash_folder) return;
  pthread_mutex_lock(&mutex);  // Kept: whoever wants to change more waits for the end.
  for (Change* change = newest; change && tear_seed; change = change->before) {
    if (change->kind == kBytes && !change->synced && !change->counted) TearFile(change);
  }
  for (Change* change = newest; change; change = change->before) {
    if (!change->synced) TakeBack(change);
  }
}
