// The scheduler, its queue, leases and dependents under a simulated clock, with crashes,
// stuck workers and clock jumps drawn from a seed.
//
//   scheduler_simulation_test --seed=N              replays one seed, tells what happens
//   scheduler_simulation_test [--from=N] --seeds=N  as many seeds as that
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <string>

#include <malloc.h>

#include <gtest/gtest.h>

#include "server/scheduler/test_world.h"

namespace dxt {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
int seeds_wanted = 500;  // The sanitizers look for other faults, and are slow.
#else
int seeds_wanted = 10000;
#endif
unsigned first_seed = 1;
std::optional<unsigned> only_seed;
std::string program;
/// Tests that the seeds are dealt out to, so that they can run side by side.
constexpr unsigned kParts = 4;

class SchedulerSimulation : public testing::TestWithParam<unsigned> {};

TEST_P(SchedulerSimulation, NothingIsLostOrDoneTwice) {
  std::unique_ptr<SqliteStateStore> store;
  simulation::CountingIds ids;
  unsigned done = 0;
  const auto started = std::chrono::steady_clock::now();
  const unsigned first = only_seed.value_or(first_seed);
  const unsigned end =
      only_seed ? first + 1 : first + static_cast<unsigned>(seeds_wanted);
  for (unsigned seed = first; seed < end; ++seed) {
    if (seed % kParts != GetParam()) continue;
    // A new database costs more than a seed; a full one makes its queries slow.
    if (done++ % 50 == 0) store = *SqliteStateStore::MakeInMemory();
    const std::string wrong =
        simulation::World(seed, *store, ids, only_seed.has_value()).Run();
    ASSERT_EQ(wrong, "") << "replay with: " << program << " --seed=" << seed;
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - started;
  std::printf("%u seeds in %.1f s\n", done, took.count());
}

INSTANTIATE_TEST_SUITE_P(Seeds, SchedulerSimulation, testing::Range(0u, kParts));

}  // namespace
}  // namespace dxt

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  // Each transaction in memory takes and frees a little: do not give it back every time.
  mallopt(M_TRIM_THRESHOLD, 64 << 20);
  mallopt(M_TOP_PAD, 4 << 20);
  dxt::program = argv[0];
  for (int i = 1; i < argc; ++i) {
    if (std::strncmp(argv[i], "--seed=", 7) == 0) {
      dxt::only_seed = static_cast<unsigned>(std::strtoul(argv[i] + 7, nullptr, 10));
    } else if (std::strncmp(argv[i], "--seeds=", 8) == 0) {
      dxt::seeds_wanted = std::atoi(argv[i] + 8);
    } else if (std::strncmp(argv[i], "--from=", 7) == 0) {
      dxt::first_seed = static_cast<unsigned>(std::strtoul(argv[i] + 7, nullptr, 10));
    }
  }
  return RUN_ALL_TESTS();
}
