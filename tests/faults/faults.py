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
import traceback

import cells
import daemons
import disks
import guarantees
import libpq
import network
import reaper
import silence
import splits
import stopped
import trace
from arena import Arena
from systems import DuckDb, Failed, Postgres, Skipped

TARGETS = cells.TARGETS
for family in (splits, network, silence, stopped, daemons, disks):
    TARGETS.update(family.TARGETS)

# What one change has to stand, all cells together.
WANTED = {"kills": 1200, "pairs": 150, "of each phase": 40, "of each cell": 20}


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
        with libpq.Session(url) as session:
            return session.query(*statements)

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

    def __init__(self, arenas, deadline, arguments):
        self.arguments, self.deadline = arguments, deadline
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
            except Exception as failure:  # pylint: disable=broad-except
                print(f"FAILED {arena.cell.name}: {failure}", flush=True)
                if not isinstance(failure, (Failed, OSError, subprocess.SubprocessError)):
                    traceback.print_exc()
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
    """Cells that wait most of their time are at work beside those that do not."""
    deadline = time.monotonic() + arguments.seconds
    crews = [Range([arena for arena in arenas if arena.waits == waits], deadline, arguments)
             for waits in (False, True)]
    jobs = [crew for crew, times in zip(crews, (1, 2)) for _ in range(times * arguments.jobs)]
    with concurrent.futures.ThreadPoolExecutor(len(jobs)) as pool:
        for worker in [pool.submit(crew.work) for crew in jobs]:
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


def fallen_short(results):
    """What there was too little of, for people."""
    short = [f"{what} {results[what]} of {WANTED[what]}" for what in ("kills", "pairs")
             if results[what] < WANTED[what]]
    short += [f"{phase} {results['phases'].get(phase, 0)} of {WANTED['of each phase']}"
              for phase in trace.PHASES
              if results["phases"].get(phase, 0) < WANTED["of each phase"]]
    short += [f"{cell} {len(kills)} of {WANTED['of each cell']}"
              for cell, kills in results["cells"].items()
              if not hasattr(TARGETS[cell.split("/")[0]], "arena")
              and len(kills) < WANTED["of each cell"]]
    return short


def results_of(arenas, seconds, processor_seconds, arguments):
    every = [kill for arena in arenas for kill in arena.kills]
    kills = [kill for kill in every if kill.phase in trace.PHASES]
    return {
        "schema": "dxt.faults/2", "seed": arguments.seed, "jobs": arguments.jobs,
        "seconds": round(seconds, 1), "processor_seconds": round(processor_seconds, 1),
        "load": round(os.getloadavg()[2], 1), "signal": arguments.signal,
        "runs": sum(arena.runs for arena in arenas), "kills": len(kills),
        "other_faults": len(every) - len(kills),
        "pairs": len({(kill.phase, kill.site) for kill in kills}),
        "phases": dict(collections.Counter(kill.phase for kill in every)),
        "lost": sum(kill.lost for kill in every), "doubled": sum(kill.doubled for kill in every),
        "broken_off": [arena.cell.name for arena in arenas if arena.broken],
        "not_reached": [arena.cell.name for arena in arenas
                        if not arena.kills and not arena.broken],
        "cells": {arena.cell.name: [dataclasses.asdict(kill) for kill in arena.kills]
                  for arena in arenas}}


def summarise(results):
    print(f"\n{'cell':34} {'kills':>5} {'pairs':>5} {'lost':>5} {'doubled':>7} {'failed':>6}")
    failed = passed = 0
    for cell, kills in results["cells"].items():
        bad = sum(bool(kill["problems"]) for kill in kills)
        passed, failed = passed + len(kills) - bad, failed + bad
        print(f"{cell:34} {len(kills):5} "
              f"{len({(kill['phase'], kill['site']) for kill in kills}):5} "
              f"{sum(kill['lost'] for kill in kills):5} "
              f"{sum(kill['doubled'] for kill in kills):7} {bad:6}")
    phases = results["phases"]
    others = sorted(set(phases) - set(trace.PHASES))
    print("\nkills: " + ", ".join(f"{phase} {phases.get(phase, 0)}" for phase in trace.PHASES))
    if others:
        print("other faults: " + ", ".join(f"{phase} {phases[phase]}" for phase in others))
    print(f"{results['kills']} kills and {results['other_faults']} other faults in "
          f"{len(results['cells'])} cells, {results['pairs']} pairs of phase and call site, "
          f"{results['lost']} rows lost, {results['doubled']} doubled; "
          f"{results['seconds']:.0f} s, {results['processor_seconds']:.0f} s of processors, load "
          f"{results['load']}, {results['runs']} runs, seed {results['seed']}")
    for what, names in (("has broken off", results["broken_off"]),
                        ("was not reached", results["not_reached"])):
        for name in names:
            print(f"{name} {what}")
    starved = len(results["broken_off"]) + len(results["not_reached"])
    print(f"{passed} passed, {failed + starved} failed")
    return failed + starved == 0


