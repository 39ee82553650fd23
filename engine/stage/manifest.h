#pragma once
#include <filesystem>
#include <optional>
#include <string>

#include <arrow/result.h>

#include "engine/stage/package.h"

namespace dxt {

inline constexpr char kManifestFile[] = "manifest.json";

/// manifest.json as text; it carries a checksum of itself.
arrow::Result<std::string> ManifestToJson(const PackageManifest& manifest);
/// Reads what ManifestToJson wrote; kData "buffer.corrupt" for anything else.
arrow::Result<PackageManifest> ManifestFromJson(const std::string& text,
                                                const std::filesystem::path& folder);

/// A schema on one line, as it stands in a manifest; nothing for any other text.
arrow::Result<std::string> SchemaToText(const StreamSchema& schema);
std::optional<StreamSchema> SchemaFromText(const std::string& text);

}  // namespace dxt
