#include <charconv>
#include <cmath>
#include <cstring>

#include <arrow/array.h>
#include <arrow/buffer.h>
#include <arrow/io/compressed.h>
#include <arrow/io/interfaces.h>
#include <arrow/record_batch.h>
#include <arrow/scalar.h>
#include <arrow/type.h>
#include <arrow/util/compression.h>
#include <simdjson.h>

#include "base/error.h"
#include "connectors/file/file_writer.h"
#include "connectors/file/json_text.h"
#include "connectors/file/text_value.h"
#include "connectors/sdk/value_text.h"

namespace dxt::file {
namespace {

constexpr size_t kFlushBytes = 256 << 10;
constexpr int64_t kCopyBytes = 1 << 20;

struct Style {
  bool json = false;
  bool decimal_number = false;
  char delimiter = ',';
  char quote = '"';
  std::vector<std::string> null_values;
};

/// Appends the values of one column.
class CellEncoder {
 public:
  virtual ~CellEncoder() = default;
  /// Looks at the column's array of the next batch.
  virtual arrow::Status Bind(const arrow::Array& array) = 0;
  /// False when the value at `row`, which is not NULL, cannot be written.
  virtual bool Append(int64_t row, std::string* out) = 0;
};

template <typename Array, typename Put>
class SimpleEncoder final : public CellEncoder {
 public:
  explicit SimpleEncoder(Put put) : put_(std::move(put)) {}
  arrow::Status Bind(const arrow::Array& array) override {
    array_ = static_cast<const Array*>(&array);
    return arrow::Status::OK();
  }
  bool Append(int64_t row, std::string* out) override { return put_(*array_, row, out); }

 private:
  Put put_;
  const Array* array_ = nullptr;
};

template <typename Array, typename Put>
std::unique_ptr<CellEncoder> Simple(Put put) {
  return std::make_unique<SimpleEncoder<Array, Put>>(std::move(put));
}

template <typename Array>
std::unique_ptr<CellEncoder> Integers() {
  return Simple<Array>([](const Array& array, int64_t row, std::string* out) {
    char text[24];
    const auto end = std::to_chars(text, text + sizeof(text), array.Value(row)).ptr;
    out->append(text, static_cast<size_t>(end - text));
    return true;
  });
}

template <typename Array>
std::unique_ptr<CellEncoder> Floats(bool json) {
  return Simple<Array>([json](const Array& array, int64_t row, std::string* out) {
    const auto value = array.Value(row);
    if (json && !std::isfinite(value)) return false;
    AppendFloat(value, out);
    return true;
  });
}

/// True when a cell must be quoted to be read back as the same text.
class QuoteRule {
 public:
  explicit QuoteRule(const Style& style) : null_values_(style.null_values) {
    for (const char c : {style.delimiter, style.quote, '\n', '\r'}) {
      special_[static_cast<unsigned char>(c)] = true;
    }
  }
  bool Needs(std::string_view text) const {
    if (text.empty()) return true;
    bool found = false;
    for (const char c : text) found |= special_[static_cast<unsigned char>(c)];
    if (found) return true;
    for (const auto& value : null_values_) {
      if (text == value) return true;
    }
    return false;
  }

 private:
  bool special_[256] = {};
  std::vector<std::string> null_values_;
};

void AppendQuoted(std::string_view text, char quote, std::string* out) {
  out->push_back(quote);
  size_t from = 0;
  for (size_t at = text.find(quote); at != std::string_view::npos;
       at = text.find(quote, from)) {
    out->append(text.substr(from, at + 1 - from));
    out->push_back(quote);
    from = at + 1;
  }
  out->append(text.substr(from));
  out->push_back(quote);
}

class TextEncoder final : public CellEncoder {
 public:
  TextEncoder(const Style& style, DType dtype)
      : style_(style), rule_(style), dtype_(dtype) {}

