#include "server/scheduler/log_writer.h"

#include "base/log.h"

namespace dxt {
namespace {

constexpr auto kDelay = std::chrono::milliseconds(300);
constexpr size_t kBatch = 1000;

}  // namespace

LogWriter::LogWriter(LogStore& store, Log* log)
    : store_(store), log_(log), thread_([this] { Work(); }) {}

LogWriter::~LogWriter() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void LogWriter::Add(const std::string& run, LogRecord line) {
  std::lock_guard lock(mutex_);
  if (count_ > kMostWaiting) return;
  if (count_ == kMostWaiting) {
    line.severity = "WARNING";
    line.event = "log_lines_lost";
    line.message = "Lines come faster than they can be stored; some are left out";
  }
  waiting_[run].push_back(std::move(line));
  ++count_;
  if (count_ == 1 || count_ == kBatch) changed_.notify_one();
}

std::vector<LogRecord> LogWriter::Take(const std::string& run) {
  std::unique_lock lock(mutex_);
  written_.wait(lock, [&] { return !writing_.contains(run); });
  auto found = waiting_.extract(run);
  if (found.empty()) return {};
  count_ -= found.mapped().size();
  return std::move(found.mapped());
}

void LogWriter::Work() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return stopping_ || count_ > 0; });
    // A little patience makes few transactions of what comes one by one, and none of the
    // lines of a run that ends meanwhile.
    changed_.wait_for(lock, kDelay, [&] { return stopping_ || count_ >= kBatch; });
    if (waiting_.empty()) {
      if (stopping_) return;
      continue;
    }
    writing_.swap(waiting_);
    count_ = 0;
    lock.unlock();
    Write(writing_);
    lock.lock();
    writing_.clear();
    written_.notify_all();
  }
}

void LogWriter::Write(const Lines& lines) {
  for (const auto& [run, batch] : lines) {
    const auto stored = store_.Append(run, batch);
    if (!stored.ok() && log_ != nullptr) {
      log_->Write(LogLevel::kWarning, "run_log_not_stored", stored.status().message(),
                  {{"run", run}});
    }
  }
}

}  // namespace dxt
