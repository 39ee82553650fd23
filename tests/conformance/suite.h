#pragma once
#include <ostream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/conformance/harness.h"

namespace dxt::conformance {

/// One promise and its proof. Skipped where a capability in `needs` is not declared.
struct Case {
  std::string name;
  uint32_t needs = 0;
  std::function<void(Harness&)> run;
};
inline void PrintTo(const Case* test, std::ostream* out) { *out << test->name; }

/// What a case needs that writes and looks at what arrived.
inline constexpr uint32_t kWrite =
    static_cast<uint32_t>(Capability::kWrite) | static_cast<uint32_t>(Capability::kRead);
inline constexpr uint32_t kAppend = kWrite | static_cast<uint32_t>(Capability::kAppend);

/// Every case, in order; made once.
const std::vector<Case>& AllCases();
std::vector<const Case*> CasePointers();
/// Runs one case with a fresh harness, minding its waivers.
void RunCase(const Case& test, const HarnessFactory& factory);
/// Fails for waivers of cases that do not exist, or that the capabilities exclude.
void CheckWaivers(const HarnessFactory& factory);

std::vector<Case> SourceCases();
std::vector<Case> DestinationCases();
std::vector<Case> KeyedCases();
std::vector<Case> HistoryCases();
std::vector<Case> ProtocolCases();
std::vector<Case> TypeCases();

}  // namespace dxt::conformance

/// Stamps out the suite for one connector: one GoogleTest test a case. `factory` is a
/// HarnessFactory, or a function that returns unique_ptr<Harness>.
#define DXT_CONFORMANCE(Name, factory)                                                  \
  class Name##Conformance                                                               \
      : public ::testing::TestWithParam<const dxt::conformance::Case*> {};              \
  TEST_P(Name##Conformance, Holds) { dxt::conformance::RunCase(*GetParam(), factory); } \
  TEST(Name##ConformanceWaivers, NameCasesThatRun) {                                    \
    dxt::conformance::CheckWaivers(factory);                                            \
  }                                                                                     \
  INSTANTIATE_TEST_SUITE_P(                                                             \
      All, Name##Conformance, ::testing::ValuesIn(dxt::conformance::CasePointers()),    \
      [](const ::testing::TestParamInfo<const dxt::conformance::Case*>& test) {         \
        return test.param->name;                                                        \
      })
