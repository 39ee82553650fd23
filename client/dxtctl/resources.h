#pragma once
// Stored resources: their names as people write them, and how they are printed.
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "client/dxtctl/invocation.h"
#include "client/dxtctl/output.h"
#include "client/dxtctl/resource_server.h"
#include "client/dxtctl/times.h"

namespace google::protobuf {
class Message;
}

namespace dxt::ctl {

/// "projects/{project}/{collection}/{id}" of "id", "project/id" or the full name.
Result<std::string> ResourceName(const ResourceServer& server,
                                 const std::string& collection, const std::string& text);

/// "projects/{project}" of a listing; all projects with `all`.
std::string ListParent(const ResourceServer& server, bool all);

/// "shop/orders" of "projects/shop/pipelines/orders".
std::string ShortName(const std::string& name);
/// Its last part.
std::string LastPart(const std::string& name);

/// Proto JSON, every field present.
nlohmann::ordered_json ResourceJson(const google::protobuf::Message& resource);

/// A listing in any output format.
class ResourceTable {
 public:
  /// `key`: of the list in -o json: {"runs": […]}.
  ResourceTable(std::string key, std::vector<TableColumn> columns);
  ~ResourceTable();
  /// `cells`: one a column, as shown in a table.
  void Add(const google::protobuf::Message& resource, std::string name,
           std::vector<std::string> cells);
  size_t size() const { return names_.size(); }
  /// `when_empty`: what to do next, said on stderr.
  void Print(Invocation& invocation, const std::string& when_empty) const;

 private:
  std::string key_;
  std::vector<TableColumn> columns_;
  std::vector<std::string> names_;
  std::vector<std::vector<std::string>> cells_;
  std::unique_ptr<nlohmann::ordered_json> rows_;
};

struct ResourceField {
  std::string name, value;  ///< An empty value is left out.
};

/// One resource: its JSON or YAML, its name, or the fields for people.
void PrintResource(Invocation& invocation, const google::protobuf::Message& resource,
                   const std::string& name, const std::vector<ResourceField>& fields);

/// True for -o table and -o wide.
bool ForPeople(const Invocation& invocation);

/// Asks on the terminal. Without one, and without --yes, an Error that says so.
Status Confirm(Invocation& invocation, const std::string& question);

}  // namespace dxt::ctl
