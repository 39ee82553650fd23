// Clients that do not read, and systems and disks that do not answer.
#include <semaphore>
#include <thread>

#include <arpa/inet.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <malloc.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dxt/v1/project_service.grpc.pb.h"
#include "dxt/v1/run_service.grpc.pb.h"
#include "dxt/v1/server_service.grpc.pb.h"
#include "server/api/test_server.h"

namespace dxt {
namespace {

using std::chrono::milliseconds;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kCountsMemory = false;  // Their allocators are not asked.
#else
constexpr bool kCountsMemory = true;
#endif
constexpr int kLines = 1500;
constexpr size_t kLineBytes = 4000;
constexpr char kPipeline[] =
    "version: 1\nname: talkative\nsource: {connection: \"memory:in\"}\n"
    "target: {connection: \"memory:out\"}\nstreams: [{id: t, source: t, target: t}]\n";

/// A gate that a run waits at.
class Gate {
 public:
  void Open() {
    open_ = true;
    open_.notify_all();
  }
  void Pass() const { open_.wait(false); }

 private:
  std::atomic<bool> open_{false};
};

/// Says six megabytes, then waits at the gate.
DispatcherOptions Talkative(Gate& said, const Gate& gate) {
  DispatcherOptions options;
  options.store_logs = false;
  options.execute = [&](const PipelineDocument& pipeline, const RunOptions&,
                        const RunContext& context, std::stop_token) {
    const std::string line(kLineBytes, 'x');
    for (int i = 0; i < kLines; ++i) {
      context.observer->OnEvent(Severity::kInfo, "t", "said", line);
    }
    said.Open();
    gate.Pass();
    RunResult result;
    result.project = pipeline.project.name;
    result.pipeline = pipeline.name;
    result.state = RunState::kSucceeded;
    return result;
  };
  return options;
}

std::shared_ptr<grpc::Channel> OwnChannel(const TestServer& server) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  // Or a client takes megabytes that nobody reads.
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  return grpc::CreateCustomChannel(server.unix_address(),
                                   grpc::InsecureChannelCredentials(), arguments);
}

void SetDeadline(grpc::ClientContext& context) {
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(100));
}

/// Watches that are begun and never read.
class DeafWatchers {
 public:
  DeafWatchers(const TestServer& server, const std::string& run, int count)
      : stub_(v1::RunService::NewStub(OwnChannel(server))), calls_(count) {
    v1::WatchRunRequest request;
    request.set_name(run);
    for (auto& call : calls_) {
      SetDeadline(call.context);
      call.reader = stub_->AsyncWatchRun(&call.context, request, &queue_, nullptr);
      Await();
    }
  }
  /// What they were told in the end stands behind what they never read.
  ~DeafWatchers() {
    for (auto& call : calls_) {
      call.context.TryCancel();
      grpc::Status status;
      call.reader->Finish(&status, nullptr);
      Await();
    }
    queue_.Shutdown();
  }

 private:
  struct Call {
    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientAsyncReader<v1::RunEvent>> reader;
  };
  void Await() {
    void* tag = nullptr;
    bool ok = false;
    EXPECT_TRUE(queue_.Next(&tag, &ok));
  }

  grpc::CompletionQueue queue_;
  std::unique_ptr<v1::RunService::Stub> stub_;
  std::vector<Call> calls_;
};

int64_t HeapBytes() {
  const auto info = mallinfo2();
  return static_cast<int64_t>(info.uordblks + info.hblkhd);
}

