#pragma once
#include <string>
#include <string_view>

namespace dxt::ctl {

/// What stderr can show. Decided once, from --color, NO_COLOR, TERM and isatty.
class Terminal {
 public:
  /// `color`: auto, always or never.
  explicit Terminal(std::string_view color);
  /// stderr is a terminal that understands cursor movement.
  bool live() const { return live_; }
  bool color() const { return color_; }
  /// Columns of stderr; 80 where unknown.
  int width() const;
  std::string Red(std::string_view text) const { return Wrap(text, "\033[31m"); }
  std::string Yellow(std::string_view text) const { return Wrap(text, "\033[33m"); }
  std::string Bold(std::string_view text) const { return Wrap(text, "\033[1m"); }

 private:
  std::string Wrap(std::string_view text, std::string_view code) const;
  bool live_ = false;
  bool color_ = false;
};

/// Columns that `text` takes on a terminal: code points, wide ones twice, combining ones
/// not.
int DisplayWidth(std::string_view text);

/// `text` cut to at most `columns` columns, "…" in place of what was cut.
std::string Shorten(std::string_view text, int columns);

/// Control characters are shown as escapes, so that no value can move the cursor.
std::string Printable(std::string_view text);

}  // namespace dxt::ctl
