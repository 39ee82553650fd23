#include "engine/stage/package_writer.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <map>
#include <mutex>
#include <vector>

#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <arrow/util/byte_size.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/error.h"
#include "engine/stage/manifest.h"
#include "engine/stage/segment.h"
#include "engine/stage/segment_file.h"

namespace dxt {
namespace {

/// What Arrow and Parquet report of our own files carries no class.
arrow::Status Classified(const arrow::Status& status) {
  if (status.ok() || status.detail()) return status;
  return MakeError(ErrorClass::kTransient, "buffer.io",
                   "The buffer could not be written: " + status.message());
}

class SegmentedWriter : public PackageWriter {
 public:
  SegmentedWriter(const PackageSpec& spec, std::filesystem::path folder,
                  std::string extension, std::unique_ptr<FileLock> lock, Clock& clock,
                  std::function<void()> forget)
      : folder_(std::move(folder)),
        extension_(std::move(extension)),
        schema_(ArrowSchema(spec.schema)),
        lock_(std::move(lock)),
        clock_(clock),
        forget_(std::move(forget)) {
    manifest_.spec = spec;
    manifest_.folder = folder_;
  }

  ~SegmentedWriter() override { Abort(); }

  using PackageWriter::Append;

  arrow::Status Append(const arrow::RecordBatch& batch, int lane,
                       int32_t split) override {
    if (!lock_) {
      return MakeError(ErrorClass::kInternal, "buffer.sealed",
                       "A batch came after the package was sealed or aborted");
    }
    if (!batch.schema()->Equals(*schema_, /*check_metadata=*/false)) {
      return MakeError(ErrorClass::kInternal, "buffer.wrong_schema",
                       "A batch of " + batch.schema()->ToString() +
                           " came for a package of " + schema_->ToString());
    }
    if (batch.num_rows() == 0) return arrow::Status::OK();
    const auto referenced = arrow::util::ReferencedBufferSize(batch);
    const int64_t bytes =
        referenced.ok() ? *referenced : arrow::util::TotalBufferSize(batch);
    OpenSegment& open = Lane(lane);
    const bool full =
        open.writer && open.writer->bytes() + bytes > manifest_.spec.segment_bytes;
    if (open.writer && (full || open.split != split)) {
      ARROW_RETURN_NOT_OK(Close(open));
    }
    open.split = split;
    if (!open.writer) ARROW_RETURN_NOT_OK(Open(open));
    ARROW_RETURN_NOT_OK(Classified(open.writer->Append(batch)));
    open.segment.rows += batch.num_rows();
    rows_ += batch.num_rows();
    return arrow::Status::OK();
  }

