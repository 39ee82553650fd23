#!/usr/bin/env python3
"""Removes one safeguard after the other and shows that ./dev faults notices each time.

Works in a git worktree of its own, so the tree it is started from stays as it is:

    tests/faults/mutations.py [--only NAME] [--kills N] [--seed N]
"""

import argparse
import dataclasses
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
TREE = ROOT / "build/mutations"


@dataclasses.dataclass
class Mutation:
    """One safeguard and how it is taken away."""
    name: str
    file: str
    safeguard: str
    without: str
    cells: list
    signal: str = "KILL"


MUTATIONS = [
    Mutation(
        "ledger row in the data's transaction", "connectors/sqlite/destination.cc",
        "    LoadRecord row = record;\n    row.rows = result->rows_written;\n",
        "    ARROW_RETURN_NOT_OK(connection.Commit());\n"
        "    ARROW_RETURN_NOT_OK(connection.BeginWrite());\n"
        "    LoadRecord row = record;\n    row.rows = result->rows_written;\n",
        ["sqlite/append-full"]),
    Mutation(
        "look-up of an unknown commit", "engine/run/loader.cc",
        "  if (!committed) return std::nullopt;\n", "  if (pending) return std::nullopt;\n",
        ["sqlite/append-full", "network/append-full"]),
    Mutation(
        "intent before the commit", "engine/run/loader.cc",
        "  ARROW_RETURN_NOT_OK(context_.journal->RecordIntent(stream_.identity, record_));\n",
        "", ["sqlite/append-full"]),
    Mutation(
        "settling before reading again", "engine/run/stream_run.cc",
        "    if (done) return arrow::Status::OK();\n  }\n  if (!stream->staged)",
        "    if (done && options_.dry_run) return arrow::Status::OK();\n  }\n"
        "  if (!stream->staged)",
        ["sqlite/append-full"]),
    Mutation(
        "id of an unanswered request", "client/dxtctl/open_request.cc",
        "    request.repeated_ = true;\n    return request;\n", "",
        ["sqlite/append-full"]),
    Mutation(
        "fsync of written files", "connectors/file/local_store.cc",
        "    const int synced = fsync(fd_);\n", "    const int synced = 0;\n",
        ["parquet/append-full"], "POWER"),
    Mutation(
        "fsync of the folder at a commit", "connectors/sqlite/connection.cc",
        "PRAGMA synchronous = EXTRA", "PRAGMA synchronous = FULL",
        ["sqlite/append-full"], "POWER"),
]


def run(*words, **options):
    return subprocess.run([str(word) for word in words], check=True, **options)


def prepare():
    if not TREE.exists():
        run("git", "-C", ROOT, "worktree", "add", "--detach", TREE, "HEAD")
        run("cmake", "--preset", "release", cwd=TREE, stdout=subprocess.DEVNULL)
    build()


def build():
    run("ninja", "-C", TREE / "build/release", "-j2", "dxtd", "dxtctl", "dxt_faults_shim",
        stdout=subprocess.DEVNULL)


def shoot(mutation, arguments):
    """The last lines of a run of the faults, and whether it failed as it must."""
    binaries = TREE / "build/release/bin"
    libraries = run("ldd", binaries / "dxtd", capture_output=True, text=True).stdout
    duckdb = next(line.split()[2] for line in libraries.splitlines() if "libduckdb" in line)
    words = [sys.executable, "-B", TREE / "tests/faults/faults.py", "--bin", binaries, "--shim",
             TREE / "build/release/tests/dxt_faults_shim.so", "--duckdb", duckdb,
             "--kills", arguments.kills, "--seed", arguments.seed,
             "--signal", mutation.signal]
    for cell in mutation.cells:
        words += ["--cell", cell]
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True,
                          check=False)
    return done.returncode != 0 and "FAILED" in done.stdout, done.stdout.splitlines()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", help="the mutation of that name")
    parser.add_argument("--kills", default=40)
    parser.add_argument("--seed", default=1)
    arguments = parser.parse_args()
    prepare()
    passed = failed = 0
    for mutation in MUTATIONS:
        if arguments.only and arguments.only != mutation.name:
            continue
        path = TREE / mutation.file
        text = path.read_text()
        if text.count(mutation.safeguard) != 1:
            print(f"{mutation.name}: {mutation.file} no longer has the safeguard's text")
            failed += 1
            continue
        try:
            path.write_text(text.replace(mutation.safeguard, mutation.without))
            build()
            red, lines = shoot(mutation, arguments)
        finally:
            path.write_text(text)
        found = next((line.strip() for line in lines if line.startswith("    ")), "nothing")
        print(f"{'red' if red else 'STILL GREEN'}  without {mutation.name}: {found}",
              flush=True)
        passed, failed = passed + red, failed + (not red)
    print(f"{passed} passed, {failed} failed")
    return 0 if failed == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
