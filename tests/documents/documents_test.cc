// Documents as files: what is accepted, and what is refused with which problems.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>

#include "connectors/sdk/connector.h"
#include "engine/plan/documents.h"
#include "engine/plan/yaml.h"
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
  (kind == std::vector<std::string>{"project"} ? inputs.project : inputs.pipeline) =
      document;
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

/// "line:column: code: path: message (suggestion)", with the file's name before it when
/// the problem is in another document.
std::string Line(const Problem& problem, const fs::path& document) {
  Problem shown = problem;
  shown.mark = {};
  std::string text = FormatProblem(shown);
  text = text.substr(text.find(": ") + 2);
  std::string place = std::to_string(problem.mark.line) + ":" +
                      std::to_string(problem.mark.column) + ": " + problem.code + ": ";
  if (problem.mark.file != document.string()) {
    place = fs::path(problem.mark.file).filename().string() + ":" + place;
  }
  return place + text;
}

nlohmann::json ToJson(const ConfigValue& value) {
  switch (value.kind) {
    case ConfigValue::Kind::kNull:
      return nullptr;
    case ConfigValue::Kind::kList: {
      nlohmann::json list = nlohmann::json::array();
      for (const auto& item : value.list) list.push_back(ToJson(item));
      return list;
    }
    case ConfigValue::Kind::kMap: {
      nlohmann::json map = nlohmann::json::object();
      for (const auto& [key, item] : value.map) map[key] = ToJson(item);
      return map;
    }
    case ConfigValue::Kind::kScalar:
      break;
  }
  if (value.quoted) return value.scalar;
  if (value.scalar == "true" || value.scalar == "false") return value.scalar == "true";
  const bool number =
      !value.scalar.empty() &&
      value.scalar.find_first_not_of("0123456789.-") == std::string::npos &&
      nlohmann::json::accept(value.scalar);
  return number ? nlohmann::json::parse(value.scalar) : nlohmann::json(value.scalar);
}

class DocumentFiles : public testing::Test {
 protected:
  DocumentFiles() { AddFakeConnectors(registry_); }

  /// The expected lines of the kind that the document's comments list, and all problems,
  /// must be the same.
  void ExpectListedProblems(const fs::path& path, const std::vector<Problem>& problems) {
    const std::string text = ReadText(path);
    for (const auto level : {Problem::Level::kError, Problem::Level::kWarning}) {
      const bool error = level == Problem::Level::kError;
      std::vector<std::string> found;
      for (const auto& problem : problems) {
        if (problem.level == level) found.push_back(Line(problem, path));
      }
      const auto expected = Comments(text, error ? "expect" : "warn");
      const std::string all = testing::PrintToString(found);
      EXPECT_EQ(found.size(), expected.size()) << path << all;
      for (size_t i = 0; i < std::min(found.size(), expected.size()); ++i) {
        EXPECT_TRUE(found[i].starts_with(expected[i]))
            << path << "\n  expected " << expected[i] << "\n  found    " << found[i];
      }
    }
  }

  /// Whether the JSON Schema of its kind takes a document; nullopt when it is no JSON.
  std::optional<bool> SchemaTakes(const fs::path& path) {
    const DocumentInputs inputs = Inputs(path);
    const auto kind = inputs.pipeline ? DocumentKind::kPipeline : DocumentKind::kProject;
    std::vector<Problem> problems;
    const auto tree =
        ParseYaml(inputs.pipeline ? *inputs.pipeline : *inputs.project, "", problems);
    if (!tree) return std::nullopt;
    auto& schema = schemas_[kind];
    if (!schema) {
      const auto text = nlohmann::json::parse(DocumentJsonSchema(kind, registry_));
      schema = std::make_unique<valijson::Schema>();
      valijson::SchemaParser parser(valijson::SchemaParser::kDraft7);
      parser.populateSchema(valijson::adapters::NlohmannJsonAdapter(text), *schema);
    }
    nlohmann::json document = ToJson(*tree);
    if (document.is_null()) document = nlohmann::json::object();
    valijson::ValidationResults results;
    const bool taken =
        valijson::Validator(valijson::Validator::kStrongTypes)
            .validate(*schema, valijson::adapters::NlohmannJsonAdapter(document),
                      &results);
    valijson::ValidationResults::Error error;
    while (results.popError(error))
      last_error_ = error.context.back() + error.description;
    return taken;
  }

  ConnectorRegistry registry_;
  std::map<DocumentKind, std::unique_ptr<valijson::Schema>> schemas_;
  std::string last_error_;
};

TEST_F(DocumentFiles, GoodOnesAreAcceptedWithoutAWord) {
  const auto paths = Documents("good");
  EXPECT_GE(paths.size(), 15u);
  for (const auto& path : paths) {
    const DocumentInputs inputs = Inputs(path);
    const ParsedDocuments parsed = ParseDocuments(inputs, registry_);
    for (const auto& problem : parsed.problems) ADD_FAILURE() << FormatProblem(problem);
    EXPECT_EQ(parsed.pipeline.has_value(), inputs.pipeline.has_value()) << path;
  }
}

TEST_F(DocumentFiles, BadOnesAreRefusedWithExactlyTheListedProblems) {
  const auto paths = Documents("bad");
  EXPECT_GE(paths.size(), 50u);
  for (const auto& path : paths) {
    const ParsedDocuments parsed = ParseDocuments(Inputs(path), registry_);
    EXPECT_FALSE(parsed.ok()) << path;
    EXPECT_FALSE(parsed.pipeline || parsed.project) << path;
    ExpectListedProblems(path, parsed.problems);
  }
}

TEST_F(DocumentFiles, DoubtfulOnesAreAcceptedWithTheListedWarnings) {
  for (const auto& path : Documents("warned")) {
    const ParsedDocuments parsed = ParseDocuments(Inputs(path), registry_);
    EXPECT_TRUE(parsed.ok() && parsed.pipeline) << path;
    EXPECT_FALSE(parsed.problems.empty()) << path;
    ExpectListedProblems(path, parsed.problems);
  }
}

TEST_F(DocumentFiles, NoProblemShowsASecret) {
  for (const char* folder : {"bad", "warned"}) {
    for (const auto& path : Documents(folder)) {
      for (const auto& problem : ParseDocuments(Inputs(path), registry_).problems) {
        EXPECT_EQ(FormatProblem(problem).find("hunter2"), std::string::npos) << path;
      }
    }
  }
}

TEST_F(DocumentFiles, TheJsonSchemaTakesGoodDocuments) {
  for (const char* folder : {"good", "warned"}) {
    for (const auto& path : Documents(folder)) {
      EXPECT_TRUE(SchemaTakes(path).value_or(false)) << path << last_error_;
    }
  }
}

TEST_F(DocumentFiles, TheJsonSchemaRefusesBadDocumentsButTheListedOnes) {
  const auto paths = Documents("bad");
  size_t excused = 0;
  for (const auto& path : paths) {
    const bool listed = !Comments(ReadText(path), "schema cannot").empty();
    excused += listed;
    EXPECT_EQ(SchemaTakes(path).value_or(true), listed) << path;
  }
  EXPECT_LE(excused * 5, paths.size());
}

}  // namespace
}  // namespace dxt