TEST(SlowClient, WatchersThatNeverReadCostLittleAndAreDroppedAndOthersMissNothing) {
  constexpr int kWatchers = 40;
  Gate said, gate;
  ApiParts limits;
  limits.watcher_patience = milliseconds(500);
  TestServer server({}, Talkative(said, gate), limits);
  const auto stub = v1::RunService::NewStub(OwnChannel(server));
  v1::SubmitRunRequest submit;
  submit.mutable_documents()->mutable_pipeline()->set_path("/p.yaml");
  submit.mutable_documents()->mutable_pipeline()->set_text(kPipeline);
  grpc::ClientContext submitting;
  SetDeadline(submitting);
  v1::Run run;
  const auto submitted = stub->SubmitRun(&submitting, submit, &run);
  ASSERT_TRUE(submitted.ok()) << submitted.error_message();
  said.Pass();

  const int64_t before = HeapBytes();
  DeafWatchers deaf(server, run.name(), kWatchers);
  int64_t most = 0;
  while (server.api().watchers_dropped() < kWatchers) {
    most = std::max(most, HeapBytes() - before);
    std::this_thread::sleep_for(milliseconds(2));
  }
  if (kCountsMemory) {
    // Both ends are in this process.
    EXPECT_LE(most / kWatchers, 256 << 10);
    EXPECT_GT(most, 0);
  }
  grpc::ClientContext watching;
  SetDeadline(watching);
  v1::WatchRunRequest watch;
  watch.set_name(run.name());
  const auto reader = stub->WatchRun(&watching, watch);
  gate.Open();
  int lines = 0;
  v1::RunEvent event;
  while (reader->Read(&event)) lines += event.log().event() == "said" ? 1 : 0;
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_EQ(lines, kLines);
  EXPECT_EQ(event.finished().state(), v1::Run::SUCCEEDED);
  EXPECT_EQ(server.api().watchers_dropped(), kWatchers);
}

TEST(SlowClient, ACallThatWaitsForASilentSystemEndsAtTheServersLimit) {
  const int silent = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(bind(silent, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(listen(silent, 10), 0);
  ASSERT_EQ(getsockname(silent, reinterpret_cast<sockaddr*>(&address), &size), 0);

  ApiParts limits;
  limits.call_limit = milliseconds(100);
  TestServer server({}, {}, limits);
  v1::DiscoverPipelineRequest request;
  request.set_connection(
      "postgresql://u@127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/d");
  request.set_to("memory:out");
  grpc::ClientContext context;  // Without a deadline.
  v1::DiscoverPipelineResponse response;
  const auto status = v1::ProjectService::NewStub(server.Connect())
                          ->DiscoverPipeline(&context, request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED)
      << status.error_message();
  close(silent);
}

TEST(SlowClient, SubmitsThatWaitForTheDiskWaitTogetherAndHoldUpNoOtherCall) {
  constexpr int kSubmits = 8;
  std::counting_semaphore<kSubmits> inside(0);
  Gate gate;
  DispatcherOptions options;
  options.own_threads = false;
  options.seal = [&](std::string_view, std::string_view) {
    inside.release();
    gate.Pass();
    return arrow::Result<std::string>("sealed");
  };
  TestServer server({}, options);
  std::vector<std::thread> clients;
  std::atomic<int> taken = 0;
  for (int i = 0; i < kSubmits; ++i) {
    clients.emplace_back([&] {
      v1::SubmitRunRequest request;
      request.mutable_documents()->mutable_pipeline()->set_text(kPipeline);
      grpc::ClientContext context;
      v1::Run run;
      const auto stub = v1::RunService::NewStub(server.Connect());
      taken += stub->SubmitRun(&context, request, &run).ok() ? 1 : 0;
    });
  }
  int waiting = 0;
  while (waiting < kSubmits && inside.try_acquire_for(std::chrono::seconds(20))) {
    ++waiting;
  }
  EXPECT_EQ(waiting, kSubmits);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
  v1::ServerInfo info;
  EXPECT_TRUE(v1::ServerService::NewStub(server.Connect())
                  ->GetServerInfo(&context, {}, &info)
                  .ok());
  EXPECT_EQ(taken, 0);
  gate.Open();
  for (auto& client : clients) client.join();
  EXPECT_EQ(taken, kSubmits);
}

}  // namespace
}  // namespace dxt
