#include "connectors/sqlite/collations.h"

#include <sqlite3.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "base/error.h"
#include "connectors/sdk/value_text.h"

namespace dxt::sqlite {
namespace {

int Sign(int64_t value) { return value < 0 ? -1 : value > 0 ? 1 : 0; }

/// -Infinity < numbers < Infinity < NaN < what is none of them.
int RankOf(std::string_view text, const std::optional<DecimalText>& number) {
  if (number) return 1;
  if (!IsSpecialDecimal(text)) return 4;
  if (text.front() == '-') return 0;
  return text.front() == 'n' || text.front() == 'N' ? 3 : 2;
}

int CompareMagnitudes(const DecimalText& a, const DecimalText& b) {
  const bool a_zero = a.digits == "0", b_zero = b.digits == "0";
  if (a_zero || b_zero) return static_cast<int>(b_zero) - static_cast<int>(a_zero);
  const int64_t a_whole = static_cast<int64_t>(a.digits.size()) - a.scale;
  const int64_t b_whole = static_cast<int64_t>(b.digits.size()) - b.scale;
  if (a_whole != b_whole) return Sign(a_whole - b_whole);
  const size_t size = std::max(a.digits.size(), b.digits.size());
  for (size_t i = 0; i < size; ++i) {
    const char left = i < a.digits.size() ? a.digits[i] : '0';
    const char right = i < b.digits.size() ? b.digits[i] : '0';
    if (left != right) return left < right ? -1 : 1;
  }
  return 0;
}

/// True for the two commonest forms, in which texts order like their instants.
bool IsPlain(std::string_view text) {
  if (text.size() == 19) return text[16] == ':';
  if (text.size() != 26 || text[19] != '.') return false;
  return std::all_of(text.begin() + 20, text.end(),
                     [](char c) { return c >= '0' && c <= '9'; });
}

template <int (*Compare)(std::string_view, std::string_view)>
int Collate(void*, int a_size, const void* a, int b_size, const void* b) {
  return Compare({static_cast<const char*>(a), static_cast<size_t>(a_size)},
                 {static_cast<const char*>(b), static_cast<size_t>(b_size)});
}

int CompareBytes(std::string_view a, std::string_view b) { return a.compare(b); }

}  // namespace

int CompareDecimals(std::string_view a, std::string_view b) {
  const auto left = ParseDecimalText(a), right = ParseDecimalText(b);
  const int left_rank = RankOf(a, left), right_rank = RankOf(b, right);
  if (left_rank != right_rank) return left_rank - right_rank;
  if (left_rank == 4) return a.compare(b);
  if (!left) return 0;
  const bool left_negative = left->negative && left->digits != "0";
  const bool right_negative = right->negative && right->digits != "0";
  if (left_negative != right_negative) return left_negative ? -1 : 1;
  const int order = CompareMagnitudes(*left, *right);
  return left_negative ? -order : order;
}

int CompareInstants(std::string_view a, std::string_view b) {
  if (a.size() == b.size() && IsPlain(a) && IsPlain(b) && a[10] == b[10])
    return a.compare(b);
  const auto left = ParseTimestamp(a, false, OffsetRule::kOptional);
  const auto right = ParseTimestamp(b, false, OffsetRule::kOptional);
  if (left && right) return *left < *right ? -1 : *left > *right ? 1 : 0;
  if (!left && !right) return a.compare(b);
  return left ? -1 : 1;
}

arrow::Status RegisterCollations(sqlite3* connection) {
  int code = sqlite3_create_collation_v2(connection, "dxt_decimal", SQLITE_UTF8, nullptr,
                                         Collate<CompareDecimals>, nullptr);
  if (code == SQLITE_OK) {
    code = sqlite3_create_collation_v2(connection, "dxt_instant", SQLITE_UTF8, nullptr,
                                       Collate<CompareInstants>, nullptr);
  }
  if (code == SQLITE_OK) {
    code = sqlite3_create_collation_v2(connection, "dxt_bytes", SQLITE_UTF8, nullptr,
                                       Collate<CompareBytes>, nullptr);
  }
  if (code == SQLITE_OK) return arrow::Status::OK();
  return MakeError(ErrorClass::kInternal, "sqlite.error",
                   std::string("SQLite refused a collation: ") + sqlite3_errstr(code));
}

std::string Comparable(std::string_view sql, const FieldType& type) {
  std::string_view collation;
  switch (type.dtype) {
    case DType::kString:
      collation = "dxt_bytes";
      break;
    case DType::kDecimal:
      collation = "dxt_decimal";
      break;
    case DType::kDate:
    case DType::kTimestamp:
    case DType::kTimestampTz:
      collation = "dxt_instant";
      break;
    default:
      return std::string(sql);
  }
  return "(" + std::string(sql) + " COLLATE " + std::string(collation) + ")";
}

}  // namespace dxt::sqlite
