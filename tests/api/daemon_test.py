#!/usr/bin/env python3
"""The process dxtd: configuration, listeners, signals, service manager, HTTP.

    daemon_test.py DXTD PROTO_FOLDER GOOGLEAPIS_FOLDER
"""
import grp
import http.client
import itertools
import os
import re
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import grpc

import harness
from harness import ENDLESS, LIMIT, TOKEN, Daemon, details, documents, proto, service, wait_until



def run(*flags, environment=None):
    return subprocess.run([harness.DXTD, *flags], capture_output=True, text=True, timeout=LIMIT,
                          env={"PATH": "/usr/bin", "HOME": "/nonexistent", **(environment or {})})


def info(channel, *metadata):
    stub = service("server").ServerServiceStub(channel)
    return stub.GetServerInfo(proto("server_service").GetServerInfoRequest(), timeout=LIMIT, metadata=metadata)


def health(channel, name=""):
    """0 unknown, 1 serving, 2 not serving; by bytes, so that no package is needed."""
    request = b"\n" + bytes([len(name)]) + name.encode() if name else b""
    answer = channel.unary_unary("/grpc.health.v1.Health/Check")(request, timeout=LIMIT)
    return answer[1] if answer else 0


class Configuration(unittest.TestCase):
    def test_what_is_wrong_is_said_all_at_once_and_nothing_starts(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "dxtd.yaml")
            with open(path, "w", encoding="utf-8") as file:
                file.write("workers: many\nlog: {levle: info}\n")
            for flags in (["--check-config"], []):
                ended = run("--config", path, "--listen", "127.0.0.1:0", *flags,
                            environment={"DXTD_RETENTION_RUNS": "1s"})
                said = ended.stdout + ended.stderr
                self.assertEqual(ended.returncode, 2, said)
                for part in ("'many' is not a whole number", "did you mean 'level'?", "could use this daemon",
                             "DXTD_RETENTION_RUNS"):
                    self.assertIn(part, said)
            self.assertEqual(os.listdir(folder), ["dxtd.yaml"])

    def test_check_config_names_the_source_of_each_value(self):
        ended = run("--check-config", "--config", "/dev/null", "--workers", "3",
                    environment={"DXTD_LOG_LEVEL": "debug"})
        self.assertEqual(ended.returncode, 0, ended.stdout)
        self.assertRegex(ended.stdout, r"workers: 3 +# --workers\n")
        self.assertRegex(ended.stdout, r"level: debug +# DXTD_LOG_LEVEL\n")
        self.assertRegex(ended.stdout, r"reflection: false +# default\n")

    def test_a_flag_that_does_not_exist_is_a_usage_error(self):
        self.assertEqual(run("--nonsense").returncode, 2)


