#include "state/sqlite/facets.h"

namespace dxt {
namespace {

constexpr char kColumns[] =
    "SELECT pipeline, stream, lane, load_id, path, created_at FROM packages ";

PackageRecord ReadPackage(const StateDatabase::Row& row) {
  return {{row.Text(0), row.Text(1), row.Text(2)}, row.Text(3), row.Text(4), row.Text(5)};
}

}  // namespace

arrow::Status SqlitePackageIndex::Record(const Lease& lease,
                                         const PackageRecord& package) {
  return database_.Write([&](StateDatabase::Transaction& transaction) -> arrow::Status {
    ARROW_RETURN_NOT_OK(CheckLease(transaction, lease));
    return transaction
        .Run(
            "INSERT OR REPLACE INTO packages (load_id, pipeline, stream, lane, path, "
            "created_at) VALUES (?, ?, ?, ?, ?, ?)",
            {std::string_view(package.load_id), std::string_view(package.key.pipeline),
             std::string_view(package.key.stream), std::string_view(package.key.lane),
             std::string_view(package.path), std::string_view(package.created_at)})
        .status();
  });
}

arrow::Result<std::vector<PackageRecord>> SqlitePackageIndex::List(
    std::string_view pipeline) {
  std::vector<PackageRecord> packages;
  ARROW_RETURN_NOT_OK(database_.Read([&](StateDatabase::Transaction& transaction) {
    return transaction
        .Run(kColumns + std::string("WHERE ?1 = '' OR pipeline = ?1 ORDER BY load_id"),
             {pipeline},
             [&](const StateDatabase::Row& row) { packages.push_back(ReadPackage(row)); })
        .status();
  }));
  return packages;
}

arrow::Result<std::optional<PackageRecord>> SqlitePackageIndex::Get(
    std::string_view load_id) {
  std::optional<PackageRecord> found;
  ARROW_RETURN_NOT_OK(database_.Read([&](StateDatabase::Transaction& transaction) {
    return transaction
        .Run(kColumns + std::string("WHERE load_id = ?"), {load_id},
             [&](const StateDatabase::Row& row) { found = ReadPackage(row); })
        .status();
  }));
  return found;
}

arrow::Status SqlitePackageIndex::Remove(std::string_view load_id) {
  return database_.Write([&](StateDatabase::Transaction& transaction) {
    return transaction.Run("DELETE FROM packages WHERE load_id = ?", {load_id}).status();
  });
}

}  // namespace dxt
