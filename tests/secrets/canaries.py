#!/usr/bin/env python3
"""Canary passwords: put into every place that takes a secret, they come out nowhere.

Each place has a secret of its own. Every verb is run with them, well and badly, against a real PostgreSQL and against a
shared dxtd with metrics, traces, alerts and dead letters. Then everything that was written is searched: what was
printed, logs, state, packages, backups, metrics, requests to receivers, and the command lines of all processes
meanwhile. Searched for is the middle of each secret, which survives URL encoding, and its base64.

    canaries.py --bin build/release/bin
"""
import argparse
import base64
import contextlib
import http.server
import json
import os
import pathlib
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "scenarios"))
from systems import Failed, Postgres, Skipped, free_port  # noqa: E402  pylint: disable=wrong-import-position

LIMIT = 120  # Seconds that anything may take.
PLACES = ["url", "key", "dotenv", "written", "inline", "query_option", "s3_secret", "s3_token", "webhook", "token",
          "tls_key", "otel_header", "daemon_secret", "daemon_file", "ssl_password", "url_key"]


class Canaries:
    """One secret a place: awkward characters around a middle that no encoding but base64 changes."""

    def __init__(self):
        self.middles = {place: f"Cnry{number:02}{os.urandom(6).hex()}Zq" for number, place in enumerate(PLACES)}

    def __getitem__(self, place):
        return f"p+{self.middles[place]}/=%"

    def quoted(self, place):
        return urllib.parse.quote(self[place], safe="")

    def found(self, data):
        """Places whose secret stands in the bytes."""
        found = []
        for place, middle in self.middles.items():
            forms = [middle.encode(), middle.encode("utf-16-le")]
            for offset in range(3):
                digits = base64.b64encode(b"\0" * offset + middle.encode()).rstrip(b"=")
                forms.append(digits[4 if offset else 0:-4])
            if any(form in data for form in forms):
                found.append(place)
        return found


class Receiver(http.server.ThreadingHTTPServer):
    """Takes whatever is posted."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Taker)
        self.bodies = []
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Taker(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.server.bodies.append((self.path, self.rfile.read(int(self.headers.get("Content-Length", 0)))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


class ProcessList(threading.Thread):
    """Looks at the command lines of all processes of dxt, over and over."""

    def __init__(self, programs):
        super().__init__(daemon=True)
        self.programs = programs
        self.seen, self.looks = set(), 0
        self.done = threading.Event()

    def run(self):
        while not self.done.wait(0.005):
            self.looks += 1
            for name in os.listdir("/proc"):
                if not name.isdigit():
                    continue
                with contextlib.suppress(OSError):
                    line = pathlib.Path(f"/proc/{name}/cmdline").read_bytes()
                    if not line.split(b"\0")[0].endswith(self.programs):
                        continue
                    # What dxtctl was started with stands there until it has read it: see hidden().
                    if line.split(b"\0")[0].endswith(b"dxtd"):
                        self.seen.add(line)

    def stop(self):
        self.done.set()
        self.join()


class Test:
    SERVED = ("url", "whole", "key", "dotenv", "broken", "guarded", "nowhere", "dead")

    def __init__(self, options, folder, postgres):
        self.bin, self.folder, self.postgres = options.bin, folder, postgres
        self.canaries = Canaries()
        self.output, self.runs = [], 0
        self.receiver = Receiver()
        self.home = folder / "home"
        self.shop, self.served = folder / "shop", folder / "served"
        for made in (self.home, self.shop):
            made.mkdir()
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("DXT", "XDG", "PG"))},
            "HOME": str(self.home), "XDG_STATE_HOME": str(self.home / "state"), "XDG_RUNTIME_DIR": str(self.home),
            "XDG_CONFIG_HOME": str(self.home / "config"),
            "URL_PW": self.canaries.quoted("url"), "KEY_PW": self.canaries["key"], "HOOK": self.hook(),
            "URL_KEY": f"postgresql://loader:{self.canaries.quoted('url_key')}@127.0.0.1:{postgres.port}/postgres"}

    def hook(self):
        return f"http://127.0.0.1:{self.receiver.server_port}/hook/{self.canaries.quoted('webhook')}"

    # What is asked for.

    def write_documents(self):
        c, port = self.canaries, self.postgres.port
        pg = f"type: postgres, host: 127.0.0.1, port: {port}, database: postgres, user: loader"
        (self.shop / ".env").write_text(f"DOTENV_PW='{c['dotenv']}'\n")
        # A client certificate's key, which libpq reads; the secret stands in it.
        key = self.shop / "client.key"
        key.write_text(f"-----BEGIN PRIVATE KEY-----\n{c.middles['tls_key']}\n-----END PRIVATE KEY-----\n")
        key.chmod(0o600)
        (self.shop / "dxt_project.yaml").write_text(f"""name: shop
