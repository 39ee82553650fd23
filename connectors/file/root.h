#pragma once
// A folder of a disk that nothing leads out of.
#include <string>
#include <string_view>

#include <sys/types.h>

namespace dxt::file {

/// Finds files below one folder: neither `..` nor a symbolic link leads out of it, also
/// when somebody changes the folders meanwhile. Links that stay inside are followed, the
/// folder itself is reached by whatever links its own path holds. What a load stages
/// beside the folder (`.<name>.…`) counts as inside.
///
/// Descriptors are the caller's to close. Failures are -1 with errno; EXDEV = outside.
/// Immutable, so safe from any thread.
class Root {
 public:
  /// "" = the whole disk, with all its links. The folder need not exist yet.
  static Root Make(const std::string& folder);

  /// open(2) of an absolute path.
  int Open(const std::string& path, int flags, mode_t mode = 0) const;
  /// The folder that holds `path`, for calls that take a name in it and follow no link.
  int OpenParent(const std::string& path, std::string* name) const;
  /// Makes a folder and those above it where they are missing.
  int MakeFolders(const std::string& path) const;
  /// The same for the folder that `path` is to stand in.
  int MakeParent(const std::string& path) const;
  /// Removes a file or a whole folder; nothing there is fine.
  int Remove(const std::string& path) const;
  /// The path behind `path` where its last part is a symbolic link, else `path`.
  int FollowLink(std::string* path) const;

 private:
  /// The trusted folder that `path` lies in and its path below that; false = outside.
  bool Split(const std::string& path, std::string* base, std::string* below) const;
  bool IsAbove(const std::string& path) const;
  /// Whether the folder above `path` is no part of the root any more.
  bool IsOutermost(const std::string& path) const;

  Root() = default;
  bool anywhere() const { return folder_.empty(); }
  bool IsOwn(const std::string& base) const { return base == folder_ || base == real_; }

  std::string folder_;
  std::string real_;  ///< The same without links.
};

}  // namespace dxt::file
