#include "server/api/file_roots.h"

#include <algorithm>

#include "base/error.h"
#include "connectors/sdk/connector.h"
#include "engine/plan/documents.h"

namespace dxt {
namespace {

namespace fs = std::filesystem;

/// "" for what is no file of this machine: object stores, memory.
fs::path LocalPath(const std::string& value) {
  constexpr std::string_view kFile = "file://";
  if (value.starts_with(kFile)) return value.substr(kFile.size());
  const size_t scheme = value.find("://");
  const bool remote = scheme != std::string::npos && value.find('/') > scheme;
  return remote || value == ":memory:" ? fs::path() : fs::path(value);
}

bool IsBelow(const fs::path& path, const fs::path& root) {
  const auto [root_end, at] =
      std::mismatch(root.begin(), root.end(), path.begin(), path.end());
  return root_end == root.end() ||
         (root_end->empty() && std::next(root_end) == root.end());
}

}  // namespace

bool FileRoots::Allows(const fs::path& path) const {
  if (anywhere_) return true;
  if (!path.is_absolute()) return false;
  std::error_code error;
  const fs::path real = fs::weakly_canonical(path, error);
  if (error) return false;
  return std::any_of(folders_.begin(), folders_.end(), [&](const fs::path& folder) {
    const fs::path real_folder = fs::weakly_canonical(folder, error);
    return !error && IsBelow(real, real_folder);
  });
}

arrow::Status FileRoots::CheckPath(const fs::path& path, const std::string& what) const {
  if (path.empty() || Allows(path)) return arrow::Status::OK();
  return MakeError(ErrorClass::kAuth, "files.outside_roots",
                   what + " names " + path.string() +
                       ", and this dxtd opens files below its `files.roots` only",
                   folders_.empty()
                       ? "Set files.roots in dxtd's configuration; there are none"
                       : "Move the file below one of them, or have that folder added");
}

arrow::Status FileRoots::Check(const Connection& connection) const {
  if (connection.connector == nullptr) return arrow::Status::OK();
  const OptionSpec* place = nullptr;
  bool placed = false;
  for (const auto& spec : connection.connector->spec().options) {
    if (!spec.path) continue;
    place = &spec;
    if (!connection.config.Has(spec.name)) continue;
    placed = true;
    ARROW_RETURN_NOT_OK(CheckPath(LocalPath(connection.config.String(spec.name)),
                                  "the connection " + connection.name));
  }
  if (!anywhere_ && place != nullptr && !placed) {
    // Its streams would name files by themselves, wherever they lie.
    return MakeError(ErrorClass::kAuth, "files.outside_roots",
                     "the connection " + connection.name + " has no `" + place->name +
                         "`, and this dxtd opens files below its `files.roots` only",
                     "Set `" + place->name +
                         "` to a folder below one of them; streams name files in it");
  }
  return arrow::Status::OK();
}

arrow::Status FileRoots::Check(const PipelineDocument& pipeline) const {
  ARROW_RETURN_NOT_OK(Check(pipeline.source));
  ARROW_RETURN_NOT_OK(Check(pipeline.target));
  return CheckPath(pipeline.buffer.location, "buffer.location");
}

}  // namespace dxt
