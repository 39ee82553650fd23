#include "client/dxtctl/schedule_table.h"

#include <cctype>

#include "dxt/v1/schedule_service.pb.h"

namespace dxt::ctl {
namespace {

std::string MisfireText(const v1::Schedule& schedule) {
  if (schedule.misfire() == v1::Schedule::MISFIRE_UNSPECIFIED) return {};
  std::string text = v1::Schedule::Misfire_Name(schedule.misfire());
  for (char& c : text) c = static_cast<char>(std::tolower(c));
  return text;
}

std::string PausedText(const v1::Schedule& schedule) {
  if (!schedule.paused()) return "no";
  return schedule.pause_note().empty() ? "yes" : "yes: " + schedule.pause_note();
}

std::string SecondsText(int64_t seconds) {
  return seconds == 0 ? "" : DurationText(static_cast<double>(seconds));
}

}  // namespace

ScheduleTable::ScheduleTable(Invocation& invocation)
    : invocation_(invocation),
      table_("schedules", {{"SCHEDULE", ""},
                           {"PIPELINE", ""},
                           {"CRON", ""},
                           {"TIME ZONE", ""},
                           {"PAUSED", ""},
                           {"NEXT", ""},
                           {"LAST", ""},
                           {"MISFIRE", "", true},
                           {"INSTANCES", "", true, true},
                           {"JITTER", "", true, true},
                           {"PRIORITY", "", true, true}}) {}

void ScheduleTable::Add(const v1::Schedule& schedule) {
  const TimeFormat format = invocation_.time_format();
  table_.Add(
      schedule, schedule.name(),
      {LastPart(schedule.name()), ShortName(schedule.pipeline()), schedule.cron(),
       schedule.timezone().empty() ? "UTC" : schedule.timezone(),
       schedule.paused() ? "yes" : "no", TimeText(schedule.next_fire_time(), format),
       TimeText(schedule.last_fire_time(), format), MisfireText(schedule),
       std::to_string(schedule.max_instances()), SecondsText(schedule.jitter().seconds()),
       std::to_string(schedule.priority())});
}

void ScheduleTable::Print(const std::string& when_empty) const {
  table_.Print(invocation_, when_empty);
}

void PrintSchedule(Invocation& invocation, const v1::Schedule& schedule) {
  const TimeFormat format = invocation.time_format();
  const auto time = [&](bool has, const google::protobuf::Timestamp& at) {
    return has ? TimeText(at, format) : std::string();
  };
  PrintResource(invocation, schedule, schedule.name(),
                {{"schedule", ShortName(schedule.name())},
                 {"pipeline", ShortName(schedule.pipeline())},
                 {"cron", schedule.cron()},
                 {"time zone", schedule.timezone().empty() ? "UTC" : schedule.timezone()},
                 {"paused", PausedText(schedule)},
                 {"misfire", MisfireText(schedule)},
                 {"misfire grace", SecondsText(schedule.misfire_grace().seconds())},
                 {"instances", std::to_string(schedule.max_instances())},
                 {"jitter", SecondsText(schedule.jitter().seconds())},
                 {"select", schedule.options().select()},
                 {"exclude", schedule.options().exclude()},
                 {"next", time(schedule.has_next_fire_time(), schedule.next_fire_time())},
                 {"last", time(schedule.has_last_fire_time(), schedule.last_fire_time())},
                 {"updated", time(schedule.has_update_time(), schedule.update_time())}});
}

}  // namespace dxt::ctl
