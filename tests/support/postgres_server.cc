#include "tests/support/postgres_server.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <arpa/inet.h>
#include <fcntl.h>
#include <grp.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

namespace dxt::testing {
namespace {

namespace fs = std::filesystem;

std::string BinaryFolder() {
  if (const char* folder = std::getenv("DXT_POSTGRES_BIN")) return folder;
  return "/usr/lib/postgresql/15/bin";
}

/// Whom the server runs as: the caller, or `postgres` instead of root.
struct Account {
  bool change = false;
  uid_t uid = 0;
  gid_t gid = 0;
};

Account ServerAccount() {
  Account account;
  if (geteuid() != 0) return account;
  if (const passwd* entry = getpwnam("postgres")) {
    account = {true, entry->pw_uid, entry->pw_gid};
  }
  return account;
}

/// Starts a program as `account`, with its output in `log`. Returns its pid.
int Spawn(const std::vector<std::string>& command, const Account& account,
          const std::string& folder, const std::string& log) {
  std::vector<char*> arguments;
  for (const auto& part : command) arguments.push_back(const_cast<char*>(part.c_str()));
  arguments.push_back(nullptr);
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child != 0) return child;
  if (account.change && (setgroups(0, nullptr) != 0 || setgid(account.gid) != 0 ||
                         setuid(account.uid) != 0)) {
    _exit(126);
  }
  // SIGQUIT is PostgreSQL's immediate shutdown.
  prctl(PR_SET_PDEATHSIG, SIGQUIT);
  if (getppid() != parent) _exit(125);
  if (chdir(folder.c_str()) != 0) _exit(124);
  const int out = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  const int in = open("/dev/null", O_RDONLY);
  dup2(in, 0);
  dup2(out, 1);
  dup2(out, 2);
  closefrom(3);
  setsid();
  execv(arguments[0], arguments.data());
  _exit(127);
}

int FreePort() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  bind(fd, reinterpret_cast<sockaddr*>(&address), size);
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  close(fd);
  return ntohs(address.sin_port);
}

/// Memory where there is enough of it: a database has hundreds of files.
fs::path ScratchFolder() {
  struct statvfs info{};
  if (statvfs("/dev/shm", &info) == 0 && access("/dev/shm", W_OK) == 0 &&
      static_cast<uint64_t>(info.f_bavail) * info.f_frsize > (2ULL << 30)) {
    return "/dev/shm";
  }
  return fs::temp_directory_path();
}

