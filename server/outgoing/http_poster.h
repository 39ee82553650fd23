#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <arrow/result.h>

namespace dxt {

class Clock;

/// One body for one receiver.
struct OutgoingPost {
  std::string url;                   ///< http or https; may be a secret.
  std::vector<std::string> headers;  ///< "Name: value"; may be secrets.
  std::string body;
  /// What it is about, for the listener; not sent.
  std::vector<std::pair<std::string, std::string>> about;
};

/// 408, 429 and 5xx.
bool MayPass(long status);

struct HttpPosterOptions {
  size_t max_waiting = 256;  ///< Posts in memory, those being sent among them.
  int max_parallel = 8;
  int attempts = 8;
  std::chrono::milliseconds first_delay{1000};  ///< Between attempts, with jitter.
  std::chrono::milliseconds max_delay{60000};   ///< Also the most of a Retry-After.
  std::chrono::milliseconds timeout{10000};     ///< Of one attempt.
  /// Which answers another attempt may change.
  bool (*may_pass)(long status) = MayPass;
};

/// Posts from a thread of its own. Connection failures, timeouts and answers that may
/// pass are tried again with growing delays; any other answer is final. Redirects are not
/// followed. Safe from any thread.
class HttpPoster {
 public:
  enum class Outcome : uint8_t {
    kSent,     ///< 2xx.
    kRetry,    ///< It is tried again.
    kFailed,   ///< It is not.
    kDropped,  ///< Too many wait, or the poster stopped.
  };
  /// What became of a post; called by the poster's thread or by Post, often under its
  /// lock: it must not call back. `text` says why, or is the beginning of what the
  /// receiver answered to what was sent.
  using Listener =
      std::function<void(Outcome, const OutgoingPost& post, const std::string& text)>;
  struct Counts {
    int64_t sent = 0, failed = 0, dropped = 0, retried = 0;
  };

  /// `clock` must outlive the poster. kInternal "http.client".
  static arrow::Result<std::unique_ptr<HttpPoster>> Make(HttpPosterOptions options,
                                                         Clock& clock, Listener listener);
  /// Stops as Stop(0) does.
  ~HttpPoster();
  HttpPoster(const HttpPoster&) = delete;
  HttpPoster& operator=(const HttpPoster&) = delete;

  /// Never blocks. False when the queue is full or the poster stopped: the post is lost.
  bool Post(OutgoingPost post);
  /// Lets what waits for its first answer have it within `grace`, drops the rest.
  void Stop(std::chrono::milliseconds grace);
  Counts counts() const;

 private:
  class Loop;
  explicit HttpPoster(std::unique_ptr<Loop> loop);

  std::unique_ptr<Loop> loop_;
};

/// The host of a URL, which is no secret.
std::string HostOf(std::string_view url);

}  // namespace dxt
