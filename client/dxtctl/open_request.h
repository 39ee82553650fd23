#pragma once
// What a command has asked of a private dxtd and not been answered yet.
#include <filesystem>
#include <string>

#include "client/dxtctl/result.h"

namespace dxt::ctl {

/// Keeps the id of a request in the state folder until its answer has arrived. A command
/// that is given again after dxtd, or dxtctl itself, was killed then sends the same id
/// and is told what became of the run, also if that had ended already; without it, the
/// end of a run whose answer was lost would look like a run that never was, and be done
/// twice. Commands that run beside each other have ids of their own.
class OpenRequest {
 public:
  /// `what`: the same for the same command, different for others. Makes a new id, unless
  /// one is unanswered; `fresh` gives that one up.
  static Result<OpenRequest> Take(const std::filesystem::path& state_folder,
                                  const std::string& what, bool fresh);
  OpenRequest(OpenRequest&& other) noexcept;
  OpenRequest& operator=(OpenRequest&&) = delete;
  ~OpenRequest();

  const std::string& id() const { return id_; }
  /// True when an earlier command sent this id.
  bool repeated() const { return repeated_; }
  /// The id has become worthless: its run ended without success, or was another
  /// command's.
  Status Renew();
  /// The answer is there; the next command is a new one.
  void Answered();

 private:
  OpenRequest() = default;
  Status Write();

  std::filesystem::path path_;
  int fd_ = -1;  ///< Locked for as long as the command waits for its answer.
  std::string id_;
  bool repeated_ = false;
};

}  // namespace dxt::ctl
