#pragma once
// The statements that take a window's rows from its temporary table into the target. Pure
// texts; `stage` and `fill` are quoted references.
#include <string>
#include <vector>

#include "connectors/sdk/destination.h"

namespace dxt::duckdb {

/// `pattern` with `sql` in the place of {}.
std::string Filled(const std::string& pattern, const std::string& sql);
/// The value with the smallest integer of dates and timestamps, which is how other
/// systems' files write -infinity, as DuckDB's own.
std::string Infinite(const std::string& sql, const FieldType& type);

/// Where the stage's rows are read together with their places in the order of arrival,
/// and the column that holds these: rowid, but for a stage with a column of that name.
struct Places {
  std::string from, column;
};
Places PlacesOf(const WriteSpec& spec, const std::string& stage);

std::string CreateStageSql(const WriteSpec& spec, const std::string& name);
/// Append and replace.
std::string InsertAllSql(const WriteSpec& spec, const std::string& stage,
                         const std::string& fill);
/// Upsert into a new table and into an old one. The last of equal keys wins: largest
/// dedup column, then arrival (contracts 3.6).
std::string InsertLatestSql(const WriteSpec& spec, const std::string& stage,
                            const std::string& fill);
std::string MergeSql(const WriteSpec& spec, const std::string& stage,
                     const std::string& fill);
/// insert_only: rows whose key the target does not have.
std::string InsertMissingSql(const WriteSpec& spec, const std::string& stage,
                             const std::string& fill);
/// delete_insert: rows of the target whose key the stage has.
std::string DeleteSeenSql(const WriteSpec& spec, const std::string& stage,
                          const std::string& fill);
/// Mirror: rows of the target whose key the stage does not have go, or are marked. With
/// `keys`, the quoted `_dxt_keys`: those of $1 the pipeline and $2 the stream alone.
std::string DeleteUnseenSql(const WriteSpec& spec, const std::string& stage,
                            const std::string& fill, const std::string& keys);
/// The texts, as `_dxt_keys` holds them, of the target's rows whose key the stage has.
std::string SeenKeysSql(const WriteSpec& spec, const std::string& stage,
                        const std::string& fill);
/// scd2: a temporary table of the stage's winning rows, as the target holds them.
std::string CreateLatestSql(const WriteSpec& spec, const std::string& stage,
                            const std::string& latest);
/// The moment of the load as text, behind that of each version in `fill`, and whether it
/// lies more than a day ahead of the clock.
std::string MomentSql(const WriteSpec& spec, const std::string& fill);
/// Up to ten keys of `latest` with several open versions.
std::string TwoOpenSql(const WriteSpec& spec, const std::string& latest,
                       const std::string& fill);
/// Closes at $1 the versions of which a value is another in `latest`; "" where there is
/// nothing but keys.
std::string CloseChangedSql(const WriteSpec& spec, const std::string& latest,
                            const std::string& fill);
/// Closes at $1 the versions whose key `latest` does not have.
std::string CloseUnseenSql(const WriteSpec& spec, const std::string& latest,
                           const std::string& fill);
/// Opens at $1 a version of each row of `latest` that has none.
std::string OpenMissingSql(const WriteSpec& spec, const std::string& latest,
                           const std::string& fill);
/// How many different keys the stage holds.
std::string CountKeysSql(const WriteSpec& spec, const std::string& stage);

}  // namespace dxt::duckdb
