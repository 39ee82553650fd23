#pragma once
#include <optional>
#include <string>

#include "engine/plan/compile.h"

namespace dxt {

/// Where relative paths belong: the folder of a document; "" = nowhere.
std::string FolderOf(const std::string& document_path);

/// Makes relative values of path options absolute; config.relative_path where there is no
/// folder to belong to.
void ResolvePath(ConfigValue& value, const std::string& folder, const std::string& path,
                 ProblemList& problems);

/// From checked options (keys that are not the connector's are ignored) or a connection
/// string; nullopt when a problem was reported.
std::optional<Connection> ConnectionFromOptions(const ConfigValue& map,
                                                const std::string& name,
                                                const std::string& folder,
                                                const std::string& path,
                                                CompileContext& context);
std::optional<Connection> ConnectionFromUrl(const ConfigValue& url,
                                            const std::string& name,
                                            const std::string& folder,
                                            const std::string& path,
                                            CompileContext& context);

/// Remembers a secret for the redactor, with the variables that are part of it, and warns
/// when `what` stands in the document itself.
void RememberSecret(const ConfigValue& value, const std::string& path,
                    const std::string& what, CompileContext& context);

/// True for "scheme:…", what a connection string looks like.
bool LooksLikeUrl(std::string_view text);
/// Returns the URL without password and query.
std::string WithoutSecrets(std::string_view url);

}  // namespace dxt
