#include "connectors/sqlite/sqlite.h"

#include "tests/conformance/suite.h"
#include "tests/conformance/temp_folder.h"

namespace dxt::conformance {
namespace {

class SqliteHarness final : public Harness {
 public:
  const Connector& connector() const override { return *connector_; }
  ConfigView Config() const override {
    return ConfigOf(*connector_, {{"path", (folder_.path() / "suite.db").string()}});
  }

 private:
  TempFolder folder_;
  std::unique_ptr<Connector> connector_ = MakeSqliteConnector();
};

std::unique_ptr<Harness> MakeHarness() { return std::make_unique<SqliteHarness>(); }

DXT_CONFORMANCE(Sqlite, MakeHarness);

}  // namespace
}  // namespace dxt::conformance
