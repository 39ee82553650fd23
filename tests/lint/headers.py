#!/usr/bin/env python3
"""Proves that each header compiles alone: headers.py ROOT BUILD_DIR [FOLDER…]

Takes a header's flags from the .cc file of its folder that has most of them in compile_commands.json, without the
precompiled header, and stops after the syntax. Folders whose sources are not part of the build are left out.
"""
import concurrent.futures
import json
import os
import shlex
import subprocess
import sys

from layering import files_of, is_test, TOP


def flags_by_folder(root, build):
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
        commands = json.load(file)
    flags = {}
    for entry in commands:
        folder = os.path.dirname(os.path.relpath(entry["file"], root))
        if "/CMakeFiles/" in entry["file"]:  # Sources that were merged: the folder of their CMakeLists.txt.
            folder = os.path.relpath(entry["file"].split("/CMakeFiles/")[0], build)
        words = shlex.split(entry["command"])
        kept = []
        skip = False
        for word in words:
            if skip:
                skip = False
                if "cmake_pch" not in word:
                    kept[-1:] = [kept[-1], word]
                else:
                    kept.pop()
                continue
            if word.startswith(("-D", "-std", "-I")) and "cmake_pch" not in word:
                kept.append(word)
            elif word == "-isystem":
                kept.append(word)
                skip = True
        if folder not in flags or len(kept) > len(flags[folder][1]):
            flags[folder] = (entry["directory"], kept)
    return flags


def nearest(folder, flags):
    """The folder itself or the closest one above it that has flags; "" if none has."""
    while folder and folder not in flags:
        folder = os.path.dirname(folder)
    return folder


def compiles(root, path, directory, flags):
    done = subprocess.run(
        ["c++", "-fsyntax-only", "-x", "c++", *flags, os.path.join(root, path)],
        cwd=directory, capture_output=True, text=True, check=False)
    errors = [line for line in done.stderr.splitlines() if "error:" in line]
    return path, done.returncode, errors[:3]


def main():
    root, build, only = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2]), tuple(sys.argv[3:])
    flags = flags_by_folder(root, build)
    headers = [path for path in files_of(root)
               if path.endswith(".h") and path.split("/")[0] in TOP and not is_test(path)
               and (not only or path.startswith(only)) and nearest(os.path.dirname(path), flags)]
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        for path, code, errors in pool.map(lambda h: compiles(root, h, *flags[nearest(os.path.dirname(h), flags)]), headers):
            if code != 0:
                failed += 1
                print(path, *errors, sep="\n  ")
    print(f"{len(headers)} headers, {failed} do not compile alone")
    return 1 if failed or not headers else 0


if __name__ == "__main__":
    sys.exit(main())
