#!/usr/bin/env python3
"""Runs scenarios (*.dxtest) against the real dxtctl and dxtd. See README.md for the form.

Usage: run.py --bin FOLDER [--duckdb LIBDUCKDB] FILE...
Exit code 0 = all passed, 1 = one failed, 77 = skipped.
"""

import argparse
import copy
import difflib
import fcntl
import hashlib
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time

import json_schema
from processes import Process
from systems import DuckDb, Failed, PgBouncer, Postgres, Skipped, Watcher, sqlite_query

CRASH = re.compile(r"terminate called|Sanitizer:|runtime error:|Stack [Tt]race")
SOURCES = pathlib.Path(__file__).resolve().parents[2]

class Step:
    """One directive: its words, its body, and where it stands."""

    def __init__(self, line, text):
        self.line = line
        self.text = text
        self.name, _, self.rest = text.partition(" ")
        self.body = []


def parse(lines, first=1):
    """Directives begin at column 0; the indented lines below are their body."""
    steps = []
    for number, line in enumerate(lines, first):
        if line.startswith("  ") or (not line.strip() and steps and steps[-1].body):
            steps[-1].body.append(line[2:])
        elif line.strip() and not line.startswith("#"):
            steps.append(Step(number, line.rstrip()))
    for step in steps:
        while step.body and not step.body[-1].strip():
            step.body.pop()
    return steps


def is_free(lock):
    with open(lock, "rb") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            return False


