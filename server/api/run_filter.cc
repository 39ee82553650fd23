#include "server/api/run_filter.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <vector>

#include <google/protobuf/timestamp.pb.h>
#include <google/protobuf/util/time_util.h>

#include "base/clock.h"
#include "server/api/resource_names.h"

namespace dxt {
namespace {

constexpr size_t kMostFilterBytes = 2000;

/// Cuts a filter into words: names and values, operators, quoted texts.
class Words {
 public:
  explicit Words(std::string_view text) : text_(text) {}

  /// "" at the end. `quoted` tells a text in quotes from a bare word.
  std::string Next(bool& quoted) {
    quoted = false;
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
    if (at_ == text_.size()) return {};
    if (text_[at_] == '"' || text_[at_] == '\'') return Quoted(quoted);
    const auto is_operator = [](char c) {
      return c == '=' || c == '!' || c == '<' || c == '>';
    };
    const size_t begin = at_;
    const bool symbol = is_operator(text_[at_]);
    while (at_ < text_.size() && text_[at_] != ' ' && is_operator(text_[at_]) == symbol) {
      ++at_;
    }
    return std::string(text_.substr(begin, at_ - begin));
  }

 private:
  std::string Quoted(bool& quoted) {
    const char quote = text_[at_];
    const size_t end = text_.find(quote, at_ + 1);
    if (end == std::string_view::npos) {
      at_ = text_.size();
      return std::string(1, quote);  // No name, operator or value is that.
    }
    const std::string inside(text_.substr(
        at_ + 1, end == std::string_view::npos ? std::string_view::npos : end - at_ - 1));
    quoted = true;
    at_ = end + 1;
    return inside;
  }

  const std::string_view text_;
  size_t at_ = 0;
};

struct Term {
  std::string name, op, value;
};

grpc::Status FilterError(const std::string& message) {
  return FieldError("filter", message,
                    "For example: state=FAILED AND create_time>\"2026-11-01\"");
}

std::optional<std::chrono::system_clock::time_point> TimeOf(std::string text) {
  if (text.size() == 10) text += "T00:00:00Z";
  google::protobuf::Timestamp time;
  if (!google::protobuf::util::TimeUtil::FromString(text, &time)) return std::nullopt;
  return std::chrono::system_clock::time_point(std::chrono::milliseconds(
      google::protobuf::util::TimeUtil::TimestampToMilliseconds(time)));
}

/// Bounds are inclusive below and exclusive above, and the store counts milliseconds.
bool AddBound(const Term& term, std::chrono::system_clock::time_point time,
              std::string& from, std::string& before) {
  const std::string at = FormatTime(time);
  const std::string next = FormatTime(time + std::chrono::milliseconds(1));
  const auto raise = [&](const std::string& bound) { from = std::max(from, bound); };
  const auto lower = [&](const std::string& bound) {
    before = before.empty() ? bound : std::min(before, bound);
  };
  if (term.op == ">=") return raise(at), true;
  if (term.op == ">") return raise(next), true;
  if (term.op == "<") return lower(at), true;
  if (term.op == "<=") return lower(next), true;
  if (term.op == "=") return raise(at), lower(next), true;
  return false;
}

grpc::Status AddState(const Term& term, RunQuery& query) {
  static const std::vector<std::string> all = {
      "QUEUED", "RUNNING", "CANCELLING", "SUCCEEDED", "PARTIAL", "FAILED", "CANCELLED"};
  if (std::find(all.begin(), all.end(), term.value) == all.end()) {
    return FilterError("'" + term.value.substr(0, 60) + "' is no state of a run");
  }
  if (term.op != "=" && term.op != "!=") return FilterError("state takes = and !=");
  const auto& from = query.states.empty() ? all : query.states;
  std::vector<std::string> kept;
  for (const auto& state : from) {
    if ((state == term.value) == (term.op == "=")) kept.push_back(state);
  }
  // No run has two states: a filter that asks for that finds nothing.
  query.states = kept.empty() ? std::vector<std::string>{"NONE"} : kept;
  return grpc::Status::OK;
}

grpc::Status AddTerm(const Term& term, RunQuery& query) {
  if (term.name == "state") return AddState(term, query);
  if (term.name == "create_time" || term.name == "end_time") {
    const auto time = TimeOf(term.value);
    if (!time) {
      return FilterError("'" + term.value.substr(0, 60) + "' is no time");
    }
    const bool created = term.name == "create_time";
    if (!AddBound(term, *time, created ? query.created_from : query.ended_from,
                  created ? query.created_before : query.ended_before)) {
      return FilterError(term.name + " takes = < <= > >=");
    }
    return grpc::Status::OK;
  }
  if (term.op != "=" &&
      (term.name == "pipeline" || term.name == "trigger" || term.name == "dry_run")) {
    return FilterError(term.name + " takes = only");
  }
  if (term.name == "pipeline") {
    query.pipeline = term.value.substr(term.value.rfind('/') + 1);
  } else if (term.name == "trigger") {
    query.trigger = term.value;
  } else if (term.name == "dry_run" && (term.value == "true" || term.value == "false")) {
    query.dry_run = term.value == "true";
  } else if (term.name == "dry_run") {
    return FilterError("dry_run is true or false");
  } else {
    return FilterError("there is no field '" + term.name.substr(0, 60) +
                       "': known are state, pipeline, trigger, dry_run, create_time and "
                       "end_time");
  }
  return grpc::Status::OK;
}

}  // namespace

grpc::Status ApplyFilter(std::string_view filter, RunQuery& query) {
  if (filter.size() > kMostFilterBytes) return FilterError("the filter is too long");
  Words words(filter);
  bool quoted = false;
  std::string word = words.Next(quoted);
  while (!word.empty() || quoted) {
    Term term;
    term.name = word;
    term.op = words.Next(quoted);
    static const std::vector<std::string> operators = {"=", "!=", "<", "<=", ">", ">="};
    if (std::find(operators.begin(), operators.end(), term.op) == operators.end()) {
      return FilterError("after '" + term.name.substr(0, 60) +
                         "' stands no = != < <= > or >=");
    }
    term.value = words.Next(quoted);
    if (term.value.empty()) {
      return FilterError("after '" + term.name.substr(0, 60) + term.op +
                         "' stands no value");
    }
    if (auto refused = AddTerm(term, query); !refused.ok()) return refused;
    word = words.Next(quoted);
    if (word.empty() && !quoted) break;
    if (word != "AND") {
      return FilterError("terms are joined by AND, not by '" + word.substr(0, 60) + "'");
    }
    word = words.Next(quoted);
    if (word.empty()) return FilterError("after AND stands nothing");
  }
  return grpc::Status::OK;
}

grpc::Status ApplyOrder(std::string_view order_by, RunQuery& query) {
  if (order_by.empty() || order_by == "create_time desc") return grpc::Status::OK;
  if (order_by != "create_time" && order_by != "create_time asc") {
    return FieldError("order_by", "runs are ordered by create_time only",
                      "Write create_time or create_time desc");
  }
  query.ascending = true;
  return grpc::Status::OK;
}

}  // namespace dxt
