#include <dlfcn.h>

#include <algorithm>
#include <any>
#include <cstdlib>
#include <filesystem>

#include <arrow/filesystem/filesystem.h>
#include <arrow/filesystem/s3fs.h>
#include <arrow/io/interfaces.h>
#include <arrow/util/key_value_metadata.h>

#include "base/error.h"
#include "connectors/file/store.h"
#include "connectors/sdk/config.h"

namespace dxt::file {
namespace {

namespace fs = arrow::fs;

/// Loads libarrow_s3, which lies beside libarrow wherever that was loaded from, once.
arrow::Status LoadS3() {
  static const arrow::Status loaded = []() -> arrow::Status {
    Dl_info info{};
    const auto* symbol = reinterpret_cast<const void*>(&fs::LoadFileSystemFactories);
    if (dladdr(symbol, &info) == 0 || !info.dli_fname) {
      return arrow::Status::IOError("libarrow was not found");
    }
    const std::filesystem::path arrow_path = std::filesystem::canonical(info.dli_fname);
    // libarrow.so.2600 -> libarrow_s3.so.2600
    std::string name = arrow_path.filename().string();
    name.insert(name.find(".so"), "_s3");
    return fs::LoadFileSystemFactories((arrow_path.parent_path() / name).c_str());
  }();
  if (loaded.ok()) return loaded;
  return MakeError(ErrorClass::kUnsupported, "file.no_s3",
                   "This installation cannot read S3: " + loaded.message(),
                   "libarrow_s3 must lie beside libarrow");
}

bool WasNotReached(std::string_view message) {
  const auto says = [&](std::string_view word) {
    return message.find(word) != std::string_view::npos;
  };
  return says("NETWORK_CONNECTION") || says("Could not connect") ||
         says("Could not resolve") || says("curlCode: 7") || says("curlCode: 6") ||
         says("curlCode: 28");
}

/// The library's own waits up to 7 s for a server that is not there, for each question.
/// Whole streams are repeated above this, with longer waits.
class ShortRetries final : public fs::S3RetryStrategy {
 public:
  bool ShouldRetry(const AWSErrorDetail& error, int64_t attempted) override {
    return error.should_retry && attempted < (WasNotReached(error.message) ? 2 : 5);
  }
  int64_t CalculateDelayBeforeNextRetry(const AWSErrorDetail&,
                                        int64_t attempted) override {
    return int64_t{100} << std::min<int64_t>(attempted, 5);
  }
};

std::string Encode(std::string_view text) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const unsigned char u = static_cast<unsigned char>(c);
    if (std::isalnum(u) || c == '-' || c == '_' || c == '.' || c == '~') {
      out.push_back(c);
    } else {
      out.push_back('%');
      out.push_back(kHex[u >> 4]);
      out.push_back(kHex[u & 15]);
    }
  }
  return out;
}

class S3Store final : public Store {
 public:
  S3Store(std::shared_ptr<fs::FileSystem> files, std::vector<std::string> secrets)
      : files_(std::move(files)), secrets_(std::move(secrets)) {}

  bool is_local() const override { return false; }
  std::string Show(std::string_view path) const override {
    return "s3://" + std::string(path);
  }

  arrow::Result<std::optional<Entry>> Stat(const std::string& path) override {
    auto info = files_->GetFileInfo(path);
    if (!info.ok()) return Failed(info.status(), "look at", path);
    if (info->type() == fs::FileType::NotFound) return std::optional<Entry>();
    return std::optional<Entry>(EntryOf(*info));
  }

  arrow::Result<std::vector<Entry>> List(const std::string& folder,
                                         bool recursive) override {
    fs::FileSelector selector;
    selector.base_dir = folder;
    selector.recursive = recursive;
    selector.allow_not_found = true;
    auto infos = files_->GetFileInfo(selector);
    if (!infos.ok()) return Failed(infos.status(), "list", folder);
    std::vector<Entry> entries;
    for (const auto& info : *infos) entries.push_back(EntryOf(info));
    std::sort(entries.begin(), entries.end(),
              [](const Entry& a, const Entry& b) { return a.path < b.path; });
    return entries;
  }

  arrow::Result<std::shared_ptr<arrow::io::InputStream>> OpenInput(
      const std::string& path) override {
    auto stream = files_->OpenInputStream(path);
    if (!stream.ok()) return Failed(stream.status(), "open", path);
    return stream;
  }

