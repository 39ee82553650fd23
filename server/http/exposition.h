#pragma once
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace dxt {

/// Label names and values of one series.
using Labels = std::vector<std::pair<std::string_view, std::string>>;

/// Writes the Prometheus text format, version 0.0.4: a family's HELP and TYPE, then its
/// series.
class Exposition {
 public:
  enum class Type { kCounter, kGauge, kHistogram };

  /// Begins a family. Counters end in _total.
  void Family(std::string_view name, Type type, std::string_view help);
  /// A series of the family that was begun last.
  void Series(const Labels& labels, double value) { Line("", labels, value); }
  /// A histogram's series: `counts` per bound, not summed up; one more than `bounds`.
  void Histogram(const Labels& labels, const std::vector<double>& bounds,
                 const std::vector<int64_t>& counts, double sum);
  const std::string& text() const { return text_; }

 private:
  void Line(std::string_view suffix, const Labels& labels, double value);

  std::string name_;
  std::string text_;
};

}  // namespace dxt
