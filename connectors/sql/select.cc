#include "connectors/sql/select.h"

#include "base/error.h"

namespace dxt::sql {
namespace {

std::string_view Trimmed(std::string_view text) {
  const auto blank = [](char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
  };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && (blank(text.back()) || text.back() == ';'))
    text.remove_suffix(1);
  return text;
}

std::string_view Operator(FilterOp op) {
  switch (op) {
    case FilterOp::kEq:
      return " = ";
    case FilterOp::kNe:
      return " <> ";
    case FilterOp::kGt:
      return " > ";
    case FilterOp::kGte:
      return " >= ";
    case FilterOp::kLt:
      return " < ";
    case FilterOp::kLte:
      return " <= ";
    case FilterOp::kIn:
      return " IN ";
    case FilterOp::kNotIn:
      return " NOT IN ";
  }
  return " = ";
}

/// The cursor as SQL, and in the form in which it is compared and ordered.
std::string CursorSql(const CursorRange& cursor, const SelectDialect& dialect) {
  std::string sql = cursor.expression.empty()
                        ? QuoteIdentifier(cursor.column, dialect.quoting)
                        : "(" + cursor.expression + ")";
  if (dialect.comparable) return dialect.comparable(sql, cursor.type);
  if (cursor.type.dtype == DType::kString) sql = dialect.bytewise(sql);
  return sql;
}

arrow::Result<std::string> FilterSql(const Filter& filter, const SelectDialect& dialect) {
  std::string sql = QuoteIdentifier(filter.column, dialect.quoting);
  if (dialect.comparable) sql = dialect.comparable(sql, filter.type);
  sql += Operator(filter.op);
  const bool many = filter.op == FilterOp::kIn || filter.op == FilterOp::kNotIn;
  if (many) sql += '(';
  for (size_t i = 0; i < filter.values.size(); ++i) {
    if (i > 0) sql += ", ";
    ARROW_ASSIGN_OR_RAISE(auto value, dialect.value(filter.values[i], filter.type));
    sql += value;
  }
  if (many) sql += ')';
  return sql;
}

arrow::Result<std::string> FromAndWhere(const ReadSpec& spec, std::string_view source_sql,
                                        const SelectDialect& dialect,
                                        std::string_view extra_predicate) {
  std::string sql = " FROM ";
  const bool query = spec.ref.kind == StreamKind::kQuery;
  if (query) {
    ARROW_ASSIGN_OR_RAISE(auto text, FillPlaceholders(spec, dialect));
    // The line break ends a trailing `--` comment of the author's.
    sql += "(" + text + "\n) AS _dxt_q";
  } else {
    sql += source_sql;
  }
  std::vector<std::string> predicates;
  if (!spec.where.empty()) predicates.push_back("(" + spec.where + "\n)");
  for (const auto& filter : spec.filters) {
    ARROW_ASSIGN_OR_RAISE(auto predicate, FilterSql(filter, dialect));
    predicates.push_back(std::move(predicate));
  }
  if (spec.cursor && !query) {
    const std::string cursor = CursorSql(*spec.cursor, dialect);
    std::vector<std::string> bounds;
    if (spec.cursor->lower) {
      ARROW_ASSIGN_OR_RAISE(auto value,
                            dialect.value(*spec.cursor->lower, spec.cursor->type));
      bounds.push_back(cursor + (spec.cursor->lower_inclusive ? " >= " : " > ") + value);
    }
    if (spec.cursor->upper) {
      ARROW_ASSIGN_OR_RAISE(auto value,
                            dialect.value(*spec.cursor->upper, spec.cursor->type));
      bounds.push_back(cursor + " < " + value);
    }
    std::string range;
    for (const auto& bound : bounds) range += (range.empty() ? "" : " AND ") + bound;
    if (spec.cursor->include_null) {
      if (!range.empty())
        predicates.push_back("((" + range + ") OR " + cursor + " IS NULL)");
    } else {
      predicates.push_back(range.empty() ? cursor + " IS NOT NULL" : range);
    }
  }
  if (!extra_predicate.empty()) predicates.emplace_back(extra_predicate);
  for (size_t i = 0; i < predicates.size(); ++i) {
    sql += (i == 0 ? " WHERE " : " AND ") + predicates[i];
  }
  return sql;
}

/// Follows a statement's text and knows the quote that is open at its end.
class Quotes {
 public:
  void Follow(std::string_view text) {
    for (size_t i = 0; i < text.size(); ++i) {
      const std::string_view two = text.substr(i, 2);
      if (within_ == 0) {
        const bool comment = two == "--" || two == "/*";
        if (comment || text[i] == '\'' || text[i] == '"') within_ = two[comment];
      } else if (within_ == '-'   ? text[i] == '\n'
                 : within_ == '*' ? two == "*/"
                                  : text[i] == within_) {
        within_ = 0;
      }
    }
  }
  bool open() const { return within_ == '\'' || within_ == '"'; }

