#pragma once
#include "engine/run/observer.h"
#include "state/state_store.h"

namespace dxt {

class Clock;

/// The engine's Journal on the state store, writing under the lease of one run.
class StateJournal : public Journal {
 public:
  /// Both must outlive the journal.
  StateJournal(StateStore& store, Clock& clock, Lease lease)
      : store_(store), clock_(clock), lease_(std::move(lease)) {}

  arrow::Result<std::optional<LoadRecord>> LoadCheckpoint(
      const StreamIdentity& identity) override;
  arrow::Result<std::optional<CursorDirective>> Directive(
      const StreamIdentity& identity) override;
  arrow::Status SaveCheckpoint(const StreamIdentity& identity,
                               const LoadRecord& record) override;
  arrow::Status RecordIntent(const StreamIdentity& identity,
                             const LoadRecord& record) override;
  arrow::Result<std::optional<LoadRecord>> PendingIntent(
      const StreamIdentity& identity) override;
  arrow::Status ClearIntent(const StreamIdentity& identity,
                            std::string_view load_id) override;
  arrow::Status RecordPackage(const StreamIdentity& identity, std::string_view load_id,
                              std::string_view path) override;

 private:
  StateStore& store_;
  Clock& clock_;
  const Lease lease_;
};

}  // namespace dxt
