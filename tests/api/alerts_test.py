#!/usr/bin/env python3
"""Alerts from end to end: a real dxtd, stored pipelines, and a web server that takes what it tells.

    alerts_test.py DXTD PROTO_FOLDER GOOGLEAPIS_FOLDER
"""
import http.server
import json
import sqlite3
import threading
import unittest

import harness
from harness import LIMIT, Daemon, proto, service, wait_until

SECRET = "T000-s3cret-path"
BROKEN = """name: broken
source: {{type: file, url: {folder}}}
target: {{type: sqlite, path: {folder}/b.db}}
streams: [{{id: gone, source: gone.csv, target: gone, load: {{mode: replace}}}}]
alerts: [{{webhook: '${{HOOK}}', on: [failed, stale], stale_after: 1s}}]
"""
ENDLESS = """name: endless
source: {{type: sqlite, path: {folder}/a.db}}
target: {{type: sqlite, path: {folder}/b.db}}
runtime: {{overlap: skip}}
streams:
  - id: endless
    kind: query
    source: >
      WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) AS i FROM n
    target: t
    load: {{mode: replace}}
alerts: [{{webhook: '${{HOOK}}', on: missed}}]
"""
HALF = """name: half
source: {{type: sqlite, path: {folder}/rows.db}}
target: {{type: sqlite, path: {folder}/half.db}}
streams:
  - {{id: rows, source: rows, target: rows, load: {{mode: replace}}}}
  - {{id: gone, source: gone, target: gone, load: {{mode: replace}}}}
"""
SHRUNK = """name: shrunk
source: {{type: sqlite, path: {folder}/rows.db}}
target: {{type: sqlite, path: {folder}/shrunk.db}}
streams: [{{id: rows, source: rows, target: rows, load: {{mode: replace}}}}]
alerts: [{{webhook: '${{HOOK}}', on: guard}}]
"""
PROJECT = "name: shop\nalerts: [{webhook: '${HOOK}', on: partial}]\n"


