#include <atomic>

#include "state/conformance/state_store_suite.h"

namespace dxt {
namespace {

TEST_P(StateStoreSuite, EachChangeOfADocumentIsARevision) {
  ApplyPipelines({});
  auto& definitions = store_->definitions();
  const auto first = definitions.ApplyPipeline(MakePipeline("orders", "one"), {});
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(first->revision, 1);
  PipelineRecord later = MakePipeline("orders", "one");
  later.updated_at = "2026-11-22T00:00:00.000Z";
  EXPECT_EQ(definitions.ApplyPipeline(later, {})->revision, 1);
  EXPECT_EQ(definitions.GetPipeline("shop", "orders").ValueOrDie()->updated_at, kNow);
  later.document.text = "two";
  later.description = "other";
  EXPECT_EQ(definitions.ApplyPipeline(later, {})->revision, 2);
  Reopen();
  const auto newest =
      store_->definitions().GetPipeline("shop", "orders").ValueOrDie().value();
  EXPECT_EQ(newest.revision, 2);
  EXPECT_EQ(newest.document.text, "two");
  EXPECT_EQ(newest.description, "other");
  EXPECT_EQ(newest.overlap, "queue");
  EXPECT_EQ(newest.streams, 2);
  EXPECT_EQ(newest.created_at, kNow);
  EXPECT_EQ(newest.updated_at, later.updated_at);
  const auto old =
      store_->definitions().GetPipeline("shop", "orders", 1).ValueOrDie().value();
  EXPECT_EQ(old.document.text, "one");
  EXPECT_EQ(old.description, "about orders");
  EXPECT_FALSE(
      store_->definitions().GetPipeline("shop", "orders", 3).ValueOrDie().has_value());
  EXPECT_EQ(store_->definitions().PipelineRevisions("shop", "orders").ValueOrDie(),
            (std::vector<int64_t>{2, 1}));
}

TEST_P(StateStoreSuite, AnEtagOfAnOlderRevisionIsRefused) {
  ApplyPipelines({"orders"});
  auto& definitions = store_->definitions();
  EXPECT_EQ(CodeOf(definitions.ApplyPipeline(MakePipeline("orders", "b"), 7).status()),
            "state.etag");
  EXPECT_EQ(CodeOf(definitions.ApplyProject(MakeProject("shop", "b"), 0).status()),
            "state.etag");
  EXPECT_EQ(definitions.ApplyPipeline(MakePipeline("orders", "b"), 1)->revision, 2);
  EXPECT_EQ(definitions.ApplyProject(MakeProject("new", "b"), 0)->revision, 1);
  DeleteRules rules;
  rules.expected_revision = 1;
  const auto refused = definitions.DeletePipeline("shop", "orders", rules);
  EXPECT_EQ(CodeOf(refused), "state.etag");
  EXPECT_EQ(ClassOf(refused), ErrorClass::kFenced);
}

TEST_P(StateStoreSuite, OneOfManyAppliesWithAnEtagWins) {
  ApplyPipelines({"orders"});
  std::atomic<int> won = 0;
  Together([&](int thread) {
    const auto record = MakePipeline("orders", "text " + std::to_string(thread));
    if (store_->definitions().ApplyPipeline(record, 1).ok()) ++won;
  });
  EXPECT_EQ(won, 1);
  EXPECT_EQ(store_->definitions().PipelineRevisions("shop", "orders")->size(), 2u);
}

TEST_P(StateStoreSuite, ARevisionIsNeverUsedTwice) {
  ApplyPipelines({"orders"});
  auto& definitions = store_->definitions();
  ASSERT_TRUE(definitions.ApplyPipeline(MakePipeline("orders", "b"), {}).ok());
  ASSERT_TRUE(definitions.DeletePipeline("shop", "orders", {}).ok());
  EXPECT_FALSE(definitions.GetPipeline("shop", "orders").ValueOrDie().has_value());
  Reopen();
  const auto again = store_->definitions().ApplyPipeline(MakePipeline("orders", "c"), {});
  EXPECT_EQ(again->revision, 3);
  EXPECT_EQ(store_->definitions().PipelineRevisions("shop", "orders").ValueOrDie(),
            (std::vector<int64_t>{3}));
}

TEST_P(StateStoreSuite, WhatTheFolderDefinesIsNotTheApis) {
  ApplyPipelines({"orders"});
  auto& definitions = store_->definitions();
  PipelineRecord of_folder = MakePipeline("orders");
  of_folder.origin = Origin::kFolder;
  EXPECT_EQ(definitions.ApplyPipeline(of_folder, {})->revision, 1);
  EXPECT_EQ(CodeOf(definitions.ApplyPipeline(MakePipeline("orders", "b"), {}).status()),
            "definition.owned_by_folder");
  DeleteRules rules;
  rules.force = true;
  EXPECT_EQ(CodeOf(definitions.DeletePipeline("shop", "orders", rules)),
            "definition.owned_by_folder");
  EXPECT_EQ(CodeOf(definitions.DeleteProject("shop", rules)),
            "definition.owned_by_folder");
  ProjectRecord project = MakeProject("shop", "b");
  project.origin = Origin::kFolder;
  ASSERT_TRUE(definitions.ApplyProject(project, {}).ok());
  EXPECT_EQ(CodeOf(definitions.ApplyProject(MakeProject("shop", "c"), {}).status()),
            "definition.owned_by_folder");
  EXPECT_TRUE(definitions.SetPaused("shop", "orders", true, "later", kNow).ok());
  rules.by = Origin::kFolder;
  EXPECT_TRUE(definitions.DeleteProject("shop", rules).ok());
}

TEST_P(StateStoreSuite, APipelineNeedsItsProjectUnlessItIsTheDefault) {
  auto& definitions = store_->definitions();
  EXPECT_EQ(CodeOf(definitions.ApplyPipeline(MakePipeline("orders"), {}).status()),
            "project.not_found");
  PipelineRecord record = MakePipeline("orders");
  record.project = "default";
  EXPECT_TRUE(definitions.ApplyPipeline(record, {}).ok());
}

TEST_P(StateStoreSuite, DefinitionsAreListedByPage) {
  auto& definitions = store_->definitions();
  for (const char* project : {"b", "a", "c"}) {
    ASSERT_TRUE(definitions.ApplyProject(MakeProject(project), {}).ok());
    for (const char* name : {"y", "x"}) {
      PipelineRecord record = MakePipeline(name);
      record.project = project;
      ASSERT_TRUE(definitions.ApplyPipeline(record, {}).ok());
    }
  }
  const auto projects = definitions.ListProjects("a", 1).ValueOrDie();
  ASSERT_EQ(projects.size(), 1u);
  EXPECT_EQ(projects[0].name, "b");
  std::vector<std::string> names;
  for (std::string after;;) {
    const auto page = definitions.ListPipelines("", after, 4).ValueOrDie();
    if (page.empty()) break;
    for (const auto& record : page) {
      names.push_back(record.project + "/" + record.name);
      EXPECT_EQ(record.document.text, "");
    }
    after = names.back();
  }
  EXPECT_EQ(names, (std::vector<std::string>{"a/x", "a/y", "b/x", "b/y", "c/x", "c/y"}));
  EXPECT_EQ(definitions.ListPipelines("b", "", 10)->size(), 2u);
  EXPECT_EQ(definitions.ListPipelines("b", "b/x", 10)->front().name, "y");
  EXPECT_EQ(definitions.CountPipelines().ValueOr(-1), 6);
}

TEST_P(StateStoreSuite, APauseOutlivesAnApply) {
  ApplyPipelines({"orders"});
  auto& definitions = store_->definitions();
  EXPECT_TRUE(definitions.SetPaused("shop", "orders", true, "broken", kNow)->paused);
  const auto applied = definitions.ApplyPipeline(MakePipeline("orders", "b"), {});
  EXPECT_TRUE(applied->paused);
  Reopen();
  auto stored = store_->definitions().GetPipeline("shop", "orders").ValueOrDie().value();
  EXPECT_TRUE(stored.paused);
  EXPECT_EQ(stored.pause_note, "broken");
  EXPECT_EQ(stored.revision, 2);
  const std::string later = "2026-11-22T00:00:00.000Z";
  stored = *store_->definitions().SetPaused("shop", "orders", false, "", later);
  EXPECT_EQ(stored.updated_at, later);
  EXPECT_FALSE(stored.paused);
  EXPECT_EQ(stored.pause_note, "");
  EXPECT_EQ(
      CodeOf(store_->definitions().SetPaused("shop", "no", true, "", kNow).status()),
      "pipeline.not_found");
}

TEST_P(StateStoreSuite, WhatIsInUseIsDeletedByForceOnly) {
  ApplyPipelines({"orders", "report"});
  auto& definitions = store_->definitions();
  ASSERT_TRUE(store_->dependencies().Add({"shop", "orders", "report", kNow, ""}).ok());
  ScheduleRecord schedule;
  schedule.project = "shop";
  schedule.name = "nightly";
  schedule.pipeline = "orders";
  schedule.created_at = kNow;
  ASSERT_TRUE(store_->schedules().Create(schedule).ok());
  Create("01A");
  const auto refused = definitions.DeletePipeline("shop", "orders", {});
  EXPECT_EQ(CodeOf(refused), "pipeline.in_use");
  EXPECT_NE(refused.message().find("nightly"), std::string::npos);
  EXPECT_NE(refused.message().find("orders..report"), std::string::npos);
  EXPECT_EQ(CodeOf(definitions.DeletePipeline("shop", "report", {})), "pipeline.in_use");
  EXPECT_EQ(CodeOf(definitions.DeleteProject("shop", {})), "project.in_use");
  DeleteRules force;
  force.force = true;
  ASSERT_TRUE(definitions.DeletePipeline("shop", "orders", force).ok());
  EXPECT_FALSE(store_->schedules().Get("shop", "nightly")->has_value());
  EXPECT_TRUE(store_->dependencies().List("")->empty());
  EXPECT_EQ(Run("01A").pipeline, "orders");
  ASSERT_TRUE(definitions.DeleteProject("shop", force).ok());
  EXPECT_EQ(definitions.CountPipelines().ValueOr(-1), 0);
  EXPECT_EQ(CodeOf(definitions.DeletePipeline("shop", "orders", {})),
            "pipeline.not_found");
  EXPECT_EQ(CodeOf(definitions.DeleteProject("shop", {})), "project.not_found");
}

TEST_P(StateStoreSuite, ADependencyClosesNoCycle) {
  ApplyPipelines({"a", "b", "c"});
  auto& dependencies = store_->dependencies();
  ASSERT_TRUE(dependencies.Add({"shop", "a", "b", kNow, ""}).ok());
  ASSERT_TRUE(dependencies.Add({"shop", "b", "c", kNow, ""}).ok());
  EXPECT_EQ(CodeOf(dependencies.Add({"shop", "a", "b", kNow, ""})), "dependency.exists");
  const auto cycle = dependencies.Add({"shop", "c", "a", kNow, ""});
  EXPECT_EQ(CodeOf(cycle), "dependency.cycle");
  EXPECT_NE(cycle.message().find("c → a → b → c"), std::string::npos) << cycle;
  EXPECT_EQ(CodeOf(dependencies.Add({"shop", "a", "a", kNow, ""})), "dependency.cycle");
  EXPECT_EQ(CodeOf(dependencies.Add({"shop", "a", "x", kNow, ""})), "pipeline.not_found");
  EXPECT_EQ(CodeOf(dependencies.Remove("shop", "a", "c")), "dependency.not_found");
  EXPECT_EQ(dependencies.Downstreams("shop", "a").ValueOrDie(),
            (std::vector<std::string>{"b"}));
  ASSERT_TRUE(dependencies.Remove("shop", "b", "c").ok());
  EXPECT_TRUE(dependencies.Add({"shop", "c", "a", kNow, ""}).ok());
  EXPECT_EQ(dependencies.List("shop")->size(), 2u);
  EXPECT_TRUE(dependencies.List("other")->empty());
}

TEST_P(StateStoreSuite, AFollowUpWaitsForEveryUpstream) {
  ApplyPipelines({"a", "b", "report"});
  auto& dependencies = store_->dependencies();
  EXPECT_FALSE(dependencies.Ready("shop", "report").ValueOr(true));
  ASSERT_TRUE(dependencies.Add({"shop", "a", "report", kNow, ""}).ok());
  ASSERT_TRUE(dependencies.Add({"shop", "b", "report", kNow, ""}).ok());
  const auto finish = [&](const std::string& id, const std::string& pipeline,
                          const std::string& state) {
    const Lease lease = Claimed(id, pipeline);
    NewRun report = MakeRun(id + "-report", "report");
    report.trigger = {"DEPENDENCY", id, ""};
    report.if_upstreams_succeeded = true;
    const NewRun follow_ups[] = {report};
    return store_->runs().Finish(lease, Outcome(state), follow_ups).ValueOrDie();
  };
  EXPECT_TRUE(finish("01A", "a", "SUCCEEDED").empty());
  EXPECT_TRUE(finish("01B", "a", "SUCCEEDED").empty());
  EXPECT_TRUE(finish("01C", "b", "FAILED").empty());
  EXPECT_EQ(dependencies.List("shop")->front().satisfied_by, "01B");
  Reopen();
  const auto made = finish("01D", "b", "SUCCEEDED");
  ASSERT_EQ(made.size(), 1u);
  EXPECT_EQ(made[0].id, "01D-report");
  EXPECT_EQ(made[0].trigger.source, "01D");
  EXPECT_EQ(Run("01D-report").state, "QUEUED");
  // Its run was made: each upstream has to succeed again.
  EXPECT_FALSE(store_->dependencies().Ready("shop", "report").ValueOr(true));
  EXPECT_TRUE(finish("01E", "b", "SUCCEEDED").empty());
  NewRun dry = MakeRun("01F", "report");
  dry.dry_run = true;
  ASSERT_TRUE(store_->runs().Create(dry).ok());
  EXPECT_EQ(finish("01G", "a", "SUCCEEDED").size(), 1u);
}

TEST_P(StateStoreSuite, UpstreamsThatEndTogetherMakeOneFollowUp) {
  std::vector<std::string> upstreams;
  for (int i = 0; i < kThreads; ++i) upstreams.push_back("up" + std::to_string(i));
  std::vector<std::string> all = upstreams;
  all.push_back("report");
  ApplyPipelines(all);
  for (const auto& name : upstreams) {
    ASSERT_TRUE(store_->dependencies().Add({"shop", name, "report", kNow, ""}).ok());
  }
  for (int round = 0; round < 5; ++round) {
    const std::string prefix = "01R" + std::to_string(round);
    std::vector<Lease> leases;
    for (const auto& name : upstreams) {
      leases.push_back(Claimed(prefix + name, name));
    }
    std::atomic<size_t> made = 0;
    Together([&](int i) {
      NewRun report = MakeRun(prefix + "report" + std::to_string(i), "report");
      report.if_upstreams_succeeded = true;
      const NewRun follow_ups[] = {report};
      const auto done =
          store_->runs().Finish(leases[i], Outcome("SUCCEEDED"), follow_ups);
      ASSERT_TRUE(done.ok()) << done.status();
      made += done->size();
    });
    EXPECT_EQ(made, 1u) << round;
  }
}

}  // namespace
}  // namespace dxt
