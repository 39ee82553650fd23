"""Two daemons whose schedules overlap, on one stream: the issue of who loads next, at a thirtieth of its time."""

import contextlib
import json
import signal
import sqlite3
import subprocess
import threading
import time

import cells
from arena import LIMIT, Arena, Kill
from systems import Failed

PERIOD, WRITING, LASTING = 6, 10, 60  # Seconds: of a schedule, of one load, of it all.
LONGEST = 2.5 * WRITING  # Between two commits.

SLOW = (f"CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN "
        f"PERFORM pg_sleep({WRITING}); RETURN NULL; END$$",
        "CREATE TRIGGER slow BEFORE INSERT ON rows FOR EACH STATEMENT EXECUTE FUNCTION slow()")


class Daemon:
    """One dxtd with a state of its own, and a schedule for the pipeline."""

    def __init__(self, tools, folder, project):
        folder.mkdir()
        self.environment = {**tools.environment, "DXT_SERVER": f"unix:{folder}/socket",
                            "DXT_PROJECT": "shop"}
        (folder / "dxtd.yaml").write_text(json.dumps(
            {"state_dir": str(folder / "state"), "listen": [f"unix:{folder}/socket"],
             "files": {"roots": [str(project)]}, "shutdown_grace": "20s"}))
        with open(folder / "log", "wb") as log:
            self.child = subprocess.Popen(["dxtd", "--config", str(folder / "dxtd.yaml")],
                                          env=self.environment, stdin=subprocess.DEVNULL,
                                          stdout=log, stderr=log)
        deadline = time.monotonic() + LIMIT
        while not (folder / "socket").exists():
            if time.monotonic() > deadline or self.child.poll() is not None:
                raise Failed(f"dxtd does not listen: {(folder / 'log').read_text()}")
            time.sleep(0.02)
        self.call("projects", "apply", "-f", str(project / "dxt_project.yaml"))
        self.call("pipelines", "apply", "-f", str(project / "streamed.yaml"))
        self.call("schedules", "create", "beat", "--pipeline", "p", "--cron",
                  f"@every {PERIOD}s")

    def call(self, *words):
        done = subprocess.run(["dxtctl", *words], env=self.environment, capture_output=True,
                              text=True, check=False, timeout=LIMIT)
        if done.returncode:
            raise Failed(f"dxtctl {' '.join(words)}: {done.stdout}{done.stderr}")
        return done.stdout

    def stop(self):
        self.child.send_signal(signal.SIGTERM)
        try:
            self.child.wait(LIMIT)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()


class DaemonsArena(Arena):
    """Rows come all the time, each daemon loads what is new every six seconds, and takes ten."""

    share = 0.01  # Once is enough.
    waits = True

    def plan(self):
        self.cell.begin()
        for statement in (cells.TABLE, *SLOW):
            self.cell.target.execute(statement)

    def shoot(self):
        folder, ended = self.cell.folder, threading.Event()
        kill = Kill(self.cell.name, "first", "streamed", "", "two daemons", "overlapping schedules")
        with contextlib.ExitStack() as stack:
            for name in ("one", "two"):
                daemon = Daemon(self.tools, folder / name, self.cell.live)
                stack.callback(daemon.stop)
                time.sleep(PERIOD / 2)
            writer = threading.Thread(target=self._write, args=(ended,))
            writer.start()
            time.sleep(LASTING)
            ended.set()
            writer.join()
            self._await_rows()
        self._look(kill)
        self.kills.append(kill)
        return True

    def _source(self):
        return sqlite3.connect(self.cell.live / "source.db", timeout=LIMIT,
                               isolation_level=None)

    def _write(self, ended):
        source, seq = self._source(), 10**6
        while not ended.wait(0.2):
            seq += 1
            source.execute("INSERT INTO rows VALUES (?, 0, 'late', '', ?)", (seq, seq))
        source.close()

    def _all(self):
        return sorted(self._source().execute(f"SELECT {', '.join(cells.COLUMNS)} FROM rows"))

    def _await_rows(self):
        deadline = time.monotonic() + 4 * WRITING
        while sorted(self.cell.rows()) != self._all():
            if time.monotonic() > deadline:
                return
            time.sleep(0.5)

    def _look(self, kill):
        found, expected = self.cell.rows(), self._all()
        kill.lost = len(set(expected) - set(found))
        kill.doubled = len(found) - len(set(found))
        if sorted(found) != expected:
            kill.problems.append(f"{kill.lost} rows lost, {kill.doubled} doubled")
        windows = self.cell.windows()
        if windows != list(range(1, len(windows) + 1)):
            kill.problems.append(f"the ledger has the windows {windows}")
        gaps = self.tools.psql(
            self.cell.target.url, "SELECT extract(epoch FROM committed_at - lag(committed_at) "
            "OVER (ORDER BY committed_at)) FROM _dxt_loads")
        longest = max((float(gap) for gap in gaps if gap not in ("", "NULL")), default=LASTING)
        kill.site += f", {len(windows)} loads, at most {longest:.0f} s apart"
        if longest > LONGEST:
            kill.problems.append(f"no load for {longest:.0f} s")
        kill.problems += [f"left behind: {name}" for name in self.cell.target.leftovers()]


class TwoDaemons(cells.Postgres):
    """PostgreSQL, where a load takes its time."""
    name, modes, arena = "two-daemons", ["append-incremental"], DaemonsArena


TARGETS = {TwoDaemons.name: TwoDaemons}
