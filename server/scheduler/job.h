#pragma once
// Of the dispatcher's sources only.
#include "server/scheduler/dispatcher.h"

namespace dxt {

struct Dispatcher::Job {
  RunRecord run;
  Submission submission;
  std::shared_ptr<RunFeed> feed;
  std::stop_source stop;

  // Under the dispatcher's mutex.
  bool held = false;      ///< Claimed by a worker.
  int claims_failed = 0;  ///< The store refused so many.
  bool executes = false;  ///< Has one of the workers' places.
  bool lost = false;      ///< Its worker was given up; whatever it brings back is void.
  StopReason stop_reason = StopReason::kNone;
  std::optional<std::chrono::steady_clock::time_point> times_out, stuck;

  Lease lease;  ///< Of the worker that took it.
};

/// What the queue needs to know of a run.
QueuedRun QueuedOf(const RunRecord& run, const Submission& submission);

inline RunOutcome OutcomeOf(const RunResult& result) {
  RunOutcome outcome;
  outcome.state = RunStateName(result.state);
  outcome.exit_code = result.ExitCode();
  outcome.result_json = result.ToJson();
  outcome.ended_at = result.ended_at;
  return outcome;
}

}  // namespace dxt
