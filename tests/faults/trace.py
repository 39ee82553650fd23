"""Reads what the shim wrote: which call, in which phase of a run, from which place of the program."""

import bisect
import re
import subprocess

PHASES = ["extract", "write", "finish", "commit sent", "commit answered", "journal", "release",
          "recovery"]


class Symbols:
    """The functions of one program, by address."""

    def __init__(self, program):
        listed = subprocess.run(["nm", "-nC", "--defined-only", str(program)], check=True,
                                capture_output=True, text=True).stdout
        self.addresses, self.names = [], []
        for line in listed.splitlines():
            parts = line.split(" ", 2)
            if len(parts) == 3 and parts[1] in "tTwW":
                self.addresses.append(int(parts[0], 16))
                self.names.append(self._short(parts[2]))

    @staticmethod
    def _short(name):
        name = name.replace("(anonymous namespace)::", "").split("(")[0].split("[abi:")[0]
        return name.rsplit(" ", 1)[-1].removeprefix("dxt::")

    def name(self, address):
        # A frame is a return address: the call itself stands before it.
        at = bisect.bisect_right(self.addresses, address - 1) - 1
        return self.names[at] if at >= 0 else "?"


class Call:
    """One counted call."""

    def __init__(self, line, symbols):
        number, self.kind, self.name, self.detail, frames = line.split("\t")
        self.number = int(number)
        self.stack = [symbols.name(int(frame, 16)) for frame in frames.split()]
        self.phase = ""

    def within(self, *functions):
        return any(re.search(function, frame) for frame in self.stack for function in functions)

    @property
    def site(self):
        """What tells two places apart: what is touched, how, and on whose behalf."""
        mine = [frame for frame in self.stack if not frame.startswith(("std::", "_", "?"))]
        # Names differ from run to run only in ids and numbers.
        detail = re.sub(r"[0-9A-Z]{26}|\d+", "#", self.detail.split(" ")[0][:24])
        return " ".join([self.kind, self.name, detail if self.kind != "state" else "",
                         *mine[:4]])


def read(path, symbols):
    """The calls of one process in the order of their numbers, each with its phase."""
    if not path.exists():
        return []
    lines = [line for line in path.read_text(errors="replace").splitlines()
             if line.count("\t") == 4]
    calls = sorted((Call(line, symbols) for line in lines), key=lambda call: call.number)
    committed, synced = False, 0
    for call in calls:
        call.phase = _phase(call, committed, synced)
        if call.phase in ("commit sent", "commit answered"):
            committed, synced = True, 0
        if committed and call.kind == "state" and call.name == "fdatasync":
            synced += 1
    return calls


def _phase(call, committed, synced):
    if call.kind == "state":
        # The store's writer thread serves the run: after the commit it saves the checkpoint
        # and clears the intent first, and then ends the run.
        if not committed:
            return "journal"
        return "journal" if synced < 2 and call.within("WriteUntilStopped") else "release"
    if call.kind == "buffer":
        if call.within("PackageStore::Release", "PackageStore::Sweep"):
            return "release"
        return "extract" if call.within("ExtractPackage") else "write"
    if call.within("Loader::Commit"):
        if call.name == "recv":
            return "commit answered"
        if call.detail == "COMMIT" or call.within("Connection::Commit", "Ledger::Insert",
                                                  "LocalStore::Exchange"):
            return "commit sent"
        if call.kind == "target" and call.within("Ledger::Apply"):
            return "commit answered"
        if call.kind == "target" and call.within("DuckdbDestination::Commit"):
            return "commit sent"
        return "commit answered" if committed else "finish"
    if call.within("Loader::"):
        return "write"
    return "release" if committed else "write"


def reached_target(calls):
    """Did a byte reach the target?"""
    return any(call.kind in ("target", "postgres") for call in calls)
