#!/usr/bin/env python3
"""The whole API, driven over a real socket by a Python client made from the protos.

    client_test.py DXTD PROTO_FOLDER GOOGLEAPIS_FOLDER
"""
import contextlib
import json
import pathlib
import sqlite3
import unittest

import grpc
from google.protobuf import field_mask_pb2, timestamp_pb2

from harness import ENDLESS, LIMIT, Daemon, details, documents, main, proto, service, wait_until

document, pipelines, schedules, projects = (proto(name) for name in (
    "document", "pipeline_service", "schedule_service", "project_service"))
runs, dependencies, state, server = (proto(name) for name in (
    "run_service", "dependency_service", "state_service", "server_service"))

COPY = """version: 1
name: {name}
source: {{type: sqlite, path: {folder}/source.db}}
target: {{type: sqlite, path: {folder}/{target}.db}}
streams:
  - {{id: orders, kind: table, source: orders, target: orders, load: {{mode: replace, allow_empty: true}}}}
"""


class ApiTest(unittest.TestCase):
    """One daemon for the tests of a class; each test uses names of its own."""

    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon("--workers", "2")
        with sqlite3.connect(cls.daemon.folder / "source.db") as database:
            database.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, name TEXT)")
            database.executemany("INSERT INTO orders VALUES (?, ?)", [(i, f"n{i}") for i in range(100)])
        cls.daemon.start()
        cls.channel = cls.daemon.channel()
        cls.runs = service("run").RunServiceStub(cls.channel)
        cls.pipelines = service("pipeline").PipelineServiceStub(cls.channel)
        cls.schedules = service("schedule").ScheduleServiceStub(cls.channel)
        cls.dependencies = service("dependency").DependencyServiceStub(cls.channel)
        cls.projects = service("project").ProjectServiceStub(cls.channel)
        cls.server = service("server").ServerServiceStub(cls.channel)

    @classmethod
    def tearDownClass(cls):
        cls.channel.close()
        cls.daemon.__exit__()

    def text(self, name, form=COPY):
        return form.format(name=name, target=name, folder=self.daemon.folder)

    def documents(self, name, form=COPY):
        return documents(self.daemon.folder / f"{name}.yaml", self.text(name, form))

    def apply(self, name, form=COPY):
        return self.pipelines.ApplyPipeline(pipelines.ApplyPipelineRequest(
            parent="projects/default", document=document.Document(text=self.text(name, form))), timeout=LIMIT)

    def submit(self, **fields):
        return self.runs.SubmitRun(runs.SubmitRunRequest(**fields), timeout=LIMIT)

    def finish(self, name):
        """Watches a run to its end."""
        events = list(self.runs.WatchRun(runs.WatchRunRequest(name=name), timeout=LIMIT))
        self.assertEqual(events[-1].WhichOneof("event"), "finished")
        return events[-1].finished

    def refused(self, code, call, request):
        """The ErrorInfo of a call that must fail with the code."""
        with self.assertRaises(grpc.RpcError) as failed:
            answer = call(request, timeout=LIMIT)
            if hasattr(answer, "__next__"):
                list(answer)
        error = failed.exception
        self.assertEqual(error.code(), code, error.details())
        found = details(error)
        self.assertEqual(found["ErrorInfo"].domain, "dxt.dev")
        self.assertRegex(found["ErrorInfo"].reason, "^[A-Z][A-Z0-9_]+$")
        self.assertTrue(error.details())
        return found


