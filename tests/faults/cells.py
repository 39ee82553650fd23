"""The cells of the matrix: where it is loaded to, and what must be there afterwards."""

import collections
import json
import os
import pathlib
import re
import shutil
import sqlite3
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "scenarios"))
import libpq  # noqa: E402
from modes import COLUMNS, MODES  # noqa: E402
from systems import Failed, sqlite_query  # noqa: E402 (stands in a folder of its own)

TABLE = ("CREATE TABLE rows (seq BIGINT PRIMARY KEY, part BIGINT, payload TEXT, checksum TEXT, "
         "updated BIGINT)")
LEDGER = ("SELECT lane, window_seq, coalesce(cursor_after, '') FROM _dxt_loads "
          "ORDER BY lane, window_seq")


class Target:
    """A system that is loaded; `live` is the folder of the run that is going on."""

    modes = list(MODES)
    table = "rows"

    def __init__(self, tools, live, mode):
        self.tools, self.live, self.mode = tools, live, mode
        self.folder = live / "target"
        cells = ", ".join(mode.expressions)
        self.select = f"SELECT {cells} FROM "
        # One value for all rows: fetching them cell by cell would cost more than loading them.
        self.select_text = f"SELECT string_agg(concat_ws('|', {cells}), chr(10)) FROM "
        self.known = ("rows", "_dxt_loads", "_dxt_fence", *mode.tables)

    def connection(self):
        raise NotImplementedError

    def clear(self):
        """Empties what does not lie in the folder, which is empty already."""

    def seed(self):
        """Makes the table, with the rows of others, before dxt sees it."""
        for statement in (TABLE, f"INSERT INTO rows VALUES {values_of(self.mode.others)}"):
            self.execute(statement)

    def source(self):
        """The connection that is read."""
        return {"type": "sqlite", "path": str(self.live / "source.db")}

    def stream(self):
        """The stream, as a document has it."""
        return self.mode.stream(self.table)

    def settings(self):
        """What a document has besides."""
        return {}

    def unlike(self, _result, _start, _buffer):
        """What a run's result says that is not what this target is here for, for people."""

    def write_source(self, rows):
        path = self.live / "source.db"
        path.unlink(missing_ok=True)
        connection = sqlite3.connect(path, isolation_level=None)
        connection.executescript(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
            f"CREATE TABLE rows (seq INTEGER PRIMARY KEY, part {self.mode.part_type}, "
            "payload TEXT, checksum TEXT, updated INTEGER); BEGIN;")
        connection.executemany("INSERT INTO rows VALUES (?, ?, ?, ?, ?)", rows)
        connection.execute("COMMIT")
        connection.close()

    def execute(self, statement):
        raise NotImplementedError

    def save(self, start):
        """Keeps what does not lie in the folder as the start state of that name."""

    def reset(self, start):
        """Takes it from there; files are reset with the folder."""

    def close(self):
        """Lets go of what was opened to look into it."""

    def rows(self):
        raise NotImplementedError

    def ledger(self):
        """(lane, window_seq, cursor_after) of each committed load, in order."""
        raise NotImplementedError

    def leftovers(self):
        """What stands there and should not, for people."""
        raise NotImplementedError

    def sessions(self):
        """Who is at work there and waits for whom, for people."""
        return []


class Sqlite(Target):
    name = "sqlite"

    def connection(self):
        return {"type": "sqlite", "path": str(self.folder / "t.db")}

    def execute(self, statement):
        sqlite_query(self.folder / "t.db", statement)

    def _ask(self, sql):
        connection = sqlite3.connect(self.folder / "t.db", timeout=5)
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()

    def rows(self):
        return self._ask(f"{self.select} rows")

    def ledger(self):
        return self._ask(LEDGER)

    def leftovers(self):
        found = [path.name for path in self.folder.iterdir() if path.name != "t.db"]
        found += [name for name, in self._ask("SELECT name FROM sqlite_schema WHERE type = "
                                              "'table'")
                  if name not in self.known]
        if self._ask("PRAGMA integrity_check") != [("ok",)]:
            found.append("a damaged database")
        locker = sqlite3.connect(self.folder / "t.db", timeout=0, isolation_level=None)
        try:
            locker.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            found.append(f"a lock ({error})")
        finally:
            locker.close()
        return found


