#pragma once
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "base/error.h"
#include "state/state_store.h"

namespace dxt {

/// A place that holds one state store, empty at first and gone with the harness.
class StateStoreHarness {
 public:
  virtual ~StateStoreHarness() = default;
  /// Opens the store as a new process would, after an earlier one of it was closed.
  virtual arrow::Result<std::unique_ptr<StateStore>> Open() = 0;
};

using StateStoreHarnessFactory = std::function<std::unique_ptr<StateStoreHarness>()>;

/// Each case gets a harness of its own.
class StateStoreSuite : public testing::TestWithParam<StateStoreHarnessFactory> {
 protected:
  static constexpr char kNow[] = "2026-11-21T09:00:00.000Z";
  static constexpr int kThreads = 8;

  void SetUp() override {
    harness_ = GetParam()();
    Reopen();
  }
  void TearDown() override {
    store_.reset();
    harness_.reset();
  }
  void Reopen() {
    store_.reset();
    auto opened = harness_->Open();
    ASSERT_TRUE(opened.ok()) << opened.status();
    store_ = std::move(*opened);
  }

  /// Runs `work(i)` for 0 … kThreads-1, each on a thread of its own, all at once.
  static void Together(const std::function<void(int)>& work) {
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i) threads.emplace_back(work, i);
    for (auto& thread : threads) thread.join();
  }
  static std::string CodeOf(const arrow::Status& status) {
    return status.ok() ? "ok" : GetErrorInfo(status).code;
  }
  static ErrorClass ClassOf(const arrow::Status& status) {
    return GetErrorInfo(status).error_class;
  }

  static NewRun MakeRun(const std::string& id, const std::string& pipeline = "orders") {
    NewRun run;
    run.id = id;
    run.project = "shop";
    run.pipeline = pipeline;
    run.document_hash = "hash-" + pipeline;
    run.pipeline_document = {"/p/" + pipeline + ".yaml", "name: " + pipeline};
    run.project_document = {"/p/dxt_project.yaml", "name: shop"};
    run.options = "{}";
    run.created_at = kNow;
    return run;
  }
  void Create(const std::string& id, const std::string& pipeline = "orders") {
    const auto made = store_->runs().Create(MakeRun(id, pipeline));
    ASSERT_TRUE(made.ok()) << made.status();
  }
  Lease Claimed(const std::string& id, const std::string& pipeline = "orders") {
    Create(id, pipeline);
    auto lease = store_->runs().Claim(id, kNow);
    EXPECT_TRUE(lease.ok()) << lease.status();
    return lease.ok() ? *lease : Lease{};
  }
  static RunOutcome Outcome(const std::string& state) {
    RunOutcome outcome;
    outcome.state = state;
    outcome.exit_code = state == "SUCCEEDED" ? 0 : 1;
    outcome.result_json = "{\"state\":\"" + state + "\"}";
    outcome.ended_at = kNow;
    outcome.satisfies = state == "SUCCEEDED";
    return outcome;
  }
  RunRecord Run(const std::string& id) {
    auto run = store_->runs().Get(id);
    EXPECT_TRUE(run.ok() && run->has_value()) << id;
    return run.ok() && run->has_value() ? **run : RunRecord{};
  }
  std::vector<std::string> Ids(const RunQuery& query) {
    std::vector<std::string> ids;
    auto runs = store_->runs().List(query);
    EXPECT_TRUE(runs.ok()) << runs.status();
    if (runs.ok()) {
      for (const auto& run : *runs) ids.push_back(run.id);
    }
    return ids;
  }
  static ProjectRecord MakeProject(const std::string& name,
                                   const std::string& text = "a") {
    ProjectRecord record;
    record.name = name;
    record.document = {"", text};
    record.updated_at = kNow;
    return record;
  }
  static PipelineRecord MakePipeline(const std::string& name,
                                     const std::string& text = "a") {
    PipelineRecord record;
    record.project = "shop";
    record.name = name;
    record.document = {"", text};
    record.description = "about " + name;
    record.overlap = "queue";
    record.streams = 2;
    record.updated_at = kNow;
    return record;
  }
  /// Project shop with these pipelines.
  void ApplyPipelines(const std::vector<std::string>& names) {
    ASSERT_TRUE(store_->definitions().ApplyProject(MakeProject("shop"), {}).ok());
    for (const auto& name : names) {
      const auto applied = store_->definitions().ApplyPipeline(MakePipeline(name), {});
      ASSERT_TRUE(applied.ok()) << applied.status();
    }
  }
  static AuditRecord MakeAudit(const std::string& action) {
    return {0, kNow, "alice", action, "shop/orders", "detail"};
  }

  std::unique_ptr<StateStoreHarness> harness_;
  std::unique_ptr<StateStore> store_;
};

}  // namespace dxt
