#include "engine/stage/manifest.h"

#include <nlohmann/json.hpp>

#include "base/digest.h"
#include "base/error.h"

namespace dxt {
namespace {

using Json = nlohmann::ordered_json;

constexpr char kVersion[] = "dxt.package/1";
constexpr char kChecksum[] = "checksum";

Json TypeToJson(const FieldType& type) {
  Json json = {{"dtype", DTypeName(type.dtype)}};
  if (type.dtype == DType::kDecimal && type.precision > 0) {
    json["precision"] = type.precision;
    json["scale"] = type.scale;
  }
  if (type.nanoseconds) json["nanoseconds"] = true;
  if (type.element) json["element"] = TypeToJson(*type.element);
  return json;
}

FieldType TypeFromJson(const Json& json) {
  FieldType type;
  const auto dtype = ParseDType(json.at("dtype").get<std::string>());
  if (!dtype) throw std::runtime_error("it names an unknown dtype");
  type.dtype = *dtype;
  type.precision = json.value("precision", 0);
  type.scale = json.value("scale", 0);
  type.nanoseconds = json.value("nanoseconds", false);
  if (json.contains("element")) {
    type.element = std::make_shared<FieldType>(TypeFromJson(json.at("element")));
  }
  return type;
}

Json SchemaToJson(const StreamSchema& schema) {
  Json fields = Json::array();
  for (const auto& field : schema.fields) {
    Json json = {{"name", field.name},
                 {"type", TypeToJson(field.type)},
                 {"nullable", field.nullable}};
    if (!field.native.type.empty()) {
      json["native"] = {{"system", field.native.system}, {"type", field.native.type}};
    }
    fields.push_back(std::move(json));
  }
  return {{"fields", std::move(fields)}, {"primary_key", schema.primary_key}};
}

StreamSchema SchemaFromJson(const Json& json) {
  StreamSchema schema;
  for (const auto& item : json.at("fields")) {
    Field field;
    field.name = item.at("name");
    field.type = TypeFromJson(item.at("type"));
    field.nullable = item.at("nullable");
    if (item.contains("native")) {
      field.native = {item.at("native").at("system"), item.at("native").at("type")};
    }
    schema.fields.push_back(std::move(field));
  }
  schema.primary_key = json.at("primary_key").get<std::vector<std::string>>();
  return schema;
}

SegmentFormat FormatFromName(const std::string& name) {
  for (const auto format :
       {SegmentFormat::kParquet, SegmentFormat::kCsv, SegmentFormat::kJsonl}) {
    if (name == SegmentFormatName(format)) return format;
  }
  throw std::runtime_error("it names an unknown format");
}

PackageManifest Read(const Json& json) {
  PackageManifest manifest;
  PackageSpec& spec = manifest.spec;
  spec.identity.pipeline = json.at("pipeline");
  spec.identity.stream = json.at("stream");
  spec.identity.lane = json.at("lane");
  spec.identity.target = json.at("target");
  spec.identity.fingerprint = json.at("fingerprint");
  spec.load_id = json.at("load_id");
  spec.run = json.at("run");
  spec.document_hash = json.at("document_hash");
  spec.whole = json.value("whole", false);
  spec.full = json.at("phase") == "full";
  spec.cursor_before = json.at("cursor_before");
  spec.read_from = json.at("read_from");
  manifest.seal.cursor_after = json.at("cursor_after");
  manifest.seal.rows_read = json.at("rows_read");
  manifest.seal.bytes_read = json.at("bytes_read");
  spec.format = FormatFromName(json.at("format"));
  spec.compression = json.at("compression");
  spec.schema = SchemaFromJson(json.at("schema"));
  manifest.rows = json.at("rows");
  manifest.bytes = json.at("bytes");
  manifest.created_at = json.at("created_at");
  for (const auto& item : json.at("segments")) {
    Segment segment;
    segment.file = item.at("file");
    if (segment.file.empty() || segment.file.starts_with('.') ||
        segment.file.find_first_of(std::string_view("/\0", 2)) != std::string::npos) {
      throw std::runtime_error("it names a file elsewhere");
    }
    segment.rows = item.at("rows");
    segment.bytes = item.at("bytes");
    segment.sha256 = item.at("sha256");
    manifest.segments.push_back(std::move(segment));
  }
  for (const auto& item : json.at("warnings")) {
    manifest.seal.warnings.emplace_back(item.at("code"), item.at("message"));
  }
  return manifest;
}

Json Written(const PackageManifest& manifest) {
  const PackageSpec& spec = manifest.spec;
  Json segments = Json::array(), warnings = Json::array();
  for (const auto& segment : manifest.segments) {
    segments.push_back({{"file", segment.file},
                        {"rows", segment.rows},
                        {"bytes", segment.bytes},
                        {"sha256", segment.sha256}});
  }
  for (const auto& [code, message] : manifest.seal.warnings) {
    warnings.push_back({{"code", code}, {"message", message}});
  }
  return {{"schema_version", kVersion},
          {"pipeline", spec.identity.pipeline},
          {"stream", spec.identity.stream},
          {"lane", spec.identity.lane},
          {"target", spec.identity.target},
          {"fingerprint", spec.identity.fingerprint},
          {"load_id", spec.load_id},
          {"run", spec.run},
          {"document_hash", spec.document_hash},
          {"whole", spec.whole},
          {"phase", spec.full ? "full" : "incremental"},
          {"cursor_before", spec.cursor_before},
          {"cursor_after", manifest.seal.cursor_after},
          {"read_from", spec.read_from},
          {"rows_read", manifest.seal.rows_read},
          {"bytes_read", manifest.seal.bytes_read},
          {"format", SegmentFormatName(spec.format)},
          {"compression", spec.compression},
          {"rows", manifest.rows},
          {"bytes", manifest.bytes},
          {"created_at", manifest.created_at},
          {"schema", SchemaToJson(spec.schema)},
          {"segments", std::move(segments)},
          {"warnings", std::move(warnings)}};
}

}  // namespace

std::vector<std::string> PackageManifest::Paths() const {
  std::vector<std::string> paths;
  for (const auto& segment : segments) paths.push_back((folder / segment.file).string());
  return paths;
}

arrow::Result<std::string> SchemaToText(const StreamSchema& schema) {
  try {
    return SchemaToJson(schema).dump();
  } catch (const std::exception&) {
    return MakeError(ErrorClass::kData, "value.invalid_utf8",
                     "A field's name is not valid UTF-8");
  }
}

std::optional<StreamSchema> SchemaFromText(const std::string& text) {
  try {
    return SchemaFromJson(Json::parse(text));
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

arrow::Result<std::string> ManifestToJson(const PackageManifest& manifest) {
  try {
    Json json = Written(manifest);
    json[kChecksum] = Sha256Hex(json.dump(1));
    return json.dump(1) + "\n";
  } catch (const std::exception& error) {
    return MakeError(ErrorClass::kData, "value.invalid_utf8",
                     "The package of stream '" + manifest.spec.identity.stream +
                         "' cannot be described: a name or cursor is not valid UTF-8");
  }
}

arrow::Result<PackageManifest> ManifestFromJson(const std::string& text,
                                                const std::filesystem::path& folder) {
  std::string why = "its checksum is wrong";
  try {
    Json json = Json::parse(text);
    const std::string checksum = json.at(kChecksum);
    json.erase(kChecksum);
    if (json.at("schema_version") != kVersion) {
      why = "it was written by another version of dxt";
    } else if (checksum == Sha256Hex(json.dump(1))) {
      PackageManifest manifest = Read(json);
      manifest.sha256 = Sha256Hex(text);
      manifest.folder = folder;
      return manifest;
    }
  } catch (const std::exception& error) {
    why = "it is not what dxt wrote";
  }
  return MakeError(
      ErrorClass::kData, "buffer.corrupt",
      "The package " + folder.string() + " is damaged: in " + kManifestFile + ", " + why,
      "dxtctl packages drop " + folder.filename().string() +
          " gives it up; the next run reads again");
}

}  // namespace dxt
