// Measures the state store on this machine's disk.
//   state_bench FOLDER [RUNS] [CALLERS]        runs through create, claim and finish
//   state_bench FOLDER fill [PIPELINES] [RUNS]   makes a store with a history
//   state_bench FOLDER start [PIPELINES] [RUNS]  how long such a store takes to open
// FOLDER must exist and is filled.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include <sys/resource.h>

#include "state/sqlite/sqlite_state_store.h"

namespace {

using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Of all threads of this process: says more than the clock on a busy machine.
double CpuSeconds() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

constexpr char kNow[] = "2026-11-21T09:00:00.000Z";

dxt::NewRun MakeRun(int number) {
  char id[32];
  std::snprintf(id, sizeof id, "01M7ZA1CPRBHFEHEJ9%08d", number);
  dxt::NewRun run;
  run.id = id;
  run.project = "shop";
  run.pipeline = "orders" + std::to_string(number % 100);
  run.request_id = std::string("request-") + id;
  run.request_hash = std::string(64, 'h');
  run.document_hash = "hash" + std::to_string(number % 100);
  run.pipeline_document.text = std::string(1500, 'd');
  run.options = "phase: RUN";
  run.created_at = kNow;
  run.sealed_input = std::string(200, 's');
  return run;
}

dxt::RunOutcome MakeOutcome() {
  dxt::RunOutcome outcome;
  outcome.state = "SUCCEEDED";
  outcome.result_json = std::string(1200, 'r');
  outcome.ended_at = kNow;
  return outcome;
}

void Must(const arrow::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  std::exit(1);
}

template <typename Work>
double Together(int callers, int count, const Work& work) {
  const auto start = Clock::now();
  std::atomic<int> next = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < callers; ++i) {
    threads.emplace_back([&] {
      for (int at = next++; at < count; at = next++) work(at);
    });
  }
  for (auto& thread : threads) thread.join();
  return SecondsSince(start);
}

void Lifecycle(const char* folder, int runs, int callers) {
  const auto store = dxt::SqliteStateStore::Make(folder).ValueOrDie();
  const double seconds = Together(callers, runs, [&](int at) {
    const auto run = MakeRun(at);
    Must(store->runs().Create(run).status());
    const auto lease = store->runs().Claim(run.id, kNow);
    Must(lease.status());
    Must(store->runs().Finish(*lease, MakeOutcome()));
  });
  std::printf(
      "%d runs, %d callers: %.2f s, %.0f runs/s, %.0f transactions/s, %.2f CPU s\n", runs,
      callers, seconds, runs / seconds, 3 * runs / seconds, CpuSeconds());
}

void Fill(const char* folder, int pipelines, int runs) {
  const auto store = dxt::SqliteStateStore::Make(folder).ValueOrDie();
  Together(16, pipelines, [&](int at) {
    dxt::PipelineRecord record;
    record.project = "default";
    record.name = "pipeline" + std::to_string(at);
    record.document.text = std::string(1500, 'd');
    record.created_at = record.updated_at = kNow;
    Must(store->definitions().ApplyPipeline(record, {}).status());
  });
  Together(16, runs, [&](int at) {
    const auto run = MakeRun(at);
    Must(store->runs().Create(run).status());
    const auto lease = store->runs().Claim(run.id, kNow);
    Must(lease.status());
    Must(store->runs().Finish(*lease, MakeOutcome()));
  });
}

void Start(const char* folder, int pipelines, int runs) {
  Fill(folder, pipelines, runs);
  auto start = Clock::now();
  const auto store = dxt::SqliteStateStore::Make(folder).ValueOrDie();
  const double opened = SecondsSince(start);
  start = Clock::now();
  int listed = 0;
  for (std::string after;;) {
    const auto page = store->definitions().ListPipelines("", after, 1000).ValueOrDie();
    if (page.empty()) break;
    listed += static_cast<int>(page.size());
    after = page.back().project + "/" + page.back().name;
  }
  Must(store->runs().Queued().status());
  Must(store->runs().Interrupted().status());
  Must(store->runs().Stats().status());
  std::printf("%d pipelines, %d runs, %.0f MB: opened in %.2f s, read in %.2f s\n",
              listed, runs, static_cast<double>(*store->FileBytes()) / 1e6, opened,
              SecondsSince(start));
  start = Clock::now();
  const auto pruned = store->runs().Prune("9999", 100, "2027-01-01T00:00:00.000Z");
  std::printf("pruned %ld runs in %.2f s\n", static_cast<long>(pruned.ValueOrDie()),
              SecondsSince(start));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const auto number = [&](int at, int otherwise) {
    return argc > at ? std::atoi(argv[at]) : otherwise;
  };
  const std::string what = argc > 2 ? argv[2] : "";
  if (what == "fill") {
    Fill(argv[1], number(3, 10'000), number(4, 100'000));
  } else if (what == "start") {
    Start(argv[1], number(3, 10'000), number(4, 100'000));
  } else {
    Lifecycle(argv[1], number(2, 10'000), number(3, 8));
  }
  return 0;
}