  arrow::Status Bind(const arrow::Array& array) override {
    array_ = static_cast<const arrow::StringArray*>(&array);
    const int64_t size = array_->total_values_length();
    if (size == 0) return arrow::Status::OK();
    const char* data = reinterpret_cast<const char*>(array_->value_data()->data()) +
                       array_->value_offset(0);
    if (simdjson::validate_utf8(data, static_cast<size_t>(size)))
      return arrow::Status::OK();
    return MakeError(ErrorClass::kData, "file.invalid_utf8",
                     "holds bytes that are not UTF-8");
  }

  bool Append(int64_t row, std::string* out) override {
    const std::string_view text = array_->GetView(row);
    if (style_.json) return AppendJsonValue(text, out);
    if (style_.quote == '\0') {
      if (rule_.Needs(text)) return false;
      out->append(text);
    } else if (rule_.Needs(text)) {
      AppendQuoted(text, style_.quote, out);
    } else {
      out->append(text);
    }
    return true;
  }

 private:
  bool AppendJsonValue(std::string_view text, std::string* out) const {
    if (dtype_ == DType::kString ||
        (dtype_ == DType::kDecimal && !style_.decimal_number)) {
      return AppendJsonString(text, out);
    }
    if (!IsJson(text)) return false;
    // A line end between tokens is a blank as well, and a record stays on its line.
    const size_t from = out->size();
    out->append(text);
    for (size_t i = from; i < out->size(); ++i) {
      if ((*out)[i] == '\n' || (*out)[i] == '\r') (*out)[i] = ' ';
    }
    return true;
  }

  const Style& style_;
  QuoteRule rule_;
  DType dtype_;
  const arrow::StringArray* array_ = nullptr;
};

/// Lists and whatever else has no encoder of its own: JSON text, quoted in CSV.
class NestedEncoder final : public CellEncoder {
 public:
  explicit NestedEncoder(const Style& style) : style_(style) {}
  arrow::Status Bind(const arrow::Array& array) override {
    array_ = &array;
    return arrow::Status::OK();
  }
  bool Append(int64_t row, std::string* out) override {
    text_.clear();
    const JsonStyle style{style_.decimal_number || !style_.json};
    if (!AppendJson(*array_, row, style, &text_).ok()) return false;
    style_.json ? void(out->append(text_)) : AppendQuoted(text_, style_.quote, out);
    return style_.json || style_.quote != '\0';
  }

