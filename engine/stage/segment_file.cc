#include "engine/stage/segment_file.h"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

namespace dxt {
namespace {

/// SHA-256 step by step.
class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new()) {
    EVP_DigestInit_ex(context_, EVP_sha256(), nullptr);
  }
  ~Sha256() { EVP_MD_CTX_free(context_); }
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  void Update(const void* data, size_t size) { EVP_DigestUpdate(context_, data, size); }
  std::string Hex() {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    EVP_DigestFinal_ex(context_, digest, &size);
    constexpr char kHex[] = "0123456789abcdef";
    std::string text;
    for (unsigned i = 0; i < size; ++i) {
      text += kHex[digest[i] >> 4];
      text += kHex[digest[i] & 15];
    }
    return text;
  }

 private:
  EVP_MD_CTX* context_;
};

int OpenRetrying(const std::filesystem::path& path, int flags) {
  int descriptor;
  do {
    descriptor = open(path.c_str(), flags | O_CLOEXEC, 0600);
  } while (descriptor < 0 && errno == EINTR);
  return descriptor;
}

arrow::Status WriteAll(int descriptor, const std::filesystem::path& path,
                       const char* data, int64_t bytes) {
  while (bytes > 0) {
    const ssize_t written = write(descriptor, data, static_cast<size_t>(bytes));
    if (written < 0) {
      if (errno == EINTR) continue;
      return FileError("write", path, errno);
    }
    data += written;
    bytes -= written;
  }
  return arrow::Status::OK();
}

}  // namespace

arrow::Status FileError(std::string_view action, const std::filesystem::path& path,
                        int error) {
  ErrorInfo info;
  info.error_class = ErrorClass::kTransient;
  info.code = "buffer.io";
  info.vendor_code = strerrorname_np(error) ? strerrorname_np(error) : "";
  if (error == ENOSPC || error == EDQUOT) {
    info.code = "buffer.disk_full";
    info.hint =
        "Free space there, set buffer.location to a larger disk, or drop packages "
        "with dxtctl packages drop";
  } else if (error == EACCES || error == EPERM || error == EROFS) {
    info.error_class = ErrorClass::kConfig;
    info.code = "buffer.not_writable";
    info.hint = "Give the user of dxt write access there, or set buffer.location";
  }
  return MakeError(std::move(info), "Could not " + std::string(action) + " " +
                                        path.string() + ": " + strerrordesc_np(error));
}

struct SegmentFile::Hash {
  Sha256 sha256;
};

SegmentFile::SegmentFile(std::filesystem::path path, int descriptor)
    : path_(std::move(path)), descriptor_(descriptor), hash_(std::make_unique<Hash>()) {}

arrow::Result<std::shared_ptr<SegmentFile>> SegmentFile::Make(
    const std::filesystem::path& path) {
  const int descriptor = OpenRetrying(path, O_WRONLY | O_CREAT | O_EXCL);
  if (descriptor < 0) return FileError("create", path, errno);
  return std::shared_ptr<SegmentFile>(new SegmentFile(path, descriptor));
}

SegmentFile::~SegmentFile() {
  if (descriptor_ >= 0) close(descriptor_);
}

arrow::Status SegmentFile::Write(const void* data, int64_t bytes) {
  ARROW_RETURN_NOT_OK(
      WriteAll(descriptor_, path_, static_cast<const char*>(data), bytes));
  hash_->sha256.Update(data, static_cast<size_t>(bytes));
  size_ += bytes;
  return arrow::Status::OK();
}

arrow::Status SegmentFile::Close() {
  closed_ = true;
  return arrow::Status::OK();
}

arrow::Status SegmentFile::Sync() {
  closed_ = true;
  if (fsync(descriptor_) != 0) return FileError("fsync", path_, errno);
  const int descriptor = std::exchange(descriptor_, -1);
  if (close(descriptor) != 0) return FileError("close", path_, errno);
  return arrow::Status::OK();
}

std::string SegmentFile::Digest() { return hash_->sha256.Hex(); }

arrow::Result<std::string> DigestFile(const std::filesystem::path& path) {
  const int descriptor = OpenRetrying(path, O_RDONLY);
  if (descriptor < 0) return FileError("open", path, errno);
  Sha256 hash;
  std::vector<char> block(1 << 20);
  ssize_t got;
  while ((got = read(descriptor, block.data(), block.size())) != 0) {
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) break;
    hash.Update(block.data(), static_cast<size_t>(got));
  }
  const int error = errno;
  close(descriptor);
  if (got < 0) return FileError("read", path, error);
  return hash.Hex();
}

arrow::Status SyncFolder(const std::filesystem::path& folder) {
  const int descriptor = OpenRetrying(folder, O_RDONLY | O_DIRECTORY);
  if (descriptor < 0) return FileError("open", folder, errno);
  const int synced = fsync(descriptor);
  const int error = errno;
  close(descriptor);
  return synced == 0 ? arrow::Status::OK() : FileError("fsync", folder, error);
}

arrow::Status WriteFileAtomically(const std::filesystem::path& path,
                                  std::string_view text) {
  std::filesystem::path temporary = path;
  temporary += ".tmp";
  unlink(temporary.c_str());
  ARROW_ASSIGN_OR_RAISE(auto file, SegmentFile::Make(temporary));
  ARROW_RETURN_NOT_OK(file->Write(text.data(), static_cast<int64_t>(text.size())));
  ARROW_RETURN_NOT_OK(file->Sync());
  if (rename(temporary.c_str(), path.c_str()) != 0)
    return FileError("rename", path, errno);
  return SyncFolder(path.parent_path());
}

arrow::Result<std::string> ReadFile(const std::filesystem::path& path) {
  const int descriptor = OpenRetrying(path, O_RDONLY);
  if (descriptor < 0) return FileError("open", path, errno);
  std::string text;
  char block[1 << 14];
  ssize_t got;
  while ((got = read(descriptor, block, sizeof block)) != 0) {
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) break;
    text.append(block, static_cast<size_t>(got));
  }
  const int error = errno;
  close(descriptor);
  if (got < 0) return FileError("read", path, error);
  return text;
}

arrow::Result<std::unique_ptr<FileLock>> FileLock::Make(const std::filesystem::path& path,
                                                        bool wait) {
  const int descriptor = OpenRetrying(path, O_RDWR | O_CREAT);
  if (descriptor < 0) return FileError("open", path, errno);
  int locked;
  do {
    locked = flock(descriptor, LOCK_EX | (wait ? 0 : LOCK_NB));
  } while (locked != 0 && errno == EINTR);
  if (locked == 0) return std::unique_ptr<FileLock>(new FileLock(descriptor));
  const int error = errno;
  close(descriptor);
  if (error == EWOULDBLOCK) return nullptr;
  return FileError("lock", path, error);
}

FileLock::~FileLock() { close(descriptor_); }

}  // namespace dxt
