#include "client/dxtctl/apply_files.h"

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <iterator>

#include "client/dxtctl/documents.h"

namespace dxt::ctl {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> DocumentsIn(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const auto extension = entry.path().extension();
    const bool document =
        extension == ".yaml" || extension == ".yml" || extension == ".json";
    if (document && entry.is_regular_file(error)) found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace

Result<std::vector<ApplyFile>> ReadApplyFiles(
    const std::vector<std::string>& by_option, const std::vector<std::string>& by_word,
    const std::function<bool(const std::string& path)>& wanted) {
  std::vector<std::string> names = by_option;
  names.insert(names.end(), by_word.begin(), by_word.end());
  if (names.empty()) {
    return UsageError("No file is named", "Say which: -f FILE, a folder, or - for stdin");
  }
  std::vector<ApplyFile> files;
  std::error_code error;
  for (const auto& name : names) {
    if (name == "-") {
      files.push_back({(fs::current_path() / "stdin.yaml").string(),
                       std::string(std::istreambuf_iterator<char>(std::cin), {})});
      continue;
    }
    const fs::path path = fs::absolute(name).lexically_normal();
    const bool folder = fs::is_directory(path, error);
    for (const auto& file : folder ? DocumentsIn(path) : std::vector<fs::path>{path}) {
      if (folder && !wanted(file.string())) continue;
      CTL_ASSIGN(auto text, ReadDocument(file));
      files.push_back({file.string(), std::move(text)});
    }
    if (folder && files.empty()) {
      return UsageError("There is no such document in '" + path.string() + "'",
                        "Name a file, or a folder that holds .yaml files");
    }
  }
  return files;
}

}  // namespace dxt::ctl
