#!/usr/bin/env python3
"""Runs scenarios (*.dxtest) against the real dxtctl and dxtd. See README.md for the form.

Usage: run.py --bin FOLDER [--duckdb LIBDUCKDB] FILE...
Exit code 0 = all passed, 1 = one failed, 77 = skipped.
"""

import argparse
import ctypes
import fcntl
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
import threading
import time

LIMIT = 60  # Seconds that any one step may take.


class Failed(Exception):
    """A scenario's expectation did not hold."""


class Skipped(Exception):
    """The machine lacks what the scenario requires."""


class Step:
    """One directive: its words, its body, and where it stands."""

    def __init__(self, line, text):
        self.line = line
        self.text = text
        self.name, _, self.rest = text.partition(" ")
        self.body = []


def parse(path):
    """Directives begin at column 0; the indented lines below are their body."""
    steps = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if line.startswith("  ") or (not line.strip() and steps and steps[-1].body):
            steps[-1].body.append(line[2:])
        elif line.strip() and not line.startswith("#"):
            steps.append(Step(number, line.rstrip()))
    for step in steps:
        while step.body and not step.body[-1].strip():
            step.body.pop()
    return steps


class Output:
    """What a process wrote to one pipe, readable while it runs."""

    def __init__(self, pipe):
        self.text = ""
        self.closed = False
        self.changed = threading.Condition()
        self.thread = threading.Thread(target=self._read, args=(pipe,), daemon=True)
        self.thread.start()

    def _read(self, pipe):
        for chunk in iter(lambda: os.read(pipe.fileno(), 65536), b""):
            with self.changed:
                self.text += chunk.decode(errors="replace")
                self.changed.notify_all()
        with self.changed:
            self.closed = True
            self.changed.notify_all()

    def await_match(self, pattern):
        with self.changed:
            if not self.changed.wait_for(
                lambda: re.search(pattern, self.text, re.M) or self.closed, LIMIT
            ) or not re.search(pattern, self.text, re.M):
                raise Failed(f"never saw /{pattern}/ in:\n{self.text}")


