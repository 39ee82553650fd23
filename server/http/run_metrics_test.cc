#include "server/http/run_metrics.h"

#include <regex>
#include <set>
#include <sstream>

#include <gtest/gtest.h>

#include "base/clock.h"
#include "server/http/exposition.h"

namespace dxt {
namespace {

/// Holds a text to the format: each family has HELP, then TYPE, then its series and no
/// other's; no series twice; counters end in _total; histograms are cumulative with +Inf.
std::vector<std::string> BreachesOf(const std::string& text) {
  std::vector<std::string> breaches;
  std::set<std::string> families, series;
  std::string family, type, help;
  double last_bucket = 0;
  std::string last_histogram;
  const std::regex line_form(
      R"(([a-zA-Z_:][a-zA-Z0-9_:]*)(\{([a-z_]+="(\\.|[^"\\\n])*",?)*\})? (\S+))");
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string hash, what, name, rest;
    if (line.starts_with("# HELP ")) {
      words >> hash >> what >> help;
      if (!families.insert(help).second) breaches.push_back("family twice: " + line);
      continue;
    }
    if (line.starts_with("# TYPE ")) {
      words >> hash >> what >> family >> type;
      if (family != help) breaches.push_back("TYPE without its HELP: " + line);
      if ((type == "counter") != family.ends_with("_total")) {
        breaches.push_back("only counters end in _total: " + line);
      }
      continue;
    }
    std::smatch match;
    if (!std::regex_match(line, match, line_form)) {
      breaches.push_back("not a series: " + line);
      continue;
    }
    const std::string series_name = match[1];
    const bool part = type == "histogram" && (series_name == family + "_bucket" ||
                                              series_name == family + "_sum" ||
                                              series_name == family + "_count");
    if (type == "histogram" ? !part : series_name != family) {
      breaches.push_back("outside of its family: " + line);
    }
    if (!series.insert(series_name + match[2].str()).second) {
      breaches.push_back("series twice: " + line);
    }
    const double value = std::stod(match[5]);
    if (series_name.ends_with("_bucket")) {
      const std::string labels = match[2];
      const std::string key = series_name + labels.substr(0, labels.rfind("le="));
      if (key == last_histogram && value < last_bucket) {
        breaches.push_back("not cumulative: " + line);
      }
      last_histogram = key;
      last_bucket = value;
    } else if (series_name.ends_with("_count") && value != last_bucket) {
      breaches.push_back("count is not its +Inf bucket: " + line);
    }
  }
  return breaches;
}

RunRecord Record(const std::string& pipeline, const std::string& state) {
  RunRecord run;
  run.project = "shop";
  run.pipeline = pipeline;
  run.state = state;
  return run;
}

RunResult Result(RunState state, double seconds, int64_t rows) {
  RunResult result;
  result.state = state;
  result.seconds = seconds;
  StreamResult stream;
  stream.rows_read = rows;
  stream.rows_written = rows;
  stream.bytes_read = rows * 10;
  result.streams.push_back(stream);
  return result;
}

std::string Text(const RunMetrics& metrics) {
  Exposition out;
  metrics.Expose(out);
  return out.text();
}

TEST(RunMetrics, IsWellFormedWithNothingAndWithEverything) {
  RunMetrics metrics(SystemClock());
  EXPECT_EQ(BreachesOf(Text(metrics)), std::vector<std::string>());
  metrics.OnQueued(Record("orders", "QUEUED"));
  metrics.OnStarted(Record("orders", "RUNNING"), 0.2);
  metrics.OnRetry("01RUN", "orders", ErrorClass::kTransient);
  metrics.OnEnded(Record("orders", "SUCCEEDED"), Result(RunState::kSucceeded, 3, 7), {});
  metrics.OnEnded(Record("a\"b\\c\nd", "FAILED"), Result(RunState::kFailed, 90, 1), {});
  EXPECT_EQ(BreachesOf(Text(metrics)), std::vector<std::string>());
}

TEST(RunMetrics, CountsRunsRowsBytesTimesRetriesAndFailures) {
  RunMetrics metrics(SystemClock());
  metrics.OnQueued(Record("orders", "QUEUED"));
  metrics.OnStarted(Record("orders", "RUNNING"), 0.2);
  metrics.OnEnded(Record("orders", "SUCCEEDED"), Result(RunState::kSucceeded, 3, 7), {});
  metrics.OnEnded(Record("orders", "SUCCEEDED"), Result(RunState::kSucceeded, 0.5, 5),
                  {});
  auto failed = Result(RunState::kFailed, 90, 0);
  failed.streams[0].error = MakeError(ErrorClass::kAuth, "pg.auth", "no");
  metrics.OnEnded(Record("users", "FAILED"), failed, {});
  metrics.OnRetry("01RUN", "orders", ErrorClass::kTransient);
  metrics.OnRetry("01RUN", "orders", ErrorClass::kTransient);
  const auto text = Text(metrics);
  for (const char* line :
       {"dxt_runs_queued_total 1\n", "dxt_runs_started_total 1\n",
        "dxt_runs_ended_total{state=\"SUCCEEDED\"} 2\n",
        "dxt_runs_ended_total{state=\"FAILED\"} 1\n",
        "dxt_runs_ended_total{state=\"PARTIAL\"} 0\n",
        "dxt_retries_total{class=\"transient\"} 2\n",
        "dxt_failures_total{class=\"auth\"} 1\n",
        "dxt_rows_read_total{pipeline=\"shop/orders\"} 12\n",
        "dxt_bytes_read_total{pipeline=\"shop/orders\"} 120\n",
        "dxt_run_duration_seconds_bucket{state=\"SUCCEEDED\",le=\"0.5\"} 1\n",
        "dxt_run_duration_seconds_bucket{state=\"SUCCEEDED\",le=\"5\"} 2\n",
        "dxt_run_duration_seconds_sum{state=\"SUCCEEDED\"} 3.5\n",
        "dxt_run_duration_seconds_count{state=\"FAILED\"} 1\n",
        "dxt_run_queue_seconds_bucket{le=\"0.1\"} 0\n",
        "dxt_run_queue_seconds_bucket{le=\"0.5\"} 1\n",
        "dxt_pipeline_last_success_timestamp_seconds{pipeline=\"shop/orders\"}"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line;
  }
  EXPECT_EQ(text.find("timestamp_seconds{pipeline=\"shop/users\"}"), std::string::npos);
}

TEST(RunMetrics, SeriesOfPipelinesAreBounded) {
  RunMetrics metrics(SystemClock());
  for (int i = 0; i < 3000; ++i) {
    metrics.OnEnded(Record("p" + std::to_string(i), "SUCCEEDED"),
                    Result(RunState::kSucceeded, 1, 1), {});
  }
  const auto text = Text(metrics);
  EXPECT_NE(text.find("dxt_rows_read_total{pipeline=\"others\"} 2000\n"),
            std::string::npos);
  EXPECT_LT(text.size(), 1u << 20);
}

TEST(Exposition, TheCheckOfTheFormatFindsWhatIsWrong) {
  Exposition twice;
  twice.Family("dxt_x", Exposition::Type::kGauge, "X.");
  twice.Series({}, 1);
  twice.Series({}, 2);
  EXPECT_EQ(BreachesOf(twice.text()).size(), 1u);
  Exposition misnamed;
  misnamed.Family("dxt_x_total", Exposition::Type::kGauge, "X.");
  EXPECT_EQ(BreachesOf(misnamed.text()).size(), 1u);
}

}  // namespace
}  // namespace dxt
