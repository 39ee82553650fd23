#!/usr/bin/env python3
"""Random tables go from each system to each and back: every value comes back, or is refused by name.

For each seed a table of random types and random, hostile values is made in PostgreSQL, SQLite and DuckDB. dxt copies it
to every system and format, and from there back into a table of the first one's types. The source system's own text of
each value must be the same again. What dxt refuses instead must name the stream and the column, and a value's refusal
its key; the column or the row is then taken out and the rest must come.

    round_trips.py --bin build/release/bin --duckdb LIBRARY --seed 7 --rounds 20
"""
import argparse
import decimal
import json
import pathlib
import random
import re
import sqlite3
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "scenarios"))
from systems import DuckDb, Failed, Postgres, Skipped  # noqa: E402  pylint: disable=wrong-import-position

HOSTILE_TEXTS = ["", " ", "NULL", "null", r"\N", r"\.", "\\", "'", '"', "''", '""', ",", ";", "\t", "a\nb", "a\r\nb",
                 "\r", "007", "1e5", "0x10", "true", "NaN", "-", "2026-01-01", "{}", "[]", "{\"a\":1}", "\u00e9",
                 "e\u0301", "\u2603", "\U0001f600", "\ufeff", "\u200b", "a" * 5000, "--", "/*", "$1", "{{ var.x }}",
                 "${HOME}", "%s", "=1+1", "\u202e", "\x01", "\x7f"]


class Random(random.Random):
    """Values that break others."""

    def integer(self, bits):
        edge = 1 << (bits - 1)
        return self.choice([0, 1, -1, edge - 1, -edge, self.randrange(-edge, edge), self.randrange(-100, 100)])

    def decimal(self, precision, scale):
        digits = str(self.randrange(10 ** self.randint(0, precision)))
        digits = digits.rjust(scale + 1, "0")
        text = digits[:len(digits) - scale] + ("." + digits[len(digits) - scale:] if scale else "")
        # A decimal has one zero.
        return text if not text.strip("0.") else self.choice(["", "-"]) + text

    def float(self, specials=True):
        values = ["0", "0.1", "1e300", "-1e-300", "5e-324", "1.7976931348623157e308", "123456789.125",
                  repr(self.uniform(-1e6, 1e6)), repr(self.random() * 10 ** self.randint(-300, 300))]
        if specials:
            values += ["NaN", "Infinity", "-Infinity"]
        return self.choice(values)

    def text(self):
        return self.choice(HOSTILE_TEXTS + ["".join(chr(self.choice([self.randrange(32, 127),
                                                                    self.randrange(0xa0, 0x2fff)]))
                                                   for _ in range(self.randrange(20)))])

    def date(self, low=1, high=9999):
        return f"{self.randint(low, high):04}-{self.randint(1, 12):02}-{self.randint(1, 28):02}"

    def time(self):
        return f"{self.randrange(24):02}:{self.randrange(60):02}:{self.randrange(60):02}.{self.randrange(10 ** 6):06}"

    def json(self, depth=2):
        if depth == 0 or self.random() < 0.3:
            return self.choice(["null", "true", str(self.integer(64)), self.decimal(30, 10).lstrip("-"),
                                json.dumps(self.text())])
        items = [self.json(depth - 1) for _ in range(self.randrange(4))]
        if self.random() < 0.5:
            return "[" + ", ".join(items) + "]"
        return "{" + ", ".join(f"\"k{n}\": {item}" for n, item in enumerate(items)) + "}"

    def bytes(self):
        return bytes(self.randrange(256) for _ in range(self.choice([0, 1, 16, 256])))


# The dtype that stands for a type of a source; of the others the text travels.
DTYPES = {
    "smallint": "int16", "integer": "int32", "bigint": "int64", "boolean": "bool", "numeric": "decimal",
    "real": "float32", "double precision": "float64", "bytea": "binary", "date": "date", "time": "time",
    "timestamp": "timestamp", "timestamptz": "timestamp_tz", "json": "json", "jsonb": "json",
    "integer[]": "array", "text[]": "array",
    "INTEGER": "int64", "REAL": "float64", "BLOB": "binary", "BOOLEAN": "bool", "DATE": "date", "TIME": "time",
    "TIMESTAMP": "timestamp", "JSON_TEXT": "json",
    "TINYINT": "int8", "SMALLINT": "int16", ("duckdb", "INTEGER"): "int32", "BIGINT": "int64", "UBIGINT": "uint64",
    "UINTEGER": "uint32", "FLOAT": "float32", "DOUBLE": "float64", "TIMESTAMPTZ": "timestamp_tz", "JSON": "json",
    "INTEGER[]": "array", "VARCHAR[]": "array", 
}


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


