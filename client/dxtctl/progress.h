#pragma once
#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "client/dxtctl/terminal.h"

namespace dxt::v1 {
class StreamProgress;
}

namespace dxt::ctl {

/// "queued", "reading", …
std::string PhaseText(const v1::StreamProgress& progress);

/// Progress lines on stderr, one a stream, redrawn in place. Draws nothing unless stderr
/// is a terminal.
class ProgressLines {
 public:
  ProgressLines(const Terminal& terminal, bool enabled);
  ~ProgressLines() { Clear(); }
  void Update(const v1::StreamProgress& progress);
  /// Takes the lines off the screen, so that other text can be printed.
  void Clear();

 private:
  struct Line {
    std::chrono::steady_clock::time_point began;
    std::string phase;
    int64_t rows = 0, bytes = 0, expected = 0, windows = 0;
    bool done = false;
  };
  void Draw();
  std::string Text(const std::string& stream, const Line& line) const;

  const Terminal& terminal_;
  const bool enabled_;
  std::vector<std::string> order_;
  std::map<std::string, Line> lines_;
  int drawn_ = 0;
};

}  // namespace dxt::ctl
