#pragma once
// Pipelines made up from the command line: `copy SRC DST`, `preview CONN#table`.
#include <optional>
#include <string>
#include <vector>

#include "client/dxtctl/result.h"

namespace dxt::ctl {

/// One end: CONNECTION#table, a connection string with #table, or the path of a data file
/// or database file.
struct AdhocEnd {
  /// Name of the project, or inline string: `${NAME}` in it is a variable's where it was
  /// typed as a string, not where a path was.
  std::string connection;
  std::string table;  ///< As it was typed; "" = not named.
};
Result<AdhocEnd> ParseAdhocEnd(const std::string& text);

struct AdhocLoad {
  std::string mode = "append";    ///< append, replace, upsert
  std::vector<std::string> keys;  ///< Of upsert.
  std::string cursor;             ///< Watermark field; "" = full extract.
  bool partial = false;           ///< A replace by a part of the rows (--limit) is meant.
};

/// The document, ready to be run or printed.
std::string AdhocPipeline(const std::string& name, const std::string& stream,
                          const AdhocEnd& source, const AdhocEnd& target,
                          const AdhocLoad& load);

/// "raw.orders" -> "orders", "exports/planes.csv.gz" -> "planes".
std::string BareTableName(const std::string& table);

/// The id of a stream of this name: its characters that ids have none of become '_'.
std::string StreamIdOf(const std::string& name);

/// A reference to the table of exactly this name, dots and blanks included.
std::string TableReference(const std::string& name);

/// An error of documents without the places in `document`, which is no file: what is
/// wrong there is named by its key alone.
Error WithoutPlaces(Error error, const std::string& document);

/// True for what a file connection holds: a data file's name, a folder, a glob.
bool IsFileReference(const std::string& table);

}  // namespace dxt::ctl
