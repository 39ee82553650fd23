#include "server/daemon/options.h"

#include <algorithm>
#include <cctype>

#include "engine/plan/keys.h"

namespace dxt {
namespace {

OptionSpec Text(std::string name, std::string help) {
  return Key(std::move(name), OptionKind::kString, std::move(help));
}

OptionSpec MapOf(std::string name, std::string help, std::string example) {
  return Key(std::move(name), OptionKind::kMap, std::move(help))
      .Of({Text("", "A value.")})
      .Example(std::move(example));
}

std::vector<OptionSpec> ListenKeys() {
  return {
      Key("state_dir", OptionKind::kString,
          "Folder of the state store, buffers and logs; made with mode 0700. One dxtd "
          "at a time owns it.")
          .Default("$STATE_DIRECTORY, else /var/lib/dxt for root and "
                   "$XDG_STATE_HOME/dxt/daemon for others"),
      Key("listen", OptionKind::kList,
          "Where clients reach it: unix:/path and host:port. A TCP address needs "
          "tls.client_ca or auth.token_file.")
          .Of({Text("", "An address.")})
          .OneOrMany()
          .Default("unix:/run/dxt/dxtd.sock for root and services, "
                   "unix:$XDG_RUNTIME_DIR/dxt/dxtd.sock for others")
          .Example("[unix:/run/dxt/dxtd.sock, \"0.0.0.0:7443\"]"),
      Key("socket_mode", OptionKind::kString, "Mode of the unix sockets, octal.")
          .Default("0660")
          .Matching("0?[0-7]{3}", "a file mode such as 0660"),
      Key("socket_group", OptionKind::kString,
          "Group of the unix sockets; its members may use the daemon.")
          .Default("the daemon's own")
          .Example("dxt"),
      Key("tls", OptionKind::kObject, "TLS of the TCP addresses.")
          .Fields({
              Key("cert", OptionKind::kString, "Certificate chain, PEM."),
              Key("key", OptionKind::kString, "Private key, PEM."),
              Key("client_ca", OptionKind::kString,
                  "Certificates that sign clients, PEM; with it a client must show one."),
          }),
      Key("auth", OptionKind::kObject, "Who may call over TCP.")
          .Fields({
              Key("token_file", OptionKind::kString,
                  "File of name:token lines; a client sends one as `authorization: "
                  "Bearer`. Not readable by others."),
          }),
      Key("insecure_listen", OptionKind::kBoolean,
          "Listen on TCP without knowing who calls. For tests; warns.")
          .Default("false"),
      Key("http", OptionKind::kObject, "Health and metrics over HTTP.")
          .Fields({
              Key("listen", OptionKind::kString,
                  "unix:/path or host:port of /healthz, /readyz and /metrics, which ask "
                  "nobody who they are; empty = none.")
                  .Example("127.0.0.1:9464"),
          }),
      Key("reflection", OptionKind::kBoolean,
          "Answer gRPC server reflection, for grpcurl and the like.")
          .Default("false"),
  };
}

std::vector<OptionSpec> WorkKeys() {
  return {
      Key("workers", OptionKind::kInteger, "Runs at a time.")
          .Default("number of processors")
          .Between(1, 256),
      Key("memory_budget", OptionKind::kBytes,
          "Memory for all runs; each holds its runtime.memory_limit out of it.")
          .Default("half of the machine's or cgroup's, at most 4GiB")
          .Between(int64_t{64} << 20, int64_t{1} << 44),
      Key("pipelines_dir", OptionKind::kString,
          "Folder of project and pipeline files that are stored at start and on "
          "SIGHUP; the API cannot change what stands there.")
          .Example("/etc/dxt/pipelines"),
      Key("files", OptionKind::kObject, "Files that pipelines may name.")
          .Fields({
              Key("roots", OptionKind::kList,
                  "Folders below which runs may open files; none = no local files.")
                  .Of({Text("", "A folder.")})
                  .OneOrMany()
                  .Example("[/srv/dxt]"),
          }),
      MapOf("variables", "Values of ${NAME} in stored pipelines and projects.",
            "{REGION: eu}"),
      MapOf("secrets",
            "Where secret values of ${NAME} come from, at each run: env:NAME or "
            "file:/path.",
            "{PG_PASSWORD: \"file:/run/secrets/pg\"}"),
      Key("retention", OptionKind::kObject, "How long history is kept.")
          .Fields({
              Key("runs", OptionKind::kDuration,
                  "Age from which ended runs and their logs are removed.")
                  .Default("90d")
                  .Between(86400, std::nullopt),
              Key("runs_per_pipeline", OptionKind::kInteger,
                  "Newest runs of each pipeline that are kept, however old.")
                  .Default("20")
                  .Between(0, 100000),
              Key("audit", OptionKind::kDuration,
                  "Age from which records of who changed what are removed.")
                  .Default("365d")
                  .Between(86400, std::nullopt),
          }),
      Key("shutdown_grace", OptionKind::kDuration,
          "After SIGTERM, running runs may finish within this; then they are cancelled "
          "and rolled back.")
          .Default("60s")
          .Between(0, 86400),
  };
}

OptionSpec TraceKeys() {
  return Key("otel", OptionKind::kObject, "Traces of runs, by OpenTelemetry's OTLP/HTTP.")
      .Fields({
          Key("endpoint", OptionKind::kString,
              "URL of a collector; traces go to /v1/traces below it. Empty = none are "
              "made.")
              .Default("$OTEL_EXPORTER_OTLP_ENDPOINT")
              .Matching("(https?://[^\\s/?#@]+(/[^\\s?#]*)?)?",
                        "an http:// or https:// URL without user, query and fragment")
              .Example("\"http://127.0.0.1:4318\""),
          Key("service_name", OptionKind::kString, "service.name of what is traced.")
              .Default("$OTEL_SERVICE_NAME, else dxtd"),
          MapOf("headers",
                "Headers of requests to the collector, and where their values are: "
                "env:NAME or file:/path.",
                "{authorization: \"file:/run/secrets/otel\"}"),
      });
}

OptionSpec LogKeys() {
  return Key("log", OptionKind::kObject, "The daemon's log.")
      .Fields({
          Key("level", OptionKind::kString, "Least severity that is written.")
              .Default("info")
              .Choices({"debug", "info", "warning", "error"}),
          Key("format", OptionKind::kString, "json = an object a line; text for people.")
              .Default("json")
              .Choices({"json", "text"}),
          Key("file", OptionKind::kString, "File, rotated at 10 MiB; - = stderr.")
              .Default("-"),
      });
}

void AddLeaves(const OptionSpec& object, const std::string& prefix,
               std::vector<DaemonOption>& found) {
  for (const auto& field : object.fields) {
    const std::string path = prefix.empty() ? field.name : prefix + "." + field.name;
    if (field.kind == OptionKind::kObject) {
      AddLeaves(field, path, found);
      continue;
    }
    DaemonOption option;
    option.path = path;
    option.flag = "--";
    option.environment = "DXTD_";
    for (const char c : path) {
      const bool separates = c == '.' || c == '_';
      option.flag += separates ? '-' : c;
      option.environment +=
          separates ? '_'
                    : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    }
    option.spec = &field;
    found.push_back(std::move(option));
  }
}

std::string KindText(const OptionSpec& spec) {
  switch (spec.kind) {
    case OptionKind::kInteger:
      return "integer";
    case OptionKind::kBoolean:
      return "true, false";
    case OptionKind::kDuration:
      return "duration";
    case OptionKind::kBytes:
      return "size";
    case OptionKind::kList:
      return "list";
    case OptionKind::kMap:
      return "map";
    default:
      break;
  }
  std::string text;
  for (const auto& choice : spec.choices) text += (text.empty() ? "" : ", ") + choice;
  return text.empty() ? "text" : text;
}

}  // namespace

const OptionSpec& DaemonKeys() {
  static const OptionSpec keys = [] {
    std::vector<OptionSpec> fields = ListenKeys();
    for (auto& key : WorkKeys()) fields.push_back(std::move(key));
    fields.push_back(LogKeys());
    fields.push_back(TraceKeys());
    return OptionSpec(
        Key("dxtd", OptionKind::kObject, "What dxtd is told.").Fields(std::move(fields)));
  }();
  return keys;
}

const std::vector<DaemonOption>& DaemonOptions() {
  static const std::vector<DaemonOption> options = [] {
    std::vector<DaemonOption> found;
    AddLeaves(DaemonKeys(), "", found);
    return found;
  }();
  return options;
}

std::string DaemonReference() {
  std::string text =
      "| key | flag | environment | value | default | meaning "
      "|\n|---|---|---|---|---|---|"
      "\n";
  for (const auto& option : DaemonOptions()) {
    const OptionSpec& spec = *option.spec;
    text += "| `" + option.path + "` | `" + option.flag + "` | `" + option.environment +
            "` | " + KindText(spec) + " | " + spec.default_value + " | " + spec.help;
    if (!spec.example.empty()) text += " Example: `" + spec.example + "`.";
    text += " |\n";
  }
  return text;
}

}  // namespace dxt
