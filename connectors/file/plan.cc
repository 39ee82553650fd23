#include "connectors/file/plan.h"

#include "base/error.h"
#include "connectors/file/file_writer.h"
#include "connectors/file/store.h"
#include "connectors/file/target.h"

namespace dxt::file {
namespace {

constexpr int64_t kLargeAppend = 1LL << 30;

arrow::Status Differs(const TargetTable& target, const std::string& why) {
  return MakeError(ErrorClass::kConfig, "file.schema_mismatch",
                   "'" + target.reference + "' cannot be appended to: " + why,
                   "Use load.mode: replace, name another target, or match the columns in "
                   "`fields`");
}

void Strategy(const Target& target, bool append, TablePlan* plan) {
  if (plan->create) {
    plan->strategy = "create";
  } else if (!append) {
    plan->strategy = target.is_folder ? "swap" : "replace the file";
    plan->strategy_reason = "readers see the old or the new contents";
  } else if (target.is_folder) {
    plan->strategy = "append a part";
  } else {
    plan->strategy = "append by rewriting the file";
    plan->strategy_reason = "a file becomes visible as a whole";
    const auto entry = target.store->Stat(target.path);
    if (entry.ok() && *entry && (*entry)->size > kLargeAppend) {
      plan->notes.push_back(
          "The file is larger than 1 GiB and is rewritten by every append; a folder "
          "(the "
          "name without extension, or with / behind it) only gains a part");
    }
  }
}

arrow::Result<TablePlan::Column> PlanColumn(const Target& target,
                                            const WantedColumn& wanted,
                                            const TargetTable& existing, bool append) {
  TablePlan::Column column;
  column.name = wanted.name;
  column.nullable = wanted.nullable;
  const Format format = target.options.format;
  if (append) {
    const TargetColumn* there = existing.Find(wanted.name);
    if (!there) return Differs(existing, "it has no column '" + wanted.name + "'");
    if (format == Format::kParquet) {
      column.domain = there->domain;
      column.native = there->native.type;
      column.nullable = there->nullable;
      return column;
    }
  }
  FieldType type = wanted.field.type;
  if (!wanted.native_override.empty()) {
    ARROW_ASSIGN_OR_RAISE(type, ParseFieldType(wanted.native_override));
  }
  auto domain = DomainOf(format, type);
  if (!domain.ok()) return Prefix(domain.status(), "Column '" + wanted.name + "'");
  column.domain = std::move(*domain);
  column.native = ToString(column.domain.deliver);
  column.created = !append;
  // Text has no NOT NULL to keep.
  if (format != Format::kParquet) column.nullable = true;
  return column;
}

}  // namespace

arrow::Status CheckFileMode(LoadMode mode) {
  if (mode == LoadMode::kAppend || mode == LoadMode::kReplace) return arrow::Status::OK();
  return MakeError(ErrorClass::kUnsupported, "file.no_upsert",
                   "Files have no keys, so load.mode: " +
                       std::string(LoadModeName(mode)) + " cannot be done in place",
                   "Use append or replace, or a database as target");
}

arrow::Result<TablePlan> PlanFileTable(const Location& location, const TableSpec& wanted,
                                       const TargetTable& existing) {
  ARROW_RETURN_NOT_OK(CheckFileMode(wanted.mode));
  ARROW_ASSIGN_OR_RAISE(const Target target,
                        ResolveTarget(location, wanted.reference, &wanted.options));
  if (target.options.encoding != Encoding::kUtf8) {
    return MakeError(ErrorClass::kUnsupported, "file.encoding",
                     "Files are written in UTF-8 only", "Leave options.encoding out");
  }
  TablePlan plan;
  plan.create = !existing.exists;
  // JSON without rows has no columns yet.
  const bool append =
      existing.exists && wanted.mode == LoadMode::kAppend && !existing.columns.empty();
  const std::string kind = std::string(FormatName(target.options.format)) +
                           (target.is_folder ? " folder " : " file ");
  if (plan.create) plan.ddl.push_back("new " + kind + existing.reference);
  Strategy(target, append, &plan);
  for (const auto& column : wanted.columns) {
    ARROW_ASSIGN_OR_RAISE(auto planned, PlanColumn(target, column, existing, append));
    plan.columns.push_back(std::move(planned));
  }
  if (!append) return plan;
  for (const auto& column : existing.columns) {
    bool found = false;
    for (const auto& candidate : wanted.columns) found |= candidate.name == column.name;
    if (found) continue;
    if (!column.nullable) {
      return Differs(existing, "its column '" + column.name +
                                   "' must not be NULL, and the stream does not have it");
    }
    plan.notes.push_back("Column '" + column.name + "' of the target will be NULL");
  }
  return plan;
}

}  // namespace dxt::file
