#!/usr/bin/env python3
"""Kills dxt at its system calls and looks whether every row arrived once. See README.md."""

import argparse
import collections
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
import time

import network
import trace
from arena import Arena
from cells import TARGETS, Cell
from systems import DuckDb, Failed, Postgres, Skipped

TARGETS["network"] = network.Network

class Tools:
    """The programs and servers that the cells share."""

    def __init__(self, arguments, folder, targets):
        self.bin = arguments.bin.resolve()
        self.shim = arguments.shim.resolve()
        self.symbols = trace.Symbols(self.bin / "dxtd")
        needs_duckdb = {"duckdb", "parquet"} & targets
        self.duckdb = DuckDb(str(arguments.duckdb)) if needs_duckdb else None
        needs_server = {"postgres", "network"} & targets
        self.postgres = Postgres(folder) if needs_server else None
        self.proxy = network.Proxy(self.postgres.port) if "network" in targets else None
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
        if self.proxy:
            self.proxy.stop()
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


def shoot_all(arenas, arguments):
    """Takes turns between the cells until each has its kills or the time is over."""
    deadline = time.monotonic() + arguments.seconds
    idle = collections.Counter()
    waiting = collections.deque(arenas)
    while waiting and time.monotonic() < deadline:
        arena = waiting.popleft()
        before = len(arena.kills)
        idle[arena] = 0 if arena.shoot() else idle[arena] + 1
        for kill in arena.kills[before:]:
            if kill.problems:
                report_failure(arena, kill, arguments)
        if len(arena.kills) < arguments.kills and idle[arena] < 20:
            waiting.append(arena)


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
    kills = [kill for arena in arenas for kill in arena.kills]
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
    phases = collections.Counter(kill.phase for kill in kills)
    known = [*trace.PHASES, *network.ACTIONS]
    print("\n" + ", ".join(f"{phase} {phases[phase]}" for phase in known if phases[phase]))
    print(f"{len(kills)} kills in {len(arenas)} cells, {len(pairs)} pairs of phase and call "
          f"site, {seconds:.0f} s, {sum(arena.runs for arena in arenas)} runs, "
          f"seed {arguments.seed}")
    if arguments.json:
        arguments.json.write_text(json.dumps({
            "schema": "dxt.faults/1", "seed": arguments.seed, "seconds": round(seconds, 1),
            "kills": len(kills), "pairs": len(pairs), "phases": dict(phases),
            "lost": sum(kill.lost for kill in kills),
            "doubled": sum(kill.doubled for kill in kills),
            "cells": {arena.cell.name: [dataclasses.asdict(kill) for kill in arena.kills]
                      for arena in arenas}}, indent=1) + "\n")
    starved = [arena.cell.name for arena in arenas if not arena.kills]
    for name in starved:
        print(f"no kill counted in {name}")
    print(f"{passed} passed, {failed + len(starved)} failed")
    return failed + len(starved) == 0


def arguments_of(words):
    parser = argparse.ArgumentParser(prog="./dev faults", description=__doc__)
    parser.add_argument("--bin", type=pathlib.Path, required=True, help="folder of the programs")
    parser.add_argument("--shim", type=pathlib.Path, required=True, help="the preloaded library")
    parser.add_argument("--duckdb", type=pathlib.Path, help="libduckdb.so, to look into files")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--kills", type=int, default=20, help="in each cell (20)")
    parser.add_argument("--seconds", type=float, default=600, help="stop after that time (600)")
    parser.add_argument("--cell", action="append", default=[], metavar="PATTERN",
                        help="only cells named so, e.g. 'sqlite/*'; may be repeated")
    parser.add_argument("--signal", choices=["KILL", "TERM", "POWER"], default="KILL",
                        help="what dxtd gets (KILL); POWER also drops what was not synced")
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
    folder = pathlib.Path(tempfile.mkdtemp(prefix="dxt-faults-"))
    print(f"seed {arguments.seed}", flush=True)
    tools = None
    begin = time.monotonic()
    try:
        try:
            tools = Tools(arguments, folder, {target for target, _ in chosen})
        except Skipped as reason:
            print(f"skipped: {reason}")
            return 77
        rng = random.Random(arguments.seed)
        arenas = [(network.NetworkArena if target == "network" else Arena)(
            tools, Cell(tools, folder, target, mode), random.Random(rng.randrange(2**32)),
            arguments.signal) for target, mode in chosen]
        for arena in arenas:
            arena.plan()
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
