#include "server/tracing/span_exporter.h"

#include <algorithm>

#include "base/log.h"
#include "server/tracing/otlp_json.h"

namespace dxt {
namespace {

constexpr char kSpans[] = "spans";

}  // namespace

bool MayPassForOtlp(long status) {
  return status == 429 || (status >= 502 && status <= 504);
}

arrow::Result<std::unique_ptr<SpanExporter>> SpanExporter::Make(
    SpanExporterOptions options, Clock& clock, Log* log) {
  std::unique_ptr<SpanExporter> exporter(new SpanExporter(std::move(options), log));
  auto* const self = exporter.get();
  ARROW_ASSIGN_OR_RAISE(
      exporter->poster_,
      HttpPoster::Make(
          self->options_.posting, clock,
          [self](HttpPoster::Outcome outcome, const OutgoingPost& post,
                 const std::string& text) { self->Hear(outcome, post, text); }));
  self->thread_ = std::jthread([self](std::stop_token stop) { self->Work(stop); });
  return exporter;
}

SpanExporter::~SpanExporter() { Stop(std::chrono::milliseconds(0)); }

void SpanExporter::Export(std::vector<Span> spans) {
  size_t taken = 0;
  {
    std::lock_guard lock(mutex_);
    if (!stopped_ && waiting_.size() < options_.max_waiting) {
      taken = std::min(spans.size(), options_.max_waiting - waiting_.size());
    }
    std::move(spans.begin(), spans.begin() + static_cast<std::ptrdiff_t>(taken),
              std::back_inserter(waiting_));
  }
  changed_.notify_one();
  if (taken < spans.size()) {
    Drop(static_cast<int64_t>(spans.size() - taken), "too many spans wait already");
  }
}

void SpanExporter::Work(std::stop_token stop) {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, stop, [this] { return !waiting_.empty(); });
    // Others that end soon go along.
    changed_.wait_for(lock, stop, options_.delay,
                      [this] { return waiting_.size() >= options_.max_batch; });
    if (waiting_.empty()) return;
    const size_t count = std::min(waiting_.size(), options_.max_batch);
    const auto end = waiting_.begin() + static_cast<std::ptrdiff_t>(count);
    const std::vector<Span> batch(std::make_move_iterator(waiting_.begin()),
                                  std::make_move_iterator(end));
    waiting_.erase(waiting_.begin(), end);
    lock.unlock();
    Send(batch);
    lock.lock();
  }
}

void SpanExporter::Send(const std::vector<Span>& batch) {
  OutgoingPost post;
  post.url = options_.url;
  post.headers = options_.headers;
  post.headers.emplace_back("Content-Type: application/json");
  post.body = ToOtlpJson(options_.resource, options_.version, batch);
  post.about = {{kSpans, std::to_string(batch.size())}};
  poster_->Post(std::move(post));
}

void SpanExporter::Drop(int64_t spans, const std::string& why) {
  dropped_ += spans;
  if (log_ == nullptr || failing_.exchange(true)) return;
  log_->Write(LogLevel::kWarning, "traces_dropped", why,
              {{"collector", HostOf(options_.url)}});
}

void SpanExporter::Hear(HttpPoster::Outcome outcome, const OutgoingPost& post,
                        const std::string& text) {
  const int64_t spans = std::stoll(post.about[0].second);
  if (outcome == HttpPoster::Outcome::kRetry) return;
  if (outcome != HttpPoster::Outcome::kSent) return Drop(spans, text);
  const int64_t rejected = std::clamp<int64_t>(RejectedSpans(text), 0, spans);
  exported_ += spans - rejected;
  if (rejected > 0) return Drop(rejected, "the collector rejected some");
  if (!failing_.exchange(false) || log_ == nullptr) return;
  log_->Write(LogLevel::kInfo, "traces_accepted", "the collector takes spans again",
              {{"collector", HostOf(options_.url)},
               {"dropped", std::to_string(dropped_.load())}});
}

void SpanExporter::Stop(std::chrono::milliseconds grace) {
  {
    std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
  if (poster_) poster_->Stop(grace);
}

}  // namespace dxt