class Scenario:
    """One scenario in a folder of its own."""

    def __init__(self, path, options):
        self.path = path
        self.options = options
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="dxts-"))
        for name in ("home", "run"):
            (self.folder / name).mkdir(mode=0o700)
        self.work = self.folder / "work"
        self.work.mkdir()
        self.env = {
            "PATH": f"{options.bin}:{os.environ['PATH']}",
            "HOME": str(self.folder / "home"),
            "XDG_RUNTIME_DIR": str(self.folder / "run"),
            "LC_ALL": "C.UTF-8",
        }
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS"):
            if name in os.environ:
                self.env[name] = os.environ[name]
        self.background = {}
        self.watchers = {}
        self.holds = {}
        self.memories = {}
        self.secrets = []
        self.words = {}
        self.finished = []
        self.last = None
        self.postgres = None
        self.pgbouncer = None
        self.duckdb = None

    def expand(self, text):
        """Replaces the words that README.md lists."""
        words = self.words | {"$work": self.work, "$unprivileged": ""}
        if os.geteuid() == 0:  # Root without the right to open what it may not.
            words["$unprivileged"] = "setpriv --bounding-set=-dac_override,-dac_read_search"
        if self.postgres:
            words |= {"$postgres": self.postgres.url, "$pgport": self.postgres.port}
        if self.pgbouncer:
            words["$pgbouncer"] = self.pgbouncer.url
        for word, value in words.items():
            text = text.replace(word, str(value))
        return text

    def run(self):
        try:
            self.carry_out(parse(self.path.read_text().splitlines()))
            self.check_nothing_is_left()
        finally:
            self.clean_up()

    def carry_out(self, steps):
        for step in steps:
            action = getattr(self, "do_" + step.name.replace("-", "_"), None)
            if action is None:
                raise Failed(f"{self.path}:{step.line}: no directive '{step.name}'")
            step = copy.copy(step)
            step.rest = self.expand(step.rest)
            if step.name not in ("each", "repeat"):
                step.body = [self.expand(line) for line in step.body]
            try:
                action(step)
            except Failed as failed:
                if step.name in ("each", "repeat"):  # The step inside has said where.
                    raise
                raise Failed(f"{self.path}:{step.line}: {step.text}\n{failed}") from None

    def clean_up(self):
        for process in self.background.values():
            if process.child.poll() is None:
                process.child.kill()
        for watcher in self.watchers.values():
            watcher.stop()
        for release in self.holds.values():
            release()
        for pid in self.daemons():
            os.kill(pid, signal.SIGKILL)
        if self.pgbouncer:
            self.pgbouncer.stop()
        if self.postgres:
            self.postgres.stop()
        if self.options.keep:
            print(f"kept {self.folder}")
        else:
            shutil.rmtree(self.folder, ignore_errors=True)

    def daemons(self):
        """Every living dxtd of this scenario."""
        found = []
        for entry in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = entry.read_bytes().split(b"\0")
            except OSError:
                continue
            if words[0].endswith(b"dxtd") and str(self.folder).encode() in b" ".join(words):
                found.append(int(entry.parent.name))
        return found

    def await_true(self, seconds, what, condition):
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise Failed(f"after {seconds} s {what}")
            time.sleep(0.02)

    def check_nothing_is_left(self):
        self.await_true(10, "a dxtd is still there", lambda: not self.daemons())
        self.check_no_crash()
        for secret in self.secrets:
            self.check_files_lack(secret)

    def check_no_crash(self):
        """dxtd said nothing like it before another one writes over its last words."""
        for path in self.folder.rglob("logs/dxtd.out"):
            said = path.read_text(errors="replace")
            if CRASH.search(said):
                raise Failed(f"{path}:\n{said}")

    def check_files_lack(self, text):
        for path in self.work.rglob(".dxt/**/*"):
            if path.is_file() and text.encode() in path.read_bytes():
                raise Failed(f"{path} holds '{text}'")

    # Directives.

    def do_require(self, step):
        if step.rest == "postgres":
            self.postgres = Postgres(self.folder)
        elif step.rest == "pgbouncer":
            self.pgbouncer = PgBouncer(self.folder, self.postgres)
        elif step.rest == "duckdb":
            if not self.options.duckdb:
                raise Skipped("libduckdb was not named")
            self.duckdb = DuckDb(self.options.duckdb)
        elif step.rest == "mounts":
            tried = subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", self.work],
                                   capture_output=True, check=False)
            if tried.returncode:
                raise Skipped("this account may not mount")
        else:
            raise Failed("only postgres, pgbouncer, duckdb and mounts can be required")

    def do_env(self, step):
        name, given, value = step.rest.partition("=")
        self.env.pop(name, None)
        if given:
            self.env[name] = value

    def do_each(self, step):
        """each NAME VALUE VALUE…: carries the body out with $NAME, once a value."""
        name, *values = shlex.split(step.rest)
        self.repeat(step, name, values)

    def do_repeat(self, step):
        """repeat N: carries the body out with $round from 1 to N."""
        self.repeat(step, "round", range(1, int(step.rest) + 1))

    def repeat(self, step, name, values):
        steps = parse(step.body, step.line + 1)
        for value in values:
            self.words["$" + name] = value
            self.carry_out(steps)

    def do_file(self, step):
        path = self.work / step.rest
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(line + "\n" for line in step.body))

    def do_delete(self, step):
        path = self.work / step.rest
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    def execute(self, target, sql):
        system, _, name = target.partition(" ")
        if system == "sqlite":
            return sqlite_query(self.work / name, sql)
        if system == "duckdb":
            return self.duckdb.query(self.work / name, sql)
        if system == "postgres":
            return self.postgres.query(sql)
        raise Failed(f"no system '{system}'")

    def do_sql(self, step):
        self.execute(step.rest, "\n".join(step.body))

    def do_query(self, step):
        cut = step.body.index("----")
        expected = step.body[cut + 1:]
        sql = "\n".join(step.body[:cut])
        found = self.execute(step.rest, sql)
        if found != expected:
            raise Failed(f"expected {expected}\n   found {found}")

    def do_remember(self, step):
        name, _, target = step.rest.partition(" ")
        sql = "\n".join(step.body)
        self.memories[name] = (target, sql, self.recall(target, sql))

    def do_unchanged(self, step):
        target, sql, before = self.memories[step.rest]
        after = self.recall(target, sql)
        if after != before:
            both = [sorted(map(str, rows.items() if isinstance(rows, dict) else rows))
                    for rows in (before, after)]
            raise Failed("\n".join(difflib.unified_diff(*both, "before", "now", n=0)))

    def recall(self, target, sql):
        """The rows of a query; without one, every file outside of state folders."""
        if target:
            return self.execute(target, sql)
        paths = [path for path in self.work.rglob("*") if ".dxt" not in path.parts]
        return {str(path.relative_to(self.work)): path.is_file()
                and hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}

    def do_hold(self, step):
        """hold sqlite FILE: this program locks it, as another one would."""
        system, _, name = step.rest.partition(" ")
        if system == "duckdb":
            database = self.duckdb.open(self.work / name)
            self.holds[name] = lambda: self.duckdb.close(database)
        else:
            connection = sqlite3.connect(self.work / name, isolation_level=None)
            connection.execute("BEGIN EXCLUSIVE")
            self.holds[name] = connection.close

    def do_release(self, step):
        self.holds.pop(step.rest)()

    def do_watch(self, step):
        """watch NAME: body = query, ----, every row that it may give."""
        cut = step.body.index("----")
        watcher = Watcher(self.postgres, "\n".join(step.body[:cut]))
        watcher.allowed = set(step.body[cut + 1:])
        self.watchers[step.rest] = watcher

    def do_settle(self, step):
        """settle NAME: it saw each of these rows, and no other."""
        watcher = self.watchers.pop(step.rest)
        seen = watcher.stop()
        if seen != watcher.allowed:
            raise Failed(f"expected {sorted(watcher.allowed)}\n     saw {sorted(seen)}")

    def start(self, text):
        self.check_no_crash()
        try:
            return Process(shlex.split(text), self.work, self.env)
        except OSError as error:
            raise Failed(f"cannot start it: {error}") from None

    def finish(self, process, expected):
        """EXPECTED is an exit code, or several as in 0|130."""
        code = process.wait()
        self.last = process
        self.finished.append(process)
        said = f"--- stdout\n{process.stdout.text}--- stderr\n{process.stderr.text}"
        if CRASH.search(said):
            raise Failed(f"it crashed\n{said}")
        for secret in self.secrets:
            if secret in said:
                raise Failed(f"the output holds '{secret}'\n{said}")
        if str(code) not in expected.split("|"):
            raise Failed(f"exit code {code}, expected {expected}\n{said}")

    def do_run(self, step):
        command, _, expected = step.rest.rpartition(" -> ")
        self.finish(self.start(command), expected)

    def do_start(self, step):
        name, _, command = step.rest.partition(" ")
        self.background[name] = self.start(command)

    def do_await(self, step):
        name, stream, pattern = step.rest.split(" ", 2)
        getattr(self.background[name], stream).await_match(pattern)

    def do_signal(self, step):
        name, number = step.rest.split()
        self.background[name].child.send_signal(getattr(signal, "SIG" + number))

    def do_kill_daemons(self, _):
        """kill-daemons: -9, as a machine that loses its power would."""
        for pid in self.daemons():
            os.kill(pid, signal.SIGKILL)

    def do_wait(self, step):
        name, _, expected = step.rest.partition(" -> ")
        self.finish(self.background.pop(name), expected)

    def do_strike(self, step):
        """strike INT 0.2 COMMAND -> CODES: a signal after so many seconds."""
        name, seconds, rest = step.rest.split(" ", 2)
        command, _, expected = rest.rpartition(" -> ")
        process = self.start(command)
        try:
            process.child.wait(float(seconds))
        except subprocess.TimeoutExpired:
            process.child.send_signal(getattr(signal, "SIG" + name))
        struck = time.monotonic()
        self.finish(process, expected)
        if time.monotonic() - struck > 10:
            raise Failed("it took more than 10 s to end")

    def do_took(self, step):
        """took 15: the last command took at most so many seconds."""
        if self.last.seconds > float(step.rest):
            raise Failed(f"it took {self.last.seconds:.1f} s")

    def do_parallel(self, step):
        """parallel 8 dxtctl run p{}.yaml -> 0: {} is 1, 2, …"""
        count, _, rest = step.rest.partition(" ")
        command, _, expected = rest.rpartition(" -> ")
        started = [self.start(command.replace("{}", str(i + 1))) for i in range(int(count))]
        for process in started:
            self.finish(process, expected)

    def do_every_call(self, _step):
        """every-call: each call of the API was made by its verb, and answered, under DXT_DEBUG."""
        table = subprocess.run([f"{self.options.bin}/dxtctl", "__calls"], check=True,
                               capture_output=True, text=True).stdout
        missing = []
        for row in table.splitlines():
            call, verb = row.split("\t")
            made = re.compile(rf"^debug: /dxt\.v1\.{call.replace('.', '/')} (OK|CANCELLED)$", re.M)
            if not any(re.search(rf"\b{verb}\b", shlex.join(process.words)) and
                       made.search(process.stderr.text) for process in self.finished):
                missing.append(f"{call} by `dxtctl {verb}`")
        if missing:
            raise Failed("never made:\n  " + "\n  ".join(missing))

    def do_keep(self, step):
        """keep RUN: $RUN is the first line of the last command's stdout."""
        self.words["$" + step.rest] = self.last.stdout.text.partition("\n")[0]

    def do_listening(self, step):
        """listening d.sock: somebody accepts at this unix socket."""
        def accepted():
            with socket.socket(socket.AF_UNIX) as client:
                return client.connect_ex(str(self.work / step.rest)) == 0
        self.await_true(30, "nobody listens there", accepted)

    def do_gone(self, step):
        """gone 10: within that many seconds no dxtd of this scenario is left, nor its lock."""
        seconds = float(step.rest)
        self.await_true(seconds, "a dxtd is still there", lambda: not self.daemons())
        # A process that ends loses its name a moment before its locks.
        for lock in self.work.rglob(".dxt/*.lock"):
            self.await_true(seconds, f"{lock} is locked", lambda: is_free(lock))

    def expect(self, text, step, wanted):
        pattern = step.rest
        if bool(re.search(pattern, text, re.M)) != wanted:
            raise Failed(f"{'no match' if wanted else 'a match'} in:\n{text}")

    def do_refused(self, step):
        """refused CODE REGEX (CODE is one too): one paragraph that names cause, code and next step."""
        code, _, pattern = step.rest.partition(" ")
        lines = [line for line in self.last.stderr.text.splitlines()
                 if not re.match(r"\S+:\d+:\d+: ", line)]
        said = [line for line in lines if re.search(pattern, line)]
        if any(not line.startswith("Error: ") for line in lines) or len(said) != 1:
            raise Failed(f"not one paragraph about it:\n{self.last.stderr.text}")
        if not re.search(rf" \[{code}\]\. \S.*[.?!;]$", said[0]):
            raise Failed(f"no code with a next step after it:\n{said[0]}")

    def do_stdout(self, step):
        self.expect(self.last.stdout.text, step, True)

    def do_stderr(self, step):
        self.expect(self.last.stderr.text, step, True)

    def do_no_stdout(self, step):
        self.expect(self.last.stdout.text, step, False)

    def do_no_stderr(self, step):
        self.expect(self.last.stderr.text, step, False)

    def do_json(self, step):
        """json streams.0.rows_read = 3: a value of the JSON on stdout."""
        path, _, wanted = step.rest.partition(" = ")
        try:
            value = json.loads(self.last.stdout.text)
            for part in path.split("."):
                value = value[int(part)] if isinstance(value, list) else value[part]
        except (ValueError, KeyError, IndexError) as error:
            raise Failed(f"{error!r} in:\n{self.last.stdout.text}") from None
        if value != json.loads(wanted):
            raise Failed(f"found {json.dumps(value)}")

    def do_exists(self, step):
        if not list(self.work.glob(step.rest)):
            raise Failed("it does not")

    def do_missing(self, step):
        found = [str(path) for path in self.work.glob(step.rest)]
        if found:
            raise Failed(f"found {found}")

    def do_absent_text(self, step):
        """absent-text SECRET: no file below .dxt holds it."""
        self.check_files_lack(step.rest)

    def do_secret(self, step):
        """secret TEXT: from here on no output and no state file holds it."""
        self.secrets.append(step.rest)

    def do_save(self, step):
        """save PATH: the last command's stdout."""
        (self.work / step.rest).write_text(self.last.stdout.text)

    def do_valid_json(self, step):
        """valid-json FILE: the last stdout obeys that JSON Schema of the sources."""
        schema = json.loads((SOURCES / step.rest).read_text())
        found = json_schema.problems(json.loads(self.last.stdout.text), schema)
        if found:
            raise Failed("\n".join(found))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", required=True, help="folder of dxtctl and dxtd")
    parser.add_argument("--duckdb", help="path of libduckdb")
    parser.add_argument("--keep", action="store_true", help="keep the scenario's folder")
    parser.add_argument("files", nargs="+", type=pathlib.Path)
    options = parser.parse_args()
    options.bin = os.path.abspath(options.bin)
    worst = 0
    for path in options.files:
        try:
            Scenario(path, options).run()
            print(f"PASS {path.name}")
        except Skipped as skipped:
            print(f"SKIP {path.name}: {skipped}")
            worst = worst or 77
        except Failed as failed:
            print(f"FAIL {failed}")
            worst = 1
    sys.exit(worst)


if __name__ == "__main__":
    main()
