#include "server/http/exposition.h"

#include <charconv>
#include <cmath>

namespace dxt {
namespace {

std::string NumberText(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  char text[64];
  const auto end = std::to_chars(text, text + sizeof text, value).ptr;
  return std::string(text, end);
}

void Escape(std::string_view from, bool quotes, std::string& to) {
  for (const char c : from) {
    if (c == '\\') {
      to += "\\\\";
    } else if (c == '\n') {
      to += "\\n";
    } else if (c == '"' && quotes) {
      to += "\\\"";
    } else {
      to += c;
    }
  }
}

}  // namespace

void Exposition::Family(std::string_view name, Type type, std::string_view help) {
  name_ = name;
  text_ += "# HELP " + name_ + " ";
  Escape(help, /*quotes=*/false, text_);
  text_ += "\n# TYPE " + name_ +
           (type == Type::kCounter ? " counter\n"
            : type == Type::kGauge ? " gauge\n"
                                   : " histogram\n");
}

void Exposition::Line(std::string_view suffix, const Labels& labels, double value) {
  text_ += name_;
  text_ += suffix;
  if (!labels.empty()) {
    char before = '{';
    for (const auto& [name, label] : labels) {
      text_ += before;
      text_ += name;
      text_ += "=\"";
      Escape(label, /*quotes=*/true, text_);
      text_ += '"';
      before = ',';
    }
    text_ += '}';
  }
  text_ += ' ' + NumberText(value) + '\n';
}

void Exposition::Histogram(const Labels& labels, const std::vector<double>& bounds,
                           const std::vector<int64_t>& counts, double sum) {
  Labels with_bound = labels;
  with_bound.emplace_back("le", "");
  int64_t below = 0;
  for (size_t i = 0; i < counts.size(); ++i) {
    below += counts[i];
    with_bound.back().second = i < bounds.size() ? NumberText(bounds[i]) : "+Inf";
    Line("_bucket", with_bound, static_cast<double>(below));
  }
  Line("_sum", labels, sum);
  Line("_count", labels, static_cast<double>(below));
}

}  // namespace dxt
