#pragma once
#include "client/dxtctl/resources.h"

namespace dxt::v1 {
class Schedule;
}

namespace dxt::ctl {

/// A listing of schedules.
class ScheduleTable {
 public:
  explicit ScheduleTable(Invocation& invocation);
  void Add(const v1::Schedule& schedule);
  size_t size() const { return table_.size(); }
  void Print(const std::string& when_empty) const;

 private:
  Invocation& invocation_;
  ResourceTable table_;
};

/// One schedule in any output format.
void PrintSchedule(Invocation& invocation, const v1::Schedule& schedule);

}  // namespace dxt::ctl