std::string Contents(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

arrow::Result<std::unique_ptr<PostgresServer>> PostgresServer::Start() {
  return Start(Options{});
}

arrow::Result<std::unique_ptr<PostgresServer>> PostgresServer::Start(
    const Options& options) {
  std::unique_ptr<PostgresServer> server(new PostgresServer());
  ARROW_RETURN_NOT_OK(server->Run(options));
  return server;
}

PostgresServer& PostgresServer::Shared() {
  static const std::unique_ptr<PostgresServer> server = [] {
    auto started = Start();
    if (!started.ok()) {
      std::fprintf(stderr, "%s\n", started.status().ToString().c_str());
      std::abort();
    }
    return std::move(*started);
  }();
  return *server;
}

arrow::Status PostgresServer::Run(const Options& options) {
  const std::string bin = BinaryFolder();
  if (!fs::exists(bin + "/postgres")) {
    return arrow::Status::Invalid("no PostgreSQL server in ", bin,
                                  ": install postgresql-15, or set DXT_POSTGRES_BIN");
  }
  std::string pattern = (ScratchFolder() / "dxt-pg-XXXXXX").string();
  if (!mkdtemp(pattern.data())) return arrow::Status::IOError("no temporary folder");
  folder_ = pattern;
  const Account account = ServerAccount();
  if (account.change && chown(folder_.c_str(), account.uid, account.gid) != 0) {
    return arrow::Status::IOError("chown of ", folder_, " failed");
  }
  const std::string data = folder_ + "/data", log = folder_ + "/log";
  std::vector<std::string> initdb = {bin + "/initdb",
                                     "-D",
                                     data,
                                     "-U",
                                     "postgres",
                                     "-E",
                                     "UTF8",
                                     "--locale=C.UTF-8",
                                     "--no-sync",
                                     "--no-instructions"};
  if (options.password) {
    password_ = "s3cr3t/p@ss word";
    std::ofstream(folder_ + "/password") << password_ << "\n";
    if (account.change &&
        chown((folder_ + "/password").c_str(), account.uid, account.gid) != 0) {
      return arrow::Status::IOError("chown of the password file failed");
    }
    initdb.insert(initdb.end(),
                  {"-A", "scram-sha-256", "--pwfile=" + folder_ + "/password"});
  } else {
    initdb.insert(initdb.end(), {"-A", "trust"});
  }
  int state = 0;
  if (waitpid(Spawn(initdb, account, folder_, log), &state, 0) < 0 || state != 0) {
    return arrow::Status::IOError("initdb failed: ", Contents(log));
  }
  // Another process may take the port between the look and the bind.
  for (int attempt = 0; attempt < 5; ++attempt) {
    port_ = FreePort();
    std::vector<std::string> command = {bin + "/postgres",     "-D", data,   "-p",
                                        std::to_string(port_), "-k", folder_};
    for (const char* setting :
         {"listen_addresses=127.0.0.1", "fsync=off", "synchronous_commit=off",
          "full_page_writes=off", "shared_buffers=32MB", "max_connections=60",
          "wal_level=minimal", "max_wal_senders=0", "autovacuum=off",
          "logging_collector=off", "max_prepared_transactions=5", "jit=off"}) {
      command.insert(command.end(), {"-c", setting});
    }
    pid_ = Spawn(command, account, folder_, log);
    const std::string ping = "host=" + folder_ + " port=" + std::to_string(port_);
    for (int wait = 0; wait < 600; ++wait) {
      if (waitpid(pid_, &state, WNOHANG) == pid_) {
        pid_ = -1;
        break;
      }
      if (PQping(ping.c_str()) == PQPING_OK) return arrow::Status::OK();
      usleep(20000);
    }
    if (pid_ > 0) break;
  }
  return arrow::Status::IOError("the PostgreSQL server did not start: ", Contents(log));
}

PostgresServer::~PostgresServer() {
  if (pid_ > 0) {
    kill(pid_, SIGQUIT);
    waitpid(pid_, nullptr, 0);
  }
  std::error_code ignored;
  if (!folder_.empty()) fs::remove_all(folder_, ignored);
}

std::string PostgresServer::Url(const std::string& database) const {
  std::string credentials = "postgres";
  if (!password_.empty()) {
    credentials += ":";
    for (const unsigned char c : password_) {
      char escaped[4];
      std::snprintf(escaped, sizeof escaped, "%%%02X", c);
      credentials += escaped;
    }
  }
  return "postgresql://" + credentials + "@127.0.0.1:" + std::to_string(port_) + "/" +
         database;
}

std::string PostgresServer::CreateDatabase() {
  const std::string name = "test_" + std::to_string(++made_);
  Execute("postgres", "CREATE DATABASE " + name);
  return name;
}

void PostgresServer::DropDatabase(const std::string& database) {
  Execute("postgres", "DROP DATABASE IF EXISTS " + database + " WITH (FORCE)");
}

std::string PostgresServer::Execute(const std::string& database, const std::string& sql) {
  const std::string port = std::to_string(port_);
  const char* keys[] = {"host", "port", "dbname", "user", "password", nullptr};
  const char* values[] = {folder_.c_str(), port.c_str(),      database.c_str(),
                          "postgres",      password_.c_str(), nullptr};
  PGconn* connection = PQconnectdbParams(keys, values, 0);
  PQsetNoticeReceiver(connection, [](void*, const PGresult*) {}, nullptr);
  PGresult* result = PQexec(connection, sql.c_str());
  const auto status = PQresultStatus(result);
  if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
    std::fprintf(stderr, "%s\n%s\n", sql.c_str(), PQerrorMessage(connection));
    std::abort();
  }
  std::string cell;
  if (PQntuples(result) > 0 && PQnfields(result) > 0) cell = PQgetvalue(result, 0, 0);
  PQclear(result);
  PQfinish(connection);
  return cell;
}

}  // namespace dxt::testing
