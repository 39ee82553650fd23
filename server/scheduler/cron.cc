#include "server/scheduler/cron.h"

#include <algorithm>
#include <cctype>

#include <absl/time/civil_time.h>
#include <absl/time/time.h>

#include "base/error.h"

namespace dxt {

struct CronSchedule::Zone {
  absl::TimeZone zone;
};

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

struct FieldRule {
  const char* name;
  int least, most;
  const char* allowed;
  std::vector<std::string> names;  ///< names[0] is `least`.
};

const FieldRule& RuleOf(size_t field) {
  static const std::vector<FieldRule> rules = {
      {"minute", 0, 59, "0-59", {}},
      {"hour", 0, 23, "0-23", {}},
      {"day of month", 1, 31, "1-31", {}},
      {"month",
       1,
       12,
       "1-12 or jan-dec",
       {"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov",
        "dec"}},
      {"day of week",
       0,
       7,
       "0-7 (0 and 7 are Sunday) or sun-sat",
       {"sun", "mon", "tue", "wed", "thu", "fri", "sat"}},
  };
  return rules[field];
}

constexpr size_t kWeekday = 4;

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower)
    c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return lower;
}

std::vector<std::string> SplitAt(std::string_view text, char at) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == at) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

std::vector<std::string> Words(std::string_view text) {
  std::vector<std::string> words;
  bool inside = false;
  for (const char c : text) {
    if (std::isspace(static_cast<unsigned char>(c))) {
      inside = false;
    } else {
      if (!inside) words.emplace_back();
      inside = true;
      words.back() += c;
    }
  }
  return words;
}

std::optional<int> Number(std::string_view text) {
  if (text.empty() || text.size() > 4) return std::nullopt;
  int number = 0;
  for (const char c : text) {
    if (!std::isdigit(static_cast<unsigned char>(c))) return std::nullopt;
    number = number * 10 + (c - '0');
  }
  return number;
}

std::string Quoted(std::string_view text) {
  constexpr size_t kShown = 60;
  std::string shown;
  for (const char c : text.substr(0, kShown)) {
    shown += std::isprint(static_cast<unsigned char>(c)) ? c : '?';
  }
  return "'" + shown + (text.size() > kShown ? "…'" : "'");
}

arrow::Status Refused(const std::string& message, std::string hint) {
  return MakeError(ErrorClass::kConfig, "schedule.cron", message, std::move(hint));
}

arrow::Status RefusedField(const FieldRule& rule, std::string_view part,
                           const std::string& why) {
  return Refused("the " + std::string(rule.name) + " field of a cron expression has " +
                     Quoted(part) + ": " + why,
                 "The " + std::string(rule.name) + " takes * or " + rule.allowed +
                     ", lists (1,5), ranges (1-5) and steps (*/2, 1-9/2)");
}

arrow::Result<int> ValueOf(const FieldRule& rule, const std::string& text,
                           std::string_view part) {
  const std::string lower = Lower(text);
  for (size_t i = 0; i < rule.names.size(); ++i) {
    if (lower == rule.names[i]) return rule.least + static_cast<int>(i);
  }
  const auto number = Number(text);
  if (!number) return RefusedField(rule, part, Quoted(text) + " is not a value of it");
  if (*number < rule.least || *number > rule.most) {
    return RefusedField(rule, part, std::to_string(*number) + " is out of range");
  }
  return *number;
}

/// One item of a list: `*`, `5`, `1-5`, each with a step but the single value.
arrow::Status AddItem(const FieldRule& rule, bool is_weekday, const std::string& part,
                      std::vector<bool>& set) {
  const auto stepped = SplitAt(part, '/');
  if (stepped.size() > 2) return RefusedField(rule, part, "it has two steps");
  int step = 1;
  if (stepped.size() == 2) {
    const auto number = Number(stepped[1]);
    if (!number || *number < 1 || *number > rule.most) {
      return RefusedField(rule, part, "its step is not 1-" + std::to_string(rule.most));
    }
    step = *number;
  }
  int low = rule.least, high = is_weekday ? 6 : rule.most;
  if (stepped[0] != "*") {
    const auto ends = SplitAt(stepped[0], '-');
    if (ends.size() > 2) return RefusedField(rule, part, "it is not a range");
    ARROW_ASSIGN_OR_RAISE(low, ValueOf(rule, ends[0], part));
    high = low;
    if (ends.size() == 2) {
      ARROW_ASSIGN_OR_RAISE(high, ValueOf(rule, ends[1], part));
      // As the end of a range, Sunday is the seventh day.
      if (is_weekday && high == 0 && low > 0) high = 7;
      if (high < low) return RefusedField(rule, part, "the range runs backwards");
    } else if (stepped.size() == 2) {
      return RefusedField(rule, part,
                          "a step needs a range: " + stepped[0] + "-" +
                              std::to_string(rule.most) + "/" + stepped[1]);
    }
  }
  for (int value = low; value <= high; value += step) set[value] = true;
  return arrow::Status::OK();
}

