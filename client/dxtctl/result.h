#pragma once
// Errors of dxtctl. Small on purpose: arrow::Status would link Arrow.
#include <string>
#include <utility>
#include <variant>

namespace dxt::ctl {

/// Exit codes, as documented in docs/reference/cli.md.
enum ExitCode : int {
  kExitOk = 0,
  kExitFailed = 1,
  kExitUsage = 2,
  kExitPartial = 3,
  kExitGuard = 4,
  kExitNotAuthorized = 5,
  kExitCancelled = 6,
  kExitTimedOut = 7,
  kExitNoDaemon = 8,
};

/// One paragraph for a person: what failed and why, then the next step.
struct Error {
  int exit_code = kExitFailed;
  std::string message;  ///< Without a trailing full stop.
  std::string hint;     ///< A sentence or command; "" = none.
  std::string code;     ///< Stable code; "" = none.
  std::string stream;
  /// Documents were refused: dxt.problems/1, for `-o json`, and one line per problem.
  std::string problems_json;
  std::string problems_text;
  /// Of a failed call: gRPC's name of its status, "NOT_FOUND" …, and the reason dxtd
  /// gave; "" = dxtd gave no answer of its own, and `transport` holds gRPC's words.
  std::string rpc_status, reason;
  std::string transport;
  bool unanswered() const { return !rpc_status.empty() && reason.empty(); }
};

inline Error UsageError(std::string message, std::string hint = {}) {
  return {kExitUsage, std::move(message), std::move(hint), {}, {}, {}, {}, {}, {}, {}};
}

struct Done {};

/// A value or an Error.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : held_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : held_(std::in_place_index<1>, std::move(error)) {}
  bool ok() const { return held_.index() == 0; }
  T& operator*() { return std::get<0>(held_); }
  const T& operator*() const { return std::get<0>(held_); }
  T* operator->() { return &std::get<0>(held_); }
  const T* operator->() const { return &std::get<0>(held_); }
  const Error& error() const { return std::get<1>(held_); }

 private:
  std::variant<T, Error> held_;
};

using Status = Result<Done>;

}  // namespace dxt::ctl

#define CTL_CONCAT_(a, b) a##b
#define CTL_CONCAT(a, b) CTL_CONCAT_(a, b)
#define CTL_ASSIGN_(held, lhs, expression) \
  auto held = (expression);                \
  if (!held.ok()) return held.error();     \
  lhs = std::move(*held)
/// Assigns the value of `expression`, or returns its Error from the enclosing function.
#define CTL_ASSIGN(lhs, expression) \
  CTL_ASSIGN_(CTL_CONCAT(held_, __LINE__), lhs, expression)
/// Returns the Error of `expression`, if it is one, from the enclosing function.
#define CTL_RETURN_NOT_OK(expression)                                       \
  do {                                                                      \
    if (auto status_ = (expression); !status_.ok()) return status_.error(); \
  } while (false)
