// Gives each target its seeds, and every input that once broke a promise.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

extern "C" {
#define TARGET(name) int Fuzz_##name(const uint8_t* data, size_t size);
#include "fuzz_targets.inc"
#undef TARGET
}

namespace dxt::fuzz {
namespace {

namespace fs = std::filesystem;

struct Target {
  const char* name;
  int (*run)(const uint8_t*, size_t);
};

constexpr Target kTargets[] = {
#define TARGET(name) {#name, Fuzz_##name},
#include "fuzz_targets.inc"
#undef TARGET
};

std::vector<fs::path> Inputs(const std::string& target) {
  std::vector<fs::path> inputs;
  for (const char* kind : {"seeds", "crashes"}) {
    const fs::path folder = fs::path(DXT_SOURCE_DIR) / "tests/fuzz" / kind / target;
    if (!fs::is_directory(folder)) continue;
    for (const auto& entry : fs::directory_iterator(folder)) inputs.push_back(entry);
  }
  std::sort(inputs.begin(), inputs.end());
  return inputs;
}

class Replay : public ::testing::TestWithParam<Target> {};

TEST_P(Replay, KeepsItsPromises) {
  const auto inputs = Inputs(GetParam().name);
  EXPECT_FALSE(inputs.empty()) << "no seeds";
  for (const auto& path : inputs) {
    // A broken promise ends the process: the last line names its input.
    std::fprintf(stderr, "%s\n", path.c_str());
    std::ostringstream bytes;
    bytes << std::ifstream(path, std::ios::binary).rdbuf();
    // Of its own size, so that a sanitizer sees every byte read behind it.
    const std::string text = bytes.str();
    const std::vector<uint8_t> exact(text.begin(), text.end());
    EXPECT_EQ(GetParam().run(exact.data(), exact.size()), 0);
  }
}

INSTANTIATE_TEST_SUITE_P(Fuzz, Replay, ::testing::ValuesIn(kTargets),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace dxt::fuzz
