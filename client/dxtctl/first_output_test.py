#!/usr/bin/env python3
"""On a terminal dxtctl says something before its dxtd has begun to start, and nothing of it is left on the line.

    first_output_test.py DXTCTL DXTD
"""
import os
import pathlib
import pty
import select
import shutil
import sys
import tempfile

LIMIT = 60  # Seconds that anything may take.
DXTCTL, DXTD = (os.path.realpath(path) for path in sys.argv[1:3])

# Stands where dxtd should, and becomes it once there is somebody to write to the pipe.
GATE = """#!/bin/sh
read -r go <{folder}/gate
exec {dxtd} "$@"
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
        child, terminal = pty.fork()
        if child == 0:
            os.chdir(folder)
            environment = {**os.environ, "TERM": "xterm", "XDG_RUNTIME_DIR": name, "XDG_STATE_HOME": name}
            os.execve(folder / "dxtctl", ["dxtctl", "run", "rows.yaml"], environment)
        first = read(terminal, lambda text: b"\r" in text)
        if first != "Starting…\r":
            sys.exit(f"the first that came was {first!r}")
        (folder / "gate").write_text("go\n")
        rest = read(terminal, lambda _: False)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if code != 0 or not rest.startswith("\033[K") or "SUCCEEDED" not in rest:
            sys.exit(f"ended with {code} and {rest!r}")


main()