connections:
  url: {{type: postgres, url: "postgresql://loader:${{URL_PW}}@127.0.0.1:{port}/postgres"}}
  whole: {{type: postgres, url: "${{URL_KEY}}"}}
  key: {{{pg}, password: "${{KEY_PW}}"}}
  dotenv: {{{pg}, password: "${{DOTENV_PW}}"}}
  written: {{{pg}, password: {json.dumps(c['written'])}}}
  guarded: {{type: postgres, host: 127.0.0.1, port: {port}, database: postgres, user: guarded, password: "${{KEY_PW}}"}}
  nowhere: {{type: postgres, host: 127.0.0.1, port: 1, database: d, user: u, password: "${{KEY_PW}}"}}
  unnamed: {{type: postgres, url: "postgresql://u:${{URL_PW}}@no.such.host.invalid/d"}}
  tls: {{{pg}, password: "${{KEY_PW}}", sslmode: require,
    options: {{sslkey: {key}, sslcert: {key}, sslpassword: {json.dumps(c['ssl_password'])}}}}}
  s3: {{type: file, url: "s3://bucket/key", endpoint: "127.0.0.1:1", scheme: http, region: eu,
    access_key_id: k, secret_access_key: {json.dumps(c['s3_secret'])}, session_token: {json.dumps(c['s3_token'])}}}
  lite: {{type: sqlite, path: ./b.db}}
