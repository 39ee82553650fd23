#include "server/outgoing/http_poster.h"

#include <algorithm>
#include <list>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#include <curl/curl.h>

#include "base/clock.h"
#include "base/error.h"

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

constexpr char kEnded[] = "dxtd ended before it was accepted";
constexpr size_t kMostAnswer = 4096;

/// Keeps the beginning of an answer.
size_t Keep(char* bytes, size_t size, size_t count, void* kept) {
  auto& answer = *static_cast<std::string*>(kept);
  answer.append(bytes, std::min(size * count, kMostAnswer - answer.size()));
  return size * count;
}

}  // namespace

bool MayPass(long status) { return status == 408 || status == 429 || status >= 500; }

std::string HostOf(std::string_view url) {
  const size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) return {};
  const size_t begin = scheme + 3;
  std::string_view host = url.substr(begin, url.find_first_of("/?#", begin) - begin);
  if (const size_t user = host.rfind('@'); user != std::string_view::npos) {
    host.remove_prefix(user + 1);
  }
  return std::string(host);
}

class HttpPoster::Loop {
 public:
  Loop(HttpPosterOptions options, Clock& clock, Listener listener, CURLM* multi)
      : options_(options),
        clock_(clock),
        listener_(std::move(listener)),
        multi_(multi),
        random_(std::random_device{}()),
        thread_([this] { Run(); }) {}

  ~Loop() { Stop(milliseconds(0)); }

  bool Post(OutgoingPost post);
  void Stop(milliseconds grace);
  Counts counts() const { return {sent_, failed_, dropped_, retried_}; }

 private:
  struct Message {
    OutgoingPost post;
    std::string answer;
    int attempt = 0;
    Moment due;
    milliseconds delay{0};
    std::unique_ptr<curl_slist, ListCleanup> headers;
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
  void Report(Outcome outcome, const OutgoingPost& post, const std::string& text) const {
    if (listener_) listener_(outcome, post, text);
  }

  const HttpPosterOptions options_;
  Clock& clock_;
  const Listener listener_;
  const std::unique_ptr<CURLM, MultiCleanup> multi_;
  std::mt19937_64 random_;  ///< The thread's own.

  std::mutex mutex_;
  Messages messages_;
  int sending_ = 0;
  bool stopping_ = false;
  Moment end_;
  std::atomic<int64_t> sent_{0}, failed_{0}, dropped_{0}, retried_{0};
  std::thread thread_;
};

bool HttpPoster::Loop::Post(OutgoingPost post) {
  {
    std::lock_guard lock(mutex_);
    if (!stopping_ && messages_.size() < options_.max_waiting) {
      Message& message = messages_.emplace_back();
      message.post = std::move(post);
      message.due = clock_.Tick();
      curl_multi_wakeup(multi_.get());
      return true;
    }
  }
  ++dropped_;
  Report(Outcome::kDropped, post, "too many wait already");
  return false;
}

void HttpPoster::Loop::Stop(milliseconds grace) {
  {
    std::lock_guard lock(mutex_);
    if (!stopping_) end_ = clock_.Tick() + grace;
    stopping_ = true;
  }
  curl_multi_wakeup(multi_.get());
  if (thread_.joinable()) thread_.join();
}

void HttpPoster::Loop::Run() {
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
    Report(Outcome::kDropped, message.post, kEnded);
  }
  messages_.clear();
}

bool HttpPoster::Loop::StartDue(milliseconds* wait) {
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
      Report(Outcome::kDropped, at->post, kEnded);
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

void HttpPoster::Loop::Start(Message& message) {
  CURL* easy = curl_easy_init();
  message.easy.reset(easy);
  message.answer.clear();
  curl_slist* headers = nullptr;
  for (const auto& header : message.post.headers) {
    if (auto* longer = curl_slist_append(headers, header.c_str())) headers = longer;
  }
  message.headers.reset(headers);
  ++message.attempt;
  ++sending_;
  curl_easy_setopt(easy, CURLOPT_URL, message.post.url.c_str());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_POSTFIELDS, message.post.body.data());
  curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                   static_cast<curl_off_t>(message.post.body.size()));
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(easy, CURLOPT_USERAGENT, "dxtd");
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &Keep);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &message.answer);
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(options_.timeout.count()));
  curl_multi_add_handle(multi_.get(), easy);
}

void HttpPoster::Loop::Finish(CURL* easy, CURLcode code) {
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
    Report(Outcome::kSent, message->post, message->answer);
    messages_.erase(message);
    return;
  }
  const std::string why = status > 0 ? "the receiver answered " + std::to_string(status)
                                     : curl_easy_strerror(code);
  const bool transient = status == 0 ? code != CURLE_URL_MALFORMAT &&
                                           code != CURLE_UNSUPPORTED_PROTOCOL &&
                                           code != CURLE_PEER_FAILED_VERIFICATION
                                     : options_.may_pass(status);
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
  Report(Outcome::kFailed, message->post, why);
  messages_.erase(message);
}

void HttpPoster::Loop::Retry(Messages::iterator message, const std::string& why,
                             std::optional<milliseconds> asked) {
  ++retried_;
  const milliseconds delay = NextDelay(*message, asked);
  message->due = clock_.Tick() + delay;
  Report(Outcome::kRetry, message->post,
         why + "; again in " + std::to_string(delay.count()) + " ms");
}

milliseconds HttpPoster::Loop::NextDelay(Message& message,
                                         std::optional<milliseconds> asked) {
  // Decorrelated jitter: receivers that fail together are not tried together.
  const int64_t low = options_.first_delay.count();
  const int64_t high = std::max(low, message.delay.count() * 3);
  const int64_t drawn = std::uniform_int_distribution<int64_t>(low, high)(random_);
  message.delay = std::min(milliseconds(drawn), options_.max_delay);
  if (asked) return std::max(message.delay, std::min(*asked, options_.max_delay));
  return message.delay;
}

HttpPoster::HttpPoster(std::unique_ptr<Loop> loop) : loop_(std::move(loop)) {}

HttpPoster::~HttpPoster() {
  loop_.reset();
  curl_global_cleanup();
}

arrow::Result<std::unique_ptr<HttpPoster>> HttpPoster::Make(HttpPosterOptions options,
                                                            Clock& clock,
                                                            Listener listener) {
  CURLM* const multi =
      curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? curl_multi_init() : nullptr;
  if (multi == nullptr) {
    return MakeError(ErrorClass::kInternal, "http.client",
                     "The HTTP client of alerts and traces cannot be made");
  }
  return std::unique_ptr<HttpPoster>(
      new HttpPoster(std::make_unique<Loop>(options, clock, std::move(listener), multi)));
}

bool HttpPoster::Post(OutgoingPost post) { return loop_->Post(std::move(post)); }
void HttpPoster::Stop(std::chrono::milliseconds grace) { loop_->Stop(grace); }
HttpPoster::Counts HttpPoster::counts() const { return loop_->counts(); }

}  // namespace dxt
