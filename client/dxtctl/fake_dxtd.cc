#include "client/dxtctl/fake_dxtd.h"

#include <cstdlib>
#include <fstream>
#include <thread>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/util/json_util.h>
#include <grpcpp/support/proto_buffer_reader.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "client/dxtctl/command_line.h"

namespace dxt::ctl {
namespace {

std::string TextOf(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  std::string text(data, static_cast<size_t>(size));
  BIO_free(bio);
  return text;
}

}  // namespace

TestFolder::TestFolder() {
  std::string pattern =
      (std::filesystem::temp_directory_path() / "dxtctl-XXXXXX").string();
  path_ = mkdtemp(pattern.data());
}

TestFolder::~TestFolder() {
  std::error_code error;
  std::filesystem::remove_all(path_, error);
}

std::string TestFolder::Write(const std::string& name, const std::string& text) const {
  std::ofstream(path_ / name) << text;
  return (path_ / name).string();
}

grpc::Status FakeServerService::GetServerInfo(grpc::ServerContext* context,
                                              const v1::GetServerInfoRequest*,
                                              v1::ServerInfo* info) {
  const auto found = context->client_metadata().find("authorization");
  authorization = found == context->client_metadata().end()
                      ? ""
                      : std::string(found->second.begin(), found->second.end());
  info->set_version("9.9.9");
  info->set_state_dir("/var/lib/dxt");
  if (restarts) ++starts_;
  info->mutable_start_time()->set_seconds(1'700'000'000 + starts_);
  return answer;
}

grpc::Status FakeRunService::SubmitRun(grpc::ServerContext*,
                                       const v1::SubmitRunRequest* request,
                                       v1::Run* run) {
  std::lock_guard lock(mutex);
  submits.push_back(*request);
  run->set_name("projects/default/runs/01TEST");
  run->set_state(v1::Run::QUEUED);
  if (submit_answers.empty()) return grpc::Status::OK;
  const grpc::Status answer = submit_answers.front();
  submit_answers.pop_front();
  return answer;
}

grpc::Status FakeRunService::ListRuns(grpc::ServerContext*,
                                      const v1::ListRunsRequest* request,
                                      v1::ListRunsResponse* response) {
  std::lock_guard lock(mutex);
  lists.push_back(*request);
  const size_t begin =
      request->page_token().empty() ? 0 : std::stoul(request->page_token());
  const size_t size = request->page_size() == 0 ? 50 : request->page_size();
  const size_t end = std::min(runs.size(), begin + size);
  for (size_t i = begin; i < end; ++i) *response->add_runs() = runs[i];
  if (end < runs.size()) response->set_next_page_token(std::to_string(end));
  return grpc::Status::OK;
}

grpc::Status FakeRunService::WatchRun(grpc::ServerContext* context,
                                      const v1::WatchRunRequest* request,
                                      grpc::ServerWriter<v1::RunEvent>* writer) {
  std::unique_lock lock(mutex);
  watch_cursors.push_back(request->cursor());
  for (const auto& event : events) {
    if (event.cursor() <= request->cursor()) continue;
    writer->Write(event);
    if (event.cursor() == break_after) {
      break_after = 0;
      return grpc::Status(grpc::StatusCode::UNAVAILABLE, "the connection broke");
    }
  }
  lock.unlock();
  while (hold && !context->IsCancelled()) std::this_thread::yield();
  return grpc::Status::OK;
}

grpc::Status FakeRunService::TailLogs(grpc::ServerContext*,
                                      const v1::TailLogsRequest* request,
                                      grpc::ServerWriter<v1::LogLine>* writer) {
  std::lock_guard lock(mutex);
  for (const auto& line : lines) {
    if (line.cursor() > request->cursor() && line.severity() >= request->min_severity() &&
        (request->stream().empty() || request->stream() == line.stream())) {
      writer->Write(line);
    }
  }
  return grpc::Status::OK;
}

class AnyService::Reactor : public grpc::ServerGenericBidiReactor {
 public:
  Reactor(AnyService& service, const std::string& method) : service_(service) {
    // "/dxt.v1.PipelineService/ApplyPipeline"
    full_name_ = method.substr(1);
    full_name_[full_name_.find('/')] = '.';
    StartRead(&request_);
  }
  void OnReadDone(bool ok) override {
    const auto* method =
        google::protobuf::DescriptorPool::generated_pool()->FindMethodByName(full_name_);
    if (!ok || method == nullptr)
      return Finish(grpc::Status(grpc::StatusCode::UNIMPLEMENTED, full_name_));
    std::unique_ptr<google::protobuf::Message> message(
        google::protobuf::MessageFactory::generated_factory()
            ->GetPrototype(method->input_type())
            ->New());
    grpc::ProtoBufferReader reader(&request_);
    message->ParseFromZeroCopyStream(&reader);
    std::string json;
    (void)google::protobuf::util::MessageToJsonString(*message, &json);
    const std::string rpc = method->service()->name() + "." + method->name();
    {
      std::lock_guard lock(service_.mutex_);
      service_.calls_.push_back({rpc, json});
      const grpc::Slice answer(service_.answers_[rpc]);
      response_ = grpc::ByteBuffer(&answer, 1);
    }
    StartWriteAndFinish(&response_, {}, grpc::Status::OK);
  }
  void OnDone() override { delete this; }

 private:
  AnyService& service_;
  std::string full_name_;
  grpc::ByteBuffer request_;
  grpc::ByteBuffer response_;
};

grpc::ServerGenericBidiReactor* AnyService::CreateReactor(
    grpc::GenericCallbackServerContext* context) {
  return new Reactor(*this, context->method());
}

std::vector<AnyService::Call> AnyService::calls() {
  std::lock_guard lock(mutex_);
  return calls_;
}

void AnyService::Answer(const std::string& rpc, const google::protobuf::Message& answer) {
  std::lock_guard lock(mutex_);
  answers_[rpc] = answer.SerializeAsString();
}

FakeDxtd::FakeDxtd(const FakeOptions& options) {
  grpc::ServerBuilder builder;
  int port = 0;
  const bool own = options.address.empty();
  address_ = own ? "unix:" + (folder_.path() / "dxtd.sock").string() : options.address;
  builder.AddListeningPort(
      address_,
      options.credentials ? options.credentials : grpc::InsecureServerCredentials(),
      &port);
  if (!options.only_rest) {
    builder.RegisterService(&server_service);
    builder.RegisterService(&runs);
  }
  builder.RegisterCallbackGenericService(&rest);
  server_ = builder.BuildAndStart();
  if (!own) address_ = address_.substr(0, address_.rfind(':') + 1) + std::to_string(port);
}

FakeDxtd::~FakeDxtd() {
  server_->Shutdown(std::chrono::system_clock::now());
  server_->Wait();
}

TestCertificate MakeTestCertificate() {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* x509 = X509_new();
  X509_set_version(x509, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(x509), 1);
  X509_gmtime_adj(X509_getm_notBefore(x509), -60);
  X509_gmtime_adj(X509_getm_notAfter(x509), 3600);
  X509_set_pubkey(x509, key);
  X509_NAME* name = X509_get_subject_name(x509);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>("localhost"), -1, -1,
                             0);
  X509_set_issuer_name(x509, name);
  for (const auto& [id, value] :
       {std::pair{NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1"},
        std::pair{NID_basic_constraints, "critical,CA:TRUE"}}) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, id, value);
    X509_add_ext(x509, extension, -1);
    X509_EXTENSION_free(extension);
  }
  X509_sign(x509, key, EVP_sha256());
  BIO* key_text = BIO_new(BIO_s_mem());
  PEM_write_bio_PrivateKey(key_text, key, nullptr, nullptr, 0, nullptr, nullptr);
  BIO* certificate_text = BIO_new(BIO_s_mem());
  PEM_write_bio_X509(certificate_text, x509);
  X509_free(x509);
  EVP_PKEY_free(key);
  return {TextOf(key_text), TextOf(certificate_text)};
}

Ran RunCtl(std::vector<std::string> words) {
  words.insert(words.begin(), "dxtctl");
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  Ran ran;
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  ran.exit_code = RunCommandLine(static_cast<int>(argv.size()), argv.data());
  std::fflush(stdout);
  ran.out = testing::internal::GetCapturedStdout();
  ran.err = testing::internal::GetCapturedStderr();
  return ran;
}

}  // namespace dxt::ctl
