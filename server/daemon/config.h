#pragma once
#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "engine/plan/documents.h"
#include "server/daemon/address.h"

namespace dxt {

/// Where traces go.
struct TraceConfig {
  std::string url;  ///< Of the collector's receiver of traces; "" = none are made.
  std::string service_name;
  std::map<std::string, std::string> headers;  ///< Name to env:NAME or file:/path.
  /// Of OTEL_EXPORTER_OTLP_HEADERS; name to value, which is a secret.
  std::map<std::string, std::string> secret_headers;
  std::map<std::string, std::string> resource;  ///< OTEL_RESOURCE_ATTRIBUTES.
};

/// What dxtd does, checked.
struct DaemonConfig {
  std::filesystem::path state_dir;
  std::vector<Address> listen;
  unsigned socket_mode = 0660;
  std::string socket_group;
  std::filesystem::path tls_cert, tls_key, tls_client_ca;
  std::filesystem::path token_file;
  bool insecure_listen = false;
  std::optional<Address> http_listen;
  bool reflection = false;
  int workers = 1;
  int64_t memory_budget = 0;
  std::filesystem::path pipelines_dir;
  std::vector<std::filesystem::path> file_roots;
  std::map<std::string, std::string> variables;
  std::map<std::string, std::string> secrets;  ///< Name to env:NAME or file:/path.
  std::chrono::seconds retention_age{0};
  int retention_per_pipeline = 0;
  std::chrono::seconds retention_audit{0};
  std::chrono::milliseconds shutdown_grace{0};
  LogOptions log;  ///< `file` "-" = stderr.
  TraceConfig traces;
};

/// One option as it came out, for --check-config.
struct EffectiveOption {
  std::string path;
  std::string value;   ///< As YAML, on one line.
  std::string source;  ///< "--log-level", "DXTD_LOG_LEVEL", "/etc/dxt/dxtd.yaml:3",
                       ///< "default".
};

struct LoadedConfig {
  DaemonConfig config;
  std::vector<EffectiveOption> options;
  std::vector<Problem> problems;
  std::filesystem::path file;  ///< "" = none was read.
  bool ok() const;
};

/// What the configuration is made from. Nothing else is looked at, files apart.
struct ConfigSources {
  /// Flags that were given, by option path; a list or map has several values.
  std::map<std::string, std::vector<std::string>> flags;
  std::optional<std::filesystem::path> file;  ///< --config.
  std::map<std::string, std::string> environment;
  bool root = false;
  bool read_file = true;
};

/// Merges flag > environment > file > default, and checks it all: every problem is
/// reported at once.
LoadedConfig LoadDaemonConfig(const ConfigSources& sources);

/// The options that `read` changes and a running daemon cannot: all but its log and the
/// values of variables.
std::vector<EffectiveOption> NeedRestart(const LoadedConfig& running,
                                         const LoadedConfig& read);

/// The whole of it, as --check-config prints it: YAML with the source of each value as a
/// comment, then the problems.
std::string DescribeConfig(const LoadedConfig& loaded);

}  // namespace dxt
