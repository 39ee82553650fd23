#include "state/sqlite/database.h"

#include <span>
#include <utility>

#include "base/error.h"
#include "state/sqlite/connection.h"

namespace dxt {
namespace {

/// Callers wait for the whole batch they are in.
constexpr size_t kLargestBatch = 256;
constexpr int kMostReaders = 4;
/// The log is folded into the file whenever it has grown by so many pages.
constexpr int kFoldedPages = 1000;
/// A log that others keep growing is never whole in the file, so that it could begin
/// anew: at this length the writer stops growing it and folds the rest itself.
constexpr int kLongestLog = 8000;

}  // namespace

/// A caller of Write, on its own stack while it waits.
struct StateDatabase::Request {
  const Work* work;
  arrow::Status status;
  bool settled = false;
  std::condition_variable changed;
};

StateDatabase::StateDatabase(std::string path) : path_(std::move(path)) {}

arrow::Result<std::unique_ptr<StateDatabase>> StateDatabase::Open(
    const std::string& path) {
  std::unique_ptr<StateDatabase> database(new StateDatabase(path));
  ARROW_RETURN_NOT_OK(database->Prepare());
  database->thread_ = std::thread([at = database.get()] { at->WriteUntilStopped(); });
  database->folding_ = std::thread([at = database.get()] { at->FoldUntilStopped(); });
  return database;
}

arrow::Result<std::unique_ptr<StateDatabase>> StateDatabase::OpenInMemory() {
  std::unique_ptr<StateDatabase> database(new StateDatabase(Connection::kInMemory));
  ARROW_RETURN_NOT_OK(database->Prepare());
  return database;
}

arrow::Status StateDatabase::Prepare() {
  ARROW_ASSIGN_OR_RAISE(writer_, Connection::Open(path_, Connection::Kind::kWriter));
  ARROW_RETURN_NOT_OK(writer_->Check());
  return writer_->Migrate();
}

StateDatabase::~StateDatabase() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  work_arrived_.notify_all();
  log_grew_.notify_all();
  if (thread_.joinable()) thread_.join();
  if (folding_.joinable()) folding_.join();
}

arrow::Status StateDatabase::Write(const Work& work) {
  Request request;
  request.work = &work;
  std::unique_lock lock(mutex_);
  if (in_memory()) {
    Request* const only = &request;
    Commit({&only, 1});
    return std::move(request.status);
  }
  queue_.push_back(&request);
  work_arrived_.notify_one();
  request.changed.wait(lock, [&] { return request.settled; });
  return std::move(request.status);
}

void StateDatabase::WriteUntilStopped() {
  std::unique_lock lock(mutex_);
  while (true) {
    work_arrived_.wait(lock, [&] { return stopping_ || !queue_.empty(); });
    if (queue_.empty()) return;
    const size_t size = std::min(queue_.size(), kLargestBatch);
    const std::vector<Request*> batch(queue_.begin(), queue_.begin() + size);
    queue_.erase(queue_.begin(), queue_.begin() + size);
    lock.unlock();
    for (size_t done = 0; done < batch.size();) {
      done += Commit(std::span(batch).subspan(done));
    }
    lock.lock();
    for (Request* request : batch) {
      request->settled = true;
      request->changed.notify_one();
    }
    log_pages_ = writer_->log_pages();
    // It began anew.
    if (log_pages_ < folded_at_) folded_at_ = 0;
    if (log_pages_ - folded_at_ < kFoldedPages) continue;
    if (log_pages_ < kLongestLog) {
      log_grew_.notify_one();
    } else {
      lock.unlock();
      Fold(*writer_);
      lock.lock();
    }
  }
}

void StateDatabase::FoldUntilStopped() {
  auto connection = Connection::Open(path_, Connection::Kind::kFolder);
  // Without it the writer does all of it.
  if (!connection.ok()) return;
  std::unique_lock lock(mutex_);
  while (true) {
    log_grew_.wait(lock,
                   [&] { return stopping_ || log_pages_ - folded_at_ >= kFoldedPages; });
    if (stopping_) return;
    lock.unlock();
    Fold(**connection);
    lock.lock();
  }
}

void StateDatabase::Fold(Connection& connection) {
  {
    std::lock_guard lock(mutex_);
    folded_at_ = log_pages_;
  }
  BreakAfter(connection.Fold());
}

void StateDatabase::BreakAfter(const arrow::Status& status) {
  if (status.ok() || GetErrorInfo(status).code != "state.sync_failed") return;
  std::lock_guard lock(broken_mutex_);
  broken_ = status;
}

arrow::Status StateDatabase::Broken() {
  std::lock_guard lock(broken_mutex_);
  return broken_;
}

size_t StateDatabase::Commit(std::span<Request* const> batch) {
  arrow::Status lost = Broken();
  if (lost.ok()) lost = writer_->Step("BEGIN IMMEDIATE").status();
  size_t ran = 0;
  while (lost.ok() && ran < batch.size()) {
    Request& request = *batch[ran++];
    if (batch.size() == 1) {
      // The transaction is its savepoint.
      Transaction transaction(*writer_);
      request.status = lost = (*request.work)(transaction);
      break;
    }
    request.status = RunInSavepoint(*request.work);
    // A full disk may undo the whole transaction, with what others had changed in it.
    if (!writer_->in_transaction()) lost = request.status;
  }
  if (lost.ok()) lost = writer_->Step("COMMIT").status();
  if (lost.ok()) return ran;
  writer_->RollBack();
  BreakAfter(lost);
  if (ran == 0) ran = batch.size();
  for (Request* request : batch.first(ran)) {
    if (request->status.ok()) request->status = lost;
  }
  return ran;
}

arrow::Status StateDatabase::RunInSavepoint(const Work& work) {
  ARROW_RETURN_NOT_OK(writer_->Step("SAVEPOINT caller").status());
  Transaction transaction(*writer_);
  auto status = work(transaction);
  if (!status.ok() && writer_->in_transaction()) {
    const auto undone = writer_->Step("ROLLBACK TO caller").status();
    // What cannot be undone alone must not be committed with the others.
    if (!undone.ok()) writer_->RollBack();
  }
  if (!writer_->in_transaction()) return status;
  const auto released = writer_->Step("RELEASE caller").status();
  return status.ok() ? released : status;
}

arrow::Result<std::unique_ptr<StateDatabase::Connection>> StateDatabase::TakeReader() {
  std::unique_lock lock(readers_mutex_);
  reader_returned_.wait(
      lock, [&] { return !idle_readers_.empty() || readers_ < kMostReaders; });
  if (!idle_readers_.empty()) {
    auto reader = std::move(idle_readers_.back());
    idle_readers_.pop_back();
    return reader;
  }
  ARROW_ASSIGN_OR_RAISE(auto reader, Connection::Open(path_, Connection::Kind::kReader));
  ++readers_;
  return reader;
}

arrow::Status StateDatabase::Read(const Work& work) {
  if (in_memory()) {
    // Nobody else changes anything meanwhile, so no snapshot is needed.
    const std::lock_guard lock(mutex_);
    Transaction transaction(*writer_);
    return work(transaction);
  }
  ARROW_ASSIGN_OR_RAISE(auto reader, TakeReader());
  auto status = reader->Step("BEGIN").status();
  if (status.ok()) {
    Transaction transaction(*reader);
    status = work(transaction);
  }
  reader->RollBack();
  {
    std::lock_guard lock(readers_mutex_);
    idle_readers_.push_back(std::move(reader));
  }
  reader_returned_.notify_one();
  return status;
}

}  // namespace dxt
