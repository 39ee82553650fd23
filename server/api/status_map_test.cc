#include "server/api/status_map.h"

#include <google/rpc/error_details.pb.h>
#include <google/rpc/status.pb.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "dxt/v1/document.pb.h"

namespace dxt {
namespace {

template <typename Message>
Message Detail(const grpc::Status& status) {
  google::rpc::Status details;
  details.ParseFromString(status.error_details());
  Message message;
  for (const auto& detail : details.details()) {
    if (detail.Is<Message>()) detail.UnpackTo(&message);
  }
  return message;
}

TEST(StatusMap, AnErrorKeepsItsCodeClassHintAndPlace) {
  ErrorInfo info;
  info.error_class = ErrorClass::kData;
  info.code = "pg.numeric_out_of_range";
  info.vendor_code = "22003";
  info.hint = "Widen the column";
  info.stream = "orders";
  info.column = "total";
  info.key = "{\"id\":7}";
  const auto status = ToGrpc(MakeError(info, "value does not fit"));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(status.error_message(), "value does not fit");
  const auto detail = Detail<google::rpc::ErrorInfo>(status);
  EXPECT_EQ(detail.reason(), "PG_NUMERIC_OUT_OF_RANGE");
  EXPECT_EQ(detail.domain(), "dxt.dev");
  EXPECT_EQ(detail.metadata().at("class"), "data");
  EXPECT_EQ(detail.metadata().at("code"), "pg.numeric_out_of_range");
  EXPECT_EQ(detail.metadata().at("vendor_code"), "22003");
  EXPECT_EQ(detail.metadata().at("hint"), "Widen the column");
  EXPECT_EQ(detail.metadata().at("stream"), "orders");
  EXPECT_EQ(detail.metadata().at("column"), "total");
  EXPECT_EQ(detail.metadata().at("key"), "{\"id\":7}");
}

TEST(StatusMap, EveryClassHasItsCanonicalCode) {
  const std::pair<ErrorClass, grpc::StatusCode> expected[] = {
      {ErrorClass::kConfig, grpc::StatusCode::INVALID_ARGUMENT},
      {ErrorClass::kAuth, grpc::StatusCode::FAILED_PRECONDITION},
      {ErrorClass::kUnsupported, grpc::StatusCode::FAILED_PRECONDITION},
      {ErrorClass::kTransient, grpc::StatusCode::UNAVAILABLE},
      {ErrorClass::kThrottled, grpc::StatusCode::RESOURCE_EXHAUSTED},
      {ErrorClass::kCancelled, grpc::StatusCode::CANCELLED},
      {ErrorClass::kFenced, grpc::StatusCode::ABORTED},
      {ErrorClass::kGuard, grpc::StatusCode::FAILED_PRECONDITION},
      {ErrorClass::kInternal, grpc::StatusCode::INTERNAL},
  };
  for (const auto& [error_class, code] : expected) {
    EXPECT_EQ(ToGrpc(MakeError(error_class, "x.y", "m")).error_code(), code);
  }
  EXPECT_EQ(ToGrpc(MakeError(ErrorClass::kConfig, "run.not_found", "m")).error_code(),
            grpc::StatusCode::NOT_FOUND);
  EXPECT_TRUE(ToGrpc(arrow::Status::OK()).ok());
}

TEST(StatusMap, SecretsAreTakenOut) {
  const auto status =
      ToGrpc(MakeError(ErrorClass::kAuth, "pg.auth", "hunter2 refused", "not hunter2"),
             Redactor({"hunter2"}));
  EXPECT_EQ(status.error_message(), "*** refused");
  EXPECT_EQ(status.error_details().find("hunter2"), std::string::npos);
}

TEST(StatusMap, ProblemsTravelWhole) {
  Problem problem;
  problem.mark = {"/p/orders.yaml", 3, 5};
  problem.path = "streams[0].load.mode";
  problem.code = "config.unknown_value";
  problem.message = "unknown mode 'hunter2'";
  problem.suggestion = "did you mean 'append'?";
  const auto status = ProblemsToGrpc({problem}, Redactor({"hunter2"}));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  const auto list = Detail<v1::ProblemList>(status);
  ASSERT_EQ(list.problems_size(), 1);
  EXPECT_EQ(list.problems(0).line(), 3);
  EXPECT_EQ(list.problems(0).message(), "unknown mode '***'");
  EXPECT_EQ(list.problems(0).suggestion(), "did you mean 'append'?");
}

}  // namespace
}  // namespace dxt
