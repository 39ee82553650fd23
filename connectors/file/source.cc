#include "connectors/file/source.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <set>

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include "base/error.h"
#include "connectors/file/file_reader.h"
#include "connectors/file/store.h"
#include "connectors/sdk/source.h"

namespace dxt::file {
namespace {

constexpr int kMostDiscovered = 1000;
constexpr int64_t kDiscoverSample = 1 << 20;

/// What is known of a stream once its files were looked into.
struct Inspection {
  FileSet files;
  StreamSchema schema;
  std::vector<std::vector<int64_t>> group_rows;  ///< Parquet: per file.
  std::optional<int64_t> rows;
};

arrow::Status SchemaDiffers(const std::string& path, const std::string& first,
                            const std::string& why) {
  return MakeError(ErrorClass::kData, "file.schema_differs",
                   "'" + path + "' does not have the columns of '" + first + "': " + why,
                   "Read files of different shape as streams of their own");
}

arrow::Status SameSchema(const std::string& path, const std::string& first,
                         const StreamSchema& a, const StreamSchema& b) {
  for (const auto& field : b.fields) {
    const Field* other = a.Find(field.name);
    if (!other) return SchemaDiffers(path, first, "column '" + field.name + "' is new");
    if (!(other->type == field.type)) {
      return SchemaDiffers(path, first,
                           "column '" + field.name + "' is " + ToString(field.type) +
                               " instead of " + ToString(other->type));
    }
  }
  if (a.fields.size() != b.fields.size()) {
    return SchemaDiffers(path, first, "a column is missing");
  }
  return arrow::Status::OK();
}

arrow::Result<Inspection> Inspect(Store& store, FileSet files, int64_t sample,
                                  bool tolerant) {
  Inspection result;
  result.files = std::move(files);
  const auto& paths = result.files.paths;
  if (result.files.options.format != Format::kParquet) {
    ARROW_ASSIGN_OR_RAISE(
        result.schema,
        InferTextSchema(store, paths, result.files.options, sample, tolerant));
    return result;
  }
  int64_t rows = 0;
  for (const auto& path : paths) {
    ARROW_ASSIGN_OR_RAISE(auto shape, ReadParquetShape(store, path));
    if (result.group_rows.empty()) {
      result.schema = shape.schema;
    } else {
      ARROW_RETURN_NOT_OK(SameSchema(store.Show(path), store.Show(paths.front()),
                                     result.schema, shape.schema));
      for (auto& field : result.schema.fields) {
        field.nullable = field.nullable || shape.schema.Find(field.name)->nullable;
      }
    }
    rows += shape.rows;
    result.group_rows.push_back(std::move(shape.group_rows));
  }
  result.rows = rows;
  return result;
}

/// A split is a run of files, or of row groups of one: "file first_group last_group
/// count".
struct Part {
  size_t first_file = 0;
  size_t files = 0;
  int first_group = 0;
  int last_group = -1;
  int64_t first_row = 0;  ///< Of the first file, for _row_id.
};

std::string Encode(const Part& part) {
  return std::to_string(part.first_file) + " " + std::to_string(part.files) + " " +
         std::to_string(part.first_group) + " " + std::to_string(part.last_group) + " " +
         std::to_string(part.first_row);
}

bool Decode(const std::string& bytes, Part* part) {
  int64_t numbers[5];
  const char* at = bytes.data();
  const char* const end = at + bytes.size();
  for (int64_t& number : numbers) {
    const auto parsed = std::from_chars(at, end, number);
    if (parsed.ec != std::errc()) return false;
    at = parsed.ptr < end ? parsed.ptr + 1 : end;
  }
  part->first_file = static_cast<size_t>(numbers[0]);
  part->files = static_cast<size_t>(numbers[1]);
  part->first_group = static_cast<int>(numbers[2]);
  part->last_group = static_cast<int>(numbers[3]);
  part->first_row = numbers[4];
  return true;
}

arrow::Result<std::shared_ptr<arrow::Array>> RowIds(int64_t first, int64_t rows) {
  arrow::Int64Builder builder;
  ARROW_RETURN_NOT_OK(builder.Reserve(rows));
  for (int64_t i = 0; i < rows; ++i) builder.UnsafeAppend(first + i);
  return builder.Finish();
}

/// One column whose name holds what other files part their columns with.
void NoteDelimiter(const Inspection& stream, StreamInfo& info) {
  const FormatOptions& options = stream.files.options;
  const bool parted = options.format == Format::kCsv || options.format == Format::kTsv;
  if (!parted || !options.header || stream.schema.fields.size() != 1) return;
  const std::string& name = stream.schema.fields.front().name;
  for (const char other : {';', '\t', '|', ','}) {
    if (other == options.delimiter || name.find(other) == std::string::npos) continue;
    const std::string shown = other == '\t' ? "\\t" : std::string(1, other);
    info.notes.push_back(
        {"file.one_column", "'" + stream.files.text + "' is read as one column named '" +
                                name + "'; if its columns are parted by '" + shown +
                                "', write extract.options: {delimiter: \"" + shown +
                                "\"}"});
    return;
  }
}

/// Reads the files of one split, one after another.
class SplitReader final : public Reader {
 public:
  SplitReader(std::shared_ptr<Store> store, std::shared_ptr<const Inspection> stream,
              const ReadSpec& spec, const Part& part, int64_t skip)
      : store_(std::move(store)),
        stream_(std::move(stream)),
        spec_(spec),
        part_(part),
        skip_(skip),
        rows_done_(skip) {
    arrow::FieldVector fields;
    for (const auto& column : spec_.columns) {
      fields.push_back(ArrowField({column.name, column.type, true, {}}));
      if (column.column == kFileNameColumn || column.column == kRowIdColumn) continue;
      data_columns_.push_back(column);
    }
    schema_ = arrow::schema(std::move(fields));
  }

