#!/usr/bin/env python3
"""Hostile names and values in every dialect: all arrive, and none is carried out.

Tables and columns whose names are reserved words, quotes, comments, statements and whatever else breaks a careless
quoting go from each of PostgreSQL, SQLite and DuckDB to each, with filters, keys and watermarks whose values are just as
hostile. A table named `canary`, which some of them would drop, must be there at the end with its one row.

    hostile_names.py --bin build/release/bin --duckdb LIBRARY
"""
import argparse
import json
import pathlib
import re
import sqlite3
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "scenarios"))
from systems import DuckDb, Failed, Postgres, Skipped  # noqa: E402  pylint: disable=wrong-import-position

WORDS = """select from where table user order group default null true check column constraint primary references unique
values limit offset union all as on using natural cross array cast case when then else end current_user session_user
analyze window lateral only both leading trailing placing collate create drop insert update delete grant revoke fetch
for having in into is like not or and return returning rowid oid index pragma attach detach vacuum begin commit
rollback abs count date time timestamp interval""".split()
BREAKERS = ["'", '"', "''", '""', "`", "[", "]", ";", "--", "/*", "*/", "\\", "\\'", '\\"', "$", "$$", "$1", "$tag$", "?",
            "?1", ":x", "@x", "%", "%s", "%n", "{", "}", "{{ var.x }}", "${HOME}", "$(id)", "`id`", "#", "&", "|", "<",
            ">", "=", "~", "!", "^", "*", "+", ",", "(", ")", " ", "  ", "\t", "\n", "\r\n", "\u00a0", "\u200b", "\u202e",
            "\ufeff", "\u00e9", "e\u0301", "\u2603", "\U0001f600", "\u0130", "\u1e9e", "\ud7ff", "\x01", "\x1b[31m",
            "\x7f", "0", "1a", "-1", "1e5", "0x10", "NULL", "null ", " null", "true", "*", "public", "pg_catalog",
            "sqlite_", "main", "temp", "..", ".", "a.b", '"a"."b"', "[a].[b]", "a b", "A", "aB", "_dxt", "_", "__"]
STATEMENTS = ["DROP TABLE canary", "DELETE FROM canary", "INSERT INTO canary VALUES (2)", "UPDATE canary SET id = 2",
              "SELECT pg_sleep(60)", "COPY canary TO PROGRAM 'touch /tmp/dxt_pwned'", "PRAGMA writable_schema = 1",
              "ATTACH 'pwned.db' AS pwned", "INSTALL httpfs"]
OPENINGS = ["", "x", "x'", 'x"', "x')", 'x")', "x'))", "x`", "x]", "x\\'", "x$$", "x*/", "'||", '"||']
CLOSINGS = ["--", "/*", "'", '"', ""]

def hostile_texts():
    texts = list(WORDS) + list(BREAKERS) + [word.upper() + " " for word in WORDS[:20]]
    texts += [f"{opening}; {statement}; {closing}" for opening in OPENINGS for statement in STATEMENTS[:4]
              for closing in CLOSINGS[:2]]
    texts += [f"{opening}{statement}{closing}" for opening, closing in zip(OPENINGS, CLOSINGS * 3) for statement in STATEMENTS]
    texts += [f"a{breaker}b" for breaker in BREAKERS if breaker.strip()]
    texts += ["x" * 63, "\u00e9" * 31, "\u2603" * 21, "\U0001f600" * 15 + "abc"]
    return list(dict.fromkeys(texts))


def hostile_names():
    """One of each that differ in more than the case of letters, as SQLite and DuckDB tell names apart."""
    names = {}
    for text in hostile_texts():
        if len(text.encode()) <= 63 and text.lower() not in ("canary", "id"):
            names.setdefault(text.lower(), text)
    return list(names.values())


def identifier(name):
    return '"' + name.replace('"', '""') + '"'


def literal(text):
    return "'" + text.replace("'", "''") + "'"


