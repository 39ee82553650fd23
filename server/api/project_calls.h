#pragma once
// What calls that are no run need around the engine.
#include <optional>
#include <string_view>

#include "engine/run/engine.h"
#include "engine/run/observer.h"

namespace dxt::v1 {
class ConnectionCheck;
}

namespace dxt {

class Redactor;

/// A Journal for calls that are no run: nothing to remember, nothing may be written.
class NoJournal : public Journal {
 public:
  arrow::Result<std::optional<LoadRecord>> LoadCheckpoint(
      const StreamIdentity&) override {
    return std::nullopt;
  }
  arrow::Status SaveCheckpoint(const StreamIdentity&, const LoadRecord&) override {
    return Refuse();
  }
  arrow::Status RecordIntent(const StreamIdentity&, const LoadRecord&) override {
    return Refuse();
  }
  arrow::Result<std::optional<LoadRecord>> PendingIntent(const StreamIdentity&) override {
    return std::nullopt;
  }
  arrow::Status ClearIntent(const StreamIdentity&, std::string_view) override {
    return Refuse();
  }
  arrow::Status RecordPackage(const StreamIdentity&, std::string_view,
                              std::string_view) override {
    return Refuse();
  }

 private:
  static arrow::Status Refuse() {
    return MakeError(ErrorClass::kInternal, "journal.no_run",
                     "a state write outside a run");
  }
};

/// What came of opening a connection.
void Fill(const ConnectionCheck& check, const Redactor& redactor,
          v1::ConnectionCheck& proto);

}  // namespace dxt
