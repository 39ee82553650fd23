#!/usr/bin/env python3
"""Traces from end to end: a real dxtd, and a collector that reads OTLP/HTTP.

    traces_test.py DXTD PROTO_FOLDER GOOGLEAPIS_FOLDER
"""
import http.client
import http.server
import json
import re
import sqlite3
import threading
import time
import unittest

import harness
from harness import LIMIT, Daemon, documents, proto, service

SECRET = "hunter2-of-the-header"
COPY = """version: 1
name: copy
source: {{type: sqlite, path: {folder}/a.db}}
target: {{type: sqlite, path: {folder}/b.db}}
streams:
  - {{id: people, kind: table, source: people, target: persons, load: {{mode: replace}}}}
  - {{id: gone, kind: table, source: gone, target: gone, load: {{mode: replace}}}}
"""
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


class Collector(http.server.ThreadingHTTPServer):
    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.lock = threading.Lock()
        self.requests = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def spans(self):
        """Span name -> span, with `attributes` and `resource` as dicts."""
        found = {}
        with self.lock:
            bodies = [json.loads(body) for _, _, body in self.requests]
        for group in (group for body in bodies for group in body["resourceSpans"]):
            for span in group["scopeSpans"][0]["spans"]:
                span["attributes"] = {a["key"]: next(iter(a["value"].values())) for a in span["attributes"]}
                span["resource"] = {a["key"]: next(iter(a["value"].values()))
                                    for a in group["resource"]["attributes"]}
                key = span["name"]
                stream = span["attributes"].get("dxt.stream")
                found[f"{key} of {stream}" if stream and not key.startswith("stream ") else key] = span
        return found


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        with self.server.lock:
            self.server.requests.append((self.path, dict(self.headers), body))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


class Traces(unittest.TestCase):
    def run_copy(self, daemon, *metadata):
        with sqlite3.connect(daemon.folder / "a.db") as database:
            database.execute("CREATE TABLE IF NOT EXISTS people (id INTEGER PRIMARY KEY, name TEXT)")
            database.execute("DELETE FROM people")
            database.executemany("INSERT INTO people VALUES (?, ?)", [(i, f"secret-row-{i}") for i in range(100)])
        with daemon.channel() as channel:
            stub, messages = service("run").RunServiceStub(channel), proto("run_service")
            run = stub.SubmitRun(messages.SubmitRunRequest(documents=documents(
                daemon.folder / "copy.yaml", COPY.format(folder=daemon.folder))), timeout=LIMIT, metadata=metadata)
            ended = list(stub.WatchRun(messages.WatchRunRequest(name=run.name), timeout=LIMIT))[-1].finished
            return run.name.rpartition("/")[2], messages.Run.State.Name(ended.state)

    def scrape(self, daemon):
        address = next(e["address"] for e in daemon.events() if e["event"] == "http_started")
        connection = http.client.HTTPConnection(address, timeout=LIMIT)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        return dict(re.findall(r"^(dxt_trace_spans_total\S*) (\S+)$", text, re.M))

    def end(self, daemon):
        daemon.process.terminate()
        self.assertEqual(daemon.process.wait(LIMIT), 0)

    def test_a_run_is_a_trace_of_its_callers(self):
        collector = Collector()
        self.addCleanup(collector.server_close)
        self.addCleanup(collector.shutdown)
        before = time.time_ns()
        with Daemon(config="otel: {headers: {authorization: 'env:TEST_HEADER'}}\nlog: {level: debug}\n",
                    environment={"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url + "/", "OTEL_SERVICE_NAME": "mover",
                                 "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=test%20bed",
                                 "TEST_HEADER": SECRET}) as daemon:
            run, state = self.run_copy(daemon, ("traceparent", f"00-{TRACE}-{PARENT}-01"))
            self.assertEqual(state, "PARTIAL")
            # Sampled out: no trace.
            self.run_copy(daemon, ("traceparent", "00-" + "a" * 32 + f"-{PARENT}-00"))
            self.end(daemon)
            self.assertNotIn(SECRET, daemon.log.read_text())
        # What had not gone yet went at the end.
        spans = collector.spans()
        after = time.time_ns()
        self.assertEqual({span["traceId"] for span in spans.values()}, {TRACE})
        self.assertEqual(len({span["spanId"] for span in spans.values()}), len(spans))
        root = spans["run default/copy"]
        self.assertEqual(root["parentSpanId"], PARENT)
        self.assertEqual(root["attributes"]["dxt.run.id"], run)
        self.assertEqual(root["attributes"]["dxt.run.state"], "PARTIAL")
        self.assertEqual(root["status"]["code"], 2)
        self.assertEqual(root["resource"]["service.name"], "mover")
        self.assertEqual(root["resource"]["deployment.environment.name"], "test bed")
        for name, parent in (("queue", "run default/copy"), ("stream people", "run default/copy"),
                             ("plan of people", "stream people"), ("extract of people", "stream people"),
                             ("load of people", "stream people"), ("commit of people", "stream people"),
                             ("stream gone", "run default/copy"), ("plan of gone", "stream gone")):
            span, above = spans[name], spans[parent]
            self.assertEqual(span["parentSpanId"], above["spanId"], name)
            self.assertLessEqual(int(above["startTimeUnixNano"]), int(span["startTimeUnixNano"]), name)
            self.assertLessEqual(int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"]), name)
            self.assertLessEqual(int(span["endTimeUnixNano"]), int(above["endTimeUnixNano"]), name)
        self.assertLessEqual(before - 10**6, int(root["startTimeUnixNano"]))
        self.assertLessEqual(int(root["endTimeUnixNano"]), after)
        extract, commit = spans["extract of people"]["attributes"], spans["commit of people"]["attributes"]
        self.assertEqual((extract["db.system.name"], extract["db.collection.name"]), ("sqlite", "people"))
        self.assertEqual((commit["db.system.name"], commit["db.collection.name"]), ("sqlite", "persons"))
        self.assertEqual(spans["stream people"]["attributes"]["dxt.rows.written"], "100")
        self.assertEqual(spans["stream people"]["status"]["code"], 1)
        self.assertEqual(spans["plan of gone"]["status"]["code"], 2)
        self.assertTrue(spans["stream gone"]["attributes"]["error.type"])

        for path, headers, body in collector.requests:
            self.assertEqual(path, "/v1/traces")
            self.assertEqual(headers["authorization"], SECRET)
            self.assertNotIn("secret-row", body)
            self.assertNotIn(SECRET, body)

    def test_a_collector_that_is_away_costs_spans_and_nothing_else(self):
        collector = Collector()
        url = collector.url
        collector.shutdown()
        collector.server_close()
        with Daemon("--otel-endpoint", url, "--http-listen", "127.0.0.1:0") as daemon:
            for _ in range(3):
                self.assertEqual(self.run_copy(daemon)[1], "PARTIAL")
            self.assertEqual(self.scrape(daemon)['dxt_trace_spans_total{result="exported"}'], "0")
            began = time.monotonic()
            self.end(daemon)
            self.assertLess(time.monotonic() - began, 30)
            self.assertTrue([e for e in daemon.events() if e["event"] == "traces_dropped"])

    def test_nothing_is_traced_unless_it_is_asked_for(self):
        with Daemon(environment={"OTEL_SDK_DISABLED": "true",
                                 "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}) as daemon:
            self.run_copy(daemon)
            self.end(daemon)
            self.assertFalse([e for e in daemon.events() if e["event"].startswith("traces")])


if __name__ == "__main__":
    harness.main()
