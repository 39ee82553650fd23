#!/usr/bin/env python3
"""Does what pages of the documentation say, and holds what they show to what comes of it.

    run_pages.py BIN_FOLDER PAGE...

The pages are done one after the other in one folder, by bash, with the programs of BIN_FOLDER in PATH. Of each page

  ```sh            is done as it stands,
  ```console       each line after `$ ` is done; the lines below it must be among what it says,
  <!-- first: … -->  is shell that readers do not see, for what a page takes for granted,
  <!-- not run -->   leaves the next block out.

Blanks, times, durations, ids and byte counts may differ; `…` stands for anything.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

LIMIT = 120  # Seconds that one command may take.
BLOCK = re.compile(r"<!-- first:\n(?P<hidden>.*?)-->|(?P<left_out><!-- not run -->\n)?"
                   r"^```(?P<kind>sh|console)\n(?P<text>.*?)^```$", re.S | re.M)
DIFFERS = [
    (re.compile(r"\b\d+(\.\d+)?( ms|s)\b"), "TIME"),
    (re.compile(r"\b[0-9A-HJKMNP-TV-Z]{26}\b"), "ID"),
    (re.compile(r"\b20\d\d-\d\d-\d\dT[\d:.]+Z"), "NOW"),
    (re.compile(r"\b\d+(\.\d+)? [kM]?B\b"), "BYTES"),
    (re.compile(r"(→|\.) ?$"), ""),
    (re.compile(r"\s+"), " "),
]


def plain(line):
    for pattern, instead in DIFFERS:
        line = pattern.sub(instead, line)
    return line.strip()


def pattern_of(line):
    return re.compile(".*".join(re.escape(part.strip()) for part in plain(line).split("…")))


def commands(text):
    """Pairs of a command and the lines that are shown below it."""
    found = []
    for line in text.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif found and line.strip():
            found[-1][1].append(line)
    return found


class Shell:
    """One bash for all pages, so that `cd` and variables last."""

    def __init__(self, folder, bin_folder):
        environment = {"PATH": f"{bin_folder}:{os.environ['PATH']}", "HOME": str(folder), "LANG": "C.UTF-8",
                       "NO_COLOR": "1", "XDG_RUNTIME_DIR": str(folder / "runtime")}
        (folder / "runtime").mkdir(mode=0o700)
        self.folder, self.said = folder, folder / "said"
        self.process = subprocess.Popen(["bash", "--noprofile", "--norc"], stdin=subprocess.PIPE, text=True,
                                        stdout=subprocess.PIPE, cwd=folder, env=environment)

    def do(self, command):
        """What it says on stdout and stderr, and its exit code."""
        self.process.stdin.write(f"{{ {command}\n}} >{self.said} 2>&1 </dev/null; echo $?\n")
        self.process.stdin.flush()
        code = self.process.stdout.readline().strip()
        # Where the test stands is of no interest.
        return re.sub(re.escape(str(self.folder)) + r"/(shop/)?", "", self.said.read_text(errors="replace")), code

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=LIMIT)


def missing(shown, said):
    """The first shown line that is not said; None when all are. A long line may be shown on several."""
    if pattern_of(" ".join(shown)).search(plain(said)):
        return None
    lines = [plain(line) for line in said.splitlines()]
    for line in shown:
        found = next((candidate for candidate in lines if pattern_of(line).fullmatch(candidate)), None)
        if found is None and plain(line) not in ("…", "^C"):
            return line
        if found is not None:
            lines.remove(found)
    return None


def run_page(shell, page):
    done = problems = 0
    for block in BLOCK.finditer(page.read_text(encoding="utf-8")):
        if block["left_out"]:
            continue
        if block["hidden"] or block["kind"] == "sh":
            said, code = shell.do(block["hidden"] or block["text"])
            if code != "0":
                problems += 1
                print(f"{page.name}: a block ends with {code}: {said}")
            continue
        for command, shown in commands(block["text"]):
            said, code = shell.do(command)
            done += 1
            absent = missing(shown, said)
            # A page that shows an error expects one.
            failed = code != "0" and not any("rror" in line for line in shown)
            if absent is not None or failed:
                problems += 1
                print(f"{page.name}: $ {command}\n  ends with {code} and says:\n    " +
                      "\n    ".join(said.splitlines()) + (f"\n  not: {absent}" if absent else ""))
    print(f"{page.name}: {done} commands, {problems} problems")
    return problems


def main():
    bin_folder = os.path.realpath(sys.argv[1])
    with tempfile.TemporaryDirectory(prefix="dxt-pages-") as name:
        shell = Shell(pathlib.Path(name), bin_folder)
        problems = sum(run_page(shell, pathlib.Path(page).resolve()) for page in sys.argv[2:])
        shell.close()
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
