#pragma once
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "client/dxtctl/result.h"

namespace dxt::ctl {

/// What `-o jsonpath=TEMPLATE` picks out of a document: text, and in braces paths
/// (`{.runs[*].name}`), texts (`{"\n"}`) and `{range PATH}…{end}`. A template without a
/// brace is one path.
class JsonPath {
 public:
  static Result<JsonPath> Parse(const std::string& text);

  /// Several values of a path are parted by blanks; what a path does not find is nothing.
  std::string Of(const nlohmann::ordered_json& document) const;

 private:
  struct Step {
    enum class Kind : uint8_t { kName, kIndex, kAll } kind = Kind::kAll;
    std::string name;
    int64_t index = 0;  ///< Negative ones count from the end.
  };
  using Path = std::vector<Step>;
  struct Part {
    enum class Kind : uint8_t { kText, kPath, kRange } kind = Kind::kText;
    std::string text;
    Path path;
    std::vector<Part> inside;  ///< Of kRange: what is written for each value of the path.
  };
  class Parser;

  static void Write(const std::vector<Part>& parts,
                    const nlohmann::ordered_json& document, std::string& out);

  std::vector<Part> parts_;
};

/// Rows in the order of `--sort-by`: fields as in order_by of the API ("state,
/// create_time desc"), nested ones with dots.
class SortOrder {
 public:
  static Result<SortOrder> Parse(const std::string& text);

  /// Places of the rows in their order; rows that are equal keep theirs. What no row has
  /// is an Error that names the fields there are.
  Result<std::vector<size_t>> Of(const nlohmann::ordered_json& rows) const;

 private:
  struct Field {
    std::string name;
    bool descending = false;
  };
  std::vector<Field> fields_;
};

}  // namespace dxt::ctl
