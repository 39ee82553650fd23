#pragma once
// What dxtd remembers between processes, as facets over one database. Every call is one
// transaction, durable when it returns, and safe from any thread; calls of several
// threads may be made durable together. A call that fails has changed nothing. Times are
// RFC 3339 in UTC with milliseconds, so that they compare as text.
#include <cstdint>
#include <string>

#include <arrow/status.h>

#include "state/cursors.h"
#include "state/dead_letters.h"
#include "state/definitions.h"
#include "state/records.h"
#include "state/runs.h"
#include "state/schedules.h"

namespace dxt {

class StateStore {
 public:
  virtual ~StateStore() = default;
  virtual RunStore& runs() = 0;
  virtual CursorStore& cursors() = 0;
  virtual IntentStore& intents() = 0;
  virtual PackageIndex& packages() = 0;
  virtual DeadLetterStore& dead_letters() = 0;
  virtual DefinitionStore& definitions() = 0;
  virtual ScheduleStore& schedules() = 0;
  virtual DependencyStore& dependencies() = 0;
  virtual LogStore& logs() = 0;
  virtual AuditStore& audit() = 0;

  /// Writes a consistent copy to a new file while readers and writers go on. `path` is
  /// absolute; it appears whole and durable, or not at all. kConfig
  /// `state.backup_exists`.
  virtual arrow::Status BackUp(const std::string& path) = 0;
  /// Disk space that the store takes.
  virtual arrow::Result<int64_t> FileBytes() = 0;
};

}  // namespace dxt
