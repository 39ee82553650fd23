#pragma once
#include <memory>

namespace dxt {

class Connector;

/// Local folders and S3 buckets of CSV, TSV, JSON, JSONL and Parquet files.
std::unique_ptr<Connector> MakeFileConnector();

}  // namespace dxt
