#pragma once
#include <gtest/gtest.h>

#include "base/error.h"
#include "tests/conformance/loader.h"

/// Binds `name` to the value of a Result, or ends the case.
#define DXT_ASSERT_OK_AND_ASSIGN_IMPL(result, name, expression) \
  auto result = (expression);                                   \
  ASSERT_TRUE(result.ok()) << result.status().ToString();       \
  name = std::move(result).ValueUnsafe()
#define DXT_CONCAT_IMPL(a, b) a##b
#define DXT_CONCAT(a, b) DXT_CONCAT_IMPL(a, b)
#define ASSERT_OK_AND_ASSIGN(name, expression) \
  DXT_ASSERT_OK_AND_ASSIGN_IMPL(DXT_CONCAT(result_, __LINE__), name, expression)
#define ASSERT_OK(expression)                        \
  do {                                               \
    const ::arrow::Status status_ = (expression);    \
    ASSERT_TRUE(status_.ok()) << status_.ToString(); \
  } while (false)

namespace dxt::conformance {

inline ErrorClass ClassOf(const arrow::Status& status) {
  return GetErrorInfo(status).error_class;
}

/// Rows of a table against what they should be, both sorted; nullopt = no table.
inline void ExpectRows(Harness& harness, const std::string& table,
                       const std::optional<Rows>& expected) {
  const auto found = RowsIn(harness, table);
  ASSERT_TRUE(found.ok()) << found.status().ToString();
  ASSERT_EQ(found->has_value(), expected.has_value())
      << (expected ? "there is no table " : "there is a table ") << table;
  if (expected) {
    EXPECT_EQ(TextOf(**found), TextOf(Sorted(*expected)));
  }
}

}  // namespace dxt::conformance