  arrow::Result<std::shared_ptr<arrow::io::RandomAccessFile>> OpenRandom(
      const std::string& path) override {
    auto file = files_->OpenInputFile(path);
    if (!file.ok()) return Failed(file.status(), "open", path);
    return file;
  }

  arrow::Result<std::shared_ptr<arrow::io::OutputStream>> OpenOutput(
      const std::string& path) override {
    auto stream = files_->OpenOutputStream(
        path, arrow::key_value_metadata({"Content-Type"}, {"application/octet-stream"}));
    if (!stream.ok()) return Failed(stream.status(), "make", path);
    return stream;
  }

  arrow::Status Sync(const std::string&) override { return arrow::Status::OK(); }

  arrow::Status Move(const std::string& from, const std::string& to) override {
    ARROW_RETURN_NOT_OK(Failed(files_->CopyFile(from, to), "copy", from));
    return Failed(files_->DeleteFile(from), "remove", from);
  }

  arrow::Result<bool> Exchange(const std::string&, const std::string&) override {
    return false;
  }

  void RemoveEmpty(const std::string&) override {}  // A bucket has no folders.
  arrow::Result<std::string> FollowLink(const std::string& path) override { return path; }

  arrow::Status Remove(const std::string& path) override {
    auto info = files_->GetFileInfo(path);
    if (!info.ok()) return Failed(info.status(), "look at", path);
    switch (info->type()) {
      case fs::FileType::NotFound:
        return arrow::Status::OK();
      case fs::FileType::Directory:
        return Failed(files_->DeleteDir(path), "remove", path);
      default:
        return Failed(files_->DeleteFile(path), "remove", path);
    }
  }

  arrow::Result<bool> Put(const std::string& path, std::string_view bytes,
                          bool replace) override {
    if (!replace) {
      ARROW_ASSIGN_OR_RAISE(const auto entry, Stat(path));
      if (entry) return false;
    }
    ARROW_ASSIGN_OR_RAISE(auto output, OpenOutput(path));
    ARROW_RETURN_NOT_OK(Failed(
        output->Write(bytes.data(), static_cast<int64_t>(bytes.size())), "write", path));
    ARROW_RETURN_NOT_OK(Failed(output->Close(), "write", path));
    return true;
  }

  arrow::Status Touch(const std::string& path) override {
    return Put(path, "", true).status();
  }

  arrow::Result<std::string> Get(const std::string& path) override {
    ARROW_ASSIGN_OR_RAISE(auto file, OpenRandom(path));
    const auto read = [&]() -> arrow::Result<std::string> {
      ARROW_ASSIGN_OR_RAISE(const int64_t size, file->GetSize());
      std::string bytes(static_cast<size_t>(size), '\0');
      ARROW_ASSIGN_OR_RAISE(const int64_t got, file->Read(size, bytes.data()));
      bytes.resize(static_cast<size_t>(got));
      return bytes;
    }();
    if (!read.ok()) return Failed(read.status(), "read", path);
    return read;
  }

  arrow::Result<std::unique_ptr<StoreLock>> Lock(const std::string&, int64_t,
                                                 const std::function<bool()>&) override {
    return std::make_unique<StoreLock>();
  }

  arrow::Status Check(const std::string& folder) override {
    const std::string bucket = folder.substr(0, folder.find('/'));
    ARROW_ASSIGN_OR_RAISE(const auto entry, Stat(bucket));
    if (entry) return List(folder, false).status();
    return MakeError(ErrorClass::kConfig, "file.missing",
                     "The bucket '" + bucket + "' does not exist");
  }

 private:
  static Entry EntryOf(const fs::FileInfo& info) {
    Entry entry;
    entry.path = info.path();
    entry.is_folder = info.type() == fs::FileType::Directory;
    entry.size = entry.is_folder ? 0 : info.size();
    entry.mtime_ns = info.mtime().time_since_epoch().count();
    return entry;
  }

