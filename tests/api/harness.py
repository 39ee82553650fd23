"""Starts dxtd and makes a Python client of its protos. Used by the tests beside it."""
import contextlib
import importlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

import grpc
from grpc_tools import protoc

LIMIT = 60  # Seconds that anything may take.
DXTD, PROTOS, GOOGLEAPIS = sys.argv[1:4]
TOKEN = "a-token-of-more-than-16-characters"

# A pipeline whose run ends only when it is stopped; to be formatted with `folder`, and the `name` of it and its target.
ENDLESS = """version: 1
name: {name}
source: {{type: sqlite, path: {folder}/source.db}}
target: {{type: sqlite, path: {folder}/{name}.db}}
streams:
  - id: endless
    kind: query
    source: >
      WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT CAST(i AS INTEGER) AS i FROM n
    target: t
    fields: [{{id: i, dtype: int64}}]
    load: {{mode: append}}
"""


def make_client(folder):
    """Generates the client; importable afterwards as dxt.v1.*."""
    names = sorted(str(path.relative_to(PROTOS)) for path in pathlib.Path(PROTOS).glob("dxt/v1/*.proto"))
    google = ["google/api/field_behavior.proto", "google/api/resource.proto", "google/rpc/status.proto",
              "google/rpc/error_details.proto"]
    well_known = pathlib.Path(protoc.__file__).parent / "_proto"
    code = protoc.main(["protoc", f"-I{PROTOS}", f"-I{GOOGLEAPIS}", f"-I{well_known}", f"--python_out={folder}",
                        f"--grpc_python_out={folder}", *names, *google])
    assert code == 0, "protoc failed"
    sys.path.insert(0, str(folder))
    # google.protobuf is a package of its own: add the generated google.api and google.rpc to it.
    import google as package
    package.__path__ = [*package.__path__, str(pathlib.Path(folder) / "google")]


_GENERATED = tempfile.TemporaryDirectory(prefix="dxt-client-")
make_client(_GENERATED.name)


def proto(name):
    return importlib.import_module(f"dxt.v1.{name}_pb2")


def service(name):
    return importlib.import_module(f"dxt.v1.{name}_service_pb2_grpc")


def wait_until(what, limit=LIMIT):
    """Asks until the answer is true; returns it."""
    end = time.monotonic() + limit
    while True:
        answer = what()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"waited {limit} s in vain")
        time.sleep(0.02)


class Daemon:
    """A dxtd with its folder. Ends with the `with` block."""

    def __init__(self, *flags, config="", environment=None, folder=None, prefix=()):
        self._own = None if folder else tempfile.TemporaryDirectory(prefix="dxt-api-")
        self.folder = pathlib.Path(folder or self._own.name)
        self.socket = self.folder / "dxtd.sock"
        self.config = self.folder / "dxtd.yaml"
        if config is not None:
            self.config.write_text(f"state_dir: state\nlisten: [unix:{self.socket}]\nfiles: {{roots: [.]}}\n"
                                   f"shutdown_grace: 5s\n{config}")
        self.environment = {**os.environ, "XDG_CONFIG_HOME": str(self.folder), **(environment or {})}
        self.log = self.folder / "dxtd.log"
        self.flags = flags
        self.prefix = prefix  # Of the command; must become dxtd by exec.

    def start(self):
        reader, writer = os.pipe()
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [*self.prefix, DXTD, "--config", str(self.config), "--ready-fd", str(writer), *self.flags], stdout=log, stderr=log,
                env=self.environment, pass_fds=[writer])
        os.close(writer)
        with os.fdopen(reader, "rb") as ready:
            if ready.read(1) != b"r":
                raise AssertionError("dxtd did not start: " + self.log.read_text())
        return self

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        with contextlib.suppress(ProcessLookupError):
            self.process.terminate()
        try:
            self.process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        log = self.log.read_text(errors="replace")
        if self._own:
            self._own.cleanup()
        if "Sanitizer: " in log:
            raise AssertionError("dxtd reported:\n" + log[log.index("Sanitizer: ") - 100:])

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(LIMIT)

    def addresses(self):
        return (self.folder / "state/dxtd.addr").read_text().split()

    def events(self):
        """The log so far, one object a line."""
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]

    def channel(self):
        """A connection of its own."""
        return grpc.insecure_channel(f"unix:{self.socket}", options=[("grpc.use_local_subchannel_pool", 1)])


def documents(path, text):
    return proto("document").DocumentSet(pipeline=proto("document").Document(path=str(path), text=text))


def details(error):
    """ErrorInfo and the other details of a failed call, by type name."""
    from google.rpc import error_details_pb2, status_pb2
    found = {}
    for key, value in error.trailing_metadata() or []:
        if key == "grpc-status-details-bin":
            for detail in status_pb2.Status.FromString(value).details:
                name = detail.type_url.rpartition(".")[2]
                kind = getattr(error_details_pb2, name, None)
                if kind:
                    found[name] = kind.FromString(detail.value)
    return found


def main():
    sys.argv[1:] = sys.argv[4:]
    unittest.main(verbosity=2)
