// Drives a dxtd as hard as its clients might. Used by `bench daemon`; prints JSON.
//   daemon_load burn SOCKET TEMPLATE RUNS PIPELINES CLIENTS
//       submits RUNS runs of PIPELINES pipelines as fast as CLIENTS clients can, beside
//       them one every 50 ms, and waits until all have ended. TEMPLATE is a pipeline file
//       with @ for the number of the pipeline.
//   daemon_load watch SOCKET RUN COUNT
//       watches a run COUNT times; says "ready" when every stream is open, ends with them
//   daemon_load deaf SOCKET RUN COUNT
//       likewise, and never reads; ends with its standard input
#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <grpcpp/grpcpp.h>

#include "dxt/v1/run_service.grpc.pb.h"
#include "dxt/v1/server_service.grpc.pb.h"

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
namespace v1 = dxt::v1;

/// What a server lets one connection carry.
constexpr int kStreamsPerConnection = 100;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

[[noreturn]] void Fail(const std::string& what) {
  std::fprintf(stderr, "daemon_load: %s\n", what.c_str());
  std::exit(1);
}

/// A connection of its own.
std::shared_ptr<grpc::Channel> Connect(const std::string& socket) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  // Or a connection takes megabytes that nobody reads.
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  return grpc::CreateCustomChannel("unix:" + socket, grpc::InsecureChannelCredentials(),
                                   arguments);
}

double Percentile(std::vector<double> values, double part) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[static_cast<size_t>(part * static_cast<double>(values.size() - 1))];
}

class Burner {
 public:
  Burner(std::string socket, const std::string& file, int pipelines)
      : socket_(std::move(socket)), pipelines_(pipelines) {
    std::ifstream in(file);
    template_.assign(std::istreambuf_iterator<char>(in), {});
    if (template_.empty()) Fail("cannot read " + file);
  }

  int Run(int runs, int clients) {
    const auto started = Clock::now();
    std::atomic<int> next = 0;
    std::atomic<bool> drained = false;
    std::vector<std::vector<double>> took(static_cast<size_t>(clients));
    std::vector<std::thread> threads;
    for (auto& mine : took) {
      threads.emplace_back([&] {
        const auto stub = v1::RunService::NewStub(Connect(socket_));
        for (int at = next++; at < runs; at = next++) mine.push_back(Submit(*stub, at));
      });
    }
    std::vector<double> meanwhile;
    std::thread beside([&] {
      const auto stub = v1::RunService::NewStub(Connect(socket_));
      for (int at = runs; !drained; ++at) {
        meanwhile.push_back(Submit(*stub, at));
        std::this_thread::sleep_for(milliseconds(50));
      }
    });
    for (auto& thread : threads) thread.join();
    const double queued = SecondsSince(started);
    const auto at_once = Waiting();
    AwaitAtMost(50);
    drained = true;
    beside.join();
    AwaitAtMost(0);
    const double all = SecondsSince(started);
    const int made = runs + static_cast<int>(meanwhile.size());
    const int succeeded = CountSucceeded();
    if (succeeded < made) {
      Fail(std::to_string(made) + " runs were submitted, " + std::to_string(succeeded) +
           " succeeded");
    }
    std::vector<double> burst;
    for (const auto& mine : took) burst.insert(burst.end(), mine.begin(), mine.end());
    std::printf(
        "{\"runs\": %d, \"submit_s\": %.3f, \"queued_then\": %d, \"all_s\": %.3f, "
        "\"runs_per_s\": %.1f, \"submits_beside\": %zu, \"submit_p50_ms\": %.2f, "
        "\"submit_p99_ms\": %.2f, \"burst_p99_ms\": %.2f}\n",
        made, queued, at_once, all, made / all, meanwhile.size(),
        Percentile(meanwhile, 0.5), Percentile(meanwhile, 0.99), Percentile(burst, 0.99));
    return 0;
  }

 private:
  /// Returns how long it took, in ms.
  double Submit(v1::RunService::Stub& stub, int number) {
    v1::SubmitRunRequest request;
    auto& pipeline = *request.mutable_documents()->mutable_pipeline();
    pipeline.set_path("/bench/p.yaml");
    for (const char c : template_) {
      if (c == '@') {
        pipeline.mutable_text()->append(std::to_string(number % pipelines_));
      } else {
        pipeline.mutable_text()->push_back(c);
      }
    }
    request.set_request_id("bench-" + std::to_string(number));
    grpc::ClientContext context;
    v1::Run run;
    const auto before = Clock::now();
    const auto status = stub.SubmitRun(&context, request, &run);
    if (!status.ok()) Fail("submit: " + status.error_message());
    return SecondsSince(before) * 1000;
  }

