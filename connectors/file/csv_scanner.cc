#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>
#include <set>

#include "base/error.h"
#include "connectors/file/record_scanner.h"
#include "connectors/file/text_input.h"
#include "connectors/file/unescape.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace dxt::file {
namespace {

/// Walks the places of delimiters, quotes and line ends, 64 bytes at a time.
class SpecialFinder {
 public:
  SpecialFinder(const char* base, size_t size, size_t from, char delimiter, char quote)
      : base_(base), size_(size), delimiter_(delimiter), quote_(quote) {
    block_ = from & ~size_t{63};
    mask_ = block_ < size_ ? Load() & ~uint64_t{0} << (from & 63) : 0;
  }

  /// The next place, or size() when there is none.
  size_t Next() {
    while (mask_ == 0) {
      block_ += 64;
      if (block_ >= size_) return size_;
      mask_ = Load();
    }
    const size_t at = block_ + static_cast<size_t>(std::countr_zero(mask_));
    mask_ &= mask_ - 1;
    return at;
  }

 private:
  uint64_t Load() const {
    uint64_t mask = 0;
    const char* at = base_ + block_;
#if defined(__SSE2__)
    const __m128i delimiter = _mm_set1_epi8(delimiter_);
    const __m128i quote = _mm_set1_epi8(quote_);
    const __m128i newline = _mm_set1_epi8('\n');
    const __m128i carriage = _mm_set1_epi8('\r');
    for (int i = 0; i < 4; ++i) {
      const __m128i bytes =
          _mm_loadu_si128(reinterpret_cast<const __m128i*>(at + 16 * i));
      const __m128i found = _mm_or_si128(
          _mm_or_si128(_mm_cmpeq_epi8(bytes, delimiter), _mm_cmpeq_epi8(bytes, quote)),
          _mm_or_si128(_mm_cmpeq_epi8(bytes, newline), _mm_cmpeq_epi8(bytes, carriage)));
      mask |= static_cast<uint64_t>(static_cast<uint32_t>(_mm_movemask_epi8(found)))
              << (16 * i);
    }
#else
    for (int i = 0; i < 64; ++i) {
      const char c = at[i];
      const bool special = c == delimiter_ || c == quote_ || c == '\n' || c == '\r';
      mask |= static_cast<uint64_t>(special) << i;
    }
#endif
    const size_t left = size_ - block_;
    return left >= 64 ? mask : mask & ((uint64_t{1} << left) - 1);
  }

  const char* base_;
  size_t size_;
  size_t block_ = 0;
  uint64_t mask_ = 0;
  char delimiter_;
  char quote_;
};

enum class Outcome : uint8_t { kRow, kPartial, kEnd };

class CsvScanner final : public RecordScanner {
 public:
  CsvScanner(std::unique_ptr<TextInput> input, const FormatOptions& options)
      : input_(std::move(input)),
        options_(options),
        // Without quoting the finder looks for the delimiter twice, which costs nothing.
        finder_quote_(options.quote == '\0' ? options.delimiter : options.quote) {}

  arrow::Status ReadHeader() {
    CellBlock block;
    ARROW_RETURN_NOT_OK(ScanWindow(1, INT64_MAX, &block));
    if (block.rows == 0) return arrow::Status::OK();
    // Blank lines may stand before it.
    const char* const first = block.base + block.cells[0].begin;
    const int64_t line = block.first_line + std::count(block.base, first, '\n');
    std::set<std::string> seen;
    for (int i = 0; i < block.columns; ++i) {
      if (!options_.header) {
        names_.push_back("column" + std::to_string(i + 1));
        continue;
      }
      const Cell& cell = block.cells[static_cast<size_t>(i)];
      std::string name(block.Text(cell));
      if (cell.kind == Cell::kEscaped) name = UnescapeQuotes(name, options_.quote);
      if (name.empty()) {
        return Error("file.empty_column_name", line,
                     "column " + std::to_string(i + 1) + " of the header has no name",
                     "Name it in the file");
      }
      if (!seen.insert(name).second) {
        return Error("file.duplicate_column", line,
                     "the header names the column '" + name + "' twice",
                     "Rename one of them in the file");
      }
      names_.push_back(std::move(name));
    }
    // Without a header the row is data, and stays in the window.
    if (options_.header) {
      input_->Consume(consumed_, lines_);
    }
    consumed_ = 0;
    lines_ = 0;
    return arrow::Status::OK();
  }

  arrow::Status Scan(int64_t max_rows, int64_t max_bytes, CellBlock* block) override {
    input_->Consume(consumed_, lines_);
    return ScanWindow(max_rows, max_bytes, block);
  }

