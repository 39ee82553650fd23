#pragma once
// Numbers as PostgreSQL's binary formats hold them: big-endian, days and microseconds
// since 2000-01-01, numerics in base 10,000.
#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace dxt::postgres {

inline constexpr int32_t kEpochDays = 10957;  ///< 2000-01-01 in days since 1970.
inline constexpr int64_t kEpochMicros = 946684800000000;  ///< The same in microseconds.
inline constexpr uint16_t kNumericNegative = 0x4000;
inline constexpr uint16_t kNumericNaN = 0xC000;
inline constexpr uint16_t kNumericInfinity = 0xD000;
inline constexpr uint16_t kNumericMinusInfinity = 0xF000;
inline constexpr std::string_view kCopySignature{"PGCOPY\n\377\r\n\0", 11};

inline uint16_t Load16(const uint8_t* at) {
  uint16_t value;
  std::memcpy(&value, at, sizeof value);
  return __builtin_bswap16(value);
}
inline uint32_t Load32(const uint8_t* at) {
  uint32_t value;
  std::memcpy(&value, at, sizeof value);
  return __builtin_bswap32(value);
}
inline uint64_t Load64(const uint8_t* at) {
  uint64_t value;
  std::memcpy(&value, at, sizeof value);
  return __builtin_bswap64(value);
}
inline void Store16(uint8_t* at, uint16_t value) {
  value = __builtin_bswap16(value);
  std::memcpy(at, &value, sizeof value);
}
inline void Store32(uint8_t* at, uint32_t value) {
  value = __builtin_bswap32(value);
  std::memcpy(at, &value, sizeof value);
}
inline void Store64(uint8_t* at, uint64_t value) {
  value = __builtin_bswap64(value);
  std::memcpy(at, &value, sizeof value);
}

/// Why a value cannot be carried. Static texts: no allocation on the way of good values.
struct ValueProblem {
  const char* code;
  const char* what;
  const char* hint = "";
};

}  // namespace dxt::postgres
