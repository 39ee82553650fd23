#include "connectors/file/format.h"

#include <algorithm>
#include <cctype>

#include "base/error.h"
#include "base/spelling.h"

namespace dxt::file {
namespace {

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower)
    c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return lower;
}

std::optional<Format> ParseFormat(std::string_view name) {
  if (name == "csv") return Format::kCsv;
  if (name == "tsv" || name == "tab") return Format::kTsv;
  if (name == "json") return Format::kJson;
  if (name == "jsonl" || name == "ndjson") return Format::kJsonl;
  if (name == "parquet" || name == "pq") return Format::kParquet;
  return std::nullopt;
}

std::optional<Compression> ParseCompression(std::string_view name) {
  if (name == "none" || name == "uncompressed") return Compression::kNone;
  if (name == "gzip" || name == "gz") return Compression::kGzip;
  if (name == "zstd" || name == "zst") return Compression::kZstd;
  if (name == "snappy") return Compression::kSnappy;
  return std::nullopt;
}

std::optional<Encoding> ParseEncoding(std::string name) {
  std::erase(name, '-');
  std::erase(name, '_');
  if (name == "utf8") return Encoding::kUtf8;
  if (name == "latin1" || name == "iso88591") return Encoding::kLatin1;
  if (name == "utf16") return Encoding::kUtf16;
  return std::nullopt;
}

arrow::Status Invalid(const ConfigValue& value, std::string_view option,
                      std::string_view wanted) {
  std::string where;
  if (value.mark.line > 0) {
    where = value.mark.file + ":" + std::to_string(value.mark.line) + ": ";
  }
  return MakeError(ErrorClass::kConfig, "file.invalid_option",
                   where + "`options." + std::string(option) + "` is '" + value.scalar +
                       "', but must be " + std::string(wanted));
}

arrow::Result<char> OneCharacter(const ConfigValue& value, std::string_view option) {
  const std::string& text = value.scalar;
  if (text == "\\t" || text == "tab") return '\t';
  if (text.size() != 1 || text[0] == '\n' || text[0] == '\r' || (text[0] & 0x80)) {
    return Invalid(value, option, "one ASCII character");
  }
  return text[0];
}

arrow::Result<bool> Truth(const ConfigValue& value, std::string_view option) {
  const auto truth = ParseBoolean(value.scalar);
  if (!truth) return Invalid(value, option, "true or false");
  return *truth;
}

std::vector<std::string> Texts(const ConfigValue& value) {
  if (value.kind == ConfigValue::Kind::kScalar) return {value.scalar};
  std::vector<std::string> texts;
  for (const auto& item : value.list) texts.push_back(item.scalar);
  return texts;
}

arrow::Status CheckNames(const ConfigValue* options) {
  if (!options) return arrow::Status::OK();
  std::vector<std::string> names;
  for (const auto& spec : FormatOptionSpecs()) names.push_back(spec.name);
  for (const auto& [name, value] : options->map) {
    if (std::find(names.begin(), names.end(), name) != names.end()) continue;
    const std::string nearest = NearestSpelling(name, names);
    return MakeError(ErrorClass::kConfig, "file.unknown_option",
                     "The file connector has no option '" + name + "'" +
                         (nearest.empty() ? "" : " (did you mean '" + nearest + "'?)"),
                     "docs/reference/connectors/file.md lists the options");
  }
  return arrow::Status::OK();
}

const ConfigValue* Pick(const ConfigValue* connection, const ConfigValue* stream,
                        std::string_view name) {
  for (const ConfigValue* options : {stream, connection}) {
    if (!options) continue;
    const ConfigValue* value = options->Get(name);
    if (value && value->kind != ConfigValue::Kind::kNull) return value;
  }
  return nullptr;
}

arrow::Status ReadColumns(const ConfigValue& value, FormatOptions* options) {
  for (const auto& [name, type] : value.map) {
    const auto parsed = ParseFieldType(type.scalar);
    if (!parsed.ok()) return Invalid(type, "columns." + name, "a dtype such as int64");
    options->columns.emplace_back(name, *parsed);
  }
  return arrow::Status::OK();
}

