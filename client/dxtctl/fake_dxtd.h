#pragma once
// A dxtd for tests: real sockets and the generated services, answers that a test scripts.
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>

#include "dxt/v1/run_service.grpc.pb.h"
#include "dxt/v1/server_service.grpc.pb.h"

namespace dxt::ctl {

/// A folder that is removed with the object.
class TestFolder {
 public:
  TestFolder();
  ~TestFolder();
  const std::filesystem::path& path() const { return path_; }
  std::string Write(const std::string& name, const std::string& text) const;

 private:
  std::filesystem::path path_;
};

class FakeServerService : public v1::ServerService::Service {
 public:
  grpc::Status GetServerInfo(grpc::ServerContext* context,
                             const v1::GetServerInfoRequest*,
                             v1::ServerInfo* info) override;
  /// Of the last call.
  std::string authorization;
  grpc::Status answer = grpc::Status::OK;
  /// Each call finds a daemon that was started since the last one.
  bool restarts = false;

 private:
  int starts_ = 0;
};

/// Runs whose events a test gives beforehand.
class FakeRunService : public v1::RunService::Service {
 public:
  grpc::Status SubmitRun(grpc::ServerContext*, const v1::SubmitRunRequest* request,
                         v1::Run* run) override;
  grpc::Status ListRuns(grpc::ServerContext*, const v1::ListRunsRequest* request,
                        v1::ListRunsResponse* response) override;
  grpc::Status WatchRun(grpc::ServerContext*, const v1::WatchRunRequest* request,
                        grpc::ServerWriter<v1::RunEvent>* writer) override;
  grpc::Status TailLogs(grpc::ServerContext*, const v1::TailLogsRequest* request,
                        grpc::ServerWriter<v1::LogLine>* writer) override;

  std::mutex mutex;
  std::vector<v1::SubmitRunRequest> submits;
  std::vector<v1::ListRunsRequest> lists;
  std::vector<int64_t> watch_cursors;
  /// Each submit takes one; OK when none is left.
  std::deque<grpc::Status> submit_answers;
  std::vector<v1::Run> runs;
  std::vector<v1::RunEvent> events;
  std::vector<v1::LogLine> lines;
  /// The stream breaks off after the event with this cursor, once; 0 = never.
  int64_t break_after = 0;
  /// The stream stays open after its last event, until the client goes.
  bool hold = false;
};

/// Takes every call that no other service takes: keeps its request and answers it, with
/// an empty message unless another one was given.
class AnyService : public grpc::CallbackGenericService {
 public:
  struct Call {
    std::string rpc;      ///< "PipelineService.ApplyPipeline"
    std::string request;  ///< Proto JSON; fields with default values are left out.
  };
  grpc::ServerGenericBidiReactor* CreateReactor(
      grpc::GenericCallbackServerContext* context) override;
  std::vector<Call> calls();
  void Answer(const std::string& rpc, const google::protobuf::Message& answer);

 private:
  class Reactor;
  std::mutex mutex_;
  std::vector<Call> calls_;
  std::map<std::string, std::string> answers_;  ///< Serialized, by rpc.
};

struct FakeOptions {
  std::string address;  ///< "" = a unix socket of its own.
  std::shared_ptr<grpc::ServerCredentials> credentials;
  bool only_rest = false;  ///< `rest` takes all calls.
};

class FakeDxtd {
 public:
  explicit FakeDxtd(const FakeOptions& options = {});
  ~FakeDxtd();
  /// For --server.
  const std::string& address() const { return address_; }

  FakeServerService server_service;
  FakeRunService runs;
  AnyService rest;

 private:
  TestFolder folder_;
  std::string address_;
  std::unique_ptr<grpc::Server> server_;
};

/// A key, and a certificate for localhost that is its own authority.
struct TestCertificate {
  std::string key, certificate;
};
TestCertificate MakeTestCertificate();

/// What came of one command line.
struct Ran {
  int exit_code = 0;
  std::string out, err;
};
/// Runs dxtctl's own code in this process.
Ran RunCtl(std::vector<std::string> words);

}  // namespace dxt::ctl