 private:
  const Style& style_;
  std::string text_;
  const arrow::Array* array_ = nullptr;
};

std::unique_ptr<CellEncoder> DecimalEncoder(const FieldType& type, const Style& style) {
  const bool quoted = style.json && !style.decimal_number;
  const int words = type.precision <= 38 ? 2 : 4;
  return Simple<arrow::FixedSizeBinaryArray>(
      [quoted, words, scale = type.scale](const arrow::FixedSizeBinaryArray& array,
                                          int64_t row, std::string* out) {
        uint64_t value[4];
        std::memcpy(value, array.Value(row), static_cast<size_t>(words) * 8);
        if (quoted) out->push_back('"');
        AppendDecimal(value, words, scale, out);
        if (quoted) out->push_back('"');
        return true;
      });
}

std::unique_ptr<CellEncoder> MakeEncoder(const FieldType& type, const Style& style) {
  const bool json = style.json;
  // What JSON writes in quotes.
  const auto quoted = [json](std::string* out, auto append) {
    if (json) out->push_back('"');
    if (!append()) return false;
    if (json) out->push_back('"');
    return true;
  };
  switch (type.dtype) {
    case DType::kInt8:
      return Integers<arrow::Int8Array>();
    case DType::kInt16:
      return Integers<arrow::Int16Array>();
    case DType::kInt32:
      return Integers<arrow::Int32Array>();
    case DType::kInt64:
      return Integers<arrow::Int64Array>();
    case DType::kUint8:
      return Integers<arrow::UInt8Array>();
    case DType::kUint16:
      return Integers<arrow::UInt16Array>();
    case DType::kUint32:
      return Integers<arrow::UInt32Array>();
    case DType::kUint64:
      return Integers<arrow::UInt64Array>();
    case DType::kFloat32:
      return Floats<arrow::FloatArray>(json);
    case DType::kFloat64:
      return Floats<arrow::DoubleArray>(json);
    case DType::kDecimal:
      if (type.precision > 0) return DecimalEncoder(type, style);
      return std::make_unique<TextEncoder>(style, type.dtype);
    case DType::kBool:
      return Simple<arrow::BooleanArray>(
          [](const arrow::BooleanArray& array, int64_t row, std::string* out) {
            out->append(array.Value(row) ? "true" : "false");
            return true;
          });
    case DType::kDate:
      return Simple<arrow::Date32Array>(
          [quoted](const arrow::Date32Array& array, int64_t row, std::string* out) {
            return quoted(out, [&] { return AppendIsoDate(array.Value(row), out); });
          });
    case DType::kTime:
      return Simple<arrow::Time64Array>(
          [quoted](const arrow::Time64Array& array, int64_t row, std::string* out) {
            return quoted(out, [&] {
              AppendTime(array.Value(row), out);
              return true;
            });
          });
    case DType::kTimestamp:
    case DType::kTimestampTz:
      return Simple<arrow::TimestampArray>(
          [quoted, nanos = type.nanoseconds, zoned = type.dtype == DType::kTimestampTz](
              const arrow::TimestampArray& array, int64_t row, std::string* out) {
            return quoted(out, [&] {
              return AppendIsoTimestamp(array.Value(row), nanos, zoned, out);
            });
          });
    case DType::kBinary:
      return Simple<arrow::BinaryArray>(
          [quoted](const arrow::BinaryArray& array, int64_t row, std::string* out) {
            const std::string_view bytes = array.GetView(row);
            return quoted(out, [&] {
              AppendBase64(bytes, out);
              return true;
            });
          });
    case DType::kArray:
      if (type.element) return std::make_unique<NestedEncoder>(style);
      return std::make_unique<TextEncoder>(style, type.dtype);
    case DType::kString:
    case DType::kJson:
    case DType::kObject:
      return std::make_unique<TextEncoder>(style, type.dtype);
  }
  return std::make_unique<NestedEncoder>(style);
}

class TextWriter final : public FileWriter {
 public:
  TextWriter(std::shared_ptr<arrow::io::OutputStream> sink, const FormatOptions& options,
             const StreamSchema& schema)
      : sink_(std::move(sink)), format_(options.format) {
    style_.json = format_ == Format::kJson || format_ == Format::kJsonl;
    style_.decimal_number = options.decimal_number;
    style_.delimiter = options.delimiter;
    style_.quote = options.quote;
    style_.null_values = options.null_values;
    for (const auto& field : schema.fields) {
      names_.push_back(field.name);
      encoders_.push_back(MakeEncoder(field.type, style_));
      std::string key = keys_.empty() ? "{" : ",";
      AppendJsonString(field.name, &key);
      keys_.push_back(key + ":");
      binary_.push_back(field.type.dtype == DType::kBinary);
    }
  }

