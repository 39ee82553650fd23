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

/// A connection to a dxtd. The private one of a state folder runs at least as long as
/// this object lives; when the object, or the whole process, goes, it cancels what was
/// submitted through it, and ends with its last client.
class Daemon {
 public:
  /// Joins the dxtd that runs, or starts one; takes turns with other dxtctl processes.
  static Result<std::unique_ptr<Daemon>> Attach(const StateFolder& state, bool debug);
  /// A daemon that runs whoever comes and goes.
  static std::unique_ptr<Daemon> At(std::shared_ptr<grpc::Channel> channel);
  ~Daemon();

  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }
  /// For SubmitRunRequest.attachment; empty unless the daemon is private.
  const std::string& attachment() const { return attachment_; }

 private:
  struct Stream;
  Daemon();
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<Stream> stream_;
  std::string attachment_;
};

}  // namespace dxt::ctl