class Process:
    """A command that was started."""

    def __init__(self, words, cwd, env):
        self.words = words
        self.child = subprocess.Popen(words, cwd=cwd, env=env, stdin=subprocess.DEVNULL,
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.stdout = Output(self.child.stdout)
        self.stderr = Output(self.child.stderr)

    def wait(self):
        try:
            code = self.child.wait(LIMIT)
        except subprocess.TimeoutExpired:
            self.child.kill()
            raise Failed(f"{shlex.join(self.words)} took longer than {LIMIT} s\n"
                         f"{self.stdout.text}{self.stderr.text}") from None
        self.stdout.thread.join(LIMIT)
        self.stderr.thread.join(LIMIT)
        self.child.stdout.close()
        self.child.stderr.close()
        return 128 - code if code < 0 else code


class Postgres:
    """A server in the scenario's folder, on a socket of its own."""

    def __init__(self, folder):
        versions = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"))
        if not versions:
            raise Skipped("no PostgreSQL server is installed")
        self.bin = versions[-1].parent
        self.data = folder / "pgdata"
        self.data.mkdir(mode=0o700)
        self.account = []
        if os.geteuid() == 0:  # initdb refuses root.
            shutil.chown(self.data, "postgres", "postgres")
            folder.chmod(0o755)
            self.account = ["setpriv", "--reuid=postgres", "--regid=postgres",
                            "--clear-groups"]
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._run("initdb", "-D", self.data, "-U", "dxt", "-A", "trust", "--no-sync")
        self._run("pg_ctl", "-D", self.data, "-w", "-l", self.data / "log", "-o",
                  f"-p {self.port} -h 127.0.0.1 -k {self.data} -c fsync=off", "start")
        self.url = f"postgresql://dxt@127.0.0.1:{self.port}/postgres"

    def _run(self, program, *arguments):
        done = subprocess.run([*self.account, str(self.bin / program), *map(str, arguments)],
                              cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                              check=False)
        if done.returncode:
            raise Failed(f"{program} failed: {done.stderr.decode()}")

    def query(self, sql):
        done = subprocess.run(["psql", self.url, "-qAtX", "-v", "ON_ERROR_STOP=1", "-F", "|",
                               "-P", "null=NULL", "-c", sql],
                              capture_output=True, text=True, check=False)
        if done.returncode:
            raise Failed(f"psql: {done.stderr}")
        return done.stdout.splitlines()

    def stop(self):
        self._run("pg_ctl", "-D", self.data, "-m", "immediate", "stop")


class DuckDb:
    """The few functions of libduckdb's C interface that a query needs."""

    class Value(ctypes.Structure):
        """duckdb_result, opaque but large enough."""
        _fields_ = [("space", ctypes.c_byte * 256)]

    def __init__(self, library):
        self.lib = ctypes.CDLL(library)
        self.lib.duckdb_value_varchar.restype = ctypes.c_void_p
        self.lib.duckdb_value_varchar.argtypes = [ctypes.c_void_p, ctypes.c_uint64,
                                                  ctypes.c_uint64]
        self.lib.duckdb_result_error.restype = ctypes.c_char_p
        for name in ("duckdb_row_count", "duckdb_column_count"):
            getattr(self.lib, name).restype = ctypes.c_uint64

    def query(self, path, sql):
        database, connection = ctypes.c_void_p(), ctypes.c_void_p()
        if self.lib.duckdb_open(str(path).encode(), ctypes.byref(database)):
            raise Failed(f"cannot open {path}")
        self.lib.duckdb_connect(database, ctypes.byref(connection))
        result = self.Value()
        try:
            if self.lib.duckdb_query(connection, sql.encode(), ctypes.byref(result)):
                error = self.lib.duckdb_result_error(ctypes.byref(result))
                raise Failed(f"duckdb: {error.decode()}")
            rows = self.lib.duckdb_row_count(ctypes.byref(result))
            columns = self.lib.duckdb_column_count(ctypes.byref(result))
            return ["|".join(self._cell(result, column, row) for column in range(columns))
                    for row in range(rows)]
        finally:
            self.lib.duckdb_destroy_result(ctypes.byref(result))
            self.lib.duckdb_disconnect(ctypes.byref(connection))
            self.lib.duckdb_close(ctypes.byref(database))

    def _cell(self, result, column, row):
        address = self.lib.duckdb_value_varchar(ctypes.byref(result), column, row)
        if not address:
            return "NULL"
        text = ctypes.string_at(address).decode()
        self.lib.duckdb_free(ctypes.c_void_p(address))
        return text


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
        self.last = None
        self.postgres = None
        self.duckdb = None

    def expand(self, text):
        """$work, and $postgres where the scenario requires it."""
        text = text.replace("$work", str(self.work))
        return text.replace("$postgres", self.postgres.url) if self.postgres else text

    def run(self):
        try:
            for step in parse(self.path):
                action = getattr(self, "do_" + step.name.replace("-", "_"), None)
                if action is None:
                    raise Failed(f"{self.path}:{step.line}: no directive '{step.name}'")
                try:
                    action(step)
                except Failed as failed:
                    raise Failed(f"{self.path}:{step.line}: {step.text}\n{failed}") from None
            self.check_nothing_is_left()
        finally:
            self.clean_up()

    def clean_up(self):
        for process in self.background.values():
            if process.child.poll() is None:
                process.child.kill()
        for pid in self.daemons():
            os.kill(pid, signal.SIGKILL)
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

    # Directives.

    def do_require(self, step):
        if step.rest == "postgres":
            self.postgres = Postgres(self.folder)
        elif step.rest == "duckdb":
            if not self.options.duckdb:
                raise Skipped("libduckdb was not named")
            self.duckdb = DuckDb(self.options.duckdb)
        else:
            raise Failed("only postgres and duckdb can be required")

    def do_env(self, step):
        name, _, value = step.rest.partition("=")
        self.env[name] = self.expand(value)

    def do_file(self, step):
        path = self.work / step.rest
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(self.expand(line) + "\n" for line in step.body))

    def do_delete(self, step):
        path = self.work / step.rest
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    def execute(self, target, sql):
        system, _, name = target.partition(" ")
        if system == "sqlite":
            connection = sqlite3.connect(self.work / name)
            try:
                if sql.lstrip().upper().startswith(("SELECT", "WITH", "PRAGMA")):
                    return ["|".join("NULL" if cell is None else str(cell) for cell in row)
                            for row in connection.execute(sql)]
                connection.executescript(sql)
                return []
            finally:
                connection.close()
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
        found = self.execute(step.rest, "\n".join(step.body[:cut]))
        if found != expected:
            raise Failed(f"expected {expected}\n   found {found}")

    def start(self, text):
        return Process(shlex.split(self.expand(text)), self.work, self.env)

    def finish(self, process, expected):
        code = process.wait()
        self.last = process
        if code != int(expected):
            raise Failed(f"exit code {code}, expected {expected}\n--- stdout\n"
                         f"{process.stdout.text}--- stderr\n{process.stderr.text}")

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

    def do_wait(self, step):
        name, _, expected = step.rest.partition(" -> ")
        self.finish(self.background.pop(name), expected)

    def do_parallel(self, step):
        """parallel 8 dxtctl run p{}.yaml -> 0: {} is 1, 2, …"""
        count, _, rest = step.rest.partition(" ")
        command, _, expected = rest.rpartition(" -> ")
        started = [self.start(command.replace("{}", str(i + 1))) for i in range(int(count))]
        for process in started:
            self.finish(process, expected)

    def do_gone(self, step):
        """gone 10: within that many seconds no dxtd of this scenario is left, nor its lock."""
        self.await_true(float(step.rest), "a dxtd is still there", lambda: not self.daemons())
        for lock in self.work.rglob(".dxt/*.lock"):
            with open(lock, "rb") as held:
                try:
                    fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    raise Failed(f"{lock} is locked") from None

    def expect(self, text, step, wanted):
        pattern = self.expand(step.rest)
        if bool(re.search(pattern, text, re.M)) != wanted:
            raise Failed(f"{'no match' if wanted else 'a match'} in:\n{text}")

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
        for path in self.work.rglob(".dxt/**/*"):
            if path.is_file() and step.rest.encode() in path.read_bytes():
                raise Failed(f"{path} holds it")


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
