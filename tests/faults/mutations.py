#!/usr/bin/env python3
"""Removes one safeguard after the other and shows that ./dev faults, or a unit test, notices each time.

Works in a git worktree of its own, at the commit of the tree it is started from, which stays as it is:

    tests/faults/mutations.py [--only PATTERN ...] [--kills N] [--seed N] [--json FILE]

With --json the outcomes are put into that file, beside those of others that stand in it already;
tests/faults/guarantees.py FILE writes them into the guarantees page.
"""

import argparse
import dataclasses
import fnmatch
import json
import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
TREE = ROOT / "build/mutations"


@dataclasses.dataclass
class Mutation:
    """One safeguard, or several that stand in for each other, and how they are taken away.

    What must turn red: cells of ./dev faults, or a test (Ninja target, GoogleTest filter).
    """
    name: str
    edits: list  # (file, text with the safeguard, text without)
    cells: list = ()
    signal: str = "KILL"
    test: tuple = ()
    red: bool = True  # False: what is left suffices.
    times: int = 1  # So many times the kills that are asked for.


LEDGER_ROW = ("connectors/sqlite/destination.cc",
              "    LoadRecord row = record;\n    row.rows = result->rows_written;\n",
              "    ARROW_RETURN_NOT_OK(connection.Commit());\n"
              "    ARROW_RETURN_NOT_OK(connection.BeginWrite());\n"
              "    LoadRecord row = record;\n    row.rows = result->rows_written;\n")
END_FENCE = ("connectors/sqlite/ledger.cc",
             "  if (connection.Changes() == 1) return arrow::Status::OK();\n",
             "  if (connection.Changes() < 2) return arrow::Status::OK();\n")
# A window that is there already is written over, as if nothing forbade it.
UNIQUE_KEY = ("connectors/sql/ledger.cc",
              '      "INSERT INTO " + loads_table() + " (" + QuotedNames(LoadColumns())',
              '      "INSERT OR REPLACE INTO " + loads_table() + " (" + QuotedNames(LoadColumns())')
CHAIN = ("connectors/sqlite/destination.cc",
         "    ARROW_RETURN_NOT_OK(CheckChain(last, record));\n", "")
LOOK_UP = ("engine/run/loader.cc",
           "  if (!committed) return std::nullopt;\n", "  if (pending) return std::nullopt;\n")
LEASE = ("state/sqlite/run_store.cc",
         'WHERE id = ? AND attempt = ? AND "\n', 'WHERE id = ? AND attempt >= ? AND "\n')

MUTATIONS = [
    Mutation("ledger row in the data's transaction", [LEDGER_ROW], ["sqlite/append-full"]),
    Mutation("look-up of an unknown commit", [LOOK_UP],
             ["sqlite/append-full", "network/append-full"]),
    Mutation("attempt check in the state store", [LEASE],
             test=("state_sqlite_test", "*AnUnfinishedRunIsInterrupted*")),
    # The chain (a window must follow the newest one) stands in for both of the others.
    Mutation("end fence and unique key", [END_FENCE, UNIQUE_KEY], ["stopped-sqlite/append-full"],
             red=False, times=3),
    Mutation("end fence, unique key and chain", [END_FENCE, CHAIN, UNIQUE_KEY],
             ["stopped-sqlite/append-full"], times=3),
    Mutation("unique key and look-up", [UNIQUE_KEY, LOOK_UP], ["sqlite/append-full"]),
    Mutation("end fence alone", [END_FENCE],
             test=("sqlite_conformance_test", "*ANewOwnerFencesTheOld*")),
    Mutation("unique key alone", [UNIQUE_KEY],
             test=("sqlite_test", "*ASecondRowWithTheKeyIsRefused*")),
    Mutation("chain alone", [CHAIN], test=("sqlite_conformance_test", "*AStaleChainIsRefused*")),
    Mutation(
        "intent before the commit",
        [("engine/run/loader.cc",
          "  ARROW_RETURN_NOT_OK(context_.journal->RecordIntent(stream_.identity, record_));\n",
          "")], ["sqlite/append-full"]),
    Mutation(
        "settling before reading again",
        [("engine/run/stream_run.cc",
          "SettleInterrupted(*stream, stop));\n    if (done) return arrow::Status::OK();\n",
          "SettleInterrupted(*stream, stop));\n"
          "    if (done && options_.dry_run) return arrow::Status::OK();\n")],
        ["sqlite/append-full"]),
    Mutation(
        "id of an unanswered request",
        [("client/dxtctl/open_request.cc",
          "    request.repeated_ = true;\n    return request;\n", "")],
        ["sqlite/append-full"]),
    Mutation(
        "fsync of written files",
        [("connectors/file/local_store.cc",
          "    const int synced = fsync(fd_);\n", "    const int synced = 0;\n")],
        ["parquet/append-full"], "POWER"),
    Mutation(
        "fsync of the folder at a commit",
        [("connectors/sqlite/connection.cc",
          "PRAGMA synchronous = EXTRA", "PRAGMA synchronous = FULL")],
        ["sqlite/append-full"], "POWER"),
]


