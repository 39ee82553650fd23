#!/usr/bin/env python3
"""Writes the table of docs/reference/dxtd.md from the options that dxtd has.

    generate_dxtd.py DXTD            writes the page beside this script
    generate_dxtd.py DXTD --check    fails when the page differs
"""
import pathlib
import subprocess
import sys

PAGE = pathlib.Path(__file__).with_name("dxtd.md")
BEGIN = "<!-- Written by docs/reference/generate_dxtd.py; do not edit. -->\n"
END = "<!-- End of what is written. -->\n"


def main():
    table = subprocess.run([sys.argv[1], "--print-reference"], check=True, capture_output=True,
                           text=True).stdout
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    wanted = before + BEGIN + "\n" + table + "\n" + END + after
    if "--check" not in sys.argv[2:]:
        PAGE.write_text(wanted, encoding="utf-8")
        return 0
    if page != wanted:
        print(f"{PAGE.name} is not what dxtd says: run docs/reference/generate_dxtd.py DXTD")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
