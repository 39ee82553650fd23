#include <algorithm>
#include <set>

#include "base/error.h"
#include "engine/stage/package_store.h"
#include "server/api/convert.h"
#include "server/api/services.h"
#include "server/api/status_map.h"
#include "state/state_store.h"

namespace dxt {
namespace {

namespace fs = std::filesystem;

/// Every folder that packages may stand in: the state folder's own, and those that
/// earlier runs recorded (<root>/<project>/<pipeline>/<stream>/<load_id>).
arrow::Result<std::set<fs::path>> BufferRoots(const ApiParts& parts) {
  std::set<fs::path> roots = {parts.state_dir / "buffer"};
  ARROW_ASSIGN_OR_RAISE(const auto recorded, parts.store->packages().List(""));
  for (const auto& package : recorded) {
    const fs::path root =
        fs::path(package.path).parent_path().parent_path().parent_path().parent_path();
    std::error_code error;
    if (fs::is_directory(root, error)) roots.insert(root);
  }
  return roots;
}

arrow::Result<std::vector<PackageInfo>> AllPackages(const ApiParts& parts,
                                                    const std::string& pipeline) {
  std::vector<PackageInfo> all;
  ARROW_ASSIGN_OR_RAISE(const auto roots, BufferRoots(parts));
  for (const auto& root : roots) {
    std::error_code error;
    if (!fs::is_directory(root, error)) continue;
    ARROW_ASSIGN_OR_RAISE(auto found, PackageStore(root, *parts.clock).List(pipeline));
    for (auto& package : found) all.push_back(std::move(package));
  }
  std::sort(all.begin(), all.end(),
            [](const auto& a, const auto& b) { return a.load_id < b.load_id; });
  return all;
}

arrow::Result<PackageInfo> FindPackage(const ApiParts& parts,
                                       const std::string& load_id) {
  ARROW_ASSIGN_OR_RAISE(auto all, AllPackages(parts, ""));
  for (auto& package : all) {
    if (package.load_id == load_id) return std::move(package);
  }
  return MakeError(ErrorClass::kConfig, "package.not_found",
                   "there is no package " + load_id + " in this state folder",
                   "See `dxtctl packages list`");
}

v1::Package ToProto(const PackageInfo& package) {
  v1::Package proto;
  const size_t slash = package.pipeline.find('/');
  const std::string project = package.pipeline.substr(0, slash);
  proto.set_name("projects/" + project + "/packages/" + package.load_id);
  if (slash != std::string::npos) {
    proto.set_pipeline(PipelineName(project, package.pipeline.substr(slash + 1)));
  }
  proto.set_stream(package.stream);
  proto.set_load_id(package.load_id);
  proto.set_path(package.folder.string());
  proto.set_state(std::string(PackageStateName(package.state)));
  if (!package.manifest) return proto;
  const PackageManifest& manifest = *package.manifest;
  proto.set_lane(manifest.spec.identity.lane);
  proto.set_run(manifest.spec.run);
  proto.set_rows(manifest.rows);
  proto.set_bytes(manifest.bytes);
  proto.set_cursor_before(manifest.spec.cursor_before);
  proto.set_cursor_after(manifest.seal.cursor_after);
  if (!manifest.created_at.empty())
    SetTime(manifest.created_at, proto.mutable_create_time());
  for (const auto& segment : manifest.segments) {
    auto* entry = proto.add_segments();
    entry->set_file(segment.file);
    entry->set_rows(segment.rows);
    entry->set_bytes(segment.bytes);
    entry->set_sha256(segment.sha256);
  }
  return proto;
}

arrow::Status Drop(const ApiParts& parts, const std::string& load_id) {
  ARROW_ASSIGN_OR_RAISE(const PackageInfo package, FindPackage(parts, load_id));
  const fs::path root =
      package.folder.parent_path().parent_path().parent_path().parent_path();
  ARROW_RETURN_NOT_OK(PackageStore(root, *parts.clock).Drop(package));
  return parts.store->packages().Remove(load_id);
}

}  // namespace

Reply PackageServiceImpl::ListPackages(CallContext* context,
                                       const v1::ListPackagesRequest* request,
                                       v1::ListPackagesResponse* response) {
  return parts_.calls->Answer(context, [=, this]() -> grpc::Status {
    auto packages = AllPackages(parts_, ChainPipeline(request->parent()));
    if (!packages.ok()) return ToGrpc(packages.status());
    for (const auto& package : *packages) *response->add_packages() = ToProto(package);
    return grpc::Status::OK;
  });
}

Reply PackageServiceImpl::GetPackage(CallContext* context,
                                     const v1::GetPackageRequest* request,
                                     v1::Package* response) {
  return parts_.calls->Answer(context, [=, this]() -> grpc::Status {
    auto package = FindPackage(parts_, LastPart(request->name()));
    if (package.ok()) *response = ToProto(*package);
    return ToGrpc(package.status());
  });
}

Reply PackageServiceImpl::DropPackage(CallContext* context,
                                      const v1::DropPackageRequest* request,
                                      google::protobuf::Empty*) {
  return parts_.calls->Answer(context, [=, this]() -> grpc::Status {
    return ToGrpc(Drop(parts_, LastPart(request->name())));
  });
}

}  // namespace dxt
