#pragma once
#include <filesystem>
#include <vector>

#include <arrow/status.h>

namespace dxt {

struct Connection;
struct PipelineDocument;

/// The folders of this machine below which clients may name files. An immutable value,
/// safe to copy and to ask from any thread.
class FileRoots {
 public:
  /// Every file: a private daemon works for one user, who may do what he may.
  static FileRoots Anywhere() { return FileRoots({}, true); }
  static FileRoots Below(std::vector<std::filesystem::path> folders) {
    return FileRoots(std::move(folders), false);
  }

  /// Links are followed; a relative path is below nothing.
  bool Allows(const std::filesystem::path& path) const;
  /// kAuth "files.outside_roots" when a document names a file or folder of this machine
  /// that is not allowed.
  arrow::Status Check(const PipelineDocument& pipeline) const;
  arrow::Status Check(const Connection& connection) const;

 private:
  FileRoots(std::vector<std::filesystem::path> folders, bool anywhere)
      : folders_(std::move(folders)), anywhere_(anywhere) {}
  arrow::Status CheckPath(const std::filesystem::path& path,
                          const std::string& what) const;

  std::vector<std::filesystem::path> folders_;
  bool anywhere_;
};

}  // namespace dxt
