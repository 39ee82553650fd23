#include "client/dxtctl/json_path_output.h"

#include <cerrno>
#include <cstdio>

#include <fcntl.h>
#include <unistd.h>
#include <nlohmann/json.hpp>

namespace dxt::ctl {
namespace {

void WriteAll(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;  // Whoever read it has gone.
    text.remove_prefix(static_cast<size_t>(written));
  }
}

}  // namespace

Result<std::unique_ptr<JsonPathOutput>> JsonPathOutput::Begin(const std::string& text) {
  CTL_ASSIGN(auto path, JsonPath::Parse(text));
  std::unique_ptr<JsonPathOutput> output(new JsonPathOutput(std::move(path)));
  std::fflush(stdout);
  int ends[2];
  // Processes that are started meanwhile must not keep the pipe open.
  if (pipe2(ends, O_CLOEXEC) != 0) return UsageError("No pipe can be made");
  output->reads_ = ends[0];
  output->real_ = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
  dup2(ends[1], STDOUT_FILENO);
  close(ends[1]);
  output->thread_ = std::thread([at = output.get()] { at->Filter(); });
  return output;
}

JsonPathOutput::~JsonPathOutput() {
  if (!thread_.joinable()) return;
  std::fflush(stdout);
  dup2(real_, STDOUT_FILENO);
  thread_.join();
  close(real_);
  close(reads_);
}

void JsonPathOutput::Filter() {
  std::string pending;
  char bytes[64 << 10];
  while (true) {
    const ssize_t size = read(reads_, bytes, sizeof bytes);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) break;
    pending.append(bytes, static_cast<size_t>(size));
    size_t begin = 0;
    for (size_t end = pending.find('\n'); end != std::string::npos;
         end = pending.find('\n', begin)) {
      WriteLine(pending.substr(begin, end - begin));
      begin = end + 1;
    }
    pending.erase(0, begin);
  }
  if (!pending.empty()) WriteLine(pending);
}

void JsonPathOutput::WriteLine(const std::string& line) const {
  const auto document = nlohmann::ordered_json::parse(line, nullptr, false);
  std::string text = document.is_structured() ? path_.Of(document) : line;
  if (!text.ends_with('\n')) text += '\n';
  WriteAll(real_, text);
}

}  // namespace dxt::ctl
