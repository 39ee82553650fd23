#include "connectors/file/text_input.h"

#include <simdjson.h>

#include <algorithm>
#include <cstring>

#include <arrow/io/compressed.h>
#include <arrow/io/interfaces.h>
#include <arrow/util/compression.h>

#include "base/error.h"
#include "connectors/file/store.h"

namespace dxt::file {
namespace {

constexpr size_t kLocalChunk = 1 << 20;
constexpr size_t kRemoteChunk = 4 << 20;
constexpr size_t kLargestRecord = 256 << 20;

char* PutUtf8(uint32_t code, char* to) {
  if (code < 0x80) {
    *to++ = static_cast<char>(code);
  } else if (code < 0x800) {
    *to++ = static_cast<char>(0xc0 | code >> 6);
    *to++ = static_cast<char>(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    *to++ = static_cast<char>(0xe0 | code >> 12);
    *to++ = static_cast<char>(0x80 | (code >> 6 & 0x3f));
    *to++ = static_cast<char>(0x80 | (code & 0x3f));
  } else {
    *to++ = static_cast<char>(0xf0 | code >> 18);
    *to++ = static_cast<char>(0x80 | (code >> 12 & 0x3f));
    *to++ = static_cast<char>(0x80 | (code >> 6 & 0x3f));
    *to++ = static_cast<char>(0x80 | (code & 0x3f));
  }
  return to;
}

arrow::Status Corrupt(const std::string& path, const std::string& why) {
  return MakeError(ErrorClass::kData, "file.corrupt", "'" + path + "' is damaged: " + why,
                   "Get the file again from where it came");
}

}  // namespace

/// Latin-1 and UTF-16 to UTF-8, in pieces.
class TextInput::Transcoder {
 public:
  Transcoder(Encoding encoding, std::string path)
      : encoding_(encoding), path_(std::move(path)) {}

  /// Most bytes of input whose output fits `room`.
  size_t InputFor(size_t room) const {
    return encoding_ == Encoding::kLatin1 ? room / 2 : room / 3 * 2;
  }

  arrow::Result<size_t> Run(std::string_view in, bool last, char* to) {
    return encoding_ == Encoding::kLatin1 ? Latin1(in, to) : Utf16(in, last, to);
  }

 private:
  static size_t Latin1(std::string_view in, char* to) {
    char* at = to;
    for (const char c : in) at = PutUtf8(static_cast<unsigned char>(c), at);
    return static_cast<size_t>(at - to);
  }

  arrow::Result<size_t> Utf16(std::string_view in, bool last, char* to) {
    char* at = to;
    for (const char c : in) {
      pair_[have_++] = static_cast<unsigned char>(c);
      if (have_ < 2) continue;
      have_ = 0;
      const uint32_t unit = big_ ? pair_[0] << 8 | pair_[1] : pair_[1] << 8 | pair_[0];
      if (first_) {
        first_ = false;
        if (unit == 0xfeff) continue;
        if (unit != 0xfffe) {
          return MakeError(ErrorClass::kData, "file.no_bom",
                           "'" + path_ + "' has no byte order mark, which UTF-16 needs",
                           "Leave options.encoding out if the file is UTF-8");
        }
        big_ = true;
        continue;
      }
      const bool low = unit >= 0xdc00 && unit < 0xe000;
      if (low != (high_ != 0)) return Broken();
      if (unit >= 0xd800 && unit < 0xdc00) {
        high_ = unit;
        continue;
      }
      at = PutUtf8(low ? 0x10000 + ((high_ - 0xd800) << 10) + (unit - 0xdc00) : unit, at);
      high_ = 0;
    }
    if (last && (have_ != 0 || high_ != 0)) return Broken();
    return static_cast<size_t>(at - to);
  }

  arrow::Status Broken() const {
    return MakeError(ErrorClass::kData, "file.invalid_utf16",
                     "'" + path_ + "' is not valid UTF-16");
  }

