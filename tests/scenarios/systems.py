"""The databases of scenarios: real ones, seen by other programs than dxt."""

import ctypes
import os
import pathlib
import shutil
import socket
import sqlite3
import subprocess
import threading
import time


class Failed(Exception):
    """A scenario's expectation did not hold."""


class Skipped(Exception):
    """The machine lacks what the scenario requires."""


def row_text(cells):
    return "|".join("NULL" if cell is None else str(cell) for cell in cells)


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class Postgres:
    """A server in the scenario's folder, on a port of its own.

    Everybody is let in but the role `guarded`, which has to give its password.
    """

    PSQL = ["psql", "-qAtX", "-v", "ON_ERROR_STOP=1", "-F", "|", "-P", "null=NULL"]

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
        self.port = free_port()
        self._run("initdb", "-D", self.data, "-U", "dxt", "-A", "trust", "--no-sync")
        rules = self.data / "pg_hba.conf"
        rules.write_text("host all guarded all scram-sha-256\n" + rules.read_text())
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
        done = subprocess.run([*self.PSQL, "-c", sql, self.url],
                              capture_output=True, text=True, check=False)
        if done.returncode:
            raise Failed(f"psql: {done.stderr}")
        return done.stdout.splitlines()

    def stop(self):
        self._run("pg_ctl", "-D", self.data, "-m", "immediate", "stop")


class PgBouncer:
    """A pooler before a server: of its sessions it lends each transaction one, any one."""

    def __init__(self, folder, postgres):
        program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
        if not program:
            raise Skipped("PgBouncer is not installed")
        self.port = free_port()
        users, settings = folder / "users", folder / "pgbouncer.ini"
        users.write_text('"dxt" ""\n')
        settings.write_text(
            f"[databases]\n* = host=127.0.0.1 port={postgres.port}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {self.port}\n"
            f"unix_socket_dir =\nauth_type = trust\nauth_file = {users}\n"
            "pool_mode = transaction\n")
        with open(folder / "pgbouncer.log", "wb") as log:
            self.child = subprocess.Popen([*postgres.account, program, str(settings)], cwd="/",
                                          stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.url = f"postgresql://dxt@127.0.0.1:{self.port}/postgres"
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except ConnectionRefusedError:
                if self.child.poll() is not None or time.monotonic() > deadline:
                    raise Failed("PgBouncer does not answer: "
                                 f"{(folder / 'pgbouncer.log').read_text()}") from None
                time.sleep(0.02)

    def stop(self):
        self.child.kill()
        self.child.wait()


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

    def open(self, path):
        """The file, locked against other processes until close()."""
        database = ctypes.c_void_p()
        if self.lib.duckdb_open(str(path).encode(), ctypes.byref(database)):
            raise Failed(f"cannot open {path}")
        return database

    def close(self, database):
        self.lib.duckdb_close(ctypes.byref(database))

    def session(self, path):
        """Of one file, for several questions; locks it until it is closed."""
        return DuckDbSession(self, path)

    def query(self, path, sql):
        with self.session(path) as session:
            return session.query(sql)


class DuckDbSession:
    """One open file."""

    def __init__(self, duckdb, path):
        self.duckdb = duckdb
        self.database, self.connection = duckdb.open(path), ctypes.c_void_p()
        duckdb.lib.duckdb_connect(self.database, ctypes.byref(self.connection))

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self.close()

    def close(self):
        self.duckdb.lib.duckdb_disconnect(ctypes.byref(self.connection))
        self.duckdb.close(self.database)

    def query(self, sql):
        lib, result = self.duckdb.lib, DuckDb.Value()
        try:
            if lib.duckdb_query(self.connection, sql.encode(), ctypes.byref(result)):
                error = lib.duckdb_result_error(ctypes.byref(result))
                raise Failed(f"duckdb: {error.decode()}")
            rows = lib.duckdb_row_count(ctypes.byref(result))
            columns = lib.duckdb_column_count(ctypes.byref(result))
            return [row_text(self._cell(result, column, row) for column in range(columns))
                    for row in range(rows)]
        finally:
            lib.duckdb_destroy_result(ctypes.byref(result))

    def _cell(self, result, column, row):
        address = self.duckdb.lib.duckdb_value_varchar(ctypes.byref(result), column, row)
        if not address:
            return None
        text = ctypes.string_at(address).decode()
        self.duckdb.lib.duckdb_free(ctypes.c_void_p(address))
        return text


def sqlite_query(path, sql):
    """Rows of one query, or of nothing after a script of other statements."""
    connection = sqlite3.connect(path)
    try:
        if sql.lstrip().upper().startswith(("SELECT", "WITH", "PRAGMA")):
            return [row_text(row) for row in connection.execute(sql)]
        connection.executescript(sql)
        return []
    finally:
        connection.close()


class Watcher:
    """Asks PostgreSQL for one row, over and over, in a session of its own."""

    def __init__(self, postgres, sql):
        self.seen = set()
        self.stopped = threading.Event()
        self.begun = threading.Event()
        self.child = subprocess.Popen([*postgres.PSQL, postgres.url], text=True, bufsize=1,
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      stderr=subprocess.STDOUT)
        self.thread = threading.Thread(target=self._ask, args=(sql,), daemon=True)
        self.thread.start()
        self.begun.wait(10)

    def _ask(self, sql):
        question = sql.replace("\n", " ").rstrip("; ") + ";\n"
        while not self.stopped.is_set():
            try:
                self.child.stdin.write(question)
            except BrokenPipeError:
                break  # The query failed: what psql said of it was seen.
            self.seen.add(self.child.stdout.readline().rstrip("\n"))
            self.begun.set()

    def stop(self):
        """What it saw."""
        self.stopped.set()
        self.thread.join(10)
        self.child.kill()
        self.child.wait(10)
        self.child.stdout.close()
        return self.seen
