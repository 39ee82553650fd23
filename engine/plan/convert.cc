#include "engine/plan/convert.h"

#include <utility>

#include <arrow/array.h>
#include <arrow/type.h>

#include "base/error.h"
#include "engine/plan/convert_kernels.h"
#include "engine/plan/exactness.h"

namespace dxt {
namespace convert {
namespace {

/// Values in messages are cut at this many bytes, at a character's boundary.
constexpr size_t kShown = 80;

std::string Shown(std::string text) {
  if (text.size() <= kShown) return text;
  size_t end = kShown;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  text.resize(end);
  return text + "…";
}

std::string_view CodeOf(Fault fault) {
  switch (fault) {
    case Fault::kNone:
      break;
    case Fault::kOutOfRange:
      return "value.out_of_range";
    case Fault::kInexact:
      return "value.inexact";
    case Fault::kInvalidText:
      return "value.invalid_text";
    case Fault::kSpecialFloat:
      return "value.special_float";
    case Fault::kInfinity:
      return "value.infinity";
  }
  return "value.invalid_text";
}

std::string_view ProblemOf(Fault fault) {
  switch (fault) {
    case Fault::kNone:
      break;
    case Fault::kOutOfRange:
      return "is out of the range of ";
    case Fault::kInexact:
      return "cannot be kept exactly as ";
    case Fault::kInvalidText:
      return "is not a value of ";
    case Fault::kSpecialFloat:
      return "does not fit ";
    case Fault::kInfinity:
      return "does not fit ";
  }
  return "does not fit ";
}

class KernelConversion : public Conversion {
 public:
  KernelConversion(Context context, Kernel kernel)
      : context_(std::move(context)),
        kernel_(std::move(kernel)),
        arriving_(ArrowType(context_.from)) {}

  bool identity() const override { return !kernel_; }

  ArrayResult Apply(const std::shared_ptr<arrow::Array>& array,
                    int64_t* bad_row) const override {
    if (!array->type()->Equals(*arriving_)) {
      return MakeError(ErrorClass::kInternal, "convert.wrong_array",
                       "Column '" + context_.column + "' arrived as " +
                           array->type()->ToString() + " instead of " +
                           arriving_->ToString());
    }
    if (!kernel_) return array;
    return kernel_(context_, array, bad_row);
  }

 private:
  const Context context_;
  const Kernel kernel_;
  const std::shared_ptr<arrow::DataType> arriving_;
};

/// The pairs whose array is its own result.
bool IsIdentity(const FieldType& from, const FieldType& to) {
  if (from == to) return true;
  if (!ArrowType(from)->Equals(*ArrowType(to))) return false;
  if (ArrowType(from)->id() != arrow::Type::STRING) return false;
  if (to.dtype == DType::kString) return true;
  // Arrays and objects are JSON; the other way round the text must be looked at.
  return to.dtype == DType::kJson &&
         (from.dtype == DType::kArray || from.dtype == DType::kObject);
}

arrow::Result<Kernel> FindKernel(const Context& context) {
  ARROW_ASSIGN_OR_RAISE(auto nested, NestedKernel(context));
  if (nested) return nested;
  for (const auto find :
       {NumberKernel, DecimalKernel, TimeKernel, TextKernel, ParseKernel}) {
    if (auto kernel = find(context.from, context.to)) return kernel;
  }
  return nullptr;
}

}  // namespace

arrow::Status Context::Fail(Fault fault, const arrow::Array& array, int64_t row,
                            int64_t* bad_row) const {
  if (bad_row) *bad_row = row;
  std::string text;
  AppendValue(array, row, from, false, &text);
  ErrorInfo info;
  info.error_class = ErrorClass::kData;
  info.code = CodeOf(fault);
  info.column = column;
  info.hint =
      "Correct the value at the source, give the field or its target a type that holds "
      "it, or choose what becomes of such values with load.values";
  return MakeError(std::move(info), "Column '" + column + "': the value '" +
                                        Shown(std::move(text)) + "' " +
                                        std::string(ProblemOf(fault)) + ToString(to));
}

}  // namespace convert

arrow::Result<std::unique_ptr<Conversion>> Conversion::Make(
    const Field& from, const FieldType& to, const ConversionOptions& options) {
  convert::Context context{from.name, from.type, to, options};
  ARROW_RETURN_NOT_OK(convert::CheckZone(options.timezone));
  if (convert::IsIdentity(from.type, to)) {
    return std::make_unique<convert::KernelConversion>(std::move(context), nullptr);
  }
  std::string reason;
  const bool buffer_text = options.text_buffer && (from.type.dtype == DType::kBinary ||
                                                   to.dtype == DType::kBinary);
  convert::Kernel kernel;
  if (buffer_text ||
      ClassifyCast(from, to, options.timezone, &reason) != Exactness::kRefused) {
    ARROW_ASSIGN_OR_RAISE(kernel, convert::FindKernel(context));
  }
  if (!kernel) {
    ErrorInfo info;
    info.error_class = ErrorClass::kUnsupported;
    info.code = "type.no_conversion";
    info.column = from.name;
    return MakeError(std::move(info), "Column '" + from.name + "' of type " +
                                          ToString(from.type) + " cannot become " +
                                          ToString(to) +
                                          (reason.empty() ? "" : ": " + reason));
  }
  return std::make_unique<convert::KernelConversion>(std::move(context),
                                                     std::move(kernel));
}

}  // namespace dxt