class Receiver(http.server.ThreadingHTTPServer):
    """Takes alerts; answers the first with 500 and the others with 200."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.lock = threading.Lock()
        self.tries, self.taken = [], []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/services/{SECRET}"

    def events(self):
        """What was accepted, as the part for programs."""
        with self.lock:
            return [json.loads(body)["metadata"]["event_payload"] for body in self.taken]

    def of(self, event):
        return [told for told in self.events() if told["event"] == event]


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        with self.server.lock:
            self.server.tries.append((self.path, body))
            refused = len(self.server.tries) == 1
            if not refused:
                self.server.taken.append(body)
        self.send_response(500 if refused else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class Alerts(unittest.TestCase):
    def setUp(self):
        self.receiver = Receiver()
        self.addCleanup(self.receiver.server_close)
        self.addCleanup(self.receiver.shutdown)
        self.daemon = Daemon(config="pipelines_dir: pipelines\nsecrets: {HOOK: 'env:TEST_HOOK'}\nworkers: 2\n",
                             environment={"TEST_HOOK": self.receiver.url})
        folder = self.daemon.folder
        (folder / "a.db").touch()
        (folder / "pipelines").mkdir()
        for name, text in (("broken", BROKEN), ("endless", ENDLESS)):
            (folder / f"pipelines/{name}.yaml").write_text(text.format(folder=folder))

    def submit(self, channel, name, project="default"):
        return service("run").RunServiceStub(channel).SubmitRun(proto("run_service").SubmitRunRequest(
            pipeline=f"projects/{project}/pipelines/{name}"), timeout=LIMIT).name

    def ticks(self, outcome):
        return [e for e in self.daemon.events() if e["event"] == "tick" and e["message"] == outcome]

    def test_what_goes_wrong_is_told_once_and_again_by_no_restart(self):
        messages = proto("schedule_service")
        with self.daemon as daemon:
            with daemon.channel() as channel:
                stale = wait_until(lambda: self.receiver.of("stale"))
                self.assertEqual(stale[0]["pipeline"], "broken")
                self.assertIn("has not succeeded", stale[0]["summary"])
                self.assertEqual(self.receiver.tries[0], self.receiver.tries[1])

                self.submit(channel, "broken")
                failed = wait_until(lambda: self.receiver.of("failed"))
                self.assertEqual(failed[0]["pipeline"], "broken")
                self.assertIn("gone.csv", failed[0]["detail"])

                service("schedule").ScheduleServiceStub(channel).CreateSchedule(messages.CreateScheduleRequest(
                    parent="projects/default", schedule_id="often", schedule=messages.Schedule(
                        pipeline="projects/default/pipelines/endless", cron="@every 1s")), timeout=LIMIT)
                missed = wait_until(lambda: self.receiver.of("missed"))
                self.assertEqual((missed[0]["pipeline"], missed[0]["schedule"]), ("endless", "often"))
                self.assertIn("has not ended", missed[0]["detail"])
                wait_until(lambda: len(self.ticks("SKIPPED_OVERLAP")) > 2)
            daemon.kill()
            before = len(self.ticks("SKIPPED_OVERLAP"))
            daemon.start()
            wait_until(lambda: len(self.ticks("SKIPPED_OVERLAP")) > before + 1)
            with daemon.channel() as channel:
                self.submit(channel, "broken")
            wait_until(lambda: len(self.receiver.of("failed")) == 2)
            daemon.process.terminate()
            self.assertEqual(daemon.process.wait(LIMIT), 0)
            self.check_what_was_told()

    def test_a_projects_receiver_is_told_of_partial_runs_and_a_pipelines_of_its_guard(self):
        folder = self.daemon.folder
        for name in ("broken", "endless"):
            (folder / f"pipelines/{name}.yaml").unlink()
        (folder / "pipelines/dxt_project.yaml").write_text(PROJECT)
        for name, text in (("half", HALF), ("shrunk", SHRUNK)):
            (folder / f"pipelines/{name}.yaml").write_text(text.format(folder=folder))
        with sqlite3.connect(folder / "rows.db") as rows:
            rows.execute("CREATE TABLE rows (id INTEGER PRIMARY KEY)")
            rows.executemany("INSERT INTO rows VALUES (?)", [(i,) for i in range(200)])
        messages = proto("run_service")
        with self.daemon as daemon, daemon.channel() as channel:
            def end(name):
                run = self.submit(channel, name, "shop")
                watch = service("run").RunServiceStub(channel).WatchRun(
                    messages.WatchRunRequest(name=run), timeout=LIMIT)
                return list(watch)[-1].finished
            self.assertEqual(end("shrunk").exit_code, 0)
            with sqlite3.connect(folder / "rows.db") as rows:
                rows.execute("DELETE FROM rows WHERE id >= 10")
            self.assertEqual(end("shrunk").exit_code, 4)
            guard = wait_until(lambda: self.receiver.of("guard"))
            self.assertEqual((guard[0]["project"], guard[0]["pipeline"]), ("shop", "shrunk"))
            self.assertEqual(end("half").state, messages.Run.PARTIAL)
            partial = wait_until(lambda: self.receiver.of("partial"))
            self.assertEqual((partial[0]["project"], partial[0]["pipeline"]), ("shop", "half"))
        self.assertEqual(sorted(told["event"] for told in self.receiver.events()), ["guard", "partial"])

    def check_what_was_told(self):
        daemon = self.daemon
        self.assertEqual(len(self.receiver.of("stale")), 1)
        self.assertEqual(len(self.receiver.of("missed")), 1)

        self.assertEqual({path for path, _ in self.receiver.tries}, {f"/services/{SECRET}"})
        told = [e["event"] for e in daemon.events()]
        self.assertIn("alert_retry", told)
        self.assertIn("alert_sent", told)
        for _, body in self.receiver.tries:
            self.assertNotIn(SECRET, body)
        for file in [daemon.log, *(daemon.folder / "state").rglob("*")]:
            if file.is_file():
                self.assertNotIn(SECRET.encode(), file.read_bytes(), file)


if __name__ == "__main__":
    harness.main()
