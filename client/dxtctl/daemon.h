#pragma once
#include <filesystem>
#include <memory>
#include <string>

#include "client/dxtctl/result.h"
#include "client/dxtctl/state_folder.h"

namespace grpc {
class Channel;
}

namespace dxt::ctl {

/// A connection to the private dxtd of a state folder, which runs at least as long as
/// this object lives. When the object, or the whole process, goes, the daemon cancels
/// what was submitted through it, and ends with its last client.
class Daemon {
 public:
  /// Joins the dxtd that runs, or starts one; takes turns with other dxtctl processes.
  static Result<std::unique_ptr<Daemon>> Attach(const StateFolder& state);
  ~Daemon();

  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }
  /// For SubmitRunRequest.attachment.
  const std::string& attachment() const { return attachment_; }

 private:
  struct Stream;
  Daemon();
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<Stream> stream_;
  std::string attachment_;
};

}  // namespace dxt::ctl
