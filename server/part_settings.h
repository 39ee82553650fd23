#pragma once
// What each part of dxtd is told, out of the configuration.
#include <memory>
#include <string>

#include <arrow/result.h>

#include "server/api/api_server.h"
#include "server/api/certificates.h"
#include "server/api/file_roots.h"
#include "server/api/tokens.h"
#include "server/daemon/command_line.h"
#include "server/daemon/config.h"
#include "server/scheduler/catalog.h"
#include "server/tracing/tracing.h"

namespace dxt {

/// What of the configuration is read from further files, and read again on SIGHUP.
struct Credentials {
  std::shared_ptr<Certificates> certificates;
  std::shared_ptr<TokenFile> tokens;

  static arrow::Result<Credentials> Load(const DaemonConfig& config);
};

/// A private daemon's places are what dxtctl says, not what a service would take.
void MakePrivate(const CommandLine& line, DaemonConfig& config);

/// The state folder and those of the sockets. kConfig "server.state_dir".
arrow::Status MakeFolders(const DaemonConfig& config);

/// Values for stored documents: of the configuration, over those of the environment.
/// Reads secrets where they are.
arrow::Result<CatalogOptions> CatalogSettings(const DaemonConfig& config);
arrow::Result<TracingOptions> TracingSettings(const TraceConfig& config);
ListenOptions ListenSettings(const DaemonConfig& config, const Credentials& credentials);
FileRoots RootsOf(const DaemonConfig& config, bool is_private);

/// RunResult::server.
std::string ServerName(const DaemonConfig& config, bool is_private);
/// This process, for fences: "host/boot/pid".
std::string OwnerText();

}  // namespace dxt