def document(text):
    return json.loads(text, parse_int=decimal.Decimal, parse_float=decimal.Decimal)


def same_value(system, kind, before, after, between):
    """Equal texts, or what docs/reference/types.md says of a type on its way."""
    if before == after:
        return True
    if kind in ("json", "jsonb", "JSON_TEXT", "JSON"):
        before, after = map(system.plain, (before, after))
        # In a file of JSON a document that is null is no other null.
        if after is None:
            return between == "jsonl" and before.strip() == "null"
        return before is not None and document(before) == document(after)
    if None in (before, after):
        return False
    # A decimal without a scale may come back with zeros at its end.
    return kind == "numeric" and decimal.Decimal(before) == decimal.Decimal(after)


class PostgresTables:
    """Its types, literals and texts."""
    name = "postgres"

    def __init__(self, server):
        self.server = server
        self.url = server.url

    def type(self, rng):
        precision = rng.choice([5, 18, 19, 38, 40, 60])
        scale = rng.randint(0, min(precision, 30))
        text = lambda: quoted(rng.text().replace("\0", ""))
        kinds = {
            "smallint": lambda: str(rng.integer(16)), "integer": lambda: str(rng.integer(32)),
            "bigint": lambda: str(rng.integer(64)), "boolean": lambda: rng.choice(["true", "false"]),
            f"numeric({precision},{scale})": lambda: rng.decimal(precision, scale),
            "numeric": lambda: quoted(rng.choice([rng.decimal(45, 17), "NaN", "0.000", "1e40"])),
            "real": lambda: quoted(rng.choice(["NaN", "1.5", "-0.1", "3.4e38"])),
            "double precision": lambda: quoted(rng.float()), "text": text, "varchar(6000)": text,
            "uuid": lambda: quoted("%032x" % rng.getrandbits(128)),
            "bytea": lambda: f"'\\x{rng.bytes().hex()}'",
            "date": lambda: quoted(rng.choice([rng.date(), rng.date(1, 4712) + " BC", "infinity", "20000-01-01"])),
            "time": lambda: quoted(rng.choice([rng.time(), "24:00:00"])),
            "timestamp": lambda: quoted(rng.choice([f"{rng.date()} {rng.time()}", "-infinity", "4713-01-01 00:00 BC"])),
            "timestamptz": lambda: quoted(f"{rng.date()} {rng.time()}{rng.choice(['Z', '+14', '-12', '+05:45'])}"),
            "interval": lambda: quoted(f"{rng.integer(16)} months {rng.integer(16)} days {rng.integer(32)} seconds"),
            "json": lambda: quoted(rng.json()), "jsonb": lambda: quoted(rng.json()),
            "integer[]": lambda: rng.choice([f"ARRAY[{rng.integer(32)}, NULL]", "'{}'::int[]"]),
            "text[]": lambda: f"ARRAY[{text()}, NULL, {text()}]",
            "inet": lambda: quoted("10.1.2.3/8"), "money": lambda: quoted(rng.decimal(10, 2)),
            "bit(9)": lambda: f"B'{rng.getrandbits(9):09b}'", "int4range": lambda: "'[1,9)'", "xml": lambda: "'<a>b</a>'",
        }
        kind = rng.choice(list(kinds))
        return kind, kinds[kind]

    def execute(self, script):
        done = subprocess.run([*Postgres.PSQL, "-f", "-", self.url], input=script, capture_output=True, text=True,
                              check=False)
        if done.returncode:
            raise Failed(f"psql: {done.stderr[:1000]}")
        return done.stdout

    def make(self, table, columns, rows):
        listed = ", ".join(f'"{name}" {kind}' for name, kind in columns)
        script = f"CREATE SCHEMA IF NOT EXISTS back; DROP TABLE IF EXISTS {table}, back.{table};\n" \
                 f"CREATE TABLE {table} (id bigint PRIMARY KEY, {listed});\n" \
                 f"CREATE TABLE back.{table} (LIKE {table} INCLUDING ALL);\n"
        for row in rows:
            script += f"INSERT INTO {table} VALUES ({', '.join(row)});\n"
        self.execute(script)

    def texts(self, table, columns):
        listed = "".join(f", '{name}', \"{name}\"::text" for name in columns)
        lines = self.execute(f"SET bytea_output = hex; SELECT json_build_object('id', id{listed}) FROM {table} "
                             f"ORDER BY id;")
        return {row["id"]: row for row in map(json.loads, lines.splitlines())}

    @staticmethod
    def plain(text):
        return text

    def back(self, table):
        return f"back.{table}"

    def without(self, table, key):
        self.execute(f"DELETE FROM {table} WHERE id = {key}")

    def connection(self):
        return {"type": "postgres", "url": self.url}

    back_connection = connection


