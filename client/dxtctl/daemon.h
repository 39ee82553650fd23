#pragma once
#include <filesystem>
#include <memory>
#include <string>

#include "client/dxtctl/call.h"
#include "client/dxtctl/result.h"
#include "client/dxtctl/state_folder.h"

namespace dxt::ctl {

/// A connection to a dxtd. The private one of a state folder runs at least as long as
/// this object lives; when the object, or the whole process, goes, it cancels what was
/// submitted through it, and ends with its last client.
class Daemon {
 public:
  /// Joins the dxtd that runs, or starts one; takes turns with other dxtctl processes.
  static Result<std::unique_ptr<Daemon>> Attach(const StateFolder& state, bool debug);
  /// A daemon that runs whoever comes and goes.
  static std::unique_ptr<Daemon> At(std::shared_ptr<grpc::Channel> channel);

  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }
  /// Without a deadline: most calls here read documents and wait for other systems.
  template <typename Response>
  Result<Response> Call(const google::protobuf::Message& request) const {
    return ctl::Call<Response>(channel_, request, {.deadline = std::nullopt});
  }
  /// For SubmitRunRequest.attachment; empty unless the daemon is private.
  const std::string& attachment() const { return attachment_; }
  /// Of a private daemon; empty for others.
  const std::filesystem::path& state_folder() const { return state_folder_; }

 private:
  Daemon() = default;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<ServerStream> stream_;  ///< Open for as long as this client is there.
  std::string attachment_;
  std::filesystem::path state_folder_;
};

}  // namespace dxt::ctl