  Encoding encoding_;
  std::string path_;
  unsigned char pair_[2] = {0, 0};
  int have_ = 0;
  uint32_t high_ = 0;
  bool big_ = false;
  bool first_ = true;
};

TextInput::~TextInput() = default;

arrow::Result<std::unique_ptr<TextInput>> TextInput::Make(Store& store,
                                                          const std::string& path,
                                                          const FormatOptions& options) {
  std::unique_ptr<TextInput> input(new TextInput());
  input->path_ = store.Show(path);
  ARROW_ASSIGN_OR_RAISE(input->raw_, store.OpenInput(path));
  input->stream_ = input->raw_;
  const Compression compression = options.CompressionOf(path);
  if (compression != Compression::kNone) {
    const auto type = compression == Compression::kGzip ? arrow::Compression::GZIP
                                                        : arrow::Compression::ZSTD;
    ARROW_ASSIGN_OR_RAISE(auto codec, arrow::util::Codec::Create(type));
    // The codec must outlive the stream: both go into one owner.
    std::shared_ptr<arrow::util::Codec> shared = std::move(codec);
    ARROW_ASSIGN_OR_RAISE(
        auto stream, arrow::io::CompressedInputStream::Make(shared.get(), input->raw_));
    auto* bare = stream.get();
    input->stream_ = std::shared_ptr<arrow::io::InputStream>(
        bare, [shared, stream](arrow::io::InputStream*) {});
    input->compressed_ = true;
  }
  if (options.encoding != Encoding::kUtf8) {
    input->transcoder_ = std::make_unique<Transcoder>(options.encoding, input->path_);
  }
  input->chunk_ = store.is_local() ? kLocalChunk : kRemoteChunk;
  input->capacity_ = input->chunk_ * 2;
  input->buffer_.reset(new char[input->capacity_ + kPadding]);
  ARROW_RETURN_NOT_OK(input->Fill());
  return input;
}

void TextInput::Consume(size_t bytes, int64_t lines) {
  begin_ += bytes;
  line_ += lines;
}

arrow::Result<size_t> TextInput::ReadInto(char* to, size_t room) {
  const auto read = [&](size_t bytes, char* into) -> arrow::Result<size_t> {
    auto got = stream_->Read(static_cast<int64_t>(bytes), into);
    if (!got.ok()) {
      if (compressed_) return Corrupt(path_, got.status().message());
      return MakeError(ErrorClass::kTransient, "file.io",
                       "Could not read '" + path_ + "': " + got.status().message());
    }
    taken_ += *got;
    return static_cast<size_t>(*got);
  };
  if (!transcoder_) {
    ARROW_ASSIGN_OR_RAISE(const size_t got, read(std::min(room, chunk_), to));
    eof_ = got == 0;
    return got;
  }
  std::string bytes(std::min(transcoder_->InputFor(room), chunk_), '\0');
  ARROW_ASSIGN_OR_RAISE(const size_t got, read(bytes.size(), bytes.data()));
  eof_ = got == 0;
  return transcoder_->Run({bytes.data(), got}, eof_, to);
}

arrow::Status TextInput::Fill() {
  if (eof_) return arrow::Status::OK();
  if (begin_ > 0) {
    std::memmove(buffer_.get(), begin(), size());
    end_ -= begin_;
    begin_ = 0;
  }
  if (capacity_ - end_ < chunk_) {
    if (capacity_ >= kLargestRecord) {
      return MakeError(ErrorClass::kData, "file.record_too_large",
                       path_ + ":" + std::to_string(line_) +
                           ": the record that begins here is larger than 256 MiB",
                       "Look for a quote that is never closed");
    }
    std::unique_ptr<char[]> larger(new char[capacity_ * 2 + kPadding]);
    std::memcpy(larger.get(), buffer_.get(), end_);
    buffer_ = std::move(larger);
    capacity_ *= 2;
  }
  // A decompressor or transcoder may yield nothing before it has seen enough.
  size_t got = 0;
  while (got == 0 && !eof_) {
    ARROW_ASSIGN_OR_RAISE(got, ReadInto(buffer_.get() + end_, capacity_ - end_));
  }
  end_ += got;
  std::memset(buffer_.get() + end_, 0, kPadding);
  if (first_ && !transcoder_ && size() >= 3 &&
      std::memcmp(begin(), "\xef\xbb\xbf", 3) == 0) {
    begin_ += 3;
  }
  first_ = first_ && size() == 0 && !eof_;
  return arrow::Status::OK();
}

arrow::Status TextInput::CheckUtf8(size_t bytes) const {
  if (transcoder_ || simdjson::validate_utf8(begin(), bytes)) return arrow::Status::OK();
  int64_t line = line_;
  const char* at = begin();
  const char* const end = at + bytes;
  while (at < end) {
    const void* newline = std::memchr(at, '\n', static_cast<size_t>(end - at));
    const char* stop = newline ? static_cast<const char*>(newline) + 1 : end;
    if (!simdjson::validate_utf8(at, static_cast<size_t>(stop - at))) break;
    at = stop;
    ++line;
  }
  const bool utf16 = line == 1 && bytes >= 2 &&
                     (std::memcmp(begin(), "\xff\xfe", 2) == 0 ||
                      std::memcmp(begin(), "\xfe\xff", 2) == 0);
  return MakeError(ErrorClass::kData, "file.invalid_utf8",
                   path_ + ":" + std::to_string(line) + ": the text is not valid UTF-8",
                   utf16 ? "The file looks like UTF-16: set options.encoding: utf16"
                         : "Say what it is with options.encoding: latin1 or utf16");
}

int64_t TextInput::bytes_read() const {
  if (!compressed_) return taken_;
  const auto position = raw_->Tell();
  return position.ok() ? *position : taken_;
}

}  // namespace dxt::file