alerts: [{{webhook: "${{HOOK}}", on: [failed, partial, guard]}}]
""")
        stream = "{id: t, source: public.t, target: t, load: {mode: append}}"
        pasted = "{id: t, kind: query, source: \"select '${KEY_PW}' from nowhere\", target: t}"
        # The pasted text is an error of the server's that quotes it.
        broken = "{id: t, kind: query, source: \"select 1 from \\\"${KEY_PW}\\\"\", target: t}"
        dead = """{id: t, kind: query, target: dead, source: "select id, s as n from public.t",
     fields: [{id: id, dtype: int64}, {id: n, dtype: int16}], load: {mode: append, on_error: dead_letter}}"""
        for name in ("url", "whole", "key", "dotenv", "written", "guarded", "nowhere", "unnamed", "tls"):
            self.pipeline(name, name, stream)
        for name, one in (("pasted", pasted), ("broken", broken), ("dead", dead)):
            self.pipeline(name, "key", one)
        self.pipeline("s3", "s3", "{id: t, source: x.csv, target: t}")
        # Wrong on the very line that holds a secret.
        for number, line in enumerate((
                'source: {type: postgres, host: h, pasword: "%s"}', 'source: {type: postgres, password: "%s" "x"}',
                'source: {type: postgres, password: ["%s"]}', 'source: "postgresql://u:%s@h:x/d?nope=1"',
                'source: "nosuch://u:%s@h/d"', 'source: {type: postgres, port: "%s"}', 'sorce: "%s"', 'source: &a "%s"',
                'source: {type: postgres, password: "%s", password: "%s"}', 'source: {connection: key} "%s"')):
            (self.shop / f"wrong{number}.yaml").write_text(
                f"version: 1\nname: wrong{number}\n{line.replace('%s', c.quoted('written'))}\n"
                "target: {connection: lite}\nstreams: [" + stream + "]\n")

    def pipeline(self, name, connection, stream):
        (self.shop / f"{name}.yaml").write_text(
            f"version: 1\nname: {name}\nsource: {{connection: {connection}}}\ntarget: {{connection: lite}}\n"
            f"runtime: {{retries: 0}}\nstreams:\n  - {stream}\n")

    def write_served(self):
        """What a daemon stores: it refuses written-out secrets and relative paths."""
        lines = (self.shop / "dxt_project.yaml").read_text().splitlines()
        kept = [line for line in lines if not line.startswith(("  written:", "  tls:", "    options:", "  s3:", "    access_key"))]
        self.served.mkdir()
        (self.served / "dxt_project.yaml").write_text("\n".join(kept).replace("./b.db", f"{self.folder}/d.db") + "\n")
        for name in self.SERVED:
            shutil.copy(self.shop / f"{name}.yaml", self.served)

    def run(self, *arguments, **more):
        """One dxtctl, to its end; its output is kept."""
        done = subprocess.run([str(self.bin / "dxtctl"), *map(str, arguments)], cwd=more.get("cwd", self.shop),
                              capture_output=True,
                              env={**self.environment, **more.get("environment", {})}, stdin=subprocess.DEVNULL,
                              timeout=LIMIT, check=False)
        self.runs += 1
        shown = [argument for argument in map(str, arguments)]
        self.output.append((" ".join(shown), done.stdout + done.stderr))
        if "exit" in more and done.returncode != more["exit"]:
            raise Failed(f"{shown}: exit {done.returncode}: {done.stderr.decode()[:1500]}")
        return done

    def local_verbs(self):
        for name in ("url", "whole", "key", "dotenv", "written"):
            self.run("run", f"{name}.yaml", "-vv", "--debug", exit=0)
        for name in ("guarded", "nowhere", "unnamed", "tls", "pasted", "broken", "s3"):
            done = self.run("run", f"{name}.yaml", "-vv", "--log-file", "run.log", "-o", "json")
            if done.returncode == 0:
                raise Failed(f"{name} was to fail")
        self.run("run", "dead.yaml", "-vv")
        for name in ("key", "guarded", "nowhere", "broken", "s3", "wrong0"):
            for verb in ("plan", "verify", "list", "preview", "test", "extract", "load"):
                self.run(verb, f"{name}.yaml", "-v")
        for number in range(10):
            for verb in ("validate", "run", "plan"):
                self.run(verb, f"wrong{number}.yaml", "-vv")
            self.run("validate", f"wrong{number}.yaml", "--strict", "-o", "json")
        for name in ("url", "key", "guarded", "nowhere", "s3"):
            self.run("discover", name, "-v")
            self.run("test", name, "-v")
        self.run("test", "-vv")
        self.run("validate", "--strict")
        for verb in (("dlq", "list"), ("packages", "list"), ("state", "show", "key.yaml"), ("runs", "list"), ("doctor",),
                     ("connections", "list"), ("status",)):
            self.run(*verb, "-o", "json")
            self.run(*verb, "-vv", "--debug")

    def inline(self):
        c, port = self.canaries, self.postgres.port
        good = f"postgresql://loader:{c.quoted('inline')}@127.0.0.1:{port}/postgres"
        option = f"postgresql://127.0.0.1:{port}/postgres?user=guarded&password={c.quoted('query_option')}"
        self.run("copy", f"{good}#public.t", "lite#copied", exit=0)
        self.run("copy", f"{good}#public.t", "lite#copied", "--print-yaml", exit=0)
        self.run("copy", f"{option}#public.t", "lite#copied", "-vv")
        self.run("copy", f"{option}#public.t", "lite#copied", "--print-yaml")
        self.run("copy", f"{good}x#public.t", "lite#copied", "-v")
        self.run("copy", f"lite#t", f"{good}#public.into", "-v")
        self.run("copy", f"nosuch://u:{c.quoted('inline')}@h/d#t", "lite#t")
        self.run("copy", f"postgresql://u:{c.quoted('inline')}@h:port/d#t", "lite#t")
        self.run("copy", good, "lite#t")
        self.run("test", good, "-v", exit=0)
        self.run("test", option, "-v")
        self.run("discover", good, "--to", "lite", exit=0)
        self.run("preview", f"{good}#public.t", exit=0)
        self.run("copy", f"s3://bucket/x.csv?endpoint=127.0.0.1:1&scheme=http&access_key_id=k"
                         f"&secret_access_key={c.quoted('s3_secret')}", "lite#t")
        for end in (f"loader:{c.quoted('inline')}@127.0.0.1:{self.hanging.getsockname()[1]}/d",
                    f"127.0.0.1:{self.hanging.getsockname()[1]}/d?user=u&password={c.quoted('query_option')}"):
            self.hidden("test", f"postgresql://{end}")

    def hidden(self, *arguments):
        """Of a command that hangs, the list of processes soon shows no secret any more."""
        deadline = time.monotonic() + LIMIT
        with subprocess.Popen([str(self.bin / "dxtctl"), *arguments], cwd=self.shop, env=self.environment,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as running:
            while self.canaries.found(pathlib.Path(f"/proc/{running.pid}/cmdline").read_bytes() or b""):
                if running.poll() is not None or time.monotonic() > deadline:
                    raise Failed(f"{arguments} stay in the list of processes")
                time.sleep(0.01)
            running.send_signal(signal.SIGINT)
            self.output.append(("a hanging command", running.communicate(timeout=LIMIT)[0]))
            self.runs += 1

    # The daemon.

    def start_daemon(self):
        c = self.canaries
        tokens, secret, header = (self.folder / name for name in ("tokens", "secret", "header"))
        for path, text in ((tokens, f"alice:{c['token']}-16-characters\n"), (secret, c["daemon_file"]),
                           (header, c["otel_header"])):
            path.write_text(text)
            path.chmod(0o600)
        self.token = self.folder / "token"
        self.token.write_text(f"{c['token']}-16-characters\n")
        self.token.chmod(0o600)
        self.port, self.metrics = free_port(), free_port()
        config = self.folder / "dxtd.yaml"
        config.write_text(f"""state_dir: daemon
