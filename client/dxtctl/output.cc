#include "client/dxtctl/output.h"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <map>
#include <numeric>

#include <sys/ioctl.h>
#include <unistd.h>
#include <nlohmann/json.hpp>

#include "client/dxtctl/json_path.h"

namespace dxt::ctl {
namespace {

using Json = nlohmann::ordered_json;

std::string Cell(const Json& value) {
  if (value.is_null()) return "-";
  if (value.is_string()) return value.get<std::string>();
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  if (value.is_array()) {
    std::string joined;
    for (const auto& item : value) joined += (joined.empty() ? "" : ",") + Cell(item);
    return joined.empty() ? "-" : joined;
  }
  return ToJson(value);
}

std::string Pad(const std::string& text, int width, bool right) {
  const std::string blanks(std::max(0, width - DisplayWidth(text)), ' ');
  return right ? blanks + text : text + blanks;
}

bool IsPlainYaml(const std::string& text) {
  static const std::map<std::string, int> kWords = {
      {"", 0},    {"true", 0}, {"false", 0}, {"yes", 0}, {"no", 0}, {"on", 0},
      {"off", 0}, {"null", 0}, {"~", 0},     {"y", 0},   {"n", 0}};
  std::string folded = text;
  for (char& c : folded)
    c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (kWords.count(folded)) return false;
  if (!std::isalpha(static_cast<unsigned char>(text[0])) && text[0] != '/') return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c < 0x20 || c == 0x7F) return false;
    if (c == ':' && (i + 1 == text.size() || text[i + 1] == ' ')) return false;
    if (c == '#' && i > 0 && text[i - 1] == ' ') return false;
  }
  return text.back() != ' ';
}

std::string YamlScalar(const Json& value) {
  if (value.is_string() && IsPlainYaml(value.get<std::string>())) return value;
  if (value.is_array()) return "[]";
  if (value.is_object()) return "{}";
  return ToJson(value);  // JSON scalars are YAML scalars.
}

bool IsBlock(const Json& value) { return value.is_structured() && !value.empty(); }

void WriteYaml(const Json& value, int indent, std::string& out) {
  const std::string margin(indent, ' ');
  if (value.is_object()) {
    for (const auto& [key, item] : value.items()) {
      out += margin + YamlScalar(Json(key)) + ":";
      if (IsBlock(item)) {
        out += "\n";
        WriteYaml(item, indent + 2, out);
      } else {
        out += " " + YamlScalar(item) + "\n";
      }
    }
  } else {
    for (const auto& item : value) {
      if (!IsBlock(item)) {
        out += margin + "- " + YamlScalar(item) + "\n";
        continue;
      }
      std::string nested;
      WriteYaml(item, indent + 2, nested);
      nested.replace(indent, 2, "- ");
      out += nested;
    }
  }
}

std::string Scaled(double value, const char* const* units, int count, double step) {
  int unit = 0;
  while (unit + 1 < count && value >= step) {
    value /= step;
    ++unit;
  }
  char text[32];
  std::snprintf(text, sizeof text, unit == 0 ? "%.0f%s" : "%.1f%s", value, units[unit]);
  return text;
}

/// Takes from the widest columns until all fit into `limit`; none gets narrower than 8.
void Narrow(int limit, std::vector<int>& widths) {
  int total = 2 * (static_cast<int>(widths.size()) - 1);
  for (const int width : widths) total += width;
  while (total > limit) {
    const auto widest = std::max_element(widths.begin(), widths.end());
    if (*widest <= 8) return;
    --*widest;
    --total;
  }
}

}  // namespace

