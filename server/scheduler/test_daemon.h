#pragma once
// What the tests of a daemon's dispatcher, catalog and schedules share.
#include <condition_variable>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/ids.h"
#include "connectors/sdk/registry.h"
#include "server/scheduler/catalog.h"
#include "server/scheduler/dispatcher.h"
#include "state/sqlite/sqlite_state_store.h"

namespace dxt {

inline std::string CodeOf(const arrow::Status& status) {
  return GetErrorInfo(status).code;
}

/// A clock that a test moves.
class ManualClock : public Clock {
 public:
  std::chrono::system_clock::time_point Now() const override;
  std::chrono::steady_clock::time_point Tick() const override;
  bool WaitUntil(std::chrono::steady_clock::time_point, std::stop_token) override;
  void Set(const std::string& time);
  void Advance(std::chrono::milliseconds by);

 private:
  mutable std::mutex mutex_;
  std::chrono::system_clock::time_point now_{std::chrono::seconds(1795251600)};
  std::chrono::steady_clock::time_point tick_;
};

/// An engine whose runs end when the test says so.
class HeldEngine {
 public:
  RunResult Execute(const PipelineDocument& pipeline, const RunOptions& options,
                    const RunContext& context, std::stop_token stop);
  /// From now on runs end at once, with this state.
  void Release(RunState state = RunState::kSucceeded);
  void Hold();
  /// Stops are not heard until Release.
  void BecomeDeaf();
  void AwaitRunning(int count);
  void AwaitBegun(int count);
  std::vector<std::string> order();
  RunOptions last_options();
  std::map<std::string, std::string> last_variables();
  void LoseStream(std::string id) { failed_stream_ = std::move(id); }

 private:
  std::mutex mutex_;
  std::condition_variable_any changed_;
  bool released_ = false, deaf_ = false;
  RunState state_ = RunState::kSucceeded;
  int running_ = 0;
  std::string failed_stream_;
  std::vector<std::string> order_;
  RunOptions options_;
  std::map<std::string, std::string> variables_;
};

/// A daemon without its server: catalog and dispatcher on a store in a folder.
class DaemonTest : public testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;
  /// As a start of the process does, up to Recover.
  void Start();
  /// As an orderly end does.
  void Shut();
  /// As kill -9 does: what executes is left as it is.
  void Kill();
  /// Stores `<name>` as a pipeline of project shop; `more` is YAML at top level.
  void StorePipeline(const std::string& name, const std::string& more = "");
  arrow::Result<RunRecord> Run(const std::string& pipeline, int priority = 0);
  RunRecord Ended(const std::string& id);
  RunRecord Get(const std::string& id) { return *dispatcher_->Get(id); }
  /// All runs of a pipeline, oldest first.
  std::vector<RunRecord> RunsOf(const std::string& pipeline);

  std::filesystem::path folder_;
  ConnectorRegistry registry_;
  Clock* clock_ = &SystemClock();
  std::unique_ptr<IdSource> ids_;
  std::shared_ptr<HeldEngine> engine_ = std::make_shared<HeldEngine>();
  std::unique_ptr<SqliteStateStore> store_;
  std::unique_ptr<Catalog> catalog_;
  DispatcherOptions options_;
  std::unique_ptr<Dispatcher> dispatcher_;
  CatalogOptions catalog_options_{{{"TOKEN", "hunter2"}}, {"TOKEN"}};
};

}  // namespace dxt
