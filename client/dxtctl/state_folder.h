#pragma once
#include <filesystem>
#include <string>

#include "client/dxtctl/result.h"

namespace dxt::ctl {

/// The state folder of a project, and the socket its private dxtd listens at.
struct StateFolder {
  std::filesystem::path path;    ///< Real path; exists, 0700.
  std::filesystem::path socket;  ///< Its folder exists, 0700, ours.
  std::string note;  ///< For stderr: why it is not beside the project; "" = it is.
};

/// `.dxt` in `anchor`, made where missing. Where `anchor` cannot be written or is on a
/// network file system: a folder of its own below $XDG_STATE_HOME/dxt.
Result<StateFolder> OpenStateFolder(const std::filesystem::path& anchor);

/// For what belongs to no project and no pipeline file.
Result<StateFolder> OpenSharedStateFolder();

}  // namespace dxt::ctl
