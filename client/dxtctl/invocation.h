#pragma once
// What every verb shares: global options, the terminal, and the action chosen by the
// parser.
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "client/dxtctl/daemon.h"
#include "client/dxtctl/documents.h"
#include "client/dxtctl/endpoint.h"
#include "client/dxtctl/resource_server.h"
#include "client/dxtctl/result.h"
#include "client/dxtctl/terminal.h"
#include "client/dxtctl/times.h"

namespace dxt::ctl {

enum class OutputFormat { kTable, kWide, kJson, kJsonl, kYaml, kName };

struct GlobalOptions {
  std::string project;
  std::string output = "table";
  bool quiet = false;
  int verbose = 0;
  std::string color = "auto";
  std::string log_file;
  std::string log_format = "text";
  EndpointFlags endpoint;
  bool no_headers = false;
  std::string sort_by;
  std::string time_format = "relative";
  bool yes = false, no_input = false;
  bool debug = false;
};

class JsonPath;

class Invocation {
 public:
  GlobalOptions options;
  /// Unset by a verb that runs another one for its effect alone.
  bool stdout_enabled = true;
  /// Set by the verb that was named; returns the exit code.
  std::function<Result<int>()> action;

  OutputFormat format() const;
  /// Reads the template of -o jsonpath=TEMPLATE, once the command line was parsed.
  Status TakeJsonPath();
  /// What it took, else null: then the format is kJson, and each document on stdout is
  /// replaced by what this picks out of it.
  const JsonPath* json_path() const { return json_path_.get(); }
  /// Valid once the command line was parsed.
  const Terminal& terminal();
  /// Documents under the global options.
  Result<Documents> Load(DocumentOptions document_options) const;
  /// The daemon that is named, which is then said, else the private one of the documents'
  /// state folder.
  Result<std::unique_ptr<Daemon>> Connect(const Documents& documents);
  /// The daemon that is named, else this machine's: for verbs of stored resources.
  /// `project_is_file`: --project is not the name of a stored project here.
  Result<ResourceServer> Server(bool project_is_file = false);
  TimeFormat time_format() const;
  /// Prints one paragraph on stderr; with -o json, refused documents go to stdout as
  /// dxt.problems/1.
  void Report(const Error& error);
  /// Nothing is printed for this reason, which becomes what the command ends with.
  void Refuse(Error error) { refused_ = std::move(error); }
  const std::optional<Error>& refused() const { return refused_; }
  /// `error`, as what came of speaking to the daemon that was named.
  Error Explained(const Error& error) const;
  void Note(const std::string& text);

 private:
  std::unique_ptr<Terminal> terminal_;
  std::shared_ptr<const JsonPath> json_path_;
  std::optional<Error> refused_;
  std::optional<Endpoint> endpoint_;  ///< What was connected to, but for a private one.
};

}  // namespace dxt::ctl