  /// AWS errors come as text only; what they ask of the user is read from it.
  arrow::Status Failed(const arrow::Status& status, std::string_view what,
                       const std::string& path) const {
    if (status.ok()) return status;
    std::string message = status.message();
    const auto says = [&](std::string_view text) {
      return message.find(text) != std::string::npos;
    };
    ErrorInfo info;
    info.error_class = ErrorClass::kTransient;
    info.code = "file.io";
    if (says("ACCESS_DENIED") || says("INVALID_ACCESS_KEY") ||
        says("SIGNATURE_DOES_NOT_MATCH") || says("HTTP status 403") ||
        says("HTTP status 401") || says("EXPIRED_TOKEN")) {
      info.error_class = ErrorClass::kAuth;
      info.code = "file.permission_denied";
      info.hint = "Check access_key_id, secret_access_key and the bucket's policy";
    } else if (says("NO_SUCH_BUCKET") || says("NO_SUCH_KEY") || says("HTTP status 404") ||
               says("does not exist")) {
      info.error_class = ErrorClass::kConfig;
      info.code = "file.missing";
    } else if (WasNotReached(message)) {
      info.code = "file.unreachable";
      info.hint = "Check endpoint and region, and that the server can be reached";
    } else if (says("SLOW_DOWN") || says("HTTP status 503") || says("HTTP status 429")) {
      info.error_class = ErrorClass::kThrottled;
    }
    for (const auto& secret : secrets_) {
      for (size_t at = message.find(secret); at != std::string::npos;
           at = message.find(secret)) {
        message.replace(at, secret.size(), "***");
      }
    }
    return MakeError(std::move(info), "Could not " + std::string(what) + " '" +
                                          Show(path) + "': " + message);
  }

  std::shared_ptr<fs::FileSystem> files_;
  std::vector<std::string> secrets_;
};

}  // namespace

arrow::Result<std::shared_ptr<Store>> MakeS3Store(const ConfigView& config,
                                                  const std::string& bucket) {
  ARROW_RETURN_NOT_OK(LoadS3());
  std::vector<std::string> secrets;
  std::string uri = "s3://";
  const std::string key = config.String("access_key_id");
  const std::string secret = config.String("secret_access_key");
  if (!key.empty() && secret.empty()) {
    return MakeError(ErrorClass::kConfig, "file.invalid_url",
                     "access_key_id is set, but secret_access_key is not");
  }
  uri += Encode(bucket) + "?";
  const auto add = [&](std::string_view name, const std::string& value) {
    if (!value.empty()) uri += std::string(name) + "=" + Encode(value) + "&";
  };
  std::string endpoint = config.String("endpoint");
  std::string scheme = config.String("scheme");
  const size_t slashes = endpoint.find("://");
  if (slashes != std::string::npos) {
    if (!config.Has("scheme")) scheme = endpoint.substr(0, slashes);
    endpoint.erase(0, slashes + 3);
  }
  while (endpoint.ends_with('/')) endpoint.pop_back();
  std::string region = config.String("region");
  // Asking S3 where a bucket lies needs the real S3.
  if (region.empty() && !endpoint.empty()) region = "us-east-1";
  add("region", region);
  add("scheme", scheme);
  add("endpoint_override", endpoint);
  uri.pop_back();
  for (const auto& text : {secret, config.String("session_token")}) {
    if (text.size() >= 4) secrets.push_back(text);
  }
  // Credentials stay out of the URI, which errors may quote.
  std::vector<std::pair<std::string, std::any>> options;
  if (!key.empty()) {
    options.emplace_back("access_key", key);
    options.emplace_back("secret_key", secret);
    const std::string token = config.String("session_token");
    if (!token.empty()) options.emplace_back("session_token", token);
  }
  options.emplace_back("retry_strategy",
                       std::shared_ptr<fs::S3RetryStrategy>(new ShortRetries));
  std::string path;
  auto files = fs::FileSystemFromUriAndOptions(uri, options, &path);
  if (!files.ok()) {
    return MakeError(ErrorClass::kConfig, "file.invalid_url",
                     "The S3 connection to the bucket '" + bucket + "' cannot be made",
                     "Check endpoint, region and scheme");
  }
  // The AWS library must end before its own statics do, which the first filesystem made.
  static const int registered = std::atexit(fs::EnsureFinalized);
  static_cast<void>(registered);
  return std::shared_ptr<Store>(
      std::make_shared<S3Store>(std::move(*files), std::move(secrets)));
}

}  // namespace dxt::file