class Listening(unittest.TestCase):
    def test_folders_are_made_private_and_the_socket_has_its_mode(self):
        with Daemon(config="socket_mode: '0620'\n") as daemon:
            self.assertEqual(stat.S_IMODE(os.stat(daemon.folder / "state").st_mode), 0o700)
            self.assertEqual(stat.S_IMODE(os.stat(daemon.socket).st_mode), 0o620)
            with daemon.channel() as channel:
                answer = info(channel)
            self.assertFalse(answer.private)
            self.assertEqual(answer.pid, daemon.process.pid)

    def test_tcp_asks_for_a_token_and_health_does_not(self):
        with tempfile.TemporaryDirectory() as folder:
            tokens = os.path.join(folder, "tokens")
            with open(tokens, "w", opener=lambda p, f: os.open(p, f, 0o600), encoding="utf-8") as file:
                file.write(f"ci:{TOKEN}\n")
            with Daemon("--listen", "127.0.0.1:0", "--auth-token-file", tokens) as daemon:
                with grpc.insecure_channel(daemon.addresses()[0]) as channel:
                    with self.assertRaises(grpc.RpcError) as refused:
                        info(channel)
                    self.assertEqual(refused.exception.code(), grpc.StatusCode.UNAUTHENTICATED)
                    self.assertTrue(info(channel, ("authorization", f"Bearer {TOKEN}")).version)
                    self.assertEqual(health(channel), 1)
                    # SIGHUP reads the tokens again.
                    with open(tokens, "w", encoding="utf-8") as file:
                        file.write("ci:quite-another-token-than-before\n")
                    daemon.process.send_signal(signal.SIGHUP)

                    def changed():
                        try:
                            return info(channel, ("authorization", "Bearer quite-another-token-than-before"))
                        except grpc.RpcError:
                            return None
                    wait_until(changed)
                    with self.assertRaises(grpc.RpcError):
                        info(channel, ("authorization", f"Bearer {TOKEN}"))

    def test_mutual_tls_lets_its_clients_in_alone_and_sighup_reads_the_certificates_again(self):
        with tempfile.TemporaryDirectory(prefix="dxt-api-") as folder:
            folder = harness.pathlib.Path(folder)

            def openssl(*arguments):
                subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True, timeout=LIMIT)

            def authority(name):
                openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
                        "2", "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem")

            def sign(name, by):
                (folder / "san").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1")
                openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj",
                        f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
                openssl("x509", "-req", "-in", f"{name}.csr", "-CA", f"{by}.pem", "-CAkey", f"{by}.key",
                        "-CAcreateserial", "-days", "2", "-extfile", "san", "-out", f"{name}.pem")
                (folder / f"{name}.key").chmod(0o600)
            for name in ("old", "new", "other"):
                authority(name)
            for name, by in (("server", "old"), ("client", "old"), ("stranger", "other")):
                sign(name, by)

            def ask(client, roots="old"):
                read = lambda name: (folder / name).read_bytes()
                credentials = grpc.ssl_channel_credentials(
                    read(f"{roots}.pem"), *([read(f"{client}.key"), read(f"{client}.pem")] if client else []))
                with grpc.secure_channel(daemon.addresses()[0], credentials,
                                         [("grpc.use_local_subchannel_pool", 1)]) as channel:
                    return info(channel)
            with Daemon("--listen", "127.0.0.1:0", config=f"tls: {{cert: {folder}/server.pem, key: {folder}/server.key, "
                        f"client_ca: {folder}/old.pem}}\n") as daemon:
                self.assertTrue(ask("client").version)
                for client, roots in ((None, "old"), ("stranger", "old"), ("client", "other")):
                    with self.subTest(client=client, roots=roots), self.assertRaises(grpc.RpcError) as refused:
                        ask(client, roots)
                    self.assertEqual(refused.exception.code(), grpc.StatusCode.UNAVAILABLE)
                with grpc.insecure_channel(daemon.addresses()[0]) as channel, self.assertRaises(grpc.RpcError):
                    info(channel)
                sign("server", "new")
                daemon.process.send_signal(signal.SIGHUP)

                def changed():
                    try:
                        return ask("client", "new").version
                    except grpc.RpcError:
                        return None
                wait_until(changed)

    def test_reflection_is_off_unless_asked_for(self):
        listed = b":\x00"  # list_services
        for flags, serves in (([], False), (["--reflection"], True)):
            with Daemon(*flags) as daemon, daemon.channel() as channel:
                call = channel.stream_stream("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")
                try:
                    answer = next(call(iter([listed]), timeout=LIMIT))
                except grpc.RpcError as error:
                    answer = b""
                    self.assertEqual(error.code(), grpc.StatusCode.UNIMPLEMENTED)
                self.assertEqual(b"dxt.v1.RunService" in answer, serves)

    def test_a_second_daemon_on_the_same_state_is_refused_and_names_the_first(self):
        with Daemon() as first:
            second = Daemon("--listen", f"unix:{first.folder}/second.sock", config=None, folder=first.folder)
            ended = subprocess.run([harness.DXTD, "--config", str(first.config), *second.flags],
                                   capture_output=True, text=True, timeout=LIMIT, check=False)
            self.assertEqual(ended.returncode, 1, ended.stderr)
            self.assertIn(str(first.process.pid), ended.stderr)
            with first.channel() as channel:
                self.assertTrue(info(channel).version)


RELAY = """
import os, select, socket, sys
user, group, inside, outside = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
listener = socket.socket(socket.AF_UNIX)
listener.bind(inside)
listener.listen()
os.setgroups([])
os.setresgid(group, group, group)
os.setresuid(user, user, user)
print("ready", flush=True)
pairs = {}
while True:
    for at in select.select([listener, *pairs], [], [])[0]:
        if at is listener:
            here, there = listener.accept()[0], socket.socket(socket.AF_UNIX)
            there.connect(outside)
            pairs.update({here: there, there: here})
            continue
        try:
            data = at.recv(65536)
            if data:
                pairs[at].sendall(data)
                continue
        except OSError:
            pass
        other = pairs.pop(at, None)
        pairs.pop(other, None)
        for end in (at, other):
            if end:
                end.close()
"""


