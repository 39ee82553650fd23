// A machine that loses power: what was written and not synced is gone when it comes back.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/// Keeps from now on how to take each change back; `trash` is an empty folder on the disk
/// of the watched files, for the names that are removed.
void PowerWatch(const char* trash);
bool PowerWatched(void);
/// Of each file, keep some of the writes that were not synced, in their order, and the
/// beginning of the one after them; `seed` says how much. 0 drops them all.
void PowerTear(unsigned long seed);

/// Before bytes at `at` are written (-1: where the descriptor stands), before a cut to
/// `size`.
void PowerWrite(int fd, off_t at, size_t size);
void PowerTruncate(int fd, off_t size);
/// After names changed. A removed or overwritten name is handed to PowerKeep before.
void PowerMade(const char* path, bool folder);
void PowerKeep(const char* path);
void PowerRemoved(const char* path, bool folder);
void PowerRenamed(const char* from, const char* to, bool exchanged);
/// After a successful fsync of a file (which keeps its contents and the name that it was
/// made under, as file systems do) or of a folder (which keeps the names in it).
void PowerSynced(int fd);

/// Takes back what was not synced, the newest first. Nothing may be written meanwhile.
void PowerLoss(void);
