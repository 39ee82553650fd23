#!/usr/bin/env python3
"""Keeps what the faults and the models have shown, and writes it into docs/explanation/guarantees.md.

    tests/faults/guarantees.py RESULTS.json ...    # of ./dev faults --json or mutations.py --json
    tests/faults/guarantees.py                     # the page anew, of what is kept
    tests/faults/guarantees.py --check             # does the page say what is kept, of every cell?

The newest results of each kind are kept, in short, in results.json beside this file.
"""

import collections
import json
import pathlib
import re
import subprocess
import sys

import trace

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "docs/explanation/guarantees.md"
KEPT = ROOT / "tests/faults/results.json"
BEGIN = "<!-- shown: begin (tests/faults/guarantees.py) -->"
END = "<!-- shown: end -->"

TARGETS = {"postgres": "PostgreSQL", "sqlite": "SQLite", "duckdb": "DuckDB",
           "parquet": "Parquet folder", "splits": "PostgreSQL, several readers"}
HOLDS = {
    "append": "each row once",
    "replace": "the old rows or the new",
    "upsert": "each key once, its latest row",
    "mirror-full": "the source's rows, or the old",
    "mirror-soft": "the source's rows; what has gone is marked",
    "mirror-tracked": "the source's rows, and all of others'",
    "scd2": "each version once, from its load to the one that ends it",
    "insert_only": "each key once, its first row",
    "delete_insert": "each group as it came last",
    "append-backfill": "each row of the ranges once; the regular watermark as it was",
    "upsert-backfill": "each key of the ranges once; the regular watermark as it was",
    "append-letters": "each row once, in the target or among the dead letters",
    "upsert-letters": "each key once, in the target or among the dead letters",
}
SIGNALS = {"KILL": "killed", "TERM": "terminated", "POWER": "power lost",
           "TEAR": "power lost, writes torn"}


def holds(mode):
    return HOLDS.get(mode) or HOLDS[mode.split("-")[0]]


def shortened(results):
    """(what kind of results they are, what is kept of them)."""
    if results["schema"].startswith("dxt.mutations/"):
        return "mutations", results
    cells = {}
    for cell, kills in results["cells"].items():
        if kills:
            cells[cell] = {
                "faults": dict(collections.Counter(kill["phase"] for kill in kills)),
                "wrong": sum(bool(kill["problems"]) for kill in kills)}
    kept = {name: value for name, value in results.items() if name != "cells"}
    return results["signal"], {**kept, "cells": cells}


def own_faults(result, cell):
    """By what was done: how often. Kills are not told apart by phase here."""
    faults = collections.Counter()
    for phase, times in result["cells"].get(cell, {}).get("faults", {}).items():
        faults[SIGNALS[result["signal"]] if phase in trace.PHASES else phase] += times
    return faults


def rows_of(results):
    """One line for each target and mode, with all cells that are about it."""
    lines = ["| target | mode | what holds | faults | wrong | cells |", "|---|---|---|---|---|---|"]
    named = {cell for result in results for cell in result["cells"]}
    for target, name in TARGETS.items():
        # In the order in which the cells are listed everywhere.
        own = dict.fromkeys(cell.split("/")[1] for result in results for cell in result["cells"]
                            if cell.split("/")[0] == target)
        for mode in own:
            cells = [f"{family}{target}/{mode}" for family in ("", "stopped-", "disk-")]
            if target == "postgres":
                cells += [f"{family}/{mode}" for family in ("network", "silent", "two-daemons")]
            cells = [cell for cell in cells if cell in named]
            faults, wrong = collections.Counter(), 0
            for result in results:
                for cell in cells:
                    faults += own_faults(result, cell)
                    wrong += result["cells"].get(cell, {}).get("wrong", 0)
            counted = ", ".join(f"{what} {times}" for what, times in faults.items())
            lines.append(f"| {name} | `{mode}` | {holds(mode)} | {counted} | {wrong} | "
                         f"{', '.join(f'`{cell}`' for cell in cells)} |")
    return lines


def totals(result):
    phases = result["phases"]
    kills = ", ".join(f"{phase} {phases[phase]}" for phase in trace.PHASES if phase in phases)
    others = ", ".join(f"{phase} {times}" for phase, times in sorted(phases.items())
                       if phase not in trace.PHASES)
    lines = [f"- {SIGNALS[result['signal']]}: {result['kills']} kills in {len(result['cells'])} "
             f"cells, at {result['pairs']} pairs of phase and call site ({kills})"
             + (f"; {result['other_faults']} other faults ({others})" if others else "")
             + f"; {result['lost']} rows lost, {result['doubled']} doubled; "
             f"{result['seconds']:.0f} s, {result['processor_seconds']:.0f} s of processors, load "
             f"{result['load']}, seed {result['seed']}"]
    lines += [f"  - `{cell}` has broken off" for cell in result["broken_off"]]
    lines += [f"  - `{cell}` was not reached in that time" for cell in result["not_reached"]]
    lines += [f"  - too few: {what}" for what in result.get("short", [])]
    return lines


def mutations(results):
    lines = ["| taken away | must turn | what did |", "|---|---|---|"]
    for mutation in results["mutations"]:
        verdict = "" if mutation["as_expected"] else " **(it did not)**"
        lines.append(f"| {mutation['name']} | {mutation['expected']}{verdict} | "
                     f"{mutation['shown_by']} |")
    return lines


def models():
    told = subprocess.run([sys.executable, "-B", ROOT / "tests/models/load_protocol.py"],
                          capture_output=True, text=True, check=True).stdout
    lines = ["| the protocol with | every interleaving | states |", "|---|---|---|"]
    for name, verdict, states in re.findall(r"^ok +(.*): ([^:(]*) \((\d+) states", told, re.M):
        lines.append(f"| {name} | {verdict} | {states} |")
    return lines


def every_cell():
    import faults  # pylint: disable=import-outside-toplevel,cyclic-import
    return [f"{target}/{mode}" for target, kind in faults.TARGETS.items() for mode in kind.modes]


def page_of(kept):
    """The page's text, with what is shown written anew."""
    results = [kept[signal] for signal in SIGNALS if signal in kept]
    block = [BEGIN, ""]
    for result in results:
        block += totals(result)
    missing = [f"`{cell}`" for cell in every_cell()
               if not any(cell in result["cells"] for result in results)]
    if missing:
        block += [f"- without results: {', '.join(missing)}"]
    block += ["", *rows_of(results), ""]
    if "mutations" in kept:
        block += ["With safeguards taken away ([mutations.py](../../tests/faults/mutations.py)):", "",
                  *mutations(kept["mutations"]), ""]
    block += ["And of the protocol's [models](../../tests/models/README.md), explored whole:", "",
              *models(), "", END]
    before, rest = PAGE.read_text().split(BEGIN)
    return before + "\n".join(block) + rest.split(END)[1]


def add(every_results):
    """Keeps these results in place of older ones of their kind, and writes the page."""
    kept = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    kept.update(map(shortened, every_results))
    KEPT.write_text(json.dumps(kept, indent=1) + "\n")
    PAGE.write_text(page_of(kept))


def check():
    """The page says what is kept, and so names every cell that there is."""
    if page_of(json.loads(KEPT.read_text())) == PAGE.read_text():
        return 0
    print(f"{PAGE.name} does not say what results.json holds, or which cells there are: run "
          "tests/faults/guarantees.py")
    return 1


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        sys.exit(check())
    add([json.loads(pathlib.Path(path).read_text()) for path in sys.argv[1:]])
