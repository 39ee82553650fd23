#pragma once
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/result.h>

namespace dxt {

/// Who may call over TCP: a file of `name:token` lines. Safe from any thread.
class TokenFile {
 public:
  /// kConfig "server.token_file" when it cannot be read, others may read it, or a line is
  /// wrong.
  static arrow::Result<std::shared_ptr<TokenFile>> Load(
      const std::filesystem::path& path);
  /// Reads it again; on failure the old tokens stay.
  arrow::Status Reload();
  /// Whose token this is. Takes the same time whichever token it is compared with.
  std::optional<std::string> NameOf(std::string_view token) const;

 private:
  struct Entry {
    std::string name, digest;
  };
  explicit TokenFile(std::filesystem::path path) : path_(std::move(path)) {}

  const std::filesystem::path path_;
  mutable std::mutex mutex_;
  std::vector<Entry> entries_;
};

}  // namespace dxt
