// CSV and TSV files: a byte of options, one of the size of the pieces that the text comes
// in, then the text.
#include "tests/fuzz/file_reads.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace dxt;
  fuzz::Input input(data, size);
  const uint8_t flags = input.Byte();
  file::FormatOptions options;
  options.format = flags & 1 ? file::Format::kTsv : file::Format::kCsv;
  options.delimiter = flags & 1 ? '\t' : (flags & 2 ? ';' : ',');
  options.header = !(flags & 4);
  if (flags & 8) options.quote = '\0';
  if (flags & 16) options.null_values = {"NA", "\\N"};
  if (flags & 32) options.encoding = file::Encoding::kLatin1;
  if (flags & 64) options.encoding = file::Encoding::kUtf16;
  if (flags & 128) options.string_columns = {"a"};
  const int64_t piece = 1 + input.Byte();
  fuzz::CheckPieces(std::string(input.rest()), piece, options);
  return 0;
}
