#include "connectors/postgres/postgres.h"

#include <algorithm>
#include <sstream>

#include "tests/conformance/suite.h"
#include "tests/support/postgres_server.h"

namespace dxt::conformance {
namespace {

/// A new database of the binary's one server for every case.
class PostgresHarness final : public Harness {
 public:
  PostgresHarness()
      : server_(testing::PostgresServer::Shared()), database_(server_.CreateDatabase()) {}

  const Connector& connector() const override { return *connector_; }
  ConfigView Config() const override {
    return ConfigOf(*connector_, {{"host", "127.0.0.1"},
                                  {"port", std::to_string(server_.port())},
                                  {"user", server_.user()},
                                  {"password", server_.password()},
                                  {"database", database_}});
  }

  arrow::Result<std::vector<std::string>> Objects() override {
    std::istringstream lines(server_.Execute(
        database_,
        "SELECT string_agg(relname, E'\\n' ORDER BY relname) FROM pg_class c JOIN "
        "pg_namespace n "
        "ON n.oid = relnamespace WHERE nspname NOT IN ('pg_catalog', "
        "'information_schema', "
        "'pg_toast') AND relname NOT LIKE '\\_dxt\\_loads%' AND relname NOT LIKE "
        "'\\_dxt\\_fence%'"));
    std::vector<std::string> names;
    for (std::string line; std::getline(lines, line);) names.push_back(line);
    return names;
  }

 private:
  dxt::testing::PostgresServer& server_;
  std::string database_;
  std::unique_ptr<Connector> connector_ = MakePostgresConnector();
};

std::unique_ptr<Harness> MakeHarness() { return std::make_unique<PostgresHarness>(); }

DXT_CONFORMANCE(Postgres, MakeHarness);

}  // namespace
}  // namespace dxt::conformance