@unittest.skipUnless(os.getuid() == 0, "only root can be somebody else")
class Peers(unittest.TestCase):
    """Who may use the unix socket, whatever its mode lets in."""

    def as_user(self, daemon, user, group):
        """A channel whose connections are another user's."""
        inside = str(daemon.folder / f"relay-{user}-{group}.sock")
        relay = subprocess.Popen([sys.executable, "-c", RELAY, str(user), str(group), inside, str(daemon.socket)],
                                 stdout=subprocess.PIPE)
        self.addCleanup(relay.stdout.close)
        self.addCleanup(relay.wait)
        self.addCleanup(relay.kill)
        self.assertEqual(relay.stdout.readline(), b"ready\n")
        channel = grpc.insecure_channel(f"unix:{inside}")
        self.addCleanup(channel.close)
        return channel

    def test_other_users_than_its_own_root_and_its_group_are_refused_and_audited(self):
        group = grp.getgrgid(65534).gr_name
        with Daemon(config=f"socket_mode: '0666'\nsocket_group: {group}\n") as daemon:
            daemon.folder.chmod(0o755)
            stranger, member = self.as_user(daemon, 65533, 65533), self.as_user(daemon, 65532, 65534)
            for _ in range(2):
                with self.assertRaises(grpc.RpcError) as refused:
                    info(stranger)
                self.assertEqual(refused.exception.code(), grpc.StatusCode.PERMISSION_DENIED)
                self.assertIn("65533", refused.exception.details())
                self.assertEqual(details(refused.exception)["ErrorInfo"].reason, "SERVER_PEER_REFUSED")
                self.assertIn("socket_group", details(refused.exception)["ErrorInfo"].metadata["hint"])
            with self.assertRaises(grpc.RpcError) as refused:
                health(stranger)
            self.assertEqual(refused.exception.code(), grpc.StatusCode.PERMISSION_DENIED)
            self.assertEqual(health(member), 1)
            (daemon.folder / "a.db").touch()
            for channel in (member, daemon.channel()):
                with self.subTest(channel=channel), channel:
                    service("run").RunServiceStub(channel).SubmitRun(proto("run_service").SubmitRunRequest(
                        documents=documents("/x.yaml", State.COPY.format(folder=daemon.folder))), timeout=LIMIT)
            with sqlite3.connect(f"file:{daemon.folder}/state/state.db?mode=ro", uri=True) as database:
                audited = database.execute("SELECT principal, action FROM audit ORDER BY id").fetchall()
            self.assertEqual(audited, [("uid:65533", "Connect"), ("uid:65532", "SubmitRun"), ("uid:0", "SubmitRun")])


def can_mount():
    return subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode == 0


