#pragma once
// Names of resources, checked: projects/{p}/pipelines/{x} and the like.
#include <optional>
#include <string>
#include <string_view>

#include <grpcpp/support/status.h>

namespace dxt {

/// "projects/{project}/{collection}/{id}" taken apart.
struct ResourceName {
  std::string project, id;
};

/// INVALID_ARGUMENT naming the field of the request, with a BadRequest detail.
grpc::Status FieldError(std::string_view field, const std::string& message,
                        const std::string& hint = {});

/// Takes `name` apart; what it is not goes to `error`. `field` is the request's.
std::optional<ResourceName> ParseName(std::string_view name, std::string_view collection,
                                      std::string_view field, grpc::Status& error);

/// The project of "projects/{project}"; with `wildcard`, "projects/-" gives "".
std::optional<std::string> ParseParent(std::string_view parent, bool wildcard,
                                       std::string_view field, grpc::Status& error);

/// True for [a-z0-9][a-z0-9_-]{0,62}.
bool IsResourceId(std::string_view id);

std::string ScheduleName(std::string_view project, std::string_view schedule);

}  // namespace dxt
