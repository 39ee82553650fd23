#pragma once
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "connectors/sdk/registry.h"
#include "server/scheduler/dispatcher.h"
#include "server/scheduler/schedule_loop.h"
#include "server/scheduler/test_surroundings.h"
#include "state/sqlite/sqlite_state_store.h"

namespace dxt::simulation {

/// One seed: a world, and what must hold in it.
class World {
 public:
  /// With `tell` it prints what happens.
  World(unsigned seed, SqliteStateStore& store, CountingIds& ids, bool tell);

  /// Once. "" or what went wrong.
  std::string Run();

 private:
  static constexpr int64_t kMemory = 3;
  struct Execution {
    std::shared_ptr<Dispatcher::Job> job;
    Lease lease;
    std::string pipeline;
  };

  int Draw(int below);
  void Say(const std::string& text);
  void Check(bool holds, const std::string& what);
  template <typename T>
  T Must(arrow::Result<T> result, const char* what) {
    Check(result.ok(), std::string(what) + ": " + result.status().ToString());
    return result.ok() ? *std::move(result) : T();
  }

  void SetUp();
  void Start();
  /// The process is gone; its workers' leases are left behind.
  void Crash();
  void CheckFenced(const Lease& lease);
  void Step();
  void FireDue();
  /// A clock that was set back has put the schedule back too.
  void CheckNext(const std::string& name);
  void CheckTicks(const ScheduleRecord& schedule);
  /// Runs of this world that are newer than `after`, oldest first.
  std::vector<RunRecord> RunsAfter(const std::string& after,
                                   std::vector<std::string> states = {});
  /// Looks at the runs made since the last look: each takes its dependencies' marks back.
  void NoteMade();
  /// The run that must begin now, or "": of those that wait and whose pipeline does not
  /// execute, the first by priority and age, where a place and its memory are free.
  std::string Next();
  void Begin();
  void End();
  void EndWith(const Execution& execution, RunState state);
  /// Whether the overlap policy lets a dependent be made.
  bool Admitted(const std::string& pipeline);
  /// Workers that were given up: what they bring back must be void.
  void FindLost();
  void Submit();
  void Cancel();
  /// Without further trouble everything ends, and nothing was lost.
  void Settle();

  std::mt19937 random_;
  SqliteStateStore& store_;
  CountingIds& ids_;
  const bool tell_;
  const std::string project_;
  SimulatedClock clock_;
  SimulatedSource source_;
  const bool jumps_;
  const size_t places_;
  Time created_, highest_;
  std::map<std::string, Time> found_until_;
  ConnectorRegistry registry_;
  std::unique_ptr<Dispatcher> dispatcher_;
  std::unique_ptr<ScheduleLoop> loop_;
  std::map<std::string, std::string> texts_;
  std::map<std::string, std::map<std::string, bool>> upstreams_;
  std::vector<ScheduleRecord> schedules_;
  std::map<std::string, Execution> live_;
  std::vector<Lease> zombies_;
  std::map<std::string, std::string> acknowledged_;
  std::set<std::string> ticks_;
  /// Ids grow, so what is newer than this is of this world.
  const std::string first_run_ = ids_.Ulid();
  std::string newest_run_ = first_run_;
  std::vector<std::string> made_;
  std::string wrong_;
};

}  // namespace dxt::simulation
