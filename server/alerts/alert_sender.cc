#include "server/alerts/alert_sender.h"

#include <algorithm>
#include <list>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#include <curl/curl.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"

namespace dxt {
namespace {

using std::chrono::milliseconds;
using Moment = std::chrono::steady_clock::time_point;

struct EasyCleanup {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};
struct MultiCleanup {
  void operator()(CURLM* handle) const { curl_multi_cleanup(handle); }
};
struct ListCleanup {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

/// Answers are not read, only their status.
size_t Discard(char*, size_t size, size_t count, void*) { return size * count; }

/// The host of a URL, which is no secret.
std::string HostOf(const std::string& url) {
  const size_t scheme = url.find("://");
  if (scheme == std::string::npos) return {};
  const size_t begin = scheme + 3;
  std::string host = url.substr(begin, url.find_first_of("/?#", begin) - begin);
  if (const size_t user = host.rfind('@'); user != std::string::npos) {
    host.erase(0, user + 1);
  }
  return host;
}

}  // namespace

class AlertSender::Loop {
 public:
  Loop(AlertSenderOptions options, Clock& clock, Log* log, CURLM* multi, curl_slist* head)
      : options_(options),
        clock_(clock),
        log_(log),
        multi_(multi),
        header_(head),
        random_(std::random_device{}()),
        thread_([this] { Run(); }) {}

  ~Loop() { Stop(milliseconds(0)); }

  bool Send(OutgoingAlert alert);
  void Stop(milliseconds grace);
  Counts counts() const { return {sent_, failed_, dropped_, retried_}; }

 private:
  struct Message {
    OutgoingAlert alert;
    int attempt = 0;
    Moment due;
    milliseconds delay{0};
    std::unique_ptr<CURL, EasyCleanup> easy;  ///< Set while it is being sent.
  };
  using Messages = std::list<Message>;

  void Run();
  /// Begins what is due; the time until the next thing to do, false when all is done.
  bool StartDue(milliseconds* wait);
  void Start(Message& message);
  void Finish(CURL* easy, CURLcode code);
  void Retry(Messages::iterator message, const std::string& why,
             std::optional<milliseconds> asked);
  milliseconds NextDelay(Message& message, std::optional<milliseconds> asked);
  void Report(LogLevel level, std::string_view event, const std::string& text,
              const OutgoingAlert& alert) const;

  const AlertSenderOptions options_;
  Clock& clock_;
  Log* const log_;
  const std::unique_ptr<CURLM, MultiCleanup> multi_;
  const std::unique_ptr<curl_slist, ListCleanup> header_;
  std::mt19937_64 random_;  ///< The thread's own.

  std::mutex mutex_;
  Messages messages_;
  int sending_ = 0;
  bool stopping_ = false;
  Moment end_;
  std::atomic<int64_t> sent_{0}, failed_{0}, dropped_{0}, retried_{0};
  std::thread thread_;
};

bool AlertSender::Loop::Send(OutgoingAlert alert) {
  {
    std::lock_guard lock(mutex_);
    if (!stopping_ && messages_.size() < options_.max_waiting) {
      Message& message = messages_.emplace_back();
      message.alert = std::move(alert);
      message.due = clock_.Tick();
      curl_multi_wakeup(multi_.get());
      return true;
    }
  }
  ++dropped_;
  Report(LogLevel::kError, "alert_dropped", "too many alerts wait already", alert);
  return false;
}

void AlertSender::Loop::Stop(milliseconds grace) {
  {
    std::lock_guard lock(mutex_);
    if (!stopping_) end_ = clock_.Tick() + grace;
    stopping_ = true;
  }
  curl_multi_wakeup(multi_.get());
  if (thread_.joinable()) thread_.join();
}

void AlertSender::Loop::Run() {
  milliseconds wait{0};
  while (StartDue(&wait)) {
    int running = 0;
    curl_multi_perform(multi_.get(), &running);
    int left = 0;
    bool finished = false;
    while (const CURLMsg* said = curl_multi_info_read(multi_.get(), &left)) {
      if (said->msg != CURLMSG_DONE) continue;
      Finish(said->easy_handle, said->data.result);
      finished = true;
    }
    if (!finished) {
      curl_multi_poll(multi_.get(), nullptr, 0, static_cast<int>(wait.count()), nullptr);
    }
  }
  std::lock_guard lock(mutex_);
  for (auto& message : messages_) {
    if (message.easy) curl_multi_remove_handle(multi_.get(), message.easy.get());
    ++dropped_;
    Report(LogLevel::kError, "alert_dropped", "dxtd ended before it was accepted",
           message.alert);
  }
  messages_.clear();
}

bool AlertSender::Loop::StartDue(milliseconds* wait) {
  std::lock_guard lock(mutex_);
  const Moment now = clock_.Tick();
  if (stopping_) {
    // What was refused once would wait for too long.
    for (auto at = messages_.begin(); at != messages_.end();) {
      if (at->easy || at->attempt == 0) {
        ++at;
        continue;
      }
      ++dropped_;
      Report(LogLevel::kError, "alert_dropped", "dxtd ended before it was accepted",
             at->alert);
      at = messages_.erase(at);
    }
    if (messages_.empty() || now >= end_) return false;
  }
  Moment next = now + std::chrono::seconds(60);
  if (stopping_) next = std::min(next, end_);
  for (auto& message : messages_) {
    if (message.easy) continue;
    if (message.due > now) {
      next = std::min(next, message.due);
    } else if (sending_ < options_.max_parallel) {
      Start(message);
    }
  }
  *wait = std::chrono::duration_cast<milliseconds>(next - now) + milliseconds(1);
  return true;
}

void AlertSender::Loop::Start(Message& message) {
  CURL* easy = curl_easy_init();
  message.easy.reset(easy);
  ++message.attempt;
  ++sending_;
  curl_easy_setopt(easy, CURLOPT_URL, message.alert.url.c_str());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_POSTFIELDS, message.alert.body.data());
  curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                   static_cast<curl_off_t>(message.alert.body.size()));
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, header_.get());
  curl_easy_setopt(easy, CURLOPT_USERAGENT, "dxtd");
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &Discard);
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(options_.timeout.count()));
  curl_multi_add_handle(multi_.get(), easy);
}