class Test:
    """All pairs."""

    def __init__(self, options, folder, postgres):
        self.options, self.folder, self.postgres = options, folder, postgres
        self.duckdb = DuckDb(options.duckdb)
        self.names = hostile_names()
        self.texts = hostile_texts()
        self.systems = {
            "postgres": {"type": "postgres", "url": postgres.url, "schema": "first"},
            "sqlite": {"type": "sqlite", "path": str(folder / "first.db")},
            "duckdb": {"type": "duckdb", "path": str(folder / "first.duckdb")}}

    def _script(self, system, script):
        if system == "postgres":
            done = subprocess.run([*Postgres.PSQL, "-f", "-", self.postgres.url], input=script, capture_output=True,
                                  text=True, check=False)
            if done.returncode:
                raise Failed(f"psql: {done.stderr[:2000]}")
        elif system == "sqlite":
            connection = sqlite3.connect(self.folder / "first.db")
            connection.executescript(script)
            connection.close()
        else:
            with self.duckdb.session(self.folder / "first.duckdb") as session:
                session.query(script)

    def fill(self, system):
        """A column of each name, tables of some of them, and a row for each value."""
        script = "CREATE TABLE canary (id integer); INSERT INTO canary VALUES (1);\n"
        if system == "postgres":
            script = "CREATE SCHEMA first; SET search_path = first; SET client_min_messages = error;\n" + script
        names = self._names_of(system)
        for number, name in enumerate(names[::self.options.every]):
            table = identifier(name)
            script += f"CREATE TABLE {table} (id integer PRIMARY KEY, {table} text);\n" \
                      f"INSERT INTO {table} VALUES ({number}, {literal(name)}), (-1, NULL);\n"
        columns = ", ".join(f"{identifier(name)} text" for name in names)
        script += f"CREATE TABLE wide (id integer PRIMARY KEY, {columns});\n" \
                  f"INSERT INTO wide VALUES (1, {', '.join(map(literal, names))}); INSERT INTO wide (id) VALUES (2);\n"
        script += "CREATE TABLE texts (id integer PRIMARY KEY, said text);\n"
        for number, text in enumerate(self.texts):
            script += f"INSERT INTO texts VALUES ({number}, {literal(text)});\n"
        self._script(system, script)

    def _names_of(self, system):
        """SQLite keeps names that begin with sqlite_ for itself."""
        return [name for name in self.names if not (system == "sqlite" and name.lower().startswith("sqlite_"))]

    def streams(self, source, target):
        """Tables and a row's columns by name, filters whose column and value are a name; texts as keys and watermarks."""
        names = self._names_of(source)
        place = f"to_{source}"
        found = []
        for number, name in enumerate(names[::self.options.every]):
            # PostgreSQL has a schema for each source, and so can have the very name.
            into = identifier(name) if target == "postgres" else identifier(f"{place} {name}")
            found.append({"id": f"n{number}", "source": identifier(name), "target": into,
                          "filters": [{"column": name, "op": "eq", "value": name}],
                          "load": {"mode": "upsert" if number % 2 else "replace",
                                   **({"upsert_keys": [name]} if number % 2 else {})}})
        found.append({"id": "wide", "source": "wide", "target": f"{place}_wide",
                      "filters": [{"column": name, "op": "eq", "value": name} for name in names],
                      "load": {"mode": "upsert", "upsert_keys": names[1::60]}})
        found.append({"id": "texts", "source": "texts", "target": f"{place}_texts",
                      "extract": {"mode": "incremental", "watermark_field": "said"},
                      "load": {"mode": "upsert", "upsert_keys": ["said"]}})
        return names, found

    def run_pair(self, source, target):
        names, streams = self.streams(source, target)
        connection = dict(self.systems[target])
        if target == "postgres":
            connection["schema"] = f"to_{source}"
        (self.folder / "dxt_project.yaml").write_text(json.dumps(
            {"name": "hostile", "connections": {"a": self.systems[source], "b": connection}}))
        text = json.dumps({"version": 1, "name": f"{source}-{target}", "source": {"connection": "a"},
                           "target": {"connection": "b"}, "runtime": {"memory_limit": "4GiB"},
                           "streams": streams}, ensure_ascii=False)
        text = text.replace("${", "$${")
        # YAML knows JSON's escapes, but neither pairs of surrogates nor these characters as they are.
        (self.folder / "hostile.yaml").write_text(
            re.sub("[\x7f-\xa0\u200b-\u202e\ufeff]", lambda found: f"\\u{ord(found[0]):04x}", text))
        for verb, exit_code in (("run", 0), ("run", 0), ("verify", 0)):
            done = subprocess.run([self.options.bin / "dxtctl", verb, "hostile.yaml", "-o", "json"], cwd=self.folder,
                                  capture_output=True, text=True, check=False)
            try:
                result = json.loads(done.stdout)
            except ValueError:
                raise Failed(f"{source} to {target}, {verb}: exit {done.returncode}: {done.stderr[:2000]}") from None

            if done.returncode != exit_code:
                problems = [(stream["id"], (streams[n]["source"]), stream["error"]["code"], stream["error"]["message"])
                            for n, stream in enumerate(result.get("streams", [])) if stream["error"]]
                raise Failed(f"{source} to {target}, {verb}: exit {done.returncode}: "
                             f"{problems[:8] or done.stdout[:1500]}")
        rows = len(names[::self.options.every]) + 1 + len(self.texts)
        if result["totals"]["rows_read"] != rows:
            raise Failed(f"{source} to {target}: {result['totals']['rows_read']} of {rows} rows were compared")
        return len(names)

    def canaries(self):
        seen = {"postgres": self.postgres.query("SELECT id FROM first.canary"),
                "duckdb": self.duckdb.query(self.folder / "first.duckdb", "SELECT id FROM canary")}
        connection = sqlite3.connect(self.folder / "first.db")
        seen["sqlite"] = [str(row[0]) for row in connection.execute("SELECT id FROM canary")]
        connection.close()
        for system, rows in seen.items():
            if rows != ["1"]:
                raise Failed(f"the canary of {system} is {rows}")
        if pathlib.Path("/tmp/dxt_pwned").exists() or (self.folder / "pwned.db").exists():
            raise Failed("a statement was carried out")

    def run(self):
        for system in self.systems:
            self.fill(system)
        for source in self.systems:
            for target in self.systems:
                count = self.run_pair(source, target)
                print(f"{source} to {target}: {count} names, {len(self.texts)} values")
        self.canaries()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", type=lambda text: pathlib.Path(text).resolve(), required=True,
                        help="folder of dxtd and dxtctl")
    parser.add_argument("--duckdb", required=True, help="libduckdb.so")
    parser.add_argument("--every", type=int, default=48, metavar="N",
                        help="one name of N is a table's, too, and not only a column's")
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="dxth-") as name:
        folder = pathlib.Path(name)
        try:
            postgres = Postgres(folder)
        except Skipped as why:
            print(f"skipped: {why}")
            return 77
        passed = False
        try:
            Test(options, folder, postgres).run()
            passed = True
        except Failed as why:
            print(f"FAILED {why}")
        finally:
            postgres.stop()
    print(f"{time.monotonic() - began:.0f} s: {'passed' if passed else 'failed'}")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
