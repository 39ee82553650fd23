#include "server/api/tokens.h"

#include <cerrno>
#include <cstring>
#include <fstream>

#include <openssl/crypto.h>
#include <sys/stat.h>

#include "base/digest.h"
#include "base/error.h"

namespace dxt {
namespace {

constexpr size_t kShortestToken = 16;

arrow::Status Refuse(const std::string& message, const std::string& hint = {}) {
  return MakeError(ErrorClass::kConfig, "server.token_file", message, hint);
}

}  // namespace

arrow::Result<std::shared_ptr<TokenFile>> TokenFile::Load(
    const std::filesystem::path& path) {
  std::shared_ptr<TokenFile> file(new TokenFile(path));
  ARROW_RETURN_NOT_OK(file->Reload());
  return file;
}

arrow::Status TokenFile::Reload() {
  const std::string name = path_.string();
  struct stat info{};
  if (stat(path_.c_str(), &info) != 0) {
    return Refuse("the token file " + name + " cannot be read: " + std::strerror(errno),
                  "Check auth.token_file");
  }
  if ((info.st_mode & S_IRWXO) != 0) {
    return Refuse("everyone on this machine may read the token file " + name,
                  "chmod o-rwx " + name);
  }
  std::ifstream file(path_);
  if (!file) {
    return Refuse("the token file " + name + " cannot be read: " + std::strerror(errno),
                  "Let dxtd's user read it");
  }
  std::vector<Entry> entries;
  int number = 0;
  for (std::string line; std::getline(file, line);) {
    ++number;
    if (line.ends_with('\r')) line.pop_back();
    if (line.empty() || line[0] == '#') continue;
    const size_t colon = line.find(':');
    const std::string token =
        colon == std::string::npos ? std::string() : line.substr(colon + 1);
    if (colon == 0 || token.size() < kShortestToken ||
        token.find_first_of(" \t") != std::string::npos) {
      return Refuse("line " + std::to_string(number) + " of the token file " + name +
                        " is not name:token with a token of 16 characters or more",
                    "openssl rand -hex 32 makes a token");
    }
    entries.push_back({line.substr(0, colon), Sha256Hex(token)});
  }
  if (entries.empty()) {
    return Refuse("the token file " + name + " holds no token",
                  "Write lines of name:token; openssl rand -hex 32 makes a token");
  }
  std::lock_guard lock(mutex_);
  entries_ = std::move(entries);
  return arrow::Status::OK();
}

std::optional<std::string> TokenFile::NameOf(std::string_view token) const {
  const std::string digest = Sha256Hex(token);
  std::lock_guard lock(mutex_);
  std::optional<std::string> name;
  for (const auto& entry : entries_) {
    if (CRYPTO_memcmp(entry.digest.data(), digest.data(), digest.size()) == 0) {
      name = entry.name;
    }
  }
  return name;
}

}  // namespace dxt