class State(unittest.TestCase):
    """What becomes of the daemon when its state is in trouble."""
    COPY = """version: 1
name: copy
source: {{type: sqlite, path: {folder}/a.db}}
target: {{type: sqlite, path: {folder}/b.db}}
streams: [{{id: t, kind: query, source: SELECT 1 AS i, target: t, load: {{mode: append}}}}]
"""

    def submit(self, channel, folder, request_id=""):
        return service("run").RunServiceStub(channel).SubmitRun(proto("run_service").SubmitRunRequest(
            request_id=request_id,
            documents=documents(folder / "copy.yaml", self.COPY.format(folder=folder))), timeout=LIMIT)

    def state_of(self, channel, name):
        messages = proto("run_service")
        run = service("run").RunServiceStub(channel).GetRun(messages.GetRunRequest(name=name), timeout=LIMIT)
        return messages.Run.State.Name(run.state)

    def test_a_kill_loses_no_acknowledged_submit_and_runs_go_on_within_30_seconds(self):
        taken = {}  # Request id -> run.

        def ask(daemon, client):
            with daemon.channel() as channel:
                for number in itertools.count():
                    request = f"{client}-{number}"
                    try:
                        taken[request] = self.submit(channel, daemon.folder, request).name
                    except grpc.RpcError:
                        return
        with Daemon("--workers", "2") as daemon:
            folder, messages = daemon.folder, proto("run_service")
            for name in ("a.db", "source.db"):
                (folder / name).touch()
            with daemon.channel() as channel:
                endless = service("run").RunServiceStub(channel).SubmitRun(messages.SubmitRunRequest(documents=documents(
                    folder / "endless.yaml", ENDLESS.format(folder=folder, name="endless"))), timeout=LIMIT).name
                wait_until(lambda: self.state_of(channel, endless) == "RUNNING")
            clients = [threading.Thread(target=ask, args=(daemon, client)) for client in range(4)]
            for client in clients:
                client.start()
            wait_until(lambda: len(taken) > 20)
            daemon.kill()
            for client in clients:
                client.join()
            began = time.monotonic()
            daemon.start()
            with daemon.channel() as channel:
                # Its lines come again: a worker has it.
                stub = service("run").RunServiceStub(channel)
                for event in stub.WatchRun(messages.WatchRunRequest(name=endless), timeout=LIMIT):
                    if event.log.event == "stream_started" or event.progress.rows_read > 0:
                        break
                self.assertLess(time.monotonic() - began, 30)
                self.assertEqual(stub.GetRun(messages.GetRunRequest(name=endless), timeout=LIMIT).attempt, 2)
                for request, run in taken.items():
                    self.assertEqual(self.submit(channel, folder, request).name, run)
                    wait_until(lambda: self.state_of(channel, run) == "SUCCEEDED")
                listed = stub.ListRuns(messages.ListRunsRequest(parent="projects/-", pipeline="copy", page_size=1000),
                                       timeout=LIMIT).runs
                for run in listed:
                    wait_until(lambda: self.state_of(channel, run.name) == "SUCCEEDED")
            with sqlite3.connect(folder / "b.db") as database:
                rows = database.execute("SELECT count(*) FROM t").fetchone()[0]
            # Those whose answer the kill took may be there too, each once.
            self.assertLessEqual(set(taken.values()), {run.name for run in listed})
            self.assertLessEqual(len(listed), len(taken) + len(clients))
            self.assertEqual(rows, len(listed))

    def test_an_interrupted_run_that_waits_for_a_worker_says_so(self):
        with Daemon("--workers", "2") as daemon:
            folder, messages = daemon.folder, proto("run_service")
            (folder / "source.db").touch()
            with daemon.channel() as channel:
                stub = service("run").RunServiceStub(channel)
                runs = [stub.SubmitRun(messages.SubmitRunRequest(documents=documents(
                    folder / f"{name}.yaml", ENDLESS.format(folder=folder, name=name))), timeout=LIMIT).name
                    for name in ("one", "two")]
                for run in runs:
                    wait_until(lambda: self.state_of(channel, run) == "RUNNING")
            daemon.kill()
            daemon.flags = ("--workers", "1")
            daemon.start()
            with daemon.channel() as channel:
                stub = service("run").RunServiceStub(channel)

                def listed():
                    return stub.ListRuns(messages.ListRunsRequest(parent="projects/default"), timeout=LIMIT).runs
                wait_until(lambda: sorted(run.interrupted for run in listed()) == [False, True])
                waits = next(run for run in listed() if run.interrupted)
                self.assertEqual((waits.attempt, waits.waiting_for), (1, "a free worker"))
                executed = next(run for run in listed() if not run.interrupted)
                self.assertEqual((executed.attempt, executed.waiting_for), (2, ""))
                stub.CancelRun(messages.CancelRunRequest(name=executed.name), timeout=LIMIT)
                wait_until(lambda: not stub.GetRun(messages.GetRunRequest(name=waits.name), timeout=LIMIT).interrupted)

    @unittest.skipUnless(can_mount(), "no mount namespaces here")
    def test_a_full_state_disk_refuses_submits_loses_none_and_the_daemon_goes_on(self):
        with tempfile.TemporaryDirectory(prefix="dxt-api-") as folder:
            folder = harness.pathlib.Path(folder)
            (folder / "a.db").touch()
            (folder / "state").mkdir()
            mount = 'mount -t tmpfs -o size=4m,mode=0700 tmpfs "$0" && exec "$@"'
            with Daemon(folder=folder, prefix=("unshare", "-m", "sh", "-c", mount, f"{folder}/state")) as daemon:
                disk = harness.pathlib.Path(f"/proc/{daemon.process.pid}/root/{folder}/state")
                with daemon.channel() as channel:
                    taken = [self.submit(channel, folder).name]
                    with open(disk / "fill", "wb", buffering=0) as fill, self.assertRaises(OSError):
                        while True:
                            fill.write(b"x" * 4096)
                    # Until the log of changes has to grow, there may be room in it.
                    with self.assertRaises(grpc.RpcError) as refused:
                        for _ in range(2000):
                            taken.append(self.submit(channel, folder).name)
                    error = refused.exception
                    self.assertEqual(error.code(), grpc.StatusCode.RESOURCE_EXHAUSTED, error.details())
                    self.assertEqual(details(error)["ErrorInfo"].reason, "STATE_DISK_FULL")
                    self.assertIn("disk space", details(error)["ErrorInfo"].metadata["hint"])
                    self.assertTrue(info(channel).version)
                    self.assertTrue(self.state_of(channel, taken[0]))
                    (disk / "fill").unlink()

                    def room():
                        try:
                            return self.submit(channel, folder).name
                        except grpc.RpcError:
                            return None
                    taken.append(wait_until(room))
                    for name in taken:
                        wait_until(lambda: self.state_of(channel, name) == "SUCCEEDED")

    def test_a_damaged_state_database_refuses_the_start_and_says_how_to_restore_it(self):
        with Daemon() as daemon:
            folder = daemon.folder
            (folder / "a.db").touch()
            with daemon.channel() as channel:
                for _ in range(20):
                    self.submit(channel, folder)
            daemon.process.terminate()
            self.assertEqual(daemon.process.wait(LIMIT), 0)
            database = folder / "state/state.db"
            good = database.read_bytes()
            database.write_bytes(good[:4096] + b"\x5a" * (len(good) - 4096))
            for _ in range(2):
                ended = subprocess.run([harness.DXTD, "--config", str(daemon.config)], capture_output=True, text=True,
                                       timeout=LIMIT, check=False)
                self.assertEqual(ended.returncode, 1, ended.stderr)
                self.assertIn(str(database), ended.stderr)
                self.assertIn("[state.corrupt]", ended.stderr)
                self.assertIn("mv ", ended.stderr)
            database.write_bytes(good)
            daemon.start()
            with daemon.channel() as channel:
                self.assertTrue(info(channel).version)


