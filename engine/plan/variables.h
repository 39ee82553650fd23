#pragma once
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "engine/plan/documents.h"

namespace dxt {

/// Replaces ${NAME}, ${NAME:-default} and $${ in every scalar of a document. A value
/// never changes the document's structure, and a value is not looked into again.
class Substitution {
 public:
  explicit Substitution(const std::map<std::string, std::string>& values);

  /// Goes through the tree; a problem is reported at the scalar, under its key path.
  void Apply(ConfigValue& value, const std::string& path, std::vector<Problem>& problems);
  /// Names that were met and have a value.
  const std::set<std::string>& used() const { return used_; }

 private:
  void Scalar(ConfigValue& value, const std::string& path,
              std::vector<Problem>& problems);

  const std::map<std::string, std::string>& values_;
  std::set<std::string> used_;
  size_t bytes_left_ = 16 << 20;
};

/// The names in ${NAME} and ${NAME:-default} of one text, in order.
std::vector<std::string> VariableNames(std::string_view text);

}  // namespace dxt
