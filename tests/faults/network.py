"""A proxy between dxt and PostgreSQL that loses one message, and the cells that go through it."""

import collections
import dataclasses
import re
import socket
import struct
import threading
import time

import cells
from arena import Arena, Kill

# What is done at the n-th message that dxt sends:
ACTIONS = {
    "lost": "the connection breaks before it reaches the server",
    "unanswered": "the server gets it and answers, the connection breaks before the answer is here",
    "late": "the connection breaks, and the server gets it only later",
    "swallowed": "the answer stays out while the connection stands, and then it breaks",
    "delayed": "it arrives later, and nothing breaks",
}
LATE = 1.2  # Seconds; dxt is back before that.

# What is done to it when the network falls silent, as it does where a machine dies or a cable is cut:
SILENCE = {
    "deaf": "it does not reach the server",
    "unheard": "the server gets it, the answer does not arrive",
}


@dataclasses.dataclass
class Cut:
    """What is planned for one message."""
    at: int
    action: str

    def __str__(self):
        return f"{self.action} {self.at}"


class Proxy:
    """Forwards connections to a server on this machine; counts what clients send."""

    def __init__(self, port):
        self.server = ("127.0.0.1", port)
        self.lock = threading.Lock()
        self.messages, self.cut = [], None
        self.listener = self.listen()
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def listen(self):
        return socket.create_server(("127.0.0.1", 0))

    def arm(self, cut):
        with self.lock:
            self.messages, self.cut = [], cut

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            Link(self, client)

    def take(self, text):
        """Counts a message; what is to be done with it."""
        with self.lock:
            self.messages.append(text)
            if self.cut and self.cut.at == len(self.messages):
                return self.cut.action
        return None


class Link:
    """One connection of a client, and the proxy's to the server."""

    def __init__(self, proxy, client):
        self.proxy, self.client = proxy, client
        self.server = socket.create_connection(proxy.server)
        self.mute = threading.Event()
        for run in (self._upwards, self._downwards):
            threading.Thread(target=run, daemon=True).start()

    @staticmethod
    def _end(connection):
        try:
            connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        connection.close()

    def _read(self, size):
        data = b""
        while len(data) < size:
            chunk = self.client.recv(size - len(data))
            if not chunk:
                raise ConnectionError
            data += chunk
        return data

    def _message(self, started):
        """The next message of the client as bytes, and what it is, for people."""
        kind = self._read(1) if started else b""
        length = self._read(4)
        body = self._read(struct.unpack("!I", length)[0] - 4)
        text = re.sub(rb"[^ -~]+", b" ", body[:60]).decode().strip()
        return kind + length + body, f"{kind.decode() or 'start'} {text}".strip(), body

    def _upwards(self):
        started = False
        try:
            while True:
                message, text, body = self._message(started)
                # Requests for encryption come before the start, and look like one.
                started = started or struct.unpack("!I", body[:4])[0] == 196608
                action = self.proxy.take(text)
                if not action:
                    self.server.sendall(message)
                elif not self._act(action, message):
                    return
        except (ConnectionError, OSError):
            self._end(self.server)
            self._end(self.client)

    def _act(self, action, message):
        """False when the connection is over."""
        if action == "delayed":
            time.sleep(LATE)
            self.server.sendall(message)
            return True
        self.mute.set()
        if action in SILENCE:
            if action == "unheard":
                self.server.sendall(message)
            self.proxy.silence()
        elif action in ("unanswered", "swallowed"):
            self.server.sendall(message)
            time.sleep(LATE if action == "swallowed" else 0.2)
        self._end(self.client)
        if action == "late":
            time.sleep(LATE)
            self.server.sendall(message)
            time.sleep(LATE)
        self._end(self.server)
        return False

    def _downwards(self):
        try:
            while data := self.server.recv(65536):
                if not self.mute.is_set():
                    self.client.sendall(data)
        except (ConnectionError, OSError):
            pass
        if not self.mute.is_set():
            self._end(self.client)


class NetworkArena(Arena):
    """A cell whose messages are lost instead of its processes."""

    actions = list(ACTIONS)
    share = 0.6
    waits = True

    def plan(self):
        self.cell.prepare(self.settle)
        places = collections.defaultdict(list)
        for start in self.cell.STARTS:
            self.cell.reset(start)
            self.cell.target.proxy.arm(None)
            self.settle("streamed")
            for number, text in enumerate(self.cell.target.proxy.messages, 1):
                # Rows are all alike; statements differ by their first words.
                place = "d" if text.startswith("d") else re.sub(r"[\d'].*", "", text)[:40]
                for action in self.actions:
                    places[action, place].append((start, number, text))
        # What is said last of a window is where most can go wrong.
        order = sorted(places, key=lambda key: ("COMMIT" not in key[1], self.rng.random()))
        for key in order:
            start, number, text = self.rng.choice(places[key])
            self.plans.append((start, Cut(number, key[0]), text))

    def shoot(self):
        if not self.plans:
            return False
        start, cut, text = self.plans.popleft()
        self.cell.reset(start)
        self.cell.target.proxy.arm(cut)
        code, _ = self.run("streamed")
        if len(self.cell.target.proxy.messages) < cut.at:
            return False
        self.cell.target.proxy.arm(None)
        site = f"{cut.action} {re.sub('[0-9A-Z]{26}', '#', text)[:50]}"
        kill = Kill(self.cell.name, start, "streamed", str(cut), cut.action, site)
        code = self._again(code, kill.problems)
        verdict = self.cell.compare(self.cell.window(start))
        kill.lost, kill.doubled = verdict.lost, verdict.doubled
        kill.problems += verdict.problems
        self.kills.append(kill)
        return True

    def _again(self, code, problems):
        """dxt tries again by itself; where it gave up, the command is given once more."""
        if code != 0:
            code, _ = self.run("streamed")
        if code != 0:
            problems.append(f"never recovers: exit code {code}: {self.output[-600:]}")
        return code


class Network(cells.Postgres):
    """PostgreSQL behind the proxy."""
    name, arena = "network", NetworkArena
    modes = ["append-full", "append-incremental", "upsert-incremental", "replace-full",
             "mirror-full"]

    def __init__(self, tools, live, mode):
        super().__init__(tools, live, mode)
        self.proxy = Proxy(tools.postgres.port)

    def connection(self):
        url = re.sub(r":\d+/", f":{self.proxy.port}/", self.url)
        return {"type": "postgres", "url": f"{url}?sslmode=disable&gssencmode=disable"}


TARGETS = {Network.name: Network}
