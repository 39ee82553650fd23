#pragma once
#include <string>
#include <string_view>
#include <vector>

#include <arrow/result.h>

#include "base/spelling.h"

namespace dxt::sql {

/// How a dialect writes identifiers and text.
struct Quoting {
  char open = '"';
  char close = '"';
};

/// Quotes one identifier; a closing quote inside is doubled. U+0000 must have been
/// refused before (SplitReference does).
std::string QuoteIdentifier(std::string_view name, Quoting quoting = {});
/// Quotes and joins with dots.
std::string QuoteReference(const std::vector<std::string>& parts, Quoting quoting = {});
/// 'text' with quotes doubled (standard_conforming_strings).
std::string QuoteLiteral(std::string_view text);

/// `texts`, one after the other.
std::string Joined(const std::vector<std::string>& texts,
                   std::string_view separator = ", ");
/// `names` quoted, each behind `before`.
std::string QuotedNames(const std::vector<std::string>& names,
                        std::string_view before = "", std::string_view separator = ", ");

/// Splits a document's reference at dots outside quotes: `"a.b".c`, `[a b].c`, `` `a`.b
/// ``. kConfig "reference.invalid" for empty parts, unclosed quotes, U+0000.
arrow::Result<std::vector<std::string>> SplitReference(std::string_view reference);

/// Writes parts as a document's reference, quoted only where SplitReference needs it.
std::string ReferenceText(const std::vector<std::string>& parts);

using dxt::MatchName;

}  // namespace dxt::sql
