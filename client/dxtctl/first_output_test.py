#!/usr/bin/env python3
"""On a terminal dxtctl says something within 100 ms, before its dxtd has begun to start, and nothing of it is left on
the line.

A cold start is as slow as the machine is busy. How busy it is, `dxtctl --version` tells, which starts the same program
in the same way at the same moment and does nothing else: where that takes long, a first output may take four times that.

    first_output_test.py DXTCTL DXTD
"""
import os
import pathlib
import pty
import select
import shutil
import statistics
import sys
import tempfile
import time

LIMIT = 60  # Seconds that anything may take.
PROMISE = 0.1  # Seconds until the first output.
TIMES_VERSION = 4
PAIRS = 7
DXTCTL, DXTD = (os.path.realpath(path) for path in sys.argv[1:3])

# Stands where dxtd should, and becomes it, or ends, when it is told so through the pipe.
GATE = """#!/bin/sh
read -r word <{folder}/gate
[ "$word" = go ] && exec {dxtd} "$@"
exit 1
"""
PIPELINE = """source: {{connection: "file:{folder}"}}
target: {{connection: "sqlite:{folder}/out.db"}}
streams: [{{id: rows, source: in.csv, target: rows, load: {{mode: replace}}}}]
"""


def read(terminal, enough):
    """What appears until there is enough of it, or no more comes."""
    text = b""
    while not enough(text):
        if not select.select([terminal], [], [], LIMIT)[0]:
            sys.exit(f"nothing more came after {text!r}")
        try:
            more = os.read(terminal, 4096)
        except OSError:
            break
        if not more:
            break
        text += more
    return text.decode()


class Started:
    """dxtctl on a terminal of its own, in `folder`; `first_s` = until the first of its output, `first`."""

    def __init__(self, folder, *words):
        began = time.monotonic()
        self.child, self.terminal = pty.fork()
        if self.child == 0:
            os.chdir(folder)
            place = str(folder)
            environment = {**os.environ, "TERM": "xterm", "XDG_RUNTIME_DIR": place, "XDG_STATE_HOME": place}
            os.execve(folder / "dxtctl", ["dxtctl", *words], environment)
        self.first = read(self.terminal, lambda text: b"\r" in text)
        self.first_s = time.monotonic() - began

    def end(self):
        rest = read(self.terminal, lambda _: False)
        code = os.waitstatus_to_exitcode(os.waitpid(self.child, 0)[1])
        os.close(self.terminal)
        return code, rest


def check_time(folder):
    """Medians of pairs, in turns, so that both see the same machine."""
    runs, versions = [], []
    for _ in range(PAIRS):
        version = Started(folder, "--version")
        version.end()
        run = Started(folder, "run", "rows.yaml")
        (folder / "gate").write_text("end\n")
        code, _ = run.end()
        if run.first != "Starting…\r" or code == 0:
            sys.exit(f"the first that came was {run.first!r}; ended with {code}")
        runs.append(run.first_s)
        versions.append(version.first_s)
    run_s, version_s = statistics.median(runs), statistics.median(versions)
    limit = max(PROMISE, TIMES_VERSION * version_s)
    figures = f"first output after {run_s * 1000:.0f} ms of {limit * 1000:.0f}, --version after {version_s * 1000:.0f} ms"
    print(figures, f"(load {os.getloadavg()[0]:.1f})")
    if run_s > limit:
        sys.exit("too late: " + figures)


def main():
    with tempfile.TemporaryDirectory(prefix="dxt-first-") as name:
        folder = pathlib.Path(name)
        os.mkfifo(folder / "gate")
        # dxtd is looked for beside dxtctl first.
        shutil.copy(DXTCTL, folder / "dxtctl")
        (folder / "dxtd").write_text(GATE.format(folder=folder, dxtd=DXTD))
        (folder / "dxtd").chmod(0o755)
        (folder / "in.csv").write_text("id,name\n1,Ada\n")
        (folder / "rows.yaml").write_text(PIPELINE.format(folder=folder))
        check_time(folder)
        run = Started(folder, "run", "rows.yaml")
        if run.first != "Starting…\r":
            sys.exit(f"the first that came was {run.first!r}")
        (folder / "gate").write_text("go\n")
        code, rest = run.end()
        if code != 0 or not rest.startswith("\033[K") or "SUCCEEDED" not in rest:
            sys.exit(f"ended with {code} and {rest!r}")


main()
