#include <cmath>
#include <vector>

#include <arrow/builder.h>
#include <arrow/type.h>

#include "engine/plan/convert_json.h"
#include "engine/plan/convert_loops.h"

namespace dxt::convert {
namespace {

bool IsJsonText(const FieldType& type) {
  return type.dtype == DType::kJson || type.dtype == DType::kObject ||
         (type.dtype == DType::kArray && !type.element);
}

bool IsTypedArray(const FieldType& type) {
  return type.dtype == DType::kArray && type.element != nullptr;
}

/// JSON text whose outermost value has to be of one kind, or any.
Kernel CheckJson(bool any, JsonKind wanted) {
  return [=](const Context& context, const std::shared_ptr<arrow::Array>& array,
             int64_t* bad_row) -> ArrayResult {
    const auto& texts = static_cast<const arrow::StringArray&>(*array);
    JsonScanner scanner;
    for (int64_t i = 0; i < array->length(); ++i) {
      if (array->IsNull(i)) continue;
      const JsonFacts facts = scanner.Scan(texts.GetView(i), false);
      if (!facts.valid || (!any && facts.kind != wanted)) {
        return context.Fail(Fault::kInvalidText, *array, i, bad_row);
      }
    }
    return array;
  };
}

bool HasSpecialFloat(const arrow::Array& values, int64_t from, int64_t to) {
  if (values.type_id() == arrow::Type::LIST) {
    const auto& list = static_cast<const arrow::ListArray&>(values);
    return HasSpecialFloat(*list.values(), list.value_offset(from),
                           list.value_offset(to));
  }
  for (int64_t i = from; i < to; ++i) {
    if (values.IsNull(i)) continue;
    if (values.type_id() == arrow::Type::DOUBLE &&
        !std::isfinite(static_cast<const arrow::DoubleArray&>(values).Value(i))) {
      return true;
    }
    if (values.type_id() == arrow::Type::FLOAT &&
        !std::isfinite(static_cast<const arrow::FloatArray&>(values).Value(i))) {
      return true;
    }
  }
  return false;
}

ArrayResult ListToJson(const Context& context, const std::shared_ptr<arrow::Array>& array,
                       int64_t* bad_row) {
  arrow::StringBuilder builder;
  ARROW_RETURN_NOT_OK(builder.Reserve(array->length()));
  const auto& list = static_cast<const arrow::ListArray&>(*array);
  // As text, an array may show NaN; as JSON it may not.
  const bool strict = context.to.dtype != DType::kString && !context.options.text_buffer;
  std::string text;
  for (int64_t i = 0; i < array->length(); ++i) {
    if (array->IsNull(i)) {
      builder.UnsafeAppendNull();
      continue;
    }
    if (strict &&
        HasSpecialFloat(*list.values(), list.value_offset(i), list.value_offset(i + 1))) {
      return context.Fail(Fault::kSpecialFloat, *array, i, bad_row);
    }
    text.clear();
    if (!AppendValue(*array, i, context.from, true, &text)) {
      return context.Fail(Fault::kInvalidText, *array, i, bad_row);
    }
    ARROW_RETURN_NOT_OK(builder.Append(text));
  }
  return builder.Finish();
}

/// Which list row an element belongs to.
int64_t RowOf(const int32_t* offsets, int64_t rows, int64_t element) {
  for (int64_t row = 0; row < rows; ++row) {
    if (element < offsets[row + 1]) return row;
  }
  return rows - 1;
}

ArrayResult MakeList(const Context& context, const arrow::Array& source,
                     std::shared_ptr<arrow::Buffer> offsets,
                     const std::shared_ptr<arrow::Array>& values,
                     const Conversion& element, int64_t* bad_row) {
  int64_t bad_element = 0;
  auto converted = element.Apply(values, &bad_element);
  if (!converted.ok()) {
    if (bad_row) {
      *bad_row = RowOf(reinterpret_cast<const int32_t*>(offsets->data()), source.length(),
                       bad_element);
    }
    return converted.status();
  }
  ARROW_ASSIGN_OR_RAISE(auto validity, Validity(source));
  return std::make_shared<arrow::ListArray>(ArrowType(context.to), source.length(),
                                            std::move(offsets), *converted,
                                            std::move(validity), source.null_count());
}

/// Element by element; `element` is shared by copies of the kernel.
Kernel ListToList(std::shared_ptr<const Conversion> element) {
  return [element](const Context& context, const std::shared_ptr<arrow::Array>& array,
                   int64_t* bad_row) -> ArrayResult {
    const auto& list = static_cast<const arrow::ListArray&>(*array);
    const int64_t rows = array->length();
    ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::Buffer> offsets,
                          arrow::AllocateBuffer((rows + 1) * sizeof(int32_t)));
    auto* out = reinterpret_cast<int32_t*>(offsets->mutable_data());
    const int32_t first = list.value_offset(0);
    for (int64_t i = 0; i <= rows; ++i) out[i] = list.value_offset(i) - first;
    return MakeList(context, *array, std::move(offsets),
                    list.values()->Slice(first, out[rows]), *element, bad_row);
  };
}

Kernel JsonToList(std::shared_ptr<const Conversion> element, bool nested) {
  return [=](const Context& context, const std::shared_ptr<arrow::Array>& array,
             int64_t* bad_row) -> ArrayResult {
    const auto& texts = static_cast<const arrow::StringArray&>(*array);
    arrow::StringBuilder values;
    arrow::TypedBufferBuilder<int32_t> offsets;
    ARROW_RETURN_NOT_OK(offsets.Append(0));
    JsonScanner scanner;
    std::vector<JsonItem> items;
    std::string text;
    for (int64_t i = 0; i < array->length(); ++i) {
      if (!array->IsNull(i)) {
        if (!scanner.List(texts.GetView(i), JsonKind::kArray, &items)) {
          return context.Fail(Fault::kInvalidText, *array, i, bad_row);
        }
        for (const auto& item : items) {
          if (item.kind == JsonKind::kNull) {
            ARROW_RETURN_NOT_OK(values.AppendNull());
          } else if (item.kind == JsonKind::kString && !nested) {
            text.clear();
            if (!AppendUnescaped(item.raw.substr(1, item.raw.size() - 2), &text)) {
              return context.Fail(Fault::kInvalidText, *array, i, bad_row);
            }
            ARROW_RETURN_NOT_OK(values.Append(text));
          } else {
            ARROW_RETURN_NOT_OK(values.Append(item.raw));
          }
        }
      }
      ARROW_RETURN_NOT_OK(offsets.Append(static_cast<int32_t>(values.length())));
    }
    ARROW_ASSIGN_OR_RAISE(auto elements, values.Finish());
    ARROW_ASSIGN_OR_RAISE(auto ends, offsets.Finish());
    return MakeList(context, *array, std::move(ends), elements, *element, bad_row);
  };
}

}  // namespace

