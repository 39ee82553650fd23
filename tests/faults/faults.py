#!/usr/bin/env python3
"""Kills dxt at its system calls and looks whether every row arrived once. See README.md."""

import argparse
import collections
import dataclasses
import fcntl
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

import trace
from cells import MODES, TARGETS, Cell, Verdict
from systems import DuckDb, Failed, Postgres, Skipped

LIMIT = 90  # Seconds that any one command may take.
RESTARTS = 4  # A command that was killed must succeed within so many tries.


class Tools:
    """The programs and servers that the cells share."""

    def __init__(self, arguments, folder, targets):
        self.bin = arguments.bin.resolve()
        self.shim = arguments.shim.resolve()
        self.symbols = trace.Symbols(self.bin / "dxtd")
        needs_duckdb = {"duckdb", "parquet"} & targets
        self.duckdb = DuckDb(str(arguments.duckdb)) if needs_duckdb else None
        self.postgres = Postgres(folder) if "postgres" in targets else None
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


@dataclasses.dataclass
class Strike:
    """One planned end of a process: before or after its n-th counted call."""
    at: int
    after: bool

    def __str__(self):
        return f"{'after' if self.after else 'before'} {self.at}"


@dataclasses.dataclass
class Kill:
    """One kill that counts, and what came of it."""
    cell: str
    start: str
    buffer: str
    strike: str
    phase: str
    site: str
    lost: int = 0
    doubled: int = 0
    problems: list = dataclasses.field(default_factory=list)


