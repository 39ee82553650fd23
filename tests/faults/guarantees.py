#!/usr/bin/env python3
"""Writes what ./dev faults and the models have shown into docs/explanation/guarantees.md.

    tests/faults/guarantees.py RESULTS.json ...    # of ./dev faults --json, with several signals
    tests/faults/guarantees.py --check             # does the page name the cells that there are?
"""

import collections
import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "docs/explanation/guarantees.md"
BEGIN = "<!-- shown: begin (tests/faults/guarantees.py) -->"
END = "<!-- shown: end -->"

TARGETS = {"postgres": "PostgreSQL", "sqlite": "SQLite", "duckdb": "DuckDB",
           "parquet": "Parquet folder"}
HOLDS = {
    "append": "each row once",
    "replace": "the old rows or the new",
    "upsert": "each key once, its latest row",
    "mirror-full": "the source's rows, or the old",
    "mirror-soft": "the source's rows; what has gone is marked",
    "mirror-tracked": "the source's rows, and all of others'",
    "insert_only": "each key once, its first row",
    "delete_insert": "each group as it came last",
}
SIGNALS = {"KILL": "killed", "TERM": "terminated", "POWER": "power lost",
           "TEAR": "power lost, writes torn"}


def holds(mode):
    return HOLDS.get(mode) or HOLDS[mode.split("-")[0]]


def count_faults(results):
    """By cell: how often what was done to it, and how often something was wrong."""
    done, wrong = collections.defaultdict(collections.Counter), collections.Counter()
    for result in results:
        for cell, kills in result["cells"].items():
            for kill in kills:
                other = cell.split("/")[0] not in TARGETS
                what = kill["phase"] if other else SIGNALS[result["signal"]]
                done[cell][what] += 1
                wrong[cell] += bool(kill["problems"])
    return done, wrong


def rows_of(done, wrong):
    """One line for each target and mode, with all cells that are about it."""
    lines = ["| target | mode | what holds | faults | wrong | cells |", "|---|---|---|---|---|---|"]
    for target, name in TARGETS.items():
        own = [cell.split("/")[1] for cell in done if cell.split("/")[0] == target]
        for mode in own:
            cells = [f"{target}/{mode}", f"stopped-{target}/{mode}"]
            if target == "postgres":
                cells += [f"network/{mode}", f"silent/{mode}"]
            cells = [cell for cell in cells if cell in done]
            faults = collections.Counter()
            for cell in cells:
                faults += done[cell]
            counted = ", ".join(f"{what} {times}" for what, times in faults.items())
            named = ", ".join(f"`{cell}`" for cell in cells)
            lines.append(f"| {name} | `{mode}` | {holds(mode)} | {counted} | "
                         f"{sum(wrong[cell] for cell in cells)} | {named} |")
    return lines


def totals(results):
    lines = []
    for result in results:
        others = f" and {result['other_faults']} other faults" if result["other_faults"] else ""
        phases = {name: times for name, times in result["phases"].items() if times}
        lines.append(
            f"- {SIGNALS[result['signal']] if result['kills'] else 'other faults'}: "
            f"{result['kills']} kills{others} in {sum(map(bool, result['cells'].values()))} cells, "
            f"at {result['pairs']} pairs of phase and call site "
            f"({', '.join(f'{name} {times}' for name, times in sorted(phases.items()))}); "
            f"{result['lost']} rows lost, {result['doubled']} doubled; {result['seconds']:.0f} s, "
            f"seed {result['seed']}"
            + "".join(f"; `{cell}` has broken off" for cell in result["broken_off"]))
    return lines


def models():
    told = subprocess.run([sys.executable, "-B", ROOT / "tests/models/load_protocol.py"],
                          capture_output=True, text=True, check=True).stdout
    lines = ["| the protocol with | every interleaving | states |", "|---|---|---|"]
    for name, verdict, states in re.findall(r"^ok +(.*): ([^:(]*) \((\d+) states", told, re.M):
        lines.append(f"| {name} | {verdict} | {states} |")
    return lines


def write(paths):
    results = [json.loads(pathlib.Path(path).read_text()) for path in paths]
    done, wrong = count_faults(results)
    block = [BEGIN, "", *totals(results), "", *rows_of(done, wrong), "",
             "And of the protocol's [models](../../tests/models/README.md), explored whole:", "",
             *models(), "", END]
    text = PAGE.read_text()
    before, rest = text.split(BEGIN)
    PAGE.write_text(before + "\n".join(block) + rest.split(END)[1])


def check():
    """The page names no cell that is not there, and each cell that is killed."""
    import faults  # pylint: disable=import-outside-toplevel
    there = {f"{target}/{mode}" for target, kind in faults.TARGETS.items() for mode in kind.modes}
    families = "|".join(faults.TARGETS)
    named = set(re.findall(rf"`((?:{families})/[\w-]+)`", PAGE.read_text()))
    problems = [f"{PAGE.name} names {cell}, which is no cell" for cell in sorted(named - there)]
    problems += [f"{PAGE.name} does not name {cell}" for cell in sorted(there - named)
                 if cell.split("/")[0] in TARGETS]
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(check() if sys.argv[1] == "--check" else write(sys.argv[1:]))
