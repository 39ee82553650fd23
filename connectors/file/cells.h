#pragma once
// A block of rows as places in a text buffer: what scanners make and decoders read.
#include <cstdint>
#include <string_view>
#include <vector>

namespace dxt::file {

struct Cell {
  enum Kind : uint32_t {
    kNull,
    kPlain,    ///< Unquoted text of CSV; number, true or false of JSON.
    kQuoted,   ///< Text between quotes.
    kEscaped,  ///< Likewise, with escapes inside.
    kNested,   ///< Object or array of JSON, verbatim.
  };
  uint32_t begin = 0;
  uint32_t length : 29 = 0;
  uint32_t kind : 3 = kNull;
};

/// Valid until its TextInput moves.
struct CellBlock {
  const char* base = nullptr;
  int64_t first_line = 1;  ///< Line of `base`.
  int columns = 0;
  int64_t rows = 0;
  std::vector<Cell> cells;  ///< Row by row; at least rows * columns.

  const Cell& at(int64_t row, int column) const {
    return cells[static_cast<size_t>(row * columns + column)];
  }
  std::string_view Text(const Cell& cell) const {
    return {base + cell.begin, cell.length};
  }
};

}  // namespace dxt::file
