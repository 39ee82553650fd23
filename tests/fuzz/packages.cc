// manifest.json of a package, given a right checksum so that more than the checksum is
// tried. What is accepted is written again as it was, and its segments stand in its own
// folder. Behind a line "%%" the bytes of a segment, read as the manifest describes it.
#include <filesystem>
#include <fstream>

#include <arrow/api.h>
#include <unistd.h>
#include <nlohmann/json.hpp>

#include "base/digest.h"
#include "engine/stage/manifest.h"
#include "engine/stage/segment.h"
#include "tests/fuzz/fuzz.h"

namespace dxt::fuzz {
namespace {

/// The text with the checksum that belongs to it; as it is where it is no JSON object.
std::string Signed(const std::string& text) {
  auto json = nlohmann::ordered_json::parse(text, nullptr, false);
  if (!json.is_object()) return text;
  try {
    json.erase("checksum");
    json["checksum"] = Sha256Hex(json.dump(1));
    return json.dump(1) + "\n";
  } catch (const nlohmann::json::exception&) {
    return text;  // Not UTF-8.
  }
}

/// A file of this process, in memory where there is a place for that.
const std::filesystem::path& Scratch() {
  static const auto* path = [] {
    const bool memory = access("/dev/shm", W_OK) == 0;
    const auto folder = memory ? std::filesystem::path("/dev/shm")
                               : std::filesystem::temp_directory_path();
    auto* made =
        new std::filesystem::path(folder / ("dxt-fuzz-" + std::to_string(getpid())));
    static struct Remover {
      const std::filesystem::path* path;
      ~Remover() { unlink(path->c_str()); }
    } remover{made};
    return made;
  }();
  return *path;
}

void CheckRows(const PackageManifest& manifest, std::string_view bytes) {
  std::ofstream(Scratch(), std::ios::binary | std::ios::trunc) << bytes;
  auto reader = OpenSegmentReader(manifest.spec, Scratch(), 100);
  while (reader.ok()) {
    const auto batch = (*reader)->Next();
    if (!batch.ok() || !*batch) return;
    const arrow::Status valid = (*batch)->Validate();
    Promise(valid.ok(), "a segment's rows are valid", valid.ToString());
  }
}

}  // namespace
}  // namespace dxt::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace dxt;
  const std::string all(reinterpret_cast<const char*>(data), size);
  const size_t cut = all.find("\n%%\n");
  const std::string text = fuzz::Signed(all.substr(0, cut));
  const auto manifest = ManifestFromJson(text, "/b/p/s/l");
  if (!manifest.ok()) return 0;
  for (const auto& segment : manifest->segments) {
    const std::filesystem::path file = segment.file;
    fuzz::Promise(file.filename() == file && file != "." && file != ".." &&
                      segment.file.find('\0') == std::string::npos,
                  "a segment stands in its package's folder", segment.file);
  }
  const auto written = ManifestToJson(*manifest);
  if (written.ok()) {
    const auto again = ManifestFromJson(*written, "/b/p/s/l");
    fuzz::Promise(again.ok() && *ManifestToJson(*again) == *written,
                  "a manifest is read as it was written", *written);
  }
  if (cut != std::string::npos)
    fuzz::CheckRows(*manifest, std::string_view(all).substr(cut + 4));
  return 0;
}
