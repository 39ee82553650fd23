#include "connectors/file/target_writer.h"

#include <nlohmann/json.hpp>

#include <arrow/array.h>
#include <arrow/io/compressed.h>
#include <arrow/io/interfaces.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <arrow/util/compression.h>

#include "base/error.h"
#include "connectors/file/file_reader.h"
#include "connectors/file/file_writer.h"
#include "connectors/file/ledger.h"
#include "connectors/file/store.h"

namespace dxt::file {
namespace {

using Json = nlohmann::json;

/// A status of Arrow's own writers, which name no file.
arrow::Status Located(const arrow::Status& status, const std::string& path) {
  if (status.ok() || GetErrorInfo(status).code != "io") return status;
  return MakeError(ErrorClass::kTransient, "file.io",
                   "Could not write '" + path + "': " + status.message());
}

class TargetWriter final : public Writer {
 public:
  TargetWriter(const Target& target, const WriteSpec& spec, StreamSchema columns)
      : target_(target),
        ledger_(target_),
        identity_(spec.identity),
        load_id_(spec.load_id),
        replace_(spec.table.mode == LoadMode::kReplace),
        columns_(std::move(columns)) {
    for (const auto& field : columns_.fields) {
      sources_.push_back(spec.schema->GetFieldIndex(field.name));
    }
    fields_ = ArrowSchema(columns_);
  }

  ~TargetWriter() override {
    if (!finished_) Abort();
  }

  arrow::Status Start(const TargetFiles& old) {
    ARROW_RETURN_NOT_OK(ledger_.MarkOpen(identity_, load_id_));
    if (target_.is_folder || replace_ || old.paths.empty()) return OpenPart(nullptr);
    base_ident_ = old.ident;
    if (target_.options.format == Format::kParquet) {
      ARROW_RETURN_NOT_OK(OpenPart(nullptr));
      return CopyParquet(old.paths.front());
    }
    ARROW_ASSIGN_OR_RAISE(auto raw, target_.store->OpenInput(old.paths.front()));
    if (target_.options.compression == Compression::kNone) return OpenPart(raw.get());
    const auto type = target_.options.compression == Compression::kGzip
                          ? arrow::Compression::GZIP
                          : arrow::Compression::ZSTD;
    ARROW_ASSIGN_OR_RAISE(auto codec, arrow::util::Codec::Create(type));
    ARROW_ASSIGN_OR_RAISE(auto stream,
                          arrow::io::CompressedInputStream::Make(codec.get(), raw));
    return OpenPart(stream.get());
  }

  arrow::Status Append(const arrow::RecordBatch& batch, std::stop_token stop) override {
    if (stop.stop_requested()) {
      return MakeError(ErrorClass::kCancelled, "cancelled", "The write was stopped");
    }
    arrow::ArrayVector arrays;
    for (size_t i = 0; i < sources_.size(); ++i) {
      if (sources_[i] >= 0) {
        arrays.push_back(batch.column(sources_[i]));
        continue;
      }
      ARROW_ASSIGN_OR_RAISE(
          auto nulls, arrow::MakeArrayOfNull(fields_->field(static_cast<int>(i))->type(),
                                             batch.num_rows()));
      arrays.push_back(std::move(nulls));
    }
    if (target_.is_folder && writer_->bytes() >= target_.options.max_part_bytes) {
      ARROW_RETURN_NOT_OK(ClosePart());
      ARROW_RETURN_NOT_OK(OpenPart(nullptr));
    }
    const auto ordered =
        arrow::RecordBatch::Make(fields_, batch.num_rows(), std::move(arrays));
    ARROW_RETURN_NOT_OK(Located(writer_->Write(*ordered), Shown()));
    rows_ += batch.num_rows();
    return arrow::Status::OK();
  }

  arrow::Result<WriteReceipt> Finish(std::stop_token) override {
    ARROW_RETURN_NOT_OK(ClosePart());
    StagedLoad staged;
    staged.paths = parts_;
    staged.rows = rows_;
    staged.base_ident = base_ident_;
    WriteReceipt receipt;
    receipt.kind = WriteReceipt::Kind::kStaged;
    receipt.rows = rows_;
    receipt.bytes = bytes_;
    receipt.handle = EncodeStaged(staged);
    finished_ = true;
    return receipt;
  }