arrow::Status ReadCompression(const ConfigValue* value, Compression by_name,
                              FormatOptions* options) {
  const bool parquet = options->format == Format::kParquet;
  options->compression = parquet ? Compression::kSnappy : by_name;
  if (!value) return arrow::Status::OK();
  const auto compression = ParseCompression(Lower(value->scalar));
  if (!compression || (*compression == Compression::kSnappy && !parquet)) {
    return Invalid(*value, "compression",
                   parquet ? "snappy, zstd, gzip or none" : "gzip, zstd or none");
  }
  if (!parquet && by_name != Compression::kNone && by_name != *compression) {
    return Invalid(*value, "compression", "what the file's extension says");
  }
  options->compression = *compression;
  options->compression_given = true;
  return arrow::Status::OK();
}

arrow::Status ReadText(const ConfigValue* connection, const ConfigValue* stream,
                       FormatOptions* options) {
  const auto pick = [&](std::string_view name) { return Pick(connection, stream, name); };
  if (const auto* value = pick("delimiter")) {
    ARROW_ASSIGN_OR_RAISE(options->delimiter, OneCharacter(*value, "delimiter"));
  }
  if (const auto* value = pick("quote")) {
    options->quote = '\0';
    if (!value->scalar.empty() && value->scalar != "none") {
      ARROW_ASSIGN_OR_RAISE(options->quote, OneCharacter(*value, "quote"));
    }
    if (options->quote == options->delimiter) {
      return Invalid(*value, "quote", "another character than the delimiter");
    }
  }
  if (const auto* value = pick("header")) {
    ARROW_ASSIGN_OR_RAISE(options->header, Truth(*value, "header"));
  }
  if (const auto* value = pick("encoding")) {
    const auto encoding = ParseEncoding(Lower(value->scalar));
    if (!encoding) return Invalid(*value, "encoding", "utf8, latin1 or utf16");
    options->encoding = *encoding;
  }
  if (const auto* value = pick("null_values")) options->null_values = Texts(*value);
  if (const auto* value = pick("decimal")) {
    if (value->scalar != "number" && value->scalar != "string") {
      return Invalid(*value, "decimal", "number or string");
    }
    options->decimal_number = value->scalar == "number";
  }
  return arrow::Status::OK();
}

}  // namespace

std::string_view FormatName(Format format) {
  switch (format) {
    case Format::kCsv:
      return "csv";
    case Format::kTsv:
      return "tsv";
    case Format::kJson:
      return "json";
    case Format::kJsonl:
      return "jsonl";
    case Format::kParquet:
      return "parquet";
  }
  return "csv";
}

NameFormat FormatOfName(std::string_view path) {
  NameFormat result;
  std::string name = Lower(path.substr(path.rfind('/') + 1));
  const auto extension = [&]() -> std::string {
    const size_t dot = name.rfind('.');
    if (dot == std::string::npos || dot == 0) return {};
    return name.substr(dot + 1);
  };
  std::string last = extension();
  result.has_extension = !last.empty();
  if (last == "gz" || last == "gzip") result.compression = Compression::kGzip;
  if (last == "zst" || last == "zstd") result.compression = Compression::kZstd;
  if (result.compression != Compression::kNone) {
    name.resize(name.size() - last.size() - 1);
    last = extension();
  }
  result.format = ParseFormat(last);
  return result;
}

Compression FormatOptions::CompressionOf(std::string_view path) const {
  const NameFormat name = FormatOfName(path);
  if (name.compression != Compression::kNone) return name.compression;
  return compression_given || !name.format ? compression : Compression::kNone;
}

const FieldType* FormatOptions::DeclaredType(std::string_view column) const {
  for (const auto& [name, type] : columns) {
    if (name == column) return &type;
  }
  return nullptr;
}

bool FormatOptions::IsStringColumn(std::string_view column) const {
  return std::find(string_columns.begin(), string_columns.end(), column) !=
         string_columns.end();
}

