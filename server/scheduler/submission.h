#pragma once
// What is asked to be run, in the form that the dispatcher executes, stores and finds
// again after a restart.
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include <arrow/result.h>

#include "base/secret.h"
#include "engine/plan/documents.h"
#include "engine/run/engine.h"
#include "state/state_store.h"

namespace dxt {

/// What the store keeps of a run's input beside its redacted documents. It is encrypted
/// there and erased when the run ends.
struct RunInput {
  DocumentText project, pipeline;  ///< As submitted, secrets included.
  bool has_project = false;
  std::map<std::string, std::string> variables, sql_variables;

  std::string Encode() const;
  static arrow::Result<RunInput> Decode(std::string_view bytes);
};

/// A priority lies between its negative and it.
inline constexpr int kMostPriority = 1000;

/// What a client, a schedule or an upstream run asks to be run.
struct Submission {
  PipelineDocument pipeline;
  RunOptions options;
  std::string document_hash;  ///< Of both unresolved texts and their paths.
  StoredDocument pipeline_document, project_document;  ///< Secrets redacted.
  RunInput input;
  Redactor redactor;
  std::string request_id;
  std::string request_hash;  ///< Of all that was asked with `request_id`.
  std::string attachment;    ///< "" = belongs to no client.
  int priority = 0;          ///< 0 = the document's.
  Trigger trigger;
  std::string retry_of;
  int64_t pipeline_revision = 0;  ///< 0 = the document came with the request.
  std::string traceparent;        ///< RunRecord::traceparent.
};

/// From documents that parsed (`parsed.pipeline` is set).
Submission MakeSubmission(const DocumentInputs& inputs, ParsedDocuments parsed,
                          RunOptions options);

/// Canonical text of options, without `fresh` and `completed_streams`; what is stored
/// with a run and a schedule. Equal options have equal texts; "{}" = all defaults.
std::string FormatRunOptions(const RunOptions& options);
/// kConfig "run.options" for a text that FormatRunOptions did not write.
arrow::Result<RunOptions> ParseRunOptions(std::string_view text);

/// Values for `{{ var.x }}` as they are stored with a schedule; "" = none.
std::string FormatSqlVariables(const std::map<std::string, std::string>& variables);
/// Nothing for a text that FormatSqlVariables did not write.
std::optional<std::map<std::string, std::string>> ParseSqlVariables(
    std::string_view text);

/// "<project>/<pipeline>"
std::string PipelineKey(const PipelineDocument& pipeline);

}  // namespace dxt
