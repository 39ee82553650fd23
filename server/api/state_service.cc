#include "base/clock.h"
#include "base/error.h"
#include "connectors/sdk/cursor.h"
#include "server/api/convert.h"
#include "server/api/services.h"
#include "server/api/status_map.h"
#include "state/state_store.h"

namespace dxt {
namespace {

template <typename Request>
ChainKey KeyOf(const Request& request) {
  return {ChainPipeline(request.pipeline()), request.stream(),
          request.lane().empty() ? "sync" : request.lane()};
}

/// Refuses what the next run would: a value that is none of the type that the newest load
/// noted. Where it noted none, the run decides.
arrow::Status CheckValue(const ApiParts& parts, const ChainKey& key,
                         const std::string& value) {
  ARROW_ASSIGN_OR_RAISE(const auto stored, parts.store->cursors().Load(key));
  if (!stored || stored->cursor_type.empty()) return arrow::Status::OK();
  ARROW_ASSIGN_OR_RAISE(const FieldType type, ParseFieldType(stored->cursor_type));
  const auto read = CanonicalCursor(value, type).status();
  if (read.ok()) return read;
  return MakeError(
      ErrorClass::kConfig, "cursor.invalid",
      "'" + value + "' is not a value of the watermark field of stream '" + key.stream +
          "', which is of type " + stored->cursor_type,
      (stored->cursor_after.empty() ? std::string("Write it as its source does")
                                    : "Write it as in " + stored->cursor_after) +
          "; a stream that has another watermark field now begins anew by dxtctl state "
          "reset " +
          key.stream);
}

template <typename Request>
grpc::Status Direct(const ApiParts& parts, const Request& request, Directive::Kind kind,
                    const std::string& value, v1::Cursor* response) {
  const ChainKey key = KeyOf(request);
  if (key.pipeline.empty() || key.stream.empty()) {
    return ApiError(grpc::StatusCode::INVALID_ARGUMENT, "api.cursor_name",
                    "A cursor is named by its pipeline and its stream");
  }
  const Directive directive{kind, value, FormatTime(parts.clock->Now())};
  const auto stored = parts.store->cursors().SetDirective(key, directive);
  if (!stored.ok()) return ToGrpc(stored);
  auto chains = parts.store->cursors().List(key.pipeline);
  if (!chains.ok()) return ToGrpc(chains.status());
  for (const auto& chain : *chains) {
    if (chain.key.stream == key.stream && chain.key.lane == key.lane) {
      *response = ToProto(chain);
    }
  }
  return grpc::Status::OK;
}

}  // namespace

Reply StateServiceImpl::ListCursors(CallContext* context,
                                    const v1::ListCursorsRequest* request,
                                    v1::ListCursorsResponse* response) {
  return parts_.calls->Answer(context, [=, this]() -> grpc::Status {
    auto chains = parts_.store->cursors().List(ChainPipeline(request->parent()));
    if (!chains.ok()) return ToGrpc(chains.status());
    for (const auto& chain : *chains) *response->add_cursors() = ToProto(chain);
    return grpc::Status::OK;
  });
}

Reply StateServiceImpl::SetCursor(CallContext* context,
                                  const v1::SetCursorRequest* request,
                                  v1::Cursor* response) {
  return parts_.calls->Answer(context, [=, this]() -> grpc::Status {
    if (request->value().empty()) {
      return ApiError(grpc::StatusCode::INVALID_ARGUMENT, "api.cursor_value",
                      "An empty cursor value: ResetCursor forgets a cursor");
    }
    const auto checked = CheckValue(parts_, KeyOf(*request), request->value());
    if (!checked.ok()) return ToGrpc(checked);
    return Direct(parts_, *request, Directive::Kind::kSet, request->value(), response);
  });
}

Reply StateServiceImpl::ResetCursor(CallContext* context,
                                    const v1::ResetCursorRequest* request,
                                    v1::Cursor* response) {
  return parts_.calls->Answer(context, [=, this]() -> grpc::Status {
    return Direct(parts_, *request, Directive::Kind::kReset, "", response);
  });
}

Reply StateServiceImpl::AcceptCursor(CallContext* context,
                                     const v1::AcceptCursorRequest* request,
                                     v1::Cursor* response) {
  return parts_.calls->Answer(context, [=, this]() -> grpc::Status {
    return Direct(parts_, *request, Directive::Kind::kAccept, "", response);
  });
}

}  // namespace dxt