arrow::Result<milliseconds> ParseInterval(const std::string& text) {
  int64_t total = 0, number = 0;
  bool digits = false, valid = !text.empty();
  for (const char c : text) {
    if (std::isdigit(static_cast<unsigned char>(c))) {
      number = number * 10 + (c - '0');
      digits = true;
      if (number > 1000000000) valid = false;
    } else {
      const int64_t unit = c == 's'   ? 1
                           : c == 'm' ? 60
                           : c == 'h' ? 3600
                           : c == 'd' ? 86400
                                      : 0;
      valid = valid && digits && unit > 0;
      total += number * unit;
      number = 0;
      digits = false;
    }
    if (!valid) break;
  }
  constexpr int64_t kMost = 366LL * 86400;
  if (!valid || digits || total < 1 || total > kMost) {
    return Refused(Quoted(text) + " is not an interval that a schedule can have",
                   "Write @every with s, m, h or d, from 1s to 366d: @every 90s, "
                   "@every 5m, @every 1h30m");
  }
  return milliseconds(total * 1000);
}

absl::Time ToAbsl(CronSchedule::Time time) { return absl::FromChrono(time); }

CronSchedule::Time FromAbsl(absl::Time time) { return absl::ToChronoTime(time); }

/// When a local time happens: a skipped one at the end of the gap, a repeated one first.
absl::Time InstantOf(const absl::TimeZone& zone, absl::CivilSecond local) {
  const auto info = zone.At(local);
  return info.kind == absl::TimeZone::TimeInfo::SKIPPED ? info.trans : info.pre;
}

arrow::Result<absl::TimeZone> LoadZone(std::string_view name) {
  if (name.empty() || name == "UTC" || name == "Etc/UTC") return absl::UTCTimeZone();
  const bool plain = std::isalpha(static_cast<unsigned char>(name.front())) &&
                     name.size() < 64 && name.find("..") == std::string_view::npos &&
                     name != "localtime" &&
                     std::all_of(
                         name.begin(), name.end(),
                         [](char c) {
                           return std::isalnum(static_cast<unsigned char>(c)) ||
                                  c == '/' || c == '_' || c == '-' || c == '+';
                         });
  absl::TimeZone zone;
  if (plain && absl::LoadTimeZone(std::string(name), &zone)) return zone;
  return MakeError(ErrorClass::kConfig, "schedule.timezone",
                   "there is no time zone " + Quoted(name) + " on this machine",
                   "Use an IANA name such as Europe/Berlin (capital letters count), or "
                   "none for UTC; the names come from the tzdata package");
}

int DaysOf(int month) {
  constexpr int kDays[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return kDays[month - 1];
}

}  // namespace

/// Fills a CronSchedule.
class CronParser {
 public:
  using Fields = CronSchedule::Fields;

  static arrow::Status ParseFields(std::string_view expression, Fields& fields) {
    const auto words = Words(expression);
    if (words.size() != 5) {
      return Refused("the cron expression " + Quoted(expression) + " has " +
                         std::to_string(words.size()) + " fields",
                     "It has exactly five: minute, hour, day of month, month, day of "
                     "week; for seconds use @every 30s");
    }
    ARROW_RETURN_NOT_OK(Fill(0, words[0], fields.minute));
    ARROW_RETURN_NOT_OK(Fill(1, words[1], fields.hour));
    ARROW_RETURN_NOT_OK(Fill(2, words[2], fields.day));
    ARROW_RETURN_NOT_OK(Fill(3, words[3], fields.month));
    ARROW_RETURN_NOT_OK(Fill(kWeekday, words[4], fields.weekday));
    fields.any_day_enough = !words[2].starts_with('*') && !words[4].starts_with('*');
    return CheckDates(expression, fields);
  }

 private:
  template <size_t Size>
  static arrow::Status Fill(size_t field, const std::string& word,
                            std::bitset<Size>& bits) {
    const FieldRule& rule = RuleOf(field);
    std::vector<bool> set(static_cast<size_t>(rule.most) + 1);
    for (const auto& part : SplitAt(word, ',')) {
      if (part.empty()) return RefusedField(rule, word, "a list has an empty item");
      ARROW_RETURN_NOT_OK(AddItem(rule, field == kWeekday, part, set));
    }
    for (size_t value = 0; value < set.size(); ++value) {
      if (set[value]) bits.set(field == kWeekday ? value % 7 : value);
    }
    return arrow::Status::OK();
  }

  static arrow::Status CheckDates(std::string_view expression, const Fields& fields) {
    if (fields.any_day_enough) return arrow::Status::OK();
    for (int month = 1; month <= 12; ++month) {
      for (int day = 1; fields.month[month] && day <= DaysOf(month); ++day) {
        if (fields.day[day]) return arrow::Status::OK();
      }
    }
    return Refused("the cron expression " + Quoted(expression) +
                       " never fires: its months have no such day",
                   "Choose a day of month that one of the months has");
  }
};