  /// Runs that wait or execute.
  int Waiting() {
    grpc::ClientContext context;
    v1::ServerStatus status;
    const auto got = server_->GetServerStatus(&context, {}, &status);
    if (!got.ok()) Fail("status: " + got.error_message());
    return status.runs_queued() + status.workers_busy();
  }

  void AwaitAtMost(int count) {
    while (Waiting() > count) std::this_thread::sleep_for(milliseconds(20));
  }

  int CountSucceeded() {
    int count = 0;
    v1::ListRunsRequest request;
    request.set_parent("projects/-");
    request.set_page_size(1000);
    request.set_filter("state=SUCCEEDED");
    const auto stub = v1::RunService::NewStub(channel_);
    do {
      grpc::ClientContext context;
      v1::ListRunsResponse page;
      const auto got = stub->ListRuns(&context, request, &page);
      if (!got.ok()) Fail("list: " + got.error_message());
      for (const auto& run : page.runs()) {
        count += run.pipeline().find("/noop") != std::string::npos ? 1 : 0;
      }
      request.set_page_token(page.next_page_token());
    } while (!request.page_token().empty());
    return count;
  }

  const std::string socket_;
  const int pipelines_;
  std::string template_;
  const std::shared_ptr<grpc::Channel> channel_ = Connect(socket_);
  const std::unique_ptr<v1::ServerService::Stub> server_ =
      v1::ServerService::NewStub(channel_);
};

/// Counts what happens to the streams of a crowd.
struct Tally {
  void Add(int& what) {
    std::lock_guard lock(mutex);
    ++what;
    changed.notify_all();
  }
  void Await(const int& what, int count) {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return what >= count; });
  }
  std::mutex mutex;
  std::condition_variable changed;
  int open = 0, done = 0, ok = 0, finished = 0;
  int64_t events = 0;
};

class Watcher : public grpc::ClientReadReactor<v1::RunEvent> {
 public:
  Watcher(v1::RunService::Stub& stub, const std::string& run, bool reads, Tally& tally)
      : tally_(tally), reads_(reads) {
    request_.set_name(run);
    stub.async()->WatchRun(&context_, &request_, this);
    if (reads_) StartRead(&event_);
    StartCall();
  }
  void OnReadInitialMetadataDone(bool) override { tally_.Add(tally_.open); }
  void OnReadDone(bool ok) override {
    if (!ok) return;
    {
      std::lock_guard lock(tally_.mutex);
      ++tally_.events;
      if (event_.has_finished()) ++tally_.finished;
    }
    StartRead(&event_);
  }
  void OnDone(const grpc::Status& status) override {
    if (status.ok()) tally_.Add(tally_.ok);
    tally_.Add(tally_.done);
  }

 private:
  Tally& tally_;
  const bool reads_;
  grpc::ClientContext context_;
  v1::WatchRunRequest request_;
  v1::RunEvent event_;
};

int Watch(const std::string& socket, const std::string& run, int count, bool reads) {
  Tally tally;
  std::vector<std::unique_ptr<v1::RunService::Stub>> stubs;
  std::vector<std::unique_ptr<Watcher>> watchers;
  for (int i = 0; i < count; ++i) {
    if (i % kStreamsPerConnection == 0) {
      stubs.push_back(v1::RunService::NewStub(Connect(socket)));
    }
    watchers.push_back(std::make_unique<Watcher>(*stubs.back(), run, reads, tally));
  }
  tally.Await(tally.open, count);
  std::printf("ready\n");
  std::fflush(stdout);
  // Who reads nothing does not see that a stream has ended.
  if (!reads) {
    while (std::getchar() != EOF) {
    }
    std::_Exit(0);
  }
  tally.Await(tally.done, count);
  std::printf("{\"watchers\": %d, \"ok\": %d, \"finished\": %d, \"events\": %lld}\n",
              count, tally.ok, tally.finished, static_cast<long long>(tally.events));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  if (what == "burn" && argc == 7) {
    return Burner(argv[2], argv[3], std::atoi(argv[5]))
        .Run(std::atoi(argv[4]), std::atoi(argv[6]));
  }
  if ((what == "watch" || what == "deaf") && argc == 5) {
    return Watch(argv[2], argv[3], std::atoi(argv[4]), what == "watch");
  }
  std::fprintf(stderr,
               "usage: daemon_load burn SOCKET TEMPLATE RUNS PIPELINES CLIENTS\n"
               "       daemon_load watch|deaf SOCKET RUN COUNT\n");
  return 2;
}