class Runs(ApiTest):
    def test_submit_watch_get_and_list(self):
        run = self.submit(documents=self.documents("moved"))
        self.assertRegex(run.name, "^projects/default/runs/[0-9A-Z]{26}$")
        ended = self.finish(run.name)
        self.assertEqual(ended.state, runs.Run.SUCCEEDED, ended.result_json)
        self.assertEqual(json.loads(ended.result_json)["totals"]["rows_written"], 100)
        got = self.runs.GetRun(runs.GetRunRequest(name=run.name), timeout=LIMIT)
        self.assertEqual(got.exit_code, 0)
        self.assertEqual(got.trigger.kind, runs.Trigger.SUBMIT)
        self.assertIn("name: moved", got.document)
        listed = self.runs.ListRuns(runs.ListRunsRequest(parent="projects/-", pipeline="moved"), timeout=LIMIT)
        self.assertEqual([r.name for r in listed.runs], [run.name])
        # The run is over and its feed may be gone: a watch still tells the end.
        self.assertEqual(self.finish(run.name).state, runs.Run.SUCCEEDED)
        lines = list(self.runs.TailLogs(runs.TailLogsRequest(name=run.name, follow=True), timeout=LIMIT))
        self.assertTrue(lines)
        self.assertEqual([l.cursor for l in lines], sorted({l.cursor for l in lines}))
        rest = list(self.runs.TailLogs(runs.TailLogsRequest(name=run.name, cursor=lines[0].cursor), timeout=LIMIT))
        self.assertEqual([l.cursor for l in rest], [l.cursor for l in lines[1:]])

    def test_a_watch_goes_on_after_its_cursor_and_misses_nothing(self):
        run = self.submit(documents=self.documents("resumed"))
        every = list(self.runs.WatchRun(runs.WatchRunRequest(name=run.name), timeout=LIMIT))
        for at in range(len(every)):
            rest = list(self.runs.WatchRun(runs.WatchRunRequest(name=run.name, cursor=every[at].cursor),
                                           timeout=LIMIT))
            seen = [e.cursor for e in every[at + 1:] if e.WhichOneof("event") != "progress"]
            self.assertEqual([e.cursor for e in rest if e.WhichOneof("event") != "progress"], seen)

    def test_cancel_ends_a_run_within_seconds_and_a_second_one_changes_nothing(self):
        run = self.submit(documents=self.documents("cancelled", ENDLESS))
        for event in self.runs.WatchRun(runs.WatchRunRequest(name=run.name), timeout=LIMIT):
            if event.progress.rows_read > 0 or event.log.event == "stream_started":
                break
        asked = self.runs.CancelRun(runs.CancelRunRequest(name=run.name, reason="enough"), timeout=LIMIT)
        self.assertIn(asked.state, (runs.Run.CANCELLING, runs.Run.CANCELLED))
        self.assertEqual(self.finish(run.name).state, runs.Run.CANCELLED)
        again = self.runs.CancelRun(runs.CancelRunRequest(name=run.name), timeout=LIMIT)
        self.assertEqual(again.state, runs.Run.CANCELLED)
        retried = self.runs.RetryRun(runs.RetryRunRequest(name=run.name), timeout=LIMIT)
        self.assertEqual((retried.trigger.kind, retried.trigger.source), (runs.Trigger.RETRY, run.name))
        self.runs.CancelRun(runs.CancelRunRequest(name=retried.name), timeout=LIMIT)
        self.assertEqual(self.finish(retried.name).state, runs.Run.CANCELLED)

    def test_one_request_id_makes_one_run_and_another_body_is_refused(self):
        request = runs.SubmitRunRequest(documents=self.documents("once"), request_id="the-one")
        with contextlib.ExitStack() as stack:
            # A connection carries 100 calls at a time.
            stubs = [service("run").RunServiceStub(stack.enter_context(self.daemon.channel())) for _ in range(10)]
            calls = [stub.SubmitRun.future(request, timeout=LIMIT) for _ in range(100) for stub in stubs]
            made = {call.result().name for call in calls}
        self.assertEqual((len(calls), len(made)), (1000, 1))
        listed = self.runs.ListRuns(runs.ListRunsRequest(parent="projects/-", pipeline="once"), timeout=LIMIT)
        self.assertEqual({run.name for run in listed.runs}, made)
        other = runs.SubmitRunRequest(documents=self.documents("twice"), request_id="the-one")
        found = self.refused(grpc.StatusCode.ALREADY_EXISTS, self.runs.SubmitRun, other)
        self.assertEqual(found["ErrorInfo"].reason, "RUN_REQUEST_REUSED")

    def test_validate_only_stores_nothing(self):
        checked = self.submit(documents=self.documents("checked"), validate_only=True)
        self.assertEqual((checked.name, checked.pipeline), ("", "projects/default/pipelines/checked"))
        listed = self.runs.ListRuns(runs.ListRunsRequest(parent="projects/-", pipeline="checked"), timeout=LIMIT)
        self.assertEqual(len(listed.runs), 0)

    def test_a_list_is_filtered_ordered_and_paged(self):
        names = [self.submit(documents=self.documents("paged")).name for _ in range(5)]
        for name in names:
            self.finish(name)

        def ask(**fields):
            return self.runs.ListRuns(runs.ListRunsRequest(parent="projects/default", pipeline="paged", **fields),
                                      timeout=LIMIT)
        self.assertEqual([r.name for r in ask().runs], names[::-1])
        got, token = [], ""
        while True:
            page = ask(page_size=2, page_token=token, order_by="create_time")
            got += [r.name for r in page.runs]
            token = page.next_page_token
            if not token:
                break
        self.assertEqual(got, names)
        self.assertEqual(len(ask(filter="state=SUCCEEDED AND trigger=SUBMIT AND dry_run=false").runs), 5)
        self.assertEqual(len(ask(filter="state!=SUCCEEDED").runs), 0)
        self.assertEqual(len(ask(filter='create_time>"2020-01-01" AND end_time<"2120-01-01T00:00:00Z"').runs), 5)
        self.assertEqual(len(ask(filter='create_time<"2020-01-01"').runs), 0)
        self.assertEqual(len(ask(page_size=100000).runs), 5)
        first = ask(page_size=2)
        request = runs.ListRunsRequest(parent="projects/default", pipeline="other", page_size=2,
                                       page_token=first.next_page_token)
        found = self.refused(grpc.StatusCode.INVALID_ARGUMENT, self.runs.ListRuns, request)
        self.assertEqual(found["BadRequest"].field_violations[0].field, "page_token")

    def test_what_is_malformed_is_refused_with_a_reason_and_the_daemon_stays_up(self):
        submit, listing = self.runs.SubmitRun, self.runs.ListRuns
        get, watch = self.runs.GetRun, self.runs.WatchRun
        bad, missing = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND
        nobody = "projects/default/runs/01ARZ3NDEKTSV4RRFFQ69G5FAV"
        cases = [
            (bad, submit, runs.SubmitRunRequest()),
            (bad, submit, runs.SubmitRunRequest(documents=self.documents("x"),
                                                pipeline="projects/default/pipelines/x")),
            (bad, submit, runs.SubmitRunRequest(documents=documents("/x.yaml", "version: [}"))),
            (bad, submit, runs.SubmitRunRequest(documents=self.documents("x"), request_id="x" * 129)),
            (bad, submit, runs.SubmitRunRequest(documents=self.documents("x"), priority=2**31 - 1)),
            (bad, submit, runs.SubmitRunRequest(documents=self.documents("x"), options=runs.RunOptions(phase=77))),
            (bad, submit, runs.SubmitRunRequest(pipeline="no such name")),
            (missing, submit, runs.SubmitRunRequest(pipeline="projects/default/pipelines/none")),
            (bad, listing, runs.ListRunsRequest(parent="projects/-", page_size=-1)),
            (bad, listing, runs.ListRunsRequest(parent="projects/-", page_token="!")),
            (bad, listing, runs.ListRunsRequest(parent="everything")),
            (bad, listing, runs.ListRunsRequest(parent="projects/-", order_by="rows")),
            (bad, get, runs.GetRunRequest(name="projects/default/runs/../../etc")),
            (missing, get, runs.GetRunRequest(name=nobody)),
            (missing, watch, runs.WatchRunRequest(name=nobody)),
            (bad, watch, runs.WatchRunRequest(name=nobody, cursor=-5)),
            (missing, self.runs.CancelRun, runs.CancelRunRequest(name=nobody)),
            (missing, self.runs.RetryRun, runs.RetryRunRequest(name=nobody)),
            (missing, self.runs.TailLogs, runs.TailLogsRequest(name=nobody)),
            (bad, self.runs.TailLogs, runs.TailLogsRequest(name=nobody, min_severity=99)),
        ]
        for text in ("state", "state=", "state=LOUD", "rows=1", "state=FAILED OR state=PARTIAL", "state=FAILED AND",
                     'create_time>"yesterday"', "trigger!=SUBMIT", "dry_run=maybe", "((", '"', "x" * 3000):
            cases.append((bad, listing, runs.ListRunsRequest(parent="projects/-", filter=text)))
        for code, call, request in cases:
            with self.subTest(request=str(request)[:80]):
                self.refused(code, call, request)
        raw = self.channel.unary_unary("/dxt.v1.RunService/SubmitRun")
        for body in (b"\xff\xff\xff", b"\x0a\xff\xff\xff\xff\x0f", b"\x0b" * 200, b"\x08"):
            with self.assertRaises(grpc.RpcError):
                raw(body, timeout=LIMIT)
        self.assertTrue(self.server.GetServerInfo(server.GetServerInfoRequest(), timeout=LIMIT).version)

    def test_files_outside_of_the_roots_are_refused_links_too(self):
        outside = self.text("outside").replace(f"{self.daemon.folder}/outside.db", "/etc/outside.db")
        (self.daemon.folder / "link").symlink_to("/etc")
        linked = self.text("outside").replace(f"{self.daemon.folder}/outside.db",
                                              f"{self.daemon.folder}/link/outside.db")
        dotted = self.text("outside").replace("/outside.db", "/../outside.db")
        for text in (outside, linked, dotted):
            request = runs.SubmitRunRequest(documents=documents(self.daemon.folder / "outside.yaml", text))
            found = self.refused(grpc.StatusCode.FAILED_PRECONDITION, self.runs.SubmitRun, request)
            self.assertEqual(found["ErrorInfo"].reason, "FILES_OUTSIDE_ROOTS")


    def test_a_schedule_reaches_no_file_outside_of_the_roots(self):
        form = COPY.replace("{folder}/{target}.db", "/etc/{target}.db")
        self.assertNotEqual(form, COPY)
        pipeline = self.apply("escaping", form).name
        made = self.schedules.CreateSchedule(schedules.CreateScheduleRequest(
            parent="projects/default", schedule_id="escaping",
            schedule=schedules.Schedule(pipeline=pipeline, cron="0 0 1 1 *")), timeout=LIMIT)
        run = self.schedules.TriggerSchedule(schedules.TriggerScheduleRequest(name=made.name), timeout=LIMIT)
        ended = self.finish(run.name)
        self.assertEqual(ended.state, runs.Run.FAILED)
        self.assertIn("files.outside_roots", ended.result_json)
        self.assertFalse(pathlib.Path("/etc/escaping.db").exists())


