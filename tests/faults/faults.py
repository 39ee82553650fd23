#!/usr/bin/env python3
"""Kills dxt at its system calls and looks whether every row arrived once. See README.md."""

import argparse
import collections
import concurrent.futures
import dataclasses
import fnmatch
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time

import cells
import daemons
import disks
import network
import silence
import stopped
import trace
from arena import Arena
from systems import DuckDb, Failed, Postgres, Skipped

TARGETS = cells.TARGETS
for family in (network, silence, stopped, daemons, disks):
    TARGETS.update(family.TARGETS)


class Tools:
    """The programs and servers that the cells share."""

    def __init__(self, arguments, folder, targets):
        self.bin = arguments.bin.resolve()
        self.shim = arguments.shim.resolve()
        self.symbols = trace.Symbols(self.bin / "dxtd")
        kinds = [TARGETS[target] for target in targets]
        needs_duckdb = any(issubclass(kind, (cells.Duckdb, cells.Parquet)) for kind in kinds)
        self.duckdb = DuckDb(str(arguments.duckdb)) if needs_duckdb else None
        needs_server = any(issubclass(kind, cells.Postgres) for kind in kinds)
        self.postgres = Postgres(folder) if needs_server else None
        self.environment = {**os.environ, "HOME": str(folder), "LC_ALL": "C",
                            "XDG_RUNTIME_DIR": str(folder / "run"),
                            "PATH": f"{self.bin}:{os.environ['PATH']}"}
        self.environment.pop("XDG_STATE_HOME", None)
        (folder / "run").mkdir(mode=0o700)

    @staticmethod
    def psql(url, *statements):
        words = [*Postgres.PSQL]
        for statement in statements:
            words += ["-c", statement]
        done = subprocess.run([*words, url], capture_output=True, text=True, check=False)
        if done.returncode:
            raise Failed(f"psql: {done.stderr}")
        return done.stdout.splitlines()

    def stop(self):
        if self.postgres:
            self.postgres.stop()


def wanted_cells(patterns):
    names = [(target, mode) for target, kind in TARGETS.items() for mode in kind.modes]
    chosen = [(target, mode) for target, mode in names
              if not patterns or any(fnmatch.fnmatch(f"{target}/{mode}", pattern)
                                     for pattern in patterns)]
    if not chosen:
        sys.exit(f"no cell is named so; there are {', '.join('/'.join(name) for name in names)}")
    return chosen


class Range:
    """Takes turns between the cells until each has its kills or the time is over."""

    def __init__(self, arenas, arguments):
        self.arguments = arguments
        self.deadline = time.monotonic() + arguments.seconds
        self.waiting = collections.deque(arenas)
        self.idle = collections.Counter()
        self.lock = threading.Lock()

    def work(self):
        while True:
            with self.lock:
                if not self.waiting or time.monotonic() > self.deadline:
                    return
                arena = self.waiting.popleft()
            try:
                again = self._turn(arena)
            except (Failed, OSError, subprocess.SubprocessError) as failure:
                print(f"FAILED {arena.cell.name}: {failure}", flush=True)
                arena.broken, again = True, False
            with self.lock:
                if again:
                    self.waiting.append(arena)

    def _turn(self, arena):
        """True if there is more to do."""
        if not arena.planned:
            arena.plan()
            arena.planned = True
            return True
        before = len(arena.kills)
        self.idle[arena] = 0 if arena.shoot() else self.idle[arena] + 1
        for kill in arena.kills[before:]:
            if kill.problems:
                report_failure(arena, kill, self.arguments)
        return (len(arena.kills) < self.arguments.kills * arena.share
                and self.idle[arena] < 20)


def shoot_all(arenas, arguments):
    target_range = Range(arenas, arguments)
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        for worker in [pool.submit(target_range.work) for _ in range(arguments.jobs)]:
            worker.result()


def report_failure(arena, kill, arguments):
    print(f"FAILED {kill.cell} ({kill.start}, {kill.buffer}) killed {kill.strike}, {kill.phase}:"
          f" {kill.site}", flush=True)
    for problem in kill.problems:
        print(f"    {problem}", flush=True)
    if arguments.keep:
        kept = arena.cell.folder / f"failed-{len(arena.kills)}"
        shutil.copytree(arena.cell.live, kept, symlinks=True)
        print(f"    kept in {kept}", flush=True)


