#pragma once
// Files of a package: hashed while they are written, fsynced before they count.
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include <arrow/io/interfaces.h>
#include <arrow/result.h>

namespace dxt {

/// Turns errno of a failed call on `path` into a status: kConfig "buffer.not_writable",
/// kTransient "buffer.disk_full" and "buffer.io".
arrow::Status FileError(std::string_view action, const std::filesystem::path& path,
                        int error);

/// A new file under a name of its own, appended to and hashed. Used by one thread.
class SegmentFile : public arrow::io::OutputStream {
 public:
  /// Creates `path`, which must not exist, readable by the owner alone.
  static arrow::Result<std::shared_ptr<SegmentFile>> Make(
      const std::filesystem::path& path);
  ~SegmentFile() override;

  arrow::Status Write(const void* data, int64_t bytes) override;
  using arrow::io::OutputStream::Write;
  arrow::Result<int64_t> Tell() const override { return size_; }
  /// Only marks the end: compression and Parquet close their sinks when they are done.
  arrow::Status Close() override;
  bool closed() const override { return closed_; }

  /// Makes the content durable and closes the file.
  arrow::Status Sync();
  /// SHA-256 of everything written, in hex. After Sync.
  std::string Digest();

 private:
  struct Hash;
  SegmentFile(std::filesystem::path path, int descriptor);

  const std::filesystem::path path_;
  int descriptor_;
  int64_t size_ = 0;
  bool closed_ = false;
  std::unique_ptr<Hash> hash_;
};

/// SHA-256 in hex of a file's content.
arrow::Result<std::string> DigestFile(const std::filesystem::path& path);
/// Makes the entries of a folder durable.
arrow::Status SyncFolder(const std::filesystem::path& folder);
/// Writes a small file whole: temporary name, fsync, rename.
arrow::Status WriteFileAtomically(const std::filesystem::path& path,
                                  std::string_view text);
arrow::Result<std::string> ReadFile(const std::filesystem::path& path);

/// An exclusive lock on a file, held until destroyed or until the process ends.
class FileLock {
 public:
  /// Null when another holder has it and `wait` is false.
  static arrow::Result<std::unique_ptr<FileLock>> Make(const std::filesystem::path& path,
                                                       bool wait);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  explicit FileLock(int descriptor) : descriptor_(descriptor) {}
  const int descriptor_;
};

}  // namespace dxt
