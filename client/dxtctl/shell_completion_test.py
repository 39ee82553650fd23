#!/usr/bin/env python3
"""Completes command lines of dxtctl in a real shell: verbs, options, files, and the names that a real dxtd holds.

    shell_completion_test.py bash|zsh|fish DXTCTL DXTD

Ends with 77 where the shell is not installed.
"""
import os
import pathlib
import pty
import select
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time

LIMIT = 120  # Seconds that anything may take.
SHELL, DXTCTL, DXTD = sys.argv[1], os.path.realpath(sys.argv[2]), os.path.realpath(sys.argv[3])

PIPELINE = """version: 1
name: {name}
source: {{type: sqlite, path: {folder}/shop.db}}
target: {{type: sqlite, path: {folder}/{name}.db}}
streams:
  - {{id: customers, source: customers, target: customers, load: {{mode: replace, allow_empty: true}}}}
  - {{id: items, source: items, target: items, load: {{mode: replace, allow_empty: true}}}}
"""

# What is typed before TAB -> what the line must become; each has one candidate.
LINES = [
    ("dxtctl pipel", "dxtctl pipelines "),
    ("dxtctl runs li", "dxtctl runs list "),
    ("dxtctl help schedules trig", "dxtctl help schedules trigger "),
    ("dxtctl pipelines list --all-p", "dxtctl pipelines list --all-projects "),
    ("dxtctl pipelines list -o ya", "dxtctl pipelines list -o yaml "),
    ("dxtctl pipelines describe ord", "dxtctl pipelines describe orders "),
    ("dxtctl submit rev", "dxtctl submit revenue "),
    ("dxtctl schedules get nigh", "dxtctl schedules get nightly "),
    ("dxtctl runs get {run_begins}", "dxtctl runs get {run} "),
    ("dxtctl context use stag", "dxtctl context use staging "),
    ("dxtctl submit orders --select cust", "dxtctl submit orders --select customers "),
    ("dxtctl runs logs {run} --stream it", "dxtctl runs logs {run} --stream items "),
    ("dxtctl state reset pipelines/orders.yaml cust", "dxtctl state reset pipelines/orders.yaml customers "),
    ("dxtctl run pipelines/rev", "dxtctl run pipelines/revenue.yaml "),
]


def say(*words, **environment):
    """What dxtctl prints."""
    ran = subprocess.run([DXTCTL, *words], capture_output=True, text=True, timeout=LIMIT, check=False,
                         env={**os.environ, **environment})
    if ran.returncode:
        sys.exit(f"dxtctl {' '.join(words)} ended with {ran.returncode}: {ran.stderr}")
    return ran.stdout.strip()


class Terminal:
    """An interactive shell on a terminal of its own, whose dxtctl tells its arguments."""

    def __init__(self, command, environment, cwd):
        self.child, self.side = pty.fork()
        if self.child == 0:
            os.chdir(cwd)
            os.execvpe(command[0], command, environment)
        self.seen = ""

    def type(self, text):
        os.write(self.side, text.encode())

    def wait_for(self, text):
        end = time.monotonic() + LIMIT
        while text not in self.seen:
            if time.monotonic() > end or not select.select([self.side], [], [], LIMIT)[0]:
                sys.exit(f"waited in vain for {text!r} in:\n{self.seen}")
            try:
                self.seen += os.read(self.side, 65536).decode(errors="replace")
            except OSError:
                sys.exit(f"the shell ended before {text!r}:\n{self.seen}")
        self.seen = self.seen.split(text, 1)[1]

    def close(self):
        os.close(self.side)
        os.waitpid(self.child, 0)


def start_up(folder):
    """The command of a shell without anybody's settings, which knows the completion as the package installs it."""
    script = subprocess.run([DXTCTL, "completion", SHELL], capture_output=True, text=True, check=True).stdout
    if SHELL == "bash":
        (folder / "rc").write_text(f"PS1='READY>'\nbind 'set enable-bracketed-paste off'\n{script}")
        return ["bash", "--rcfile", str(folder / "rc"), "--noprofile", "-i"]
    if SHELL == "zsh":
        (folder / "_dxtctl").write_text(script)
        (folder / ".zshrc").write_text(f"PS1='READY>'\nunset zle_bracketed_paste\nfpath=({folder} $fpath)\n"
                                       "autoload -Uz compinit && compinit -u -D\n")
        return ["zsh", "-d", "-i"]
    completions = folder / "fish" / "completions"
    completions.mkdir(parents=True)
    (completions / "dxtctl.fish").write_text(script)
    return ["fish"]


