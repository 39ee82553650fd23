#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include <arrow/result.h>

#include "connectors/file/format.h"

namespace arrow::io {
class InputStream;
}

namespace dxt::file {

class Store;

/// The text of one file in UTF-8, seen through a window: decompressed, transcoded,
/// without a byte order mark. Used by one thread.
class TextInput {
 public:
  static arrow::Result<std::unique_ptr<TextInput>> Make(Store& store,
                                                        const std::string& path,
                                                        const FormatOptions& options);
  ~TextInput();

  /// The window. At least kPadding bytes behind its end can be read and mean nothing.
  const char* begin() const { return buffer_.get() + begin_; }
  size_t size() const { return end_ - begin_; }
  bool eof() const { return eof_; }
  /// Line of begin(), 1-based.
  int64_t line() const { return line_; }
  /// Drops the first `bytes`, which held `lines` line ends.
  void Consume(size_t bytes, int64_t lines);
  /// Reads on; the window moves, so pointers into it die. A record that does not fit
  /// 256 MiB is kData "file.record_too_large".
  arrow::Status Fill();
  /// Checks that the first `bytes` are UTF-8; kData "file.invalid_utf8" with the line.
  arrow::Status CheckUtf8(size_t bytes) const;

  const std::string& path() const { return path_; }
  /// Bytes taken from storage so far.
  int64_t bytes_read() const;

  static constexpr size_t kPadding = 64;

 private:
  class Transcoder;
  TextInput() = default;
  arrow::Result<size_t> ReadInto(char* to, size_t room);

  std::string path_;
  std::shared_ptr<arrow::io::InputStream> raw_;
  std::shared_ptr<arrow::io::InputStream> stream_;
  std::unique_ptr<Transcoder> transcoder_;
  bool compressed_ = false;
  std::unique_ptr<char[]> buffer_;
  size_t capacity_ = 0;
  size_t begin_ = 0;
  size_t end_ = 0;
  size_t chunk_ = 0;
  int64_t line_ = 1;
  int64_t taken_ = 0;
  bool eof_ = false;
  bool first_ = true;
};

}  // namespace dxt::file