 private:
  char within_ = 0;  ///< A quote; '-' and '*' for comments; 0 = neither.
};

}  // namespace

arrow::Result<std::string> FillPlaceholders(const ReadSpec& spec,
                                            const SelectDialect& dialect) {
  const std::string_view text = Trimmed(spec.ref.source);
  std::string filled;
  Quotes quotes;
  size_t at = 0;
  while (true) {
    const size_t open = text.find("{{", at);
    if (open == std::string_view::npos) break;
    const size_t close = text.find("}}", open);
    if (close == std::string_view::npos) break;
    filled += text.substr(at, open - at);
    quotes.Follow(text.substr(at, open - at));
    const std::string name(Trimmed(text.substr(open + 2, close - open - 2)));
    at = close + 2;
    if (quotes.open()) {
      return MakeError(ErrorClass::kConfig, "sql.placeholder",
                       "The query has {{ " + name +
                           " }} within quotes, where it would "
                           "be text and not a value",
                       "Write it without them: the value is quoted as it must be");
    }
    if (name == "cursor" && spec.cursor) {
      if (!spec.cursor->lower) {
        return MakeError(ErrorClass::kConfig, "cursor.no_value",
                         "The query uses {{ cursor }} but there is no watermark yet",
                         "Set extract.initial_value, the value for the first run");
      }
      ARROW_ASSIGN_OR_RAISE(auto value,
                            dialect.value(*spec.cursor->lower, spec.cursor->type));
      filled += value;
      continue;
    }
    const std::string* found = nullptr;
    if (name.starts_with("var.")) {
      for (const auto& [variable, value] : spec.variables) {
        if (variable == name.substr(4)) found = &value;
      }
    }
    if (!found) {
      return MakeError(
          ErrorClass::kConfig, "sql.placeholder",
          "The query uses {{ " + name + " }}, which has no value",
          name.starts_with("var.")
              ? "Pass it: --var " + name.substr(4) + "=VALUE"
              : "Known are {{ cursor }} (with extract.mode: incremental) and "
                "{{ var.NAME }}");
    }
    ARROW_ASSIGN_OR_RAISE(auto value, dialect.value(*found, FieldType{}));
    filled += value;
  }
  filled += text.substr(at);
  return filled;
}

arrow::Result<std::string> BuildSelect(const ReadSpec& spec, std::string_view source_sql,
                                       const SelectDialect& dialect,
                                       std::string_view extra_predicate) {
  std::string sql = "SELECT ";
  for (size_t i = 0; i < spec.columns.size(); ++i) {
    if (i > 0) sql += ", ";
    sql += dialect.item(spec.columns[i]);
  }
  ARROW_ASSIGN_OR_RAISE(auto rest,
                        FromAndWhere(spec, source_sql, dialect, extra_predicate));
  sql += rest;
  if (spec.order_by_cursor && spec.cursor) {
    // Rows without a cursor belong to the beginning: no watermark is above them.
    sql += " ORDER BY " + CursorSql(*spec.cursor, dialect) +
           (spec.cursor->include_null ? " NULLS FIRST" : "");
  }
  if (spec.limit) sql += " LIMIT " + std::to_string(*spec.limit);
  return sql;
}

arrow::Result<std::string> BuildCount(const ReadSpec& spec, std::string_view source_sql,
                                      const SelectDialect& dialect) {
  ARROW_ASSIGN_OR_RAISE(auto rest, FromAndWhere(spec, source_sql, dialect, ""));
  return "SELECT count(*)" + rest;
}

}  // namespace dxt::sql
