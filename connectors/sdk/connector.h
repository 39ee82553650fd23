#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/result.h>
#include <arrow/type_fwd.h>

#include "connectors/sdk/config.h"
#include "connectors/sdk/destination.h"

namespace dxt {

class Clock;
class Source;

/// A promise that the conformance suite proves. What is not declared must fail with
/// kUnsupported, which the suite also proves.
enum class Capability : uint32_t {
  kRead = 1u << 0,
  kDiscover = 1u << 1,   ///< Source lists its own streams.
  kPushdown = 1u << 2,   ///< Source applies cursor, filters, order and limit itself.
  kSql = 1u << 3,        ///< Queries, expressions and `criteria.where` work.
  kSplit = 1u << 4,      ///< One stream can be read by several readers.
  kResume = 1u << 5,     ///< A reader can start at a Position.
  kReadAgain = 1u << 6,  ///< A second read yields the same rows while none changed.
  kWrite = 1u << 8,
  kAppend = 1u << 9,
  kReplace = 1u << 10,
  kUpsert = 1u << 11,
  kDelete = 1u << 12,        ///< Loads that delete rows by key: mirror, delete_insert.
  kAtomicCommit = 1u << 13,  ///< All receipts become visible, or none.
  kLedger = 1u << 14,        ///< Loads are recorded in the target itself.
  kReadsParquet = 1u << 15,  ///< Writers take sealed Parquet files.
  kRawValues = 1u << 16,     ///< Same system on both ends may pass bytes untouched.
  kEmbedded = 1u << 17,  ///< A database file, which a reader and a writer cannot share.
  kManyWriters = 1u << 18,  ///< Several writers share a window; rows know their place.
  kHistory = 1u << 19,      ///< Loads that keep versions of rows: scd2.
};

struct Capabilities {
  uint32_t bits = 0;
  constexpr bool Has(Capability c) const { return bits & static_cast<uint32_t>(c); }
};

constexpr Capabilities operator|(Capability a, Capability b) {
  return {static_cast<uint32_t>(a) | static_cast<uint32_t>(b)};
}
constexpr Capabilities operator|(Capabilities a, Capability b) {
  return {a.bits | static_cast<uint32_t>(b)};
}

/// Every capability with its name, for listings.
const std::vector<std::pair<Capability, std::string_view>>& CapabilityNames();

struct ConnectorInfo {
  std::string_view name;     ///< Noun, snake_case: `type:` in YAML and the native system.
  std::string_view summary;  ///< One sentence, printed in the docs.
  std::string_view support;  ///< "core", "beta" or "experimental".
  std::vector<std::string_view> aliases;      ///< Other accepted names of `type:`.
  std::vector<std::string_view> url_schemes;  ///< "postgresql", "postgres" …
  Capabilities capabilities;
  Guarantee guarantee = Guarantee::kAtLeastOnce;
};

/// What the daemon lends to a connector. Outlives everything opened with it.
struct ConnectorContext {
  Clock* clock = nullptr;
  /// For spill and scratch files; exists.
  std::filesystem::path scratch_dir;
  /// Bytes that this stream's side may use for its own buffers.
  int64_t memory_limit = 128 << 20;
  int threads = 1;
  /// How long to wait for a lock of an embedded file: the user is told within 30 s.
  int64_t lock_wait_ms = 25000;
};

/// One kind of system that dxt can talk to. Safe from any thread; lives as long as the
/// registry. Holds no per-run state; an embedded database's shared handles are the one
/// exception (contracts 2.9).
class Connector {
 public:
  virtual ~Connector() = default;
  virtual const ConnectorInfo& info() const = 0;
  virtual const ConfigSpec& spec() const = 0;
  /// Turns an inline connection string into options, as if they had been written in YAML.
  virtual arrow::Result<ConfigValue> ParseUrl(std::string_view url) const = 0;
  /// A text that is equal for two configs exactly when they name the same database,
  /// folder or server: real paths, host:port/database. Holds no secret.
  virtual std::string Identity(const ConfigView& config) const = 0;
  /// What it can and promises as it is configured: at most what `info` has.
  virtual Capabilities CapabilitiesOf(const ConfigView& config) const;
  virtual Guarantee GuaranteeOf(const ConfigView& config) const;
  /// Opens lazily or eagerly; unreachable systems fail here or at the first call.
  virtual arrow::Result<std::unique_ptr<Source>> OpenSource(
      const ConfigView& config, const ConnectorContext& context,
      std::stop_token stop) const;
  virtual arrow::Result<std::unique_ptr<Destination>> OpenDestination(
      const ConfigView& config, const ConnectorContext& context,
      std::stop_token stop) const;
};

}  // namespace dxt
