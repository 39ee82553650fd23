#pragma once
// Where files lie: a local disk or a bucket.
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/result.h>

namespace arrow::io {
class InputStream;
class OutputStream;
class RandomAccessFile;
}  // namespace arrow::io
namespace arrow::fs {
class FileSystem;
}

namespace dxt {
class ConfigView;
}

namespace dxt::file {

struct Entry {
  std::string path;
  bool is_folder = false;
  int64_t size = 0;
  int64_t mtime_ns = 0;
};

/// Keeps a ledger's folder to one process at a time until it is destroyed.
class StoreLock {
 public:
  virtual ~StoreLock() = default;
};

/// Files of one kind of storage. Paths are absolute on a disk and "bucket/key" in a
/// bucket, with `/` between parts. Safe from any thread. Every error names the path and
/// carries a code: file.missing, file.permission_denied, file.no_space, file.outside,
/// file.io.
class Store {
 public:
  virtual ~Store() = default;
  /// False for buckets: no locks, no exchange, and creating a file exclusively is a look
  /// followed by a write.
  virtual bool is_local() const = 0;
  /// How messages name a path: itself, or s3://….
  virtual std::string Show(std::string_view path) const = 0;
  virtual arrow::Result<std::optional<Entry>> Stat(const std::string& path) = 0;
  /// What a folder holds, by name; empty when the folder does not exist.
  virtual arrow::Result<std::vector<Entry>> List(const std::string& folder,
                                                 bool recursive) = 0;
  virtual arrow::Result<std::shared_ptr<arrow::io::InputStream>> OpenInput(
      const std::string& path) = 0;
  virtual arrow::Result<std::shared_ptr<arrow::io::RandomAccessFile>> OpenRandom(
      const std::string& path) = 0;
  /// Makes a new file and its folders. Closing makes its bytes durable; Sync its name.
  virtual arrow::Result<std::shared_ptr<arrow::io::OutputStream>> OpenOutput(
      const std::string& path) = 0;
  virtual arrow::Status Sync(const std::string& path) = 0;
  /// Replaces `to`; durable on return.
  virtual arrow::Status Move(const std::string& from, const std::string& to) = 0;
  /// Swaps two folders atomically; false where the file system cannot.
  virtual arrow::Result<bool> Exchange(const std::string& a, const std::string& b) = 0;
  /// Removes a file or a whole folder; nothing there is fine.
  virtual arrow::Status Remove(const std::string& path) = 0;
  /// Removes a folder that holds nothing; any other stays.
  virtual void RemoveEmpty(const std::string& folder) = 0;
  /// The file or folder that a path stands for where its last part is a symbolic link.
  virtual arrow::Result<std::string> FollowLink(const std::string& path) = 0;
  /// Writes a small file whole and durably; false when it existed and `replace` is not
  /// set.
  virtual arrow::Result<bool> Put(const std::string& path, std::string_view bytes,
                                  bool replace) = 0;
  /// Makes an empty file that need not survive a power cut.
  virtual arrow::Status Touch(const std::string& path) = 0;
  virtual arrow::Result<std::string> Get(const std::string& path) = 0;
  /// Makes `folder` where it is missing, then waits for its lock, asking `stopped` a few
  /// times a second.
  virtual arrow::Result<std::unique_ptr<StoreLock>> Lock(
      const std::string& folder, int64_t wait_ms,
      const std::function<bool()>& stopped) = 0;
  /// Proves that `folder` can be listed.
  virtual arrow::Status Check(const std::string& folder) = 0;
};

/// Opens nothing outside the folder `root`, whatever names and links say (root.h); "" =
/// the whole disk.
std::shared_ptr<Store> MakeLocalStore(const std::string& root = "");
/// `region`, `endpoint`, keys … as the connection has them. Loads libarrow_s3 first.
arrow::Result<std::shared_ptr<Store>> MakeS3Store(const ConfigView& config,
                                                  const std::string& bucket);

/// Joins two parts of a path with one slash; either may be empty.
std::string JoinPath(std::string_view folder, std::string_view name);
std::string_view BaseName(std::string_view path);
std::string_view ParentPath(std::string_view path);

}  // namespace dxt::file