  arrow::Result<PackageManifest> Seal(const PackageSeal& seal) override {
    if (!lock_) {
      return MakeError(ErrorClass::kInternal, "buffer.sealed",
                       "A package was sealed twice, or after it was aborted");
    }
    for (auto& [lane, open] : lanes_) {
      if (open.writer) ARROW_RETURN_NOT_OK(Close(open));
    }
    std::stable_sort(closed_.begin(), closed_.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    for (auto& [split, segment] : closed_) {
      manifest_.bytes += segment.bytes;
      manifest_.segments.push_back(std::move(segment));
    }
    manifest_.rows = rows_;
    manifest_.seal = seal;
    manifest_.created_at = FormatTime(clock_.Now());
    ARROW_ASSIGN_OR_RAISE(const std::string text, ManifestToJson(manifest_));
    manifest_.sha256 = Sha256Hex(text);
    // The segments' names must be durable before the manifest that counts on them.
    ARROW_RETURN_NOT_OK(SyncFolder(folder_));
    ARROW_RETURN_NOT_OK(WriteFileAtomically(folder_ / kManifestFile, text));
    ARROW_RETURN_NOT_OK(SyncFolder(folder_.parent_path()));
    lock_.reset();
    return manifest_;
  }

  void Abort() noexcept override {
    if (!lock_) return;
    lanes_.clear();
    forget_();
    lock_.reset();
  }

  int64_t rows() const override { return rows_; }

 private:
  struct OpenSegment {
    int32_t split = 0;
    Segment segment;
    std::shared_ptr<SegmentFile> file;
    std::unique_ptr<SegmentWriter> writer;  ///< Null = none is open.
  };

  OpenSegment& Lane(int lane) {
    const std::lock_guard lock(mutex_);
    return lanes_[lane];
  }

  arrow::Status Open(OpenSegment& open) {
    char name[32];
    std::snprintf(name, sizeof name, "segment-%08d", ++opened_);
    open.segment = {};
    open.segment.file = name + extension_;
    ARROW_ASSIGN_OR_RAISE(open.file,
                          SegmentFile::Make(folder_ / (open.segment.file + ".tmp")));
    auto writer = OpenSegmentWriter(manifest_.spec, open.file);
    if (!writer.ok()) return Classified(writer.status());
    open.writer = std::move(*writer);
    return arrow::Status::OK();
  }

  arrow::Status Close(OpenSegment& open) {
    ARROW_RETURN_NOT_OK(Classified(open.writer->Close()));
    open.writer.reset();
    ARROW_RETURN_NOT_OK(open.file->Sync());
    ARROW_ASSIGN_OR_RAISE(open.segment.bytes, open.file->Tell());
    open.segment.sha256 = open.file->Digest();
    open.file.reset();
    const auto path = folder_ / open.segment.file;
    if (rename((path.string() + ".tmp").c_str(), path.c_str()) != 0) {
      return FileError("rename", path, errno);
    }
    const std::lock_guard lock(mutex_);
    closed_.emplace_back(open.split, std::move(open.segment));
    return arrow::Status::OK();
  }

  const std::filesystem::path folder_;
  const std::string extension_;
  const std::shared_ptr<arrow::Schema> schema_;
  std::unique_ptr<FileLock> lock_;  ///< Null once sealed or aborted.
  Clock& clock_;
  const std::function<void()> forget_;
  PackageManifest manifest_;
  std::atomic<int64_t> rows_{0};
  std::atomic<int> opened_{0};
  std::mutex mutex_;  ///< Of the two below; each OpenSegment is its lane's own.
  std::map<int, OpenSegment> lanes_;
  std::vector<std::pair<int32_t, Segment>> closed_;  ///< With the split's number.
};

class SegmentedReader : public PackageReader {
 public:
  SegmentedReader(const PackageManifest& package, int64_t batch_rows)
      : manifest_(package), batch_rows_(batch_rows) {}

  const PackageManifest& manifest() const override { return manifest_; }

  arrow::Result<std::shared_ptr<arrow::RecordBatch>> Next() override {
    while (next_ < manifest_.segments.size() || reader_) {
      if (!reader_) {
        auto reader = OpenSegmentReader(manifest_.spec,
                                        manifest_.folder / manifest_.segments[next_].file,
                                        batch_rows_);
        if (!reader.ok()) return Corrupt(reader.status().message());
        reader_ = std::move(*reader);
        rows_ = 0;
      }
      auto batch = reader_->Next();
      if (!batch.ok()) return Corrupt(batch.status().message());
      if (*batch) {
        rows_ += (*batch)->num_rows();
        return *batch;
      }
      if (rows_ != manifest_.segments[next_].rows) return Corrupt("rows are missing");
      reader_.reset();
      ++next_;
    }
    return nullptr;
  }

 private:
  arrow::Status Corrupt(const std::string& why) {
    return CorruptPackage(manifest_, manifest_.segments[next_].file + ": " + why,
                          "dxtctl packages drop " + manifest_.spec.load_id +
                              " gives it up; the next run reads again");
  }

  const PackageManifest manifest_;
  const int64_t batch_rows_;
  size_t next_ = 0;
  std::unique_ptr<SegmentReader> reader_;
  int64_t rows_ = 0;
};

}  // namespace

arrow::Status CorruptPackage(const PackageManifest& package, std::string_view why,
                             std::string hint) {
  return MakeError(
      ErrorClass::kData, "buffer.corrupt",
      "The package " + package.folder.string() + " is damaged: " + std::string(why),
      std::move(hint));
}

arrow::Result<std::unique_ptr<PackageWriter>> MakePackageWriter(
    const PackageSpec& spec, std::filesystem::path folder, std::unique_ptr<FileLock> lock,
    Clock& clock, std::function<void()> forget) {
  ARROW_ASSIGN_OR_RAISE(auto extension, SegmentExtension(spec.format, spec.compression));
  return std::make_unique<SegmentedWriter>(spec, std::move(folder), std::move(extension),
                                           std::move(lock), clock, std::move(forget));
}

std::unique_ptr<PackageReader> MakePackageReader(const PackageManifest& package,
                                                 int64_t batch_rows) {
  return std::make_unique<SegmentedReader>(package, batch_rows);
}

}  // namespace dxt
