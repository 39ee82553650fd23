#include <algorithm>
#include <deque>
#include <mutex>

#include "base/clock.h"
#include "base/error.h"
#include "server/api/convert.h"
#include "server/api/paging.h"
#include "server/api/resource_names.h"
#include "server/api/run_filter.h"
#include "server/api/services.h"
#include "server/api/status_map.h"
#include "server/scheduler/catalog.h"
#include "server/scheduler/dispatcher.h"
#include "server/scheduler/submission.h"

namespace dxt {
namespace {

constexpr size_t kMostPendingBytes = 64 << 10;
constexpr size_t kLongestRequestId = 128;
constexpr int kLinesAtATime = 50;

/// Sends what a feed holds, as fast as the client takes it.
class WatchStream : public PulledStream<v1::RunEvent>, public FeedWatcher {
 public:
  WatchStream(std::shared_ptr<RunFeed> feed, int64_t cursor)
      : PulledStream(/*polls=*/false), feed_(std::move(feed)), cursor_(cursor) {}

  void OnMore() override { Wake(); }

 private:
  Pull Next(v1::RunEvent& event, grpc::Status&) override {
    if (ended_) return Pull::kEnd;
    bool over = false;
    if (pending_.empty()) {
      if (!TakeTurn()) return Pull::kNothing;
      // Asked first: what came in between is then among the events.
      over = feed_->ended();
      auto events = feed_->After(cursor_, kMostPendingBytes);
      pending_.assign(std::make_move_iterator(events.begin()),
                      std::make_move_iterator(events.end()));
      // Progress never ends while a run lasts, and can wait for the next turn.
      if (!std::all_of(pending_.begin(), pending_.end(), [](const FeedEvent& one) {
            return std::holds_alternative<StreamProgress>(one.what);
          })) {
        GiveTurn();
      }
    }
    if (pending_.empty()) return over ? Pull::kEnd : Pull::kNothing;
    cursor_ = pending_.front().cursor;
    ended_ = std::holds_alternative<RunRecord>(pending_.front().what);
    event = ToProto(pending_.front());
    pending_.pop_front();
    return Pull::kMessage;
  }

  const std::shared_ptr<RunFeed> feed_;
  int64_t cursor_;
  std::deque<FeedEvent> pending_;
  bool ended_ = false;
};

/// Sends a run's stored log, then what is added to it.
class TailStream : public PulledStream<v1::LogLine> {
 public:
  TailStream(StateStore& store, std::string run, const v1::TailLogsRequest& request)
      : PulledStream(/*polls=*/request.follow()),
        store_(store),
        run_(std::move(run)),
        stream_(request.stream()),
        follow_(request.follow()),
        cursor_(request.cursor()) {
    if (request.min_severity() != v1::LogLine::SEVERITY_UNSPECIFIED) {
      severity_ = v1::LogLine::Severity_Name(request.min_severity());
    }
  }

 private:
  Pull Next(v1::LogLine& line, grpc::Status& end) override {
    if (pending_.empty()) {
      // Whether it ended is asked first: lines that came in between are then read.
      bool over = !follow_;
      if (follow_) {
        const auto run = store_.runs().Get(run_);
        over = !run.ok() || !*run || IsTerminalRunState((*run)->state);
      }
      auto lines = store_.logs().Read(run_, cursor_, kLinesAtATime, severity_, stream_);
      if (!lines.ok()) {
        end = ToGrpc(lines.status());
        return Pull::kEnd;
      }
      pending_.assign(std::make_move_iterator(lines->begin()),
                      std::make_move_iterator(lines->end()));
      if (pending_.empty()) return over ? Pull::kEnd : Pull::kNothing;
    }
    cursor_ = pending_.front().seq;
    line = ToProto(pending_.front());
    pending_.pop_front();
    return Pull::kMessage;
  }

