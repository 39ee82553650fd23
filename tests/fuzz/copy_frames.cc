// COPY BINARY as a hostile server sends it: some columns, then messages. What is decoded
// is valid in every value, but for 24:00:00, which Arrow has no place for, and for UTF-8,
// which the engine checks where the target needs it (a server of encoding SQL_ASCII holds
// any bytes).
#include <arrow/api.h>

#include "connectors/postgres/decoder.h"
#include "tests/fuzz/fuzz.h"

namespace dxt::fuzz {
namespace {

constexpr const char* kTypes[] = {"boolean",       "smallint",
                                  "integer",       "bigint",
                                  "real",          "double precision",
                                  "numeric",       "numeric(9,2)",
                                  "numeric(38,0)", "numeric(38,37)",
                                  "numeric(60,5)", "text",
                                  "bytea",         "date",
                                  "time",          "timestamp without time zone",
                                  "json",          "timestamp with time zone",
                                  "jsonb",         "uuid",
                                  "integer[]",     "text[]",
                                  "numeric(9,2)[]"};

std::vector<ColumnRead> Columns(Input& input) {
  std::vector<ColumnRead> columns;
  const size_t count = input.Byte() % 6;
  for (size_t i = 0; i < count; ++i) {
    const uint8_t choice = input.Byte();
    const char* type = kTypes[choice % std::size(kTypes)];
    ColumnRead column;
    column.name = column.column = "c" + std::to_string(i);
    column.type = postgres::ReadAs(postgres::ParseType(type), false, 1);
    column.native = {"postgres", type};
    column.raw = choice >= 0xE0;
    columns.push_back(std::move(column));
  }
  return columns;
}

void CheckValid(const arrow::RecordBatch& batch) {
  const arrow::Status valid = batch.ValidateFull();
  // PostgreSQL's 24:00:00 travels as it is.
  Promise(valid.ok() || valid.message().find("UTF8") != std::string::npos ||
              valid.message().find("time64[us] 86400000000 ") != std::string::npos,
          "what is decoded is valid", valid.ToString());
}

}  // namespace
}  // namespace dxt::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace dxt;
  fuzz::Input input(data, size);
  const auto columns = fuzz::Columns(input);
  const auto decoder = postgres::RowDecoder::Make(columns);
  if (!decoder.ok()) return 0;
  // The server parts rows into messages as it likes; each holds whole rows.
  std::string_view rest = input.rest();
  const size_t header = std::min<size_t>(rest.size(), 19);
  bool good = (*decoder)->Add(rest.substr(0, header)).ok();
  rest.remove_prefix(header);
  good = good && (*decoder)->Add(rest).ok();
  const auto batch = (*decoder)->Flush();
  // After a failure the columns differ in length, and the read is given up.
  if (good && batch.ok()) fuzz::CheckValid(**batch);
  return 0;
}