class Definitions(ApiTest):
    def test_a_pipeline_is_applied_run_described_paused_and_deleted(self):
        first = self.apply("stored")
        self.assertEqual((first.name, first.revision, first.origin),
                         ("projects/default/pipelines/stored", 1, projects.ORIGIN_API))
        self.assertEqual(self.apply("stored").revision, 1, "unchanged, so no revision")
        changed = self.pipelines.ApplyPipeline(pipelines.ApplyPipelineRequest(
            parent="projects/default", etag=first.etag,
            document=document.Document(text=self.text("stored") + "description: newer\n")), timeout=LIMIT)
        self.assertEqual((changed.revision, changed.description, changed.streams), (2, "newer", 1))
        stale = pipelines.ApplyPipelineRequest(parent="projects/default", etag=first.etag,
                                               document=document.Document(text=self.text("stored")))
        self.refused(grpc.StatusCode.ABORTED, self.pipelines.ApplyPipeline, stale)
        old = self.pipelines.GetPipeline(pipelines.GetPipelineRequest(name=first.name, revision=1), timeout=LIMIT)
        self.assertNotIn("newer", old.document.text)

        run = self.submit(pipeline=first.name, request_id="stored-1", priority=7)
        ended = self.finish(run.name)
        self.assertEqual(ended.state, runs.Run.SUCCEEDED, ended.result_json)
        self.assertEqual((run.pipeline_revision, run.priority), (2, 7))
        told = self.pipelines.DescribePipeline(pipelines.DescribePipelineRequest(name=first.name), timeout=LIMIT)
        self.assertEqual([r.name for r in told.runs], [run.name])
        self.assertEqual(list(told.revisions), [2, 1])

        paused = self.pipelines.PausePipeline(pipelines.PausePipelineRequest(name=first.name, note="moving"),
                                              timeout=LIMIT)
        self.assertEqual((paused.paused, paused.pause_note), (True, "moving"))
        self.refused(grpc.StatusCode.FAILED_PRECONDITION, self.runs.SubmitRun,
                     runs.SubmitRunRequest(pipeline=first.name))
        self.pipelines.ResumePipeline(pipelines.ResumePipelineRequest(name=first.name), timeout=LIMIT)
        self.pipelines.DeletePipeline(pipelines.DeletePipelineRequest(name=first.name), timeout=LIMIT)
        self.refused(grpc.StatusCode.NOT_FOUND, self.pipelines.GetPipeline,
                     pipelines.GetPipelineRequest(name=first.name))
        kept = self.runs.ListRuns(runs.ListRunsRequest(parent="projects/default", pipeline="stored"), timeout=LIMIT)
        self.assertEqual(len(kept.runs), 1, "its runs stay in the history")

    def test_a_bad_document_is_refused_with_all_its_problems_and_validate_only_stores_nothing(self):
        request = pipelines.ApplyPipelineRequest(parent="projects/default", document=document.Document(
            text=self.text("broken").replace("mode: replace", "mode: repalce")))
        self.refused(grpc.StatusCode.INVALID_ARGUMENT, self.pipelines.ApplyPipeline, request)
        relative = pipelines.ApplyPipelineRequest(parent="projects/default", document=document.Document(
            text=self.text("broken").replace(f"{self.daemon.folder}/source.db", "source.db")))
        self.refused(grpc.StatusCode.INVALID_ARGUMENT, self.pipelines.ApplyPipeline, relative)
        self.pipelines.ApplyPipeline(pipelines.ApplyPipelineRequest(
            parent="projects/default", validate_only=True,
            document=document.Document(text=self.text("only-checked"))), timeout=LIMIT)
        self.refused(grpc.StatusCode.NOT_FOUND, self.pipelines.GetPipeline,
                     pipelines.GetPipelineRequest(name="projects/default/pipelines/only-checked"))

    def test_pipelines_are_listed_page_by_page(self):
        for name in ("list-a", "list-b", "list-c"):
            self.apply(name)
        got, token = [], ""
        while True:
            page = self.pipelines.ListPipelines(pipelines.ListPipelinesRequest(
                parent="projects/-", page_size=1, page_token=token), timeout=LIMIT)
            got += [p.name.rpartition("/")[2] for p in page.pipelines]
            token = page.next_page_token
            if not token:
                break
        self.assertEqual(got, sorted(got))
        self.assertLessEqual({"list-a", "list-b", "list-c"}, set(got))

    def test_projects_hold_connections_whose_secrets_are_not_shown(self):
        text = (f"name: shop\nconnections:\n  files: {{type: sqlite, path: {self.daemon.folder}/source.db}}\n"
                "  s3: {type: file, url: \"s3://bucket/x\", secret_access_key: \"${DXT_SECRET}\"}\n")
        request = projects.ApplyProjectRequest(document=document.Document(text=text))
        self.refused(grpc.StatusCode.INVALID_ARGUMENT, self.projects.ApplyProject, request)
        text = text.replace(', secret_access_key: "${DXT_SECRET}"', "")
        made = self.projects.ApplyProject(projects.ApplyProjectRequest(
            document=document.Document(text=text)), timeout=LIMIT)
        self.assertEqual((made.name, made.revision), ("projects/shop", 1))
        listed = self.projects.ListConnections(projects.ListConnectionsRequest(parent=made.name), timeout=LIMIT)
        self.assertEqual([c.type for c in listed.connections], ["sqlite", "file"])
        one = self.projects.GetConnection(projects.GetConnectionRequest(name=made.name + "/connections/files"),
                                          timeout=LIMIT)
        self.assertTrue(one.options["path"].endswith("source.db"))
        tested = self.projects.TestConnection(projects.TestConnectionRequest(name=one.name), timeout=LIMIT)
        self.assertTrue(tested.ok, tested.error.message)
        self.refused(grpc.StatusCode.NOT_FOUND, self.projects.GetConnection,
                     projects.GetConnectionRequest(name=made.name + "/connections/none"))
        self.assertIn(made.name, [p.name for p in self.projects.ListProjects(
            projects.ListProjectsRequest(), timeout=LIMIT).projects])
        self.projects.DeleteProject(projects.DeleteProjectRequest(name=made.name), timeout=LIMIT)
        self.refused(grpc.StatusCode.NOT_FOUND, self.projects.GetProject,
                     projects.GetProjectRequest(name=made.name))


