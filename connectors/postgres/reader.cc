#include "connectors/postgres/reader.h"

#include <algorithm>

#include "base/error.h"
#include "connectors/postgres/decoder.h"

namespace dxt::postgres {
namespace {

class CopyReader : public Reader {
 public:
  CopyReader(ConnectionPool& pool, std::unique_ptr<Connection> connection,
             std::unique_ptr<RowDecoder> decoder, std::string doing, const ReadSpec& spec)
      : pool_(pool),
        connection_(std::move(connection)),
        decoder_(std::move(decoder)),
        doing_(std::move(doing)),
        batch_rows_(std::max<int64_t>(1, spec.batch_rows)),
        batch_bytes_(std::max<int64_t>(1, spec.batch_bytes)) {}

  const std::shared_ptr<arrow::Schema>& schema() const override {
    return decoder_->schema();
  }
  int64_t bytes_read() const override { return bytes_read_; }

  arrow::Result<ReadStep> Next(std::stop_token stop) override {
    ReadStep step;
    while (!end_ && decoder_->rows() < batch_rows_ && decoder_->bytes() < batch_bytes_) {
      ARROW_ASSIGN_OR_RAISE(auto message, connection_->NextCopyData(doing_, stop));
      if (message.empty()) {
        end_ = true;
        ARROW_RETURN_NOT_OK(connection_->Run("COMMIT", doing_, stop).status());
        pool_.Give(std::move(connection_));
        break;
      }
      bytes_read_ += static_cast<int64_t>(message.size());
      ARROW_RETURN_NOT_OK(decoder_->Add(message));
    }
    step.end = end_;
    if (decoder_->rows() > 0) {
      ARROW_ASSIGN_OR_RAISE(step.batch, decoder_->Flush());
    }
    return step;
  }

 private:
  ConnectionPool& pool_;
  std::unique_ptr<Connection> connection_;
  std::unique_ptr<RowDecoder> decoder_;
  const std::string doing_;
  const int64_t batch_rows_, batch_bytes_;
  int64_t bytes_read_ = 0;
  bool end_ = false;
};

}  // namespace

arrow::Result<std::unique_ptr<Reader>> OpenCopyReader(
    ConnectionPool& pool, std::unique_ptr<Connection> connection, const ReadSpec& spec,
    const std::string& select, std::stop_token stop) {
  std::string doing = spec.ref.kind == StreamKind::kQuery ? "Reading the query"
                                                          : "Reading " + spec.ref.source;
  ARROW_ASSIGN_OR_RAISE(auto decoder, RowDecoder::Make(spec.columns));
  ARROW_RETURN_NOT_OK(connection
                          ->Run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; " +
                                    SessionSettings(pool.options()) +
                                    "SET LOCAL lock_timeout = '15s'",
                                doing, stop)
                          .status());
  ARROW_RETURN_NOT_OK(connection->StartCopyOut(
      "COPY (" + select + "\n) TO STDOUT (FORMAT binary)", doing, stop));
  return std::make_unique<CopyReader>(pool, std::move(connection), std::move(decoder),
                                      std::move(doing), spec);
}

}  // namespace dxt::postgres
