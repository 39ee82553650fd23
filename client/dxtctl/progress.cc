#include "client/dxtctl/progress.h"

#include <algorithm>
#include <cstdio>

#include "client/dxtctl/output.h"
#include "dxt/v1/run_service.pb.h"

namespace dxt::ctl {
namespace {

constexpr int kMostLines = 12;

}  // namespace

std::string PhaseText(const v1::StreamProgress& progress) {
  switch (progress.phase()) {
    case v1::StreamProgress::QUEUED:
      return "queued";
    case v1::StreamProgress::PLANNING:
      return "planning";
    case v1::StreamProgress::READING:
      return "reading";
    case v1::StreamProgress::WRITING:
      return "writing";
    case v1::StreamProgress::COMMITTING:
      return "committing";
    case v1::StreamProgress::DONE:
      return "done";
    default:
      return "";
  }
}

ProgressLines::ProgressLines(const Terminal& terminal, bool enabled)
    : terminal_(terminal), enabled_(enabled && terminal.live()) {}

void ProgressLines::Update(const v1::StreamProgress& progress) {
  if (!enabled_) return;
  auto [at, added] = lines_.try_emplace(progress.stream());
  if (added) order_.push_back(progress.stream());
  Line& line = at->second;
  if (line.began == std::chrono::steady_clock::time_point() &&
      progress.phase() >= v1::StreamProgress::READING) {
    line.began = std::chrono::steady_clock::now();
  }
  line.phase = PhaseText(progress);
  line.rows = std::max(progress.rows_read(), progress.rows_written());
  line.bytes = std::max(progress.bytes_read(), progress.bytes_written());
  line.expected = progress.expected_rows();
  line.windows = progress.windows();
  line.done = progress.phase() == v1::StreamProgress::DONE;
  Draw();
}

std::string ProgressLines::Text(const std::string& stream, const Line& line) const {
  std::string text =
      Printable(stream) + "  " + ShortCount(static_cast<double>(line.rows));
  if (line.expected > 0) text += "/" + ShortCount(static_cast<double>(line.expected));
  text += " rows";
  if (line.windows > 1) text += "  " + std::to_string(line.windows) + " windows";
  const std::chrono::duration<double> elapsed =
      std::chrono::steady_clock::now() - line.began;
  const bool timed = line.began != std::chrono::steady_clock::time_point() && !line.done;
  if (timed && elapsed.count() > 0.2) {
    const double rate = static_cast<double>(line.rows) / elapsed.count();
    text += "  " + ShortCount(rate) + " rows/s  " +
            ShortBytes(static_cast<double>(line.bytes) / elapsed.count()) + "/s";
    if (rate > 0 && line.expected > line.rows) {
      const double left = static_cast<double>(line.expected - line.rows) / rate;
      text += "  eta " + std::to_string(static_cast<int64_t>(left) + 1) + "s";
    }
  }
  return Shorten(text + "  " + line.phase, terminal_.width() - 1);
}

void ProgressLines::Draw() {
  std::string frame;
  if (drawn_ > 0) frame = "\033[" + std::to_string(drawn_) + "F";
  int count = 0;
  int hidden = 0;
  // What still moves is worth a line before what has ended.
  for (const bool done : {false, true}) {
    for (const auto& stream : order_) {
      const Line& line = lines_[stream];
      if (line.done != done) continue;
      if (count == kMostLines) {
        ++hidden;
        continue;
      }
      frame += "\033[2K" + Text(stream, line) + "\n";
      ++count;
    }
  }
  if (hidden > 0) {
    frame += "\033[2K… and " + std::to_string(hidden) + " more\n";
    ++count;
  }
  std::fputs((frame + "\033[0J").c_str(), stderr);
  drawn_ = count;
}

void ProgressLines::Clear() {
  if (drawn_ == 0) return;
  std::fprintf(stderr, "\033[%dF\033[0J", drawn_);
  drawn_ = 0;
}

}  // namespace dxt::ctl
