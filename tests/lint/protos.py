#!/usr/bin/env python3
"""Lints the protos with buf, and holds them to the API that was published.

  protos.py BUF ROOT GOOGLEAPIS              lint, and find what would break clients of proto/published.binpb
  protos.py BUF ROOT GOOGLEAPIS --self-test  prove that a broken style and a broken field are found
  protos.py BUF ROOT GOOGLEAPIS --publish    write proto/published.binpb anew, when a version is released
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile


def copy(root, googleapis, into):
    shutil.copytree(root / "proto/dxt", into / "dxt")
    shutil.copy(root / "proto/buf.yaml", into)
    for name in ("api", "rpc"):
        shutil.copytree(googleapis / "google" / name, into / "google" / name)


def buf(program, folder, *arguments):
    environment = {**os.environ, "HOME": str(folder), "BUF_CACHE_DIR": str(folder / ".cache")}
    return subprocess.run([program, *arguments], cwd=folder, env=environment, text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def check(program, folder, published):
    """What buf says is wrong; empty = nothing."""
    said = buf(program, folder, "lint")
    broken = buf(program, folder, "breaking", "--against", str(published))
    return said.stdout * (said.returncode != 0) + broken.stdout * (broken.returncode != 0)


def self_test(program, folder, published):
    proto = folder / "dxt/v1/run_service.proto"
    text = proto.read_text(encoding="utf-8")
    planted = {
        "string document_hash = 10": "string document_hash = 99",
        "bool resumed = 6": "string resumed = 6",
        "  rpc GetRun(": "  rpc get_run(",
        "    CANCELLED = 7;\n": "",
    }
    missed = 0
    for right, wrong in planted.items():
        assert right in text, right
        proto.write_text(text.replace(right, wrong, 1), encoding="utf-8")
        if not check(program, folder, published):
            print("not found:", wrong or "a removed " + right.strip())
            missed += 1
    print(f"self-test: {len(planted)} cases, {missed} failures")
    return 1 if missed else 0


def main():
    program, root, googleapis = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
    published = root / "proto/published.binpb"
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        copy(root, googleapis, folder)
        if "--publish" in sys.argv:
            done = buf(program, folder, "build", "--exclude-source-info", "-o", str(published.resolve()))
            print(done.stdout, end="")
            return done.returncode
        if "--self-test" in sys.argv:
            return self_test(program, folder, published.resolve())
        problems = check(program, folder, published.resolve())
        print(problems, end="")
        return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
