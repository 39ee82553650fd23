#include "client/dxtctl/contexts.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yaml-cpp/yaml.h>
#include <nlohmann/json.hpp>

#include "client/dxtctl/output.h"
#include "client/dxtctl/variables.h"

namespace dxt::ctl {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

Error ContextsFileError(const fs::path& path, const std::string& what) {
  return UsageError("'" + path.string() + "': " + what,
                    "Correct the file, or remove it and use `dxtctl context set`");
}

/// Where the text `key` of a context belongs; null = there is no such key.
std::string* FieldOf(Context& context, const std::string& key) {
  if (key == "server") return &context.server;
  if (key == "token_file") return &context.token_file;
  if (key == "project") return &context.project;
  return nullptr;
}

std::string* FieldOf(TlsFiles& tls, const std::string& key) {
  if (key == "ca") return &tls.ca;
  if (key == "cert") return &tls.cert;
  if (key == "key") return &tls.key;
  return nullptr;
}

template <typename Fields>
Status ReadFields(const fs::path& path, const YAML::Node& node, const std::string& where,
                  Fields& fields) {
  if (!node.IsMap()) return ContextsFileError(path, where + " is not a map");
  for (const auto& entry : node) {
    const auto key = entry.first.as<std::string>();
    if constexpr (std::is_same_v<Fields, Context>) {
      if (key == "tls") {
        CTL_RETURN_NOT_OK(ReadFields(path, entry.second, where + ".tls", fields.tls));
        continue;
      }
    }
    std::string* field = FieldOf(fields, key);
    if (field == nullptr)
      return ContextsFileError(path, "there is no key '" + where + "." + key + "'");
    if (!entry.second.IsScalar())
      return ContextsFileError(path, where + "." + key + " is not a text");
    *field = entry.second.as<std::string>();
  }
  return Done{};
}

Result<Contexts> Parse(const fs::path& path, const YAML::Node& root) {
  Contexts contexts;
  if (root.IsNull()) return contexts;
  if (!root.IsMap()) return ContextsFileError(path, "it is not a map");
  for (const auto& entry : root) {
    const auto key = entry.first.as<std::string>();
    if (key == "current") {
      contexts.current = entry.second.IsNull() ? "" : entry.second.as<std::string>();
    } else if (key != "contexts") {
      return ContextsFileError(path, "there is no key '" + key + "'");
    } else if (!entry.second.IsNull()) {
      if (!entry.second.IsMap()) return ContextsFileError(path, "contexts is not a map");
      for (const auto& item : entry.second) {
        const auto name = item.first.as<std::string>();
        CTL_RETURN_NOT_OK(
            ReadFields(path, item.second, "contexts." + name, contexts.all[name]));
      }
    }
  }
  if (!contexts.current.empty() && !contexts.all.contains(contexts.current)) {
    return ContextsFileError(
        path, "the current context '" + contexts.current + "' is not among its contexts");
  }
  return contexts;
}

Json ContextJson(const Context& context) {
  Json json = Json::object();
  const auto add = [](Json& to, const char* key, const std::string& value) {
    if (!value.empty()) to[key] = value;
  };
  add(json, "server", context.server);
  Json tls = Json::object();
  add(tls, "ca", context.tls.ca);
  add(tls, "cert", context.tls.cert);
  add(tls, "key", context.tls.key);
  if (!tls.empty()) json["tls"] = tls;
  add(json, "token_file", context.token_file);
  add(json, "project", context.project);
  return json;
}

Error WriteError(const fs::path& path) {
  return UsageError("Cannot write '" + path.string() + "': " + std::strerror(errno),
                    "Check that its folder can be written, or set XDG_CONFIG_HOME");
}

}  // namespace

fs::path ContextsPath() {
  const std::string config = EnvironmentText("XDG_CONFIG_HOME");
  const fs::path base =
      config.empty() ? fs::path(EnvironmentText("HOME")) / ".config" : fs::path(config);
  return base / "dxt/config.yaml";
}

bool IsResourceId(std::string_view text) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
  };
  if (text.empty() || text.size() > 63 || !plain(text[0])) return false;
  for (const char c : text) {
    if (!plain(c) && c != '_' && c != '-') return false;
  }
  return true;
}

Result<Contexts> LoadContexts(const fs::path& path) {
  struct stat found;
  if (stat(path.c_str(), &found) != 0) {
    // A home that this user may not enter (a service's) holds no contexts of theirs.
    if (errno == ENOENT || errno == ENOTDIR || errno == EACCES) return Contexts{};
    return ContextsFileError(path, std::strerror(errno));
  }
  // Whoever writes it chooses where a token is sent.
  if ((found.st_mode & 022) != 0) {
    return UsageError("'" + path.string() + "' can be written by others",
                      "chmod 600 " + path.string());
  }
  std::ifstream file(path, std::ios::binary);
  if (!file) return ContextsFileError(path, std::strerror(errno));
  const std::string text(std::istreambuf_iterator<char>(file), {});
  try {
    return Parse(path, YAML::Load(text));
  } catch (const YAML::Exception& error) {
    return ContextsFileError(path, error.what());
  }
}

Status SaveContexts(const fs::path& path, const Contexts& contexts) {
  Json root = Json::object();
  if (!contexts.current.empty()) root["current"] = contexts.current;
  root["contexts"] = Json::object();
  for (const auto& [name, context] : contexts.all)
    root["contexts"][name] = ContextJson(context);
  const std::string text = ToYaml(root);
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  if (!error) {
    fs::permissions(path.parent_path(), fs::perms::owner_all, error);
  }
  const fs::path written = path.string() + ".tmp" + std::to_string(getpid());
  const int fd = open(written.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return WriteError(written);
  const bool complete =
      write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
      fsync(fd) == 0;
  close(fd);
  if (!complete || rename(written.c_str(), path.c_str()) != 0) {
    const Error failed = WriteError(path);
    unlink(written.c_str());
    return failed;
  }
  return Done{};
}

}  // namespace dxt::ctl