def summarise(arenas, seconds, arguments):
    every = [kill for arena in arenas for kill in arena.kills]
    kills = [kill for kill in every if kill.phase in trace.PHASES]
    pairs = {(kill.phase, kill.site) for kill in kills}
    print(f"\n{'cell':28} {'kills':>5} {'pairs':>5} {'lost':>5} {'doubled':>7} {'failed':>6}")
    passed = failed = 0
    for arena in arenas:
        mine = arena.kills
        bad = [kill for kill in mine if kill.problems]
        passed, failed = passed + len(mine) - len(bad), failed + len(bad)
        print(f"{arena.cell.name:28} {len(mine):5} "
              f"{len({(kill.phase, kill.site) for kill in mine}):5} "
              f"{sum(kill.lost for kill in mine):5} {sum(kill.doubled for kill in mine):7} "
              f"{len(bad):6}")
    phases = collections.Counter(kill.phase for kill in every)
    others = sorted(set(phases) - set(trace.PHASES))
    print("\nkills: " + ", ".join(f"{phase} {phases[phase]}" for phase in trace.PHASES))
    if others:
        print("other faults: " + ", ".join(f"{phase} {phases[phase]}" for phase in others))
    print(f"{len(kills)} kills and {len(every) - len(kills)} other faults in {len(arenas)} "
          f"cells, {len(pairs)} pairs of phase and call site, {seconds:.0f} s, "
          f"{sum(arena.runs for arena in arenas)} runs, seed {arguments.seed}")
    if arguments.json:
        arguments.json.write_text(json.dumps({
            "schema": "dxt.faults/1", "seed": arguments.seed, "seconds": round(seconds, 1),
            "signal": arguments.signal, "kills": len(kills),
            "other_faults": len(every) - len(kills), "pairs": len(pairs),
            "phases": dict(phases), "lost": sum(kill.lost for kill in every),
            "doubled": sum(kill.doubled for kill in every),
            "broken_off": [arena.cell.name for arena in arenas if arena.broken],
            "cells": {arena.cell.name: [dataclasses.asdict(kill) for kill in arena.kills]
                      for arena in arenas}}, indent=1) + "\n")
    starved = [arena for arena in arenas if arena.broken or not arena.kills]
    for arena in starved:
        print(f"{arena.cell.name} has broken off" if arena.broken else
              f"no kill counted in {arena.cell.name}")
    print(f"{passed} passed, {failed + len(starved)} failed")
    return failed + len(starved) == 0


def arguments_of(words):
    parser = argparse.ArgumentParser(prog="./dev faults", description=__doc__)
    parser.add_argument("--bin", type=pathlib.Path, required=True, help="folder of the programs")
    parser.add_argument("--shim", type=pathlib.Path, required=True, help="the preloaded library")
    parser.add_argument("--duckdb", type=pathlib.Path, help="libduckdb.so, to look into files")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--kills", type=int, default=30, help="in each cell (30)")
    parser.add_argument("--seconds", type=float, default=600, help="stop after that time (600)")
    parser.add_argument("--cell", action="append", default=[], metavar="PATTERN",
                        help="only cells named so, e.g. 'sqlite/*'; may be repeated")
    parser.add_argument("--signal", choices=["KILL", "TERM", "POWER", "TEAR"],
                        default="KILL", help="what dxtd gets (KILL); POWER also drops what was "
                        "not synced, TEAR keeps a part of it")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(),
                        help="cells at once (one for each processor)")
    parser.add_argument("--long", action="store_true", help="500 kills in each cell, no limit")
    parser.add_argument("--json", type=pathlib.Path, help="write the results there")
    parser.add_argument("--keep", action="store_true", help="keep the folders of failures")
    parsed = parser.parse_args(words)
    if parsed.long:
        parsed.kills, parsed.seconds = 500, float("inf")
    return parsed


def main(words):
    arguments = arguments_of(words)
    chosen = wanted_cells(arguments.cell)
    # In memory where that can be had: what counts is the order of calls, not the disk.
    memory = pathlib.Path("/dev/shm")
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > 2 << 30
    folder = pathlib.Path(tempfile.mkdtemp(prefix="dxt-faults-", dir=memory if roomy else None))
    print(f"seed {arguments.seed}", flush=True)
    tools = None
    begin = time.monotonic()
    try:
        try:
            if any(target in disks.TARGETS for target, _ in chosen):
                disks.enter_namespace()
            tools = Tools(arguments, folder, {target for target, _ in chosen})
        except Skipped as reason:
            print(f"skipped: {reason}")
            return 77
        rng = random.Random(arguments.seed)
        arenas = [getattr(TARGETS[target], "arena", Arena)(
            tools, cells.Cell(tools, folder, target, mode), random.Random(rng.randrange(2**32)),
            arguments.signal) for target, mode in chosen]
        shoot_all(arenas, arguments)
        good = summarise(arenas, time.monotonic() - begin, arguments)
        return 0 if good else 1
    except Failed as failure:
        print(f"{failure}\n0 passed, 1 failed")
        return 1
    finally:
        if tools:
            tools.stop()
        if not arguments.keep:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
