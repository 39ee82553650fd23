"""Commands that scenarios start, and what they write."""

import os
import re
import shlex
import subprocess
import threading
import time

from systems import Failed

LIMIT = 60  # Seconds that any one step may take.


class Output:
    """What a process wrote to one pipe, readable while it runs."""

    def __init__(self, pipe):
        self.text = ""
        self.closed = False
        self.changed = threading.Condition()
        self.thread = threading.Thread(target=self._read, args=(pipe,), daemon=True)
        self.thread.start()

    def _read(self, pipe):
        for chunk in iter(lambda: os.read(pipe.fileno(), 65536), b""):
            with self.changed:
                self.text += chunk.decode(errors="replace")
                self.changed.notify_all()
        with self.changed:
            self.closed = True
            self.changed.notify_all()

    def await_match(self, pattern):
        with self.changed:
            if not self.changed.wait_for(
                lambda: re.search(pattern, self.text, re.M) or self.closed, LIMIT
            ) or not re.search(pattern, self.text, re.M):
                raise Failed(f"never saw /{pattern}/ in:\n{self.text}")


class Process:
    """A command that was started."""

    def __init__(self, words, cwd, env):
        self.words = words
        self.begin = time.monotonic()
        self.child = subprocess.Popen(words, cwd=cwd, env=env, stdin=subprocess.DEVNULL,
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.stdout = Output(self.child.stdout)
        self.stderr = Output(self.child.stderr)

    def wait(self):
        try:
            code = self.child.wait(LIMIT)
        except subprocess.TimeoutExpired:
            self.child.kill()
            raise Failed(f"{shlex.join(self.words)} took longer than {LIMIT} s\n"
                         f"{self.stdout.text}{self.stderr.text}") from None
        self.seconds = time.monotonic() - self.begin
        self.stdout.thread.join(LIMIT)
        self.stderr.thread.join(LIMIT)
        self.child.stdout.close()
        self.child.stderr.close()
        return 128 - code if code < 0 else code