  StateStore& store_;
  const std::string run_, stream_;
  const bool follow_;
  std::string severity_;
  int64_t cursor_;
  std::deque<LogRecord> pending_;
};

grpc::Status CheckRequest(const v1::SubmitRunRequest& request) {
  if (request.request_id().size() > kLongestRequestId) {
    return FieldError("request_id", "at most 128 characters");
  }
  if (std::abs(static_cast<int64_t>(request.priority())) > kMostPriority) {
    return FieldError("priority", "this must be between -1000 and 1000");
  }
  if (!v1::RunOptions::Phase_IsValid(request.options().phase())) {
    return FieldError("options.phase", "this server does not know that phase");
  }
  if (request.has_documents() == !request.pipeline().empty()) {
    return FieldError("documents", "send documents, or name a stored pipeline");
  }
  return grpc::Status::OK;
}

/// Of all that decides what the run does.
std::string RequestHash(const v1::SubmitRunRequest& request) {
  v1::SubmitRunRequest asked = request;
  asked.clear_request_id();
  asked.clear_attachment();
  return MessageHash(asked);
}

}  // namespace

grpc::Status RunServiceImpl::Prepare(const v1::SubmitRunRequest& request,
                                     Submission& submission) {
  if (!request.pipeline().empty()) {
    grpc::Status refused;
    const auto name = ParseName(request.pipeline(), "pipelines", "pipeline", refused);
    if (!name) return refused;
    auto prepared = parts_.catalog->Prepare(
        name->project, name->id, FromProto(request.options()),
        {request.sql_variables().begin(), request.sql_variables().end()});
    if (!prepared.ok()) return ToGrpc(prepared.status());
    submission = std::move(*prepared);
  } else {
    const DocumentInputs inputs = FromProto(request.documents());
    auto parsed = parts_.catalog->Parse(inputs);
    const Redactor redactor(parsed.secrets);
    if (!parsed.ok()) return ProblemsToGrpc(parsed.problems, redactor);
    if (!parsed.pipeline) {
      return ApiError(grpc::StatusCode::INVALID_ARGUMENT, "document.no_pipeline",
                      "A run needs a pipeline document, and none was sent");
    }
    submission = MakeSubmission(inputs, std::move(parsed), FromProto(request.options()));
  }
  const auto allowed = parts_.file_roots.Check(submission.pipeline);
  if (!allowed.ok()) return ToGrpc(allowed, submission.redactor);
  submission.request_id = request.request_id();
  submission.request_hash = RequestHash(request);
  submission.attachment = request.attachment();
  submission.priority = request.priority();
  return grpc::Status::OK;
}

grpc::Status RunServiceImpl::Submit(CallContext* context,
                                    const v1::SubmitRunRequest& request,
                                    v1::Run& response) {
  if (auto refused = RefuseRuns(parts_); !refused.ok()) return refused;
  if (auto refused = CheckRequest(request); !refused.ok()) return refused;
  Submission submission;
  if (auto refused = Prepare(request, submission); !refused.ok()) return refused;
  const auto traced = context->client_metadata().find("traceparent");
  if (traced != context->client_metadata().end()) {
    submission.traceparent.assign(traced->second.data(), traced->second.size());
  }
  const Redactor redactor = submission.redactor;
  const std::string pipeline =
      PipelineName(submission.pipeline.project.name, submission.pipeline.name);
  if (request.validate_only()) {
    response.set_pipeline(pipeline);
    response.set_dry_run(submission.options.dry_run);
    response.set_document_hash(submission.document_hash);
    response.set_pipeline_revision(submission.pipeline_revision);
    return ToGrpc(parts_.dispatcher->Check(submission), redactor);
  }
  const auto audit = Audit(parts_, context, "SubmitRun", pipeline);
  // What a private daemon is asked needs no trail: it serves one user.
  auto run = parts_.dispatcher->Submit(std::move(submission),
                                       parts_.is_private ? nullptr : &audit);
  if (!run.ok()) return ToGrpc(run.status(), redactor);
  response = ToProto(*run);
  return grpc::Status::OK;
}

Reply RunServiceImpl::SubmitRun(CallContext* context, const v1::SubmitRunRequest* request,
                                v1::Run* response) {
  return parts_.calls->Answer(context, [=, this]() -> grpc::Status {
    return Submit(context, *request, *response);
  });
}

Reply RunServiceImpl::GetRun(CallContext* context, const v1::GetRunRequest* request,
                             v1::Run* response) {
  return parts_.calls->Answer(context, [=, this]() -> grpc::Status {
    grpc::Status refused;
    const auto name = ParseName(request->name(), "runs", "name", refused);
    if (!name) return refused;
    auto run = parts_.dispatcher->Get(name->id);
    if (!run.ok()) return ToGrpc(run.status());
    *response = ToProto(*run);
    response->set_waiting_for(parts_.dispatcher->WaitingFor(name->id));
    const auto input = parts_.store->runs().Input(name->id);
    if (input.ok() && *input) response->set_document((*input)->pipeline_document.text);
    return grpc::Status::OK;
  });
}

Reply RunServiceImpl::ListRuns(CallContext* context, const v1::ListRunsRequest* request,
                               v1::ListRunsResponse* response) {
  return parts_.calls->Answer(context, [=, this]() -> grpc::Status {
    grpc::Status refused;
    const auto project = ParseParent(request->parent(), true, "parent", refused);
    if (!project) return refused;
    const auto page = ReadPage(*request, refused);
    if (!page) return refused;
    RunQuery query;
    query.project = *project;
    query.pipeline = LastPart(request->pipeline());
    query.limit = page->limit;
    if (refused = ApplyFilter(request->filter(), query); !refused.ok()) {
      return refused;
    }
    if (refused = ApplyOrder(request->order_by(), query); !refused.ok()) {
      return refused;
    }
    (query.ascending ? query.after_id : query.before_id) = page->after;
    const auto runs = parts_.store->runs().List(query);
    if (!runs.ok()) return ToGrpc(runs.status());
    for (const auto& run : *runs) {
      auto& listed = *response->add_runs() = ToProto(run);
      if (IsTerminalRunState(run.state)) continue;
      listed.set_waiting_for(parts_.dispatcher->WaitingFor(run.id));
    }
    if (static_cast<int>(runs->size()) == query.limit) {
      response->set_next_page_token(page->TokenAfter(runs->back().id));
    }
    return grpc::Status::OK;
  });
}

Reply RunServiceImpl::CancelRun(CallContext* context, const v1::CancelRunRequest* request,
                                v1::Run* response) {
  return parts_.calls->Answer(context, [=, this]() -> grpc::Status {
    grpc::Status refused;
    const auto name = ParseName(request->name(), "runs", "name", refused);
    if (!name) return refused;
    const auto audit = Audit(parts_, context, "CancelRun", request->name());
    auto run = parts_.dispatcher->Cancel(name->id, request->reason(),
                                         parts_.is_private ? nullptr : &audit);
    if (run.ok()) *response = ToProto(*run);
    return ToGrpc(run.status());
  });
}

Reply RunServiceImpl::RetryRun(CallContext* context, const v1::RetryRunRequest* request,
                               v1::Run* response) {
  return parts_.calls->Answer(context, [=, this]() -> grpc::Status {
    grpc::Status refused = RefuseRuns(parts_);
    if (!refused.ok()) return refused;
    const auto name = ParseName(request->name(), "runs", "name", refused);
    if (!name) return refused;
    if (request->request_id().size() > kLongestRequestId) {
      return FieldError("request_id", "at most 128 characters");
    }
    const auto audit = Audit(parts_, context, "RetryRun", request->name());
    auto run = parts_.dispatcher->Retry(name->id, request->request_id(), &audit);
    if (run.ok()) *response = ToProto(*run);
    return ToGrpc(run.status());
  });
}

grpc::ServerWriteReactor<v1::RunEvent>* RunServiceImpl::WatchRun(
    CallContext* context, const v1::WatchRunRequest* request) {
  using Ended = EndedStream<v1::RunEvent>;
  grpc::Status refused;
  const auto name = ParseName(request->name(), "runs", "name", refused);
  if (!name) return new Ended(refused);
  if (request->cursor() < 0) {
    return new Ended(FieldError("cursor", "this must not be negative"));
  }
  const auto watch = [&](std::shared_ptr<RunFeed> feed, int64_t cursor) {
    auto stream = std::make_shared<WatchStream>(feed, cursor);
    auto* reactor = WatchStream::Start(stream, context, streams_);
    feed->Watch(stream);
    return reactor;
  };
  if (auto feed = parts_.dispatcher->Feed(name->id)) {
    return watch(std::move(feed), request->cursor());
  }
  auto run = parts_.dispatcher->Get(name->id);
  if (!run.ok()) return new Ended(ToGrpc(run.status()));
  if (!IsTerminalRunState(run->state)) {
    return new Ended(
        ApiError(grpc::StatusCode::FAILED_PRECONDITION, "run.interrupted",
                 "Run " + name->id + " was interrupted and nothing executes it",
                 "Run its pipeline again to continue it"));
  }
  // Its feed is gone; the end is all there is to tell.
  auto feed = std::make_shared<RunFeed>(run->attempt);
  feed->End(std::move(*run));
  return watch(std::move(feed), 0);
}

grpc::ServerWriteReactor<v1::LogLine>* RunServiceImpl::TailLogs(
    CallContext* context, const v1::TailLogsRequest* request) {
  using Ended = EndedStream<v1::LogLine>;
  grpc::Status refused;
  const auto name = ParseName(request->name(), "runs", "name", refused);
  if (!name) return new Ended(refused);
  if (request->cursor() < 0) {
    return new Ended(FieldError("cursor", "this must not be negative"));
  }
  if (!v1::LogLine::Severity_IsValid(request->min_severity())) {
    return new Ended(FieldError("min_severity", "this server does not know it"));
  }
  const auto run = parts_.dispatcher->Get(name->id);
  if (!run.ok()) return new Ended(ToGrpc(run.status()));
  return TailStream::Start(
      std::make_shared<TailStream>(*parts_.store, name->id, *request), context, streams_);
}

}  // namespace dxt