  void Abort() noexcept override {
    finished_ = true;
    writer_.reset();
    // What cannot be removed now is swept by the next owner.
    static_cast<void>(target_.store->Remove(target_.Staging(load_id_, replace_)));
    ledger_.UnmarkOpen(identity_, load_id_);
  }

 private:
  std::string Shown() const { return target_.store->Show(parts_.back()); }

  arrow::Status OpenPart(arrow::io::InputStream* old) {
    std::string path = target_.Staging(load_id_, replace_);
    if (target_.is_folder) {
      std::string number = std::to_string(parts_.size() + 1);
      number.insert(0, number.size() < 8 ? 8 - number.size() : 0, '0');
      path = JoinPath(path, "part-" + number + "." + PartExtension(target_.options));
    }
    parts_.push_back(path);
    ARROW_ASSIGN_OR_RAISE(auto sink, target_.store->OpenOutput(path));
    if (target_.options.format == Format::kParquet) {
      ARROW_ASSIGN_OR_RAISE(
          writer_, MakeParquetWriter(std::move(sink), target_.options, columns_));
      return arrow::Status::OK();
    }
    auto made = MakeTextWriter(std::move(sink), target_.options, columns_, old);
    ARROW_RETURN_NOT_OK(Located(made.status(), Shown()));
    writer_ = std::move(*made);
    return arrow::Status::OK();
  }

  arrow::Status ClosePart() {
    ARROW_RETURN_NOT_OK(Located(writer_->Close(), Shown()));
    bytes_ += writer_->bytes();
    writer_.reset();
    return target_.store->Sync(parts_.back());
  }

  arrow::Status CopyParquet(const std::string& path) {
    FileRead read;
    read.path = path;
    read.options = target_.options;
    read.schema = columns_;
    for (const auto& field : columns_.fields) {
      ColumnRead column;
      column.name = column.column = field.name;
      column.type = field.type;
      read.columns.push_back(std::move(column));
    }
    ARROW_ASSIGN_OR_RAISE(auto reader, MakeParquetReader(*target_.store, read));
    for (;;) {
      ARROW_ASSIGN_OR_RAISE(auto batch, reader->Next({}));
      if (!batch) return arrow::Status::OK();
      ARROW_RETURN_NOT_OK(Located(writer_->Write(*batch), Shown()));
    }
  }

  Target target_;
  Ledger ledger_;
  StreamIdentity identity_;
  std::string load_id_;
  bool replace_;
  StreamSchema columns_;
  std::shared_ptr<arrow::Schema> fields_;
  std::vector<int> sources_;
  std::unique_ptr<FileWriter> writer_;
  std::vector<std::string> parts_;
  std::string base_ident_;
  int64_t rows_ = 0;
  int64_t bytes_ = 0;
  bool finished_ = false;
};

}  // namespace

std::string EncodeStaged(const StagedLoad& staged) {
  return Json{{"paths", staged.paths}, {"rows", staged.rows}, {"base", staged.base_ident}}
      .dump();
}

arrow::Result<StagedLoad> DecodeStaged(const std::string& handle) {
  StagedLoad staged;
  try {
    const Json json = Json::parse(handle);
    staged.paths = json.at("paths").get<std::vector<std::string>>();
    staged.rows = json.at("rows");
    staged.base_ident = json.at("base");
  } catch (const Json::exception&) {
    return MakeError(ErrorClass::kInternal, "file.receipt", "The receipt is not ours");
  }
  return staged;
}

arrow::Result<std::unique_ptr<Writer>> OpenTargetWriter(const Target& target,
                                                        const WriteSpec& spec,
                                                        StreamSchema columns,
                                                        const TargetFiles& old) {
  auto writer = std::make_unique<TargetWriter>(target, spec, std::move(columns));
  ARROW_RETURN_NOT_OK(writer->Start(old));
  return std::unique_ptr<Writer>(std::move(writer));
}

}  // namespace dxt::file
