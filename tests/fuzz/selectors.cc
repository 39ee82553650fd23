// --select, --exclude, a glob and a path, one a line: what is selected is a part of the
// streams in their order, and no pattern takes long.
#include "base/error.h"
#include "connectors/file/location.h"
#include "engine/plan/selector.h"
#include "tests/fuzz/fuzz.h"

namespace dxt::fuzz {
namespace {

std::vector<StreamConfig> Streams() {
  std::vector<StreamConfig> streams(5);
  const char* ids[] = {"orders", "order_lines", "a", "all", "aaaaaaaaaaaaaaaaaaaaaaaaa"};
  for (size_t i = 0; i < streams.size(); ++i) {
    streams[i].id = ids[i];
    if (i % 2) streams[i].tags = {"daily", "eu", "a"};
  }
  return streams;
}

}  // namespace
}  // namespace dxt::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace dxt;
  fuzz::Input input(data, size);
  const std::string select = input.Line(), exclude = input.Line();
  const auto streams = fuzz::Streams();
  const auto chosen = SelectStreams(streams, select, exclude);
  if (chosen.ok()) {
    fuzz::Promise(!chosen->empty(), "nothing selected is an error", select);
    size_t at = 0;
    for (const auto& stream : *chosen) {
      while (at < streams.size() && streams[at].id != stream.id) ++at;
      fuzz::Promise(at++ < streams.size(), "what is selected keeps its order", select);
    }
    if (select.empty() && exclude.empty())
      fuzz::Promise(chosen->size() == streams.size(), "no selector takes all", "");
  } else {
    fuzz::Promise(GetErrorInfo(chosen.status()).error_class == ErrorClass::kConfig,
                  "a wrong selector is the user's", chosen.status().ToString());
  }
  const std::string glob = input.Line(), path = input.Line();
  const bool matched = file::MatchGlob(glob, path);
  if (!file::HasGlob(glob))
    fuzz::Promise(matched == (glob == path), "a name matches itself alone", glob);
  return 0;
}
