#include <absl/time/civil_time.h>
#include <absl/time/time.h>

#include <limits>

#include "base/error.h"
#include "engine/plan/convert_loops.h"

namespace dxt::convert {
namespace {

constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
constexpr int64_t kMin = std::numeric_limits<int64_t>::min();
constexpr int64_t kDaySeconds = 86400;

int64_t PerSecond(const FieldType& type) {
  return type.nanoseconds ? 1000000000 : 1000000;
}

int64_t FloorDivide(int64_t value, int64_t divisor) {
  return value / divisor - (value % divisor < 0);
}

bool IsInfinite(int64_t value) { return value == kMax || value == kMin; }

/// The extremes stand for the infinities, so they are no results of arithmetic.
Fault Scaled(__int128 value, int64_t* out) {
  if (value >= kMax || value <= kMin) {
    *out = 0;
    return Fault::kOutOfRange;
  }
  *out = static_cast<int64_t>(value);
  return Fault::kNone;
}

Fault Rescale(int64_t value, int64_t from_unit, int64_t to_unit, int64_t* out) {
  if (IsInfinite(value) || from_unit == to_unit) {
    *out = value;
    return Fault::kNone;
  }
  if (to_unit > from_unit) {
    return Scaled(static_cast<__int128>(value) * (to_unit / from_unit), out);
  }
  const int64_t divisor = from_unit / to_unit;
  *out = value / divisor;
  return value % divisor == 0 ? Fault::kNone : Fault::kInexact;
}

Fault FromDays(int32_t days, int64_t unit, int64_t* out) {
  if (days == std::numeric_limits<int32_t>::max()) {
    *out = kMax;
  } else if (days == std::numeric_limits<int32_t>::min()) {
    *out = kMin;
  } else {
    return Scaled(static_cast<__int128>(days) * kDaySeconds * unit, out);
  }
  return Fault::kNone;
}

Fault ToDays(int64_t value, int64_t unit, int32_t* out) {
  if (value == kMax) {
    *out = std::numeric_limits<int32_t>::max();
  } else if (value == kMin) {
    *out = std::numeric_limits<int32_t>::min();
  } else {
    *out = static_cast<int32_t>(FloorDivide(value, kDaySeconds * unit));
    if (value % (kDaySeconds * unit) != 0) return Fault::kInexact;
  }
  return Fault::kNone;
}

/// What a clock in `zone` showed, as an instant. A time that the zone skipped or had
/// twice is no instant.
Fault LocalToUtc(int64_t value, int64_t unit, const absl::TimeZone& zone, int64_t* out) {
  *out = value;
  if (IsInfinite(value)) return Fault::kNone;
  const int64_t seconds = FloorDivide(value, unit);
  const auto info = zone.At(absl::CivilSecond(1970, 1, 1) + seconds);
  if (info.kind != absl::TimeZone::TimeInfo::UNIQUE) return Fault::kInexact;
  return Scaled(static_cast<__int128>(absl::ToUnixSeconds(info.pre)) * unit +
                    (value - seconds * unit),
                out);
}

Fault UtcToLocal(int64_t value, int64_t unit, const absl::TimeZone& zone, int64_t* out) {
  *out = value;
  if (IsInfinite(value)) return Fault::kNone;
  const int64_t seconds = FloorDivide(value, unit);
  const auto info = zone.At(absl::FromUnixSeconds(seconds));
  return Scaled(
      static_cast<__int128>(seconds + info.offset) * unit + (value - seconds * unit),
      out);
}

absl::TimeZone Zone(const ConversionOptions& options) {
  absl::TimeZone zone = absl::UTCTimeZone();
  if (!options.timezone.empty()) absl::LoadTimeZone(options.timezone, &zone);
  return zone;
}

/// How the zone takes part: not, from local to UTC, from UTC to local.
enum class Shift : uint8_t { kNone, kToUtc, kToLocal };

Fault Move(Shift shift, int64_t value, int64_t unit, const absl::TimeZone& zone,
           int64_t* out) {
  switch (shift) {
    case Shift::kToUtc:
      return LocalToUtc(value, unit, zone, out);
    case Shift::kToLocal:
      return UtcToLocal(value, unit, zone, out);
    case Shift::kNone:
      break;
  }
  *out = value;
  return Fault::kNone;
}

bool IsTimestamp(DType dtype) {
  return dtype == DType::kTimestamp || dtype == DType::kTimestampTz;
}

Kernel DateToTimestamp() {
  return [](const Context& context, const std::shared_ptr<arrow::Array>& array,
            int64_t* bad_row) {
    const int64_t unit = PerSecond(context.to);
    const Shift shift =
        context.to.dtype == DType::kTimestampTz ? Shift::kToUtc : Shift::kNone;
    const absl::TimeZone zone = Zone(context.options);
    return MapFixed<int32_t, int64_t>(
        context, *array, bad_row, [&](int32_t days, int64_t* out) {
          const Fault fault = FromDays(days, unit, out);
          return fault == Fault::kNone ? Move(shift, *out, unit, zone, out) : fault;
        });
  };
}

Kernel TimestampToDate() {
  return [](const Context& context, const std::shared_ptr<arrow::Array>& array,
            int64_t* bad_row) {
    const int64_t unit = PerSecond(context.from);
    const Shift shift =
        context.from.dtype == DType::kTimestampTz ? Shift::kToLocal : Shift::kNone;
    const absl::TimeZone zone = Zone(context.options);
    return MapFixed<int64_t, int32_t>(
        context, *array, bad_row, [&](int64_t value, int32_t* out) {
          int64_t local = 0;
          const Fault fault = Move(shift, value, unit, zone, &local);
          return fault == Fault::kNone ? ToDays(local, unit, out) : fault;
        });
  };
}

Kernel TimestampToTimestamp() {
  return [](const Context& context, const std::shared_ptr<arrow::Array>& array,
            int64_t* bad_row) {
    const int64_t from = PerSecond(context.from), to = PerSecond(context.to);
    const Shift shift = context.from.dtype == context.to.dtype    ? Shift::kNone
                        : context.to.dtype == DType::kTimestampTz ? Shift::kToUtc
                                                                  : Shift::kToLocal;
    const absl::TimeZone zone = Zone(context.options);
    return MapFixed<int64_t, int64_t>(
        context, *array, bad_row, [&](int64_t value, int64_t* out) {
          int64_t moved = 0;
          const Fault fault = Move(shift, value, from, zone, &moved);
          return fault == Fault::kNone ? Rescale(moved, from, to, out) : fault;
        });
  };
}

}  // namespace

arrow::Status CheckZone(const std::string& name) {
  absl::TimeZone zone;
  if (name.empty() || absl::LoadTimeZone(name, &zone)) return arrow::Status::OK();
  return MakeError(ErrorClass::kConfig, "timezone.unknown",
                   "There is no time zone '" + name + "'",
                   "Write an IANA name such as Europe/Berlin or UTC");
}

Kernel TimeKernel(const FieldType& from, const FieldType& to) {
  if (from.dtype == DType::kDate && IsTimestamp(to.dtype)) return DateToTimestamp();
  if (IsTimestamp(from.dtype) && to.dtype == DType::kDate) return TimestampToDate();
  if (IsTimestamp(from.dtype) && IsTimestamp(to.dtype)) return TimestampToTimestamp();
  return nullptr;
}

}  // namespace dxt::convert