class Duckdb(Target):
    name = "duckdb"
    session = None

    @property
    def path(self):
        return self.folder / "t.duckdb"

    def connection(self):
        return {"type": "duckdb", "path": str(self.path)}

    def close(self):
        if self.session:
            self.session.close()
        self.session = None

    def _ask(self, sql):
        self.session = self.session or self.tools.duckdb.session(self.path)
        return self.session.query(sql)

    def execute(self, statement):
        self._ask(statement)
        self.close()

    def rows(self):
        return typed(self._ask(f"{self.select_text} rows"))

    def ledger(self):
        return [load_of(line) for line in self._ask(LEDGER)]

    def leftovers(self):
        # What was committed may stand in the log beside the file until somebody opens it.
        tables = self._ask("SELECT table_name FROM duckdb_tables() WHERE NOT internal")
        self.close()
        files = [path.name for path in self.folder.iterdir() if path.name != "t.duckdb"]
        return files + [name for name in tables if name not in self.known]


class Postgres(Target):
    name = "postgres"
    table = "public.rows"
    session = None

    def __init__(self, tools, live, mode):
        super().__init__(tools, live, mode)
        self.database = re.sub(r"\W", "_", live.parent.name)
        self.url = re.sub(r"/postgres$", f"/{self.database}", tools.postgres.url)

    def connection(self):
        return {"type": "postgres", "url": self.url}

    def close(self):
        if self.session:
            self.session.close()
        self.session = None

    def _ask(self, *statements):
        self.session = self.session or libpq.Session(self.url)
        return self.session.query(*statements)

    def execute(self, statement):
        self._ask(statement)
        self.close()

    def clear(self):
        self._copy("template0", self.database)

    def save(self, start):
        self._copy(self.database, f"{self.database}_{start}")

    def reset(self, start):
        self._copy(f"{self.database}_{start}", self.database)

    def _copy(self, source, copy):
        self.tools.psql(self.tools.postgres.url,
                        f'DROP DATABASE IF EXISTS "{copy}" WITH (FORCE)',
                        f'CREATE DATABASE "{copy}" TEMPLATE "{source}"')

    def rows(self):
        return typed(self._ask(f"{self.select_text} rows"))

    def ledger(self):
        return [load_of(line) for line in self._ask(LEDGER)]

    def sessions(self):
        return self.tools.psql(
            self.url, "SELECT pid, application_name, state, wait_event, pg_blocking_pids(pid), "
            "now() - xact_start, left(query, 80) FROM pg_stat_activity WHERE datname = "
            "current_database() AND pid <> pg_backend_pid()")

    def leftovers(self):
        known = ", ".join(f"'{name}'" for name in self.known)
        relations = ("SELECT relname FROM pg_class WHERE relkind IN ('r', 'v', 'm', 'p') AND "
                     "(relnamespace = 'public'::regnamespace OR relpersistence = 't') AND "
                     f"relname NOT IN ({known})")
        sessions = ("SELECT 'a session: ' || state || ' ' || query FROM pg_stat_activity WHERE "
                    "datname = current_database() AND pid <> pg_backend_pid() AND "
                    "backend_type = 'client backend'")
        prepared = "SELECT 'prepared ' || gid FROM pg_prepared_xacts"
        deadline = time.monotonic() + 10
        while True:
            # A backend notices that its client is gone, but not at the same moment.
            found = self._ask(f"{relations} UNION ALL {sessions} UNION ALL {prepared}")
            if not found or time.monotonic() > deadline:
                return found
            time.sleep(0.02)


class Parquet(Target):
    name = "parquet"
    modes = ["append-full", "replace-full", "append-incremental", "append-windows"]
    table = "rows/"
    session = None  # Of no file: it only reads the folder's.

    def connection(self):
        return {"type": "file", "url": str(self.folder)}

    @property
    def _parts(self):
        return self.folder / "rows"

    def rows(self):
        # As a reader that knows nothing of dxt sees the folder.
        parts = [*self._parts.glob("[!.]*.parquet"), *self._parts.glob("[!._]*/*.parquet")]
        listed = ", ".join(f"'{path}'" for path in sorted(parts))
        self.session = self.session or self.tools.duckdb.session(":memory:")
        return typed(self.session.query(f"{self.select_text} read_parquet([{listed}])"))

    def ledger(self):
        loads = [json.loads(path.read_text())
                 for path in sorted((self._parts / "_dxt").glob("*/[0-9]*.json"))]
        return [("sync", load["window_seq"], load["cursor_after"]) for load in loads]

    def leftovers(self):
        found = []
        for path in self.folder.rglob("*"):
            name = path.relative_to(self.folder).as_posix()
            known = re.fullmatch(r"rows(/(part-\d{8}[\w-]*\.parquet|_dxt(/t(/(\d{8}|fence)"
                                 r"\.json)?)?))?", name)
            if not known:
                found.append(name)
        return found


