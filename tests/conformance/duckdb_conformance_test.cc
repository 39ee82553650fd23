#include "connectors/duckdb/duckdb.h"

#include "tests/conformance/suite.h"
#include "tests/conformance/temp_folder.h"

namespace dxt::conformance {
namespace {

class DuckdbHarness final : public Harness {
 public:
  const Connector& connector() const override { return *connector_; }
  ConfigView Config() const override {
    return ConfigOf(*connector_, {{"path", (folder_.path() / "suite.duckdb").string()}});
  }
  ConnectorContext Context() const override {
    ConnectorContext context = Harness::Context();
    context.scratch_dir = folder_.path();
    return context;
  }

 private:
  TempFolder folder_;
  std::unique_ptr<Connector> connector_ = MakeDuckdbConnector();
};

std::unique_ptr<Harness> MakeHarness() { return std::make_unique<DuckdbHarness>(); }

DXT_CONFORMANCE(Duckdb, MakeHarness);

}  // namespace
}  // namespace dxt::conformance
