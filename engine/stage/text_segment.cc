#include <algorithm>
#include <cstring>

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/io/compressed.h>
#include <arrow/io/file.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <arrow/util/compression.h>

#include "base/error.h"
#include "connectors/sdk/value_text.h"
#include "engine/plan/convert.h"
#include "engine/plan/convert_json.h"
#include "engine/stage/segment.h"
#include "engine/stage/segment_file.h"

namespace dxt {
namespace {

constexpr size_t kBlock = 1 << 20;

ConversionOptions BufferText() {
  ConversionOptions options;
  options.text_buffer = true;
  return options;
}

FieldType TextType() { return FieldType{}; }

/// Types that travel as UTF-8 are written and read back byte for byte.
bool IsText(const FieldType& type) {
  return ArrowType(type)->id() == arrow::Type::STRING;
}

/// JSONL: values that stand without quotes.
bool IsBare(const FieldType& type) {
  return type.dtype <= DType::kFloat64 || type.dtype == DType::kBool ||
         (type.dtype == DType::kArray && type.element);
}

arrow::Compression::type CodecOf(const std::string& compression) {
  if (compression == "gzip") return arrow::Compression::GZIP;
  if (compression == "zstd") return arrow::Compression::ZSTD;
  return arrow::Compression::UNCOMPRESSED;
}

class TextWriter : public SegmentWriter {
 public:
  static arrow::Result<std::unique_ptr<TextWriter>> Make(
      const PackageSpec& spec, std::shared_ptr<SegmentFile> file) {
    std::unique_ptr<TextWriter> writer(new TextWriter(spec, std::move(file)));
    ARROW_RETURN_NOT_OK(writer->Begin());
    return writer;
  }

  arrow::Status Append(const arrow::RecordBatch& batch) override {
    arrow::ArrayVector texts;
    for (int i = 0; i < batch.num_columns(); ++i) {
      auto text = conversions_[i] ? conversions_[i]->Apply(batch.column(i))
                                  : arrow::Result(batch.column(i));
      ARROW_RETURN_NOT_OK(text);
      texts.push_back(*text);
    }
    for (int64_t row = 0; row < batch.num_rows(); ++row) {
      ARROW_RETURN_NOT_OK(jsonl_ ? AppendObject(texts, row) : AppendRecord(texts, row));
      if (pending_.size() >= kBlock) ARROW_RETURN_NOT_OK(Flush());
    }
    return arrow::Status::OK();
  }

  arrow::Status Close() override {
    ARROW_RETURN_NOT_OK(Flush());
    return out_->Close();
  }

  int64_t bytes() const override {
    return *file_->Tell() + static_cast<int64_t>(pending_.size());
  }

 private:
  TextWriter(const PackageSpec& spec, std::shared_ptr<SegmentFile> file)
      : jsonl_(spec.format == SegmentFormat::kJsonl),
        compression_(spec.compression),
        schema_(spec.schema),
        file_(std::move(file)) {}

  arrow::Status Begin() {
    out_ = file_;
    if (const auto type = CodecOf(compression_);
        type != arrow::Compression::UNCOMPRESSED) {
      ARROW_ASSIGN_OR_RAISE(codec_, arrow::util::Codec::Create(type));
      ARROW_ASSIGN_OR_RAISE(out_,
                            arrow::io::CompressedOutputStream::Make(codec_.get(), file_));
    }
    for (const auto& field : schema_.fields) {
      conversions_.emplace_back();
      if (!IsText(field.type)) {
        ARROW_ASSIGN_OR_RAISE(conversions_.back(),
                              Conversion::Make(field, TextType(), BufferText()));
      }
      keys_.emplace_back();
      if (!AppendJsonString(field.name, &keys_.back())) return InvalidUtf8(field);
      keys_.back() += ':';
      if (jsonl_) continue;
      if (keys_.size() > 1) pending_ += ',';
      AppendCell(field.name);
    }
    if (!jsonl_) pending_ += '\n';
    return arrow::Status::OK();
  }

  static arrow::Status InvalidUtf8(const Field& field) {
    ErrorInfo info;
    info.error_class = ErrorClass::kData;
    info.code = "value.invalid_utf8";
    info.column = field.name;
    info.hint = "Use buffer.format: parquet, or correct the value at the source";
    return MakeError(std::move(info), "Column '" + field.name +
                                          "' holds text that is not valid UTF-8, which a "
                                          "JSONL buffer cannot keep");
  }

  /// The empty string is quoted, NULL is not.
  void AppendCell(std::string_view text) {
    if (!text.empty() && text.find_first_of("\",\r\n") == std::string_view::npos) {
      pending_ += text;
      return;
    }
    pending_ += '"';
    for (size_t from = 0; from < text.size();) {
      const size_t quote = std::min(text.find('"', from), text.size());
      pending_ += text.substr(from, quote - from);
      if (quote < text.size()) pending_ += "\"\"";
      from = quote + 1;
    }
    pending_ += '"';
  }

  static std::string_view TextAt(const arrow::Array& array, int64_t row) {
    return static_cast<const arrow::StringArray&>(array).GetView(row);
  }

