// Every dtype with its edge values, from cases/*.case.
#include <algorithm>
#include <filesystem>
#include <fstream>

#include <arrow/api.h>
#include <nlohmann/json.hpp>

#include "connectors/sdk/value_text.h"
#include "tests/conformance/assertions.h"
#include "tests/conformance/suite.h"

namespace dxt::conformance {
namespace {

/// One value of a case file.
struct CaseValue {
  Cell cell;
  std::vector<std::string> kinds;  ///< What a target must be able to hold for it.
};

struct CaseFile {
  std::string name;
  FieldType type;
  std::vector<CaseValue> values;
};

/// The grammar is in README.md. A broken file is a broken test tree: it throws.
CaseFile ReadCase(const std::filesystem::path& path) {
  CaseFile file;
  file.name = path.stem();
  std::ifstream in(path);
  std::string line;
  while (std::getline(in, line)) {
    if (line.empty() || line.starts_with("#")) continue;
    if (line.starts_with("dtype ")) {
      file.type = ParseFieldType(line.substr(6)).ValueOrDie();
      continue;
    }
    CaseValue value;
    std::string text = line;
    if (const size_t needs = line.find("   needs "); needs != std::string::npos) {
      text = line.substr(0, needs);
      while (text.ends_with(' ')) text.pop_back();
      std::string rest = line.substr(needs + 9);
      for (size_t at; (at = rest.find(' ')) != std::string::npos;
           rest = rest.substr(at + 1)) {
        value.kinds.push_back(rest.substr(0, at));
      }
      value.kinds.push_back(rest);
    }
    if (text == "NULL") {
      value.cell = std::nullopt;
    } else if (text.starts_with('"')) {
      value.cell = nlohmann::json::parse(text).get<std::string>();
    } else {
      value.cell = text;
    }
    file.values.push_back(std::move(value));
  }
  return file;
}

bool Holds(const ValueDomain& domain, const FieldType& type, const CaseValue& value) {
  for (const auto& kind : value.kinds) {
    const std::string& text = *value.cell;
    if (kind == "nan" && !domain.nan) return false;
    if (kind == "infinity" && !domain.infinity) return false;
    if (kind == "infinite_time" && !domain.infinite_time) return false;
    if (kind == "end_of_day" && !domain.end_of_day) return false;
    if (kind == "nul" && !domain.nul) return false;
    if (kind == "nul_in_json" && !domain.nul_in_json) return false;
    if (kind == "large" && std::stoull(text) > domain.max_unsigned) return false;
    if (kind == "nanoseconds" &&
        (domain.fraction_digits < 9 || !domain.deliver.nanoseconds)) {
      return false;
    }
    if (kind == "day") {
      const auto day = ParseDate(text.substr(0, text.find(' ')));
      if (!day || *day < domain.first_day || *day > domain.last_day) return false;
    }
    if (kind == "digits") {
      const auto number = ParseDecimalText(text);
      const int64_t fraction = std::max<int64_t>(0, number->scale);
      const int64_t whole = static_cast<int64_t>(number->digits.size()) - number->scale;
      if (domain.max_fraction_digits && fraction > domain.max_fraction_digits)
        return false;
      if (domain.max_integer_digits && whole > domain.max_integer_digits) return false;
      if (domain.deliver.dtype == DType::kDecimal && domain.deliver.precision > 0 &&
          (fraction > domain.deliver.scale ||
           whole > domain.deliver.precision - domain.deliver.scale)) {
        return false;
      }
    }
  }
  return true;
}

/// What was read, as a value of the case's dtype: a text format may bring it as string.
std::string Reinterpreted(const FieldType& type, const Cell& cell) {
  const auto normal = NormalForm(type, {cell});
  return (normal.ok() ? normal->front() : cell).value_or("NULL");
}

void RoundTrip(Harness& harness, const CaseFile& file) {
  Wanted wanted;
  wanted.table = "values";
  wanted.schema.fields = {{"n", {DType::kInt64}, false, {}},
                          {"value", file.type, true, {}}};
  ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
  auto spec = SpecOf(harness, *target, wanted);
  if (!spec.ok() && (ClassOf(spec.status()) == ErrorClass::kUnsupported ||
                     ClassOf(spec.status()) == ErrorClass::kConfig)) {
    GTEST_SKIP() << "refused at plan: " << spec.status().message();
  }
  ASSERT_OK(spec.status());
  const ValueDomain& domain = spec->plan.columns[1].domain;
  Rows rows, expected;
  for (const auto& value : file.values) {
    if (value.cell && !Holds(domain, file.type, value)) continue;
    const std::string number = std::to_string(rows.size());
    rows.push_back({number, value.cell});
    ASSERT_OK_AND_ASSIGN(const auto normal, NormalForm(file.type, {value.cell}));
    expected.push_back({number, normal[0]});
  }
  ASSERT_GT(rows.size(), 1u) << "the target can hold none of the values";
  ASSERT_OK(Load(harness, *target, wanted, rows).status());
  ASSERT_OK_AND_ASSIGN(auto source, harness.OpenSource());
  StreamRef ref;
  ref.kind = harness.kind();
  ref.source = harness.Reference("values");
  ASSERT_OK_AND_ASSIGN(const auto info, source->Describe(ref, {}));
  ASSERT_OK_AND_ASSIGN(auto read, ReadRows(*source, ReadAllOf(ref, info)));
  std::sort(read.begin(), read.end(), [](const Row& a, const Row& b) {
    return std::stoll(*a[0]) < std::stoll(*b[0]);
  });
  ASSERT_EQ(read.size(), expected.size());
  for (size_t i = 0; i < read.size(); ++i) {
    EXPECT_EQ(Reinterpreted(file.type, read[i][1]), expected[i][1].value_or("NULL"))
        << ToString(file.type) << " value " << rows[i][1].value_or("NULL") << ", read as "
        << ToString(info.columns.fields[1].type);
  }
}

}  // namespace

std::vector<Case> TypeCases() {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(
           std::filesystem::path(DXT_SOURCE_DIR) / "tests/conformance/cases")) {
    if (entry.path().extension() == ".case") paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  constexpr auto needs = static_cast<uint32_t>(Capability::kRead) |
                         static_cast<uint32_t>(Capability::kWrite) |
                         static_cast<uint32_t>(Capability::kAppend);
  std::vector<Case> cases;
  for (const auto& path : paths) {
    const CaseFile file = ReadCase(path);
    cases.push_back({"RoundTrip_" + file.name, needs,
                     [file](Harness& harness) { RoundTrip(harness, file); }});
  }
  return cases;
}

}  // namespace dxt::conformance