def complete_on_terminal(command, environment, folder, lines):
    """Types each line, TAB and Enter, and reads the arguments that dxtctl was then called with."""
    told = folder / "told"
    terminal = Terminal(command, environment, folder)
    terminal.wait_for("READY>")
    for typed, wanted in lines:
        told.unlink(missing_ok=True)
        # A shell completes before it reads on.
        terminal.type(typed + "\t\n")
        terminal.wait_for("READY>")
        got = told.read_text() if told.exists() else "nothing"
        check(typed, wanted, "dxtctl " + got.rstrip("\n") + " ")
    terminal.type("exit\n")
    terminal.close()


def complete_by_fish(environment, folder, lines):
    for typed, wanted in lines:
        ran = subprocess.run(["fish", "-c", f"complete -C '{typed}'"], capture_output=True, text=True, check=False,
                             cwd=folder, env=environment, timeout=LIMIT)
        found = [line.split("\t")[0] for line in ran.stdout.splitlines()]
        got = " ".join([*typed.split()[:-1], *found]) + " " if len(found) == 1 else str(found) + ran.stderr
        check(typed, wanted, got)


def check(typed, wanted, got):
    if got != wanted:
        sys.exit(f"{SHELL}: {typed!r} TAB became {got!r}, not {wanted!r}")
    print(f"{typed} TAB -> {wanted}")


def main():
    if shutil.which(SHELL) is None:
        print(f"skipped: {SHELL} is not installed (deploy/deps/bootstrap --test installs it)")
        sys.exit(77)
    with tempfile.TemporaryDirectory(prefix="dxt-completion-") as name:
        folder = pathlib.Path(name)
        os.environ.update(HOME=name, XDG_CONFIG_HOME=name, XDG_RUNTIME_DIR=name, NO_COLOR="1",
                          DXT_SERVER=f"unix:{folder}/dxtd.sock")
        with sqlite3.connect(folder / "shop.db") as shop:
            for table in ("customers", "items"):
                shop.execute(f"CREATE TABLE {table} (id INTEGER)")
        (folder / "pipelines").mkdir()
        for pipeline in ("orders", "revenue"):
            (folder / "pipelines" / f"{pipeline}.yaml").write_text(PIPELINE.format(name=pipeline, folder=folder))
        (folder / "dxtd.yaml").write_text(f"state_dir: {folder}/state\nlisten: [unix:{folder}/dxtd.sock]\n"
                                          f"files: {{roots: [{folder}]}}\n")
        with open(folder / "dxtd.log", "wb") as log:
            daemon = subprocess.Popen([DXTD, "--config", str(folder / "dxtd.yaml")], stderr=log)
        try:
            end = time.monotonic() + LIMIT
            while not (folder / "dxtd.sock").exists():
                if time.monotonic() > end or daemon.poll() is not None:
                    sys.exit("dxtd does not start: " + (folder / "dxtd.log").read_text())
                time.sleep(0.05)
            say("pipelines", "apply", "-f", str(folder / "pipelines"))
            say("schedules", "create", "nightly", "--pipeline", "orders", "--cron", "0 3 * * *")
            say("context", "set", "staging", "--server", "unix:/run/staging.sock")
            run = say("submit", "orders", "--wait", "-o", "name").split("/")[-1]

            # The shell's dxtctl tells what it was called with, but answers completions itself.
            programs = folder / "bin"
            programs.mkdir()
            (programs / "dxtctl").write_text(
                f'#!/bin/sh\nif [ "$1" = __complete ]; then exec "{DXTCTL}" "$@"; fi\necho "$*" >"{folder}/told"\n')
            (programs / "dxtctl").chmod(0o755)
            environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "ZDOTDIR": name, "TERM": "dumb",
                           "LANG": "C.UTF-8"}
            names = {"run": run, "run_begins": run[:-3]}
            lines = [(typed.format(**names), wanted.format(**names)) for typed, wanted in LINES]
            command = start_up(folder)
            if SHELL == "fish":
                complete_by_fish(environment, folder, lines)
            else:
                complete_on_terminal(command, environment, folder, lines)
        finally:
            daemon.terminate()
            daemon.wait(timeout=LIMIT)


if __name__ == "__main__":
    main()
