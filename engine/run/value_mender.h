#pragma once
// Values that do not fit and are loaded as others (`load.values`: null, clamp, strip).
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include <arrow/result.h>
#include <arrow/type_fwd.h>

#include "connectors/sdk/types.h"
#include "engine/plan/value_policies.h"

namespace dxt {

/// How many values of which column were loaded as others, and why.
class ValueChanges {
 public:
  struct Entry {
    std::string column;
    ValueKind kind;
    ValuePolicy policy;
    int64_t values;
  };

  void Count(const std::string& column, ValueKind kind, ValuePolicy policy,
             int64_t values = 1);
  void Add(const ValueChanges& others);
  bool empty() const { return counts_.empty(); }
  void clear() { counts_.clear(); }
  /// By column, kind and policy.
  std::vector<Entry> Entries() const;
  /// A sentence of each entry.
  std::vector<std::string> Messages() const;

 private:
  std::map<std::tuple<std::string, ValueKind, ValuePolicy>, int64_t> counts_;
};

/// Converts the arrays of one column although some of their values do not fit. Immutable;
/// safe from any thread.
class ValueMender {
 public:
  /// Converts and checks an array, or fails and says the row.
  using Step = std::function<arrow::Result<std::shared_ptr<arrow::Array>>(
      const std::shared_ptr<arrow::Array>& array, int64_t* bad_row)>;

  /// Mends nothing.
  ValueMender() = default;
  /// `from`: the column as Apply receives it. `domain`: what the step makes of it.
  ValueMender(const ValuePolicies& policies, Field from, ValueDomain domain);

  /// What `step` makes of `array` once each value that it refuses is mended by its
  /// policy; what was mended is counted in `changes`. The step's own failure where the
  /// policy is to fail or to quarantine, or where mending does not help; its row goes to
  /// `bad_row`.
  arrow::Result<std::shared_ptr<arrow::Array>> Apply(
      const std::shared_ptr<arrow::Array>& array, const Step& step, int64_t* bad_row,
      ValueChanges* changes) const;

 private:
  struct Mending {
    ValueKind kind;
    ValuePolicy policy;
  };
  using Mendings = std::map<int64_t, Mending>;

  arrow::Status Find(const std::shared_ptr<arrow::Array>& array, const Step& step,
                     int64_t* bad_row, Mendings* found) const;
  arrow::Result<std::shared_ptr<arrow::Array>> Mended(
      const std::shared_ptr<arrow::Array>& array, const Mendings& found) const;
  std::string MendedText(std::string_view text, const Mending& mending) const;
  arrow::Result<std::shared_ptr<arrow::Array>> Clamped(
      const std::shared_ptr<arrow::Array>& array, const arrow::Array& original,
      const Mendings& made) const;
  bool CanClamp(ValueKind kind) const;
  bool IsLow(const arrow::Array& original, int64_t row) const;

  ValuePolicies policies_;
  Field from_;
  ValueDomain domain_;
};

}  // namespace dxt