listen: ["127.0.0.1:{self.port}"]
auth: {{token_file: {tokens}}}
files: {{roots: [{self.folder}]}}
http: {{listen: "127.0.0.1:{self.metrics}"}}
log: {{level: debug}}
otel: {{endpoint: "http://127.0.0.1:{self.receiver.server_port}", headers: {{authorization: "file:{header}"}}}}
secrets: {{KEY_PW: "env:DAEMON_PW", DOTENV_PW: "file:{secret}", HOOK: "env:HOOK", URL_PW: "env:URL_PW", URL_KEY: "env:URL_KEY"}}
""")
        environment = {**self.environment, "DAEMON_PW": c["daemon_secret"]}
        self.check_config(config, environment)
        reader, writer = os.pipe()
        self.work = self.folder / "cwd"
        self.work.mkdir(exist_ok=True)
        with open(self.folder / "dxtd.log", "ab") as log:
            self.daemon = subprocess.Popen(
                [str(self.bin / "dxtd"), "--config", str(config), "--ready-fd", str(writer)], cwd=self.work, stdout=log,
                stderr=log, env=environment, pass_fds=[writer],
                preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY,) * 2))
        os.close(writer)
        with os.fdopen(reader, "rb") as ready:
            if ready.read(1) != b"r":
                raise Failed("dxtd did not start: " + (self.folder / "dxtd.log").read_text())

    def check_config(self, config, environment):
        done = subprocess.run([str(self.bin / "dxtd"), "--check-config", "--config", str(config)], capture_output=True,
                              env=environment, timeout=LIMIT, check=False)
        self.output.append(("dxtd --check-config", done.stdout + done.stderr))
        if done.returncode:
            raise Failed(f"--check-config: {done.stderr.decode()}{done.stdout.decode()}")

    def shared_daemon(self):
        self.start_daemon()
        server = ("--server", f"127.0.0.1:{self.port}", "--token-file", str(self.token), "--project", "shop")
        wrong = self.folder / "wrong-token"
        wrong.write_text(f"{self.canaries['token']}-not-this-one\n")
        wrong.chmod(0o600)
        self.run("status", "--server", f"127.0.0.1:{self.port}", "--token-file", wrong, "-vv", "--debug", exit=5)
        self.run("projects", "apply", "dxt_project.yaml", *server[:4], "-vv", "--debug", exit=2)
        self.write_served()
        self.run("projects", "apply", "dxt_project.yaml", *server[:4], "-vv", "--debug", cwd=self.served, exit=0)
        for name in self.SERVED:
            self.run("pipelines", "apply", f"{name}.yaml", *server, "-v", cwd=self.served, exit=0)
            self.run("submit", name, "--wait", *server, "-vv", "--debug")
            self.run("submit", f"{name}.yaml", "--wait", *server[:4], "-vv", "-o", "json", cwd=self.served)
        for verb in (("runs", "list"), ("projects", "list"), ("pipelines", "list"), ("dlq", "list"), ("status",),
                     ("connections", "list"), ("doctor",), ("schedules", "list")):
            self.run(*verb, *server, "-o", "json")
            self.run(*verb, *server, "-vv", "--debug")
        listed = json.loads(self.run("runs", "list", *server, "-o", "json").stdout)
        runs = listed if isinstance(listed, list) else next(v for v in listed.values() if isinstance(v, list))
        if len(runs) < 10:
            raise Failed(f"only {len(runs)} runs were made")
        for run in runs[:12]:
            name = (run.get("name") or run.get("run") or run.get("id")).rpartition("/")[2]
            self.run("runs", "show", name, *server, "-o", "json")
            self.run("logs", name, *server)
        self.run("projects", "show", "shop", *server)
        self.run("admin", "backup", self.folder / "backup.db", *server[:4], "-vv", exit=0)
        for page in ("metrics", "healthz", "readyz"):
            with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics}/{page}", timeout=LIMIT) as answer:
                self.output.append((f"/{page}", answer.read()))
        deadline = time.monotonic() + LIMIT
        while not {"hook", "v1"} <= {path.split("/")[1] for path, _ in self.receiver.bodies}:
            if time.monotonic() > deadline:
                raise Failed("neither an alert nor a trace came")
            time.sleep(0.05)

    def kill_with_core(self):
        """What the kernel would write of its memory at SIGABRT."""
        control = subprocess.Popen(["sh", "-c", "ulimit -c unlimited && kill -ABRT $$"], cwd=self.work)
        dumps = os.WCOREDUMP(os.waitpid(control.pid, 0)[1])
        control.returncode = 0
        for core in self.work.iterdir():
            core.unlink()
        self.daemon.send_signal(signal.SIGABRT)
        status = os.waitpid(self.daemon.pid, 0)[1]
        self.daemon.returncode = 0
        if not os.WIFSIGNALED(status) or os.WCOREDUMP(status) or any(self.work.iterdir()):
            raise Failed(f"dxtd left a core file: {list(self.work.iterdir())}")
        return dumps

    # What came of it.

    def search(self):
        inputs = {"tokens", "token", "wrong-token", "secret", "header", "dxtd.yaml", ".env", "dxt_project.yaml", "client.key"}
        leaks = []
        for what, text in self.output:
            leaks += [(place, what, text) for place in self.canaries.found(text)]
        files = 0
        for path in self.folder.rglob("*"):
            named = self.canaries.found(str(path).encode())
            leaks += [(place, f"the name {path}", b"") for place in named]
            if not path.is_file() or self.postgres.data in path.parents:
                continue
            if path.name in inputs or (path.parent == self.shop and path.name.startswith("wrong")):
                continue
            files += 1
            # A document is stored as it was sent: what is written out in it is in the state.
            kept = {"written", "s3_secret", "s3_token", "ssl_password"} if path.name.startswith("state.db") or \
                path.name == "backup.db" else set()
            leaks += [(place, str(path), path.read_bytes()) for place in self.canaries.found(path.read_bytes())
                      if place not in kept]
        for path, body in self.receiver.bodies:
            leaks += [(place, f"POST {path.split('/')[1]}", body) for place in self.canaries.found(body)]
        for line in self.processes.seen:
            leaks += [(place, "the list of processes", line) for place in self.canaries.found(line)]
        for place, where, text in leaks[:20]:
            at = max(0, text.find(self.canaries.middles[place].encode()) - 200)
            print(f"LEAK of {place} in {where}: …{text[at:at + 300]!r}")
        print(f"{len(PLACES)} secrets, {self.runs} commands, {files} files, {len(self.receiver.bodies)} requests, "
              f"{self.processes.looks} looks at {len(self.processes.seen)} command lines: {len(leaks)} leaks")
        if leaks:
            raise Failed(f"{len(leaks)} leaks")

    def test(self):
        with socket.socket() as self.hanging:
            self.hanging.bind(("127.0.0.1", 0))
            self.hanging.listen()
            self.postgres.query("CREATE ROLE loader SUPERUSER LOGIN")
            self.postgres.query("CREATE ROLE guarded LOGIN PASSWORD 'another'")
            self.postgres.query("CREATE TABLE t (id integer PRIMARY KEY, s text)")
            self.postgres.query("INSERT INTO t VALUES (1, '1'), (2, 'no number')")
            self.write_documents()
            self.processes = ProcessList((b"dxtctl", b"dxtd"))
            self.processes.start()
            self.daemon = None
            try:
                self.local_verbs()
                self.inline()
                self.shared_daemon()
                dumps = self.kill_with_core()
                print("no core file" if dumps else "this machine makes no core files")
            finally:
                if self.daemon and self.daemon.returncode is None:
                    self.daemon.kill()
                    self.daemon.wait()
                self.processes.stop()
                self.receiver.shutdown()
            self.search()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", type=lambda text: pathlib.Path(text).resolve(), required=True,
                        help="folder of dxtd and dxtctl")
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="dxtc-") as name:
        folder = pathlib.Path(name)
        try:
            postgres = Postgres(folder)
        except Skipped as why:
            print(f"skipped: {why}")
            return 77
        passed = False
        try:
            Test(options, folder, postgres).test()
            passed = True
        except Failed as why:
            print(f"FAILED {why}")
        finally:
            postgres.stop()
    print(f"{time.monotonic() - began:.0f} s: {'passed' if passed else 'failed'}")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