  const std::shared_ptr<arrow::Schema>& schema() const override { return schema_; }

  arrow::Result<ReadStep> Next(std::stop_token stop) override {
    for (;;) {
      if (stop.stop_requested()) {
        return MakeError(ErrorClass::kCancelled, "cancelled", "The read was stopped");
      }
      if (!reader_) {
        if (file_ == part_.files) {
          ReadStep step;
          step.end = true;
          return step;
        }
        ARROW_RETURN_NOT_OK(OpenNext());
      }
      ARROW_ASSIGN_OR_RAISE(auto batch, reader_->Next(stop));
      if (!batch) {
        bytes_done_ += reader_->bytes_read();
        reader_.reset();
        ++file_;
        continue;
      }
      const int64_t first_row = file_row_;
      file_row_ += batch->num_rows();
      const int64_t skipped = std::min(skip_, batch->num_rows());
      skip_ -= skipped;
      ReadStep step;
      step.bad = reader_->TakeBad();
      if (skipped == batch->num_rows()) {
        if (step.bad.empty()) continue;
        return step;
      }
      ARROW_ASSIGN_OR_RAISE(step.batch,
                            Complete(*batch->Slice(skipped), first_row + skipped));
      rows_done_ += step.batch->num_rows();
      step.position = Position{1, std::to_string(rows_done_)};
      return step;
    }
  }

  int64_t bytes_read() const override {
    return bytes_done_ + (reader_ ? reader_->bytes_read() : 0);
  }

 private:
  arrow::Status OpenNext() {
    FileRead read;
    read.path = stream_->files.paths[part_.first_file + file_];
    read.options = stream_->files.options;
    read.schema = stream_->schema;
    read.columns = data_columns_;
    read.batch_rows = spec_.batch_rows;
    read.batch_bytes = spec_.batch_bytes;
    read.first_group = part_.first_group;
    read.last_group = part_.last_group;
    read.tells_bad_records = spec_.ref.tells_bad_records;
    file_row_ = part_.first_row;
    ARROW_ASSIGN_OR_RAISE(reader_, MakeFileReader(*store_, read));
    return arrow::Status::OK();
  }

  /// Puts lineage columns between the file's own.
  arrow::Result<std::shared_ptr<arrow::RecordBatch>> Complete(
      const arrow::RecordBatch& batch, int64_t first_row) const {
    arrow::ArrayVector arrays;
    int next = 0;
    for (const auto& column : spec_.columns) {
      if (column.column == kFileNameColumn) {
        const std::string& path = stream_->files.paths[part_.first_file + file_];
        ARROW_ASSIGN_OR_RAISE(
            auto array, arrow::MakeArrayFromScalar(
                            arrow::StringScalar(store_->Show(path)), batch.num_rows()));
        arrays.push_back(std::move(array));
      } else if (column.column == kRowIdColumn) {
        ARROW_ASSIGN_OR_RAISE(auto array, RowIds(first_row + 1, batch.num_rows()));
        arrays.push_back(std::move(array));
      } else {
        arrays.push_back(batch.column(next++));
      }
    }
    return arrow::RecordBatch::Make(schema_, batch.num_rows(), std::move(arrays));
  }

