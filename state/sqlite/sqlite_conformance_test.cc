#include <cstdlib>
#include <filesystem>

#include "state/conformance/state_store_suite.h"
#include "state/sqlite/sqlite_state_store.h"

namespace dxt {
namespace {

class SqliteHarness : public StateStoreHarness {
 public:
  SqliteHarness() {
    std::string name =
        (std::filesystem::temp_directory_path() / "dxt-state-XXXXXX").string();
    folder_ = mkdtemp(name.data());
  }
  ~SqliteHarness() override { std::filesystem::remove_all(folder_); }
  arrow::Result<std::unique_ptr<StateStore>> Open() override {
    return SqliteStateStore::Make(folder_);
  }

 private:
  std::filesystem::path folder_;
};

INSTANTIATE_TEST_SUITE_P(Sqlite, StateStoreSuite, testing::Values([] {
                           return std::make_unique<SqliteHarness>();
                         }));

}  // namespace
}  // namespace dxt
