// Documents as files: what is accepted, and what is refused with which problems.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "connectors/sdk/connector.h"
#include "engine/plan/documents.h"
#include "tests/documents/fake_connectors.h"

namespace dxt {
namespace {

namespace fs = std::filesystem;

std::string ReadText(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// Values of the comment lines "# <name>: …" of a document.
std::vector<std::string> Comments(const std::string& text, const std::string& name) {
  std::vector<std::string> values;
  std::istringstream lines(text);
  const std::string prefix = "# " + name + ": ";
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(prefix)) values.push_back(line.substr(prefix.size()));
  }
  return values;
}

std::vector<fs::path> Documents(const std::string& folder) {
  std::vector<fs::path> paths;
  for (const auto& entry :
       fs::directory_iterator(fs::path(DXT_SOURCE_DIR) / "tests/documents" / folder)) {
    if (entry.path().extension() == ".yaml") paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

/// A document with what its comments ask for: `# project: file` beside it, `# set: A=b`,
/// `# var: a=b`, `# strict: true`, and `# kind: project` for a project alone.
DocumentInputs Inputs(const fs::path& path) {
  const std::string text = ReadText(path);
  DocumentInputs inputs;
  const DocumentText document{path.string(), text};
  const auto kind = Comments(text, "kind");
  (kind == std::vector<std::string>{"project"} ? inputs.project : inputs.pipeline) = document;
  for (const auto& name : Comments(text, "project")) {
    const fs::path project = path.parent_path() / name;
    inputs.project = DocumentText{project.string(), ReadText(project)};
  }
  const auto pairs = [&](const char* name, std::map<std::string, std::string>& into) {
    for (const auto& pair : Comments(text, name)) {
      into.emplace(pair.substr(0, pair.find('=')), pair.substr(pair.find('=') + 1));
    }
  };
  pairs("set", inputs.variables);
  pairs("var", inputs.sql_variables);
  inputs.strict = !Comments(text, "strict").empty();
  return inputs;
}

class DocumentFiles : public testing::Test {
 protected:
  DocumentFiles() { AddFakeConnectors(registry_); }
  ConnectorRegistry registry_;
};

TEST_F(DocumentFiles, GoodOnesAreAccepted) {
  for (const auto& path : Documents("good")) {
    const DocumentInputs inputs = Inputs(path);
    const ParsedDocuments parsed = ParseDocuments(inputs, registry_);
    for (const auto& problem : parsed.problems) {
      ADD_FAILURE() << FormatProblem(problem);
    }
    EXPECT_EQ(parsed.pipeline.has_value(), inputs.pipeline.has_value()) << path;
  }
}

}  // namespace
}  // namespace dxt