  std::shared_ptr<Store> store_;
  std::shared_ptr<const Inspection> stream_;
  ReadSpec spec_;
  Part part_;
  int64_t skip_;
  int64_t rows_done_;
  std::vector<ColumnRead> data_columns_;
  std::shared_ptr<arrow::Schema> schema_;
  std::unique_ptr<FileReader> reader_;
  size_t file_ = 0;
  int64_t file_row_ = 0;
  int64_t bytes_done_ = 0;
};

class FileSource final : public Source {
 public:
  explicit FileSource(Location location) : location_(std::move(location)) {}

  arrow::Status Check(std::stop_token) override {
    if (location_.folder.empty()) return arrow::Status::OK();
    if (location_.only_file.empty()) return location_.store->Check(location_.folder);
    return FindFiles(location_, "", nullptr).status();
  }

  arrow::Result<std::vector<StreamInfo>> Discover(const std::string& schema,
                                                  std::stop_token stop) override {
    ARROW_ASSIGN_OR_RAISE(const std::string folder, location_.Resolve(schema));
    std::vector<StreamInfo> streams;
    if (!location_.only_file.empty()) {
      ARROW_ASSIGN_OR_RAISE(auto info, Look(location_.only_file));
      streams.push_back(std::move(info));
      return streams;
    }
    ARROW_ASSIGN_OR_RAISE(auto entries, location_.store->List(folder, false));
    for (const auto& entry : entries) {
      if (stop.stop_requested()) {
        return MakeError(ErrorClass::kCancelled, "cancelled", "The listing was stopped");
      }
      const std::string name(BaseName(entry.path));
      if (name[0] == '.' || name == "_dxt" || streams.size() >= kMostDiscovered) continue;
      if (!entry.is_folder && !FormatOfName(name).format) continue;
      auto info = Look(JoinPath(schema, name));
      // A folder without data files, or with several formats, is no stream.
      if (!info.ok() && entry.is_folder &&
          GetErrorInfo(info.status()).error_class == ErrorClass::kConfig) {
        continue;
      }
      ARROW_RETURN_NOT_OK(info.status());
      info->schema = schema;
      streams.push_back(std::move(*info));
    }
    return streams;
  }

  arrow::Result<StreamInfo> Describe(const StreamRef& ref, std::stop_token) override {
    ARROW_ASSIGN_OR_RAISE(auto stream, Stream(ref));
    StreamInfo info;
    info.kind = StreamKind::kFile;
    info.reference = ref.source;
    info.name = Stem(stream->files.text);
    info.columns = stream->schema;
    if (stream->files.options.lineage) {
      info.columns.fields.push_back({kFileNameColumn, {DType::kString}, false, {}});
      info.columns.fields.push_back({kRowIdColumn, {DType::kInt64}, false, {}});
    }
    info.estimated_rows = stream->rows;
    for (const auto& path : stream->files.paths) {
      info.files.push_back(location_.IdentityOf(path));
    }
    NoteDelimiter(*stream, info);
    return info;
  }

  arrow::Result<ReadPlan> PlanRead(const ReadSpec& spec, int max_splits,
                                   std::stop_token) override {
    ARROW_ASSIGN_OR_RAISE(auto stream, Stream(spec.ref));
    ReadPlan plan;
    plan.text = stream->files.text;
    plan.estimated_rows = stream->rows;
    for (const auto& part : Parts(*stream, std::max(max_splits, 1))) {
      plan.splits.push_back({static_cast<int32_t>(plan.splits.size()), Encode(part)});
    }
    return plan;
  }

  arrow::Result<std::unique_ptr<Reader>> OpenReader(const ReadSpec& spec,
                                                    const Split& split,
                                                    std::optional<Position> from,
                                                    std::stop_token) override {
    for (const auto& column : spec.columns) {
      if (!column.raw) continue;
      return MakeError(ErrorClass::kUnsupported, "source.no_raw",
                       "Files hold no bytes of a column as a database would write them");
    }
    ARROW_ASSIGN_OR_RAISE(auto stream, Stream(spec.ref));
    Part part;
    if (!Decode(split.bytes, &part) ||
        part.first_file + part.files > stream->files.paths.size()) {
      return MakeError(ErrorClass::kInternal, "file.split",
                       "A split of other files was asked for");
    }
    int64_t skip = 0;
    if (from) {
      const auto& bytes = from->bytes;
      if (std::from_chars(bytes.data(), bytes.data() + bytes.size(), skip).ec !=
          std::errc()) {
        return MakeError(ErrorClass::kInternal, "file.position",
                         "The position is not ours");
      }
    }
    for (const auto& column : spec.columns) {
      if (column.expression.empty()) continue;
      return MakeError(ErrorClass::kUnsupported, "source.no_expressions",
                       "Files have no SQL, so `source.expression` cannot be used");
    }
    return std::unique_ptr<Reader>(std::make_unique<SplitReader>(
        location_.store, std::move(stream), spec, part, skip));
  }