  TextInput& input() override { return *input_; }

 private:
  /// Scans from the window's begin; what was scanned is consumed by the next call.
  arrow::Status ScanWindow(int64_t max_rows, int64_t max_bytes, CellBlock* block) {
    block->columns = static_cast<int>(names_.size());
    for (;;) {
      block->base = input_->begin();
      block->first_line = input_->line();
      block->rows = 0;
      consumed_ = 0;
      lines_ = 0;
      const size_t size = input_->size();
      SpecialFinder finder(block->base, size, 0, options_.delimiter, finder_quote_);
      while (block->rows < max_rows && bad_.size() < kMostBad &&
             (block->rows == 0 || consumed_ < static_cast<size_t>(max_bytes))) {
        mistake_.reset();
        auto outcome = ScanRow(finder, size, block);
        if (!outcome.ok()) outcome = StepOver(outcome.status(), size, block, &finder);
        if (!outcome.ok()) {
          // What is wrong with the rows before it comes first.
          ARROW_RETURN_NOT_OK(input_->CheckUtf8(consumed_));
          return outcome.status();
        }
        if (*outcome != Outcome::kRow) break;
      }
      if (block->rows > 0 || !bad_.empty() || input_->eof()) break;
      // Nothing whole is in the window. Blank lines before are dropped for good.
      input_->Consume(consumed_, lines_);
      ARROW_RETURN_NOT_OK(input_->Fill());
    }
    return input_->CheckUtf8(consumed_);
  }

  /// Keeps the record from consumed_ on as a bad one, up to the end of the line in which
  /// the mistake was found.
  arrow::Result<Outcome> StepOver(const arrow::Status& why, size_t size,
                                  const CellBlock* block, SpecialFinder* finder) {
    if (!tolerant_ || !mistake_) return why;
    const char* const base = block->base;
    const char* const from = base + *mistake_;
    const void* const found = std::memchr(from, '\n', size - *mistake_);
    if (!found && !input_->eof()) return Outcome::kPartial;
    const auto end =
        found ? static_cast<size_t>(static_cast<const char*>(found) - base) : size;
    const size_t next = found ? end + 1 : end;
    BadRecord bad;
    bad.why = why;
    bad.file = input_->path();
    bad.line = input_->line() + lines_;
    bad.text.assign(base + consumed_, end - consumed_);
    if (bad.text.ends_with('\r')) bad.text.pop_back();
    bad_.push_back(std::move(bad));
    lines_ += std::count(base + consumed_, base + next, '\n');
    consumed_ = next;
    *finder = SpecialFinder(base, size, next, options_.delimiter, finder_quote_);
    return Outcome::kRow;
  }

  /// Reads one row from consumed_ on; a blank line between wider rows is skipped.
  arrow::Result<Outcome> ScanRow(SpecialFinder& finder, size_t size, CellBlock* block) {
    const char* const base = block->base;
    const bool free_width = names_.empty();
    const size_t width = names_.size();
    const size_t first_cell = static_cast<size_t>(block->rows) * width;
    if (block->cells.size() < first_cell + width) {
      block->cells.resize(std::max<size_t>((first_cell + width) * 2, 256));
    }
    size_t count = 0;
    size_t start = consumed_;
    int64_t lines = 0;
    if (start == size) return input_->eof() ? Outcome::kEnd : Outcome::kPartial;
    for (;;) {
      Cell cell;
      size_t stop = 0;
      if (start < size && base[start] == options_.quote && options_.quote != '\0') {
        finder.Next();
        ARROW_ASSIGN_OR_RAISE(const bool whole, QuotedCell(finder, base, size, start,
                                                           &lines, &cell, &stop));
        if (!whole) return Outcome::kPartial;
      } else {
        ARROW_ASSIGN_OR_RAISE(const bool whole,
                              PlainCell(finder, base, size, start, lines, &cell, &stop));
        if (!whole) return Outcome::kPartial;
      }
      if (count < width) {
        block->cells[first_cell + count] = cell;
      } else if (free_width) {
        if (block->cells.size() <= count)
          block->cells.resize(std::max<size_t>(count * 2, 256));
        block->cells[count] = cell;
      }
      ++count;
      if (stop < size && base[stop] == options_.delimiter) {
        start = stop + 1;
        continue;
      }
      // A line end, or the end of the file.
      size_t next = stop;
      if (next < size && base[next] == '\r') {
        ++next;
        finder.Next();
      }
      if (next < size) {
        ++next;
        ++lines;
      }
      const bool blank = count == 1 && cell.kind == Cell::kNull && cell.length == 0;
      if (!free_width && count != width && !blank) {
        mistake_ = stop;
        return WidthError(count);
      }
      consumed_ = next;
      lines_ += lines;
      if (blank && (free_width ? options_.header : width > 1)) return Outcome::kRow;
      if (free_width) block->columns = static_cast<int>(count);
      ++block->rows;
      return Outcome::kRow;
    }
  }