  arrow::Status AppendRecord(const arrow::ArrayVector& texts, int64_t row) {
    for (size_t i = 0; i < texts.size(); ++i) {
      if (i > 0) pending_ += ',';
      if (!texts[i]->IsNull(row)) AppendCell(TextAt(*texts[i], row));
    }
    pending_ += '\n';
    return arrow::Status::OK();
  }

  arrow::Status AppendObject(const arrow::ArrayVector& texts, int64_t row) {
    pending_ += '{';
    for (size_t i = 0; i < texts.size(); ++i) {
      if (i > 0) pending_ += ',';
      pending_ += keys_[i];
      if (texts[i]->IsNull(row)) {
        pending_ += "null";
        continue;
      }
      const auto text = TextAt(*texts[i], row);
      // NaN and the infinities are the only numbers that JSON has no form for.
      const bool special = text.ends_with('N') || text.ends_with('y');
      if (IsBare(schema_.fields[i].type) && !special) {
        pending_ += text;
      } else if (!AppendJsonString(text, &pending_)) {
        return InvalidUtf8(schema_.fields[i]);
      }
    }
    pending_ += "}\n";
    return arrow::Status::OK();
  }

  arrow::Status Flush() {
    ARROW_RETURN_NOT_OK(out_->Write(pending_));
    pending_.clear();
    return arrow::Status::OK();
  }

  const bool jsonl_;
  const std::string compression_;
  const StreamSchema schema_;
  const std::shared_ptr<SegmentFile> file_;
  std::unique_ptr<arrow::util::Codec> codec_;
  std::shared_ptr<arrow::io::OutputStream> out_;
  std::vector<std::unique_ptr<Conversion>> conversions_;  ///< Null where text is text.
  std::vector<std::string> keys_;                         ///< `"name":`
  std::string pending_;
};

arrow::Status Damaged(const char* what) { return arrow::Status::Invalid(what); }

/// Gives a text file's content block by block; what is not consumed stays.
class TextInput {
 public:
  explicit TextInput(std::shared_ptr<arrow::io::InputStream> in) : in_(std::move(in)) {}

  std::string_view rest() const { return std::string_view(text_).substr(at_); }
  void Consume(size_t bytes) { at_ += bytes; }
  /// Appends more to rest(); false at the end of the file. Reads at least as much again
  /// as is there, so that a long record is not scanned over and over.
  arrow::Result<bool> More() {
    text_.erase(0, at_);
    at_ = 0;
    const size_t have = text_.size(), want = std::max(kBlock, have);
    text_.resize(have + want);
    ARROW_ASSIGN_OR_RAISE(const int64_t got,
                          in_->Read(static_cast<int64_t>(want), text_.data() + have));
    text_.resize(have + static_cast<size_t>(got));
    return got > 0;
  }

 private:
  const std::shared_ptr<arrow::io::InputStream> in_;
  std::string text_;
  size_t at_ = 0;
};

class TextReader : public SegmentReader {
 public:
  static arrow::Result<std::unique_ptr<TextReader>> Make(
      const PackageSpec& spec, const std::filesystem::path& path, int64_t batch_rows) {
    std::unique_ptr<TextReader> reader(new TextReader(spec, batch_rows));
    ARROW_RETURN_NOT_OK(reader->Begin(spec.compression, path));
    return reader;
  }

  arrow::Result<std::shared_ptr<arrow::RecordBatch>> Next() override {
    int64_t rows = 0;
    size_t bytes = 0;
    for (; rows < batch_rows_ && bytes < 4 * kBlock; ++rows) {
      ARROW_ASSIGN_OR_RAISE(const size_t size, FindRecord());
      if (size == 0) break;
      const auto record = input_->rest().substr(0, size - 1);
      ARROW_RETURN_NOT_OK(jsonl_ ? ReadObject(record) : ReadRecord(record));
      input_->Consume(size);
      bytes += size;
    }
    if (rows == 0) return nullptr;
    arrow::ArrayVector columns;
    for (size_t i = 0; i < builders_.size(); ++i) {
      ARROW_ASSIGN_OR_RAISE(auto text, builders_[i].Finish());
      if (conversions_[i]) {
        ARROW_ASSIGN_OR_RAISE(text, conversions_[i]->Apply(text));
      }
      columns.push_back(std::move(text));
    }
    return arrow::RecordBatch::Make(arrow_schema_, rows, std::move(columns));
  }

 private:
  TextReader(const PackageSpec& spec, int64_t batch_rows)
      : jsonl_(spec.format == SegmentFormat::kJsonl),
        batch_rows_(std::max<int64_t>(batch_rows, 1)),
        schema_(spec.schema),
        arrow_schema_(ArrowSchema(spec.schema)),
        builders_(spec.schema.fields.size()) {}

