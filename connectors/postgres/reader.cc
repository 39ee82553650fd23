#include "connectors/postgres/reader.h"

#include <algorithm>

#include "base/error.h"
#include "connectors/postgres/decoder.h"

namespace dxt::postgres {
namespace {

class CopyReader : public Reader {
 public:
  CopyReader(ConnectionPool& pool, std::unique_ptr<Connection> connection,
             std::unique_ptr<RowDecoder> decoder, std::optional<HeldBack> held,
             std::shared_ptr<SharedSnapshot> snapshot, const ReadSpec& spec)
      : pool_(pool),
        connection_(std::move(connection)),
        decoder_(std::move(decoder)),
        held_(std::move(held)),
        snapshot_(std::move(snapshot)),
        doing_(ReadingOf(spec)),
        batch_rows_(std::max<int64_t>(1, spec.batch_rows)),
        batch_bytes_(std::max<int64_t>(1, spec.batch_bytes)) {}

  const std::shared_ptr<arrow::Schema>& schema() const override {
    return decoder_->schema();
  }
  int64_t bytes_read() const override { return bytes_read_; }
  std::optional<HeldBack> held_back() const override { return held_; }

  arrow::Result<ReadStep> Next(std::stop_token stop) override {
    ReadStep step;
    while (!end_ && decoder_->rows() < batch_rows_ && decoder_->bytes() < batch_bytes_) {
      ARROW_ASSIGN_OR_RAISE(auto message, connection_->NextCopyData(doing_, stop));
      if (message.empty()) {
        end_ = true;
        ARROW_RETURN_NOT_OK(End(stop));
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
  arrow::Status End(std::stop_token stop) {
    if (snapshot_) {
      snapshot_->Give(std::move(connection_));
      return arrow::Status::OK();
    }
    ARROW_RETURN_NOT_OK(connection_->Run("COMMIT", doing_, stop).status());
    pool_.Give(std::move(connection_));
    return arrow::Status::OK();
  }

  ConnectionPool& pool_;
  std::unique_ptr<Connection> connection_;
  std::unique_ptr<RowDecoder> decoder_;
  const std::optional<HeldBack> held_;
  const std::shared_ptr<SharedSnapshot> snapshot_;  ///< Null when it reads alone.
  const std::string doing_;
  const int64_t batch_rows_, batch_bytes_;
  int64_t bytes_read_ = 0;
  bool end_ = false;
};

}  // namespace

std::string ReadingOf(const ReadSpec& spec) {
  return spec.ref.kind == StreamKind::kQuery ? "Reading the query"
                                             : "Reading " + spec.ref.source;
}

std::string BeginReadSql(const ConnectOptions& options, const std::string& import) {
  return "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" + import + "; " +
         SessionSettings(options) + kLockPatience;
}

arrow::Result<std::unique_ptr<Reader>> OpenCopyReader(
    ConnectionPool& pool, std::unique_ptr<Connection> connection, const ReadSpec& spec,
    const std::string& select, std::optional<HeldBack> held,
    std::shared_ptr<SharedSnapshot> snapshot, std::stop_token stop) {
  ARROW_ASSIGN_OR_RAISE(auto decoder, RowDecoder::Make(spec.columns));
  ARROW_RETURN_NOT_OK(connection->StartCopyOut(
      "COPY (" + select + "\n) TO STDOUT (FORMAT binary)", ReadingOf(spec), stop));
  return std::make_unique<CopyReader>(pool, std::move(connection), std::move(decoder),
                                      std::move(held), std::move(snapshot), spec);
}

}  // namespace dxt::postgres
