"""Cells whose network falls silent: nobody hears of it, no connection breaks, nothing arrives any more."""

import ctypes
import os
import queue
import re
import socket
import subprocess
import threading
import time

import cells
from arena import Arena, Kill
from network import SILENCE, NetworkArena, Proxy
from systems import Skipped

ADDRESS = "10.99.0.1"
LIMIT = 60  # Seconds after which dxt must have noticed.
CLONE_NEWNET = 0x40000000


class Island:
    """A thread in a network namespace of its own, whose one address can be taken away."""

    def __init__(self):
        self.calls = queue.Queue()
        begun = queue.Queue()
        self.thread = threading.Thread(target=self._serve, args=(begun,), daemon=True)
        self.thread.start()
        if begun.get():
            raise Skipped("network namespaces need root")
        self.call(lambda: self._ip("link", "set", "lo", "up"))
        self.call(lambda: self._ip("addr", "add", f"{ADDRESS}/32", "dev", "lo"))

    def _serve(self, begun):
        begun.put(ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET))
        while True:
            call, answer = self.calls.get()
            try:
                answer.put((call(), None))
            except BaseException as error:  # pylint: disable=broad-except
                answer.put((None, error))

    def call(self, function):
        """What that returns; sockets and processes that it makes are of the island."""
        answer = queue.Queue()
        self.calls.put((function, answer))
        result, error = answer.get()
        if error:
            raise error
        return result

    @staticmethod
    def _ip(*words):
        subprocess.run(["ip", *words], check=True, capture_output=True)

    def set_reachable(self, reachable):
        """From any thread, also while a call is going on."""
        namespace = f"/proc/{os.getpid()}/task/{self.thread.native_id}/ns/net"
        subprocess.run(["nsenter", f"--net={namespace}", "ip", "addr",
                        "add" if reachable else "del", f"{ADDRESS}/32", "dev", "lo"],
                       check=True, capture_output=True)


class IslandProxy(Proxy):
    """Listens on the island, and speaks to the server outside of it."""

    def __init__(self, port):
        self.island = Island()
        self.heard = threading.Event()
        super().__init__(port)

    def listen(self):
        return self.island.call(lambda: socket.create_server((ADDRESS, 0)))

    def silence(self):
        """Returns when the test lets the connections go."""
        self.heard.clear()
        self.island.set_reachable(False)
        self.heard.wait()


class SilentArena(NetworkArena):
    """A cell whose network falls silent at the n-th message."""

    actions = list(SILENCE)
    share = 0.1
    waits = True

    def run(self, buffer, strike=None):
        return self.cell.target.proxy.island.call(lambda: Arena.run(self, buffer, strike))

    def shoot(self):
        if not self.plans:
            return False
        start, cut, text = self.plans.popleft()
        proxy = self.cell.target.proxy
        self.cell.reset(start)
        proxy.arm(cut)
        begin = time.monotonic()
        code, _ = self.run("streamed")
        seconds = time.monotonic() - begin
        if len(proxy.messages) < cut.at:
            return False
        proxy.arm(None)
        proxy.island.set_reachable(True)
        site = f"{cut.action} {re.sub('[0-9A-Z]{26}', '#', text)[:50]}"
        kill = Kill(self.cell.name, start, "streamed", str(cut), cut.action, site)
        if seconds > LIMIT:
            kill.problems.append(f"a silent server was noticed after {seconds:.0f} s")
        # The server does not know yet that its client is gone, and holds its locks.
        self._again(code, kill.problems)
        proxy.heard.set()
        verdict = self.cell.compare(self.cell.window(start))
        kill.lost, kill.doubled = verdict.lost, verdict.doubled
        kill.problems += verdict.problems
        self.kills.append(kill)
        return True


class Silent(cells.Postgres):
    """PostgreSQL on the other side of a network that falls silent. One mode waits as long as dxt
    does by itself, the others as long as their URL says.
    """
    name, arena = "silent", SilentArena
    modes = ["append-incremental", "upsert-incremental", "replace-full"]

    def __init__(self, tools, live, mode):
        super().__init__(tools, live, mode)
        self.proxy = IslandProxy(tools.postgres.port)

    def connection(self):
        url = re.sub(r"@[^/]*/", f"@{ADDRESS}:{self.proxy.port}/", self.url)
        url += "?sslmode=disable&gssencmode=disable"
        if self.mode.name != self.modes[0]:
            url += ("&keepalives_idle=2&keepalives_interval=1&keepalives_count=3"
                    "&tcp_user_timeout=5000")
        return {"type": "postgres", "url": url}


TARGETS = {Silent.name: Silent}
