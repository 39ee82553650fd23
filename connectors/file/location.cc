#include "connectors/file/location.h"

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "base/spelling.h"
#include "connectors/file/store.h"

namespace dxt::file {
namespace {

constexpr std::string_view kS3 = "s3://";
constexpr std::string_view kFile = "file://";

bool StartsWith(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

/// Removes `.`, `..` and doubled slashes; false when `..` leaves the beginning.
bool Normalize(std::string_view path, std::string* normal) {
  std::vector<std::string_view> parts;
  for (size_t from = 0; from <= path.size();) {
    const size_t slash = std::min(path.find('/', from), path.size());
    const std::string_view part = path.substr(from, slash - from);
    from = slash + 1;
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      if (parts.empty()) return false;
      parts.pop_back();
      continue;
    }
    parts.push_back(part);
  }
  *normal = StartsWith(path, "/") ? "/" : "";
  for (size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) *normal += '/';
    *normal += parts[i];
  }
  return true;
}

bool IsDataFile(std::string_view name) {
  return !name.empty() && name[0] != '.' && FormatOfName(name).format.has_value();
}

/// Parts of a path that readers never look into.
bool IsHidden(std::string_view relative) {
  for (size_t from = 0; from <= relative.size();) {
    const size_t slash = std::min(relative.find('/', from), relative.size());
    const std::string_view part = relative.substr(from, slash - from);
    from = slash + 1;
    if (StartsWith(part, ".") || part == "_dxt") return true;
  }
  return false;
}

bool MatchClass(std::string_view pattern, size_t* at, char c) {
  size_t i = *at + 1;
  bool negate = false, matched = false;
  if (i < pattern.size() && (pattern[i] == '!' || pattern[i] == '^')) {
    negate = true;
    ++i;
  }
  for (bool first = true; i < pattern.size() && (first || pattern[i] != ']');
       first = false) {
    const char low = pattern[i];
    char high = low;
    if (i + 2 < pattern.size() && pattern[i + 1] == '-' && pattern[i + 2] != ']') {
      high = pattern[i + 2];
      i += 2;
    }
    if (c >= low && c <= high) matched = true;
    ++i;
  }
  *at = i + 1;
  return matched != negate;
}

/// One match. Each place of pattern and path is tried once, so that no pattern takes
/// longer than the two are long.
class GlobMatch {
 public:
  GlobMatch(std::string_view pattern, std::string_view path)
      : pattern_(pattern), path_(path) {}

  bool From(size_t p, size_t s) {
    for (bool arrived = true; p < pattern_.size();) {
      const char c = pattern_[p];
      if (c == '*') {
        if (!FirstTime(p, s, arrived)) return false;
        const bool deep = p + 1 < pattern_.size() && pattern_[p + 1] == '*';
        const size_t rest = p + (deep ? 2 : 1);
        // `**/` also stands for no folder at all.
        if (arrived && deep && StartsWith(pattern_.substr(rest), "/") &&
            From(rest + 1, s)) {
          return true;
        }
        if (From(rest, s)) return true;
        if (s == path_.size() || (path_[s] == '/' && !deep)) return false;
        ++s;
        arrived = false;
        continue;
      }
      arrived = true;
      if (s == path_.size()) return false;
      if (c == '[' && pattern_.find(']', p + 2) != std::string_view::npos) {
        if (path_[s] == '/' || !MatchClass(pattern_, &p, path_[s])) return false;
        ++s;
        continue;
      }
      if (c != path_[s] && (c != '?' || path_[s] == '/')) return false;
      ++p;
      ++s;
    }
    return s == path_.size();
  }

 private:
  bool FirstTime(size_t p, size_t s, bool arrived) {
    const size_t places = path_.size() + 1;
    if (tried_.empty()) tried_.resize(pattern_.size() * places * 2);
    const size_t place = (p * places + s) * 2 + arrived;
    if (tried_[place]) return false;
    tried_[place] = true;
    return true;
  }