def arguments_of(words):
    parser = argparse.ArgumentParser(prog="./dev faults", description=__doc__)
    parser.add_argument("--bin", type=pathlib.Path, required=True, help="folder of the programs")
    parser.add_argument("--shim", type=pathlib.Path, required=True, help="the preloaded library")
    parser.add_argument("--duckdb", type=pathlib.Path, help="libduckdb.so, to look into files")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--kills", type=int, default=24, help="in each cell (24)")
    parser.add_argument("--seconds", type=float, default=600, help="stop after that time (600)")
    parser.add_argument("--cell", action="append", default=[], metavar="PATTERN",
                        help="only cells named so, e.g. 'sqlite/*'; may be repeated")
    parser.add_argument("--signal", choices=["KILL", "TERM", "POWER", "TEAR"],
                        default="KILL", help="what dxtd gets (KILL); POWER also drops what was "
                        "not synced, TEAR keeps a part of it")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() + 1,
                        help="cells at once, and twice as many of those that mostly wait (one more "
                        "than there are processors)")
    parser.add_argument("--long", action="store_true", help="500 kills in each cell, no limit")
    parser.add_argument("--json", type=pathlib.Path, help="write the results there")
    parser.add_argument("--page", action="store_true",
                        help="put the results into docs/explanation/guarantees.md")
    parser.add_argument("--keep", action="store_true", help="keep the folders of failures")
    parsed = parser.parse_args(words)
    if parsed.long:
        parsed.kills, parsed.seconds = 500, float("inf")
    return parsed


def shoot(arguments, folder):
    """The results."""
    chosen = wanted_cells(arguments.cell)
    begin = time.monotonic()
    if any(target in disks.TARGETS for target, _ in chosen):
        disks.enter_namespace()
    tools = Tools(arguments, folder, {target for target, _ in chosen})
    try:
        rng = random.Random(arguments.seed)
        arenas = [getattr(TARGETS[target], "arena", Arena)(
            tools, cells.Cell(tools, folder, target, mode), random.Random(rng.randrange(2**32)),
            arguments.signal) for target, mode in chosen]
        shoot_all(arenas, arguments)
    finally:
        tools.stop()
    return results_of(arenas, time.monotonic() - begin, reaper.seconds_used(), arguments)


def main(words):
    arguments = arguments_of(words)
    # In memory where that can be had: what counts is the order of calls, not the disk.
    memory = pathlib.Path("/dev/shm")
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > 2 << 30
    folder = pathlib.Path(tempfile.mkdtemp(prefix="dxt-faults-", dir=memory if roomy else None))
    print(f"seed {arguments.seed}", flush=True)
    try:
        results = shoot(arguments, folder)
    except Skipped as reason:
        print(f"skipped: {reason}")
        return 77
    except Failed as failure:
        print(f"{failure}\n0 passed, 1 failed")
        return 1
    finally:
        if not arguments.keep:
            shutil.rmtree(folder, ignore_errors=True)
    if not arguments.cell and arguments.signal == "KILL":
        results["short"] = fallen_short(results)
        print("".join(f"short: {what}\n" for what in results["short"]), end="")
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n")
    if arguments.page:
        guarantees.add([results])
    return 0 if summarise(results) else 1


if __name__ == "__main__":
    sys.exit(reaper.run_beneath(lambda: main(sys.argv[1:])))
