#include "server/api/paging.h"

#include <algorithm>

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/message.h>

#include <absl/strings/escaping.h>

#include "base/digest.h"
#include "server/api/resource_names.h"

namespace dxt {
namespace {

constexpr int kDefaultPage = 50;
constexpr int kMostPage = 1000;
constexpr size_t kHashDigits = 16;

}  // namespace

std::string MessageHash(const google::protobuf::Message& message) {
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    message.SerializeToCodedStream(&coded);
  }
  return Sha256Hex(bytes);
}

std::string Page::TokenAfter(std::string_view key) const {
  return absl::WebSafeBase64Escape(question + std::string(key));
}

std::optional<Page> ReadPage(const google::protobuf::Message& request,
                             grpc::Status& error) {
  const auto* type = request.GetDescriptor();
  const auto* size_field = type->FindFieldByName("page_size");
  const auto* token_field = type->FindFieldByName("page_token");
  const int size = request.GetReflection()->GetInt32(request, size_field);
  if (size < 0) {
    error =
        FieldError("page_size", "a page cannot have " + std::to_string(size) + " items",
                   "Leave it out, or ask for 1 to 1000");
    return std::nullopt;
  }
  Page page;
  page.limit = size == 0 ? kDefaultPage : std::min(size, kMostPage);
  const std::unique_ptr<google::protobuf::Message> question(request.New());
  question->CopyFrom(request);
  question->GetReflection()->ClearField(question.get(), size_field);
  question->GetReflection()->ClearField(question.get(), token_field);
  page.question = MessageHash(*question).substr(0, kHashDigits);
  const std::string token = request.GetReflection()->GetString(request, token_field);
  if (token.empty()) return page;
  std::string plain;
  if (!absl::WebSafeBase64Unescape(token, &plain) || plain.size() <= kHashDigits ||
      plain.substr(0, kHashDigits) != page.question) {
    error = FieldError("page_token", "this token does not belong to this question",
                       "Ask for the next page with the arguments of the first one");
    return std::nullopt;
  }
  page.after = plain.substr(kHashDigits);
  return page;
}

}  // namespace dxt
