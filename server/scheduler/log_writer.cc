#include "server/scheduler/log_writer.h"

#include <map>

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
  if (waiting_.size() > kMostWaiting) return;
  if (waiting_.size() == kMostWaiting) {
    line.severity = "WARNING";
    line.event = "log_lines_lost";
    line.message = "Lines come faster than they can be stored; some are left out";
  }
  waiting_.emplace_back(run, std::move(line));
  ++added_;
  if (waiting_.size() == 1 || waiting_.size() == kBatch) changed_.notify_one();
}

void LogWriter::Flush() {
  std::unique_lock lock(mutex_);
  const uint64_t mine = added_;
  if (done_ >= mine) return;
  wanted_ = std::max(wanted_, mine);
  changed_.notify_one();
  written_.wait(lock, [&] { return done_ >= mine; });
}

void LogWriter::Work() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return stopping_ || !waiting_.empty(); });
    // A little patience makes one transaction of what comes one by one.
    changed_.wait_for(lock, kDelay, [&] {
      return stopping_ || wanted_ > done_ || waiting_.size() >= kBatch;
    });
    if (waiting_.empty()) {
      if (stopping_) return;
      continue;
    }
    std::deque<std::pair<std::string, LogRecord>> lines;
    lines.swap(waiting_);
    const uint64_t count = lines.size();
    lock.unlock();
    Write(std::move(lines));
    lock.lock();
    done_ += count;
    written_.notify_all();
  }
}

void LogWriter::Write(std::deque<std::pair<std::string, LogRecord>> lines) {
  std::map<std::string, std::vector<LogRecord>> by_run;
  for (auto& [run, line] : lines) by_run[run].push_back(std::move(line));
  for (const auto& [run, batch] : by_run) {
    const auto stored = store_.Append(run, batch);
    if (!stored.ok() && log_ != nullptr) {
      log_->Write(LogLevel::kWarning, "run_log_not_stored", stored.status().message(),
                  {{"run", run}});
    }
  }
}

}  // namespace dxt
