#pragma once
#include <map>
#include <string>

#include <arrow/result.h>

namespace dxt {

/// Reads what `place` ("env:NAME" or "file:/path") holds; line ends at a file's end are
/// left out. `name` is for the message. kConfig "server.secret".
arrow::Result<std::string> SecretAt(const std::string& name, const std::string& place);

/// Each place's value.
arrow::Result<std::map<std::string, std::string>> SecretsAt(
    const std::map<std::string, std::string>& places);

}  // namespace dxt
