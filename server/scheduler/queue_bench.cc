// How many runs a second go through dispatcher and durable store when the runs themselves
// do nothing, and how long a submit takes meanwhile.
//
//   scheduler_queue_bench [FOLDER] [RUNS] [PIPELINES] [WORKERS]
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include <sys/resource.h>

#include "base/clock.h"
#include "base/ids.h"
#include "connectors/sdk/registry.h"
#include "server/scheduler/dispatcher.h"
#include "server/scheduler/run_listener.h"
#include "state/sqlite/sqlite_state_store.h"

namespace {

using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

class Counter : public dxt::RunListener {
 public:
  void OnEnded(const dxt::RunRecord&, const dxt::RunResult&,
               const dxt::PipelineDocument&) override {
    ended.fetch_add(1);
    ended.notify_all();
  }
  void Await(int count) {
    for (int now = ended; now < count; now = ended) ended.wait(now);
  }
  std::atomic<int> ended{0};
};

dxt::Submission Make(int i, int pipelines) {
  dxt::Submission submission;
  submission.pipeline.project.name = "bench";
  submission.pipeline.name = "p" + std::to_string(i % pipelines);
  submission.pipeline.runtime.memory_limit = 1;
  submission.document_hash = submission.pipeline.name;
  submission.pipeline_document = {"", "name: " + submission.pipeline.name + "\n"};
  return submission;
}

double Percentile(std::vector<double> values, double part) {
  std::sort(values.begin(), values.end());
  return values.empty() ? 0
                        : values[static_cast<size_t>(
                              part * (static_cast<double>(values.size() - 1)))];
}

}  // namespace

int main(int argc, char** argv) {
  const std::filesystem::path folder =
      argc > 1 ? argv[1] : std::filesystem::temp_directory_path() / "dxt-queue-bench";
  const int runs = argc > 2 ? std::atoi(argv[2]) : 10000;
  const int pipelines = argc > 3 ? std::atoi(argv[3]) : 100;
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  auto store = *dxt::SqliteStateStore::Make(folder);
  const auto ids = dxt::MakeIdSource(dxt::SystemClock());
  dxt::ConnectorRegistry registry;
  Counter counter;
  dxt::DispatcherOptions options;
  options.resumes = true;
  options.project_logging = false;
  options.state_dir = folder;
  options.max_workers = argc > 4 ? std::atoi(argv[4]) : 8;
  options.listeners = {&counter};
  std::atomic<bool> open{false};
  options.execute = [&](const dxt::PipelineDocument& pipeline, const dxt::RunOptions&,
                        const dxt::RunContext& context, std::stop_token) {
    open.wait(false);
    context.observer->OnEvent(dxt::Severity::kInfo, "s", "stream_started", "started");
    context.observer->OnEvent(dxt::Severity::kInfo, "s", "stream_ended", "ended");
    dxt::RunResult result;
    result.project = pipeline.project.name;
    result.pipeline = pipeline.name;
    result.state = dxt::RunState::kSucceeded;
    return result;
  };
  dxt::Dispatcher dispatcher(options, registry, dxt::SystemClock(), *ids, *store,
                             nullptr);
  const auto queued = Clock::now();
  for (int i = 0; i < runs; ++i) {
    if (!dispatcher.Submit(Make(i, pipelines)).ok()) return 1;
  }
  std::printf("queued   %d runs, %.0f runs/s\n", runs, runs / SecondsSince(queued));
  const auto started = Clock::now();
  open = true;
  open.notify_all();
  std::vector<double> submits;
  while (counter.ended < runs) {
    const auto before = Clock::now();
    if (!dispatcher.Submit(Make(static_cast<int>(submits.size()), pipelines)).ok())
      return 1;
    submits.push_back(SecondsSince(before) * 1000);
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  const double took = SecondsSince(started);
  counter.Await(runs + static_cast<int>(submits.size()));
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  std::printf("drained  %.0f runs/s (%.1f s, %d workers, %d pipelines)\n", runs / took,
              took, options.max_workers, pipelines);
  std::printf("submit   p50 %.1f ms, p99 %.1f ms of %zu meanwhile\n",
              Percentile(submits, 0.5), Percentile(submits, 0.99), submits.size());
  std::printf("memory   %ld MiB at most\n", usage.ru_maxrss / 1024);
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
  return 0;
}