  arrow::Status Begin(const std::string& compression, const std::filesystem::path& path) {
    std::shared_ptr<arrow::io::InputStream> in;
    ARROW_ASSIGN_OR_RAISE(in, arrow::io::ReadableFile::Open(path.string()));
    if (const auto type = CodecOf(compression);
        type != arrow::Compression::UNCOMPRESSED) {
      ARROW_ASSIGN_OR_RAISE(codec_, arrow::util::Codec::Create(type));
      ARROW_ASSIGN_OR_RAISE(in, arrow::io::CompressedInputStream::Make(codec_.get(), in));
    }
    input_.emplace(std::move(in));
    for (const auto& field : schema_.fields) {
      conversions_.emplace_back();
      if (!IsText(field.type)) {
        Field text = field;
        text.type = TextType();
        ARROW_ASSIGN_OR_RAISE(conversions_.back(),
                              Conversion::Make(text, field.type, BufferText()));
      }
      keys_.emplace_back();
      AppendJsonString(field.name, &keys_.back());
    }
    if (jsonl_) return arrow::Status::OK();
    ARROW_ASSIGN_OR_RAISE(const size_t header, FindRecord());
    if (header == 0) return Damaged("it has no header");
    input_->Consume(header);
    return arrow::Status::OK();
  }

  /// Size of the next record with its line break; 0 at the end of the file.
  arrow::Result<size_t> FindRecord() {
    size_t at = 0;
    bool quoted = false;
    while (true) {
      const auto text = input_->rest();
      for (; at < text.size(); ++at) {
        if (text[at] == '\n' && !quoted) return at + 1;
        if (text[at] == '"' && !jsonl_) quoted = !quoted;
      }
      ARROW_ASSIGN_OR_RAISE(const bool more, input_->More());
      if (more) continue;
      if (!input_->rest().empty()) return Damaged("its last record is cut off");
      return size_t{0};
    }
  }

  arrow::Status ReadRecord(std::string_view record) {
    size_t at = 0;
    for (size_t i = 0; i < builders_.size(); ++i) {
      if (i > 0) {
        if (at >= record.size() || record[at] != ',')
          return Damaged("a record is too short");
        ++at;
      }
      if (at < record.size() && record[at] == '"') {
        ARROW_ASSIGN_OR_RAISE(at, ReadQuoted(record, at + 1));
        ARROW_RETURN_NOT_OK(builders_[i].Append(cell_));
        continue;
      }
      const size_t end = std::min(record.find(',', at), record.size());
      ARROW_RETURN_NOT_OK(end == at ? builders_[i].AppendNull()
                                    : builders_[i].Append(record.substr(at, end - at)));
      at = end;
    }
    return at == record.size() ? arrow::Status::OK() : Damaged("a record is too long");
  }

  /// Fills cell_ with a quoted cell's value; returns where it ends.
  arrow::Result<size_t> ReadQuoted(std::string_view record, size_t at) {
    cell_.clear();
    while (true) {
      const size_t quote = record.find('"', at);
      if (quote == std::string_view::npos) return Damaged("a quote is not closed");
      cell_ += record.substr(at, quote - at);
      if (quote + 1 >= record.size() || record[quote + 1] != '"') return quote + 1;
      cell_ += '"';
      at = quote + 2;
    }
  }

  arrow::Status ReadObject(std::string_view record) {
    if (!scanner_.List(record, JsonKind::kObject, &items_)) {
      return Damaged("a line is no JSON object");
    }
    if (items_.size() != builders_.size()) return Damaged("a line has other keys");
    for (size_t i = 0; i < items_.size(); ++i) {
      const JsonItem& item = items_[i];
      const std::string_view key = keys_[i];
      if (item.key != key.substr(1, key.size() - 2))
        return Damaged("a line has other keys");
      if (item.kind == JsonKind::kNull) {
        ARROW_RETURN_NOT_OK(builders_[i].AppendNull());
      } else if (item.kind == JsonKind::kString) {
        cell_.clear();
        if (!AppendUnescaped(item.raw.substr(1, item.raw.size() - 2), &cell_)) {
          return Damaged("a string has a broken escape");
        }
        ARROW_RETURN_NOT_OK(builders_[i].Append(cell_));
      } else {
        ARROW_RETURN_NOT_OK(builders_[i].Append(item.raw));
      }
    }
    return arrow::Status::OK();
  }

  const bool jsonl_;
  const int64_t batch_rows_;
  const StreamSchema schema_;
  const std::shared_ptr<arrow::Schema> arrow_schema_;
  std::unique_ptr<arrow::util::Codec> codec_;
  std::optional<TextInput> input_;
  std::vector<arrow::StringBuilder> builders_;
  std::vector<std::unique_ptr<Conversion>> conversions_;  ///< Null where text is text.
  std::vector<std::string> keys_;                         ///< `"name"`
  JsonScanner scanner_;
  std::vector<JsonItem> items_;
  std::string cell_;
};

}  // namespace

arrow::Result<std::unique_ptr<SegmentWriter>> MakeTextWriter(
    const PackageSpec& spec, std::shared_ptr<SegmentFile> file) {
  return TextWriter::Make(spec, std::move(file));
}

arrow::Result<std::unique_ptr<SegmentReader>> MakeTextReader(
    const PackageSpec& spec, const std::filesystem::path& path, int64_t batch_rows) {
  return TextReader::Make(spec, path, batch_rows);
}

}  // namespace dxt
