#include "client/dxtctl/resources.h"

#include <cstdio>
#include <iostream>

#include <google/protobuf/message.h>
#include <google/protobuf/util/json_util.h>
#include <unistd.h>
#include <nlohmann/json.hpp>

namespace dxt::ctl {
namespace {

using Json = nlohmann::ordered_json;

std::vector<std::string> Split(const std::string& text) {
  std::vector<std::string> parts;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find('/', begin), text.size());
    parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

std::string Singular(const std::string& collection) {
  return collection == "dependencies" ? "dependency"
                                      : collection.substr(0, collection.size() - 1);
}

}  // namespace

Result<std::string> ResourceName(const ResourceServer& server,
                                 const std::string& collection, const std::string& text) {
  auto parts = Split(text);
  if (parts.size() == 4 && parts[0] == "projects" && parts[2] == collection) return text;
  if (parts.size() == 1) parts.insert(parts.begin(), server.project);
  if (parts.size() == 2 && IsResourceId(parts[0]) && !parts[1].empty()) {
    return "projects/" + parts[0] + "/" + collection + "/" + parts[1];
  }
  return UsageError(
      "'" + text + "' is not the name of a " + Singular(collection),
      "Write NAME, PROJECT/NAME or projects/PROJECT/" + collection + "/NAME");
}

std::string ListParent(const ResourceServer& server, bool all) {
  return "projects/" + (all ? std::string("-") : server.project);
}

std::string ShortName(const std::string& name) {
  const auto parts = Split(name);
  return parts.size() == 4 ? parts[1] + "/" + parts[3] : LastPart(name);
}

std::string LastPart(const std::string& name) { return name.substr(name.rfind('/') + 1); }

Json ResourceJson(const google::protobuf::Message& resource) {
  google::protobuf::util::JsonPrintOptions options;
  options.always_print_primitive_fields = true;
  std::string text;
  // Only an Any of an unknown type fails, and dxt.v1 has none.
  (void)google::protobuf::util::MessageToJsonString(resource, &text, options);
  return Json::parse(text, nullptr, /*allow_exceptions=*/false);
}

bool ForPeople(const Invocation& invocation) {
  return invocation.format() == OutputFormat::kTable ||
         invocation.format() == OutputFormat::kWide;
}

ResourceTable::ResourceTable(std::string key, std::vector<TableColumn> columns)
    : key_(std::move(key)),
      columns_(std::move(columns)),
      rows_(std::make_unique<Json>(Json::array())) {}
ResourceTable::~ResourceTable() = default;

void ResourceTable::Add(const google::protobuf::Message& resource, std::string name,
                        std::vector<std::string> cells) {
  rows_->push_back(ResourceJson(resource));
  names_.push_back(std::move(name));
  cells_.push_back(std::move(cells));
}

void ResourceTable::Print(Invocation& invocation, const std::string& when_empty) const {
  const OutputFormat format = invocation.format();
  if (names_.empty() && !when_empty.empty() && ForPeople(invocation))
    invocation.Note(when_empty);
  if (!ForPeople(invocation) && format != OutputFormat::kName) {
    PrintListing({key_, "", {}}, *rows_, invocation);
    return;
  }
  const auto places = SortedPlaces(*rows_, invocation);
  if (!places) return;
  if (format == OutputFormat::kName) {
    for (const size_t place : *places)
      std::printf("%s\n", Printable(names_[place]).c_str());
    return;
  }
  if (names_.empty()) return;
  std::vector<TableColumn> shown;
  for (const auto& column : columns_) {
    if (!column.wide || format == OutputFormat::kWide) shown.push_back(column);
  }
  std::vector<std::vector<std::string>> rows;
  for (const size_t place : *places) {
    const auto& cells = cells_[place];
    auto& row = rows.emplace_back();
    for (size_t i = 0; i < columns_.size(); ++i) {
      if (!columns_[i].wide || format == OutputFormat::kWide)
        row.push_back(cells[i].empty() ? "-" : Printable(cells[i]));
    }
  }
  PrintTable(shown, rows, TableStyleOf(invocation));
}

void PrintResource(Invocation& invocation, const google::protobuf::Message& resource,
                   const std::string& name, const std::vector<ResourceField>& fields) {
  switch (invocation.format()) {
    case OutputFormat::kJson:
    case OutputFormat::kJsonl:
      PrintJson(invocation, ResourceJson(resource));
      return;
    case OutputFormat::kYaml:
      std::printf("%s", ToYaml(ResourceJson(resource)).c_str());
      return;
    case OutputFormat::kName:
      std::printf("%s\n", name.c_str());
      return;
    case OutputFormat::kTable:
    case OutputFormat::kWide:
      break;
  }
  size_t width = 0;
  for (const auto& field : fields) {
    if (!field.value.empty()) width = std::max(width, field.name.size());
  }
  for (const auto& [field, value] : fields) {
    if (value.empty()) continue;
    std::printf("%-*s  %s\n", static_cast<int>(width) + 1, (field + ":").c_str(),
                Printable(value).c_str());
  }
}

Status Confirm(Invocation& invocation, const std::string& question) {
  if (invocation.options.yes) return Done{};
  const bool terminal = isatty(STDIN_FILENO) != 0 && isatty(STDERR_FILENO) != 0;
  if (!terminal || invocation.options.no_input) {
    return UsageError(question + " Nobody can be asked", "Say --yes to go on");
  }
  std::fprintf(stderr, "%s [y/N] ", question.c_str());
  std::fflush(stderr);
  std::string answer;
  std::getline(std::cin, answer);
  if (answer == "y" || answer == "Y" || answer == "yes") return Done{};
  return UsageError("Nothing was changed");
}

}  // namespace dxt::ctl