class Files(unittest.TestCase):
    TEXT = """version: 1
name: files
source: {{type: sqlite, path: {source}}}
target: {{type: sqlite, path: {target}}}
streams:
  - {{id: t, kind: table, source: t, target: t, load: {{mode: append}}}}
"""

    def test_documents_name_files_below_the_roots_only_and_links_lead_nowhere_else(self):
        runs, messages = service("run"), proto("run_service")
        projects, asked = service("project"), proto("project_service")
        with Daemon() as daemon, daemon.channel() as channel:
            folder = daemon.folder
            (folder / "link").symlink_to("/etc")
            inside = {"source": f"{folder}/a.db", "target": f"{folder}/b.db"}
            for outside in ({"source": "/etc/a.db"}, {"target": "/etc/b.db"}, {"target": f"{folder}/link/b.db"},
                            {"source": f"{folder}/../a.db"}, {"target": f"{folder}x/b.db"}):
                sent = documents(folder / "files.yaml", self.TEXT.format(**{**inside, **outside}))
                run_stub, project_stub = runs.RunServiceStub(channel), projects.ProjectServiceStub(channel)
                for call, request in (
                        (run_stub.SubmitRun, messages.SubmitRunRequest(documents=sent)),
                        (project_stub.PreviewStream, asked.PreviewStreamRequest(documents=sent, stream="t")),
                        (project_stub.ListStreams, asked.ListStreamsRequest(documents=sent)),
                        (project_stub.CheckConnections, asked.CheckConnectionsRequest(documents=sent))):
                    with self.assertRaises(grpc.RpcError) as refused:
                        call(request, timeout=LIMIT)
                    self.assertEqual(refused.exception.code(), grpc.StatusCode.FAILED_PRECONDITION)
                    self.assertEqual(details(refused.exception)["ErrorInfo"].reason, "FILES_OUTSIDE_ROOTS")
            # Streams of a connection without a folder would name files by themselves.
            for source, target, reference, into in (
                    ("type: file", f"type: sqlite, path: {folder}/b.db", "/etc/passwd", "t"),
                    (f"type: sqlite, path: {folder}/a.db", "type: file", "t", "/tmp/outside.csv")):
                sent = documents(folder / "files.yaml", f"""version: 1
name: files
source: {{{source}}}
target: {{{target}}}
streams:
  - {{id: t, source: {reference}, target: {into}, load: {{mode: append}}}}
""")
                with self.assertRaises(grpc.RpcError) as refused:
                    runs.RunServiceStub(channel).SubmitRun(messages.SubmitRunRequest(documents=sent), timeout=LIMIT)
                self.assertEqual(details(refused.exception)["ErrorInfo"].reason, "FILES_OUTSIDE_ROOTS")
            for name in ("sqlite:///etc/x.db", "/etc/x.db"):
                with self.assertRaises(grpc.RpcError):
                    project_stub.DiscoverPipeline(asked.DiscoverPipelineRequest(connection=name), timeout=LIMIT)
            run = run_stub.SubmitRun(messages.SubmitRunRequest(
                documents=documents(folder / "files.yaml", self.TEXT.format(**inside))), timeout=LIMIT)
            self.assertTrue(run.name)


