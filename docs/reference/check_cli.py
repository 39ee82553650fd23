#!/usr/bin/env python3
"""Fails when docs/reference/cli.md lacks a verb or option that dxtctl's help has, or when
a verb's help does not begin with how it is called, or shows the parser's type names.

    check_cli.py DXTCTL
"""
import pathlib
import re
import subprocess
import sys

PAGE = pathlib.Path(__file__).with_name("cli.md")


def help_of(dxtctl, words):
    return subprocess.run([dxtctl, *words, "--help"], check=True, capture_output=True,
                          text=True).stdout


def verbs_in(text):
    return re.findall(r"^  ([a-z][a-z-]*)  ", text, re.M)


def main():
    dxtctl, page = sys.argv[1], PAGE.read_text(encoding="utf-8")
    todo, missing, unreadable = [[]], [], []
    while todo:
        words = todo.pop()
        text = help_of(dxtctl, words)
        if (not text.startswith(" ".join(["Usage: dxtctl", *words]))
                or re.search(r"\b(TEXT|REQUIRED|UINT|FLOAT)\b|\(\d+x\)|:\{", text)):
            unreadable.append(" ".join(["dxtctl", *words, "--help"]))
        if words and not re.search(rf"\b{' '.join(words)}\b", page):
            missing.append("the verb " + " ".join(words))
        for option in re.findall(r"^ +(?:-\w, )?(--[a-z][a-z-]+)", text, re.M):
            if option not in ("--help", "--version") and not re.search(rf"{option}\b", page):
                missing.append(f"{option} of {' '.join(words) or 'dxtctl'}")
        todo += [words + [verb] for verb in verbs_in(text)]
    for what in sorted(set(missing)):
        print(f"{PAGE.name} lacks {what}")
    for what in unreadable:
        print(f"{what} does not read well")
    return 1 if missing or unreadable else 0


if __name__ == "__main__":
    sys.exit(main())
