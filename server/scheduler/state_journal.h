#pragma once
#include "engine/run/observer.h"
#include "state/state_store.h"

namespace dxt {

class Clock;
class Redactor;

/// The engine's Journal on the state store, writing under the lease of one run.
class StateJournal : public Journal {
 public:
  /// All must outlive the journal. `redactor` (may be null) goes over what dead letters
  /// say.
  StateJournal(StateStore& store, Clock& clock, Lease lease,
               const Redactor* redactor = nullptr)
      : store_(store), clock_(clock), lease_(std::move(lease)), redactor_(redactor) {}

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
  arrow::Status HoldRejected(const StreamIdentity& identity, std::string_view load_id,
                             RejectStage stage,
                             std::span<const RejectedRow> rows) override;
  arrow::Status ForgetRejected(const StreamIdentity& identity,
                               std::span<const std::string> but_loads) override;
  arrow::Result<RejectCounts> Rejected(const StreamIdentity& identity) override;
  arrow::Result<std::vector<StoredRow>> StoredRows(const StreamIdentity& identity,
                                                   std::span<const std::string> ids,
                                                   int64_t after, int limit) override;
  arrow::Status HoldReplay(std::string_view load_id,
                           std::span<const std::string> ids) override;
  arrow::Status RefuseReplay(std::string_view id, const RejectedRow& why) override;

 private:
  NewDeadLetter ToLetter(const RejectedRow& row) const;

  StateStore& store_;
  Clock& clock_;
  const Lease lease_;
  const Redactor* const redactor_;
};

}  // namespace dxt