  std::string_view pattern_, path_;
  std::vector<bool> tried_;  ///< Stars of the pattern, at places of the path.
};

arrow::Status Missing(const Location& location, const std::string& path,
                      const std::string& why) {
  std::string hint = "Check the connection's url and the stream's path";
  std::vector<std::string> names;
  const auto siblings = location.store->List(std::string(ParentPath(path)), false);
  if (siblings.ok()) {
    for (const auto& entry : *siblings) names.emplace_back(BaseName(entry.path));
  }
  const std::string nearest = NearestSpelling(std::string(BaseName(path)), names);
  return MakeError(ErrorClass::kConfig, "file.missing",
                   "'" + location.store->Show(path) + "' " + why +
                       (nearest.empty() ? "" : " (did you mean '" + nearest + "'?)"),
                   hint);
}

arrow::Result<std::vector<std::string>> Expand(const Location& location,
                                               const std::string& pattern) {
  // The listing begins at the last folder before the first special character.
  const size_t special = pattern.find_first_of("*?[");
  const std::string folder(ParentPath(pattern.substr(0, special + 1)));
  const bool deep = pattern.find('/', special) != std::string::npos ||
                    pattern.find("**") != std::string::npos;
  ARROW_ASSIGN_OR_RAISE(auto entries, location.store->List(folder, deep));
  std::vector<std::string> paths;
  for (const auto& entry : entries) {
    const std::string_view relative = std::string_view(entry.path).substr(folder.size());
    if (entry.is_folder || IsHidden(relative.substr(relative.find_first_not_of('/'))))
      continue;
    if (MatchGlob(pattern, entry.path)) paths.push_back(entry.path);
  }
  if (paths.empty()) return Missing(location, pattern, "matches no file");
  return paths;
}

arrow::Status OneFormat(const std::vector<std::string>& paths, const std::string& where) {
  const auto first = FormatOfName(paths.front()).format;
  for (const auto& path : paths) {
    if (FormatOfName(path).format == first) continue;
    return MakeError(ErrorClass::kConfig, "file.mixed_formats",
                     "'" + where + "' holds files of several formats: " +
                         std::string(BaseName(paths.front())) + " and " +
                         std::string(BaseName(path)),
                     "Name one of them with a glob such as *.csv, or set options.format");
  }
  return arrow::Status::OK();
}

}  // namespace

bool HasGlob(std::string_view text) {
  return text.find_first_of("*?[") != std::string_view::npos;
}

bool MatchGlob(std::string_view pattern, std::string_view path) {
  return GlobMatch(pattern, path).From(0, 0);
}

arrow::Result<std::string> Location::Resolve(std::string_view reference) const {
  const auto outside = [&]() {
    return MakeError(
        ErrorClass::kConfig, "file.outside",
        "The path '" + std::string(reference) + "' leaves the connection's folder '" +
            store->Show(folder) + "'",
        "Write a path inside the folder, or a connection for the other folder");
  };
  if (StartsWith(reference, kFile)) reference.remove_prefix(kFile.size());
  if (StartsWith(reference, kS3) && !store->is_local())
    reference.remove_prefix(kS3.size());
  std::string path;
  const bool absolute =
      store->is_local()
          ? StartsWith(reference, "/")
          : StartsWith(reference, folder) && !folder.empty() &&
                (reference.size() == folder.size() || reference[folder.size()] == '/');
  if (!Normalize(reference, &path)) return outside();
  if (absolute) {
    const bool inside = folder.empty() || folder == "/" || path == folder ||
                        StartsWith(path, folder + "/");
    if (!inside) return outside();
  } else {
    if (folder.empty()) {
      return MakeError(ErrorClass::kConfig, "file.relative_path",
                       "The path '" + std::string(reference) +
                           "' is relative, but the connection has no url",
                       "Set the connection's url to the folder it belongs to");
    }
    path = JoinPath(folder, path);
  }
  if (only_file.empty()) return path;
  const std::string file = JoinPath(folder, only_file);
  const std::string_view name = BaseName(path);
  if (path == folder || path == file ||
      name == only_file.substr(0, only_file.find('.'))) {
    return file;
  }
  return MakeError(ErrorClass::kConfig, "file.outside",
                   "The connection names the one file '" + store->Show(file) +
                       "', not '" + std::string(reference) + "'",
                   "Set the connection's url to the folder");
}

std::string Location::IdentityOf(const std::string& path) const {
  if (!store->is_local()) return "s3:" + endpoint + "/" + path;
  std::error_code error;
  const auto real = std::filesystem::weakly_canonical(path, error);
  return "file:" + (error ? path : real.string());
}

