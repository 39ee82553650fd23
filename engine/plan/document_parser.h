#pragma once
#include <memory>

#include "engine/plan/documents.h"

namespace dxt {

/// ParseDocuments for whoever parses often: what the keys of a document are is worked out
/// once. Safe from any thread.
class DocumentParser {
 public:
  /// `registry` holds all its connectors already, and outlives the parser.
  static std::unique_ptr<const DocumentParser> Make(const ConnectorRegistry& registry);
  ~DocumentParser();
  DocumentParser(const DocumentParser&) = delete;
  DocumentParser& operator=(const DocumentParser&) = delete;

  ParsedDocuments Parse(const DocumentInputs& inputs) const;

 private:
  struct Keys;
  DocumentParser(const ConnectorRegistry& registry, std::unique_ptr<const Keys> keys);

  const ConnectorRegistry& registry_;
  const std::unique_ptr<const Keys> keys_;
};

}  // namespace dxt
