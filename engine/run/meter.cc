#include "engine/run/meter.h"

#include "base/clock.h"

namespace dxt {

StreamMeter::StreamMeter(std::string stream, Observer& observer, Clock& clock)
    : stream_(std::move(stream)), observer_(observer), clock_(clock) {}

void StreamMeter::SetPhase(StreamPhase phase) {
  phase_ = phase;
  Tell(true);
}

void StreamMeter::SetExpected(std::optional<int64_t> rows) {
  expected_ = rows.value_or(-1);
}

void StreamMeter::Restart(int attempt) {
  attempt_ = attempt;
  rows_read_ = bytes_read_ = rows_written_ = bytes_written_ = 0;
}

void StreamMeter::CountRead(int64_t rows, int64_t total_bytes) {
  rows_read_ += rows;
  bytes_read_ = total_bytes;
  Tell(false);
}

void StreamMeter::CountWritten(int64_t rows, int64_t bytes) {
  rows_written_ += rows;
  bytes_written_ += bytes;
  Tell(false);
}

void StreamMeter::Event(Severity severity, std::string_view event,
                        std::string_view message) {
  observer_.OnEvent(severity, stream_, event, message);
}

void StreamMeter::Tell(bool always) {
  const int64_t now = std::chrono::duration_cast<std::chrono::milliseconds>(
                          clock_.Tick().time_since_epoch())
                          .count();
  int64_t due = next_tell_;
  if (!always && (now < due || !next_tell_.compare_exchange_strong(due, now + 100)))
    return;
  StreamProgress progress;
  progress.stream = stream_;
  progress.phase = phase_;
  progress.rows_read = rows_read_;
  progress.rows_written = rows_written_;
  progress.bytes_read = bytes_read_;
  progress.bytes_written = bytes_written_;
  if (expected_ >= 0) progress.expected_rows = expected_;
  progress.windows = windows_;
  progress.attempt = attempt_;
  observer_.OnProgress(progress);
}

}  // namespace dxt