TARGETS = {target.name: target for target in (Sqlite, Parquet, Postgres, Duckdb)}


def values_of(rows):
    """As INSERT takes them."""
    return ", ".join(f"({seq}, {part}, '{payload.replace(chr(39), chr(39) * 2)}', '{checksum}', "
                     f"{updated})" for seq, part, payload, checksum, updated in rows)


def typed(answer):
    """The rows of what `select_text` asked for."""
    rows = []
    for line in [] if answer in ([], ["NULL"]) else answer[0].split("\n"):
        seq, part, payload, checksum, *more = line.split("|")
        rows.append((int(seq), int(part), payload, checksum,
                     *(int(cell) if cell.isdigit() else cell for cell in more)))
    return rows


def load_of(line):
    lane, seq, cursor = line.split("|")
    return (lane, int(seq), cursor)


class Verdict:
    """How what is there differs from what must be there."""

    def __init__(self, lost=0, doubled=0, problems=()):
        self.lost, self.doubled, self.problems = lost, doubled, list(problems)

    @property
    def good(self):
        return not self.problems

    def note(self, problem):
        if problem:
            self.problems.append(problem)


class Cell:
    """One target and mode, with its folders and start states."""

    STARTS = ("first", "next")  # Nothing is there yet, or one window is.
    BUFFERS = ("streamed", "staged")

    def __init__(self, tools, work, target, mode):
        self.name = f"{target}/{mode}"
        self.tools = tools
        self.mode = MODES[mode]
        self.folder = work / f"{target}-{mode}"
        self.live = self.folder / "live"
        self.target = TARGETS[target](tools, self.live, self.mode)
        self.words = []  # That the command has besides.
        self.folder.mkdir()

    def begin(self):
        """Nothing loaded yet, the first window in the source."""
        self._clear()
        self.target.clear()
        self._write_documents()
        self._write_source(1)

    def prepare(self, settle):
        """Makes the start states; `settle(buffer)` runs the pipeline undisturbed."""
        self.begin()
        if self.mode.others:
            self.target.seed()
        for start in self.STARTS:
            window = self.window(start)
            if window > 1:
                for _ in self.begin_window(window - 1):
                    settle("streamed")
                problems = self.compare(window - 1).problems
                if problems:
                    raise Failed(f"{self.name}: undisturbed, but {'; '.join(problems)}")
            self._write_source(window)
            for self.words in self.mode.steps(window)[:-1]:
                settle("streamed")
            self.target.close()
            self.target.save(start)
            shutil.copytree(self.live, self.folder / f"start-{start}", symlinks=True)

    def reset(self, start):
        self.target.close()
        self._clear()
        shutil.copytree(self.folder / f"start-{start}", self.live, symlinks=True)
        self.target.reset(start)
        self.words = self.mode.steps(self.window(start))[-1]

    @staticmethod
    def window(start):
        return 2 if start == "next" else 1

    def begin_window(self, window):
        """What that window loads is in the source now; yields before each run that makes it."""
        self._write_source(window)
        for self.words in self.mode.steps(window):
            yield

    def command(self, buffer):
        return ["dxtctl", "run", str(self.live / f"{buffer}.yaml"), "-o", "json", *self.words]

    def watches(self):
        """Prefixes of the paths that the shim counts; the first that fits wins."""
        state = self.live / ".dxt"
        return "\n".join([f"target={self.live / 'target'}", f"buffer={state / 'buffer'}",
                          f"state={state / 'state.db'}", f"state={state / 'dxtd'}"])

    def _clear(self):
        shutil.rmtree(self.live, ignore_errors=True)

    def _write_documents(self):
        self.live.mkdir()
        self.target.folder.mkdir()
        connections = {"from": self.target.source(), "to": self.target.connection()}
        (self.live / "dxt_project.yaml").write_text(
            json.dumps({"name": "shop", "connections": connections}))
        for buffer in self.BUFFERS:
            pipeline = {"version": 1, "name": "p", "source": {"connection": "from"},
                        "target": {"connection": "to"},
                        "streams": [self.target.stream()], **self.target.settings()}
            if buffer == "staged":
                pipeline["buffer"] = {"format": "parquet"}
            (self.live / f"{buffer}.yaml").write_text(json.dumps(pipeline))

    def _write_source(self, window):
        self.target.write_source(self.mode.source(window))

    # --- the oracle

    def rows(self):
        try:
            return self.mode.seen(self.target.rows())
        finally:
            self.target.close()

    def windows(self):
        """The numbers of the loads that regular runs have committed."""
        try:
            return [seq for lane, seq, _ in self.target.ledger() if lane == "sync"]
        finally:
            self.target.close()

    def compare(self, window, spare=0):
        """`spare`: so many loads more than there are windows may be in the ledger."""
        try:
            return self._compare(window, spare)
        except (Failed, sqlite3.Error, OSError, ValueError, KeyError) as error:
            return Verdict(problems=[f"the target cannot be read: {error}"])
        finally:
            self.target.close()

    def _compare(self, window, spare):
        expected = collections.Counter(self.mode.target(window))
        found = collections.Counter(self.mode.seen(self.target.rows()))
        missing, surplus = expected - found, found - expected
        lost, doubled = sum(missing.values()), sum(surplus.values())
        problems = []
        if lost:
            problems.append(f"{lost} rows lost, first seq {min(missing)[0]}")
        if doubled:
            problems.append(f"{doubled} rows too many, first seq {min(surplus)[0]}")
        ledger = self.target.ledger()
        problems += self._ledger_problems(ledger, window, spare)
        problems += [f"left behind: {name}" for name in self.target.leftovers()]
        problems += self._state_problems(ledger, window)
        return Verdict(lost, doubled, problems)

    def _ledger_problems(self, ledger, window, spare):
        problems = []
        lanes = self.mode.lanes(window)
        by_lane = collections.defaultdict(list)
        for lane, seq, cursor in ledger:
            by_lane[lane].append((seq, cursor))
        if set(by_lane) != set(lanes):
            problems.append(f"the ledger has the lanes {sorted(by_lane)}, not {sorted(lanes)}")
        for lane, (loads, watermark) in lanes.items():
            seqs = [seq for seq, _ in by_lane[lane]]
            if (seqs != list(range(1, len(seqs) + 1))
                    or not loads <= len(seqs) <= loads + spare):
                problems.append(f"the ledger has the windows {seqs} of {lane}, not 1 to {loads}")
            newest = by_lane[lane][-1][1] if by_lane[lane] else watermark
            if newest != watermark:
                problems.append(f"the watermark of {lane} is {newest!r}, not {watermark!r}")
        return problems

    def _state_problems(self, ledger, window):
        problems = []
        state = self.live / ".dxt"
        connection = sqlite3.connect(state / "state.db", timeout=5)
        try:
            cursors = connection.execute("SELECT lane, window_seq, cursor_after FROM cursors "
                                         "WHERE stream = 't' ORDER BY lane").fetchall()
            intents = connection.execute("SELECT load_id FROM intents").fetchall()
            open_runs = connection.execute(
                "SELECT id, state FROM runs WHERE state IN ('QUEUED', 'RUNNING', "
                "'CANCELLING')").fetchall()
            sound = connection.execute("PRAGMA integrity_check").fetchall()
            letters = connection.execute("SELECT row_json, state FROM dead_letters").fetchall()
        finally:
            connection.close()
        newest = list({lane: (lane, seq, cursor) for lane, seq, cursor in ledger}.values())
        if cursors != newest:
            problems.append(f"the state's cursor is {cursors}, the target's {newest}")
        if intents:
            problems.append(f"intents stay: {intents}")
        if open_runs:
            problems.append(f"runs stay open: {open_runs}")
        if sound != [("ok",)]:
            problems.append("the state database is damaged")
        found = sorted((json.loads(text)["seq"], kind) for text, kind in letters)
        expected = [(seq, "STORED") for seq in self.mode.letters(window)]
        if found != expected:
            problems.append(f"{len(found)} dead letters, not {len(expected)}: "
                            f"{list((collections.Counter(found) - collections.Counter(expected)).items())[:3]} "
                            f"too many")
        for folder in ("tmp", "buffer"):
            for path, _, names in os.walk(state / folder):
                problems += [f"left behind: {os.path.relpath(os.path.join(path, name), state)}"
                             for name in names if name != ".lock"]
        for path in (state / "tmp").glob("*"):
            problems.append(f"left behind: tmp/{path.name}")
        return problems
