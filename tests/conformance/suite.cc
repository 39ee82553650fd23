#include "tests/conformance/suite.h"

#include <gtest/gtest-spi.h>

#include "connectors/sdk/destination.h"

namespace dxt::conformance {
namespace {

bool Applies(const Case& test, const Harness& harness) {
  return (harness.connector().info().capabilities.bits & test.needs) == test.needs;
}

std::string MissingOf(const Case& test, const Harness& harness) {
  std::string names;
  for (const auto& [capability, name] : CapabilityNames()) {
    if ((test.needs & static_cast<uint32_t>(capability)) && !harness.Can(capability)) {
      names += (names.empty() ? "" : ", ") + std::string(name);
    }
  }
  return names;
}

/// Runs a waived case aside: true when it passed.
bool PassesAside(const Case& test, Harness& harness, std::string* failures) {
  ::testing::TestPartResultArray results;
  {
    ::testing::ScopedFakeTestPartResultReporter reporter(
        ::testing::ScopedFakeTestPartResultReporter::INTERCEPT_ONLY_CURRENT_THREAD,
        &results);
    test.run(harness);
  }
  bool passed = true;
  for (int i = 0; i < results.size(); ++i) {
    passed = passed && results.GetTestPartResult(i).passed();
    *failures += std::string(results.GetTestPartResult(i).message()) + "\n";
  }
  return passed;
}

}  // namespace

const std::vector<Case>& AllCases() {
  static const std::vector<Case> cases = [] {
    std::vector<Case> all;
    for (const auto& part : {SourceCases(), DestinationCases(), KeyedCases(),
                             HistoryCases(), ProtocolCases(), TypeCases()}) {
      all.insert(all.end(), part.begin(), part.end());
    }
    return all;
  }();
  return cases;
}

std::vector<const Case*> CasePointers() {
  std::vector<const Case*> pointers;
  for (const auto& test : AllCases()) pointers.push_back(&test);
  return pointers;
}

void RunCase(const Case& test, const HarnessFactory& factory) {
  const auto harness = factory();
  if (!Applies(test, *harness)) {
    GTEST_SKIP() << "not declared: " << MissingOf(test, *harness);
  }
  for (const auto& waiver : harness->Waivers()) {
    if (waiver.test != test.name) continue;
    std::string failures;
    if (PassesAside(test, *harness, &failures)) {
      GTEST_FAIL() << "This case is waived (" << waiver.reason
                   << ") but passes: drop the waiver";
    }
    GTEST_SKIP() << "waived: " << waiver.reason << "\n" << failures;
  }
  test.run(*harness);
}

void CheckWaivers(const HarnessFactory& factory) {
  const auto harness = factory();
  for (const auto& waiver : harness->Waivers()) {
    const Case* found = nullptr;
    for (const auto& test : AllCases()) {
      if (test.name == waiver.test) found = &test;
    }
    ASSERT_NE(found, nullptr) << "There is no case '" << waiver.test << "' to waive";
    EXPECT_TRUE(Applies(*found, *harness))
        << "'" << waiver.test << "' never runs for this connector: drop the waiver";
    EXPECT_FALSE(waiver.reason.empty())
        << "The waiver of '" << waiver.test << "' has no reason";
  }
}

}  // namespace dxt::conformance
