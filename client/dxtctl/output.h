#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "client/dxtctl/invocation.h"

namespace dxt::ctl {

struct TableColumn {
  std::string header;
  std::string field;   ///< Of a row; lists are joined by commas, null is "-".
  bool wide = false;   ///< Only with -o wide.
  bool right = false;  ///< Numbers.
};

/// Rows of one kind, printable in every output format.
struct Listing {
  std::string key;         ///< Of the list in -o json and -o yaml: {"streams": […]}.
  std::string name_field;  ///< For -o name.
  std::vector<TableColumn> columns;
};

struct TableStyle {
  bool headers = true;
  /// Cells are cut so that no line is wider; 0 = never.
  int width = 0;
};

/// Of the command line and the terminal.
TableStyle TableStyleOf(const Invocation& invocation);

/// Prints `rows`, a JSON array of objects, on stdout as the command line wants it,
/// --sort-by included.
void PrintListing(const Listing& listing, const nlohmann::ordered_json& rows,
                  Invocation& invocation);
/// Places of the rows in the order of --sort-by, or nothing once it was refused.
std::optional<std::vector<size_t>> SortedPlaces(const nlohmann::ordered_json& rows,
                                                Invocation& invocation);

/// Prints columns aligned by display width; `rows` hold one cell a column.
void PrintTable(const std::vector<TableColumn>& columns,
                const std::vector<std::vector<std::string>>& rows,
                const TableStyle& style = {});

/// Prints one document on stdout: a line of JSON, or what -o jsonpath picks out of it.
void PrintJson(const Invocation& invocation, const nlohmann::ordered_json& document);
/// Likewise, of a document that is text already.
void PrintJsonText(const Invocation& invocation, const std::string& document);

/// Likewise, of `rows` as PrintListing takes them.
void PrintTable(const std::vector<TableColumn>& columns,
                const nlohmann::ordered_json& rows, const TableStyle& style = {});

/// Columns of the terminal that stdout is; 0 when it is none.
int OutputWidth();

/// One line of JSON; invalid UTF-8 is replaced.
std::string ToJson(const nlohmann::ordered_json& value);

/// Block-style YAML, strings quoted where they need it.
std::string ToYaml(const nlohmann::ordered_json& value);

/// "1 stream", "2 streams": `what` is one of them.
std::string Counted(int64_t count, const std::string& what);

/// "1.2M", "80.5k", "312".
std::string ShortCount(double count);
/// "4.4 MB", "812 B".
std::string ShortBytes(double bytes);

}  // namespace dxt::ctl
