#pragma once
// What a file holds, as its name and the options say.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <arrow/result.h>

#include "connectors/sdk/config.h"
#include "connectors/sdk/types.h"

namespace dxt::file {

enum class Format : uint8_t { kCsv, kTsv, kJson, kJsonl, kParquet };
enum class Compression : uint8_t { kNone, kGzip, kZstd, kSnappy };
enum class Encoding : uint8_t { kUtf8, kLatin1, kUtf16 };

std::string_view FormatName(Format format);

/// What the last parts of a name say: "orders.csv.gz" is CSV in gzip.
struct NameFormat {
  std::optional<Format> format;
  Compression compression = Compression::kNone;
  bool has_extension = false;  ///< Any extension, known or not.
};
NameFormat FormatOfName(std::string_view path);

/// How to read or write one stream's files.
struct FormatOptions {
  Format format = Format::kCsv;
  /// Of the whole file for text, of the column chunks for Parquet.
  Compression compression = Compression::kNone;
  bool compression_given = false;  ///< By an option, so that a bare name may hold it.
  char delimiter = ',';
  bool header = true;
  Encoding encoding = Encoding::kUtf8;
  char quote = '"';  ///< '\0' = cells are never quoted.
  std::vector<std::string> null_values;
  /// Columns whose type is not inferred but text (a restart after file.inferred_type).
  std::vector<std::string> string_columns;
  /// Declared types, of an existing target.
  std::vector<std::pair<std::string, FieldType>> columns;
  bool lineage = false;         ///< Describe lists _file_name and _row_id.
  bool decimal_number = false;  ///< JSON out: decimals as numbers instead of strings.
  int64_t max_part_bytes = 1LL << 30;

  /// Of the text file at `path`, one of several: its own name decides, then the option.
  Compression CompressionOf(std::string_view path) const;
  const FieldType* DeclaredType(std::string_view column) const;
  bool IsStringColumn(std::string_view column) const;
};

/// Options of a stream (`extract.options`, `load.options`) and of a connection
/// (`options`): one list for both, so that whatever a stream says overrides its
/// connection.
const std::vector<OptionSpec>& FormatOptionSpecs();

/// `path` gives format and compression unless an option does. kConfig
/// "file.unknown_format", "file.unknown_option", "file.invalid_option".
arrow::Result<FormatOptions> ResolveFormat(std::string_view path,
                                           const ConfigValue* connection,
                                           const ConfigValue* stream);

/// The format that options name, or nullopt.
arrow::Result<std::optional<Format>> FormatOption(const ConfigValue* connection,
                                                  const ConfigValue* stream);

/// "csv", "csv.gz", "parquet": what a part of a folder is called.
std::string PartExtension(const FormatOptions& options);

}  // namespace dxt::file