class SqliteTables:
    """Its types, literals and texts."""
    name = "sqlite"

    def __init__(self, folder):
        self.path, self.back_path = folder / "source.db", folder / "back.db"

    def type(self, rng):
        kinds = {
            "INTEGER": lambda: rng.integer(64), "REAL": lambda: float(rng.float(specials=False)), "TEXT": rng.text,
            "BLOB": rng.bytes, "BOOLEAN": lambda: rng.randrange(2), "DATE": rng.date,
            "TIMESTAMP": lambda: f"{rng.date()} {rng.time()}", "TIME": rng.time,
            "DECIMAL_TEXT(30,8)": lambda: rng.decimal(30, 8), "JSON_TEXT": rng.json,
        }
        kind = rng.choice(list(kinds))
        return kind, kinds[kind]

    def make(self, table, columns, rows):
        listed = ", ".join(f'"{name}" {kind}' for name, kind in columns)
        for path in (self.path, self.back_path):
            connection = sqlite3.connect(path)
            connection.executescript(f"DROP TABLE IF EXISTS {table}; CREATE TABLE {table} (id INTEGER PRIMARY KEY, {listed})")
            if path == self.path:
                connection.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * (1 + len(columns)))})", rows)
            connection.commit()
            connection.close()

    def texts(self, table, columns):
        listed = "".join(f", typeof(\"{name}\") || ':' || quote(\"{name}\")" for name in columns)
        path = self.path
        if table.startswith("back:"):
            path, table = self.back_path, table[5:]
        connection = sqlite3.connect(path)
        found = {row[0]: dict(zip(["id", *columns], row)) for row in connection.execute(f"SELECT id{listed} FROM {table}")}
        connection.close()
        return found

    @staticmethod
    def plain(text):
        kind, _, quote = text.partition(":")
        return None if kind == "null" else quote[1:-1].replace("''", "'")

    def back(self, table):
        return f"back:{table}"

    def without(self, table, key):
        connection = sqlite3.connect(self.path)
        connection.execute(f"DELETE FROM {table} WHERE id = ?", (key,))
        connection.commit()
        connection.close()

    def connection(self):
        return {"type": "sqlite", "path": str(self.path)}

    def back_connection(self):
        return {"type": "sqlite", "path": str(self.back_path)}


