#include "connectors/postgres/connection.h"

#include <charconv>
#include <chrono>
#include <condition_variable>
#include <thread>

#include <libpq-fe.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "connectors/postgres/error.h"
#include "connectors/sql/identifier.h"

namespace dxt::postgres {
namespace {

using std::chrono::steady_clock;

/// COPY data wakes the reader once this much has arrived, not per packet.
constexpr int kLowWater = 64 << 10;
/// A wait that long with less than the low-water mark there ends the waiting for it.
constexpr int kLowWaterPatienceMs = 5;

/// Sent bytes may stay without an acknowledgement for so long. Linux counts as silent
/// who acknowledges and reads nothing, too, as a server may that a lock or its disk holds
/// up while rows are sent to it.
constexpr int kSilenceMs = 30'000, kCopySilenceMs = 300'000;

/// Wakes a poll() from the thread that requests the stop.
struct Wake {
  int fd;
  void operator()() const noexcept {
    const uint64_t one = 1;
    [[maybe_unused]] const auto written = write(fd, &one, sizeof one);
  }
};

/// PQcancel connects and waits without a limit of its own; it gets one here.
void CancelWithin(PGcancel* cancel, std::chrono::milliseconds limit) {
  struct Shared {
    std::mutex mutex;
    std::condition_variable changed;
    bool done = false;
  };
  auto shared = std::make_shared<Shared>();
  std::thread([shared, cancel] {
    char message[256];
    PQcancel(cancel, message, sizeof message);
    PQfreeCancel(cancel);
    const std::lock_guard lock(shared->mutex);
    shared->done = true;
    shared->changed.notify_all();
  }).detach();
  std::unique_lock lock(shared->mutex);
  shared->changed.wait_for(lock, limit, [&] { return shared->done; });
}

}  // namespace

ResultSet::ResultSet(pg_result* result) : result_(result) {}
void ResultSet::Clear::operator()(pg_result* result) const { PQclear(result); }
int ResultSet::rows() const { return PQntuples(result_.get()); }
bool ResultSet::IsNull(int row, int column) const {
  return PQgetisnull(result_.get(), row, column) != 0;
}
std::string_view ResultSet::Get(int row, int column) const {
  return {PQgetvalue(result_.get(), row, column),
          static_cast<size_t>(PQgetlength(result_.get(), row, column))};
}
int64_t ResultSet::Int(int row, int column) const {
  const auto text = Get(row, column);
  int64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}
int64_t ResultSet::affected() const {
  const std::string_view text = PQcmdTuples(const_cast<PGresult*>(result_.get()));
  int64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

arrow::Result<std::unique_ptr<Connection>> Connection::Open(const ConnectOptions& options,
                                                            std::stop_token stop) {
  const int wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake_fd < 0) {
    return MakeError(ErrorClass::kTransient, "pg.out_of_resources",
                     "Cannot connect to PostgreSQL: no file descriptor is free",
                     "Raise the open-file limit (ulimit -n), or lower --threads");
  }
  std::unique_ptr<Connection> connection(new Connection(wake_fd));
  ARROW_RETURN_NOT_OK(connection->Connect(options, stop));
  return connection;
}

arrow::Status Connection::Connect(const ConnectOptions& options, std::stop_token stop) {
  constexpr std::string_view doing = "Connecting to PostgreSQL";
  metadata_ = options.metadata;
  if (stop.stop_requested()) return Cancelled(doing);
  std::vector<const char*> keys, values;
  // libpq reads the texts after this: they must outlive the call.
  const auto set = [&](const char* key, const char* value) {
    if (*value == '\0') return;
    keys.push_back(key);
    values.push_back(value);
  };
  set("application_name", "dxt");
  // A peer that falls silent without a word is given up after half a minute.
  set("keepalives_idle", "15");
  set("keepalives_interval", "5");
  set("keepalives_count", "3");
  const std::string silence = std::to_string(kSilenceMs);
  set("tcp_user_timeout", silence.c_str());
  for (const auto& [key, value] : options.parameters) {
    set(key.c_str(), value.c_str());
    if (key == "tcp_user_timeout") bears_own_ = false;
  }
  set("host", options.host.c_str());
  set("port", options.port.c_str());
  set("dbname", options.database.c_str());
  set("user", options.user.c_str());
  set("password", options.password.c_str());
  set("sslmode", options.sslmode.c_str());
  set("client_encoding", "UTF8");
  keys.push_back(nullptr);
  values.push_back(nullptr);

  const Wake wake{wake_fd_};
  const std::stop_callback on_stop(stop, wake);
  connection_ = PQconnectStartParams(keys.data(), values.data(), 0);
  if (!connection_ || PQstatus(connection_) == CONNECTION_BAD) {
    return ConnectError(connection_, options);
  }
  PQsetNoticeReceiver(connection_, [](void*, const PGresult*) {}, nullptr);
  const auto deadline =
      steady_clock::now() + std::chrono::seconds(options.connect_timeout_s);
  for (auto state = PGRES_POLLING_WRITING; state != PGRES_POLLING_OK;) {
    if (state == PGRES_POLLING_FAILED) return ConnectError(connection_, options);
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - steady_clock::now());
    pollfd fds[2] = {
        {PQsocket(connection_),
         static_cast<short>(state == PGRES_POLLING_READING ? POLLIN : POLLOUT), 0},
        {wake_fd_, POLLIN, 0}};
    if (left.count() <= 0) return ConnectTimeout(options);
    const int ready = poll(fds, 2, static_cast<int>(left.count()));
    if (stop.stop_requested()) return Cancelled(doing);
    if (ready == 0) return ConnectTimeout(options);
    if (ready < 0) continue;  // EINTR
    state = PQconnectPoll(connection_);
  }
  PQsetnonblocking(connection_, 1);
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  if (getsockname(PQsocket(connection_), reinterpret_cast<sockaddr*>(&address),
                  &length) == 0) {
    tcp_ = address.ss_family == AF_INET || address.ss_family == AF_INET6;
  }
  if (server_version() < 120000) {
    return MakeError(ErrorClass::kUnsupported, "pg.version",
                     "The server is PostgreSQL " + parameter("server_version") +
                         "; dxt works with 12 and newer");
  }
  return arrow::Status::OK();
}

