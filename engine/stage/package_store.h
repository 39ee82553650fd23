#pragma once
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/result.h>

#include "engine/stage/package.h"

namespace dxt {

class Clock;

enum class PackageState : uint8_t {
  kWriting,    ///< Not sealed; its writer is alive.
  kAbandoned,  ///< Not sealed; its writer is gone. Swept at the next chance.
  kPending,    ///< Sealed, not loaded.
  kLoaded,     ///< Sealed and loaded, kept on request.
  kCorrupt,    ///< Set aside after a failed check.
};
std::string_view PackageStateName(PackageState state);

/// One folder of the buffer, for `packages list`.
struct PackageInfo {
  std::string pipeline, stream, load_id;
  PackageState state = PackageState::kPending;
  std::filesystem::path folder;
  std::optional<PackageManifest> manifest;  ///< Of kPending and kLoaded.
};

/// All packages below one buffer folder: <root>/<project>/<pipeline>/<stream>/<load_id>/.
/// Holds no state of its own, so several processes may work on one folder. Thread-safe.
class PackageStore {
 public:
  /// `root` is made on first use, 0700. `clock` must outlive the store.
  PackageStore(std::filesystem::path root, Clock& clock);

  /// Starts a package. What an abandoned attempt of the same load_id left is removed
  /// first. kConfig "buffer.exists" when it is sealed already, kTransient "buffer.busy"
  /// when another run is writing it.
  arrow::Result<std::unique_ptr<PackageWriter>> Create(const PackageSpec& spec) const;

  /// Packages of one pipeline ("" = all) and stream ("" = all), by stream and load id.
  arrow::Result<std::vector<PackageInfo>> List(std::string_view pipeline = {},
                                               std::string_view stream = {}) const;
  /// Sealed and not loaded, oldest first. A damaged manifest is kData "buffer.corrupt".
  arrow::Result<std::vector<PackageManifest>> Pending(
      const StreamIdentity& identity) const;
  /// The newest sealed package, loaded or not; nullopt when there is none.
  arrow::Result<std::optional<PackageManifest>> Newest(
      const StreamIdentity& identity) const;
  /// One sealed package; kConfig "buffer.not_sealed", "buffer.not_found".
  arrow::Result<PackageManifest> Find(const StreamIdentity& identity,
                                      std::string_view load_id) const;

  /// Opens for reading. With `verify`, every segment's SHA-256 is compared first; a
  /// package that fails is set aside as <load_id>.corrupt: kData "buffer.corrupt".
  arrow::Result<std::unique_ptr<PackageReader>> Open(const PackageManifest& package,
                                                     int64_t batch_rows = 10000,
                                                     bool verify = true) const;
  /// The check of Open alone, before Writer::AppendFiles.
  arrow::Status Verify(const PackageManifest& package) const;

  /// After its load was committed: removes the package, or marks it loaded when `keep`.
  arrow::Status Release(const PackageManifest& package, bool keep = false) const;
  /// Removes a package in any state but kWriting ("buffer.busy").
  arrow::Status Drop(const PackageInfo& package) const;
  /// Removes abandoned folders of one stream; returns how many.
  arrow::Result<int> Sweep(const StreamIdentity& identity) const;

  const std::filesystem::path& root() const { return root_; }
  /// Where packages of one stream stand; unsafe characters of names are percent-encoded.
  std::filesystem::path StreamFolder(std::string_view pipeline,
                                     std::string_view stream) const;

 private:
  const std::filesystem::path root_;
  Clock& clock_;
};

}  // namespace dxt