const std::vector<OptionSpec>& FormatOptionSpecs() {
  static const std::vector<OptionSpec> specs = [] {
    std::vector<OptionSpec> list;
    const auto add = [&](const char* name, OptionKind kind, const char* help,
                         const char* default_value, const char* example) -> OptionSpec& {
      OptionSpec& spec = list.emplace_back();
      spec.name = name;
      spec.kind = kind;
      spec.help = help;
      spec.default_value = default_value;
      spec.example = example;
      return spec;
    };
    add("format", OptionKind::kString,
        "Format of the files, where the name does not say it.", "", "csv")
        .choices = {"csv", "tsv", "json", "jsonl", "ndjson", "parquet"};
    add("compression", OptionKind::kString,
        "gzip, zstd or none for text (default: by extension); also snappy, the default, "
        "for "
        "Parquet.",
        "", "zstd")
        .choices = {"none", "gzip", "zstd", "snappy"};
    add("delimiter", OptionKind::kString, "Character between cells of CSV.", ",", ";");
    add("header", OptionKind::kBoolean, "The first line holds the column names.", "true",
        "false");
    add("quote", OptionKind::kString, "Quote character of CSV; empty for none.", "\"",
        "'");
    add("encoding", OptionKind::kString, "Character set of text files that are read.",
        "utf8", "latin1")
        .choices = {"utf8", "latin1", "utf16"};
    OptionSpec& nulls =
        add("null_values", OptionKind::kList,
            "Unquoted cells that mean NULL, besides the empty one.", "", "[NA, \\N]");
    nulls.scalar_as_list = true;
    OptionSpec text;
    text.kind = OptionKind::kString;
    nulls.items = {text};
    add("decimal", OptionKind::kString, "How JSON holds decimals that are written.",
        "string", "number")
        .choices = {"string", "number"};
    add("max_part_bytes", OptionKind::kBytes,
        "A window larger than this becomes several parts of a folder.", "1GiB", "256MiB");
    add("lineage", OptionKind::kBoolean,
        "Adds the columns _file_name and _row_id to what is read.", "false", "true");
    OptionSpec& strings =
        add("string_columns", OptionKind::kList,
            "Columns that are read as string instead of by inference.", "", "[zip]");
    strings.scalar_as_list = true;
    strings.items = {text};
    OptionSpec& columns =
        add("columns", OptionKind::kMap, "Types of columns, instead of inferred ones.",
            "", "{zip: string, total: \"decimal(15,2)\"}");
    columns.items = {text};
    return list;
  }();
  return specs;
}

arrow::Result<std::optional<Format>> FormatOption(const ConfigValue* connection,
                                                  const ConfigValue* stream) {
  const ConfigValue* value = Pick(connection, stream, "format");
  if (!value) return std::optional<Format>();
  const auto format = ParseFormat(Lower(value->scalar));
  if (!format) return Invalid(*value, "format", "csv, tsv, json, jsonl or parquet");
  return std::optional<Format>(*format);
}

arrow::Result<FormatOptions> ResolveFormat(std::string_view path,
                                           const ConfigValue* connection,
                                           const ConfigValue* stream) {
  ARROW_RETURN_NOT_OK(CheckNames(stream));
  FormatOptions options;
  const NameFormat by_name = FormatOfName(path);
  // The stream's own word, then the name, then what the connection says in general.
  ARROW_ASSIGN_OR_RAISE(auto format, FormatOption(nullptr, stream));
  if (!format) format = by_name.format;
  if (!format) {
    ARROW_ASSIGN_OR_RAISE(format, FormatOption(connection, nullptr));
  }
  if (!format) {
    return MakeError(
        ErrorClass::kConfig, "file.unknown_format",
        "The name '" + std::string(path) + "' does not say what format it has",
        "Set options.format to csv, tsv, json, jsonl or parquet");
  }
  options.format = *format;
  if (*format == Format::kTsv) options.delimiter = '\t';
  const auto pick = [&](std::string_view name) { return Pick(connection, stream, name); };
  ARROW_RETURN_NOT_OK(
      ReadCompression(pick("compression"), by_name.compression, &options));
  ARROW_RETURN_NOT_OK(ReadText(connection, stream, &options));
  if (const auto* value = pick("lineage")) {
    ARROW_ASSIGN_OR_RAISE(options.lineage, Truth(*value, "lineage"));
  }
  if (const auto* value = pick("max_part_bytes")) {
    const auto bytes = ParseByteSize(value->scalar);
    if (!bytes || *bytes < 1) return Invalid(*value, "max_part_bytes", "a size");
    options.max_part_bytes = *bytes;
  }
  if (const auto* value = pick("string_columns")) options.string_columns = Texts(*value);
  if (const auto* value = pick("columns")) {
    ARROW_RETURN_NOT_OK(ReadColumns(*value, &options));
  }
  return options;
}

std::string PartExtension(const FormatOptions& options) {
  std::string extension(FormatName(options.format));
  if (options.format != Format::kParquet) {
    if (options.compression == Compression::kGzip) extension += ".gz";
    if (options.compression == Compression::kZstd) extension += ".zst";
  }
  return extension;
}

}  // namespace dxt::file