  arrow::Status Start(const FormatOptions& options, arrow::io::InputStream* old) {
    if (options.compression != Compression::kNone) {
      const auto type = options.compression == Compression::kGzip
                            ? arrow::Compression::GZIP
                            : arrow::Compression::ZSTD;
      ARROW_ASSIGN_OR_RAISE(codec_, arrow::util::Codec::Create(type));
      ARROW_ASSIGN_OR_RAISE(sink_,
                            arrow::io::CompressedOutputStream::Make(codec_.get(), sink_));
    }
    if (old) {
      ARROW_ASSIGN_OR_RAISE(const bool continued,
                            format_ == Format::kJson ? CopyArray(*old) : CopyLines(*old));
      if (continued) return arrow::Status::OK();
    }
    if (format_ == Format::kJson) buffer_ = "[";
    if (style_.json || !options.header) return arrow::Status::OK();
    const QuoteRule rule(style_);
    for (size_t i = 0; i < names_.size(); ++i) {
      if (i > 0) buffer_.push_back(style_.delimiter);
      if (rule.Needs(names_[i]) || names_[i].starts_with("\xef\xbb\xbf")) {
        AppendQuoted(names_[i], style_.quote, &buffer_);
      } else {
        buffer_ += names_[i];
      }
    }
    buffer_.push_back('\n');
    return arrow::Status::OK();
  }

  arrow::Status Write(const arrow::RecordBatch& batch) override {
    std::vector<std::shared_ptr<arrow::Array>> columns;
    for (size_t i = 0; i < encoders_.size(); ++i) {
      columns.push_back(batch.column(static_cast<int>(i)));
      const arrow::Status bound = encoders_[i]->Bind(*columns.back());
      if (!bound.ok()) return Prefix(Named(bound, i), "Column '" + names_[i] + "'");
    }
    for (int64_t row = 0; row < batch.num_rows(); ++row) {
      ARROW_RETURN_NOT_OK(style_.json ? JsonRow(columns, row) : CsvRow(columns, row));
      if (buffer_.size() >= kFlushBytes) ARROW_RETURN_NOT_OK(Flush());
    }
    return arrow::Status::OK();
  }

  arrow::Status Close() override {
    if (format_ == Format::kJson) buffer_ += has_elements_ ? "\n]\n" : "]\n";
    ARROW_RETURN_NOT_OK(Flush());
    return sink_->Close();
  }

  int64_t bytes() const override {
    return written_ + static_cast<int64_t>(buffer_.size());
  }

 private:
  arrow::Status Named(const arrow::Status& status, size_t column) const {
    ErrorInfo info;
    info.column = names_[column];
    return Annotate(status, info);
  }

  arrow::Status Unwritable(size_t column, const arrow::Array& array, int64_t row) const {
    ErrorInfo info;
    info.error_class = ErrorClass::kData;
    info.code = "file.value";
    info.column = names_[column];
    info.hint = "Leave such rows out, or write Parquet";
    const auto scalar = array.GetScalar(row);
    return MakeError(std::move(info),
                     "Column '" + names_[column] + "' holds " +
                         (scalar.ok() ? (*scalar)->ToString().substr(0, 60) : "a value") +
                         ", which " + std::string(FormatName(format_)) + " cannot hold");
  }

  /// Copies old lines and ends the last one; false when there was nothing.
  arrow::Result<bool> CopyLines(arrow::io::InputStream& old) {
    char last = '\0';
    for (;;) {
      ARROW_ASSIGN_OR_RAISE(const auto chunk, old.Read(kCopyBytes));
      if (chunk->size() == 0) break;
      last = static_cast<char>(chunk->data()[chunk->size() - 1]);
      ARROW_RETURN_NOT_OK(sink_->Write(chunk));
      written_ += chunk->size();
    }
    if (last != '\n' && written_ > 0) buffer_.push_back('\n');
    return written_ > 0;
  }

