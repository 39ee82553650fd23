#!/usr/bin/env python3
"""dxt's PostgreSQL decoder and encoder against the server's own text of each value.

A table of random values of every type that dxt decodes is moved twice: into a CSV, whose cells must say what the
server's `::text` says (the decoder), and into another table, whose `::text` must be that of the first (decoder and
encoder; `on_error` keeps dxt from passing the bytes on undecoded). Prints how many values there were, how many of them
distinct, and how the numerics spread over digits and scales.

    differential.py --bin build/release/bin --rows 170000 --seed 7
"""
import argparse
import collections
import csv
import json
import math
import pathlib
import re
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "scenarios"))
from systems import Failed, Postgres, Skipped  # noqa: E402  pylint: disable=wrong-import-position

SCALES = range(41)


def bits(salt):
    """64 random bits of row i."""
    return f"hashtextextended(i::text || ':{salt}', :seed)"


def digits(salt, most):
    """A random number of random digits, 1 to most; no zero in front but "0" itself."""
    source = "||".join(f"md5(i::text || ':{salt}{n}' || :seed)" for n in range(most // 32 + 1))
    text = f"translate({source}, 'abcdef', '907531')"
    return (f"coalesce(nullif(ltrim(left({text}, 1 + (({bits(salt + 'n')} & 1073741823) % {most})::int), '0'), ''), "
            "'0')")


def sign(salt):
    return f"CASE WHEN {bits(salt + 's')} < 0 THEN '-' ELSE '' END"


def numeric(salt, most, scale):
    return f"({sign(salt)} || {digits(salt, most)} || 'e-{scale}')::numeric"


def special(salt, values, otherwise):
    """One row in 64 has one of `values`."""
    listed = ", ".join(values)
    pick = f"(({bits(salt + 'v')} & 1073741823) % {len(values)} + 1)"
    return f"CASE WHEN {bits(salt + 'p')} & 63 = 0 THEN (ARRAY[{listed}])[{pick}] ELSE {otherwise} END"


def floating(name, salt, mantissa, low, high):
    value = (f"(({bits(salt)} >> {64 - mantissa})::float8 * "
             f"power(2::float8, {low} + ({bits(salt + 'e')} & 1073741823) % {high - low}))")
    return special(salt, [f"'{text}'::{name}" for text in ("NaN", "Infinity", "-Infinity", "-0", "0", "1e-5")],
                   f"{value}::{name}")


def moment(name, salt, least, most):
    """Between two times in microseconds from 2000."""
    at = f"({least} + (({bits(salt)}::numeric + 9223372036854775808) % ({most} - ({least})))::int8)"
    zone = " AT TIME ZONE 'UTC'" if name == "timestamptz" else ""
    value = f"(timestamp '2000-01-01' + {at} / 86400000000 * interval '1 day' + {at} % 86400000000 * interval '1 us')"
    edges = ["0001-01-01 00:00:00", "9999-12-31 23:59:59.999999", "1970-01-01 00:00:00", "1999-12-31 23:59:59.999999"]
    return special(salt, [f"'{text}'::{name}" for text in edges], f"({value}{zone})")


def columns():
    """(name, type, SQL of the value)"""
    found = [
        ("c_bool", "boolean", f"({bits('b')} & 1) = 1"),
        ("c_int2", "smallint", special("i2", ["-32768", "32767", "0"], f"({bits('i2')} >> 48)") + "::int2"),
        ("c_int4", "integer", special("i4", ["-2147483648", "2147483647", "0"], f"({bits('i4')} >> 32)") + "::int4"),
        ("c_int8", "bigint", special("i8", ["-9223372036854775808", "9223372036854775807", "0"], bits("i8"))),
        ("c_float4", "real", floating("float4", "f4", 24, -140, 100)),
        ("c_float8", "double precision", floating("float8", "f8", 54, -1060, 960)),
        ("c_text", "text", special("t", ["''", "'NULL'", r"'\N'", "E'a\\nb\\t\\\\\"'", "'\u2603 \U0001f600'"],
                                   f"md5(i::text || :seed)")),
        ("c_varchar", "varchar(40)", f"md5('v' || i || :seed)"),
        ("c_uuid", "uuid", f"md5('u' || i || :seed)::uuid"),
        ("c_bytes", "bytea", f"decode(left(md5('x' || i || :seed) || md5('y' || i), 2 * (({bits('x')} & 255) % 33)::int), "
                             "'hex')"),
        ("c_date", "date", special("d", ["'0001-01-01'::date", "'9999-12-31'::date", "'2000-02-29'::date"],
                                   f"('2000-01-01'::date + (({bits('d')} & 1073741823) % 3652058 - 730119)::int)")),
        ("c_time", "time", special("tm", ["'00:00'::time", "'23:59:59.999999'::time"],
                                   f"('00:00'::time + (({bits('tm')} & 9007199254740991) % 86400000000) * interval '1 us')")),
        ("c_timestamp", "timestamp", moment("timestamp", "ts", -63082281600000000, 252455615999999999)),
        ("c_timestamptz", "timestamptz", moment("timestamptz", "tz", -63082281600000000, 252455615999999999)),
        ("c_interval", "interval", f"make_interval(months => ({bits('iv')} >> 50)::int, days => ({bits('iw')} >> 48)::int) "
                                   f"+ ({bits('ix')} >> 20) * interval '1 us'"),
        ("c_json", "json", f"('{{\"a\": ' || {digits('j', 30)} || ', \"b\": \"' || md5(i::text) || '\"}}')::json"),
        ("c_jsonb", "jsonb", f"('{{\"a\": ' || {digits('jb', 30)} || ', \"b\": [null, true, {{}}]}}')::jsonb"),
        ("c_ints", "integer[]", f"ARRAY[({bits('a1')} >> 32)::int, NULL, ({bits('a2')} >> 32)::int]"),
        ("c_texts", "text[]", f"ARRAY[md5(i::text), NULL, '', 'NULL', 'a,b\"\\']"),
        ("c_inet", "inet", f"('10.' || (({bits('n')} & 255)) || '.' || ({bits('o')} & 255) || '.1/24')::inet"),
        ("c_any", "numeric", special("any", ["'NaN'::numeric", "'Infinity'::numeric", "'-Infinity'::numeric",
                                             "'0.000'::numeric", "1e200::numeric", "1e-200::numeric"],
                                     f"({sign('any')} || {digits('any', 60)} || 'e' || "
                                     f"(({bits('anye')} & 1073741823) % 80 - 50))::numeric")),
    ]
    for scale in SCALES:
        # Up to 38 digits are a decimal128, more a decimal256.
        most = 38 if scale <= 30 else scale + 20
        found.append((f"c_numeric_{scale}", f"numeric({most},{scale})", numeric(f"q{scale}_", most, scale)))
    return found


def same_text(name, ours, theirs):
    """Whether dxt's cell says what the server's text says."""
    if ours == theirs:
        return True
    if name.startswith(("c_float4", "c_float8")):
        # The same shortest digits, written with another exponent form.
        width = "<f" if name == "c_float4" else "<d"
        mine, other = (struct.unpack(width, struct.pack(width, float(text)))[0] for text in (ours, theirs))
        return mine == other and math.copysign(1, mine) == math.copysign(1, other)
    if name == "c_bytes":
        import base64  # pylint: disable=import-outside-toplevel
        return base64.b64decode(ours) == bytes.fromhex(theirs[2:])
    if name in ("c_timestamp", "c_timestamptz"):
        plain = re.sub(r"(Z|\+00(:00)?)$", "", theirs)
        whole, _, part = plain.partition(".")
        mine = re.sub(r"(Z|\+00(:00)?)$", "", ours).replace("T", " ")
        return mine == f"{whole}.{part.ljust(6, '0')}"
    if name == "c_time":
        whole, _, part = theirs.partition(".")
        return ours == f"{whole}.{part.ljust(6, '0')}"
    if name == "c_ints":
        return json.loads(ours) == [None if cell == "NULL" else int(cell) for cell in theirs[1:-1].split(",")]
    if name == "c_texts":
        return json.loads(ours) == [theirs[1:33], None, "", "NULL", 'a,b"\\']
    return False


class Test:
    """One seed."""

    def __init__(self, options, folder):
        self.options = options
        self.folder = folder
        self.columns = columns()
        self.failures = []

    def run(self):
        postgres = Postgres(self.folder)
        try:
            self._fill(postgres)
            self._run_pipelines(postgres)
            self._compare_texts()
            self._compare_tables(postgres)
            self._report(postgres)
        finally:
            postgres.stop()
        return not self.failures

    def _fill(self, postgres):
        names = ", ".join(f"{name} {kind}" for name, kind, _sql in self.columns)
        values = ", ".join(sql.replace(":seed", str(self.options.seed)) for _name, _kind, sql in self.columns)
        postgres.query("SET max_parallel_workers_per_gather = 0")
        postgres.query(f"CREATE TABLE values_in (id bigint PRIMARY KEY, {names})")
        postgres.query("SET TimeZone = 'UTC'; INSERT INTO values_in SELECT i, "
                       f"{values} FROM generate_series(1, {self.options.rows}) AS i")

    def _run_pipelines(self, postgres):
        texts = ", ".join(f"{name}, {name}::text AS t_{name}" for name, _kind, _sql in self.columns)
        (self.folder / "values.yaml").write_text(json.dumps({
            "version": 1, "name": "values", "source": postgres.url, "target": f"file://{self.folder}/out",
            "streams": [{"id": "texts", "kind": "query", "target": "texts.csv", "load": {"mode": "replace"},
                         "source": f"SELECT id, {texts} FROM values_in ORDER BY id"}]}))
        (self.folder / "tables.yaml").write_text(json.dumps({
            "version": 1, "name": "tables", "source": postgres.url, "target": postgres.url,
            "streams": [{"id": "tables", "source": "values_in", "target": "values_out",
                         "load": {"mode": "replace", "on_error": "skip"}}]}))
        for document in ("values.yaml", "tables.yaml"):
            done = subprocess.run([self.options.bin / "dxtctl", "run", document, "-o", "json"], cwd=self.folder,
                                  capture_output=True, text=True, check=False)
            result = json.loads(done.stdout)
            totals = result["totals"]
            if done.returncode or totals["rows_written"] != self.options.rows or totals["rows_rejected"]:
                raise Failed(f"{document}: {done.stdout[:2000]} {done.stderr[:2000]}")

    def _fail(self, name, key, ours, theirs):
        self.failures.append((name, key, ours, theirs))
        if sum(name == other for other, *_rest in self.failures) <= 3:
            print(f"FAILED {name}, id {key}: dxt {ours!r}, server {theirs!r}")

    def _compare_texts(self):
        csv.field_size_limit(1 << 24)
        with open(self.folder / "out" / "texts.csv", newline="", encoding="utf-8") as file:
            rows = csv.reader(file)
            header = next(rows)
            pairs = [(name, header.index(name), header.index("t_" + name)) for name, _kind, _sql in self.columns]
            count = 0
            for row in rows:
                count += 1
                for name, ours, theirs in pairs:
                    if not same_text(name, row[ours], row[theirs]):
                        self._fail(name, row[0], row[ours], row[theirs])
        if count != self.options.rows:
            raise Failed(f"{count} of {self.options.rows} rows came")

    def _compare_tables(self, postgres):
        names = [name for name, _kind, _sql in self.columns]
        differ = " OR ".join(f"a.{name}::text IS DISTINCT FROM b.{name}::text" for name in names)
        lines = postgres.query(f"SELECT coalesce(a.id, b.id) FROM values_in a FULL JOIN values_out b USING (id) "
                               f"WHERE a.id IS NULL OR b.id IS NULL OR {differ} LIMIT 20")
        for key in lines:
            for name in names:
                ours, theirs = [postgres.query(f"SELECT {name}::text FROM {table} WHERE id = {key}")
                                for table in ("values_out", "values_in")]
                if ours != theirs:
                    self._fail(name + " (table)", key, ours, theirs)
        kinds = dict(line.split("|") for line in postgres.query(
            "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute "
            "WHERE attrelid = 'values_out'::regclass AND attnum > 0"))
        wanted = dict(line.split("|") for line in postgres.query(
            "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute "
            "WHERE attrelid = 'values_in'::regclass AND attnum > 0"))
        if kinds != wanted:
            self._fail("types", "-", kinds, wanted)

    def _report(self, postgres):
        names = [name for name, _kind, _sql in self.columns]
        distinct = sum(int(postgres.query(f"SELECT count(DISTINCT {name}::text) FROM values_in")[0]) for name in names)
        values = self.options.rows * len(names)
        spread = collections.Counter()
        for scale in SCALES:
            for line in postgres.query(f"SELECT length(ltrim(translate(c_numeric_{scale}::text, '-.', ''), '0')) / 10, "
                                       f"count(*) FROM values_in GROUP BY 1"):
                tens, count = line.split("|")
                spread[(scale, int(tens))] += int(count)
        print("numerics by scale, and digits 0-9, 10-19, …:")
        for scale in SCALES:
            print(f"  {scale:2}: " + " ".join(f"{spread[(scale, tens)]:7}" for tens in range(7)))
        print(f"{values} values, {distinct} distinct pairs of type and value, seed {self.options.seed}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", type=lambda text: pathlib.Path(text).resolve(), required=True,
                        help="folder of dxtd and dxtctl")
    parser.add_argument("--rows", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="dxtv-") as folder:
        try:
            passed = Test(options, pathlib.Path(folder)).run()
        except Skipped as why:
            print(f"skipped: {why}")
            return 77
        except Failed as why:
            print(f"FAILED {why}")
            return 1
    print(f"{time.monotonic() - began:.0f} s: {'passed' if passed else 'failed'}")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
