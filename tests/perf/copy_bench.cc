// PG -> PG and PG -> nowhere through the connector alone, against `psql COPY | psql
// COPY`.
//   copy_bench SOURCE_URL TABLE TARGET_URL TARGET_TABLE [--raw] [--read] [--batch ROWS]
// One read and one replace per call; prints seconds, CPU seconds and peak memory.
// tests/perf/README.md says how the ratio is made.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include <arrow/api.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "connectors/postgres/postgres.h"
#include "connectors/sdk/connector.h"
#include "connectors/sdk/source.h"

namespace dxt {
namespace {

struct BenchOptions {
  std::string source, table, target, target_table;
  bool raw = false, read_only = false;
  int64_t batch_rows = 2048;
};

class Bench {
 public:
  explicit Bench(BenchOptions options)
      : options_(std::move(options)), connector_(MakePostgresConnector()) {
    context_.clock = &SystemClock();
  }

  arrow::Status Run() {
    const auto start = std::chrono::steady_clock::now();
    ARROW_RETURN_NOT_OK(OpenRead());
    if (!options_.read_only) ARROW_RETURN_NOT_OK(OpenWrite());
    int64_t rows = 0;
    ARROW_ASSIGN_OR_RAISE(auto plan, source_->PlanRead(read_, 1, {}));
    ARROW_ASSIGN_OR_RAISE(auto reader,
                          source_->OpenReader(read_, plan.splits[0], std::nullopt, {}));
    while (true) {
      ARROW_ASSIGN_OR_RAISE(auto step, reader->Next({}));
      if (step.batch) {
        rows += step.batch->num_rows();
        if (writer_) ARROW_RETURN_NOT_OK(writer_->Append(*step.batch, {}));
      }
      if (step.end) break;
    }
    if (writer_) ARROW_RETURN_NOT_OK(Commit());
    const std::chrono::duration<double> seconds =
        std::chrono::steady_clock::now() - start;
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto cpu = [](const timeval& time) { return time.tv_sec + time.tv_usec / 1e6; };
    std::printf("rows=%lld bytes=%lld seconds=%.3f cpu=%.2f rss_mb=%.0f\n",
                static_cast<long long>(rows),
                static_cast<long long>(reader->bytes_read()), seconds.count(),
                cpu(usage.ru_utime) + cpu(usage.ru_stime),
                static_cast<double>(usage.ru_maxrss) / 1024);
    return arrow::Status::OK();
  }

 private:
  arrow::Result<ConfigView> Config(const std::string& url) {
    ARROW_ASSIGN_OR_RAISE(auto values, connector_->ParseUrl(url));
    return ConfigView(&connector_->spec(), std::move(values));
  }

  arrow::Status OpenRead() {
    ARROW_ASSIGN_OR_RAISE(auto config, Config(options_.source));
    ARROW_ASSIGN_OR_RAISE(source_, connector_->OpenSource(config, context_, {}));
    read_.ref.source = options_.table;
    read_.batch_rows = options_.batch_rows;
    ARROW_ASSIGN_OR_RAISE(info_, source_->Describe(read_.ref, {}));
    for (const auto& field : info_.columns.fields) {
      ColumnRead column;
      column.name = column.column = field.name;
      column.type = field.type;
      column.native = field.native;
      column.raw = options_.raw;
      read_.columns.push_back(std::move(column));
    }
    return arrow::Status::OK();
  }

  arrow::Status OpenWrite() {
    ARROW_ASSIGN_OR_RAISE(auto config, Config(options_.target));
    ARROW_ASSIGN_OR_RAISE(target_, connector_->OpenDestination(config, context_, {}));
    spec_.table.reference = options_.target_table;
    spec_.table.mode = LoadMode::kReplace;
    for (const auto& field : info_.columns.fields) {
      spec_.table.columns.push_back({field.name, field, "", field.nullable});
    }
    ARROW_ASSIGN_OR_RAISE(spec_.target, target_->Describe(options_.target_table, {}));
    ARROW_ASSIGN_OR_RAISE(spec_.plan, target_->PlanTable(spec_.table, spec_.target));
    spec_.identity.pipeline = "bench/copy";
    spec_.identity.stream = options_.target_table;
    spec_.identity.target = options_.target_table;
    const StreamIdentity identities[] = {spec_.identity};
    ARROW_ASSIGN_OR_RAISE(auto owned,
                          target_->Acquire(identities, {"bench", "bench"}, {}));
    const auto tick = std::chrono::steady_clock::now().time_since_epoch().count();
    spec_.epoch = owned[0].epoch;
    spec_.load_id = "BENCH" + std::to_string(tick);
    spec_.window_seq = owned[0].last ? owned[0].last->window_seq + 1 : 1;
    arrow::FieldVector fields;
    for (const auto& column : spec_.plan.columns) {
      Field field;
      field.name = column.name;
      field.type = column.domain.deliver;
      fields.push_back(options_.raw ? arrow::field(column.name, arrow::binary())
                                    : ArrowField(field));
    }
    spec_.schema = arrow::schema(std::move(fields));
    spec_.raw.assign(spec_.plan.columns.size(), options_.raw);
    ARROW_ASSIGN_OR_RAISE(writer_, target_->OpenWriter(spec_, {}));
    return arrow::Status::OK();
  }

  arrow::Status Commit() {
    ARROW_ASSIGN_OR_RAISE(auto receipt, writer_->Finish({}));
    LoadRecord record;
    record.window_seq = spec_.window_seq;
    record.load_id = spec_.load_id;
    record.run = "bench";
    record.mode = "replace";
    record.schema_hash = "-";
    const WriteReceipt receipts[] = {receipt};
    return target_->Commit(spec_, record, receipts, {}, {}).status();
  }

  const BenchOptions options_;
  const std::unique_ptr<Connector> connector_;
  ConnectorContext context_;
  std::unique_ptr<Source> source_;
  std::unique_ptr<Destination> target_;
  std::unique_ptr<Writer> writer_;
  StreamInfo info_;
  ReadSpec read_;
  WriteSpec spec_;
};

}  // namespace
}  // namespace dxt

int main(int argc, char** argv) {
  dxt::BenchOptions options;
  std::vector<std::string> names;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--raw") == 0) {
      options.raw = true;
    } else if (std::strcmp(argv[i], "--read") == 0) {
      options.read_only = true;
    } else if (std::strcmp(argv[i], "--batch") == 0 && i + 1 < argc) {
      options.batch_rows = std::atoll(argv[++i]);
    } else {
      names.emplace_back(argv[i]);
    }
  }
  if (names.size() != 4) {
    std::fprintf(stderr,
                 "usage: copy_bench SOURCE_URL TABLE TARGET_URL TARGET_TABLE "
                 "[--raw] [--read] [--batch ROWS]\n");
    return 2;
  }
  options.source = names[0];
  options.table = names[1];
  options.target = names[2];
  options.target_table = names[3];
  const auto status = dxt::Bench(std::move(options)).Run();
  if (!status.ok()) {
    std::fprintf(stderr, "copy_bench: %s\n", status.ToString().c_str());
    return 1;
  }
  return 0;
}
