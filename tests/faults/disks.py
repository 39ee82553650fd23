"""Cells whose disk is full: that of the buffer or of the target, each alone."""

import contextlib
import ctypes
import os
import shutil
import subprocess

import cells
from arena import Arena, Kill
from systems import Skipped

CLONE_NEWNS = 0x20000
FULL = ("no_space", "disk_full", "No space left", "database or disk is full")
PLACES = ["buffer", "target"]


def enter_namespace():
    """Mounts of this process are its own from here on, and end with it. Before any thread."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNS):
        raise Skipped("mounting small disks needs root")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)


@contextlib.contextmanager
def small_disk(folder, room):
    """What is in `folder` lies on a disk that has so many KiB left; yields what makes it large."""
    aside = folder.with_name(folder.name + ".aside")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.rename(folder, aside)
    folder.mkdir(mode=0o700)
    used = sum(-(-path.stat().st_size // 4096) * 4 for path in aside.rglob("*"))
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"mode=0700,size={used + room}k", "tmpfs", folder],
                   check=True)
    shutil.copytree(aside, folder, symlinks=True, dirs_exist_ok=True)
    try:
        yield lambda: subprocess.run(["mount", "-o", "remount,size=256m", folder], check=True)
    finally:
        shutil.rmtree(aside)
        shutil.copytree(folder, aside, symlinks=True)
        subprocess.run(["umount", "--lazy", folder], check=True)
        folder.rmdir()
        os.rename(aside, folder)


class DiskArena(Arena):
    """A run meets a full disk, and is given again when there is room."""

    share = 0.25

    def plan(self):
        self.cell.prepare(self.settle)

    def shoot(self):
        start = self.rng.choice(self.cell.STARTS)
        place = self.rng.choice(self.cell.target.places)
        buffer = "staged" if place == "buffer" else self.rng.choice(self.cell.BUFFERS)
        room = self.rng.randint(1, 120) * 4
        self.cell.reset(start)
        before = sorted(self.cell.rows()) if start == "next" else None
        live, window = self.cell.live, self.cell.window(start)
        folder = live / ("target" if place == "target" else ".dxt/buffer")
        kill = Kill(self.cell.name, start, buffer, f"{room} KiB", f"disk full: {place}",
                    f"{place}, {room} KiB")
        with small_disk(folder, room) as make_room:
            code, _ = self.run(buffer)
            if code == 0:
                return False  # There was room enough.
            if not any(text in self.output for text in FULL):
                kill.problems.append(f"the full disk is not named: {self.output[-600:]}")
            make_room()
            # Whether it was committed is for the ledger to say; half of it is neither.
            if start == "next":
                rows = sorted(self.cell.rows())
                if rows not in (before, sorted(self.cell.mode.target(window))):
                    kill.problems.append("the target is neither as before nor as after the load")
            code, _ = self.run(buffer)
            if code != 0:
                kill.problems.append(f"never recovers: exit code {code}: {self.output[-600:]}")
        verdict = self.cell.compare(window)
        kill.lost, kill.doubled = verdict.lost, verdict.doubled
        kill.problems += verdict.problems
        self.kills.append(kill)
        return True


MODES = ["append-incremental", "upsert-full", "replace-full"]


class DiskSqlite(cells.Sqlite):
    name, modes, arena, places = "disk-sqlite", MODES, DiskArena, PLACES


class DiskDuckdb(cells.Duckdb):
    name, modes, arena, places = "disk-duckdb", MODES, DiskArena, PLACES


class DiskPostgres(cells.Postgres):
    """The server's own disk is the server's."""
    name, modes, arena, places = "disk-postgres", MODES, DiskArena, ["buffer"]


class DiskParquet(cells.Parquet):
    name, arena, places = "disk-parquet", DiskArena, PLACES
    modes = [mode for mode in MODES if mode in cells.Parquet.modes]


TARGETS = {target.name: target
           for target in (DiskSqlite, DiskDuckdb, DiskPostgres, DiskParquet)}