class Schedules(ApiTest):
    def create(self, name, pipeline, cron="0 3 * * *", **fields):
        return self.schedules.CreateSchedule(schedules.CreateScheduleRequest(
            parent="projects/default", schedule_id=name,
            schedule=schedules.Schedule(pipeline=pipeline, cron=cron, **fields)), timeout=LIMIT)

    def test_a_schedule_is_made_changed_paused_triggered_and_deleted(self):
        pipeline = self.apply("nightly").name
        made = self.create("every-night", pipeline, timezone="Europe/Berlin", sql_variables={"a": "b"})
        self.assertTrue(made.next_fire_time.seconds)
        self.assertEqual(made.misfire_grace.seconds, 60)
        updated = self.schedules.UpdateSchedule(schedules.UpdateScheduleRequest(
            schedule=schedules.Schedule(name=made.name, cron="30 4 * * *", timezone="ignored", etag=made.etag),
            update_mask=field_mask_pb2.FieldMask(paths=["cron"])), timeout=LIMIT)
        self.assertEqual((updated.cron, updated.timezone), ("30 4 * * *", "Europe/Berlin"))
        self.assertEqual(dict(updated.sql_variables), {"a": "b"})
        self.refused(grpc.StatusCode.ABORTED, self.schedules.UpdateSchedule, schedules.UpdateScheduleRequest(
            schedule=schedules.Schedule(name=made.name, cron="0 0 * * *", etag=made.etag)))
        self.refused(grpc.StatusCode.INVALID_ARGUMENT, self.schedules.UpdateSchedule,
                     schedules.UpdateScheduleRequest(schedule=schedules.Schedule(name=made.name),
                                                     update_mask=field_mask_pb2.FieldMask(paths=["rows"])))
        paused = self.schedules.PauseSchedule(schedules.PauseScheduleRequest(name=made.name, note="holiday"),
                                              timeout=LIMIT)
        self.assertEqual((paused.paused, paused.pause_note), (True, "holiday"))
        self.assertFalse(paused.HasField("next_fire_time"))
        self.assertFalse(self.schedules.ResumeSchedule(
            schedules.ResumeScheduleRequest(name=made.name), timeout=LIMIT).paused)
        run = self.schedules.TriggerSchedule(schedules.TriggerScheduleRequest(name=made.name), timeout=LIMIT)
        self.assertEqual(run.trigger.kind, runs.Trigger.SCHEDULE)
        self.assertEqual(run.trigger.source, made.name)
        self.assertEqual(self.finish(run.name).state, runs.Run.SUCCEEDED)
        self.refused(grpc.StatusCode.FAILED_PRECONDITION, self.pipelines.DeletePipeline,
                     pipelines.DeletePipelineRequest(name=pipeline))
        self.refused(grpc.StatusCode.ALREADY_EXISTS, self.schedules.CreateSchedule, schedules.CreateScheduleRequest(
            parent="projects/default", schedule_id="every-night",
            schedule=schedules.Schedule(pipeline=pipeline, cron="0 0 * * *")))
        listed = self.schedules.ListSchedules(schedules.ListSchedulesRequest(parent="projects/-", pipeline=pipeline),
                                              timeout=LIMIT)
        self.assertEqual([s.name for s in listed.schedules], [made.name])
        self.schedules.DeleteSchedule(schedules.DeleteScheduleRequest(name=made.name), timeout=LIMIT)
        self.refused(grpc.StatusCode.NOT_FOUND, self.schedules.GetSchedule,
                     schedules.GetScheduleRequest(name=made.name))

    def test_ticks_fire_by_themselves_and_are_listed(self):
        pipeline = self.apply("ticking").name
        made = self.create("often", pipeline, cron="@every 1s")
        ticks = wait_until(lambda: [t for t in self.schedules.ListTicks(
            schedules.ListTicksRequest(name=made.name), timeout=LIMIT).ticks if t.run])
        run = self.finish(ticks[-1].run)
        self.assertEqual((run.state, run.trigger.source), (runs.Run.SUCCEEDED, made.name))
        self.schedules.DeleteSchedule(schedules.DeleteScheduleRequest(name=made.name), timeout=LIMIT)

    def test_fire_times_are_told_for_an_expression_and_a_range(self):
        answer = self.schedules.ListFireTimes(schedules.ListFireTimesRequest(
            cron="0 12 * * *", start_time=timestamp_pb2.Timestamp(seconds=1767225600),
            end_time=timestamp_pb2.Timestamp(seconds=1767225600 + 3 * 86400)), timeout=LIMIT)
        self.assertEqual([t.seconds for t in answer.times], [1767225600 + 43200 + i * 86400 for i in range(3)])
        self.assertEqual(len(self.schedules.ListFireTimes(
            schedules.ListFireTimesRequest(cron="* * * * *"), timeout=LIMIT).times), 10)

    def test_fire_times_come_with_their_zones_offset(self):
        answer = self.schedules.ListFireTimes(schedules.ListFireTimesRequest(
            cron="30 2 * * *", timezone="Europe/Berlin", page_size=3,
            start_time=timestamp_pb2.Timestamp(seconds=1792800000)), timeout=LIMIT)  # 2026-10-24
        self.assertEqual([t.seconds for t in answer.times], [1792801800, 1792888200, 1792978200])
        self.assertEqual([offset.seconds for offset in answer.utc_offsets], [7200, 7200, 3600])
        self.assertEqual(answer.timezone, "Europe/Berlin")

    def test_what_is_wrong_with_a_schedule_is_said(self):
        pipeline = self.apply("refused").name
        bad = grpc.StatusCode.INVALID_ARGUMENT
        good = {"pipeline": pipeline, "cron": "0 3 * * *"}
        cases = [("x", {**good, "cron": "61 * * * *"}, bad), ("x", {**good, "cron": ""}, bad),
                 ("x", {**good, "timezone": "Mars/Base"}, bad), ("x", {**good, "misfire": 9}, bad),
                 ("x", {**good, "max_instances": -1}, bad), ("x", {**good, "priority": 5000}, bad),
                 ("X y", good, bad), ("", good, bad), ("x", {**good, "pipeline": ""}, bad),
                 ("x", {**good, "pipeline": "projects/other/pipelines/refused"}, bad),
                 ("x", {**good, "options": runs.RunOptions(select="nope")}, bad),
                 ("x", {**good, "pipeline": "projects/default/pipelines/none"}, grpc.StatusCode.NOT_FOUND)]
        for name, fields, code in cases:
            with self.subTest(name=name, fields=fields):
                self.refused(code, self.schedules.CreateSchedule, schedules.CreateScheduleRequest(
                    parent="projects/default", schedule_id=name, schedule=schedules.Schedule(**fields)))