  /// False when the window ends inside.
  arrow::Result<bool> QuotedCell(SpecialFinder& finder, const char* base, size_t size,
                                 size_t start, int64_t* lines, Cell* cell, size_t* stop) {
    cell->begin = static_cast<uint32_t>(start + 1);
    cell->kind = Cell::kQuoted;
    for (;;) {
      const size_t at = finder.Next();
      if (at >= size) {
        if (!input_->eof()) return false;
        return Error("file.csv_quote", input_->line() + lines_,
                     "a quote is opened in the row that begins here and never closed",
                     "Correct the file, or set options.quote to the character it uses");
      }
      if (base[at] == '\n') ++*lines;
      if (base[at] != options_.quote) continue;
      if (at + 1 == size && !input_->eof()) return false;
      if (at + 1 < size && base[at + 1] == options_.quote) {
        finder.Next();
        cell->kind = Cell::kEscaped;
        continue;
      }
      cell->length = static_cast<uint32_t>(at - start - 1);
      *stop = at + 1;
      if (*stop == size) return true;
      const size_t next = finder.Next();
      if (next == *stop && base[next] != options_.quote) {
        if (base[next] != '\r') return true;
        if (next + 1 == size && !input_->eof()) return false;
        if (next + 1 < size && base[next + 1] == '\n') return true;
      }
      mistake_ = *stop;
      return Error(
          "file.csv_quote", input_->line() + lines_ + *lines,
          "something stands between a closing quote and the next delimiter",
          "A quote inside a quoted cell is written twice; options.quote changes the "
          "character");
    }
  }

  arrow::Result<bool> PlainCell(SpecialFinder& finder, const char* base, size_t size,
                                size_t start, int64_t lines, Cell* cell, size_t* stop) {
    for (;;) {
      const size_t at = finder.Next();
      if (at >= size) {
        if (!input_->eof()) return false;
        *stop = size;
        break;
      }
      const char c = base[at];
      if (c == options_.delimiter || c == '\n') {
        *stop = at;
        break;
      }
      if (c == '\r') {
        if (at + 1 == size && !input_->eof()) return false;
        if (at + 1 < size && base[at + 1] == '\n') {
          *stop = at;
          break;
        }
        mistake_ = at;
        return Error(
            "file.bare_cr", input_->line() + lines_ + lines,
            "a carriage return stands alone outside quotes",
            "Lines end with LF or CRLF; quote cells that hold a carriage return");
      }
    }
    cell->begin = static_cast<uint32_t>(start);
    cell->length = static_cast<uint32_t>(*stop - start);
    cell->kind = cell->length == 0 || IsNullValue({base + start, cell->length})
                     ? Cell::kNull
                     : Cell::kPlain;
    return true;
  }

  bool IsNullValue(std::string_view text) const {
    for (const auto& value : options_.null_values) {
      if (text == value) return true;
    }
    return false;
  }

  arrow::Status WidthError(size_t count) const {
    return Error("file.row_width", input_->line() + lines_,
                 "the row has " + std::to_string(count) +
                     (count == 1 ? " cell" : " cells") + ", but the " +
                     (options_.header ? "header" : "first row") + " has " +
                     std::to_string(names_.size()),
                 "Correct the file, or set options.delimiter or options.quote");
  }

  arrow::Status Error(std::string_view code, int64_t line, const std::string& what,
                      std::string hint = {}) const {
    return MakeError(ErrorClass::kData, code,
                     input_->path() + ":" + std::to_string(line) + ": " + what,
                     std::move(hint));
  }

  std::unique_ptr<TextInput> input_;
  FormatOptions options_;
  char finder_quote_;
  size_t consumed_ = 0;  ///< Bytes of the window in rows handed out.
  int64_t lines_ = 0;    ///< Line ends in them.
  /// Where in the window the last row went wrong, if its end can be told.
  std::optional<size_t> mistake_;
};

}  // namespace

arrow::Result<std::unique_ptr<RecordScanner>> MakeCsvScanner(
    std::unique_ptr<TextInput> input, const FormatOptions& options) {
  auto scanner = std::make_unique<CsvScanner>(std::move(input), options);
  ARROW_RETURN_NOT_OK(scanner->ReadHeader());
  return std::unique_ptr<RecordScanner>(std::move(scanner));
}

}  // namespace dxt::file
