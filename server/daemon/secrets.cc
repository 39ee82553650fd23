#include "server/daemon/secrets.h"

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "base/error.h"

namespace dxt {

arrow::Result<std::string> SecretAt(const std::string& name, const std::string& place) {
  const size_t colon = place.find(':');
  const std::string where = place.substr(colon + 1);
  if (place.substr(0, colon) == "env") {
    if (const char* value = std::getenv(where.c_str())) return std::string(value);
  } else if (std::ifstream file(where, std::ios::binary); file) {
    std::string value(std::istreambuf_iterator<char>(file), {});
    while (!value.empty() && (value.back() == '\n' || value.back() == '\r')) {
      value.pop_back();
    }
    return value;
  }
  return MakeError(ErrorClass::kConfig, "server.secret",
                   "the secret " + name + " cannot be read from " + place,
                   "Set the variable, or give dxtd's user the right to read the file");
}

arrow::Result<std::map<std::string, std::string>> SecretsAt(
    const std::map<std::string, std::string>& places) {
  std::map<std::string, std::string> values;
  for (const auto& [name, place] : places) {
    ARROW_ASSIGN_OR_RAISE(values[name], SecretAt(name, place));
  }
  return values;
}

}  // namespace dxt
