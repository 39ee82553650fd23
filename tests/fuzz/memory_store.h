#pragma once
// One file in memory, handed out in pieces of any size.
#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <arrow/buffer.h>
#include <arrow/io/memory.h>

#include "base/error.h"
#include "connectors/file/store.h"

namespace dxt::fuzz {

/// Gives at most `piece` bytes a read.
class PieceInput final : public arrow::io::InputStream {
 public:
  PieceInput(std::shared_ptr<arrow::Buffer> bytes, int64_t piece)
      : bytes_(std::move(bytes)), piece_(piece) {
    set_mode(arrow::io::FileMode::READ);
  }
  arrow::Status Close() override {
    closed_ = true;
    return arrow::Status::OK();
  }
  bool closed() const override { return closed_; }
  arrow::Result<int64_t> Tell() const override { return at_; }
  arrow::Result<int64_t> Read(int64_t bytes, void* out) override {
    const int64_t taken = std::min({bytes, piece_, bytes_->size() - at_});
    std::copy_n(bytes_->data() + at_, taken, static_cast<uint8_t*>(out));
    at_ += taken;
    return taken;
  }
  arrow::Result<std::shared_ptr<arrow::Buffer>> Read(int64_t bytes) override {
    const int64_t taken = std::min({bytes, piece_, bytes_->size() - at_});
    auto slice = arrow::SliceBuffer(bytes_, at_, taken);
    at_ += taken;
    return slice;
  }

 private:
  std::shared_ptr<arrow::Buffer> bytes_;
  int64_t piece_, at_ = 0;
  bool closed_ = false;
};

/// Holds one file under every name; writes nothing.
class MemoryStore final : public file::Store {
 public:
  MemoryStore(std::string bytes, int64_t piece)
      : bytes_(arrow::Buffer::FromString(std::move(bytes))), piece_(piece) {}

  bool is_local() const override { return true; }
  std::string Show(std::string_view path) const override { return std::string(path); }
  arrow::Result<std::optional<file::Entry>> Stat(const std::string& path) override {
    file::Entry entry;
    entry.path = path;
    entry.size = bytes_->size();
    return std::optional<file::Entry>(entry);
  }
  arrow::Result<std::vector<file::Entry>> List(const std::string&, bool) override {
    return Refused();
  }
  arrow::Result<std::shared_ptr<arrow::io::InputStream>> OpenInput(
      const std::string&) override {
    return std::shared_ptr<arrow::io::InputStream>(
        std::make_shared<PieceInput>(bytes_, piece_));
  }
  arrow::Result<std::shared_ptr<arrow::io::RandomAccessFile>> OpenRandom(
      const std::string&) override {
    return std::shared_ptr<arrow::io::RandomAccessFile>(
        std::make_shared<arrow::io::BufferReader>(bytes_));
  }
  arrow::Result<std::shared_ptr<arrow::io::OutputStream>> OpenOutput(
      const std::string&) override {
    return Refused();
  }
  arrow::Status Sync(const std::string&) override { return Refused(); }
  arrow::Status Move(const std::string&, const std::string&) override {
    return Refused();
  }
  arrow::Result<bool> Exchange(const std::string&, const std::string&) override {
    return Refused();
  }
  arrow::Status Remove(const std::string&) override { return Refused(); }
  void RemoveEmpty(const std::string&) override {}
  arrow::Result<std::string> FollowLink(const std::string& path) override { return path; }
  arrow::Result<bool> Put(const std::string&, std::string_view, bool) override {
    return Refused();
  }
  arrow::Status Touch(const std::string&) override { return Refused(); }
  arrow::Result<std::string> Get(const std::string&) override {
    return bytes_->ToString();
  }
  arrow::Result<std::unique_ptr<file::StoreLock>> Lock(
      const std::string&, int64_t, const std::function<bool()>&) override {
    return Refused();
  }
  arrow::Status Check(const std::string&) override { return arrow::Status::OK(); }

 private:
  static arrow::Status Refused() {
    return MakeError(ErrorClass::kInternal, "fuzz.refused", "only reads are offered");
  }
  std::shared_ptr<arrow::Buffer> bytes_;
  int64_t piece_;
};

}  // namespace dxt::fuzz