class Signals(unittest.TestCase):
    def test_the_service_manager_hears_ready_watchdog_reload_and_stop(self):
        with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(os.path.join(folder, "notify"))
            manager.settimeout(LIMIT)

            def heard(word):
                while True:
                    text = manager.recv(4096).decode()
                    if word in text:
                        return text
            with Daemon(environment={"NOTIFY_SOCKET": os.path.join(folder, "notify"),
                                     "WATCHDOG_USEC": "200000"}) as daemon:
                self.assertIn(f"MAINPID={daemon.process.pid}", heard("READY=1"))
                heard("WATCHDOG=1")
                daemon.process.send_signal(signal.SIGHUP)
                heard("RELOADING=1")
                heard("READY=1")
                daemon.process.send_signal(signal.SIGTERM)
                heard("STOPPING=1")
                self.assertEqual(daemon.process.wait(LIMIT), 0)

    def test_sighup_changes_the_log_level_and_keeps_the_old_one_when_the_file_is_wrong(self):
        with Daemon(config="log: {level: error}\n") as daemon:
            self.assertEqual(daemon.events(), [])
            daemon.config.write_text(daemon.config.read_text().replace("error", "debug"))
            daemon.process.send_signal(signal.SIGHUP)
            wait_until(lambda: [e for e in daemon.events() if e["event"] == "reloaded"])
            daemon.config.write_text(daemon.config.read_text().replace("debug", "loud"))
            daemon.process.send_signal(signal.SIGHUP)
            wait_until(lambda: [e for e in daemon.events() if e["event"] == "reload_failed"])
            with daemon.channel() as channel:
                self.assertTrue(info(channel).version)

    def test_sighup_reads_the_folder_of_pipelines_again_and_says_what_changed(self):
        text = ("name: {name}\nsource: {{type: sqlite, path: /x/a.db}}\ntarget: {{type: sqlite, path: /x/b.db}}\n"
                "streams: [{{id: t, source: t, target: {target}}}]\n")
        with tempfile.TemporaryDirectory(prefix="dxt-api-") as folder:
            folder = harness.pathlib.Path(folder)
            (folder / "pipelines").mkdir()

            def write(name, target):
                (folder / f"pipelines/{name}.yaml").write_text(text.format(name=name, target=target))
            for name in ("kept", "changed", "removed"):
                write(name, "one")
            with Daemon(folder=folder, config="pipelines_dir: pipelines\n") as daemon, daemon.channel() as channel:
                def loaded():
                    return [e["message"] for e in daemon.events() if e["event"] == "pipelines_loaded"]
                self.assertEqual(loaded(), ["3 added (default/changed, default/kept, default/removed), 0 changed, "
                                            "0 removed, 0 unchanged"])
                write("changed", "two")
                write("added", "one")
                (folder / "pipelines/removed.yaml").unlink()
                (folder / "pipelines/bad.yaml").write_text("nmae: bad\n")
                daemon.process.send_signal(signal.SIGHUP)
                wait_until(lambda: len(loaded()) == 2)
                self.assertTrue(loaded()[1].startswith("1 added (default/added), 1 changed (default/changed), "
                                                       "1 removed (default/removed), 1 unchanged; "), loaded()[1])
                self.assertIn("bad.yaml refused: ", loaded()[1])
                self.assertIn("nmae", loaded()[1])
                messages = proto("pipeline_service")
                stub = service("pipeline").PipelineServiceStub(channel)
                with self.assertRaises(grpc.RpcError) as refused:
                    stub.ApplyPipeline(messages.ApplyPipelineRequest(
                        parent="projects/default", document=proto("document").Document(
                            text=text.format(name="kept", target="two"))), timeout=LIMIT)
                self.assertEqual(refused.exception.code(), grpc.StatusCode.FAILED_PRECONDITION)
                listed = stub.ListPipelines(messages.ListPipelinesRequest(parent="projects/-"), timeout=LIMIT)
                self.assertEqual([p.name.rpartition("/")[2] for p in listed.pipelines], ["added", "changed", "kept"])

    def test_a_watch_that_comes_back_after_a_kill_misses_nothing(self):
        with Daemon() as daemon:
            runs, messages = service("run"), proto("run_service")
            (daemon.folder / "source.db").touch()
            with daemon.channel() as channel:
                stub = runs.RunServiceStub(channel)
                run = stub.SubmitRun(messages.SubmitRunRequest(documents=documents(
                    daemon.folder / "endless.yaml", ENDLESS.format(folder=daemon.folder, name="endless"))), timeout=LIMIT)
                for event in stub.WatchRun(messages.WatchRunRequest(name=run.name), timeout=LIMIT):
                    if event.progress.rows_read > 0 or event.log.event == "stream_started":
                        break
            daemon.kill()
            daemon.start()
            with daemon.channel() as channel:
                stub = runs.RunServiceStub(channel)
                watch = stub.WatchRun(messages.WatchRunRequest(name=run.name, cursor=event.cursor), timeout=LIMIT)
                self.assertEqual(next(watch).state, messages.Run.RUNNING)
                stub.CancelRun(messages.CancelRunRequest(name=run.name), timeout=LIMIT)
                self.assertEqual(list(watch)[-1].finished.state, messages.Run.CANCELLED)

    def test_sigterm_drains_says_so_and_leaves_nothing_behind(self):
        with Daemon("--shutdown-grace", "5s") as daemon:
            runs, messages = service("run"), proto("run_service")
            (daemon.folder / "source.db").touch()
            with daemon.channel() as channel:
                stub = runs.RunServiceStub(channel)
                run = stub.SubmitRun(messages.SubmitRunRequest(documents=documents(
                    daemon.folder / "endless.yaml", ENDLESS.format(folder=daemon.folder, name="endless"))), timeout=LIMIT)
                watch = stub.WatchRun(messages.WatchRunRequest(name=run.name), timeout=LIMIT)
                for event in watch:
                    if event.log.event == "stream_started" or event.progress.rows_read > 0:
                        break
                daemon.process.send_signal(signal.SIGTERM)
                wait_until(lambda: health(channel) == 2)
                with self.assertRaises(grpc.RpcError) as refused:
                    stub.SubmitRun(messages.SubmitRunRequest(documents=documents("/x.yaml", "{}")), timeout=LIMIT)
                self.assertEqual(refused.exception.code(), grpc.StatusCode.UNAVAILABLE)
            self.assertEqual(daemon.process.wait(LIMIT), 0)
            self.assertFalse(daemon.socket.exists())
            self.assertFalse((daemon.folder / "state/dxtd.addr").exists())


