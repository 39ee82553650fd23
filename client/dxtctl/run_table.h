#pragma once
#include "client/dxtctl/resources.h"

namespace dxt::v1 {
class Run;
}

namespace dxt::ctl {

/// A listing of runs.
class RunTable {
 public:
  explicit RunTable(Invocation& invocation);
  void Add(const v1::Run& run);
  size_t size() const { return table_.size(); }
  void Print(const std::string& when_empty) const;

 private:
  Invocation& invocation_;
  ResourceTable table_;
};

/// One run in any output format; its streams and errors too, for people.
void PrintRun(Invocation& invocation, const v1::Run& run);

/// A run that was just queued: its id and how to follow it, for people.
void PrintQueued(Invocation& invocation, const v1::Run& run);

}  // namespace dxt::ctl
