#include <algorithm>
#include <cstring>
#include <utility>

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include "base/error.h"
#include "connectors/file/decode.h"
#include "connectors/file/file_reader.h"
#include "connectors/file/record_scanner.h"
#include "connectors/file/store.h"
#include "connectors/file/text_input.h"
#include "connectors/file/unescape.h"

namespace dxt::file {
namespace {

bool IsJsonFormat(Format format) {
  return format == Format::kJson || format == Format::kJsonl;
}

std::vector<std::string> NamesOf(const StreamSchema& schema) {
  std::vector<std::string> names;
  for (const auto& field : schema.fields) names.push_back(field.name);
  return names;
}

arrow::Result<std::unique_ptr<RecordScanner>> OpenScanner(Store& store,
                                                          const std::string& path,
                                                          const FormatOptions& options,
                                                          std::vector<std::string> known,
                                                          bool discover, bool tolerant) {
  ARROW_ASSIGN_OR_RAISE(auto input, TextInput::Make(store, path, options));
  auto scanner =
      IsJsonFormat(options.format)
          ? MakeJsonScanner(std::move(input), options, std::move(known), discover)
          : MakeCsvScanner(std::move(input), options);
  if (scanner.ok() && tolerant) (*scanner)->TolerateBad();
  return scanner;
}

std::string Join(const std::vector<std::string>& names) {
  std::string text;
  for (const auto& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

/// Several files of one stream must name the same columns in the same order.
arrow::Status CheckHeader(const std::string& path, const std::vector<std::string>& names,
                          const std::vector<std::string>& wanted) {
  if (names == wanted || names.empty()) return arrow::Status::OK();
  return MakeError(ErrorClass::kData, "file.schema_differs",
                   "'" + path + "' has the columns " + Join(names) +
                       ", but the stream's first file has " + Join(wanted),
                   "Read files of different shape as streams of their own");
}

class TextReader final : public FileReader {
 public:
  TextReader(std::unique_ptr<RecordScanner> scanner, const FileRead& read)
      : scanner_(std::move(scanner)),
        batch_rows_(std::max<int64_t>(read.batch_rows, 1)),
        batch_bytes_(std::max<int64_t>(read.batch_bytes, 1)) {
    const bool json = IsJsonFormat(read.options.format);
    const auto& names = scanner_->names();
    arrow::FieldVector fields;
    for (const auto& column : read.columns) {
      ColumnDecoder decoder;
      decoder.name = column.column;
      const auto found = std::find(names.begin(), names.end(), column.column);
      if (found != names.end()) decoder.column = static_cast<int>(found - names.begin());
      decoder.type = column.type;
      decoder.json = json;
      decoder.quote = read.options.quote;
      const Field* inferred = read.schema.Find(column.column);
      const bool declared = read.options.DeclaredType(column.column) != nullptr ||
                            read.options.IsStringColumn(column.column) || !inferred ||
                            !(inferred->type == column.type);
      decoder.reading = declared ? Reading::kDeclared : Reading::kInferred;
      decoders_.push_back(std::move(decoder));
      fields.push_back(arrow::field(column.name, ArrowType(column.type)));
    }
    schema_ = arrow::schema(std::move(fields));
  }

  arrow::Result<std::shared_ptr<arrow::RecordBatch>> Next(std::stop_token) override {
    ARROW_RETURN_NOT_OK(scanner_->Scan(batch_rows_, batch_bytes_, &block_));
    bad_ = scanner_->TakeBad();
    if (block_.rows == 0 && !bad_.empty()) return arrow::RecordBatch::MakeEmpty(schema_);
    if (block_.rows == 0) return std::shared_ptr<arrow::RecordBatch>();
    arrow::ArrayVector arrays;
    arrays.reserve(decoders_.size());
    for (const auto& decoder : decoders_) {
      int64_t bad_row = -1;
      auto array = decoder.Decode(block_, &bad_row);
      if (!array.ok()) return bad_row < 0 ? array.status() : BadCell(decoder, bad_row);
      arrays.push_back(std::move(*array));
    }
    return arrow::RecordBatch::Make(schema_, block_.rows, std::move(arrays));
  }

  int64_t bytes_read() const override { return scanner_->input().bytes_read(); }
  std::vector<BadRecord> TakeBad() override { return std::exchange(bad_, {}); }

 private:
  arrow::Status BadCell(const ColumnDecoder& decoder, int64_t row) const {
    const Cell& cell = block_.at(row, decoder.column);
    const std::string_view text = block_.Text(cell);
    const int64_t line =
        block_.first_line + std::count(block_.base, block_.base + cell.begin, '\n');
    std::string shown(text.substr(0, 60));
    if (text.size() > shown.size()) shown += "…";
    const bool inferred = decoder.reading == Reading::kInferred;
    ErrorInfo info;
    info.error_class = ErrorClass::kData;
    info.code = inferred ? "file.inferred_type" : "file.value";
    info.column = decoder.name;
    info.key = "{\"line\":" + std::to_string(line) + "}";
    info.hint = inferred ? "Set options.string_columns: [" + decoder.name +
                               "], or its type in options.columns"
                         : "Correct the file, or the column's declared type";
    return MakeError(std::move(info),
                     scanner_->input().path() + ":" + std::to_string(line) +
                         ": column '" + decoder.name + "' is " + ToString(decoder.type) +
                         (inferred ? ", as the first 16 MiB say, but '" : ", but '") +
                         shown + "' is not");
  }

  std::unique_ptr<RecordScanner> scanner_;
  int64_t batch_rows_;
  int64_t batch_bytes_;
  std::vector<ColumnDecoder> decoders_;
  std::shared_ptr<arrow::Schema> schema_;
  CellBlock block_;
  std::vector<BadRecord> bad_;
};

/// Adds one block's cells to what is known of each column.
void Learn(const CellBlock& block, bool json, char quote,
           std::vector<TextInference>* columns) {
  columns->resize(std::max(columns->size(), static_cast<size_t>(block.columns)));
  std::string scratch;
  for (int64_t row = 0; row < block.rows; ++row) {
    for (int i = 0; i < block.columns; ++i) {
      const Cell& cell = block.at(row, i);
      TextInference& column = (*columns)[static_cast<size_t>(i)];
      std::string_view text = block.Text(cell);
      if (cell.kind == Cell::kEscaped) {
        scratch.clear();
        if (json) {
          AppendUnescapedJson(text, &scratch);
        } else {
          AppendUnescapedQuotes(text, quote, &scratch);
        }
        text = scratch;
      }
      switch (cell.kind) {
        case Cell::kNull:
          break;
        case Cell::kNested:
          column.AddJsonNested();
          break;
        case Cell::kPlain:
          if (!json) {
            column.Add(text);
          } else if (text == "true" || text == "false") {
            column.AddJsonTruth();
          } else {
            column.AddJsonNumber(text);
          }
          break;
        default:
          json ? column.AddJsonString(text) : column.Add(text);
      }
    }
  }
}

}  // namespace

arrow::Result<std::unique_ptr<FileReader>> MakeTextReader(Store& store,
                                                          const FileRead& read) {
  ARROW_ASSIGN_OR_RAISE(auto scanner,
                        OpenScanner(store, read.path, read.options, NamesOf(read.schema),
                                    /*discover=*/false, read.tells_bad_records));
  if (!IsJsonFormat(read.options.format)) {
    ARROW_RETURN_NOT_OK(
        CheckHeader(store.Show(read.path), scanner->names(), NamesOf(read.schema)));
  }
  return std::unique_ptr<FileReader>(
      std::make_unique<TextReader>(std::move(scanner), read));
}

arrow::Result<std::unique_ptr<FileReader>> MakeFileReader(Store& store,
                                                          const FileRead& read) {
  return read.options.format == Format::kParquet ? MakeParquetReader(store, read)
                                                 : MakeTextReader(store, read);
}

arrow::Result<StreamSchema> InferTextSchema(Store& store,
                                            const std::vector<std::string>& paths,
                                            const FormatOptions& options,
                                            int64_t sample_bytes, bool tolerant) {
  const bool json = IsJsonFormat(options.format);
  std::vector<TextInference> columns;
  std::vector<std::string> names;
  int64_t left = sample_bytes;
  for (const auto& path : paths) {
    ARROW_ASSIGN_OR_RAISE(auto scanner, OpenScanner(store, path, options, names,
                                                    /*discover=*/true, tolerant));
    if (!json && !names.empty()) {
      ARROW_RETURN_NOT_OK(CheckHeader(store.Show(path), scanner->names(), names));
    }
    CellBlock block;
    while (left > 0) {
      const int64_t take = std::min<int64_t>(left, 256 << 10);
      ARROW_RETURN_NOT_OK(scanner->Scan(INT32_MAX, take, &block));
      if (block.rows == 0 && scanner->TakeBad().empty()) break;
      Learn(block, json, options.quote, &columns);
      left -= take;
    }
    if (names.empty() || json) names = scanner->names();
    if (left <= 0) break;
  }
  columns.resize(names.size());
  StreamSchema schema;
  for (size_t i = 0; i < names.size(); ++i) {
    Field field;
    field.name = names[i];
    if (const FieldType* declared = options.DeclaredType(names[i])) {
      field.type = *declared;
    } else if (!options.IsStringColumn(names[i])) {
      field.type = columns[i].Type();
    }
    schema.fields.push_back(std::move(field));
  }
  // Keys of JSON that are declared may first come later.
  for (const auto& [name, type] : options.columns) {
    if (json && !schema.Find(name)) schema.fields.push_back({name, type, true, {}});
  }
  return schema;
}

}  // namespace dxt::file
