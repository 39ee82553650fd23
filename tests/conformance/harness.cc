#include "tests/conformance/harness.h"

#include <algorithm>

#include <arrow/api.h>

#include "base/clock.h"
#include "connectors/sql/identifier.h"
#include "tests/conformance/loader.h"

namespace dxt::conformance {

ConnectorContext Harness::Context() const {
  ConnectorContext context;
  context.clock = &SystemClock();
  return context;
}

std::string Harness::Reference(const std::string& name) const {
  return sql::ReferenceText({name});
}

arrow::Status Harness::Seed(const std::string& name, const StreamSchema& schema,
                            const Rows& rows) {
  ARROW_ASSIGN_OR_RAISE(auto target, OpenDestination());
  Wanted wanted;
  wanted.table = name;
  wanted.schema = schema;
  wanted.keys = schema.primary_key;
  wanted.pipeline = "suite/seed";
  return Load(*this, *target, wanted, rows).status();
}

arrow::Result<std::shared_ptr<arrow::RecordBatch>> Harness::ReadBack(
    const std::string& name) {
  ARROW_ASSIGN_OR_RAISE(auto source, OpenSource());
  StreamRef ref;
  ref.kind = kind();
  ref.source = Reference(name);
  ARROW_ASSIGN_OR_RAISE(const auto info, source->Describe(ref, {}));
  const ReadSpec spec = ReadAllOf(ref, info);
  ARROW_ASSIGN_OR_RAISE(const auto plan, source->PlanRead(spec, 1, {}));
  std::vector<std::shared_ptr<arrow::RecordBatch>> batches;
  std::shared_ptr<arrow::Schema> schema;
  for (const auto& split : plan.splits) {
    ARROW_ASSIGN_OR_RAISE(auto reader, source->OpenReader(spec, split, std::nullopt, {}));
    schema = reader->schema();
    while (true) {
      ARROW_ASSIGN_OR_RAISE(const auto step, reader->Next({}));
      if (step.batch) batches.push_back(step.batch);
      if (step.end) break;
    }
  }
  if (batches.empty()) return arrow::RecordBatch::MakeEmpty(schema);
  return arrow::ConcatenateRecordBatches(batches);
}

arrow::Result<std::vector<std::string>> Harness::Objects() {
  auto source = OpenSource();
  std::vector<std::string> names;
  if (!source.ok()) return names;
  const auto found = (*source)->Discover("", {});
  // A file that does not exist yet holds nothing.
  if (!found.ok()) return names;
  for (const auto& stream : *found) names.push_back(stream.reference);
  std::sort(names.begin(), names.end());
  return names;
}

arrow::Result<std::unique_ptr<Source>> Harness::OpenSource() {
  return connector().OpenSource(Config(), Context(), {});
}

arrow::Result<std::unique_ptr<Destination>> Harness::OpenDestination() {
  return connector().OpenDestination(Config(), Context(), {});
}

ConfigView ConfigOf(const Connector& connector,
                    const std::vector<std::pair<std::string, std::string>>& options) {
  ConfigValue values;
  values.kind = ConfigValue::Kind::kMap;
  for (const auto& [name, text] : options) {
    ConfigValue value;
    value.kind = ConfigValue::Kind::kScalar;
    value.scalar = text;
    values.map.emplace_back(name, std::move(value));
  }
  return ConfigView(&connector.spec(), std::move(values));
}

}  // namespace dxt::conformance
