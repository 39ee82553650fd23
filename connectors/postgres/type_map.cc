#include "connectors/postgres/type_map.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/error.h"

namespace dxt::postgres {
namespace {

struct Known {
  std::string_view name;
  Wire wire;
  uint32_t oid;
  DType dtype;
};

constexpr Known kKnown[] = {
    {"boolean", Wire::kBool, 16, DType::kBool},
    {"smallint", Wire::kInt2, 21, DType::kInt16},
    {"integer", Wire::kInt4, 23, DType::kInt32},
    {"bigint", Wire::kInt8, 20, DType::kInt64},
    {"real", Wire::kFloat4, 700, DType::kFloat32},
    {"double precision", Wire::kFloat8, 701, DType::kFloat64},
    {"numeric", Wire::kNumeric, 1700, DType::kDecimal},
    {"text", Wire::kText, 25, DType::kString},
    {"character varying", Wire::kText, 1043, DType::kString},
    {"character", Wire::kText, 1042, DType::kString},
    {"bpchar", Wire::kText, 1042, DType::kString},
    {"name", Wire::kText, 19, DType::kString},
    {"bytea", Wire::kBytea, 17, DType::kBinary},
    {"date", Wire::kDate, 1082, DType::kDate},
    {"time without time zone", Wire::kTime, 1083, DType::kTime},
    {"timestamp without time zone", Wire::kTimestamp, 1114, DType::kTimestamp},
    {"timestamp with time zone", Wire::kTimestampTz, 1184, DType::kTimestampTz},
    {"json", Wire::kJson, 114, DType::kJson},
    {"jsonb", Wire::kJsonb, 3802, DType::kJson},
    {"uuid", Wire::kUuid, 2950, DType::kString},
};

constexpr std::pair<std::string_view, std::string_view> kAliases[] = {
    {"bool", "boolean"},
    {"int2", "smallint"},
    {"int", "integer"},
    {"int4", "integer"},
    {"int8", "bigint"},
    {"float4", "real"},
    {"float8", "double precision"},
    {"float", "double precision"},
    {"decimal", "numeric"},
    {"dec", "numeric"},
    {"varchar", "character varying"},
    {"char", "character"},
    {"time", "time without time zone"},
    {"timetz", "time with time zone"},
    {"timestamp", "timestamp without time zone"},
    {"timestamptz", "timestamp with time zone"},
    {"varbit", "bit varying"},
};

/// Types whose values name rows of a server's own catalogue.
constexpr std::string_view kCatalogTypes[] = {
    "oid",          "regclass", "regcollation", "regconfig", "regdictionary",
    "regnamespace", "regoper",  "regoperator",  "regproc",   "regprocedure",
    "regrole",      "regtype",  "aclitem",      "oidvector", "xid",
    "cid",          "tid",      "pg_lsn",       "refcursor", "txid_snapshot",
    "pg_snapshot",  "xid8",     "record"};

constexpr int64_t kFirstDay = -2440588;           // 4713-11-24 BC, Julian day 0.
constexpr int64_t kLastDateDay = 2145042905;      // 5874897-12-31
constexpr int64_t kLastTimestampDay = 106751990;  // Of int64 microseconds since 1970.

const Known* FindKnown(std::string_view name) {
  for (const auto& known : kKnown) {
    if (known.name == name) return &known;
  }
  return nullptr;
}

FieldType OfDType(DType dtype) {
  FieldType type;
  type.dtype = dtype;
  return type;
}

FieldType NumericType(const std::vector<int32_t>& modifiers) {
  FieldType type = OfDType(DType::kDecimal);
  if (modifiers.empty()) return type;
  int32_t precision = modifiers[0];
  int32_t scale = modifiers.size() > 1 ? modifiers[1] : 0;
  // numeric(3,-2) holds integers of up to 5 digits, numeric(2,5) five decimals.
  if (scale < 0) {
    precision -= scale;
    scale = 0;
  }
  precision = std::max(precision, scale);
  if (precision > 76) return type;
  type.precision = precision;
  type.scale = scale;
  return type;
}

FieldType ScalarType(const PgType& type) {
  if (type.wire == Wire::kNumeric) return NumericType(type.modifiers);
  if (const Known* known = FindKnown(type.name)) return OfDType(known->dtype);
  if (type.name == "oid") return OfDType(DType::kInt64);
  return OfDType(DType::kString);
}

bool IsInteger(DType dtype) { return dtype <= DType::kUint64; }

/// Lowest and highest value of an integer dtype, in bits: signed n holds unsigned n/2.
struct IntegerWidth {
  bool is_signed;
  int bits;
};
IntegerWidth WidthOf(DType dtype) {
  switch (dtype) {
    case DType::kInt8:
      return {true, 8};
    case DType::kInt16:
      return {true, 16};
    case DType::kInt32:
      return {true, 32};
    case DType::kInt64:
      return {true, 64};
    case DType::kUint8:
      return {false, 8};
    case DType::kUint16:
      return {false, 16};
    case DType::kUint32:
      return {false, 32};
    default:
      return {false, 64};
  }
}

/// Every value of `from` is one of the signed integer `to`.
bool FitsInto(DType from, DType to) {
  const auto a = WidthOf(from);
  const auto b = WidthOf(to);
  return a.is_signed ? a.bits <= b.bits : a.bits < b.bits;
}

std::string DecimalText(const FieldType& type) {
  return "numeric(" + std::to_string(type.precision) + "," + std::to_string(type.scale) +
         ")";
}

arrow::Status Refused(const FieldType& wanted, std::string_view declared,
                      std::string_view hint) {
  return MakeError(ErrorClass::kUnsupported, "type.refused",
                   "Values of type " + ToString(wanted) +
                       " cannot go into a column of type " + std::string(declared),
                   std::string(hint));
}

void SetTextLimits(const PgType& type, ValueDomain* domain) {
  domain->nul = false;
  if (type.name == "name") domain->max_bytes = 63;
  if (type.name != "character" && type.name != "character varying") return;
  if (!type.modifiers.empty()) {
    domain->max_characters = type.modifiers[0];
  } else if (type.name == "character") {
    domain->max_characters = 1;
  }
}

void SetTimeLimits(const PgType& type, ValueDomain* domain) {
  domain->fraction_digits = 6;
  if (!type.modifiers.empty()) domain->fraction_digits = type.modifiers[0];
  if (type.wire == Wire::kTime) return;
  domain->infinite_time = true;
  domain->first_day = kFirstDay;
  domain->last_day = type.wire == Wire::kDate ? kLastDateDay : kLastTimestampDay;
}

/// What a numeric column is handed: decimals in the column's own precision, or as they
/// come.
FieldType DeliverToNumeric(const PgType& type, const FieldType& wanted) {
  const FieldType natural = NumericType(type.modifiers);
  if (natural.precision > 0) {
    if (IsInteger(wanted.dtype) && natural.precision - natural.scale >= 20) return wanted;
    return natural;
  }
  if (!type.modifiers.empty()) return natural;
  return IsInteger(wanted.dtype) || wanted.dtype == DType::kDecimal ? wanted : natural;
}

}  // namespace

bool PgType::built_in() const {
  return name.find('.') == std::string::npos &&
         (name.empty() || name.front() != '"' || name == "\"char\"");
}

PgType ParseType(std::string_view text) {
  PgType type;
  const auto trim = [](std::string_view part) {
    while (!part.empty() && part.front() == ' ') part.remove_prefix(1);
    while (!part.empty() && part.back() == ' ') part.remove_suffix(1);
    return part;
  };
  text = trim(text);
  while (text.ends_with("[]")) {
    type.array = true;
    text = trim(text.substr(0, text.size() - 2));
  }
  // The modifiers stand before "with time zone": timestamp(3) with time zone.
  bool quoted = false;
  size_t open = std::string_view::npos;
  for (size_t i = 0; i < text.size() && open == std::string_view::npos; ++i) {
    if (text[i] == '"') quoted = !quoted;
    if (text[i] == '(' && !quoted) open = i;
  }
  std::string name(trim(text.substr(0, open)));
  if (open != std::string_view::npos) {
    const size_t close = text.find(')', open);
    std::string_view inside = text.substr(open + 1, close - open - 1);
    while (!inside.empty()) {
      const size_t comma = inside.find(',');
      const auto part = trim(inside.substr(0, comma));
      int32_t number = 0;
      const auto [end, error] =
          std::from_chars(part.data(), part.data() + part.size(), number);
      if (error == std::errc() && end == part.data() + part.size()) {
        type.modifiers.push_back(number);
      }
      inside = comma == std::string_view::npos ? "" : inside.substr(comma + 1);
    }
    if (close != std::string_view::npos && close + 1 < text.size()) {
      name += " " + std::string(trim(text.substr(close + 1)));
    }
  }
  if (name.find('"') == std::string::npos) {
    for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    for (const auto& [alias, canonical] : kAliases) {
      if (name == alias) name = canonical;
    }
  }
  type.name = std::move(name);
  if (const Known* known = FindKnown(type.name)) type.wire = known->wire;
  return type;
}

uint32_t WireOid(Wire wire) {
  for (const auto& known : kKnown) {
    if (known.wire == wire) return known.oid;
  }
  return 25;
}

FieldType ReadAs(const PgType& type, bool composite, int dimensions) {
  if (!type.array) return composite ? OfDType(DType::kJson) : ScalarType(type);
  // Elements of composite type, and declared matrices, have no place in a list of
  // scalars.
  if (composite || dimensions > 1) return OfDType(DType::kJson);
  PgType element = type;
  element.array = false;
  FieldType list = OfDType(DType::kArray);
  list.element = std::make_shared<FieldType>(
      element.wire == Wire::kNone ? OfDType(DType::kString) : ScalarType(element));
  return list;
}

arrow::Result<std::string> SelectItem(const ColumnRead& column, const std::string& sql) {
  if (column.raw) return sql;
  const PgType type =
      ParseType(column.native.system == kSystem ? column.native.type : "text");
  const auto refuse = [&]() {
    return MakeError(
        ErrorClass::kUnsupported, "pg.read_type",
        "Column '" + column.name + "' is " + column.native.type +
            " and cannot be read as " + ToString(column.type),
        "Convert it with SQL in `source.expression`, or leave the dtype out");
  };
  switch (column.type.dtype) {
    case DType::kString:
      if (!type.array && (type.wire == Wire::kText || type.wire == Wire::kUuid))
        return sql;
      return sql + (type.name == "money" && !type.array ? "::numeric::text" : "::text");
    case DType::kJson:
      if (!type.array && (type.wire == Wire::kJson || type.wire == Wire::kJsonb))
        return sql;
      return "pg_catalog.to_json(" + sql + ")::text";
    case DType::kObject:
      return "pg_catalog.to_json(" + sql + ")::text";
    case DType::kArray:
      if (!column.type.element) return "pg_catalog.to_json(" + sql + ")::text";
      if (!type.array) return refuse();
      if (type.name == "money") return sql + "::numeric[]::text[]";
      if (type.wire == Wire::kNone) return sql + "::text[]";
      return sql;
    case DType::kDecimal:
      if (type.array || type.wire != Wire::kNumeric) return refuse();
      return sql;
    case DType::kInt64:
      if (!type.array && type.name == "oid") return sql + "::int8";
      break;
    default:
      break;
  }
  if (type.array || !(ScalarType(type) == column.type)) return refuse();
  return sql;
}

Arrival ArrivalOf(const ColumnRead& column) {
  const PgType type =
      ParseType(column.native.system == kSystem ? column.native.type : "text");
  switch (column.type.dtype) {
    case DType::kString:
      return {!type.array && type.wire == Wire::kUuid ? Wire::kUuid : Wire::kText, false};
    case DType::kJson:
      return {!type.array && type.wire == Wire::kJsonb ? Wire::kJsonb : Wire::kText,
              false};
    case DType::kObject:
      return {Wire::kText, false};
    case DType::kArray:
      if (!column.type.element) return {Wire::kText, false};
      return {type.wire == Wire::kNone ? Wire::kText : type.wire, true};
    case DType::kInt64:
      return {Wire::kInt8, false};
    default:
      return {type.wire, false};
  }
}

arrow::Result<std::string> NewColumnType(const Field& field) {
  switch (field.type.dtype) {
    case DType::kInt8:
    case DType::kInt16:
    case DType::kUint8:
      return "smallint";
    case DType::kInt32:
    case DType::kUint16:
      return "integer";
    case DType::kInt64:
    case DType::kUint32:
      return "bigint";
    case DType::kUint64:
      return "numeric(20)";
    case DType::kFloat32:
      return "real";
    case DType::kFloat64:
      return "double precision";
    case DType::kDecimal:
      return field.type.precision > 0 ? DecimalText(field.type) : "numeric";
    case DType::kString:
      return "text";
    case DType::kBool:
      return "boolean";
    case DType::kDate:
      return "date";
    case DType::kTime:
      return "time without time zone";
    case DType::kTimestamp:
      return "timestamp without time zone";
    case DType::kTimestampTz:
      return "timestamp with time zone";
    case DType::kBinary:
      return "bytea";
    case DType::kJson:
    case DType::kObject:
      return "jsonb";
    case DType::kArray: {
      if (!field.type.element || field.type.element->dtype == DType::kArray ||
          field.type.element->dtype == DType::kObject) {
        return "jsonb";
      }
      Field element;
      element.type = *field.type.element;
      ARROW_ASSIGN_OR_RAISE(auto name, NewColumnType(element));
      return name + "[]";
    }
  }
  return "text";
}

ValueDomain NaturalDomain(const PgType& type) {
  ValueDomain domain;
  domain.deliver = ReadAs(type, false, 0);
  switch (type.wire) {
    case Wire::kNone:
    case Wire::kText:
    case Wire::kUuid:
      SetTextLimits(type, &domain);
      break;
    case Wire::kJson:
      domain.nul = false;
      break;
    case Wire::kJsonb:
      domain.nul = false;
      domain.duplicate_json_keys = false;
      domain.nul_in_json = false;
      break;
    case Wire::kDate:
    case Wire::kTime:
    case Wire::kTimestamp:
    case Wire::kTimestampTz:
      SetTimeLimits(type, &domain);
      break;
    case Wire::kNumeric:
      if (type.modifiers.empty()) {
        domain.max_integer_digits = 131072;
        domain.max_fraction_digits = 16383;
      } else if (domain.deliver.precision == 0) {
        const int32_t scale =
            type.modifiers.size() > 1 ? std::max(0, type.modifiers[1]) : 0;
        domain.max_integer_digits = std::max(1, type.modifiers[0] - scale);
        domain.max_fraction_digits = scale;
        domain.infinity = false;
      }
      break;
    default:
      break;
  }
  return domain;
}

arrow::Result<ValueDomain> DomainOf(const PgType& type, std::string_view declared,
                                    const FieldType& wanted) {
  ValueDomain domain = NaturalDomain(type);
  if (type.array) {
    if (wanted.dtype == DType::kArray && wanted.element) {
      PgType element = type;
      element.array = false;
      ARROW_ASSIGN_OR_RAISE(auto inner, DomainOf(element, declared, *wanted.element));
      domain = inner;
      domain.deliver = OfDType(DType::kArray);
      domain.deliver.element = std::make_shared<FieldType>(inner.deliver);
      return domain;
    }
    return Refused(wanted, declared, "Load it into a jsonb column");
  }
  const DType from = wanted.dtype;
  switch (type.wire) {
    case Wire::kInt2:
    case Wire::kInt4:
    case Wire::kInt8:
      if (IsInteger(from) && FitsInto(from, domain.deliver.dtype))
        domain.deliver = wanted;
      if (from == DType::kBinary) return Refused(wanted, declared, "");
      break;
    case Wire::kNumeric:
      domain.deliver = DeliverToNumeric(type, wanted);
      // An exact decimal cannot fall outside an undeclared column.
      if (domain.deliver.precision > 0) domain.max_integer_digits = 0;
      if (domain.deliver.precision > 0) domain.max_fraction_digits = 0;
      break;
    case Wire::kFloat8:
      if (from == DType::kFloat32) domain.deliver = wanted;
      break;
    case Wire::kTimestamp:
      if (from == DType::kTimestampTz) {
        return Refused(wanted, declared,
                       "Say which zone is meant with `fields[].timezone`");
      }
      break;
    case Wire::kTimestampTz:
      if (from == DType::kTimestamp) {
        return Refused(wanted, declared,
                       "Say which zone is meant with `fields[].timezone`");
      }
      break;
    case Wire::kBytea:
      if (from != DType::kBinary) {
        return Refused(wanted, declared, "Load it into a text column");
      }
      break;
    case Wire::kJson:
    case Wire::kJsonb:
      if (from == DType::kBinary) return Refused(wanted, declared, "Load it into bytea");
      domain.deliver = OfDType(DType::kJson);
      break;
    case Wire::kText:
    case Wire::kUuid:
    case Wire::kNone:
      if (from == DType::kBinary) return Refused(wanted, declared, "Load it into bytea");
      domain.deliver = OfDType(DType::kString);
      break;
    default:
      break;
  }
  return domain;
}

bool RoundsSilently(const PgType& type) {
  const bool modified = !type.modifiers.empty();
  if (type.name == "numeric") return type.modifiers.size() > 1 && type.modifiers[1] < 0;
  if (type.name == "interval" || type.name == "time with time zone") return modified;
  return type.name == "money" || type.name.starts_with("interval ");
}

std::string CastFromText(const PgType& type, std::string_view declared) {
  const std::string brackets = type.array ? "[]" : "";
  // A locale decides how money's own text is read; numbers it reads alike everywhere.
  if (type.name == "money") return "::numeric" + brackets + "::money" + brackets;
  // An explicit cast to bit(n) cuts and pads; an assignment refuses.
  if (type.name == "bit" || type.name == "bit varying") return "::bit varying" + brackets;
  return "::" + std::string(declared);
}

std::string ToldApartBy(const PgType& type) {
  const bool as_text = type.array || type.wire == Wire::kNone ||
                       type.wire == Wire::kText || type.wire == Wire::kJson;
  return as_text ? "::text COLLATE \"C\"" : "";
}

bool RawSafe(const PgType& type) {
  return type.built_in() && std::find(std::begin(kCatalogTypes), std::end(kCatalogTypes),
                                      type.name) == std::end(kCatalogTypes);
}

}  // namespace dxt::postgres
