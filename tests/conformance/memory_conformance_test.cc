#include "connectors/memory/memory.h"

#include "connectors/memory/database.h"
#include "tests/conformance/suite.h"

namespace dxt::conformance {
namespace {

class MemoryHarness final : public Harness {
 public:
  const Connector& connector() const override { return connector_; }
  ConfigView Config() const override { return ConfigOf(connector_, {{"name", "suite"}}); }

  arrow::Status Seed(const std::string& name, const StreamSchema& schema,
                     const Rows& rows) override {
    ARROW_ASSIGN_OR_RAISE(auto batch, BatchOf(schema, rows));
    return connector_.Database("suite")->Seed(Reference(name), schema, {batch});
  }
  arrow::Result<std::vector<std::string>> Objects() override {
    return connector_.Database("suite")->References();
  }

 private:
  memory::MemoryConnector connector_;
};

std::unique_ptr<Harness> MakeHarness() { return std::make_unique<MemoryHarness>(); }

DXT_CONFORMANCE(Memory, MakeHarness);

}  // namespace
}  // namespace dxt::conformance
