#include "base/ids.h"

#include <set>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "base/clock.h"

namespace dxt {
namespace {

/// Shows the time it is told.
class SetClock : public Clock {
 public:
  std::chrono::system_clock::time_point Now() const override {
    return std::chrono::system_clock::time_point(std::chrono::milliseconds(millis));
  }
  std::chrono::steady_clock::time_point Tick() const override { return {}; }
  bool WaitUntil(std::chrono::steady_clock::time_point, std::stop_token) override {
    return true;
  }
  int64_t millis = 1469918176385;
};

TEST(UlidBytes, AreTheBitsOfTheDigits) {
  using Bytes = std::array<uint8_t, 16>;
  EXPECT_EQ(UlidBytes("00000000000000000000000001"),
            (Bytes{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}));
  EXPECT_EQ(UlidBytes("0000000000000000000000ZZZZ"),
            (Bytes{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x0F, 0xFF, 0xFF}));
  Bytes all;
  all.fill(0xFF);
  EXPECT_EQ(UlidBytes("7ZZZZZZZZZZZZZZZZZZZZZZZZZ"), all);
}

TEST(UlidBytes, AreNoneOfAnotherText) {
  EXPECT_EQ(UlidBytes(""), std::nullopt);
  EXPECT_EQ(UlidBytes("8ZZZZZZZZZZZZZZZZZZZZZZZZZ"), std::nullopt);  // 131 bits.
  EXPECT_EQ(UlidBytes("0000000000000000000000000U"), std::nullopt);
  EXPECT_EQ(UlidBytes("0000000000000000000000000"), std::nullopt);
}

TEST(Ulid, IsTheTimeInCrockfordThenRandomness) {
  SetClock clock;
  const auto ids = MakeIdSource(clock);
  const std::string id = ids->Ulid();
  EXPECT_EQ(id.size(), 26u);
  // The example of the ULID specification for this millisecond.
  EXPECT_EQ(id.substr(0, 10), "01ARYZ6S41");
  EXPECT_EQ(id.find_first_not_of("0123456789ABCDEFGHJKMNPQRSTVWXYZ"), std::string::npos);
  EXPECT_NE(MakeIdSource(clock)->Ulid().substr(10), id.substr(10));
}

TEST(Ulid, IdsOfOneMillisecondAreInOrder) {
  SetClock clock;
  const auto ids = MakeIdSource(clock);
  std::string last = ids->Ulid();
  for (int i = 0; i < 100000; ++i) {
    const std::string id = ids->Ulid();
    ASSERT_LT(last, id);
    last = id;
  }
}

TEST(Ulid, AClockThatStepsBackDoesNotBreakTheOrder) {
  SetClock clock;
  const auto ids = MakeIdSource(clock);
  const std::string before = ids->Ulid();
  clock.millis -= 3600000;
  const std::string stepped = ids->Ulid();
  EXPECT_LT(before, stepped);
  clock.millis += 7200000;
  EXPECT_LT(stepped, ids->Ulid());
}

TEST(Ulid, ThreadsNeverGetTheSame) {
  const auto ids = MakeIdSource(SystemClock());
  std::vector<std::vector<std::string>> made(4);
  {
    std::vector<std::jthread> threads;
    for (auto& list : made) {
      threads.emplace_back([&] {
        for (int i = 0; i < 1000; ++i) list.push_back(ids->Ulid());
      });
    }
  }
  std::set<std::string> all;
  for (const auto& list : made) all.insert(list.begin(), list.end());
  EXPECT_EQ(all.size(), 4000u);
}

}  // namespace
}  // namespace dxt