Connection::~Connection() {
  PQfreemem(row_);
  if (connection_) {
    // A statement still on its way would hold its locks and snapshot until it ended.
    if (!broken_ && PQtransactionStatus(connection_) == PQTRANS_ACTIVE) Cancel();
    PQfinish(connection_);
  }
  close(wake_fd_);
}

void Connection::Cancel() {
  broken_ = true;
  if (PGcancel* cancel = PQgetCancel(connection_)) {
    CancelWithin(cancel, std::chrono::milliseconds(1200));
  }
}

arrow::Status Connection::Lost(std::string_view doing) {
  broken_ = true;
  return ConnectionLost(connection_, doing);
}

arrow::Status Connection::Wait(short events, int timeout_ms, std::string_view doing,
                               const std::stop_token& stop, bool* ready) {
  pollfd fds[2] = {{PQsocket(connection_), events, 0}, {wake_fd_, POLLIN, 0}};
  const int count = poll(fds, 2, timeout_ms);
  if (stop.stop_requested()) {
    Cancel();
    return Cancelled(doing);
  }
  *ready = count > 0 && fds[0].revents != 0;
  return arrow::Status::OK();
}

void Connection::NoticeRefusal() {
  char next = 0;
  refused_ =
      refused_ || (!PQsslInUse(connection_) &&
                   recv(PQsocket(connection_), &next, 1, MSG_PEEK | MSG_DONTWAIT) == 1 &&
                   next == 'E');
}

arrow::Status Connection::Flush(std::string_view doing, const std::stop_token& stop) {
  while (true) {
    NoticeRefusal();
    const int state = PQflush(connection_);
    if (state == 0) return arrow::Status::OK();
    if (state < 0) return Lost(doing);
    bool ready = false;
    ARROW_RETURN_NOT_OK(Wait(POLLIN | POLLOUT, -1, doing, stop, &ready));
    NoticeRefusal();
    // The server may be unable to read before we have read what it says.
    if (!PQconsumeInput(connection_)) return Lost(doing);
  }
}