class DuckDbTables:
    """Its types, literals and texts."""
    name = "duckdb"

    def __init__(self, duckdb, folder):
        self.duckdb = duckdb
        self.path, self.back_path = folder / "source.duckdb", folder / "back.duckdb"

    def type(self, rng):
        precision = rng.choice([4, 9, 18, 38])
        scale = rng.randint(0, precision)
        text = lambda: quoted(rng.text())
        kinds = {
            "TINYINT": lambda: str(rng.integer(8)), "SMALLINT": lambda: str(rng.integer(16)),
            "INTEGER": lambda: str(rng.integer(32)), "BIGINT": lambda: str(rng.integer(64)),
            "UBIGINT": lambda: str(rng.getrandbits(64)), "UINTEGER": lambda: str(rng.getrandbits(32)),
            "HUGEINT": lambda: str(rng.integer(100)), "BOOLEAN": lambda: rng.choice(["true", "false"]),
            f"DECIMAL({precision},{scale})": lambda: quoted(rng.decimal(precision, scale)),
            "FLOAT": lambda: quoted(rng.choice(["1.5", "nan", "inf", "0.1"])), "DOUBLE": lambda: quoted(rng.float()),
            "VARCHAR": text, "DATE": lambda: quoted(rng.date()), "TIME": lambda: quoted(rng.time()),
            "TIMESTAMP": lambda: quoted(f"{rng.date()} {rng.time()}"),
            "TIMESTAMPTZ": lambda: quoted(f"{rng.date(2)} {rng.time()}Z"),
            "TIMESTAMP_NS": lambda: quoted(f"{rng.date(1700, 2200)} {rng.time()}123"),
            "UUID": lambda: quoted("%08x-%04x-4%03x-8%03x-%012x" % tuple(map(rng.getrandbits, (32, 16, 12, 12, 48)))),
            "BLOB": lambda: "'" + "".join(f"\\x{byte:02X}" for byte in rng.bytes()) + "'::BLOB",
            "INTEGER[]": lambda: rng.choice([f"[{rng.integer(32)}, NULL]", "[]"]),
            "VARCHAR[]": lambda: f"[{text()}, NULL]", "INTERVAL": lambda: quoted(f"{rng.integer(8)} days"),
            "JSON": lambda: quoted(rng.json()),
        }
        kind = rng.choice(list(kinds))
        return kind, kinds[kind]

    def make(self, table, columns, rows):
        listed = ", ".join(f'"{name}" {kind}' for name, kind in columns)
        for path in (self.path, self.back_path):
            with self.duckdb.session(path) as session:
                session.query(f"DROP TABLE IF EXISTS {table}")
                session.query(f"CREATE TABLE {table} (id BIGINT PRIMARY KEY, {listed})")
                if path == self.path:
                    for row in rows:
                        session.query(f"INSERT INTO {table} VALUES ({', '.join(row)})")

    def texts(self, table, columns):
        path = self.path
        if table.startswith("back:"):
            path, table = self.back_path, table[5:]
        found = {}
        with self.duckdb.session(path) as session:
            session.query("SET TimeZone = 'UTC'")
            keys = [int(line) for line in session.query(f"SELECT id FROM {table} ORDER BY id")]
            found = {key: {"id": key} for key in keys}
            for name in columns:
                # As bytes, since the texts of one cell may hold anything.
                cells = session.query(f"SELECT hex(encode(CAST(\"{name}\" AS VARCHAR))) FROM {table} ORDER BY id")
                for key, cell in zip(keys, cells):
                    found[key][name] = cell
        return found

    @staticmethod
    def plain(text):
        return None if text in (None, "NULL") else bytes.fromhex(text).decode()

    def back(self, table):
        return f"back:{table}"

    def without(self, table, key):
        self.duckdb.query(self.path, f"DELETE FROM {table} WHERE id = {key}")

    def connection(self):
        return {"type": "duckdb", "path": str(self.path)}

    def back_connection(self):
        return {"type": "duckdb", "path": str(self.back_path)}


