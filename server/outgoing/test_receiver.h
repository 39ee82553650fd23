#pragma once
// For tests: a web server in this process.
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

namespace dxt::outgoing_test {

/// A web server that answers what it is told to; "" = never answers.
class Receiver {
 public:
  using Answer = std::function<std::string(int number)>;

  explicit Receiver(Answer answer) : answer_(std::move(answer)) {
    listener_ = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(listen(listener_, 64), 0);
    socklen_t size = sizeof address;
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { Serve(); });
  }
  ~Receiver() {
    shutdown(listener_, SHUT_RDWR);
    thread_.join();
    close(listener_);
    for (const int held : held_) close(held);
  }

  std::string url() const {
    return "http://127.0.0.1:" + std::to_string(port_) + "/services/T000/s3cret";
  }
  /// Waits until `count` requests arrived; the last one.
  std::string Wait(size_t count) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(arrived_.wait_for(lock, std::chrono::seconds(20),
                                  [&] { return requests_.size() >= count; }));
    return requests_.empty() ? "" : requests_.back();
  }
  size_t count() { return requests().size(); }
  std::vector<std::string> requests() {
    std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  void Serve() {
    while (true) {
      const int client = accept(listener_, nullptr, nullptr);
      if (client < 0) return;
      const std::string request = Read(client);
      int number = 0;
      {
        std::lock_guard lock(mutex_);
        requests_.push_back(request);
        number = static_cast<int>(requests_.size());
      }
      const std::string answer = answer_(number);
      if (answer.empty()) {
        held_.push_back(client);
      } else {
        (void)!send(client, answer.data(), answer.size(), MSG_NOSIGNAL);
        close(client);
      }
      arrived_.notify_all();
    }
  }
  static std::string Read(int client) {
    std::string request;
    char buffer[4096];
    while (true) {
      const size_t head = request.find("\r\n\r\n");
      if (head != std::string::npos) {
        const size_t at = request.find("Content-Length: ");
        if (at == std::string::npos) return request;
        if (request.size() >= head + 4 + std::stoul(request.substr(at + 16)))
          return request;
      }
      const ssize_t got = recv(client, buffer, sizeof buffer, 0);
      if (got <= 0) return request;
      request.append(buffer, static_cast<size_t>(got));
    }
  }

  Answer answer_;
  int listener_ = -1;
  int port_ = 0;
  std::thread thread_;
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::vector<std::string> requests_;
  std::vector<int> held_;
};

inline std::string Status(const std::string& line, const std::string& headers = "") {
  return "HTTP/1.1 " + line + "\r\nContent-Length: 0\r\nConnection: close\r\n" + headers +
         "\r\n";
}

}  // namespace dxt::outgoing_test