arrow::Result<Location> OpenLocation(const ConfigView& config) {
  Location location;
  location.options.kind = ConfigValue::Kind::kMap;
  if (const ConfigValue* options = config.Value("options")) location.options = *options;
  location.endpoint = config.String("endpoint");
  std::string url = config.String("url");
  std::string path;
  if (StartsWith(url, kS3)) {
    if (!Normalize(std::string_view(url).substr(kS3.size()), &path) || path.empty()) {
      return MakeError(
          ErrorClass::kConfig, "file.invalid_url",
          "The url of an S3 connection must be s3://bucket or s3://bucket/prefix");
    }
    ARROW_ASSIGN_OR_RAISE(location.store,
                          MakeS3Store(config, path.substr(0, path.find('/'))));
  } else {
    if (StartsWith(url, kFile)) url.erase(0, kFile.size());
    const size_t scheme = url.find("://");
    if (scheme != std::string::npos) {
      return MakeError(ErrorClass::kUnsupported, "file.unknown_scheme",
                       "The file connector has no storage '" + url.substr(0, scheme) +
                           "://'; it knows local folders, file:// and s3://");
    }
    location.store = MakeLocalStore();
    if (url.empty()) return location;
    if (!Normalize(std::filesystem::absolute(url).string(), &path)) path = "/";
  }
  location.folder = path;
  bool is_file = HasGlob(path);
  if (!is_file) {
    ARROW_ASSIGN_OR_RAISE(const auto entry, location.store->Stat(path));
    is_file = entry ? !entry->is_folder
                    : !url.ends_with('/') && FormatOfName(path).format.has_value();
  }
  if (is_file) {
    const size_t special = std::min(path.find_first_of("*?["), path.size());
    const std::string folder(ParentPath(path.substr(0, special)));
    location.only_file = path.substr(folder.size() + (folder.ends_with('/') ? 0 : 1));
    location.folder = folder;
  }
  // One named file is where its url says, through whatever links.
  if (location.store->is_local() && (!is_file || HasGlob(location.only_file)))
    location.store = MakeLocalStore(location.folder);
  return location;
}

std::string LocationIdentity(const ConfigView& config) {
  const std::string url = config.String("url");
  if (StartsWith(url, kS3))
    return "s3:" + config.String("endpoint") + "/" + url.substr(5);
  std::error_code error;
  const std::string path = StartsWith(url, kFile) ? url.substr(kFile.size()) : url;
  const auto real = std::filesystem::weakly_canonical(path, error);
  return "file:" + (error ? path : real.string());
}

arrow::Result<std::vector<std::string>> FolderFiles(Store& store,
                                                    const std::string& folder,
                                                    std::optional<Format> format) {
  std::vector<std::string> paths;
  ARROW_ASSIGN_OR_RAISE(auto entries, store.List(folder, true));
  for (const auto& entry : entries) {
    const std::string_view relative =
        std::string_view(entry.path)
            .substr(std::min(entry.path.size(),
                             folder.size() + (folder.ends_with('/') ? 0 : 1)));
    const std::string_view name = BaseName(entry.path);
    const bool here = relative == name || StartsWith(relative, "load-");
    if (entry.is_folder || !here || IsHidden(relative) || !IsDataFile(name)) continue;
    if (format && FormatOfName(name).format != *format) continue;
    paths.push_back(entry.path);
  }
  return paths;
}

arrow::Result<FileSet> FindFiles(const Location& location, std::string_view reference,
                                 const ConfigValue* stream_options) {
  FileSet set;
  ARROW_ASSIGN_OR_RAISE(const std::string path, location.Resolve(reference));
  ARROW_ASSIGN_OR_RAISE(const auto format,
                        FormatOption(&location.options, stream_options));
  set.text = location.store->Show(path);
  ARROW_ASSIGN_OR_RAISE(const auto entry, location.store->Stat(path));
  if (entry && !entry->is_folder) {
    set.paths = {path};
  } else if (entry) {
    ARROW_ASSIGN_OR_RAISE(set.paths, FolderFiles(*location.store, path, format));
    if (set.paths.empty()) {
      return Missing(location, path,
                     format ? "holds no " + std::string(FormatName(*format)) + " file"
                            : "holds no data file");
    }
  } else if (HasGlob(path)) {
    ARROW_ASSIGN_OR_RAISE(set.paths, Expand(location, path));
  } else {
    return Missing(location, path, "does not exist");
  }
  if (!format) ARROW_RETURN_NOT_OK(OneFormat(set.paths, set.text));
  ARROW_ASSIGN_OR_RAISE(
      set.options, ResolveFormat(set.paths.front(), &location.options, stream_options));
  return set;
}

}  // namespace dxt::file