class Dependencies(ApiTest):
    def add(self, upstream, downstream):
        return self.dependencies.CreateDependency(self.request(upstream, downstream), timeout=LIMIT)

    @staticmethod
    def request(upstream, downstream):
        return dependencies.CreateDependencyRequest(
            parent="projects/default", dependency=dependencies.Dependency(
                upstream=f"projects/default/pipelines/{upstream}",
                downstream=f"projects/default/pipelines/{downstream}"))

    def test_a_run_starts_what_follows_it_and_cycles_are_refused_with_their_path(self):
        for name in ("dep-a", "dep-b", "dep-c"):
            self.apply(name)
        self.add("dep-a", "dep-b")
        last = self.add("dep-b", "dep-c")
        create = self.dependencies.CreateDependency
        self.refused(grpc.StatusCode.ALREADY_EXISTS, create, self.request("dep-a", "dep-b"))
        self.refused(grpc.StatusCode.INVALID_ARGUMENT, create, self.request("dep-a", "dep-a"))
        self.refused(grpc.StatusCode.INVALID_ARGUMENT, create, self.request("dep-c", "dep-a"))
        self.refused(grpc.StatusCode.NOT_FOUND, create, self.request("dep-c", "none"))

        def listed(**fields):
            answer = self.dependencies.ListDependencies(dependencies.ListDependenciesRequest(
                parent="projects/default", **fields), timeout=LIMIT)
            return [d.name.rpartition("/")[2] for d in answer.dependencies]
        self.assertEqual(listed(), ["dep-a..dep-b", "dep-b..dep-c"])
        near = {"pipeline": "projects/default/pipelines/dep-c", "direction": 1}
        self.assertEqual(listed(**near), ["dep-b..dep-c"])
        self.assertEqual(listed(**near, transitive=True), ["dep-a..dep-b", "dep-b..dep-c"])

        run = self.submit(pipeline="projects/default/pipelines/dep-a")
        self.assertEqual(self.finish(run.name).state, runs.Run.SUCCEEDED)
        followed = wait_until(lambda: self.runs.ListRuns(runs.ListRunsRequest(
            parent="projects/default", pipeline="dep-c", filter="state=SUCCEEDED"), timeout=LIMIT).runs)
        self.assertEqual(followed[0].trigger.kind, runs.Trigger.DEPENDENCY)
        self.dependencies.DeleteDependency(dependencies.DeleteDependencyRequest(name=last.name), timeout=LIMIT)
        self.assertEqual(listed(), ["dep-a..dep-b"])


class Server(ApiTest):
    def test_status_counts_and_a_backup_is_written_once(self):
        self.finish(self.submit(documents=self.documents("counted")).name)
        status = self.server.GetServerStatus(server.GetServerStatusRequest(), timeout=LIMIT)
        self.assertEqual((status.workers, status.draining), (2, False))
        self.assertGreaterEqual(status.runs_stored, 1)
        self.assertGreater(status.resident_bytes, 1 << 20)
        path = str(self.daemon.folder / "backup.db")
        made = self.server.BackUpState(server.BackUpStateRequest(path=path), timeout=LIMIT)
        with sqlite3.connect(made.path) as database:
            self.assertEqual(database.execute("PRAGMA quick_check").fetchone(), ("ok",))
        self.refused(grpc.StatusCode.ALREADY_EXISTS, self.server.BackUpState, server.BackUpStateRequest(path=path))
        self.refused(grpc.StatusCode.INVALID_ARGUMENT, self.server.BackUpState,
                     server.BackUpStateRequest(path="/etc/backup.db"))


if __name__ == "__main__":
    main()
