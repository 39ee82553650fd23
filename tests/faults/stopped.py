"""Cells whose dxtd is stopped like a machine that hangs, and goes on when another has taken over."""

import collections
import hashlib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

import cells
import trace
from arena import LIMIT, Arena, Kill
from systems import Failed

MODES = ["append-full", "append-incremental", "upsert-incremental", "replace-full",
         "mirror-full", "append-windows"]


class StoppedArena(Arena):
    """A run stops at its n-th call, another one of the same pipeline begins and ends elsewhere
    (with a state store of its own, as on another machine), and the first one goes on.
    """

    share = 0.2
    waits = True

    def __init__(self, tools, cell, rng, _signal_name):
        super().__init__(tools, cell, rng)
        self.signal = str(int(signal.SIGSTOP))
        self.other = cell.folder / "other"

    def shoot(self):
        if not self.plans:
            return False
        start, buffer, strike = self.plans.popleft()
        self.plans.append((start, buffer, strike.other_side()))
        self.cell.reset(start)
        self.runs += 2
        with subprocess.Popen(self.cell.command(buffer), cwd=self.cell.live, text=True,
                              env=self._environment(strike), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as first:
            stopped = self._await_stop(first)
            if not stopped:
                first.communicate(timeout=LIMIT)
                self._await_end()
                return False
            calls = trace.read(self.trace, self.tools.symbols)
            try:
                problems, phase = self._newcomer(start, buffer)
            except Failed as error:
                raise Failed(f"{error} ({start}, {buffer}, stopped {strike}: "
                             f"{calls[strike.at - 1].site})") from error
            finally:
                os.kill(stopped, signal.SIGCONT)
            try:
                self.output = first.communicate(timeout=LIMIT)[0]
            except subprocess.TimeoutExpired:
                os.kill(stopped, signal.SIGKILL)
                raise Failed(f"{self.cell.name}: the run that was stopped hangs") from None
        self._await_end()
        if not trace.reached_target(calls[:strike.at]):
            return False
        kill = Kill(self.cell.name, start, buffer, str(strike), phase,
                    calls[strike.at - 1].site, problems=problems)
        self._look(kill, start, buffer, first.returncode)
        self.kills.append(kill)
        return True

    def _await_stop(self, first):
        """The pid of its dxtd once that is stopped; none if the run ended before."""
        while True:
            ended = first.poll() is not None and not self._dxtd_lives()
            if self.process.exists() and (text := self.process.read_text()):
                status = pathlib.Path(f"/proc/{int(text)}/stat")
                try:
                    if status.read_text().rsplit(")", 1)[1].split()[0] in "Tt":
                        return int(text)
                except OSError:
                    pass  # It has ended.
            if ended:
                return None
            time.sleep(0.01)

    def _newcomer(self, start, buffer):
        """What was wrong with the second run, and how it went."""
        shutil.rmtree(self.other, ignore_errors=True)
        self.other.mkdir()
        for path in self.cell.live.glob("*.yaml"):
            shutil.copy(path, self.other)
        before = self._digest()
        try:
            done = subprocess.run(["dxtctl", "run", f"{buffer}.yaml", "-o", "json"],
                                  cwd=self.other, env=self.tools.environment, text=True,
                                  capture_output=True, check=False, timeout=LIMIT)
        except subprocess.TimeoutExpired as error:
            raise Failed(f"the newcomer hangs: {'; '.join(self.cell.target.sessions())}") from error
        if done.returncode == 0:
            rows = set(self.cell.rows())
            expected = set(self.cell.mode.target(self.cell.window(start)))
            wrong = [] if rows == expected else ["the newcomer's rows are not the expected"]
            return wrong, "taken over"
        text = (done.stdout + done.stderr)[-600:]
        if ".locked" not in text and "lock_timeout" not in text:
            return [f"the newcomer fails: exit code {done.returncode}: {text}"], "locked out"
        if before != self._digest():
            return ["the newcomer was locked out and changed something"], "locked out"
        if not self.cell.target.may_lock_out:
            return [f"the newcomer cannot take over: {text}"], "locked out"
        return [], "locked out"

    def _digest(self):
        """Of all files of an embedded target, byte by byte."""
        whole = hashlib.sha256()
        for path in sorted(self.cell.target.folder.rglob("*")):
            if path.is_file():
                whole.update(str(path).encode() + b"\0" + path.read_bytes())
        return whole.hexdigest()

    def _look(self, kill, start, buffer, code):
        """After both have ended: all is there once, and the next window is loaded as ever."""
        window = self.cell.window(start)
        if self.cell.mode.name == "append-full":
            self._count(kill, window, (code == 0) + (kill.phase == "taken over"))
            return
        if kill.phase == "locked out" and code != 0:
            kill.problems.append(f"neither run succeeds: exit code {code}: {self.output[-600:]}")
        spare = 0 if self.cell.mode.incremental else 1
        for seen in (window, window + 1):
            if seen > window:
                for _ in self.cell.begin_window(seen):
                    again = self._run_again(buffer)
                    if again != 0:
                        kill.problems.append(f"the next window fails: exit code {again}: "
                                             f"{self.output[-600:]}")
            verdict = self.cell.compare(seen, spare)
            kill.lost += verdict.lost
            kill.doubled += verdict.doubled
            # The newcomer's cursor is in its own state, and the next load brings ours up to it.
            # A run that fails keeps its packages.
            kept = "left behind: buffer/" if code != 0 else "-"
            kill.problems += [text for text in verdict.problems
                              if seen > window or not text.startswith(("the state's cursor", kept))]
            if kill.problems:
                return

    def _count(self, kill, window, loads):
        """Each run that says that it succeeded has appended all of the source once."""
        before = self.cell.mode.target(window - 1) if window > 1 else []
        expected = collections.Counter([*before, *self.cell.mode.source(window) * loads])
        found = collections.Counter(self.cell.rows())
        kill.lost = sum((expected - found).values())
        kill.doubled = sum((found - expected).values())
        if kill.lost or kill.doubled:
            kill.problems.append(f"{loads} runs succeeded, {kill.lost} rows lost, "
                                 f"{kill.doubled} rows too many")
        windows = self.cell.windows()
        if windows != list(range(1, window + loads)):
            kill.problems.append(f"the ledger has the windows {windows}")

    def _run_again(self, buffer):
        """Packages of windows that the newcomer loaded are refused, and given up as dxt says."""
        code, _ = self.run(buffer)
        while code != 0 and (stale := re.search(r"dxtctl packages drop (\w+)", self.output)):
            subprocess.run(["dxtctl", "packages", "drop", stale[1]], cwd=self.cell.live,
                           env=self.tools.environment, capture_output=True, check=True,
                           timeout=LIMIT)
            self._await_end()
            code, _ = self.run(buffer)
        return code


class StoppedSqlite(cells.Sqlite):
    """One writer at a time: who holds the file keeps others out."""
    name, modes, arena, may_lock_out = "stopped-sqlite", MODES, StoppedArena, True

    def connection(self):
        return {**super().connection(), "lock_wait": "1s"}


class StoppedDuckdb(cells.Duckdb):
    name, modes, arena, may_lock_out = "stopped-duckdb", MODES, StoppedArena, True

    def connection(self):
        return {**super().connection(), "lock_wait": "1s"}


class StoppedPostgres(cells.Postgres):
    name, modes, arena, may_lock_out = "stopped-postgres", MODES, StoppedArena, False


class StoppedParquet(cells.Parquet):
    """A folder is locked only while a commit moves its files."""
    name, arena, may_lock_out = "stopped-parquet", StoppedArena, True
    modes = [mode for mode in MODES if mode in cells.Parquet.modes]


TARGETS = {target.name: target
           for target in (StoppedSqlite, StoppedDuckdb, StoppedPostgres, StoppedParquet)}
