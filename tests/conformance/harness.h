#pragma once
// What a connector brings to the conformance suite.
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <arrow/result.h>
#include <arrow/type_fwd.h>

#include "connectors/sdk/connector.h"
#include "connectors/sdk/source.h"
#include "tests/conformance/values.h"

namespace dxt::conformance {

/// A case that a connector cannot pass, and why. A waived case that passes fails the
/// suite, and so does a waiver of a case that does not exist or was skipped.
struct Waiver {
  std::string test;
  std::string reason;
};

/// One connector with one fresh, empty system (a database, a folder) behind it. Made anew
/// for every case and destroyed after it. Source and target are the same system, so that
/// what was written can be read back.
class Harness {
 public:
  virtual ~Harness() = default;
  virtual const Connector& connector() const = 0;
  /// The connection to the fresh system. The same for all calls of one Harness.
  virtual ConfigView Config() const = 0;
  virtual ConnectorContext Context() const;
  virtual std::vector<Waiver> Waivers() const { return {}; }

  /// A table's bare name as a reference of a document, on either side. Default: quoted
  /// where needed. A file connector adds folder and extension.
  virtual std::string Reference(const std::string& name) const;
  /// What streams of this system are: kTable, or kFile.
  virtual StreamKind kind() const { return StreamKind::kTable; }
  /// Makes the table `name` with these rows behind the connector's back. Default: through
  /// the connector's own Destination.
  virtual arrow::Status Seed(const std::string& name, const StreamSchema& schema,
                             const Rows& rows);
  /// All rows of the table `name` as one batch; a missing table is a kConfig error.
  /// Default: through the connector's own Source.
  virtual arrow::Result<std::shared_ptr<arrow::RecordBatch>> ReadBack(
      const std::string& name);
  /// Everything that is in the system now, leftovers included, but not the ledger and the
  /// fence; in any fixed order. Default: what Discover lists.
  virtual arrow::Result<std::vector<std::string>> Objects();

  arrow::Result<std::unique_ptr<Source>> OpenSource();
  arrow::Result<std::unique_ptr<Destination>> OpenDestination();
  bool Can(Capability capability) const {
    return connector().info().capabilities.Has(capability);
  }
};

using HarnessFactory = std::function<std::unique_ptr<Harness>()>;

/// A map of scalars as a ConfigView of `connector`'s spec.
ConfigView ConfigOf(const Connector& connector,
                    const std::vector<std::pair<std::string, std::string>>& options);

}  // namespace dxt::conformance
