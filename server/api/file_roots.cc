#include "server/api/file_roots.h"

#include <algorithm>

#include "base/error.h"
#include "connectors/sdk/connector.h"
#include "engine/plan/documents.h"
#include "server/api/api_server.h"

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

arrow::Status CheckPath(const fs::path& path, const std::string& what,
                        const ApiParts& parts) {
  if (path.empty()) return arrow::Status::OK();
  std::error_code error;
  const fs::path real = fs::weakly_canonical(path, error);
  for (const auto& root : parts.file_roots) {
    const fs::path real_root = fs::weakly_canonical(root, error);
    if (!error && path.is_absolute() && IsBelow(real, real_root)) {
      return arrow::Status::OK();
    }
  }
  return MakeError(ErrorClass::kAuth, "files.outside_roots",
                   what + " names " + path.string() +
                       ", and this dxtd opens files below its `files.roots` only",
                   parts.file_roots.empty()
                       ? "Set files.roots in dxtd's configuration; there are none"
                       : "Move the file below one of them, or have that folder added");
}

}  // namespace

arrow::Status CheckFileRoots(const Connection& connection, const ApiParts& parts) {
  if (parts.is_private || connection.connector == nullptr) return arrow::Status::OK();
  for (const auto& spec : connection.connector->spec().options) {
    if (!spec.path || !connection.config.Has(spec.name)) continue;
    ARROW_RETURN_NOT_OK(CheckPath(LocalPath(connection.config.String(spec.name)),
                                  "the connection " + connection.name, parts));
  }
  return arrow::Status::OK();
}

arrow::Status CheckFileRoots(const PipelineDocument& pipeline, const ApiParts& parts) {
  if (parts.is_private) return arrow::Status::OK();
  ARROW_RETURN_NOT_OK(CheckFileRoots(pipeline.source, parts));
  ARROW_RETURN_NOT_OK(CheckFileRoots(pipeline.target, parts));
  return CheckPath(pipeline.buffer.location, "buffer.location", parts);
}

}  // namespace dxt