arrow::Result<CronSchedule> CronSchedule::Parse(std::string_view expression,
                                                std::string_view timezone, Time anchor) {
  CronSchedule cron;
  cron.anchor_ = std::chrono::time_point_cast<seconds>(anchor);
  ARROW_ASSIGN_OR_RAISE(const auto zone, LoadZone(timezone));
  cron.zone_ = std::make_shared<const Zone>(Zone{zone});
  const auto words = Words(expression);
  if (words.empty() || !words[0].starts_with('@')) {
    ARROW_RETURN_NOT_OK(CronParser::ParseFields(expression, cron.fields_));
    return cron;
  }
  const std::string name = Lower(words[0]);
  if (name == "@every" && words.size() == 2) {
    ARROW_ASSIGN_OR_RAISE(cron.every_, ParseInterval(words[1]));
    return cron;
  }
  const std::pair<const char*, const char*> named[] = {
      {"@hourly", "0 * * * *"},  {"@daily", "0 0 * * *"},   {"@midnight", "0 0 * * *"},
      {"@weekly", "0 0 * * 0"},  {"@monthly", "0 0 1 * *"}, {"@yearly", "0 0 1 1 *"},
      {"@annually", "0 0 1 1 *"}};
  for (const auto& [known, fields] : named) {
    if (name != known || words.size() != 1) continue;
    ARROW_RETURN_NOT_OK(CronParser::ParseFields(fields, cron.fields_));
    return cron;
  }
  return Refused(Quoted(expression) + " is not a schedule",
                 "Beside five fields there are @hourly, @daily, @weekly, @monthly, "
                 "@yearly and @every 5m");
}

bool CronSchedule::MatchesDate(int year, int month, int day) const {
  const auto weekday = absl::GetWeekday(absl::CivilDay(year, month, day));
  // absl counts from Monday.
  const bool of_week = fields_.weekday[(static_cast<int>(weekday) + 1) % 7];
  const bool of_month = fields_.day[day];
  return fields_.any_day_enough ? of_month || of_week : of_month && of_week;
}

CronSchedule::Time CronSchedule::NextCron(Time after) const {
  const absl::Time limit = ToAbsl(after);
  const absl::TimeZone& zone = zone_->zone;
  const absl::CivilMinute first(zone.At(limit).cs);
  absl::CivilDay day(first);
  bool whole_day = false;
  // Ticks follow local time, and local time maps to instants in order; so the first match
  // whose instant is late enough is the one. Any date that Parse accepts returns within
  // 40 years.
  while (true) {
    if (!fields_.month[day.month()]) {
      day = absl::CivilDay(absl::CivilMonth(day) + 1);
      whole_day = true;
      continue;
    }
    if (MatchesDate(static_cast<int>(day.year()), day.month(), day.day())) {
      for (int hour = whole_day ? 0 : first.hour(); hour < 24; ++hour) {
        if (!fields_.hour[hour]) continue;
        const bool same = !whole_day && hour == first.hour();
        for (int minute = same ? first.minute() : 0; minute < 60; ++minute) {
          if (!fields_.minute[minute]) continue;
          const auto at = InstantOf(zone, absl::CivilSecond(day.year(), day.month(),
                                                            day.day(), hour, minute, 0));
          if (at > limit) return FromAbsl(at);
        }
      }
    }
    ++day;
    whole_day = true;
  }
}

CronSchedule::Time CronSchedule::Next(Time after) const {
  if (every_.count() == 0) return NextCron(after);
  if (after < anchor_) return anchor_ + every_;
  return anchor_ + ((after - anchor_) / every_ + 1) * every_;
}

std::optional<CronSchedule::Time> CronSchedule::Last(Time at, Time since) const {
  if (Next(since) > at) return std::nullopt;
  // The tick after `low` is due, the one after `high` is not.
  Time low = since, high = at;
  while (high - low > seconds(1)) {
    const Time middle = low + (high - low) / 2;
    (Next(middle) <= at ? low : high) = middle;
  }
  Time last = Next(low);
  for (Time next = Next(last); next <= at; next = Next(last)) last = next;
  return last;
}

std::vector<CronSchedule::Time> CronSchedule::Between(Time start, Time end,
                                                      size_t limit) const {
  std::vector<Time> ticks;
  for (Time tick = Next(start); tick < end && ticks.size() < limit; tick = Next(tick)) {
    ticks.push_back(tick);
  }
  return ticks;
}

std::string CronSchedule::timezone() const { return zone_->zone.name(); }

std::chrono::seconds CronSchedule::UtcOffset(Time at) const {
  return std::chrono::seconds(zone_->zone.At(ToAbsl(at)).offset);
}

}  // namespace dxt
