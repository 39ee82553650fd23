#include "server/api/resource_names.h"

#include <algorithm>

#include "server/api/convert.h"
#include "server/api/status_map.h"

namespace dxt {
namespace {

constexpr std::string_view kProjects = "projects/";

bool IsUlid(std::string_view id) {
  return id.size() == 26 && std::all_of(id.begin(), id.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z');
         });
}

}  // namespace

grpc::Status FieldError(std::string_view field, const std::string& message,
                        const std::string& hint) {
  return ApiError(grpc::StatusCode::INVALID_ARGUMENT, "api.invalid_field",
                  std::string(field) + ": " + message, hint, std::string(field));
}

bool IsResourceId(std::string_view id) {
  const auto small = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
  };
  return !id.empty() && id.size() <= 63 && small(id[0]) &&
         std::all_of(id.begin(), id.end(),
                     [&](char c) { return small(c) || c == '_' || c == '-'; });
}

std::optional<ResourceName> ParseName(std::string_view name, std::string_view collection,
                                      std::string_view field, grpc::Status& error) {
  const std::string middle = "/" + std::string(collection) + "/";
  const size_t at = name.find(middle);
  if (name.starts_with(kProjects) && at != std::string_view::npos) {
    ResourceName parsed;
    parsed.project = name.substr(kProjects.size(), at - kProjects.size());
    parsed.id = name.substr(at + middle.size());
    const bool id = collection == "runs" ? IsUlid(parsed.id)
                    : collection == "dependencies"
                        ? parsed.id.find("..") != std::string::npos &&
                              parsed.id.find('/') == std::string::npos
                        : IsResourceId(parsed.id);
    if (IsResourceId(parsed.project) && id) return parsed;
  }
  error = FieldError(field,
                     "'" + std::string(name.substr(0, 120)) +
                         "' is not projects/{project}" + middle + "{id}",
                     collection == "runs" ? "The id of a run is 26 digits and capitals: "
                                            "dxtctl runs list shows them"
                                          : "");
  return std::nullopt;
}

std::optional<std::string> ParseParent(std::string_view parent, bool wildcard,
                                       std::string_view field, grpc::Status& error) {
  if (parent.starts_with(kProjects)) {
    const std::string project(parent.substr(kProjects.size()));
    if (project == "-" && wildcard) return std::string();
    if (IsResourceId(project)) return project;
  }
  error = FieldError(field, "'" + std::string(parent.substr(0, 120)) +
                                "' is not projects/{project}" +
                                (wildcard ? " or projects/-" : ""));
  return std::nullopt;
}

std::string ScheduleName(std::string_view project, std::string_view schedule) {
  return "projects/" + std::string(project) + "/schedules/" + std::string(schedule);
}

}  // namespace dxt