void AlertSender::Loop::Finish(CURL* easy, CURLcode code) {
  long status = 0;
  curl_off_t asked_seconds = 0;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &asked_seconds);
  curl_multi_remove_handle(multi_.get(), easy);

  std::lock_guard lock(mutex_);
  const auto message = std::find_if(messages_.begin(), messages_.end(),
                                    [&](const auto& m) { return m.easy.get() == easy; });
  if (message == messages_.end()) return;
  message->easy.reset();
  --sending_;
  // Once the status is there, a body that never ends changes nothing.
  if (status >= 200 && status < 300) {
    ++sent_;
    Report(LogLevel::kInfo, "alert_sent", "", message->alert);
    messages_.erase(message);
    return;
  }
  const std::string why = status > 0 ? "the receiver answered " + std::to_string(status)
                                     : curl_easy_strerror(code);
  const bool transient = status == 0 ? code != CURLE_URL_MALFORMAT &&
                                           code != CURLE_UNSUPPORTED_PROTOCOL &&
                                           code != CURLE_PEER_FAILED_VERIFICATION
                                     : status == 408 || status == 429 || status >= 500;
  if (transient && message->attempt < options_.attempts) {
    std::optional<milliseconds> asked;
    if (asked_seconds > 0) {
      const auto most = options_.max_delay.count();
      asked = milliseconds(std::min<int64_t>(asked_seconds, most / 1000 + 1) * 1000);
    }
    Retry(message, why, asked);
    return;
  }
  ++failed_;
  Report(LogLevel::kError, "alert_failed", why, message->alert);
  messages_.erase(message);
}

void AlertSender::Loop::Retry(Messages::iterator message, const std::string& why,
                              std::optional<milliseconds> asked) {
  ++retried_;
  const milliseconds delay = NextDelay(*message, asked);
  message->due = clock_.Tick() + delay;
  Report(LogLevel::kWarning, "alert_retry",
         why + "; again in " + std::to_string(delay.count()) + " ms", message->alert);
}

milliseconds AlertSender::Loop::NextDelay(Message& message,
                                          std::optional<milliseconds> asked) {
  // Decorrelated jitter: receivers that fail together are not tried together.
  const int64_t low = options_.first_delay.count();
  const int64_t high = std::max(low, message.delay.count() * 3);
  const int64_t drawn = std::uniform_int_distribution<int64_t>(low, high)(random_);
  message.delay = std::min(milliseconds(drawn), options_.max_delay);
  if (asked) return std::max(message.delay, std::min(*asked, options_.max_delay));
  return message.delay;
}

void AlertSender::Loop::Report(LogLevel level, std::string_view event,
                               const std::string& text,
                               const OutgoingAlert& alert) const {
  if (log_ == nullptr) return;
  log_->Write(level, event, text,
              {{"alert", alert.event},
               {"pipeline", alert.pipeline},
               {"run", alert.run},
               {"receiver", HostOf(alert.url)}});
}

AlertSender::AlertSender(std::unique_ptr<Loop> loop) : loop_(std::move(loop)) {}

AlertSender::~AlertSender() {
  loop_.reset();
  curl_global_cleanup();
}

arrow::Result<std::unique_ptr<AlertSender>> AlertSender::Make(AlertSenderOptions options,
                                                              Clock& clock, Log* log) {
  CURLM* multi = nullptr;
  curl_slist* header = nullptr;
  if (curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK) {
    multi = curl_multi_init();
    header = curl_slist_append(nullptr, "Content-Type: application/json");
  }
  if (multi == nullptr || header == nullptr) {
    return MakeError(ErrorClass::kInternal, "alert.client",
                     "The HTTP client of alerts cannot be made");
  }
  return std::unique_ptr<AlertSender>(
      new AlertSender(std::make_unique<Loop>(options, clock, log, multi, header)));
}

bool AlertSender::Send(OutgoingAlert alert) { return loop_->Send(std::move(alert)); }
void AlertSender::Stop(std::chrono::milliseconds grace) { loop_->Stop(grace); }
AlertSender::Counts AlertSender::counts() const { return loop_->counts(); }

}  // namespace dxt
