#include "connectors/postgres/error.h"

#include <libpq-fe.h>

#include "base/error.h"
#include "connectors/postgres/connection.h"

namespace dxt::postgres {
namespace {

struct StateRule {
  std::string_view state;  ///< Whole SQLSTATE, or its two-character class.
  ErrorClass error_class;
  std::string_view code;
  std::string_view hint;
};

constexpr std::string_view kCorrect =
    "Correct the value where it comes from, or the SQL that makes it";
constexpr std::string_view kWiden =
    "Widen the column, or read the value as a type that holds it";
constexpr std::string_view kRule =
    "Leave such rows out with criteria.where, or change the rule of the table";

// Whole states stand before their class; the first match wins.
constexpr StateRule kStateRules[] = {
    {"28P01", ErrorClass::kAuth, "pg.auth_failed", "Check user and password"},
    {"28", ErrorClass::kAuth, "pg.auth_failed", "Check user, password and pg_hba.conf"},
    {"3D000", ErrorClass::kConfig, "pg.database_missing", "Check `database`"},
    {"3F000", ErrorClass::kConfig, "pg.schema_missing", "Check the schema's name"},
    {"42501", ErrorClass::kAuth, "pg.permission_denied",
     "Ask the owner to GRANT the missing right to this role"},
    {"42P01", ErrorClass::kConfig, "pg.table_missing",
     "dxtctl discover lists what is there"},
    {"42703", ErrorClass::kConfig, "pg.column_missing",
     "dxtctl discover lists the columns"},
    {"42601", ErrorClass::kConfig, "pg.sql_syntax", "Check the SQL in the document"},
    {"42883", ErrorClass::kConfig, "pg.function_missing",
     "Check the SQL in the document"},
    {"42704", ErrorClass::kConfig, "pg.type_missing",
     "Create the type in the target, or set target.dtype to one it has"},
    {"42P07", ErrorClass::kTransient, "pg.table_exists",
     "Another run made the table meanwhile; a retry plans again"},
    {"42", ErrorClass::kConfig, "pg.sql_invalid", "Check the SQL in the document"},
    {"22003", ErrorClass::kData, "pg.numeric_out_of_range", kWiden},
    {"22001", ErrorClass::kData, "pg.string_too_long", kWiden},
    {"22P02", ErrorClass::kData, "pg.invalid_value", kCorrect},
    {"22P03", ErrorClass::kData, "pg.invalid_value", kCorrect},
    {"22021", ErrorClass::kData, "pg.invalid_encoding", kCorrect},
    {"22007", ErrorClass::kData, "pg.invalid_datetime", kCorrect},
    {"22008", ErrorClass::kData, "pg.datetime_out_of_range", kCorrect},
    {"22", ErrorClass::kData, "pg.data_invalid", kCorrect},
    {"23505", ErrorClass::kData, "pg.unique_violation",
     "Use `mode: upsert` with the key's columns, or remove the duplicates"},
    {"23502", ErrorClass::kData, "pg.not_null_violation", kRule},
    {"23503", ErrorClass::kData, "pg.foreign_key_violation", kRule},
    {"23514", ErrorClass::kData, "pg.check_violation", kRule},
    {"23P01", ErrorClass::kData, "pg.exclusion_violation", kRule},
    {"23", ErrorClass::kData, "pg.constraint_violation", kRule},
    {"55P03", ErrorClass::kTransient, "pg.lock_timeout",
     "Another session holds the table; pg_stat_activity shows which"},
    {"40001", ErrorClass::kTransient, "pg.serialization_failure", ""},
    {"40P01", ErrorClass::kTransient, "pg.deadlock", ""},
    {"57014", ErrorClass::kTransient, "pg.query_cancelled",
     "The server cancelled the statement: see statement_timeout of the role"},
    {"57P", ErrorClass::kTransient, "pg.server_unavailable", ""},
    {"53100", ErrorClass::kTransient, "pg.disk_full", "Free space on the server's disk"},
    {"53300", ErrorClass::kThrottled, "pg.too_many_connections",
     "Lower --threads, or raise max_connections"},
    {"53", ErrorClass::kTransient, "pg.out_of_resources", ""},
    {"25P03", ErrorClass::kTransient, "pg.idle_timeout", ""},
    {"25006", ErrorClass::kConfig, "pg.read_only",
     "The server or the role only allows reading; write to the primary"},
    {"2BP01", ErrorClass::kConfig, "pg.dependent_objects",
     "Use `replace_strategy: rewrite`, which keeps the table"},
    {"0A", ErrorClass::kUnsupported, "pg.unsupported",
     "Read it by a query, or ask for less of the table"},
    {"08", ErrorClass::kTransient, "pg.connection_lost", ""},
    {"58", ErrorClass::kTransient, "pg.server_io", "See the server's log"},
    {"P0", ErrorClass::kData, "pg.raised",
     "A function or trigger of the database refuses it; its message says why"},
    {"XX", ErrorClass::kData, "pg.server_error", "See the server's log"},
};

/// What a failed connect says is text only; these are the server's and libpq's own
/// phrases.
struct PhraseRule {
  std::string_view phrase;
  ErrorClass error_class;
  std::string_view code;
  std::string_view what;
  std::string_view hint;
};

constexpr PhraseRule kPhraseRules[] = {
    {"password authentication failed", ErrorClass::kAuth, "pg.auth_failed",
     "the server refused the password", "Check `user` and `password`"},
    {"no password supplied", ErrorClass::kAuth, "pg.auth_failed",
     "the server asks for a password and none is set", "Set `password`"},
    {"no pg_hba.conf entry", ErrorClass::kAuth, "pg.auth_failed",
     "the server does not let this user in from here",
     "Ask for a pg_hba.conf entry, or try `sslmode: require`"},
    {"authentication failed", ErrorClass::kAuth, "pg.auth_failed",
     "the server refused the login", "Check `user` and `password`"},
    {"permission denied for database", ErrorClass::kAuth, "pg.permission_denied",
     "the user may not connect to this database", "GRANT CONNECT ON DATABASE"},
    {"too many c", ErrorClass::kThrottled, "pg.too_many_connections",
     "the server has no free connection", "Lower --threads, or raise max_connections"},
    {"remaining connection slots", ErrorClass::kThrottled, "pg.too_many_connections",
     "the server has no free connection", "Lower --threads, or raise max_connections"},
    {"the database system is", ErrorClass::kTransient, "pg.server_unavailable",
     "the server is starting or stopping", "Try again in a moment"},
    {"could not translate host name", ErrorClass::kTransient, "pg.unknown_host",
     "the host name is not known", "Check `host`"},
    {"Connection refused", ErrorClass::kTransient, "pg.connection_refused",
     "nothing accepts connections there",
     "Check `host` and `port`, and that the server runs"},
    {"No such file or directory", ErrorClass::kTransient, "pg.connection_refused",
     "there is no such socket", "Check `host` and `port`, and that the server runs"},
    {"timeout expired", ErrorClass::kTransient, "pg.connect_timeout",
     "the server did not answer in time", "Check `host`, `port` and firewalls"},
    {"Connection timed out", ErrorClass::kTransient, "pg.connect_timeout",
     "the server did not answer in time", "Check `host`, `port` and firewalls"},
    {"No route to host", ErrorClass::kTransient, "pg.unreachable",
     "there is no route to the host", "Check `host` and the network"},
    {"Network is unreachable", ErrorClass::kTransient, "pg.unreachable",
     "the network is not reachable", "Check `host` and the network"},
    {"does not support SSL", ErrorClass::kConfig, "pg.tls",
     "the server does not speak TLS", "Set `sslmode: prefer` or `disable`"},
    {"certificate", ErrorClass::kConfig, "pg.tls",
     "the server's certificate was not accepted",
     "Check `sslmode` and `options.sslrootcert`"},
};

std::string Where(const ConnectOptions& options) {
  return "database '" + options.database + "' at " + options.host + ":" + options.port +
         " as user '" + options.user + "'";
}

std::string FirstLine(std::string_view text) {
  const size_t end = text.find('\n');
  return std::string(text.substr(0, end));
}

std::string FieldText(const pg_result* result, int field) {
  const char* text = PQresultErrorField(result, field);
  return text ? text : "";
}

}  // namespace

arrow::Status ResultError(const pg_result* result, std::string_view doing) {
  ErrorInfo info;
  info.vendor_code = FieldText(result, PG_DIAG_SQLSTATE);
  std::string message = FieldText(result, PG_DIAG_MESSAGE_PRIMARY);
  if (message.empty()) message = FirstLine(PQresultErrorMessage(result));
  if (info.vendor_code.empty()) {
    info.error_class = ErrorClass::kTransient;
    info.code = "pg.connection_lost";
    info.hint = "The connection to the server broke; a retry connects again";
  }
  // Two sessions that make one table at the same time meet in the catalog's own indexes.
  const bool made_twice = info.vendor_code == "23505" &&
                          FieldText(result, PG_DIAG_SCHEMA_NAME) == "pg_catalog";
  const std::string state = made_twice ? "42P07" : info.vendor_code;
  for (const auto& rule : kStateRules) {
    if (state.empty() || !state.starts_with(rule.state)) continue;
    info.error_class = rule.error_class;
    info.code = rule.code;
    info.hint = rule.hint;
    break;
  }
  if (info.code.empty()) {
    info.error_class = ErrorClass::kData;
    info.code = "pg.server_error";
  }
  if (info.vendor_code == "57014" &&
      message.find("statement timeout") == std::string::npos) {
    info.hint = "Someone cancelled the statement on the server";
  }
  info.column = FieldText(result, PG_DIAG_COLUMN_NAME);
  if (const auto detail = FieldText(result, PG_DIAG_MESSAGE_DETAIL); !detail.empty()) {
    message += " (" + detail + ")";
  }
  if (const auto context = FieldText(result, PG_DIAG_CONTEXT);
      context.starts_with("COPY ")) {
    message += " [" + FirstLine(context) + "]";
  }
  if (const auto hint = FieldText(result, PG_DIAG_MESSAGE_HINT);
      !hint.empty() && info.hint.empty()) {
    info.hint = hint;
  }
  return MakeError(std::move(info), std::string(doing) + " failed: " + message);
}

arrow::Status ConnectionLost(const pg_conn* connection, std::string_view doing) {
  std::string why = connection ? FirstLine(PQerrorMessage(connection)) : "";
  if (why.empty()) why = "the connection to the server was closed";
  return MakeError(ErrorClass::kTransient, "pg.connection_lost",
                   std::string(doing) + " failed: " + why,
                   "The connection to the server broke; a retry connects again");
}

arrow::Status ConnectError(const pg_conn* connection, const ConnectOptions& options) {
  const std::string_view text = connection ? PQerrorMessage(connection) : "out of memory";
  const std::string head = "Cannot connect to PostgreSQL, " + Where(options) + ": ";
  for (const auto& rule : kPhraseRules) {
    if (text.find(rule.phrase) == std::string_view::npos) continue;
    return MakeError(rule.error_class, rule.code, head + std::string(rule.what),
                     std::string(rule.hint));
  }
  if (text.find("does not exist") != std::string_view::npos) {
    const bool role = text.find("role \"") != std::string_view::npos;
    return MakeError(
        role ? ErrorClass::kAuth : ErrorClass::kConfig,
        role ? "pg.auth_failed" : "pg.database_missing",
        head + (role ? "there is no such user" : "there is no such database"),
        role ? "Check `user`" : "Check `database`");
  }
  return MakeError(ErrorClass::kTransient, "pg.connect_failed", head + FirstLine(text),
                   "Check host, port, user and sslmode of the connection");
}

arrow::Status ConnectTimeout(const ConnectOptions& options) {
  return MakeError(
      ErrorClass::kTransient, "pg.connect_timeout",
      "Cannot connect to PostgreSQL, " + Where(options) + ": no answer within " +
          std::to_string(options.connect_timeout_s) + " s",
      "Check host, port and firewalls; `connect_timeout` sets how long to wait");
}

arrow::Status Cancelled(std::string_view doing) {
  return MakeError(ErrorClass::kCancelled, "cancelled",
                   std::string(doing) + " was cancelled");
}

bool HasSqlState(const arrow::Status& status, std::string_view sqlstate) {
  return !status.ok() && GetErrorInfo(status).vendor_code == sqlstate;
}

}  // namespace dxt::postgres
