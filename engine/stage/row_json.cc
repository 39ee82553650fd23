#include "engine/stage/row_json.h"

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include "base/error.h"
#include "connectors/sdk/value_text.h"
#include "engine/plan/convert.h"
#include "engine/plan/convert_json.h"
#include "engine/stage/manifest.h"

namespace dxt {
namespace {

constexpr char kBytesKey[] = "$base64";

ConversionOptions AsRowText() {
  ConversionOptions options;
  options.text_buffer = true;
  return options;
}

bool TravelsAsText(const FieldType& type) {
  return ArrowType(type)->id() == arrow::Type::STRING;
}

bool StandsBare(const FieldType& type) {
  return type.dtype <= DType::kFloat64 || type.dtype == DType::kBool ||
         (type.dtype == DType::kArray && type.element);
}

arrow::Status Unreadable() {
  return MakeError(ErrorClass::kData, "dlq.unreadable",
                   "The stored row of a dead letter is not what dxt wrote",
                   "dxtctl dlq show prints it, dxtctl dlq drop gives it up");
}

/// Rows of one schema, read one after the other.
class RowsReader {
 public:
  explicit RowsReader(const StreamSchema& schema)
      : schema_(schema), builders_(schema.fields.size()) {}

  arrow::Status Add(std::string_view row) {
    if (!scanner_.List(row, JsonKind::kObject, &items_)) return Unreadable();
    if (items_.size() != builders_.size()) return Unreadable();
    for (size_t i = 0; i < items_.size(); ++i) {
      std::string key;
      AppendJsonString(schema_.fields[i].name, &key);
      if (items_[i].key != std::string_view(key).substr(1, key.size() - 2)) {
        return Unreadable();
      }
      ARROW_RETURN_NOT_OK(AddValue(items_[i], &builders_[i]));
    }
    ++rows_;
    return arrow::Status::OK();
  }

  arrow::Result<std::shared_ptr<arrow::RecordBatch>> Finish() {
    arrow::ArrayVector columns;
    for (size_t i = 0; i < builders_.size(); ++i) {
      const Field& field = schema_.fields[i];
      ARROW_ASSIGN_OR_RAISE(auto text, builders_[i].Finish());
      if (!TravelsAsText(field.type)) {
        Field from = field;
        from.type = FieldType{};
        ARROW_ASSIGN_OR_RAISE(auto conversion,
                              Conversion::Make(from, field.type, AsRowText()));
        ARROW_ASSIGN_OR_RAISE(text, conversion->Apply(text));
      }
      columns.push_back(std::move(text));
    }
    return arrow::RecordBatch::Make(ArrowSchema(schema_), rows_, std::move(columns));
  }

 private:
  arrow::Status AddValue(const JsonItem& item, arrow::StringBuilder* builder) {
    switch (item.kind) {
      case JsonKind::kNull:
        return builder->AppendNull();
      case JsonKind::kString: {
        std::string text;
        if (!AppendUnescaped(Inside(item.raw), &text)) return Unreadable();
        return builder->Append(text);
      }
      case JsonKind::kObject: {
        std::vector<JsonItem> inner;
        if (!scanner_.List(item.raw, JsonKind::kObject, &inner)) return Unreadable();
        if (inner.size() != 1 || inner[0].key != kBytesKey ||
            inner[0].kind != JsonKind::kString) {
          return Unreadable();
        }
        const auto bytes = ParseBase64(Inside(inner[0].raw));
        return bytes ? builder->Append(*bytes) : Unreadable();
      }
      default:
        return builder->Append(item.raw);
    }
  }

  static std::string_view Inside(std::string_view quoted) {
    return quoted.substr(1, quoted.size() - 2);
  }

  const StreamSchema& schema_;
  std::vector<arrow::StringBuilder> builders_;
  JsonScanner scanner_;
  std::vector<JsonItem> items_;
  int64_t rows_ = 0;
};

}  // namespace

RowJsonWriter::RowJsonWriter(const StreamSchema& schema) : schema_(schema) {}
RowJsonWriter::~RowJsonWriter() = default;

arrow::Result<std::unique_ptr<RowJsonWriter>> RowJsonWriter::Make(
    const StreamSchema& schema) {
  std::unique_ptr<RowJsonWriter> writer(new RowJsonWriter(schema));
  ARROW_ASSIGN_OR_RAISE(writer->schema_text_, SchemaToText(schema));
  for (const auto& field : schema.fields) {
    writer->conversions_.emplace_back();
    if (TravelsAsText(field.type)) continue;
    ARROW_ASSIGN_OR_RAISE(writer->conversions_.back(),
                          Conversion::Make(field, FieldType{}, AsRowText()));
  }
  return writer;
}

arrow::Result<std::string> RowJsonWriter::Write(const arrow::ArrayVector& columns,
                                                int64_t row) const {
  std::string out = "{";
  for (size_t i = 0; i < schema_.fields.size(); ++i) {
    if (i > 0) out += ',';
    if (!AppendJsonString(schema_.fields[i].name, &out)) return Unreadable();
    out += ':';
    if (columns[i]->IsNull(row)) {
      out += "null";
      continue;
    }
    auto value = columns[i]->Slice(row, 1);
    if (conversions_[i]) {
      ARROW_ASSIGN_OR_RAISE(value, conversions_[i]->Apply(value));
    }
    const auto text = static_cast<const arrow::StringArray&>(*value).GetView(0);
    // NaN and the infinities are the only numbers that JSON has no form for.
    const bool special = text.ends_with('N') || text.ends_with('y');
    if (StandsBare(schema_.fields[i].type) && !special) {
      out += text;
    } else if (!AppendJsonString(text, &out)) {
      out += std::string("{\"") + kBytesKey + "\":\"";
      AppendBase64(text, &out);
      out += "\"}";
    }
  }
  return out + "}";
}

arrow::Result<StreamSchema> ReadRowSchema(const std::string& schema_text) {
  auto schema = SchemaFromText(schema_text);
  if (!schema) return Unreadable();
  return std::move(*schema);
}

arrow::Result<std::shared_ptr<arrow::RecordBatch>> ReadRows(
    const StreamSchema& schema, std::span<const std::string> rows) {
  RowsReader reader(schema);
  for (const auto& row : rows) ARROW_RETURN_NOT_OK(reader.Add(row));
  return reader.Finish();
}

}  // namespace dxt
