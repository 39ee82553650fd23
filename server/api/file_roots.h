#pragma once
#include <arrow/status.h>

namespace dxt {

struct ApiParts;
struct Connection;
struct PipelineDocument;

/// kAuth "files.outside_roots" when a document names a file or folder of this machine
/// that is not below one of the server's `file_roots`. Links are followed. A private
/// server allows its user everything.
arrow::Status CheckFileRoots(const PipelineDocument& pipeline, const ApiParts& parts);
arrow::Status CheckFileRoots(const Connection& connection, const ApiParts& parts);

}  // namespace dxt
