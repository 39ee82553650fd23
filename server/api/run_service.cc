#include <algorithm>
#include <deque>
#include <mutex>

#include "server/api/convert.h"
#include "server/api/file_roots.h"
#include "server/api/services.h"
#include "server/api/status_map.h"
#include "server/scheduler/dispatcher.h"

namespace dxt {
namespace {

/// Sends what a feed holds, as fast as the client takes it. Deletes itself by losing its
/// last reference in OnDone.
class WatchReactor : public grpc::ServerWriteReactor<v1::RunEvent>, public FeedWatcher {
 public:
  static WatchReactor* Start(std::shared_ptr<RunFeed> feed, int64_t cursor) {
    auto reactor = std::make_shared<WatchReactor>(std::move(feed), cursor);
    reactor->self_ = reactor;
    reactor->feed_->Watch(reactor);
    return reactor.get();
  }
  WatchReactor(std::shared_ptr<RunFeed> feed, int64_t cursor)
      : feed_(std::move(feed)), cursor_(cursor) {}

  void OnMore() override { Pump(); }

  void OnWriteDone(bool ok) override {
    {
      std::lock_guard lock(mutex_);
      writing_ = false;
      cancelled_ = cancelled_ || !ok;
    }
    Pump();
  }

  void OnCancel() override {
    {
      std::lock_guard lock(mutex_);
      cancelled_ = true;
    }
    Pump();
  }

  void OnDone() override { const auto last_reference = std::move(self_); }

 private:
  /// Starts the next write, or the end, unless one is under way.
  void Pump() {
    std::unique_lock lock(mutex_);
    if (writing_ || finished_) return;
    if (cancelled_) {
      finished_ = true;
      lock.unlock();
      Finish(grpc::Status::CANCELLED);
      return;
    }
    if (pending_.empty()) {
      auto events = feed_->After(cursor_);
      pending_.assign(std::make_move_iterator(events.begin()),
                      std::make_move_iterator(events.end()));
    }
    if (pending_.empty()) {
      if (!ended_) return;
      finished_ = true;
      lock.unlock();
      Finish(grpc::Status::OK);
      return;
    }
    cursor_ = pending_.front().cursor;
    ended_ = std::holds_alternative<RunRecord>(pending_.front().what);
    current_ = ToProto(pending_.front());
    pending_.pop_front();
    writing_ = true;
    lock.unlock();
    StartWrite(&current_);
  }

  const std::shared_ptr<RunFeed> feed_;
  std::shared_ptr<WatchReactor> self_;
  std::mutex mutex_;
  int64_t cursor_;
  std::deque<FeedEvent> pending_;
  v1::RunEvent current_;
  bool writing_ = false, cancelled_ = false, ended_ = false, finished_ = false;
};

/// A stream that ends at once.
template <typename Message>
class EndedStream : public grpc::ServerWriteReactor<Message> {
 public:
  explicit EndedStream(const grpc::Status& status) { this->Finish(status); }
  void OnDone() override { delete this; }
};

}  // namespace

grpc::Status RunServiceImpl::Submit(const v1::SubmitRunRequest& request,
                                    v1::Run& response) {
  if (*parts_.draining) {
    return ApiError(grpc::StatusCode::UNAVAILABLE, "server.draining",
                    "dxtd is on its way out and takes no run any more");
  }
  const DocumentInputs inputs = FromProto(request.documents());
  auto parsed = ParseDocuments(inputs, *parts_.registry);
  if (!parsed.ok()) return ProblemsToGrpc(parsed.problems, Redactor(parsed.secrets));
  if (!parsed.pipeline) {
    return ApiError(grpc::StatusCode::INVALID_ARGUMENT, "document.no_pipeline",
                    "A run needs a pipeline document, and none was sent");
  }
  const auto allowed = CheckFileRoots(*parsed.pipeline, parts_);
  if (!allowed.ok()) return ToGrpc(allowed, Redactor(parsed.secrets));
  Submission submission =
      MakeSubmission(inputs, std::move(parsed), FromProto(request.options()));
  submission.request_id = request.request_id();
  submission.attachment = request.attachment();
  const Redactor redactor = submission.redactor;
  auto run = parts_.dispatcher->Submit(std::move(submission));
  if (!run.ok()) return ToGrpc(run.status(), redactor);
  response = ToProto(*run);
  return grpc::Status::OK;
}

Reply RunServiceImpl::SubmitRun(CallContext* context, const v1::SubmitRunRequest* request,
                                v1::Run* response) {
  return Answer(context, Submit(*request, *response));
}

Reply RunServiceImpl::GetRun(CallContext* context, const v1::GetRunRequest* request,
                             v1::Run* response) {
  auto run = parts_.dispatcher->Get(LastPart(request->name()));
  if (run.ok()) *response = ToProto(*run);
  return Answer(context, ToGrpc(run.status()));
}

Reply RunServiceImpl::ListRuns(CallContext* context, const v1::ListRunsRequest* request,
                               v1::ListRunsResponse* response) {
  if (request->page_size() < 0) {
    return Answer(context, ApiError(grpc::StatusCode::INVALID_ARGUMENT, "api.page_size",
                                    "page_size is negative"));
  }
  RunQuery query;
  query.project = LastPart(request->parent());
  if (query.project == "-") query.project.clear();
  query.pipeline = request->pipeline();
  query.before_id = request->page_token();
  query.limit = request->page_size() == 0 ? 50 : std::min(request->page_size(), 1000);
  auto runs = parts_.store->runs().List(query);
  if (!runs.ok()) return Answer(context, ToGrpc(runs.status()));
  for (const auto& run : *runs) *response->add_runs() = ToProto(run);
  if (static_cast<int>(runs->size()) == query.limit) {
    response->set_next_page_token(runs->back().id);
  }
  return Answer(context, grpc::Status::OK);
}

Reply RunServiceImpl::CancelRun(CallContext* context, const v1::CancelRunRequest* request,
                                v1::Run* response) {
  auto run = parts_.dispatcher->Cancel(LastPart(request->name()));
  if (run.ok()) *response = ToProto(*run);
  return Answer(context, ToGrpc(run.status()));
}

grpc::ServerWriteReactor<v1::RunEvent>* RunServiceImpl::WatchRun(
    CallContext*, const v1::WatchRunRequest* request) {
  const std::string id = LastPart(request->name());
  if (auto feed = parts_.dispatcher->Feed(id)) {
    return WatchReactor::Start(std::move(feed), request->cursor());
  }
  auto run = parts_.dispatcher->Get(id);
  if (!run.ok()) return new EndedStream<v1::RunEvent>(ToGrpc(run.status()));
  if (!IsTerminalRunState(run->state)) {
    return new EndedStream<v1::RunEvent>(
        ApiError(grpc::StatusCode::FAILED_PRECONDITION, "run.interrupted",
                 "Run " + id + " was interrupted and nothing executes it",
                 "Run its pipeline again to continue it"));
  }
  // Its feed is gone; the end is all there is to tell.
  auto feed = std::make_shared<RunFeed>();
  feed->End(std::move(*run));
  return WatchReactor::Start(std::move(feed), 0);
}

}  // namespace dxt