class Arena:
    """One cell under fire."""

    def __init__(self, tools, cell, rng):
        self.tools, self.cell, self.rng = tools, cell, rng
        self.trace = cell.folder / "trace"
        self.kills = []
        self.plans = collections.deque()
        self.runs = 0

    # --- one command

    def run(self, buffer, strike=None):
        """Runs the pipeline; returns the exit code and dxtd's calls."""
        self.trace.unlink(missing_ok=True)
        environment = {**self.tools.environment, "LD_PRELOAD": str(self.tools.shim),
                       "DXT_FAULTS_TRACE": str(self.trace),
                       "DXT_FAULTS_WATCH": self.cell.watches()}
        if self.tools.postgres:
            environment["DXT_FAULTS_PORT"] = str(self.tools.postgres.port)
        if strike:
            environment["DXT_FAULTS_AT"] = str(strike.at)
            environment["DXT_FAULTS_WHEN"] = "after" if strike.after else "before"
        self.runs += 1
        try:
            done = subprocess.run(self.cell.command(buffer), cwd=self.cell.live,
                                  env=environment, capture_output=True, text=True,
                                  check=False, timeout=LIMIT)
        except subprocess.TimeoutExpired as error:
            raise Failed(f"{self.cell.name}: a run hangs") from error
        self.output = done.stdout + done.stderr
        self._await_end()
        return done.returncode, trace.read(self.trace, self.tools.symbols)

    def _await_end(self):
        """Waits until no dxtd holds the state folder."""
        deadline = time.monotonic() + 20
        with open(self.cell.live / ".dxt/dxtd.lock", "a") as lock:
            while True:
                try:
                    return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise Failed(f"{self.cell.name}: dxtd does not end") from None
                    time.sleep(0.005)

    def settle(self, buffer):
        code, _ = self.run(buffer)
        if code != 0:
            raise Failed(f"{self.cell.name}: undisturbed, but exit code {code}\n{self.output}")

    # --- planning

    def plan(self):
        """Runs each variant undisturbed once and puts its calls in the order of worth."""
        self.cell.prepare(self.settle)
        by_variant = []
        for start in self.cell.STARTS:
            for buffer in self.cell.BUFFERS:
                self.cell.reset(start)
                code, calls = self.run(buffer)
                verdict = self.cell.compare(self.cell.window(start))
                if code != 0 or not verdict.good:
                    raise Failed(f"{self.cell.name} undisturbed: exit code {code}, "
                                 f"{'; '.join(verdict.problems)}\n{self.output}")
                by_variant.append((start, buffer, calls))
        self.plans = collections.deque(self._ordered(by_variant))

    def _ordered(self, by_variant):
        """The phases in turn, and in each phase every call site before one comes again."""
        places = collections.defaultdict(list)
        for start, buffer, calls in by_variant:
            reached = False
            for call in calls:
                reached = reached or call.kind in ("target", "postgres")
                if reached:
                    places[call.phase, call.site].append((start, buffer, call.number))
        by_phase = collections.defaultdict(collections.deque)
        for (phase, _), choices in places.items():
            self.rng.shuffle(choices)
            by_phase[phase].append(choices)
        for queue in by_phase.values():
            self.rng.shuffle(queue)
        ordered = []
        while by_phase:
            for phase, queue in list(by_phase.items()):
                choices = queue.popleft()
                start, buffer, number = choices.pop()
                ordered.append((start, buffer, Strike(number, self.rng.random() < 0.5)))
                if choices:
                    queue.append(choices)
                if not queue:
                    del by_phase[phase]
        return ordered

    # --- one kill and what follows

    def shoot(self):
        """One killed run, its recovery and the comparison; true if a kill counted."""
        if not self.plans:
            return False
        start, buffer, strike = self.plans.popleft()
        self.plans.append((start, buffer, Strike(strike.at, not strike.after)))
        self.cell.reset(start)
        code, calls = self.run(buffer, strike)
        if len(calls) < strike.at or not trace.reached_target(calls[:strike.at]):
            return False
        call = calls[strike.at - 1]
        kills = [Kill(self.cell.name, start or "first", buffer, str(strike), call.phase,
                      call.site)]
        problems = []
        code = self._recover(buffer, code, len(calls), kills, problems)
        verdict = self.cell.compare(self.cell.window(start))
        if code == 0 and verdict.good and self.rng.random() < 0.25:
            verdict = self._go_on(buffer, self.cell.window(start) + 1)
        problems += verdict.problems
        kills[-1].lost, kills[-1].doubled = verdict.lost, verdict.doubled
        kills[-1].problems = problems
        self.kills += kills
        return True

    def _recover(self, buffer, code, calls, kills, problems):
        """The same command again until it succeeds, killed again in one of three cases."""
        if code == 0:
            return code
        if self.rng.random() < 0.34:
            strike = Strike(self.rng.randint(1, calls + calls // 4), self.rng.random() < 0.5)
            code, again = self.run(buffer, strike)
            if len(again) >= strike.at and trace.reached_target(again[:strike.at]):
                site = again[strike.at - 1].site
                kills.append(Kill(self.cell.name, kills[0].start, buffer,
                                  f"{kills[0].strike}, then {strike}", "recovery", site))
        restarts = 0
        while code != 0 and restarts < RESTARTS:
            restarts += 1
            code, _ = self.run(buffer)
        if code != 0:
            problems.append(f"never recovers: exit code {code}: {self.output[-600:]}")
        elif restarts > 1:
            problems.append(f"needs {restarts} restarts: {self.output[-600:]}")
        return code

    def _go_on(self, buffer, window):
        """The next window must load as if nothing had happened."""
        self.cell.next_window(window)
        code, _ = self.run(buffer)
        if code != 0:
            return Verdict(problems=[f"the next window fails: exit code {code}: "
                                     f"{self.output[-600:]}"])
        verdict = self.cell.compare(window)
        verdict.problems = [f"after the next window: {text}" for text in verdict.problems]
        return verdict


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
    print("\n" + ", ".join(f"{phase} {phases[phase]}" for phase in trace.PHASES))
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
        arenas = [Arena(tools, Cell(tools, folder, target, mode),
                        random.Random(rng.randrange(2**32))) for target, mode in chosen]
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
