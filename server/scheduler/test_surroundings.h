#pragma once
// What the scheduler stands on in a simulation.
#include <chrono>
#include <cstdio>
#include <map>
#include <string>

#include "base/clock.h"
#include "base/ids.h"
#include "server/scheduler/catalog.h"
#include "state/state_store.h"

namespace dxt::simulation {

using Time = std::chrono::system_clock::time_point;

class SimulatedClock : public Clock {
 public:
  Time Now() const override { return wall_; }
  std::chrono::steady_clock::time_point Tick() const override { return steady_; }
  bool WaitUntil(std::chrono::steady_clock::time_point deadline,
                 std::stop_token) override {
    if (deadline > steady_)
      Advance(std::chrono::ceil<std::chrono::milliseconds>(deadline - steady_));
    return true;
  }
  void Advance(std::chrono::milliseconds by) {
    wall_ += by;
    steady_ += by;
  }
  void Jump(std::chrono::milliseconds by) { wall_ += by; }

 private:
  Time wall_ = Time(std::chrono::seconds(1795251600));
  std::chrono::steady_clock::time_point steady_;
};

class CountingIds : public IdSource {
 public:
  std::string Ulid() override {
    char id[32];
    std::snprintf(id, sizeof id, "%026lld", ++last_);
    return id;
  }

 private:
  long long last_ = 0;
};

/// Of a text "<name><overlap><r|f><memory>"; `f` = it fails when it was interrupted.
PipelineDocument DocumentOf(const std::string& project, const std::string& text);
/// What it takes of the dispatcher's memory.
int64_t MemoryOf(const std::string& text);

/// Stored pipelines whose documents are such texts.
class SimulatedSource : public RunSource {
 public:
  explicit SimulatedSource(StateStore& store) : store_(store) {}
  arrow::Result<Submission> Prepare(std::string_view project, std::string_view pipeline,
                                    RunOptions options,
                                    const std::map<std::string, std::string>&,
                                    int64_t revision) override;

 private:
  StateStore& store_;
};

}  // namespace dxt::simulation
