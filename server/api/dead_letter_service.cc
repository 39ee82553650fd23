#include <charconv>

#include "base/error.h"
#include "server/api/convert.h"
#include "server/api/paging.h"
#include "server/api/services.h"
#include "server/api/status_map.h"
#include "state/state_store.h"

namespace dxt {
namespace {

/// A page of letters with their rows stays below the 4 MiB that a client receives.
constexpr size_t kMostPageBytes = 3 << 20;

std::string StateName(v1::DeadLetter::State state) {
  if (state == v1::DeadLetter::STORED) return "STORED";
  return state == v1::DeadLetter::REPLAYED ? "REPLAYED" : "";
}

template <typename Request>
DeadLetterQuery QueryOf(const Request& request) {
  DeadLetterQuery query;
  query.pipeline = ChainPipeline(request.parent());
  query.stream = request.stream();
  query.code = request.reason();
  query.run = LastPart(request.run());
  query.state = StateName(request.state());
  return query;
}

v1::DeadLetter ToProto(const DeadLetter& letter, bool with_row) {
  v1::DeadLetter proto;
  const size_t slash = letter.key.pipeline.find('/');
  const std::string project = letter.key.pipeline.substr(0, slash);
  proto.set_name("projects/" + project + "/deadLetters/" + letter.id);
  if (slash != std::string::npos) {
    proto.set_pipeline(PipelineName(project, letter.key.pipeline.substr(slash + 1)));
  }
  proto.set_stream(letter.key.stream);
  proto.set_load_id(letter.load_id);
  proto.set_run(RunName(project, letter.run));
  proto.set_state(letter.state == "REPLAYED" ? v1::DeadLetter::REPLAYED
                                             : v1::DeadLetter::STORED);
  proto.set_reason(letter.code);
  proto.set_field(letter.field);
  proto.set_message(letter.message);
  proto.set_key(letter.row_key);
  if (with_row) proto.set_row(letter.row_json);
  SetTime(letter.at, proto.mutable_time());
  proto.set_attempts(static_cast<int32_t>(letter.attempts));
  proto.set_replay_load_id(letter.replayed_by);
  if (!letter.replayed_at.empty()) {
    SetTime(letter.replayed_at, proto.mutable_replay_time());
  }
  return proto;
}

}  // namespace

Reply DeadLetterServiceImpl::ListDeadLetters(CallContext* context,
                                             const v1::ListDeadLettersRequest* request,
                                             v1::ListDeadLettersResponse* response) {
  return parts_.calls->Answer(context, [=, this]() -> grpc::Status {
    grpc::Status refused;
    const auto page = ReadPage(*request, refused);
    if (!page) return refused;
    DeadLetterQuery query = QueryOf(*request);
    query.limit = page->limit + 1;
    std::from_chars(page->after.data(), page->after.data() + page->after.size(),
                    query.after);
    const auto letters = parts_.store->dead_letters().List(query);
    if (!letters.ok()) return ToGrpc(letters.status());
    size_t bytes = 0;
    for (const auto& letter : *letters) {
      const auto told = response->dead_letters_size();
      auto proto = ToProto(letter, request->with_rows());
      bytes += proto.ByteSizeLong();
      if (told == page->limit || (told > 0 && bytes > kMostPageBytes)) {
        response->set_next_page_token(
            page->TokenAfter(std::to_string((*letters)[told - 1].seq)));
        break;
      }
      *response->add_dead_letters() = std::move(proto);
    }
    return grpc::Status::OK;
  });
}

Reply DeadLetterServiceImpl::GetDeadLetter(CallContext* context,
                                           const v1::GetDeadLetterRequest* request,
                                           v1::DeadLetter* response) {
  return parts_.calls->Answer(context, [=, this]() -> grpc::Status {
    const std::string id = LastPart(request->name());
    const auto letter = parts_.store->dead_letters().Get(id);
    if (!letter.ok()) return ToGrpc(letter.status());
    if (!*letter) {
      return ToGrpc(MakeError(ErrorClass::kConfig, "dlq.not_found",
                              "there is no dead letter " + id + " in this state folder",
                              "See `dxtctl dlq list`"));
    }
    *response = ToProto(**letter, true);
    return grpc::Status::OK;
  });
}

Reply DeadLetterServiceImpl::DropDeadLetters(CallContext* context,
                                             const v1::DropDeadLettersRequest* request,
                                             v1::DropDeadLettersResponse* response) {
  return parts_.calls->Answer(context, [=, this]() -> grpc::Status {
    DeadLetterQuery query = QueryOf(*request);
    query.ids = {request->ids().begin(), request->ids().end()};
    const auto audit = Audit(parts_, context, "DropDeadLetters", request->parent());
    const auto dropped = parts_.store->dead_letters().Drop(query, &audit);
    if (dropped.ok()) response->set_dropped(*dropped);
    return ToGrpc(dropped.status());
  });
}

}  // namespace dxt