arrow::Result<Kernel> NestedKernel(const Context& context) {
  const FieldType &from = context.from, &to = context.to;
  if (IsTypedArray(from)) {
    if (IsTypedArray(to)) {
      Field element{context.column, *from.element, true, {}};
      ARROW_ASSIGN_OR_RAISE(auto conversion,
                            Conversion::Make(element, *to.element, context.options));
      return ListToList(std::move(conversion));
    }
    if (IsJsonText(to) || to.dtype == DType::kString) return ListToJson;
    return nullptr;
  }
  const bool text = from.dtype == DType::kString || IsJsonText(from);
  if (!text) return nullptr;
  if (IsTypedArray(to)) {
    // The elements of an inner array stay JSON text until its own conversion.
    const bool nested = IsTypedArray(*to.element);
    Field element{context.column, {}, true, {}};
    element.type.dtype = nested ? DType::kJson : DType::kString;
    ARROW_ASSIGN_OR_RAISE(auto conversion,
                          Conversion::Make(element, *to.element, context.options));
    return JsonToList(std::move(conversion), nested);
  }
  if (!IsJsonText(to)) return nullptr;
  if (to.dtype == DType::kJson) {
    return from.dtype == DType::kString ? CheckJson(true, JsonKind::kNull) : nullptr;
  }
  return CheckJson(false,
                   to.dtype == DType::kArray ? JsonKind::kArray : JsonKind::kObject);
}

}  // namespace dxt::convert
