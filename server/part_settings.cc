#include "server/part_settings.h"

#include <filesystem>
#include <fstream>

#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "server/daemon/options.h"
#include "server/daemon/secrets.h"

namespace dxt {
namespace {

namespace fs = std::filesystem;

}  // namespace

arrow::Result<Credentials> Credentials::Load(const DaemonConfig& config) {
  Credentials loaded;
  if (!config.tls_cert.empty() && !config.tls_key.empty()) {
    ARROW_ASSIGN_OR_RAISE(
        loaded.certificates,
        Certificates::Load(config.tls_cert, config.tls_key, config.tls_client_ca));
  }
  if (!config.token_file.empty()) {
    ARROW_ASSIGN_OR_RAISE(loaded.tokens, TokenFile::Load(config.token_file));
  }
  return loaded;
}

void MakePrivate(const CommandLine& line, DaemonConfig& config) {
  config.listen = {{true, line.socket.string()}};
  config.socket_mode = 0600;
  config.log.file = config.state_dir / "logs/dxt.log";
  if (line.sources.flags.count("workers") == 0) config.workers = 16;
}

arrow::Status MakeFolders(const DaemonConfig& config) {
  std::error_code error;
  if (!fs::exists(config.state_dir, error)) {
    fs::create_directories(config.state_dir, error);
    if (!error) chmod(config.state_dir.c_str(), 0700);
  }
  if (error || access(config.state_dir.c_str(), W_OK) != 0) {
    return MakeError(ErrorClass::kConfig, "server.state_dir",
                     "cannot write in the state folder " + config.state_dir.string(),
                     "Name another one with state_dir, or give this user the "
                     "right to write there");
  }
  for (const auto& address : config.listen) {
    if (address.is_unix) {
      fs::create_directories(fs::path(address.text).parent_path(), error);
    }
  }
  return arrow::Status::OK();
}

arrow::Result<CatalogOptions> CatalogSettings(const DaemonConfig& config) {
  CatalogOptions options;
  options.variables = VariablesFromEnvironment(environ);
  for (const auto& [name, value] : config.variables) options.variables[name] = value;
  ARROW_ASSIGN_OR_RAISE(const auto secrets, SecretsAt(config.secrets));
  for (const auto& [name, value] : secrets) {
    options.variables[name] = value;
    options.secrets.insert(name);
  }
  return options;
}

arrow::Result<TracingOptions> TracingSettings(const TraceConfig& config) {
  TracingOptions options;
  options.url = config.url;
  options.service_name = config.service_name;
  options.version = DXT_VERSION;
  options.resource = config.resource;
  ARROW_ASSIGN_OR_RAISE(options.headers, SecretsAt(config.headers));
  options.headers.insert(config.secret_headers.begin(), config.secret_headers.end());
  return options;
}

ListenOptions ListenSettings(const DaemonConfig& config, const Credentials& credentials) {
  ListenOptions options;
  for (const auto& address : config.listen) {
    options.places.push_back({address.is_unix, address.text});
  }
  options.socket_mode = config.socket_mode;
  options.socket_group = config.socket_group;
  options.certificates = credentials.certificates;
  options.tokens = credentials.tokens;
  options.reflection = config.reflection;
  return options;
}

FileRoots RootsOf(const DaemonConfig& config, bool is_private) {
  return is_private ? FileRoots::Anywhere() : FileRoots::Below(config.file_roots);
}

std::string ServerName(const DaemonConfig& config, bool is_private) {
  return is_private ? "private" : config.listen.front().text;
}

std::string OwnerText() {
  char host[256] = "";
  gethostname(host, sizeof host - 1);
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string boot;
  file >> boot;
  return std::string(host) + "/" + boot + "/" + std::to_string(getpid());
}

}  // namespace dxt