  /// Copies an old array up to its closing bracket.
  arrow::Result<bool> CopyArray(arrow::io::InputStream& old) {
    std::string
        held;  // The last bracket and the blanks behind it, while nothing follows.
    char before = '\0';
    for (;;) {
      ARROW_ASSIGN_OR_RAISE(const auto chunk, old.Read(kCopyBytes));
      if (chunk->size() == 0) break;
      held += chunk->ToString();
      const size_t end = held.find_last_not_of(" \t\r\n");
      if (end == std::string::npos) continue;
      const size_t keep = held[end] == ']' ? end : end + 1;
      const size_t inner =
          keep == 0 ? std::string::npos : held.find_last_not_of(" \t\r\n", keep - 1);
      if (inner != std::string::npos) before = held[inner];
      ARROW_RETURN_NOT_OK(sink_->Write(held.data(), static_cast<int64_t>(keep)));
      written_ += static_cast<int64_t>(keep);
      held.erase(0, keep);
    }
    if (held.empty() && written_ == 0) return false;
    if (held.empty() || held[0] != ']') {
      return MakeError(ErrorClass::kUnsupported, "file.not_an_array",
                       "The file holds no JSON array, so nothing can be appended to it",
                       "Use JSONL, or load.mode: replace");
    }
    has_elements_ = before != '[';
    return true;
  }

  arrow::Status CsvRow(const std::vector<std::shared_ptr<arrow::Array>>& columns,
                       int64_t row) {
    for (size_t i = 0; i < columns.size(); ++i) {
      if (i > 0) buffer_.push_back(style_.delimiter);
      if (columns[i]->IsNull(row)) continue;
      const size_t from = buffer_.size();
      if (!encoders_[i]->Append(row, &buffer_)) return Unwritable(i, *columns[i], row);
      // No bytes in base64 are no text: quoted, or they would be NULL.
      if (binary_[i] && buffer_.size() == from) buffer_.append(2, style_.quote);
    }
    buffer_.push_back('\n');
    return arrow::Status::OK();
  }

  arrow::Status JsonRow(const std::vector<std::shared_ptr<arrow::Array>>& columns,
                        int64_t row) {
    if (format_ == Format::kJson) buffer_ += has_elements_ ? ",\n" : "\n";
    has_elements_ = true;
    if (columns.empty()) buffer_.push_back('{');
    for (size_t i = 0; i < columns.size(); ++i) {
      buffer_ += keys_[i];
      if (columns[i]->IsNull(row)) {
        buffer_ += "null";
      } else if (!encoders_[i]->Append(row, &buffer_)) {
        return Unwritable(i, *columns[i], row);
      }
    }
    buffer_ += format_ == Format::kJson ? "}" : "}\n";
    return arrow::Status::OK();
  }

  arrow::Status Flush() {
    written_ += static_cast<int64_t>(buffer_.size());
    ARROW_RETURN_NOT_OK(
        sink_->Write(buffer_.data(), static_cast<int64_t>(buffer_.size())));
    buffer_.clear();
    return arrow::Status::OK();
  }

  // The codec must outlive the compressing sink.
  std::unique_ptr<arrow::util::Codec> codec_;
  std::shared_ptr<arrow::io::OutputStream> sink_;
  Format format_;
  Style style_;
  std::vector<std::string> names_;
  std::vector<std::string> keys_;
  std::vector<bool> binary_;
  std::vector<std::unique_ptr<CellEncoder>> encoders_;
  std::string buffer_;
  bool has_elements_ = false;
  int64_t written_ = 0;
};

}  // namespace

arrow::Result<std::unique_ptr<FileWriter>> MakeTextWriter(
    std::shared_ptr<arrow::io::OutputStream> sink, const FormatOptions& options,
    const StreamSchema& schema, arrow::io::InputStream* old) {
  auto writer = std::make_unique<TextWriter>(std::move(sink), options, schema);
  ARROW_RETURN_NOT_OK(writer->Start(options, old));
  return std::unique_ptr<FileWriter>(std::move(writer));
}

arrow::Result<std::unique_ptr<FileWriter>> MakeFileWriter(
    std::shared_ptr<arrow::io::OutputStream> sink, const FormatOptions& options,
    const StreamSchema& schema) {
  if (options.format == Format::kParquet) {
    return MakeParquetWriter(std::move(sink), options, schema);
  }
  return MakeTextWriter(std::move(sink), options, schema, nullptr);
}

}  // namespace dxt::file