arrow::Result<pg_result*> Connection::NextResult(std::string_view doing,
                                                 const std::stop_token& stop) {
  while (PQisBusy(connection_)) {
    bool ready = false;
    ARROW_RETURN_NOT_OK(Wait(POLLIN, -1, doing, stop, &ready));
    if (!PQconsumeInput(connection_)) return Lost(doing);
  }
  return PQgetResult(connection_);
}

arrow::Result<ResultSet> Connection::Finish(std::string_view doing,
                                            const std::stop_token& stop) {
  arrow::Status failure;
  ResultSet last;
  while (true) {
    ARROW_ASSIGN_OR_RAISE(pg_result * raw, NextResult(doing, stop));
    if (!raw) break;
    ResultSet result(raw);
    switch (PQresultStatus(raw)) {
      case PGRES_COMMAND_OK:
      case PGRES_TUPLES_OK:
      case PGRES_EMPTY_QUERY:
        last = std::move(result);
        break;
      case PGRES_COPY_IN:
      case PGRES_COPY_OUT:
        return result;
      default:
        if (failure.ok()) failure = ResultError(raw, doing);
    }
    if (PQstatus(connection_) == CONNECTION_BAD) break;
  }
  if (PQstatus(connection_) == CONNECTION_BAD) {
    broken_ = true;
    if (failure.ok()) return Lost(doing);
  }
  ARROW_RETURN_NOT_OK(failure);
  return last;
}

arrow::Result<ResultSet> Connection::Run(const std::string& sql, std::string_view doing,
                                         std::stop_token stop) {
  const Wake wake{wake_fd_};
  const std::stop_callback on_stop(stop, wake);
  if (broken_) return ConnectionLost(nullptr, doing);
  if (stop.stop_requested()) return Cancelled(doing);
  if (!PQsendQuery(connection_, sql.c_str())) return Lost(doing);
  ARROW_RETURN_NOT_OK(Flush(doing, stop));
  return Finish(doing, stop);
}

arrow::Status Connection::Commit(std::string_view doing, std::stop_token stop) {
  ARROW_ASSIGN_OR_RAISE(auto result, Run("COMMIT", doing, stop));
  const std::string_view tag = PQcmdStatus(const_cast<PGresult*>(result.raw()));
  if (tag == "COMMIT") return arrow::Status::OK();
  ErrorInfo info;
  info.error_class = ErrorClass::kInternal;
  info.code = "pg.rolled_back";
  info.vendor_code = "25P02";
  return MakeError(std::move(info),
                   std::string(doing) + " failed: the server rolled back");
}

arrow::Result<ResultSet> Connection::Query(const std::string& sql,
                                           const Parameters& parameters,
                                           std::string_view doing, std::stop_token stop,
                                           bool binary) {
  const Wake wake{wake_fd_};
  const std::stop_callback on_stop(stop, wake);
  if (broken_) return ConnectionLost(nullptr, doing);
  if (stop.stop_requested()) return Cancelled(doing);
  std::vector<const char*> values;
  for (const auto& value : parameters) values.push_back(value ? value->c_str() : nullptr);
  if (!PQsendQueryParams(connection_, sql.c_str(), static_cast<int>(values.size()),
                         nullptr, values.data(), nullptr, nullptr, binary ? 1 : 0)) {
    return Lost(doing);
  }
  ARROW_RETURN_NOT_OK(Flush(doing, stop));
  return Finish(doing, stop);
}