class Test:
    """All rounds."""

    def __init__(self, options, folder, postgres):
        self.options, self.folder = options, folder
        self.systems = [PostgresTables(postgres), SqliteTables(folder),
                        DuckDbTables(DuckDb(options.duckdb), folder)]
        postgres.query("CREATE SCHEMA between")
        self.between = {
            "postgres": ({"type": "postgres", "url": postgres.url, "schema": "between"}, "{}"),
            "sqlite": ({"type": "sqlite", "path": str(folder / "between.db")}, "{}"),
            "duckdb": ({"type": "duckdb", "path": str(folder / "between.duckdb")}, "{}"),
            **{kind: ({"type": "file", "url": str(folder / "files")}, "{}." + kind)
               for kind in ("parquet", "csv", "jsonl")}}
        self.values = self.refused_columns = self.refused_rows = 0
        self.refusals = {}
        self.failures = 0

    def run(self):
        for round_number in range(self.options.rounds):
            seed = self.options.seed + round_number
            for system in self.systems:
                rng = Random(f"{seed} {system.name}")
                columns, rows = self._random_table(system, rng)
                for target in self.between:
                    table = f"{system.name}{seed}_{target}"
                    system.make(table, columns, rows)
                    try:
                        self._there_and_back(system, target, table, dict(columns))
                    except Failed as why:
                        self.failures += 1
                        print(f"FAILED seed {seed}, {system.name} to {target} and back, of {dict(columns)}: {why}")

    def _random_table(self, system, rng):
        makers = []
        columns = []
        for number in range(self.options.columns):
            kind, make = system.type(rng)
            columns.append((f"c{number}", kind))
            makers.append(make)
        python_values = system.name == "sqlite"
        rows = []
        for key in range(1, self.options.rows + 1):
            null = None if python_values else "NULL"
            cells = [null if rng.random() < 0.1 else make() for make in makers]
            rows.append([key if python_values else str(key), *cells])
        return columns, rows

    def _there_and_back(self, system, target, table, kinds):
        names = list(kinds)
        connection, pattern = self.between[target]
        wanted_keys = set(range(1, self.options.rows + 1))
        for _attempt in range(4 + self.options.rows * 2 + len(names)):
            done, result = self._run(system.connection(), table, "table", connection, pattern.format(table), names)
            if done:
                kind = "file" if connection["type"] == "file" else "table"
                done, result = self._run(connection, pattern.format(table), kind, system.back_connection(),
                                         ("back." if system.name == "postgres" else "") + table, names,
                                         {name: self._declared(system, kinds[name]) for name in names})
            if done:
                break
            names, wanted_keys = self._take_out(system, table, names, wanted_keys, result, kinds)
        else:
            raise Failed("it never came to an end")
        before = system.texts(table, names)
        after = system.texts(system.back(table), names)
        if set(before) != wanted_keys or set(after) != wanted_keys:
            raise Failed(f"rows {sorted(set(before) ^ set(after))[:10]} are on one side only")
        for key, row in before.items():
            for name in names:
                self.values += 1
                if not same_value(system, kinds[name], row[name], after[key][name], target):
                    raise Failed(f"id {key}, {name} {kinds[name]}: was {row[name]!r}, came back as {after[key][name]!r}")

    def _declared(self, system, kind):
        """What a text file cannot say of a column and its reader must be told."""
        sized = re.fullmatch(r"(?:numeric|DECIMAL|DECIMAL_TEXT)\((\d+),(\d+)\)", kind)
        if sized:
            return {"dtype": "decimal", "precision": int(sized[1]), "scale": int(sized[2])}
        dtype = DTYPES.get((system.name, kind)) or DTYPES.get(kind)
        return {"dtype": dtype} if dtype else {}

    def _take_out(self, system, table, names, keys, result, kinds):
        """Of what was refused, the column at plan or the row at its value."""
        stream = result["streams"][0] if result["streams"] else {}
        error = stream.get("error") or result["error"] or {}
        column, key = error.get("column"), error.get("key")
        text = json.dumps(error)
        if not column:
            named = [name for name in names if re.search(rf"'{name}'|\b{name} \(", error.get("message", ""))]
            if not named:
                raise Failed(f"a refusal that names no column: {text}")
            column = named[0]
        if column not in names:
            raise Failed(f"a refusal of a column that is not there: {text}")
        self.refusals.setdefault((system.name, kinds[column], error["code"]), error["message"])
        if key is not None and "id" in key:
            system.without(table, key["id"])
            self.refused_rows += 1
            return names, keys - {key["id"]}
        self.refused_columns += 1
        left = [name for name in names if name != column]
        return left, keys

    def _run(self, source, source_name, kind, target, target_name, names, declared=None):
        fields = [{"id": "id"}]
        for name in names:
            text_file = kind == "file" and not source_name.endswith("parquet")
            fields.append({"id": name, **(declared[name] if text_file and declared else {})})
        document = {"version": 1, "name": "trip",
                    "source": {"connection": "a"}, "target": {"connection": "b"},
                    "streams": [{"id": "s", "kind": kind, "source": source_name, "target": target_name,
                                 "fields": fields, "load": {"mode": "replace"}}]}
        (self.folder / "dxt_project.yaml").write_text(json.dumps({"name": "trips", "connections": {"a": source, "b": target}}))
        (self.folder / "trip.yaml").write_text(json.dumps(document))
        done = subprocess.run([self.options.bin / "dxtctl", "run", "trip.yaml", "-o", "json"], cwd=self.folder,
                              capture_output=True, text=True, check=False)
        try:
            result = json.loads(done.stdout)
            if "problems" in result:
                raise Failed(f"the document is refused: {result['problems']}")
            return done.returncode == 0, result
        except ValueError:
            raise Failed(f"exit {done.returncode}: {done.stdout[:1000]} {done.stderr[:1000]}") from None

    def report(self):
        for (system, kind, code), message in sorted(self.refusals.items()):
            print(f"  {system} {kind}: {code}: {message[:150]}")
        print(f"{self.values} values came back; {self.refused_columns} columns and {self.refused_rows} rows were refused")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", type=lambda text: pathlib.Path(text).resolve(), required=True,
                        help="folder of dxtd and dxtctl")
    parser.add_argument("--duckdb", required=True, help="libduckdb.so")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--rows", type=int, default=30)
    parser.add_argument("--columns", type=int, default=8)
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="dxtr-") as name:
        folder = pathlib.Path(name)
        try:
            postgres = Postgres(folder)
        except Skipped as why:
            print(f"skipped: {why}")
            return 77
        test = Test(options, folder, postgres)
        try:
            test.run()
        finally:
            test.report()
            postgres.stop()
    passed = test.failures == 0
    print(f"seed {options.seed}, {options.rounds} rounds, {time.monotonic() - began:.0f} s: "
          f"{'passed' if passed else 'failed'}")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