def run(*words, **options):
    return subprocess.run([str(word) for word in words], check=True, **options)


def prepare():
    if not TREE.exists():
        run("git", "-C", ROOT, "worktree", "add", "--detach", TREE, "HEAD")
        run("cmake", "--preset", "release", cwd=TREE, stdout=subprocess.DEVNULL)
    head = run("git", "-C", ROOT, "rev-parse", "HEAD", capture_output=True, text=True).stdout
    run("git", "-C", TREE, "checkout", "--quiet", "--force", "--detach", head.strip())
    build()


def build(*more):
    run("ninja", "-C", TREE / "build/release", "-j2", "dxtd", "dxtctl", "dxt_faults_shim", *more,
        stdout=subprocess.DEVNULL)


def run_test(target, pattern):
    """Whether it failed, and which of them."""
    binary = next((TREE / "build/release").rglob(f"tests/{target}"))
    done = subprocess.run([binary, f"--gtest_filter={pattern}"], capture_output=True, text=True,
                          check=False)
    ran = "Running 0 tests" not in done.stdout
    failed = [line.split("] ")[1].split(" (")[0].split(",")[0]
              for line in done.stdout.splitlines() if line.startswith("[  FAILED  ]")]
    return done.returncode != 0 and ran, failed[0] if failed else pattern


def shoot(mutation, arguments):
    """Whether the faults failed, and how."""
    binaries = TREE / "build/release/bin"
    libraries = run("ldd", binaries / "dxtd", capture_output=True, text=True).stdout
    duckdb = next(line.split()[2] for line in libraries.splitlines() if "libduckdb" in line)
    words = [sys.executable, "-B", TREE / "tests/faults/faults.py", "--bin", binaries, "--shim",
             TREE / "build/release/tests/dxt_faults_shim.so", "--duckdb", duckdb,
             "--kills", arguments.kills * mutation.times, "--seed", arguments.seed,
             "--signal", mutation.signal]
    for cell in mutation.cells:
        words += ["--cell", cell]
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True,
                          check=False)
    if arguments.verbose:
        print(done.stdout)
    lines = done.stdout.splitlines()
    where = ", ".join(f"`{cell}`" for cell in mutation.cells)
    if mutation.signal != "KILL":
        where += f" with `--signal {mutation.signal}`"
    red = done.returncode == 1 and any(line.startswith("FAILED") for line in lines)
    told = next((line.strip() for line in lines if line.startswith("    ")), "")
    if not red:
        told = next((line for line in lines if line.endswith("failed") and "passed" in line),
                    f"exit code {done.returncode}: {done.stderr[-300:]}")
    # Of what a run printed no more than its beginning is for the page.
    return red, f"{where}: {told.split(chr(34))[0][:100]}"


def try_out(mutation, arguments):
    """Whether what must notice the mutation did, and what it said."""
    kept = {}
    try:
        for file, safeguard, without in mutation.edits:
            path = TREE / file
            text = path.read_text()
            kept.setdefault(path, text)
            if text.count(safeguard) != 1:
                return not mutation.red, f"{file} no longer has the safeguard's text"
            path.write_text(text.replace(safeguard, without))
        build(*mutation.test[:1])
        return run_test(*mutation.test) if mutation.test else shoot(mutation, arguments)
    finally:
        for path, text in kept.items():
            path.write_text(text)


def keep(path, outcome):
    """Beside the others, in the order of the list above."""
    kept = json.loads(path.read_text())["mutations"] if path.exists() else []
    outcomes = {mutation["name"]: mutation for mutation in [*kept, outcome]}
    path.write_text(json.dumps({"schema": "dxt.mutations/1", "mutations": [
        outcomes[mutation.name] for mutation in MUTATIONS if mutation.name in outcomes]},
        indent=1) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", action="append", default=[], metavar="PATTERN",
                        help="mutations named so; may be repeated")
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=pathlib.Path, help="put the outcomes there")
    parser.add_argument("--verbose", action="store_true", help="print what the faults print")
    arguments = parser.parse_args()
    prepare()
    passed = failed = 0
    for mutation in MUTATIONS:
        if arguments.only and not any(fnmatch.fnmatch(mutation.name, pattern)
                                      for pattern in arguments.only):
            continue
        begin = time.monotonic()
        red, shown_by = try_out(mutation, arguments)
        good = red == mutation.red
        print(f"{'red' if red else 'green'}{'' if good else ' (WRONG)'}  without {mutation.name}: "
              f"{shown_by}", flush=True)
        passed, failed = passed + good, failed + (not good)
        if arguments.json:
            keep(arguments.json, {
                "name": mutation.name, "expected": "red" if mutation.red else "green",
                "as_expected": good, "shown_by": shown_by,
                "seconds": round(time.monotonic() - begin)})
    print(f"{passed} passed, {failed} failed")
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