arrow::Result<std::vector<Connection::ResultColumn>> Connection::DescribeStatement(
    const std::string& sql, std::string_view doing, std::stop_token stop) {
  const Wake wake{wake_fd_};
  const std::stop_callback on_stop(stop, wake);
  if (broken_) return ConnectionLost(nullptr, doing);
  if (!PQsendPrepare(connection_, "", sql.c_str(), 0, nullptr)) return Lost(doing);
  ARROW_RETURN_NOT_OK(Flush(doing, stop));
  ARROW_RETURN_NOT_OK(Finish(doing, stop).status());
  if (!PQsendDescribePrepared(connection_, "")) return Lost(doing);
  ARROW_RETURN_NOT_OK(Flush(doing, stop));
  ARROW_ASSIGN_OR_RAISE(auto described, Finish(doing, stop));
  std::vector<ResultColumn> columns;
  for (int i = 0; i < PQnfields(described.raw()); ++i) {
    columns.push_back({PQfname(described.raw(), i), PQftype(described.raw(), i),
                       PQfmod(described.raw(), i)});
  }
  return columns;
}

arrow::Status Connection::StartCopyOut(const std::string& sql, std::string_view doing,
                                       std::stop_token stop) {
  ARROW_ASSIGN_OR_RAISE(auto result, Run(sql, doing, stop));
  if (PQresultStatus(result.raw()) == PGRES_COPY_OUT) return arrow::Status::OK();
  return MakeError(ErrorClass::kInternal, "pg.copy_state",
                   std::string(doing) + " failed: the statement started no COPY");
}

void Connection::SetLowWater(int bytes) {
  if (!tcp_ || low_water_ == bytes) return;
  low_water_ = bytes;
  setsockopt(PQsocket(connection_), SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof bytes);
}

arrow::Result<std::string_view> Connection::NextCopyData(std::string_view doing,
                                                         std::stop_token stop) {
  if (row_) {
    PQfreemem(row_);
    row_ = nullptr;
  }
  if (broken_) return ConnectionLost(nullptr, doing);
  std::optional<std::stop_callback<Wake>> on_stop;
  // What the kernel already has is taken without asking poll().
  bool drained = false;
  while (true) {
    const int size = PQgetCopyData(connection_, &row_, 1);
    if (size > 0) {
      since_wait_ += size;
      return std::string_view(row_, size);
    }
    if (size == -1) {
      SetLowWater(1);
      ARROW_RETURN_NOT_OK(Finish(doing, stop).status());
      return std::string_view();
    }
    if (size < 0) {
      ARROW_RETURN_NOT_OK(Finish(doing, stop).status());
      return Lost(doing);
    }
    if (stop.stop_requested()) {
      Cancel();
      return Cancelled(doing);
    }
    if (drained) {
      if (!on_stop) on_stop.emplace(stop, Wake{wake_fd_});
      // A stream that brought much since the last wait is worth waiting for in bulk.
      SetLowWater(since_wait_ >= kLowWater / 2 ? kLowWater : 1);
      since_wait_ = 0;
      bool ready = false;
      ARROW_RETURN_NOT_OK(
          Wait(POLLIN, low_water_ > 1 ? kLowWaterPatienceMs : -1, doing, stop, &ready));
      if (!ready) SetLowWater(1);
    }
    drained = !drained;
    if (!PQconsumeInput(connection_)) return Lost(doing);
  }
}

arrow::Status Connection::StartCopyIn(const std::string& sql, std::string_view doing,
                                      std::stop_token stop) {
  refused_ = false;
  ARROW_ASSIGN_OR_RAISE(auto result, Run(sql, doing, stop));
  if (PQresultStatus(result.raw()) == PGRES_COPY_IN) {
    BearSilence(kCopySilenceMs);
    return arrow::Status::OK();
  }
  return MakeError(ErrorClass::kInternal, "pg.copy_state",
                   std::string(doing) + " failed: the statement started no COPY");
}

void Connection::BearSilence(int milliseconds) {
  if (!bears_own_) return;
  // Fails on a Unix socket, which needs none.
  setsockopt(PQsocket(connection_), IPPROTO_TCP, TCP_USER_TIMEOUT, &milliseconds,
             sizeof milliseconds);
}

