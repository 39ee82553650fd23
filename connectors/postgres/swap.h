#pragma once
// `replace` by a new table that takes the old one's place (contracts 3.5).
#include <stop_token>
#include <string>
#include <vector>

#include <arrow/result.h>

namespace dxt::postgres {

class Connection;

/// What hangs on a table beyond columns, defaults, NOT NULL, checks, keys, indexes,
/// grants and comments, which a swap carries over. Texts for people; empty = it can be
/// swapped.
struct Attachments {
  std::vector<std::string> others;
  std::vector<std::string> foreign_keys;  ///< Of other tables, pointing here.
};
arrow::Result<Attachments> FindAttachments(Connection& connection, int64_t oid,
                                           std::stop_token stop);

/// A digest of all that a swap carries over: columns, constraints, indexes, grants,
/// owner.
arrow::Result<std::string> TableFingerprint(Connection& connection,
                                            const std::string& table,
                                            std::stop_token stop);

/// Creates `fresh` with the columns, defaults, checks and comments of `table`.
arrow::Status MakeReplacement(Connection& connection, const std::string& table,
                              const std::string& fresh, std::stop_token stop);

/// Gives `fresh` the indexes, keys, owner, grants, comments and storage options of
/// `table`, the indexes under temporary names. Returns what must run after the rename.
arrow::Result<std::vector<std::string>> CarryOver(Connection& connection,
                                                  const std::string& table,
                                                  const std::string& fresh,
                                                  const std::string& load_id,
                                                  std::stop_token stop);

}  // namespace dxt::postgres
