#include "base/error.h"

#include <gtest/gtest.h>

namespace dxt {
namespace {

TEST(Error, CarriesItsInfo) {
  ErrorInfo info;
  info.error_class = ErrorClass::kAuth;
  info.code = "pg.password";
  info.vendor_code = "28P01";
  info.hint = "Check the password";
  const auto status = MakeError(info, "The password was refused");
  EXPECT_EQ(status.message(), "The password was refused");
  const auto back = GetErrorInfo(status);
  EXPECT_EQ(back.error_class, ErrorClass::kAuth);
  EXPECT_EQ(back.code, "pg.password");
  EXPECT_EQ(back.vendor_code, "28P01");
  EXPECT_EQ(back.hint, "Check the password");
  EXPECT_FALSE(back.outcome_unknown);
}

TEST(Error, ABareArrowStatusReadsAsWhatItIs) {
  EXPECT_EQ(GetErrorInfo(arrow::Status::Invalid("x")).error_class, ErrorClass::kInternal);
  EXPECT_EQ(GetErrorInfo(arrow::Status::IOError("x")).error_class,
            ErrorClass::kTransient);
  EXPECT_EQ(GetErrorInfo(arrow::Status::IOError("x")).code, "io");
  EXPECT_EQ(GetErrorInfo(arrow::Status::Cancelled("x")).error_class,
            ErrorClass::kCancelled);
}

TEST(Error, AnnotateFillsOnlyWhatIsEmpty) {
  ErrorInfo info;
  info.error_class = ErrorClass::kData;
  info.code = "value.nul";
  info.column = "a";
  ErrorInfo more;
  more.stream = "orders";
  more.column = "b";
  more.key = R"({"id":7})";
  more.code = "other";
  const auto annotated = GetErrorInfo(Annotate(MakeError(info, "x"), more));
  EXPECT_EQ(annotated.stream, "orders");
  EXPECT_EQ(annotated.column, "a");
  EXPECT_EQ(annotated.key, R"({"id":7})");
  EXPECT_EQ(annotated.code, "value.nul");
  EXPECT_TRUE(Annotate(arrow::Status::OK(), more).ok());
}

TEST(Error, PrefixKeepsTheInfo) {
  const auto status =
      Prefix(MakeError(ErrorClass::kGuard, "guard.shrink", "too few"), "orders");
  EXPECT_EQ(status.message(), "orders: too few");
  EXPECT_EQ(GetErrorInfo(status).code, "guard.shrink");
  EXPECT_TRUE(Prefix(arrow::Status::OK(), "orders").ok());
}

TEST(Error, OnlyTransientAndThrottledAreRetried) {
  const std::string_view names[] = {"config",    "auth",      "data",      "unsupported",
                                    "transient", "throttled", "cancelled", "fenced",
                                    "guard",     "internal"};
  for (int i = 0; i < 10; ++i) {
    const auto error_class = static_cast<ErrorClass>(i);
    EXPECT_EQ(ErrorClassName(error_class), names[i]);
    EXPECT_EQ(IsRetryable(error_class), error_class == ErrorClass::kTransient ||
                                            error_class == ErrorClass::kThrottled);
    EXPECT_FALSE(MakeError(error_class, "x", "x").ok());
  }
}

}  // namespace
}  // namespace dxt