class Http(unittest.TestCase):
    def ask(self, daemon, path):
        address = next(e["address"] for e in daemon.events() if e["event"] == "http_started")
        connection = http.client.HTTPConnection(address, timeout=LIMIT)
        connection.request("GET", path)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, text

    def test_health_and_metrics_are_told(self):
        with Daemon("--http-listen", "127.0.0.1:0", "--shutdown-grace", "2s") as daemon:
            self.assertEqual(self.ask(daemon, "/healthz")[0], 200)
            self.assertEqual(self.ask(daemon, "/readyz")[0], 200)
            self.assertEqual(self.ask(daemon, "/")[0], 404)
            status, text = self.ask(daemon, "/metrics")
            self.assertEqual(status, 200)
            for line in ("dxt_build_info{version=", "dxt_workers ", 'dxt_runs{state="QUEUED"} 0',
                         "dxt_memory_budget_bytes ", "dxt_resident_memory_bytes ",
                         'dxt_runs_ended_total{state="SUCCEEDED"} 0'):
                self.assertIn(line, text)
            names = re.findall(r"^# TYPE (\S+)", text, re.M)
            self.assertEqual(len(names), len(set(names)))
            page = (harness.pathlib.Path(harness.PROTOS).parent / "docs/reference/metrics.md").read_text()
            for name in names:
                self.assertIn(f"`{name}`", page)


if __name__ == "__main__":
    harness.main()
