#include "connectors/file/file.h"

#include <algorithm>

#include "tests/conformance/suite.h"
#include "tests/conformance/temp_folder.h"

namespace dxt::conformance {
namespace {

/// A folder in which every table is one file of a format.
class FileHarness : public Harness {
 public:
  explicit FileHarness(std::string extension) : extension_(std::move(extension)) {}

  const Connector& connector() const override { return *connector_; }
  ConfigView Config() const override {
    return ConfigOf(*connector_, {{"url", folder_.path().string()}});
  }
  StreamKind kind() const override { return StreamKind::kFile; }
  std::string Reference(const std::string& name) const override {
    return name + extension_;
  }

  /// Every file and folder but the ledger's.
  arrow::Result<std::vector<std::string>> Objects() override {
    std::vector<std::string> names;
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(folder_.path())) {
      const auto name = std::filesystem::relative(entry.path(), folder_.path()).string();
      if (!name.starts_with("_dxt")) names.push_back(name);
    }
    std::sort(names.begin(), names.end());
    return names;
  }

 private:
  std::string extension_;
  TempFolder folder_;
  std::unique_ptr<Connector> connector_ = MakeFileConnector();
};

class JsonlHarness final : public FileHarness {
 public:
  JsonlHarness() : FileHarness(".jsonl") {}
  std::vector<Waiver> Waivers() const override {
    return {{"EmptyTableHasColumnsAndNoRows",
             "Columns of a JSONL file are the keys of its rows: no rows, no columns"},
            {"RoundTrip_json", "JSONL writes both NULL and the JSON value null as null"}};
  }
};

std::unique_ptr<Harness> MakeParquet() {
  return std::make_unique<FileHarness>(".parquet");
}
std::unique_ptr<Harness> MakeCsv() { return std::make_unique<FileHarness>(".csv"); }
std::unique_ptr<Harness> MakeJsonl() { return std::make_unique<JsonlHarness>(); }

DXT_CONFORMANCE(Parquet, MakeParquet);
DXT_CONFORMANCE(Csv, MakeCsv);
DXT_CONFORMANCE(Jsonl, MakeJsonl);

}  // namespace
}  // namespace dxt::conformance