std::string ToJson(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string ToYaml(const Json& value) {
  if (!IsBlock(value)) return YamlScalar(value) + "\n";
  std::string out;
  WriteYaml(value, 0, out);
  return out;
}

std::string Counted(int64_t count, const std::string& what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

std::string ShortCount(double count) {
  static constexpr const char* kUnits[] = {"", "k", "M", "G"};
  return Scaled(count, kUnits, 4, 1000);
}

std::string ShortBytes(double bytes) {
  static constexpr const char* kUnits[] = {" B", " kB", " MB", " GB", " TB"};
  return Scaled(bytes, kUnits, 5, 1000);
}

int OutputWidth() {
  winsize size{};
  const bool known = isatty(STDOUT_FILENO) != 0 &&
                     ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col : 0;
}

void PrintTable(const std::vector<TableColumn>& columns,
                const std::vector<std::vector<std::string>>& rows,
                const TableStyle& style) {
  std::vector<int> widths;
  for (size_t i = 0; i < columns.size(); ++i) {
    int width = style.headers ? DisplayWidth(columns[i].header) : 0;
    for (const auto& row : rows) width = std::max(width, DisplayWidth(row[i]));
    widths.push_back(width);
  }
  if (style.width > 0) Narrow(style.width, widths);
  const auto print = [&](const auto& cell_at) {
    std::string line;
    for (size_t i = 0; i < columns.size(); ++i) {
      const bool last = i + 1 == columns.size();
      const std::string cell = Shorten(cell_at(i), widths[i]);
      line += last && !columns[i].right ? cell : Pad(cell, widths[i], columns[i].right);
      if (!last) line += "  ";
    }
    std::printf("%s\n", line.c_str());
  };
  if (style.headers) print([&](size_t i) { return columns[i].header; });
  for (const auto& row : rows) print([&](size_t i) { return row[i]; });
}

TableStyle TableStyleOf(const Invocation& invocation) {
  return {!invocation.options.no_headers, OutputWidth()};
}

std::optional<std::vector<size_t>> SortedPlaces(const Json& rows,
                                                Invocation& invocation) {
  std::vector<size_t> places(rows.size());
  std::iota(places.begin(), places.end(), 0);
  if (invocation.options.sort_by.empty()) return places;
  const auto order = SortOrder::Parse(invocation.options.sort_by);
  auto sorted = order.ok() ? order->Of(rows) : order.error();
  if (sorted.ok()) return std::move(*sorted);
  invocation.Refuse(sorted.error());
  return std::nullopt;
}

void PrintListing(const Listing& listing, const Json& rows, Invocation& invocation) {
  const auto places = SortedPlaces(rows, invocation);
  if (!places) return;
  Json sorted = Json::array();
  for (const size_t place : *places) sorted.push_back(rows[place]);
  const OutputFormat format = invocation.format();
  switch (format) {
    case OutputFormat::kJson:
      PrintJson(invocation, Json{{listing.key, sorted}});
      return;
    case OutputFormat::kYaml:
      std::printf("%s", ToYaml(Json{{listing.key, sorted}}).c_str());
      return;
    case OutputFormat::kJsonl:
      for (const auto& row : sorted) PrintJson(invocation, row);
      return;
    case OutputFormat::kName:
      for (const auto& row : sorted) {
        std::printf("%s\n", Printable(Cell(row[listing.name_field])).c_str());
      }
      return;
    case OutputFormat::kTable:
    case OutputFormat::kWide:
      break;
  }
  std::vector<TableColumn> shown;
  for (const auto& column : listing.columns) {
    if (!column.wide || format == OutputFormat::kWide) shown.push_back(column);
  }
  PrintTable(shown, sorted, TableStyleOf(invocation));
}

void PrintTable(const std::vector<TableColumn>& columns, const Json& rows,
                const TableStyle& style) {
  std::vector<std::vector<std::string>> cells;
  for (const auto& row : rows) {
    auto& line = cells.emplace_back();
    for (const auto& column : columns) {
      const auto found = row.find(column.field);
      line.push_back(found == row.end() ? "-" : Printable(Cell(*found)));
    }
  }
  PrintTable(columns, cells, style);
}

void PrintJson(const Invocation& invocation, const Json& document) {
  std::string text =
      invocation.json_path() ? invocation.json_path()->Of(document) : ToJson(document);
  if (!text.ends_with('\n')) text += '\n';
  std::fwrite(text.data(), 1, text.size(), stdout);
}

void PrintJsonText(const Invocation& invocation, const std::string& document) {
  if (invocation.json_path() == nullptr) {
    std::printf("%s\n", document.c_str());
  } else {
    PrintJson(invocation, Json::parse(document, nullptr, /*allow_exceptions=*/false));
  }
}

}  // namespace dxt::ctl
