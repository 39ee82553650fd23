#include "server/api/services.h"

#include <charconv>

#include "base/clock.h"
#include "server/api/credentials.h"
#include "server/api/resource_names.h"
#include "server/api/status_map.h"
#include "server/api/unix_listener.h"

namespace dxt {

AuditRecord Audit(const ApiParts& parts, CallContext* context, const char* action,
                  const std::string& resource) {
  AuditRecord record;
  record.at = FormatTime(parts.clock->Now());
  record.action = action;
  record.resource = resource;
  if (const auto who = context->auth_context()) {
    for (const char* property : {kPrincipalProperty, "x509_common_name"}) {
      const auto values = who->FindPropertyValues(property);
      if (!values.empty()) {
        record.principal = std::string(values[0].data(), values[0].size());
        break;
      }
    }
  }
  if (record.principal.empty()) {
    const auto uid = parts.peers->Of(context->peer());
    record.principal = uid ? "uid:" + std::to_string(*uid) : "anonymous";
  }
  return record;
}

grpc::Status RefuseRuns(const ApiParts& parts) {
  if (!*parts.draining) return grpc::Status::OK;
  return ApiError(grpc::StatusCode::UNAVAILABLE, "server.draining",
                  "dxtd is on its way out and takes no run any more");
}

std::optional<int64_t> ReadEtag(const std::string& etag, grpc::Status& refused) {
  if (etag.empty()) return std::nullopt;
  int64_t revision = 0;
  const auto [end, error] =
      std::from_chars(etag.data(), etag.data() + etag.size(), revision);
  if (error == std::errc() && end == etag.data() + etag.size()) return revision;
  refused = FieldError("etag", "this is no etag that the server gave");
  return std::nullopt;
}

}  // namespace dxt