  arrow::Result<std::optional<int64_t>> CountRows(const ReadSpec& spec,
                                                  std::stop_token) override {
    if (!spec.filters.empty() || spec.cursor) return std::optional<int64_t>();
    ARROW_ASSIGN_OR_RAISE(auto stream, Stream(spec.ref));
    return stream->rows;
  }

 private:
  static std::string Stem(std::string_view path) {
    std::string name(BaseName(path));
    const size_t dot = name.find('.', 1);
    return dot == std::string::npos ? name : name.substr(0, dot);
  }

  arrow::Result<StreamInfo> Look(const std::string& reference) {
    ARROW_ASSIGN_OR_RAISE(auto files, FindFiles(location_, reference, nullptr));
    ARROW_ASSIGN_OR_RAISE(auto stream,
                          Inspect(*location_.store, std::move(files), kDiscoverSample,
                                  /*tolerant=*/false));
    StreamInfo info;
    info.kind = StreamKind::kFile;
    info.reference = reference;
    info.name = Stem(reference);
    info.columns = std::move(stream.schema);
    info.estimated_rows = stream.rows;
    return info;
  }

  /// Looks once at a stream; what PlanRead saw is what its readers read.
  arrow::Result<std::shared_ptr<const Inspection>> Stream(const StreamRef& ref) {
    if (ref.kind != StreamKind::kFile && ref.kind != StreamKind::kTable) {
      return MakeError(ErrorClass::kUnsupported, "file.no_queries",
                       "The file connector reads files, not queries or views",
                       "Set kind: file and a path as source");
    }
    const std::string key =
        ref.source + (ref.tells_bad_records ? "\n\n" : "\n") + KeyOf(ref.options);
    if (const auto found = streams_.find(key); found != streams_.end())
      return found->second;
    ARROW_ASSIGN_OR_RAISE(auto files, FindFiles(location_, ref.source, &ref.options));
    ARROW_ASSIGN_OR_RAISE(auto stream, Inspect(*location_.store, std::move(files),
                                               kSampleBytes, ref.tells_bad_records));
    auto shared = std::make_shared<const Inspection>(std::move(stream));
    streams_.emplace(key, shared);
    return shared;
  }

  static std::string KeyOf(const ConfigValue& value) {
    std::string key = value.scalar;
    for (const auto& item : value.list) key += "," + KeyOf(item);
    for (const auto& [name, item] : value.map) key += ";" + name + "=" + KeyOf(item);
    return key;
  }

  /// One split a file, runs of files when they are many, row groups when there is one.
  static std::vector<Part> Parts(const Inspection& stream, int most) {
    std::vector<Part> parts;
    const size_t files = stream.files.paths.size();
    const size_t limit = static_cast<size_t>(most);
    if (files == 1 && stream.group_rows.size() == 1 && stream.group_rows[0].size() > 1 &&
        limit > 1) {
      const auto& groups = stream.group_rows[0];
      const size_t count = std::min(limit, groups.size());
      int64_t row = 0;
      size_t group = 0;
      for (size_t i = 0; i < count; ++i) {
        Part part;
        part.files = 1;
        part.first_group = static_cast<int>(group);
        part.first_row = row;
        for (const size_t end = groups.size() * (i + 1) / count; group < end; ++group) {
          row += groups[group];
        }
        part.last_group = static_cast<int>(group);
        parts.push_back(part);
      }
      return parts;
    }
    const size_t count = std::min(limit, files);
    for (size_t i = 0; i < count; ++i) {
      Part part;
      part.first_file = files * i / count;
      part.files = files * (i + 1) / count - part.first_file;
      parts.push_back(part);
    }
    return parts;
  }

  Location location_;
  std::map<std::string, std::shared_ptr<const Inspection>> streams_;
};

}  // namespace

std::unique_ptr<Source> MakeFileSource(Location location) {
  return std::make_unique<FileSource>(std::move(location));
}

}  // namespace dxt::file
