#pragma once
// What run, plan, extract, load and copy have in common: submit, watch, cancel, print.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "client/dxtctl/invocation.h"
#include "client/dxtctl/verb.h"

namespace dxt::v1 {
class RunOptions;
}

namespace dxt::ctl {

enum class RunPhase { kRun, kExtract, kLoad };

struct RunVerbOptions {
  DocumentOptions documents;
  RunPhase phase = RunPhase::kRun;
  std::string select, exclude;
  bool dry_run = false;
  std::optional<int> threads;
  bool fail_fast = false;
  std::optional<int64_t> limit;
  std::optional<std::string> cursor_value;
  bool allow_duplicates = false;
  std::optional<std::string> from, to;
  bool allow_empty_selection = false;
  bool full_refresh = false;
  std::vector<std::string> full_refresh_streams;
  bool persist = false;
  bool fresh = false;
  bool accept_shrink = false;
  bool diff = false;
  bool administrator_sql = false;
  bool verify = false;
  std::optional<std::vector<std::string>> replay;  ///< Dead letters; empty = all.
};

/// Adds --var.
void AddVariablesOption(Verb verb, std::vector<std::string>& variables);

/// Adds --limit.
void AddLimitOption(Verb verb, std::optional<int64_t>& limit);

/// Adds the options that choose streams and change how they run.
void AddRunOptions(Verb verb, RunVerbOptions& options);

/// Adds those that change what is read.
void AddReadOptions(Verb verb, RunVerbOptions& options);

/// Adds --dry-run.
Argument AddDryRunOption(Verb verb, RunVerbOptions& options);

/// Adds --dry-run, and --diff with it, of verbs that read a source and load.
void AddDryRunOptions(Verb verb, RunVerbOptions& options);

/// Adds --diff.
Argument AddDiffOption(Verb verb, RunVerbOptions& options);

/// Adds --persist, --accept-shrink and --new, of verbs that load.
void AddKeepOptions(Verb verb, RunVerbOptions& options);

/// Adds --new.
void AddFreshOption(Verb verb, RunVerbOptions& options);

/// `options`, as the server takes them.
void FillRunOptions(const RunVerbOptions& options, v1::RunOptions& proto);

/// Runs the documents in a private daemon and prints the result; the verb's exit code.
Result<int> ExecuteRunVerb(Invocation& invocation, const RunVerbOptions& options);

}  // namespace dxt::ctl