arrow::Status Connection::PutCopyData(std::string_view data, std::string_view doing,
                                      std::stop_token stop) {
  if (broken_) return ConnectionLost(nullptr, doing);
  const Wake wake{wake_fd_};
  const std::stop_callback on_stop(stop, wake);
  if (stop.stop_requested()) {
    Cancel();
    return Cancelled(doing);
  }
  // One message is one write: libpq would copy larger ones piece by piece.
  constexpr size_t kMessage = 1 << 20;
  for (size_t at = 0; at < data.size(); at += kMessage) {
    const auto part = data.substr(at, kMessage);
    if (PQputCopyData(connection_, part.data(), static_cast<int>(part.size())) != 1) {
      return Lost(doing);
    }
    ARROW_RETURN_NOT_OK(Flush(doing, stop));
  }
  NoticeRefusal();
  return refused_ ? EndCopyIn(doing, stop).status() : arrow::Status::OK();
}

arrow::Result<int64_t> Connection::EndCopyIn(std::string_view doing,
                                             std::stop_token stop) {
  if (broken_) return ConnectionLost(nullptr, doing);
  const Wake wake{wake_fd_};
  const std::stop_callback on_stop(stop, wake);
  if (PQputCopyEnd(connection_, nullptr) != 1) return Lost(doing);
  ARROW_RETURN_NOT_OK(Flush(doing, stop));
  ARROW_ASSIGN_OR_RAISE(auto result, Finish(doing, stop));
  BearSilence(kSilenceMs);
  return result.affected();
}

arrow::Result<std::string> Connection::Literal(std::string_view text) const {
  char* escaped = PQescapeLiteral(connection_, text.data(), text.size());
  if (!escaped) {
    return MakeError(ErrorClass::kConfig, "pg.invalid_value",
                     "A value cannot be written into SQL: it is not valid UTF-8");
  }
  std::string literal(escaped);
  PQfreemem(escaped);
  return literal;
}

bool Connection::Sleep(int milliseconds, std::stop_token stop) {
  const Wake wake{wake_fd_};
  const std::stop_callback on_stop(stop, wake);
  pollfd fd = {wake_fd_, POLLIN, 0};
  poll(&fd, 1, milliseconds);
  return !stop.stop_requested();
}

bool Connection::idle() const {
  return !broken_ && PQstatus(connection_) == CONNECTION_OK &&
         PQtransactionStatus(connection_) == PQTRANS_IDLE;
}
bool Connection::between_statements() const {
  const auto state = PQtransactionStatus(connection_);
  return !broken_ && state != PQTRANS_ACTIVE && state != PQTRANS_UNKNOWN;
}
int Connection::server_version() const { return PQserverVersion(connection_); }
int Connection::backend_pid() const { return PQbackendPID(connection_); }
std::string Connection::parameter(const char* name) const {
  const char* value = PQparameterStatus(connection_, name);
  return value ? value : "";
}

arrow::Result<std::unique_ptr<Connection>> ConnectionPool::Take(std::stop_token stop) {
  {
    const std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      auto connection = std::move(idle_.back());
      idle_.pop_back();
      return connection;
    }
  }
  return Connection::Open(options_, stop);
}

void ConnectionPool::Give(std::unique_ptr<Connection> connection) {
  if (!connection || !connection->idle()) return;
  const std::lock_guard lock(mutex_);
  idle_.push_back(std::move(connection));
}

arrow::Result<Lease> Lease::Take(ConnectionPool& pool, std::stop_token stop) {
  ARROW_ASSIGN_OR_RAISE(auto connection, pool.Take(stop));
  return Lease(&pool, std::move(connection));
}

Lease::~Lease() {
  if (connection_) pool_->Give(std::move(connection_));
}

std::string SessionSettings(const ConnectOptions& options) {
  const std::string zone =
      options.session_timezone.empty() ? "UTC" : options.session_timezone;
  return "SET LOCAL TimeZone = " + sql::QuoteLiteral(zone) +
         "; SET LOCAL DateStyle = 'ISO, MDY'; SET LOCAL IntervalStyle = iso_8601; "
         "SET LOCAL extra_float_digits = 3; SET LOCAL bytea_output = hex; "
         "SET LOCAL idle_in_transaction_session_timeout = 0; ";
}

}  // namespace dxt::postgres
