#pragma once
// Pages of lists: opaque tokens that belong to one question.
#include <optional>
#include <string>
#include <string_view>

#include <grpcpp/support/status.h>

namespace google::protobuf {
class Message;
}

namespace dxt {

/// What a list call asks of the store.
struct Page {
  int limit = 50;
  std::string after;     ///< Key of the last one seen; "" = from the beginning.
  std::string question;  ///< Hash of the other arguments.

  /// The token of the page after the one that ends at `key`.
  std::string TokenAfter(std::string_view key) const;
};

/// `page_size`: 0 = 50, over 1000 = 1000, negative = refused. A token is refused unless
/// this same question gave it. Reads page_size and page_token by reflection.
std::optional<Page> ReadPage(const google::protobuf::Message& request,
                             grpc::Status& error);

/// SHA-256 of a message's bytes, map entries in order.
std::string MessageHash(const google::protobuf::Message& message);

}  // namespace dxt
