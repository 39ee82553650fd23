#pragma once
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/result.h>

#include "connectors/file/format.h"
#include "connectors/sdk/config.h"

namespace dxt::file {

class Store;

/// Where a connection points: a folder, or one file (or glob) in it.
struct Location {
  std::shared_ptr<Store> store;
  std::string folder;     ///< Of the store; "" = the connection has no url.
  std::string only_file;  ///< Set when the url names a file or a glob.
  ConfigValue options;    ///< Of the connection, a map; streams' options override it.
  std::string endpoint;   ///< Of a bucket: which of several S3 servers has it.

  /// A stream's reference as a path of the store, without `.` and `..`. What leaves the
  /// folder is kConfig "file.outside". "" means the folder, or the one file.
  arrow::Result<std::string> Resolve(std::string_view reference) const;
  /// Equal for two paths of any connections exactly when they are the same file or
  /// folder: links are followed.
  std::string IdentityOf(const std::string& path) const;
};

arrow::Result<Location> OpenLocation(const ConfigView& config);

/// "file:/real/path" or "s3:endpoint/bucket/prefix".
std::string LocationIdentity(const ConfigView& config);

/// The files of one stream that is read, by name.
struct FileSet {
  std::vector<std::string> paths;
  FormatOptions options;
  std::string text;  ///< The path, glob or folder, for people.
};

/// Expands a path, glob (`*`, `?`, `[…]`, `**`) or folder. kConfig "file.missing" with
/// the absolute path when there is nothing, "file.mixed_formats".
arrow::Result<FileSet> FindFiles(const Location& location, std::string_view reference,
                                 const ConfigValue* stream_options);

/// The data files of a folder and of its load-* folders, of one format or of any; without
/// dot-files and `_dxt`.
arrow::Result<std::vector<std::string>> FolderFiles(Store& store,
                                                    const std::string& folder,
                                                    std::optional<Format> format);

bool HasGlob(std::string_view text);
bool MatchGlob(std::string_view pattern, std::string_view path);

}  // namespace dxt::file
