"""One cell under fire: kill, recover, compare."""

import collections
import dataclasses
import fcntl
import json
import shutil
import signal
import subprocess
import time

import trace
from cells import Verdict
from systems import Failed

LIMIT = 90  # Seconds that any one command may take.
RAREST_FIRST = ["extract", "commit answered", "release", "commit sent", "finish", "journal", "write"]
RESTARTS = 4  # A command that was killed must succeed within so many tries.


@dataclasses.dataclass
class Strike:
    """One planned end of a process: before or after its n-th counted call."""
    at: int
    after: bool

    def __str__(self):
        return f"{'after' if self.after else 'before'} {self.at}"

    def other_side(self):
        """At the same call, before in place of after."""
        return Strike(self.at, not self.after)


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

    share = 1.0  # Of the kills that are asked for.
    waits = False  # For something else than a processor, most of its time.

    def __init__(self, tools, cell, rng, signal_name="KILL"):
        self.tools, self.cell, self.rng = tools, cell, rng
        self.power = signal_name in ("POWER", "TEAR")
        self.tears = signal_name == "TEAR"
        self.signal = str(int(signal.SIGTERM if signal_name == "TERM" else signal.SIGKILL))
        self.trash = cell.folder / "trash"
        self.trace = cell.folder / "trace"
        self.process = cell.folder / "trace.pid"  # Who writes the trace.
        self.kills = []
        self.planned = self.broken = False
        self.plans = collections.deque()
        self.runs = 0

    # --- one command

    def run(self, buffer, strike=None):
        """Runs the pipeline; returns the exit code and dxtd's calls."""
        environment = self._environment(strike)
        self.runs += 1
        try:
            done = subprocess.run(self.cell.command(buffer), cwd=self.cell.live,
                                  env=environment, capture_output=True, text=True,
                                  check=False, timeout=LIMIT)
        except subprocess.TimeoutExpired as error:
            raise Failed(f"{self.cell.name}: a run hangs") from error
        self.result, self.output = done.stdout, done.stdout + done.stderr
        self._await_end()
        code = 0 if done.returncode in self.cell.mode.codes else done.returncode
        return code, trace.read(self.trace, self.tools.symbols)

    def _environment(self, strike):
        self.trace.unlink(missing_ok=True)
        self.process.unlink(missing_ok=True)
        environment = {**self.tools.environment, "LD_PRELOAD": str(self.tools.shim),
                       "DXT_FAULTS_TRACE": str(self.trace),
                       "DXT_FAULTS_WATCH": self.cell.watches()}
        if self.tools.postgres:
            environment["DXT_FAULTS_PORT"] = str(self.tools.postgres.port)
        if strike:
            environment["DXT_FAULTS_AT"] = str(strike.at)
            environment["DXT_FAULTS_WHEN"] = "after" if strike.after else "before"
            environment["DXT_FAULTS_SIGNAL"] = self.signal
            if self.power:
                shutil.rmtree(self.trash, ignore_errors=True)
                self.trash.mkdir()
                environment["DXT_FAULTS_POWER"] = str(self.trash)
            if self.tears:
                environment["DXT_FAULTS_TEAR"] = str(self.rng.randint(1, 2**31))
        return environment

    def _dxtd_lives(self):
        """Does one hold the state folder?"""
        with open(self.cell.live / ".dxt/dxtd.lock", "a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    def _await_end(self):
        deadline = time.monotonic() + 20
        while self._dxtd_lives():
            if time.monotonic() > deadline:
                raise Failed(f"{self.cell.name}: dxtd does not end")
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
                if code == 0:
                    verdict.note(self.cell.target.unlike(json.loads(self.result), start, buffer))
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
            # In each round those first that few cells have.
            for phase in sorted(by_phase, key=RAREST_FIRST.index):
                queue = by_phase[phase]
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
        self.plans.append((start, buffer, strike.other_side()))
        self.cell.reset(start)
        code, calls = self.run(buffer, strike)
        if not self._counts(calls, strike):
            return False
        call = calls[strike.at - 1]
        kills = [Kill(self.cell.name, start, buffer, str(strike), call.phase, call.site)]
        problems = []
        code = self._recover(buffer, code, len(calls), kills, problems)
        verdict = self.cell.compare(self.cell.window(start))
        if self.power:  # What was removed may be there again, and is for the next run to sweep.
            verdict.problems = [problem for problem in verdict.problems
                                if not problem.startswith("left behind")]
        if code == 0 and verdict.good and (self.power or self.rng.random() < 0.25):
            verdict = self._go_on(buffer, self.cell.window(start) + 1)
        problems += verdict.problems
        kills[-1].lost, kills[-1].doubled = verdict.lost, verdict.doubled
        kills[-1].problems = problems
        self.kills += kills
        return True

    @staticmethod
    def _counts(calls, strike):
        """Was there such a call, and had a byte reached the target by then?"""
        return (len(calls) >= strike.at
                and trace.reached_target(calls[:strike.at - (not strike.after)]))

    def _recover(self, buffer, code, calls, kills, problems):
        """The same command again until it succeeds, killed again in one of three cases."""
        if code == 0:
            return code
        if self.rng.random() < 0.34:
            strike = Strike(self.rng.randint(1, calls + calls // 4), self.rng.random() < 0.5)
            code, again = self.run(buffer, strike)
            if self._counts(again, strike):
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
        for _ in self.cell.begin_window(window):
            code, _ = self.run(buffer)
            if code != 0:
                return Verdict(problems=[f"the next window fails: exit code {code}: "
                                         f"{self.output[-600:]}"])
        verdict = self.cell.compare(window)
        verdict.problems = [f"after the next window: {text}" for text in verdict.problems]
        return verdict
