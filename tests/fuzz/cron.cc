// A cron expression, its time zone and a moment, one a line: ticks come one after the
// other, and what is last before a tick is the tick before it.
#include <cstdlib>

#include "server/scheduler/cron.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace dxt;
  using std::chrono::seconds;
  fuzz::Input input(data, size);
  const std::string expression = input.Line(), zone = input.Line();
  // Between 1970 and 2100.
  const long long moment =
      std::llabs(std::strtoll(input.Line().c_str(), nullptr, 10) % 4102444800LL);
  const CronSchedule::Time from{seconds(moment)}, anchor{seconds(moment / 2)};
  const auto cron = CronSchedule::Parse(expression, zone, anchor);
  if (!cron.ok()) return 0;
  CronSchedule::Time at = from;
  for (int i = 0; i < 3; ++i) {
    const CronSchedule::Time next = cron->Next(at);
    fuzz::Promise(next > at, "the next tick is later", expression);
    const auto last = cron->Last(next, at);
    fuzz::Promise(last && *last == next, "a tick is the last at its own time",
                  expression);
    const auto between = cron->Between(at, next + seconds(1), 2);
    fuzz::Promise(!between.empty() && between.front() == next,
                  "the first of many is the next", expression);
    at = next;
  }
  return 0;
}
