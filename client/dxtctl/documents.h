#pragma once
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "client/dxtctl/result.h"

namespace dxt::v1 {
class DocumentSet;
}

namespace dxt::ctl {

/// Where documents come from: a pipeline file, a pipeline made up by a verb, a project,
/// or none of them.
struct DocumentOptions {
  std::string pipeline;  ///< Path; "-" = stdin; "" = none.
  /// Instead of a file: the text of a pipeline made up by the verb, standing in the
  /// working folder under `pipeline` as its name.
  std::optional<std::string> pipeline_text;
  std::string project;                 ///< --project: file or folder; "" = look for one.
  std::vector<std::string> variables;  ///< --var name=value
  bool strict = false;
};

/// Where the pipeline of `pipeline_text` is said to stand.
std::string MadeUpPath(const DocumentOptions& options);

/// Documents as the server wants them, and where the state of what they describe belongs.
struct Documents {
  Documents();
  Documents(Documents&&) noexcept;
  Documents& operator=(Documents&&) noexcept;
  ~Documents();

  std::unique_ptr<v1::DocumentSet> set;
  /// Folder of the project file, else of the pipeline file; "" when there is neither.
  std::filesystem::path anchor;
};

/// The text of a document; refuses folders, and files over 1 MiB.
Result<std::string> ReadDocument(const std::filesystem::path& path);

/// dxt_project.yaml, dxt_project.yml or connections.yaml.
bool IsProjectFile(const std::filesystem::path& path);

/// What a verb says that was given neither a pipeline nor found a project.
Error NoProject(const std::string& verb);

/// "name=value" of --var in two.
Result<std::pair<std::string, std::string>> SplitAssignment(const std::string& text);

/// Reads the files, finds the project beside the pipeline (or the working folder) or in a
/// parent folder, and gathers values for the variables used.
Result<Documents> LoadDocuments(const DocumentOptions& options);

/// The documents, with an empty project standing in the working folder when there is
/// none, so that relative paths of inline connections belong there.
v1::DocumentSet WithWorkingFolder(const Documents& documents);

}  // namespace dxt::ctl
